package search

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
)

// gate is a reader of text that holds back files which begin with "slow", and fails
// those that begin with "bad".
type gate struct {
	free    chan struct{}
	entered chan struct{}
	reads   atomic.Int64
	version int
	down    atomic.Bool
}

func newGate() *gate {
	return &gate{free: make(chan struct{}), entered: make(chan struct{}, 100), version: 1}
}

func (g *gate) readers() []extract.Reader {
	return []extract.Reader{{Kind: extract.Text, Version: g.version, Limit: time.Minute, Read: func(ctx context.Context, f extract.File, out *extract.Output) error {
		if g.down.Load() {
			return extract.ErrUnavailable
		}
		g.reads.Add(1)
		b, err := f.Bytes(ctx)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(b), "slow") {
			g.entered <- struct{}{}
			select {
			case <-g.free:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		out.Text(string(b))
		if strings.HasPrefix(string(b), "bad") {
			return extract.ErrEncrypted
		}
		return nil
	}}}
}

// gated is a kit whose texts are read by a gate.
func gated(t *testing.T, g *gate, patience time.Duration) *kit {
	k := newKit(t)
	k.reopen(g, patience)
	return k
}

func (k *kit) reopen(g *gate, patience time.Duration) {
	k.t.Helper()
	k.close()
	var err error
	k.index, err = Open(k.Vault, k.dir, Options{Patience: patience, Readers: g.readers()})
	k.must(err)
	k.run()
}

func (k *kit) textState(id string) TextState {
	k.t.Helper()
	d, err := k.Document(k.t.Context(), id)
	k.must(err)
	states, err := k.index.Texts([]engine.Document{d})
	k.must(err)
	return states[0]
}

// TestOneFileHoldsUpNothing: while a reader sits over one document, the others are
// found, by their texts too, and it by its name; its own text follows.
func TestOneFileHoldsUpNothing(t *testing.T) {
	g := newGate()
	k := gated(t, g, time.Nanosecond)
	slow := k.doc("tarpit", "slow molasses")
	<-g.entered
	other := k.doc("other", "words")
	k.expect("tarpit", "tarpit")
	k.expect("molasses", "")
	if got := k.textState(slow.ID); got != (TextState{State: extract.Waiting}) {
		t.Errorf("%+v", got)
	}
	k.expect("other", "other")
	if ids, complete, err := k.index.Match(t.Context(), "tarpit", engine.DocumentQuery{}); err != nil || !complete || !slices.Equal(ids, []string{slow.ID}) {
		t.Errorf("%q, %v, %v", ids, complete, err)
	}
	if s := k.index.Stats(); s.Waiting != 2 {
		t.Errorf("%+v", s)
	}
	ids, _, err := k.index.List(t.Context(), extract.Waiting, engine.DocumentQuery{}, engine.Paging{})
	if k.must(err); !slices.Equal(ids, []string{other.ID, slow.ID}) {
		t.Errorf("%q", ids)
	}
	page, next, err := k.index.List(t.Context(), extract.Waiting, engine.DocumentQuery{}, engine.Paging{Limit: 1})
	if k.must(err); !slices.Equal(page, ids[:1]) || next != page[0] {
		t.Errorf("%q, %s", page, next)
	}
	page, next, err = k.index.List(t.Context(), extract.Waiting, engine.DocumentQuery{}, engine.Paging{Limit: 1, Cursor: next})
	if k.must(err); !slices.Equal(page, ids[1:]) || next != "" {
		t.Errorf("%q, %s", page, next)
	}
	close(g.free)
	k.wait(func() bool { return len(k.index.waiting) == 0 })
	k.settled()
	k.expect("molasses", "tarpit")
	k.expect("words", "other")
	if got := k.textState(slow.ID); got != (TextState{State: extract.Indexed}) {
		t.Errorf("%+v", got)
	}
}

// settled waits until no text is waited for.
func (k *kit) settled() {
	for k.index.Stats().Waiting > 0 {
		k.index.mu.Lock()
		moved := k.index.moved
		k.index.mu.Unlock()
		if k.index.Stats().Waiting > 0 {
			<-moved
		}
	}
}

// TestASearchWaitsForTexts that are about to come.
func TestASearchWaitsForTexts(t *testing.T) {
	g := newGate()
	k := gated(t, g, time.Minute)
	k.doc("tarpit", "slow molasses")
	<-g.entered
	time.AfterFunc(20*time.Millisecond, func() { close(g.free) })
	k.expect("molasses", "tarpit")
}

// TestAFailureIsOneAttempt, also over restarts, for a copy of the file, and when the
// index is made anew; another version of the reader is another attempt.
func TestAFailureIsOneAttempt(t *testing.T) {
	g := newGate()
	k := gated(t, g, time.Minute)
	d := k.doc("locked", "bad file")
	k.expect("file", "locked") // what was read by then
	want := TextState{extract.Failed, extract.ErrEncrypted.Error()}
	check := func(reads int64) {
		t.Helper()
		k.expect("locked", "locked")
		k.settled()
		if got := k.textState(d.ID); got != want || g.reads.Load() != reads {
			t.Errorf("%+v after %d attempts, want %d", got, g.reads.Load(), reads)
		}
	}
	check(1)
	k.reopen(g, time.Minute)
	check(1)
	for _, name := range []string{"manifest"} {
		k.close()
		k.must(os.Remove(filepath.Join(k.dir, name)))
		k.open()
		k.run()
	}
	k.reopen(g, time.Minute)
	check(1)
	copied := k.doc("copied", "bad file")
	k.expect("copied", "copied")
	if got := k.textState(copied.ID); got != want || g.reads.Load() != 1 {
		t.Errorf("%+v after %d attempts", got, g.reads.Load())
	}
	g.version = 2
	k.reopen(g, time.Minute)
	k.expect("locked", "locked")
	for g.reads.Load() < 2 {
		time.Sleep(time.Millisecond)
	}
}

// TestAKillIsNoVerdictTheFirstTime: whoever kills the program twice over a file is
// the file.
func TestAKillIsNoVerdictTheFirstTime(t *testing.T) {
	dir := t.TempDir()
	digest := engine.Digest{1}
	for times := 1; times <= 3; times++ {
		a := openAttempts(dir)
		reason, failed := a.failure(digest, extract.Text, 1)
		if failed != (times > maxInterrupted) || failed && reason != errInterrupted {
			t.Errorf("time %d: %q, %v", times, reason, failed)
		}
		a.write(attempt{Digest: digest.String(), Kind: extract.Text, Version: 1, State: "begun"})
	}
	a := openAttempts(dir)
	if _, failed := a.failure(digest, extract.Text, 2); failed {
		t.Error("a new version tries it no more")
	}
	other := engine.Digest{2}
	for range 5 { // told to stop, each time
		a.write(attempt{Digest: other.String(), Kind: extract.Text, Version: 1, State: "begun"})
		a.write(attempt{Digest: other.String(), Kind: extract.Text, Version: 1, State: "ended"})
	}
	a.rewrite()
	if _, failed := openAttempts(dir).failure(other, extract.Text, 1); failed {
		t.Error("stopping is a verdict")
	}
	if _, failed := openAttempts(dir).failure(digest, extract.Text, 1); !failed {
		t.Error("the rewritten file has forgotten")
	}
}

// TestStoppingDoesNotWaitForAFile, and the file is read after the start.
func TestStoppingDoesNotWaitForAFile(t *testing.T) {
	g := newGate()
	k := gated(t, g, time.Nanosecond)
	k.doc("tarpit", "slow molasses")
	<-g.entered
	k.expect("tarpit", "tarpit")
	k.stop() // fails the test if it does not come back
	close(g.free)
	k.reopen(g, time.Minute)
	k.settled()
	k.expect("molasses", "tarpit")
}

// TestANewReaderReadsAgain what the one before has read, and what nobody did.
func TestANewReaderReadsAgain(t *testing.T) {
	g := newGate()
	k := gated(t, g, time.Minute)
	k.doc("one", "words")
	k.CreateFrom(engine.NewDocument{Name: "page", Version: engine.NewVersion{MediaType: "text/html"}}, "<html>hyper")
	k.expect("words", "one")
	k.expect("hyper", "")
	k.close()
	readers := g.readers()
	readers[0].Version = 2
	readers[0].Read = func(_ context.Context, _ extract.File, out *extract.Output) error {
		out.Text("better words")
		return nil
	}
	readers = append(readers, extract.Reader{Kind: extract.HTML, Version: 1, Read: readers[0].Read})
	var err error
	k.index, err = Open(k.Vault, k.dir, Options{Patience: time.Nanosecond, Readers: readers})
	k.must(err)
	k.run()
	for k.found("better") != "one, page" {
		time.Sleep(time.Millisecond)
	}
	if s := k.index.Stats(); s.Rebuilds != 0 || s.Building {
		t.Errorf("%+v", s)
	}
}

func TestAReaderThatCannotRunCostsNothing(t *testing.T) {
	g := newGate()
	g.down.Store(true)
	k := gated(t, g, time.Nanosecond)
	d := k.doc("one", "words")
	k.expect("one", "one")
	for k.index.Stats().Stuck == nil {
		time.Sleep(time.Millisecond)
	}
	if got := k.textState(d.ID); got.State != extract.Waiting || !errors.Is(k.index.Stats().Stuck, extract.ErrUnavailable) {
		t.Errorf("%+v, %v", got, k.index.Stats().Stuck)
	}
	g.down.Store(false)
	k.reopen(g, time.Minute)
	k.settled()
	k.expect("words", "one")
}

// TestAnIndexIsMadeAnewAroundAFileThatSticks: it and what stands behind it are found
// by their metadata.
func TestAnIndexIsMadeAnewAroundAFileThatSticks(t *testing.T) {
	g := newGate()
	k := gated(t, g, time.Nanosecond)
	k.doc("tarpit", "slow molasses")
	<-g.entered
	k.doc("behind", "words")
	k.expect("behind", "behind")
	k.close()
	k.must(os.RemoveAll(k.dir))
	var err error
	k.index, err = Open(k.Vault, k.dir, Options{Patience: time.Minute, Readers: g.readers()})
	k.must(err)
	k.run()
	k.expect("tarpit", "tarpit")
	k.expect("behind", "behind")
	if s := k.index.Stats(); s.Building || s.Waiting == 0 {
		t.Errorf("%+v", s)
	}
	close(g.free)
	k.settled()
	k.expect("molasses", "tarpit")
	k.expect("words", "behind")
}

// What was said of a file is stored: it stays what it was, or every file is read anew.
func TestSaidOfStays(t *testing.T) {
	for _, v := range []engine.Version{
		{}, {MediaType: "Text/Plain ; charset=utf-8", FileName: "a b.TXT"}, {MediaType: "x/\"\\\x7f", FileName: "ä.\u2028ü\x00\xff"}, {FileName: ".é", TextSize: 1, TextDigest: engine.Digest{1}},
	} {
		sum := fnv.New32a()
		media, _, _ := strings.Cut(strings.ToLower(v.MediaType), ";")
		fmt.Fprintf(sum, "%q %q", strings.TrimSpace(media), strings.ToLower(filepath.Ext(v.FileName)))
		if v.TextSize > 0 {
			sum.Write(v.TextDigest[:])
		}
		if saidOf(&v) != sum.Sum32() {
			t.Errorf("%+v became %d", v, saidOf(&v))
		}
	}
}
