package store_test

import (
	"errors"
	"io"
	"testing"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// A step writes and returns a record, or does neither. Whatever else it does,
// nothing of it is there afterwards, and it is told so.
func TestAChangeAndItsEntryAreTogetherOrNotAtAll(t *testing.T) {
	for name, c := range map[string]struct {
		step    store.Step
		want    error
		entries uint64
	}{
		"both":    {put("a", "1"), nil, 1},
		"neither": {func(*store.Tx) (store.Record, error) { return store.Record{}, nil }, nil, 0},
		"an actor is no record": {func(*store.Tx) (store.Record, error) {
			return store.Record{Actor: "operator"}, nil
		}, nil, 0},
		"a note": {func(t *store.Tx) (store.Record, error) { t.Note(); return noted(), nil }, nil, 1},
		"a write without an entry": {func(t *store.Tx) (store.Record, error) {
			t.Put(notes, []byte("b"), nil)
			return store.Record{}, nil
		}, store.ErrBreach, 0},
		"a deletion without an entry": {func(t *store.Tx) (store.Record, error) {
			t.Delete(notes, []byte("kept"))
			return store.Record{}, nil
		}, store.ErrBreach, 0},
		"an entry without a write": {func(*store.Tx) (store.Record, error) { return noted(), nil }, store.ErrBreach, 0},
		"an entry with derived rows only": {func(t *store.Tx) (store.Record, error) {
			t.Derive(func() { t.Put(counts, []byte("b"), nil) })
			return noted(), nil
		}, store.ErrBreach, 0},
		"a row that cannot be written": {func(t *store.Tx) (store.Record, error) {
			t.Put(notes, make([]byte, store.MaxKey+1), nil)
			return noted(), nil
		}, errAny, 0},
		"an entry that the log refuses": {func(t *store.Tx) (store.Record, error) {
			t.Put(notes, []byte("b"), nil)
			return store.Record{Event: audit.Event{Op: "no.such"}}, nil
		}, audit.ErrEvent, 0},
		"an error after a write": {func(t *store.Tx) (store.Record, error) {
			t.Put(notes, []byte("b"), nil)
			return noted(), io.ErrUnexpectedEOF
		}, io.ErrUnexpectedEOF, 0},
		"a failure that stays": {func(t *store.Tx) (store.Record, error) {
			t.Put(notes, []byte("b"), nil)
			t.Fail(nil)
			t.Fail(io.ErrShortWrite)
			t.Fail(io.ErrUnexpectedEOF)
			return noted(), nil
		}, io.ErrShortWrite, 0},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			must(t, k.submit(put("kept", "0")))
			before := k.Head().Seq
			err := k.submit(c.step)
			if c.want == errAny && err == nil || c.want != errAny && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if got := k.Head().Seq - before; got != c.entries {
				t.Errorf("%d entries, want %d", got, c.entries)
			}
			k.reopen()
			if got := k.Head().Seq - before; got != c.entries {
				t.Errorf("opened again, %d entries, want %d", got, c.entries)
			}
			if name == "both" {
				k.holds("a", "kept")
				return
			}
			k.holds("kept")
		})
	}
}

var errAny = errors.New("any error")

// Rows that are worked out from others need no entry; and that way only the
// buckets that the schema names can be written.
func TestDerive(t *testing.T) {
	k := newKit(t)
	before := k.Head()
	must(t, k.submit(func(t *store.Tx) (store.Record, error) {
		t.Derive(func() { t.Put(counts, []byte("alone"), []byte("1")) })
		return store.Record{}, nil
	}))
	must(t, k.submit(func(t *store.Tx) (store.Record, error) {
		t.Put(notes, []byte("a"), nil)
		t.Derive(func() { t.Put(counts, []byte("beside"), []byte("1")) })
		return noted(), nil
	}))
	if k.Head().Seq != before.Seq+1 {
		t.Errorf("%d entries, want 1", k.Head().Seq-before.Seq)
	}
	for _, step := range []store.Step{
		func(t *store.Tx) (store.Record, error) {
			t.Derive(func() { t.Put(notes, []byte("b"), nil) })
			return store.Record{}, nil
		},
		func(t *store.Tx) (store.Record, error) {
			t.Put(notes, []byte("c"), nil)
			t.Derive(func() { t.Delete(notes, []byte("a")) })
			return noted(), nil
		},
		func(t *store.Tx) (store.Record, error) { // derived rows are no longer free after Derive
			t.Derive(func() {})
			t.Put(counts, []byte("late"), nil)
			return store.Record{}, nil
		},
	} {
		if err := k.submit(step); !errors.Is(err, store.ErrBreach) {
			t.Errorf("got %v", err)
		}
	}
	k.reopen()
	k.holds("a")
	if got := k.rows(counts); len(got) != 2 || got["alone"] != "1" || got["beside"] != "1" {
		t.Errorf("%q", got)
	}
}

// A call's steps land together, with an entry each, and tell where the log
// stood after each.
func TestStepsOfACallLandTogether(t *testing.T) {
	k := newKit(t)
	before := k.Head()
	refuse := func(*store.Tx) (store.Record, error) { return store.Record{}, io.EOF }
	if err := k.submit(put("a", "1"), refuse); !errors.Is(err, io.EOF) || k.Head() != before {
		t.Errorf("%v; the head is %+v", err, k.Head())
	}
	k.holds()
	var seqs []uint64
	see := func(t *store.Tx) (store.Record, error) {
		seqs = append(seqs, t.Seq(), t.Head().Seq, t.Last())
		return store.Record{}, nil
	}
	c := &store.Call{Ctx: t.Context(), Steps: []store.Step{see, put("a", "1"), see, put("b", "2")}}
	must(t, k.Submit(c))
	if n := before.Seq; len(c.Heads) != 4 || c.Heads[0] != (audit.Head{}) || c.Heads[1].Seq != n+1 || c.Heads[2] != (audit.Head{}) || c.Heads[3] != k.Head() || k.Head().Seq != n+2 {
		t.Errorf("%+v", c.Heads)
	}
	if n := before.Seq; len(seqs) != 6 || seqs[0] != n+1 || seqs[1] != n || seqs[2] != n || seqs[3] != n+2 || seqs[4] != n+1 || seqs[5] != n+1 {
		t.Errorf("%d, want steps that see entry %d and then %d", seqs, before.Seq, before.Seq+1)
	}
}

// What is written within a transaction is read back in it: an empty value is a
// row, and what was deleted is none.
func TestATransactionSeesItsOwnRows(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("old", "1"), func(t *store.Tx) (store.Record, error) {
		t.Put(notes, []byte("empty"), nil)
		t.Delete(notes, []byte("old"))
		t.Delete(notes, []byte("never was"))
		if v := t.Get(notes, []byte("empty")); v == nil || len(v) != 0 {
			return noted(), errors.New("an empty value reads back as none")
		}
		if t.Get(notes, []byte("old")) != nil {
			return noted(), errors.New("what was deleted is there")
		}
		return noted(), nil
	}))
	k.holds("empty")
}
