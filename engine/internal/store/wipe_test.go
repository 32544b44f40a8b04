package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"strongroom/engine/internal/store"
)

const secret = "quxzebra"

// many are notes that fill pages, each with a word of its own.
func (k *kit) many(from, to int) {
	k.t.Helper()
	var calls []*store.Call
	for n := from; n < to; n++ {
		calls = append(calls, k.call(put(fmt.Sprintf("%04d", n), strings.Repeat(fmt.Sprintf("%s%04d ", secret, n), 20))))
	}
	must(k.t, k.SubmitEach(k.t.Context(), calls))
}

func (k *kit) forget(from, to int) {
	k.t.Helper()
	must(k.t, k.submit(func(t *store.Tx) (store.Record, error) {
		for n := from; n < to; n++ {
			t.Delete(notes, fmt.Appendf(nil, "%04d", n))
		}
		return noted(), nil
	}))
}

// says looks in the raw file for the words of notes, gone or not.
func (k *kit) says(from, to int) bool {
	k.t.Helper()
	file := read(k.t, k.path())
	for n := from; n < to; n++ {
		if bytes.Contains(file, fmt.Appendf(nil, "%s%04d", secret, n)) {
			return true
		}
	}
	return false
}

func never() bool { return false }

// When a wipe is done nothing that was deleted before it is in the file, and all
// else is. It takes the pages that are free, and hardly one more.
func TestAWipeOverwritesWhatWasDeleted(t *testing.T) {
	k := newKit(t)
	k.many(0, 400)
	k.forget(100, 300)
	if !k.says(100, 300) {
		t.Fatal("the words are gone without a wipe: the test says nothing")
	}
	head, kept := k.Head(), k.rows(notes)
	wiped, done, err := k.Wipe(t.Context(), never)
	if err != nil || !done || wiped != head.Seq {
		t.Fatalf("wiped %d, done %v, %v", wiped, done, err)
	}
	if k.says(100, 300) {
		t.Error("words are left")
	}
	if k.Head() != head || !maps.Equal(k.rows(notes), kept) {
		t.Error("the log or the rows are others")
	}
	before := k.size()
	for n := range 20 {
		k.forget(n, n+1)
		if _, done, err := k.Wipe(t.Context(), never); !done || err != nil {
			t.Fatal(done, err)
		}
		if k.says(n, n+1) {
			t.Errorf("word %d is left", n)
		}
	}
	if grown := (k.size() - before) / int64(os.Getpagesize()); grown > 20 {
		t.Errorf("20 wipes took %d pages", grown)
	}
	k.reopen()
	if got := k.rows(notes); len(got) != 180 {
		t.Errorf("%d notes are there, want 180", len(got))
	}
}

// size is how many bytes the pages took that were ever used.
func (k *kit) size() int64 {
	k.t.Helper()
	n, err := store.Read(k.Store, false, func(t *store.Tx) (int64, error) { return t.Size(), nil })
	must(k.t, err)
	return n
}

// Pages that somebody still reads are not overwritten, nor is a wipe done before
// they are. It goes on where it was.
func TestAWipeWaitsForReaders(t *testing.T) {
	k := newKit(t)
	k.many(0, 50)
	end, err := k.Linger()
	must(t, err)
	k.forget(0, 50)
	seq := k.Head().Seq
	for range 3 {
		if _, done, err := k.Wipe(t.Context(), never); done || err != nil {
			t.Errorf("while somebody reads: done %v, %v", done, err)
		}
	}
	must(t, k.submit(put("later", "")))
	end()
	if _, done, err := k.Wipe(t.Context(), func() bool { return true }); done || err != nil {
		t.Errorf("while something else is in its way: done %v, %v", done, err)
	}
	wiped, done, err := k.Wipe(t.Context(), never)
	if err != nil || !done || wiped != seq {
		t.Errorf("wiped %d, want %d; done %v, %v", wiped, seq, done, err)
	}
	if k.says(0, 50) {
		t.Error("words are left")
	}
	k.holds("later")
}

// The copy that a migration left tells what the vault told.
func TestAWipeRemovesTheCopyOfAMigration(t *testing.T) {
	k := newOldKit(t)
	k.open()
	t.Cleanup(k.close)
	if !slices.Contains(names(t, k.dir), formerCopy) {
		t.Fatal("there is no copy: the test says nothing")
	}
	if _, done, err := k.Wipe(t.Context(), never); !done || err != nil {
		t.Error(done, err)
	}
	if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) {
		t.Errorf("there is %q", got)
	}
}

// A wipe ends at each of its syncs in turn, and is begun again after the next
// Open.
func TestAWipeThatIsCutOff(t *testing.T) {
	for at := 1; ; at++ {
		k := newKit(t)
		n, cut, begun := 0, false, false
		k.options.Sync = func(sync func() error) error {
			if begun {
				n++
			}
			if !begun || n != at {
				return sync()
			}
			cut = true
			return errAny
		}
		k.reopen()
		k.many(0, 50)
		k.forget(0, 49)
		begun = true
		_, done, err := k.Wipe(t.Context(), never)
		if !cut {
			if !done || err != nil {
				t.Error(done, err)
			}
			if at < 3 {
				t.Errorf("it took %d syncs: the test says little", at-1)
			}
			return
		}
		if done || !errors.Is(err, errAny) {
			t.Errorf("cut off at sync %d: done %v, %v", at, done, err)
		}
		k.reopen()
		if _, done, err := k.Wipe(t.Context(), never); !done || err != nil {
			t.Error(done, err)
		}
		if k.says(0, 49) {
			t.Errorf("cut off at sync %d, words are left", at)
		}
		k.holds("0049")
	}
}

// Compacting keeps every row of every bucket, gives free pages back, and is
// stopped by nothing that an earlier one left.
func TestCompact(t *testing.T) {
	k := newKit(t)
	k.many(0, 300)
	k.forget(10, 290)
	must(t, k.submit(about("01JD7Q2N4M0000000000000001", 0, []byte(`{"reason":"lawsuit"}`))))
	want, rows, head := map[string]map[string]string{}, 0, k.Head()
	buckets := [][]byte{store.Meta, store.Log, store.Detail, notes, counts, tags}
	for _, b := range buckets {
		want[string(b)] = k.rows(b)
		rows += len(want[string(b)])
	}
	must(t, os.WriteFile(k.path()+".new", []byte("half a database"), 0o600))
	k.Shut()
	report, err := k.Compact(t.Context())
	must(t, err)
	if info, err := os.Stat(k.path()); err != nil || info.Size() != report.After || report.After >= report.Before || report.Rows != uint64(rows) {
		t.Errorf("%+v, want %d rows; %v", report, rows, err)
	}
	if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) {
		t.Errorf("there is %q", got)
	}
	k.open()
	for _, b := range buckets {
		if !maps.Equal(k.rows(b), want[string(b)]) {
			t.Errorf("%s holds other rows", b)
		}
	}
	if k.Head() != head {
		t.Errorf("the head is %+v, was %+v", k.Head(), head)
	}
}

// A compaction that cannot be leaves the file as it was, and nothing beside it.
func TestACompactionThatFails(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		reserve int64
		want    error
	}{
		"no room":    {t.Context(), 1 << 60, store.ErrNoSpace},
		"called off": {ended, -1, context.Canceled},
	} {
		k := newKit(t)
		var rows store.Step = func(t *store.Tx) (store.Record, error) {
			for n := range 10_000 {
				t.Put(notes, fmt.Append(nil, n), nil)
			}
			return noted(), nil
		}
		must(t, k.submit(rows))
		k.close()
		before := read(t, k.path())
		k.options.Reserve = c.reserve
		k.open()
		if _, err := k.Compact(c.ctx); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		k.close()
		if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) || !bytes.Equal(read(t, k.path()), before) {
			t.Errorf("%s: there is %q, or the file is another", name, got)
		}
	}
}
