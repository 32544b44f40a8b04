package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// busy makes a vault with a history by several actors over some minutes, and
// returns its documents. It runs in a synctest bubble.
func busy(t *testing.T, k *enginetest.Kit, random *rand.Rand) (actors []engine.Actor, documents []string) {
	t.Helper()
	ctx, cond := t.Context(), engine.Condition{}
	actors = []engine.Actor{k.Admin, engine.Operator()}
	for range 2 {
		a, _ := k.Person("Person", engine.AccessAdmin)
		actors = append(actors, a)
	}
	for range 3 {
		documents = append(documents, k.Create("d", "text").ID)
	}
	for n := range 120 {
		time.Sleep(time.Duration(random.IntN(3_000)) * time.Millisecond)
		a := actors[random.IntN(len(actors))]
		id := documents[random.IntN(len(documents))]
		var err error
		switch name := fmt.Sprint("name ", n); random.IntN(4) {
		case 0:
			_, _, err = k.CreateUser(ctx, a, engine.NewUser{Name: name, Access: engine.AccessView})
		case 1:
			_, _, err = k.RestoreVersion(ctx, a, id, cond, 1)
		default:
			_, _, err = k.UpdateDocument(ctx, a, id, cond, engine.DocumentPatch{Name: &name})
		}
		must(t, err)
	}
	_, _, err := k.DeleteDocument(ctx, k.Admin, documents[0], cond)
	must(t, err)
	return actors, documents
}

// follow reads all pages of a query.
func follow(t *testing.T, k *enginetest.Kit, q engine.EntryQuery) (all []engine.Entry) {
	t.Helper()
	for {
		page, err := k.Entries(t.Context(), q)
		must(t, err)
		if q.Limit > 0 && len(page.Items) > q.Limit {
			t.Fatalf("a page of %d, the limit is %d", len(page.Items), q.Limit)
		}
		all = append(all, page.Items...)
		if page.NextAfter == 0 {
			return all
		}
		if page.NextAfter <= q.After {
			t.Fatalf("after %d comes %d", q.After, page.NextAfter)
		}
		q.After = page.NextAfter
	}
}

func TestEntriesAreThoseAskedFor(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1}, testEntriesAreThoseAskedFor)
}

func testEntriesAreThoseAskedFor(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		random := rand.New(rand.NewPCG(seed, 0))
		actors, documents := busy(t, k, random)
		all := follow(t, k, engine.EntryQuery{Limit: 500})
		if uint64(len(all)) != k.Head().Seq {
			t.Fatalf("%d entries, the head is %d", len(all), k.Head().Seq)
		}
		pick := func() time.Time {
			at := all[random.IntN(len(all))].Time
			return at.Add(time.Duration(random.IntN(3)-1) * time.Duration(random.IntN(2_000)) * time.Microsecond)
		}
		ops := []audit.Op{audit.OpDocumentUpdated, audit.OpDocumentVersionAdded, audit.OpUserCreated, audit.OpVaultCreated, audit.OpDocumentDeleted, "document.unheard_of"}
		for range 300 {
			q := engine.EntryQuery{Limit: 1 + random.IntN(60)}
			if random.IntN(2) == 0 {
				q.DocumentID = documents[random.IntN(len(documents))]
			}
			if random.IntN(2) == 0 {
				q.ActorID = actors[random.IntN(len(actors))].UserID
			}
			if random.IntN(2) == 0 {
				q.Op = ops[random.IntN(len(ops))]
			}
			if random.IntN(2) == 0 {
				q.From = pick()
			}
			if random.IntN(2) == 0 {
				q.To = pick()
			}
			if random.IntN(3) == 0 {
				q.After = random.Uint64N(k.Head().Seq + 1)
			}
			var want []uint64
			for _, e := range all {
				if e.Seq > q.After && (q.DocumentID == "" || e.Document == q.DocumentID) && (q.ActorID == "" || e.Actor == q.ActorID) &&
					(q.Op == "" || e.Op == q.Op) && (q.From.IsZero() || !e.Time.Before(q.From)) && (q.To.IsZero() || e.Time.Before(q.To)) {
					want = append(want, e.Seq)
				}
			}
			var got []uint64
			for _, e := range follow(t, k, q) {
				got = append(got, e.Seq)
			}
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d: %+v: got %v, want %v", seed, q, got, want)
			}
		}
		q := engine.EntryQuery{DocumentID: strings.ToLower(uuid(documents[1]))}
		if len(follow(t, k, q)) == 0 {
			t.Error("a document named by its UUID has no entries")
		}
		for _, id := range []string{"x", engine.NewID()} {
			_, err := k.Entries(t.Context(), engine.EntryQuery{DocumentID: id})
			wantIs(t, err, engine.ErrDocumentNotFound)
		}
	})
}

func TestAnEntryIsItsLineWithWhatBelongsToIt(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.CreateFrom(engine.NewDocument{Name: "Zoë's <lease> & more", Tags: []string{"a"}}, "text")
	e, err := k.Entry(t.Context(), d.AuditSeq)
	must(t, err)
	if e.Op != audit.OpDocumentCreated || e.Document != d.ID || e.Version != 1 || e.Actor != k.Admin.UserID || e.Key != k.Admin.KeyID || !e.Time.Equal(d.CreatedAt) {
		t.Errorf("%+v", e.Entry)
	}
	if parsed, err := audit.ParseEntry(e.Line); err != nil || fmt.Sprint(parsed) != fmt.Sprint(e.Entry) || audit.HashLine(e.Line) != e.Hash || e.Hash != k.Head().Hash {
		t.Errorf("%s: %v", e.Line, err)
	}
	if audit.DetailHash([16]byte(e.Salt), e.Detail) != e.Entry.Detail {
		t.Errorf("salt %x and detail %s are not those hashed", e.Salt, e.Detail)
	}
	var detail map[string]any
	must(t, json.Unmarshal(e.Detail, &detail))
	if detail["name"] != "Zoë's <lease> & more" || bytes.Contains(e.Line, []byte("lease")) {
		t.Errorf("detail %v", detail)
	}
	for _, seq := range []uint64{0, k.Head().Seq + 1, 1 << 63} {
		_, err := k.Entry(t.Context(), seq)
		wantIs(t, err, engine.ErrEntryNotFound)
	}
	page, err := k.Entries(t.Context(), engine.EntryQuery{After: k.Head().Seq})
	if err != nil || len(page.Items) > 0 || page.NextAfter != 0 {
		t.Errorf("%+v %v", page, err)
	}
	for _, after := range []uint64{k.Head().Seq + 1, 1 << 63, math.MaxUint64} {
		_, err := k.Entries(t.Context(), engine.EntryQuery{After: after})
		wantIs(t, err, engine.ErrLogBehind)
	}
}

func TestAnExportVerifiesByItself(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	d := k.Create("a.txt", "first")
	k.AddText(d.ID, "second")
	first := k.Head()
	_, err := k.Export(ctx, engine.Actor{UserID: k.Admin.UserID, Access: engine.AccessUpload}, 0)
	wantIs(t, err, engine.ErrLacksPermission)
	e, err := k.Export(ctx, k.Admin, 0)
	must(t, err)
	if e.Receipt.Seq != 0 || e.Head != first {
		t.Errorf("%+v", e)
	}
	k.Create("b.txt", "after the export began")
	var log, details, again bytes.Buffer
	must(t, e.WriteLog(ctx, &log))
	must(t, e.WriteLog(ctx, &again))
	must(t, e.WriteDetails(ctx, &details))
	if !bytes.Equal(log.Bytes(), again.Bytes()) {
		t.Error("a second reading differs")
	}
	check := func(log, details string, o audit.VerifyOptions, want audit.Head) {
		t.Helper()
		o.Details = strings.NewReader(details)
		r, err := audit.Verify(ctx, strings.NewReader(log), o)
		must(t, err)
		if len(r.Findings) > 0 || r.Head != want {
			t.Errorf("%+v, want the head %+v", r, want)
		}
	}
	entry, err := k.Entry(ctx, 2)
	must(t, err)
	check(log.String(), details.String(), audit.VerifyOptions{
		Heads: []audit.Head{first}, Receipts: []audit.Receipt{{Seq: 2, Hash: entry.Hash}},
	}, first)

	// With audited reads the export is itself the last entry of it, and two
	// stretches make one log.
	auditReads(k, true)
	rest, err := k.Export(ctx, k.Admin, first.Seq)
	must(t, err)
	if rest.Receipt.Seq != k.Head().Seq || rest.Head != k.Head() {
		t.Errorf("%+v", rest)
	}
	var tail, tailDetails bytes.Buffer
	must(t, rest.WriteLog(ctx, &tail))
	must(t, rest.WriteDetails(ctx, &tailDetails))
	check(log.String()+tail.String(), details.String()+tailDetails.String(), audit.VerifyOptions{Heads: []audit.Head{first}}, rest.Head)
	last, err := k.Entry(ctx, rest.Head.Seq)
	must(t, err)
	if after, _ := last.Facts["after"].AsNumber(); last.Op != audit.OpAuditExported || after != first.Seq {
		t.Errorf("%s", last.Line)
	}

	for _, beyond := range []uint64{k.Head().Seq + 2, 1 << 60, math.MaxUint64} {
		_, err := k.Export(ctx, k.Admin, beyond)
		wantIs(t, err, engine.ErrLogBehind)
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	wantIs(t, e.WriteLog(ctx, &log), context.Canceled)
	broken := errors.New("broken pipe")
	wantIs(t, e.WriteLog(t.Context(), failingWriter{broken}), broken)
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestWaitReturnsWithTheNextEntry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		seq := k.Head().Seq
		must(t, k.Wait(t.Context(), seq-1))
		woken := make(chan error, 3)
		for range cap(woken) {
			go func() { woken <- k.Wait(t.Context(), seq) }()
		}
		wantIs(t, k.Wait(t.Context(), seq+1), engine.ErrLogBehind)
		synctest.Wait()
		if len(woken) > 0 {
			t.Fatal("woken without an entry")
		}
		k.Create("a.txt", "text")
		synctest.Wait()
		if len(woken) != 3 {
			t.Errorf("%d were woken", len(woken))
		}
		for range cap(woken) {
			must(t, <-woken)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		wantIs(t, k.Wait(ctx, k.Head().Seq), context.DeadlineExceeded)
		if waited := time.Since(start); waited != time.Minute {
			t.Errorf("waited %v", waited)
		}
		// A vault that stops wakes who waits.
		stopped := make(chan error)
		go func() { stopped <- k.Wait(t.Context(), k.Head().Seq) }()
		synctest.Wait()
		k.Down(errors.New("the disk is on fire"))
		wantIs(t, <-stopped, engine.ErrUnavailable)
		must(t, k.Close())
	})
}

// TestReadersSeeWholePagesWhileOthersWrite: a page never ends in an error
// because an entry landed while it was read.
func TestReadersSeeWholePagesWhileOthersWrite(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ids := []string{k.Create("a", "a").ID, k.Create("b", "b").ID}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for n := range 150 {
			name := fmt.Sprint("name ", n)
			if _, _, err := k.UpdateDocument(context.Background(), k.Admin, ids[n%2], engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
				t.Error(err)
			}
		}
	}()
	for reading, last := true, uint64(0); reading; {
		select {
		case <-done:
			reading = false
		default:
		}
		page, err := k.Entries(t.Context(), engine.EntryQuery{After: last, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Items {
			if e.Seq != last+1 {
				t.Fatalf("after %d came %d", last, e.Seq)
			}
			last = e.Seq
		}
		if _, err := k.Entries(t.Context(), engine.EntryQuery{DocumentID: ids[0], From: time.Now().Add(-time.Millisecond)}); err != nil {
			t.Fatal(err)
		}
		if r, err := k.Verify(t.Context(), engine.VerifyOptions{}); err != nil || len(r.Findings) > 0 {
			t.Fatal(err, r.Findings)
		}
	}
}
