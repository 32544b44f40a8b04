package search

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

func TestFindsWhatPeopleLookFor(t *testing.T) {
	k := newKit(t)
	k.Define(engine.TextField, "counterparty")
	k.Define(engine.NumberField, "amount")
	k.doc("lease", "The tenant terminates the lease by notice in writing.")
	k.doc("Werkvertrag Zürich", "Kündigung: e-mail an notary@example.com, 2026-11-21.", "client:acme", "urgent")
	k.CreateFrom(engine.NewDocument{Name: "scan 0042", Description: "Signed by both sides", CustomFields: map[string]any{"counterparty": "Quill & Co", "amount": 1250}, Version: engine.NewVersion{MediaType: "image/png"}}, "\x89PNG")
	for query, want := range map[string]string{
		"terminate":             "lease",
		"TERMINATION tenants":   "lease",
		`"notice in writing"`:   "lease",
		`"writing in notice"`:   "",
		`"lease by notice`:      "lease",
		"termin*":               "lease",
		"terminatio*":           "",
		"zurich":                "Werkvertrag Zürich",
		"e-mail":                "Werkvertrag Zürich",
		"mail-e":                "",
		"notary@example.com":    "Werkvertrag Zürich",
		"2026-11*":              "Werkvertrag Zürich",
		"acme":                  "Werkvertrag Zürich",
		"client:acme urgent":    "Werkvertrag Zürich",
		"acme tenant":           "",
		"quill":                 "scan 0042",
		"1250":                  "scan 0042",
		"signing scan":          "scan 0042",
		`"urgent werkvertrag"`:  "", // no phrase spans two fields
		"(lease) OR !!! notice": "",
		"the":                   "lease",
	} {
		k.expect(query, want)
	}
}

func TestRanks(t *testing.T) {
	k := newKit(t)
	k.doc("in content", "indemnity "+strings.Repeat("indemnity clause ", 50))
	k.doc("in tags", "no word of it", "indemnity")
	k.doc("mutual indemnity", "no word of it")
	k.CreateFrom(engine.NewDocument{Name: "described", Description: "about indemnity"}, "x")
	if got, want := k.names("indemnity"), "mutual indemnity, in tags, described, in content"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	k.doc("short", "arbitration")
	k.doc("long", "arbitration "+strings.Repeat("other words ", 500))
	k.doc("often", strings.Repeat("arbitration ", 10))
	if got, want := k.names("arbitration"), "often, short, long"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFollowsChanges(t *testing.T) {
	k := newKit(t)
	d := k.doc("draft agreement", "first words")
	k.expect("first", "draft agreement")
	k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, text("b.txt"), k.Upload("second words"))
	k.expect("first", "")
	k.expect("second", "draft agreement")
	name, description := "final agreement", "settled"
	k.patch(d.ID, engine.DocumentPatch{Name: &name, Description: &description, AddTags: []string{"signed"}})
	k.expect("draft", "")
	k.expect("final second settled signed", "final agreement")
	if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	k.expect("final", "")
	if r := k.search(Query{Text: "final", Filter: engine.DocumentQuery{Status: "archived"}}); r.Total != 1 {
		t.Errorf("%+v", r)
	}
	if _, _, err := k.UnarchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	k.expect("final", "final agreement")
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	for _, status := range []string{"", "all", "deleted"} {
		if r := k.search(Query{Text: "final", Filter: engine.DocumentQuery{Status: status}}); r.Total != 0 {
			t.Errorf("%q: %+v", status, r)
		}
	}
}

func TestDraftsAreNotFound(t *testing.T) {
	k := newKit(t)
	d := k.doc("open", "settled words")
	lock, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	k.must(err)
	cond := engine.Condition{LockToken: lock.Token}
	_, _, err = k.AddVersion(t.Context(), k.Admin, d.ID, cond, text("b.txt"), k.Upload("sketched words"))
	k.must(err)
	k.expect("sketched", "")
	k.expect("settled", "open")
	_, _, err = k.ReleaseLock(t.Context(), k.Admin, d.ID, cond, true)
	k.must(err)
	k.expect("sketched", "open")
	k.expect("settled", "")
}

func TestSnippets(t *testing.T) {
	k := newKit(t)
	d := k.doc("plain", strings.Repeat("Nothing of note stands here. ", 20)+"The supplier shall indemnify the buyer. "+strings.Repeat("More of the same follows on. ", 40)+"Each indemnifies and survives.")
	hit := k.search(Query{Text: "indemnify buyer survive"}).Hits[0]
	if len(hit.Snippets) != 2 || !strings.Contains(hit.Snippets[0], "shall <mark>indemnify</mark> the <mark>buyer</mark>.") || !strings.HasPrefix(hit.Snippets[0], "… ") ||
		!strings.HasSuffix(hit.Snippets[1], "Each <mark>indemnifies</mark> and <mark>survives</mark>.") {
		t.Errorf("%q", hit.Snippets)
	}
	k.patch(d.ID, engine.DocumentPatch{AddTags: []string{"liability"}})
	if hit := k.search(Query{Text: "liabilities"}).Hits[0]; len(hit.Snippets) != 1 || hit.Snippets[0] != "<mark>liability</mark>" {
		t.Errorf("%q", hit.Snippets)
	}
}

func TestNoMarkupComesOfText(t *testing.T) {
	k := newKit(t)
	evil := `<script>alert('x')</script> <mark onmouseover=y> "quoted" &lt;img src=q onerror=z&gt; </mark> hook`
	k.CreateFrom(engine.NewDocument{Name: evil[:80] + " name", Description: evil, Tags: []string{"<b>hook</b>"}, Version: text("a.txt")}, evil+" script")
	for _, query := range []string{"hook", "script alert", "mark", `"img src"`, "onerror", "lt", "na*", "b"} {
		for _, hit := range k.search(Query{Text: query}).Hits {
			for _, s := range hit.Snippets {
				bare := strings.NewReplacer("<mark>", "", "</mark>", "").Replace(s)
				if strings.ContainsAny(bare, `<>"'`) || strings.Count(s, "<mark>") != strings.Count(s, "</mark>") {
					t.Errorf("%s: %q", query, s)
				}
			}
		}
	}
}

func TestPages(t *testing.T) {
	k := newKit(t)
	for i := range 57 {
		k.doc(fmt.Sprintf("contract %d", i), strings.Repeat("lease ", i%7+1))
	}
	seen := map[string]bool{}
	q := Query{Text: "lease", Paging: engine.Paging{Limit: 10}}
	last := 1e9
	for {
		r := k.search(q)
		if r.Total < 57 {
			t.Errorf("total %d", r.Total)
		}
		for _, h := range r.Hits {
			if seen[h.Document.ID] || h.Score > last {
				t.Errorf("%s again, or out of order", h.Document.Name)
			}
			seen[h.Document.ID], last = true, h.Score
		}
		// Others are written meanwhile, and change how rare the word is.
		k.doc("another", "lease")
		if q.Cursor = r.NextCursor; q.Cursor == "" {
			break
		}
	}
	for _, wrong := range []Query{
		{Text: "other", Paging: q.Paging}, {Text: "lease", Paging: engine.Paging{Cursor: "x"}}, {Text: "lease", Paging: engine.Paging{Limit: 501}},
		{Text: "lease", Filter: engine.DocumentQuery{Status: "odd"}},
	} {
		if wrong.Cursor == "" {
			wrong.Cursor = k.search(Query{Text: "lease", Paging: engine.Paging{Limit: 1}}).NextCursor
		}
		if _, err := k.index.Search(t.Context(), wrong); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if len(seen) < 57 {
		t.Errorf("%d documents seen", len(seen))
	}
}

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// inFiles says whether any file below a directory has one of these words, as
// they are or as the index compresses them.
func inFiles(t *testing.T, dir string, words ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				found = append(found, w+" in "+filepath.Base(path))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDeletedWordsLeaveTheFiles(t *testing.T) {
	k := newKit(t)
	kept := k.doc("kept", "ordinary words")
	d := k.doc("zanzibarname", "short xylophone text", "quetzaltag")
	long := k.doc("another", strings.Repeat("vermilion words of a longer text, which is compressed. ", 20))
	k.expect("xylophone", "zanzibarname")
	_, _, err := k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, text("b.txt"), k.Upload("a kumquat instead"))
	k.must(err)
	k.expect("kumquat", "zanzibarname")
	secrets := []string{"zanzibar", "xylophon", "quetzal", "kumquat", "vermilion"}
	k.must(k.index.store.Save())
	if found := inFiles(t, k.dir, append(secrets, "ordinari")...); len(found) < 5 {
		t.Fatalf("only in files: %q", found)
	}
	for _, id := range []string{d.ID, long.ID} {
		_, _, err := k.DeleteDocument(t.Context(), k.Admin, id, engine.Condition{})
		k.must(err)
	}
	k.expect("ordinary", "kept")
	k.wait(func() bool { return !k.index.store.Forgetting() })
	k.stop()
	if found := inFiles(t, k.dir, secrets...); found != nil {
		t.Errorf("left: %q", found)
	}
	if inFiles(t, k.dir, "ordinari") == nil {
		t.Errorf("what was kept is gone too: %s", kept.Name)
	}
	k.close()
	k.open()
	k.run()
	k.expect("ordinary", "kept")
}

func TestErasedWordsLeaveTheFiles(t *testing.T) {
	k := newKit(t)
	k.doc("kept", "ordinary words")
	d := k.doc("zanzibarname", strings.Repeat("xylophone ", 100))
	k.expect("xylophone", "zanzibarname")
	k.must(k.index.store.Save())
	_, _, err := k.RequestErasure(t.Context(), k.Admin, engine.NewErasure{DocumentIDs: []string{d.ID}, LegalBasis: "Art. 17", Requester: "case 1"})
	k.must(err)
	_, err = k.Sweep(t.Context())
	k.must(err)
	k.expect("xylophone", "")
	k.wait(func() bool { return !k.index.store.Forgetting() })
	k.stop()
	if found := inFiles(t, k.Dir, "zanzibar", "xylophon"); found != nil {
		t.Errorf("left: %q", found)
	}
}

func TestRestartCatchesUp(t *testing.T) {
	k := newKit(t)
	k.doc("before", "words")
	k.expect("words", "before")
	k.close() // saved
	gone := k.doc("while away", "words")
	k.doc("meanwhile", "words")
	_, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{})
	k.must(err)
	k.open()
	if s := k.index.Stats(); s.Building || s.Documents != 1 {
		t.Errorf("%+v", s)
	}
	k.run()
	k.expect("words", "before, meanwhile")
	// Killed: nothing is saved.
	k.doc("unsaved", "words")
	k.expect("words", "before, meanwhile, unsaved")
	killed := k.index
	k.open()
	k.stop()
	k.must(killed.Close())
	k.run()
	k.expect("words", "before, meanwhile, unsaved")
	if n := k.index.Stats().Rebuilds; n != 0 {
		t.Errorf("%d rebuilds", n)
	}
}

func TestRebuildsWhatIsGoneOrDamaged(t *testing.T) {
	k := newKit(t)
	for i := range 30 {
		k.doc(fmt.Sprint("document ", i), "common words")
	}
	if r := k.search(Query{Text: "common"}); r.Total != 30 {
		t.Fatal(r.Total)
	}
	rebuilt := func() {
		t.Helper()
		k.open()
		k.run()
		if r := k.search(Query{Text: "common"}); r.Total != 30 {
			t.Errorf("%d found", r.Total)
		}
	}
	k.close()
	k.must(os.RemoveAll(k.dir))
	rebuilt()
	for _, pattern := range []string{"*.segment", "manifest"} {
		k.close()
		paths, _ := filepath.Glob(filepath.Join(k.dir, pattern))
		for _, path := range paths {
			b, err := os.ReadFile(path)
			k.must(err)
			b[len(b)/2] ^= 0xff
			k.must(os.WriteFile(path, b, 0o600))
		}
		if len(paths) == 0 {
			t.Fatal("no files")
		}
		rebuilt()
	}
	// Another vault's index.
	k.close()
	other := newKit(t)
	other.doc("foreign", "common words")
	other.expect("common", "foreign")
	other.stop()
	k.must(os.RemoveAll(k.dir))
	k.must(os.CopyFS(k.dir, os.DirFS(other.dir)))
	rebuilt()
}

func TestDeletedWhileItRuns(t *testing.T) {
	k := newKit(t)
	k.doc("one", "common words")
	k.expect("common", "one")
	k.must(k.index.store.Save())
	k.must(os.RemoveAll(k.dir))
	k.expect("common", "one")
	b := &batch{x: k.index, unsaved: true}
	if err := b.save(); !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	k.must(k.index.reset("en"))
	k.stop()
	k.run()
	k.expect("common", "one")
}

func TestLanguageOfTheSettings(t *testing.T) {
	k := newKit(t)
	k.doc("Mietvertrag", "Die Kündigungen der Verträge")
	k.expect("kündigung", "")
	german := "de"
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, nil, engine.SettingsPatch{SearchLanguage: &german})
	k.must(err)
	k.expect("kündigung vertrag", "Mietvertrag")
}

func TestIndexingIsNoDownload(t *testing.T) {
	k := newKit(t)
	on := true
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, nil, engine.SettingsPatch{AuditReads: &on})
	k.must(err)
	k.doc("audited", "words")
	k.expect("words", "audited")
	page, err := k.Entries(t.Context(), engine.EntryQuery{Op: audit.OpDocumentDownloaded})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%v, %v", page.Items, err)
	}
}

func TestTagsDoNotCostTheTextAgain(t *testing.T) {
	k := newKit(t)
	d := k.doc("a", "words")
	k.expect("words", "a")
	// The bytes are lost: only what the index has can still be read.
	k.must(os.RemoveAll(filepath.Join(k.Dir, "blobs", "sha256", d.Current.Digest.String()[7:9])))
	k.patch(d.ID, engine.DocumentPatch{AddTags: []string{"tagged"}})
	k.expect("words tagged", "a")
	if n := k.index.Stats().Failures; n != 0 {
		t.Errorf("%d failures", n)
	}
	k.must(os.MkdirAll(filepath.Join(k.Dir, "blobs", "sha256", d.Current.Digest.String()[7:9]), 0o700))
	_, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
	k.must(err)
}

func TestTheSameBytesAsAnotherKind(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "blob", Version: engine.NewVersion{MediaType: "application/octet-stream", FileName: "x.bin"}}, "plain words")
	k.expect("words", "")
	_, _, err := k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, text("x.txt"), k.Upload("plain words"))
	k.must(err)
	k.expect("words", "blob")
}

// TestARestoredVault has an index that is ahead of its vault, and one that has
// followed another log.
func TestARestoredVault(t *testing.T) {
	k := newKit(t)
	vault, backup, ahead := filepath.Join(k.Dir, "vault.db"), filepath.Join(t.TempDir(), "vault.db"), filepath.Join(t.TempDir(), "search")
	k.doc("kept", "words")
	k.close()
	k.must(k.Close())
	copyFile(t, backup, vault)
	k.Kit.Reopen()
	k.open()
	k.run()
	k.doc("lost", "words")
	k.expect("words", "kept, lost")
	k.close()
	k.must(k.Close())
	k.must(os.CopyFS(ahead, os.DirFS(k.dir)))
	copyFile(t, vault, backup)
	k.Kit.Reopen()
	_, err := k.Sweep(t.Context()) // the bytes of what was lost
	k.must(err)
	for _, written := range []string{"", "another"} {
		if written != "" {
			k.doc(written, "words")
		}
		k.must(os.RemoveAll(k.dir))
		k.must(os.CopyFS(k.dir, os.DirFS(ahead)))
		k.open()
		k.run()
		k.expect("words", strings.TrimPrefix(written+", kept", ", "))
		k.close()
	}
	k.open()
}

func TestABrokenFileCostsItsText(t *testing.T) {
	k := newKit(t)
	k.CreateFrom(engine.NewDocument{Name: "broken.pdf", Version: engine.NewVersion{MediaType: "application/pdf"}}, "no PDF")
	k.expect("broken", "broken.pdf")
	if s := k.index.Stats(); s.Failures != 1 || s.Documents != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWithoutRunAnAnswerIsNotComplete(t *testing.T) {
	k := newKit(t)
	k.doc("one", "words")
	k.expect("words", "one")
	through := k.Head().Seq
	k.stop()
	k.doc("two", "words")
	r, err := k.index.Search(t.Context(), Query{Text: "words"})
	if err != nil || r.Complete || r.Through != through || r.Total != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	short, err := Open(k.Vault, t.TempDir(), Options{Patience: time.Nanosecond})
	k.must(err)
	if r, err := short.Search(t.Context(), Query{Text: "words"}); err != nil || r.Complete || r.Through != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	k.must(short.Close())
}
