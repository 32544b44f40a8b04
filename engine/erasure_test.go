package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// secret is a word that stands in everything that describes one document or
// person, and nowhere else.
func secret(n int) string { return fmt.Sprintf("Quxzebra%04dword", n) }

// left returns the files below the vault's directory in which a word stands, in
// any case, as raw bytes.
func left(t testing.TB, dir, word string) (files []string) {
	t.Helper()
	folded := []byte(strings.ToLower(word))
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}
		if at := bytes.Index(bytes.ToLower(b), folded); at >= 0 {
			name, _ := filepath.Rel(dir, path)
			files = append(files, fmt.Sprintf("%s at %d: %.60q", name, at, b[max(0, at-20):]))
		}
		return nil
	})
	must(t, err)
	return files
}

func erase(t testing.TB, k *enginetest.Kit, documents ...string) engine.Erasure {
	t.Helper()
	e, r, err := k.RequestErasure(t.Context(), k.Admin, engine.NewErasure{DocumentIDs: documents, LegalBasis: "Art. 17 (1) (b) GDPR", Requester: "case 4711"})
	if err != nil || r.Seq == 0 || e.Status != engine.ErasureRunning {
		t.Fatalf("ask for an erasure: %+v, %v, %v", e, r, err)
	}
	return e
}

func readErasure(t testing.TB, k *enginetest.Kit, id string) engine.Erasure {
	t.Helper()
	e, err := k.Erasure(t.Context(), id)
	must(t, err)
	return e
}

// full makes a document that says a word wherever a document can say one, in
// its present state and in earlier ones.
func full(t testing.TB, k *enginetest.Kit, word string) engine.Document {
	t.Helper()
	ctx, cond := t.Context(), engine.Condition{}
	d := k.CreateFrom(engine.NewDocument{
		Name: word + " lease", Description: "about " + word, Category: "contract", Tags: []string{word, "for:" + word},
		CustomFields: map[string]any{"note": word + " owes"}, ExternalID: word + "-1", Product: word, TemplateID: word, AgreementID: word,
		Version: engine.NewVersion{FileName: word + ".txt", Comment: "for " + word, Label: word},
	}, "the words of "+word)
	name := "now " + word
	_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, cond, engine.DocumentPatch{Name: &name, AddTags: []string{"more" + word}, RemoveTags: []string{word}})
	must(t, err)
	k.AddText(d.ID, "other words of "+word)
	o, _, err := k.CreateObligation(ctx, k.Admin, engine.NewObligation{Title: "call " + word, Description: word, DueDate: due(t, "2099-01-01"), OwnerID: k.Admin.UserID, DocumentID: d.ID})
	must(t, err)
	_, _, err = k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{Note: word + " was called"})
	must(t, err)
	l, _, err := k.AcquireLock(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewLock{LockedByApp: word + " app", UseScratchPad: true})
	must(t, err)
	drafted := engine.Condition{LockToken: l.Token}
	_, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, drafted, engine.DocumentPatch{Description: &name})
	must(t, err)
	u := k.Upload("draft of " + word)
	defer u.Discard()
	_, _, err = k.AddVersion(ctx, k.Admin, d.ID, drafted, engine.NewVersion{FileName: word}, u)
	must(t, err)
	return d
}

// traffic changes and reads other documents until stopped.
func traffic(t testing.TB, k *enginetest.Kit, workers int) (stop func()) {
	var wg sync.WaitGroup
	end := make(chan struct{})
	for w := range workers {
		d := k.Create(fmt.Sprintf("busy %d", w), "text")
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-end:
					return
				default:
				}
				text := strings.Repeat(fmt.Sprintf("%d-%d ", w, n), 100)
				_, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Description: &text})
				if err == nil {
					_, err = k.Documents(t.Context(), engine.DocumentQuery{})
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { close(end); wg.Wait() }
}

// After an erasure is completed its documents' words are nowhere below the data
// directory, whatever else went on in the vault.
func TestErasedWordsAreNowhere(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			k, r := enginetest.New(t), rand.New(rand.NewPCG(seed, 17))
			k.Define(engine.TextField, "note")
			for n := range 30 {
				k.CreateFrom(engine.NewDocument{Name: fmt.Sprint("other ", n), Tags: []string{fmt.Sprint("tag", n)}}, fmt.Sprint("other text ", n))
			}
			var documents, words []string
			for n := range 8 {
				words = append(words, secret(n))
				documents = append(documents, full(t, k, words[n]).ID)
			}
			stop := func() {}
			if seed > 0 {
				stop = traffic(t, k, 3)
			}
			// Some go one by one, some together, some were deleted before.
			for len(documents) > 0 {
				n := 1 + r.IntN(min(3, len(documents)))
				if r.IntN(3) == 0 {
					_, _, err := k.BreakLock(t.Context(), k.Admin, documents[0], engine.Condition{}, "for "+words[0])
					must(t, err)
					_, _, err = k.DeleteDocument(t.Context(), k.Admin, documents[0], engine.Condition{})
					must(t, err)
				}
				e := erase(t, k, documents[:n]...)
				for readErasure(t, k, e.ID).Status != engine.ErasureCompleted {
					sweep(k)
				}
				for _, word := range words[:n] {
					if files := left(t, k.Dir, word); files != nil {
						t.Errorf("%s is still in %q", word, files)
					}
				}
				documents, words = documents[n:], words[n:]
			}
			stop()
			k.Reopen()
			for n := range 8 {
				if files := left(t, k.Dir, secret(n)); files != nil {
					t.Errorf("opened again, %s is in %q", secret(n), files)
				}
			}
		})
	}
}

// Among many documents, whose index fills pages upon pages, the words of those
// that are erased are gone, and of no others.
func TestErasedWordsAmongMany(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of documents")
	}
	t.Parallel()
	eachSeed(t, *modelSeed, []uint64{1}, testErasedWordsAmongMany)
}

func testErasedWordsAmongMany(t *testing.T, seed uint64) {
	k, many := enginetest.New(t), 3_000
	random := rand.New(rand.NewPCG(seed, 0))
	u := k.Upload("text")
	defer u.Discard()
	must(t, k.Fill(t.Context(), k.Admin, many, u, func(i int) engine.NewDocument {
		word := strings.ToLower(secret(i))
		return engine.NewDocument{Name: word, Category: "other", Tags: []string{word}, ExternalID: word, Product: word, Description: strings.Repeat(word, i%40)}
	}))
	var erased []string
	want := map[string]bool{}
	for q := (engine.DocumentQuery{Sort: "createdAt", Paging: engine.Paging{Limit: 500}}); ; {
		page, err := k.Documents(t.Context(), q)
		must(t, err)
		for _, d := range page.Items {
			if random.IntN(4) == 0 {
				erased = append(erased, d.ID)
			} else {
				want[d.Name] = true
			}
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	e := erase(t, k, erased...)
	sweep(k)
	if got := readErasure(t, k, e.ID); got.Status != engine.ErasureCompleted || int(got.Completed) != len(erased) {
		t.Errorf("%s: %d of %d", got.Status, got.Completed, len(erased))
	}
	is := map[string]bool{}
	for _, word := range regexp.MustCompile(`quxzebra\d{4}word`).FindAll(readFile(t, filepath.Join(k.Dir, "rows.db")), -1) {
		is[string(word)] = true
	}
	if !maps.Equal(is, want) {
		t.Errorf("%d words are left of %d that should be", len(is), len(want))
	}
}

// BenchmarkErasure erases documents one by one in a vault of many, overwriting
// included, and ten thousand at once.
func BenchmarkErasure(b *testing.B) {
	k := enginetest.New(b)
	u := k.Upload("text")
	defer u.Discard()
	next := 0
	fill := func(n int) (documents []string) {
		must(b, k.Fill(b.Context(), k.Admin, n, u, func(int) engine.NewDocument {
			next++
			return engine.NewDocument{Name: fmt.Sprint("contract ", next), Tags: []string{"party:lighthouse"}, Category: "contract"}
		}))
		page := engine.Page[engine.Document]{NextCursor: ""}
		for q := (engine.DocumentQuery{Paging: engine.Paging{Limit: 500}}); len(documents) < n; q.Cursor = page.NextCursor {
			var err error
			page, err = k.Documents(b.Context(), q)
			must(b, err)
			for _, d := range page.Items {
				documents = append(documents, d.ID)
			}
		}
		return documents
	}
	all := fill(30_000)
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			_, _, err := k.RequestErasure(b.Context(), k.Admin, engine.NewErasure{DocumentIDs: all[:1], LegalBasis: "Art. 17", Requester: "case"})
			must(b, err)
			_, err = k.Sweep(b.Context())
			must(b, err)
			all = all[1:]
		}
	})
	b.Run("10000", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			documents := fill(10_000)
			b.StartTimer()
			_, _, err := k.RequestErasure(b.Context(), k.Admin, engine.NewErasure{DocumentIDs: documents, LegalBasis: "Art. 17", Requester: "case"})
			must(b, err)
			_, err = k.Sweep(b.Context())
			must(b, err)
		}
	})
}
