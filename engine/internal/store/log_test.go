package store_test

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// about is a step that writes an entry about a document, linked to the one
// before.
func about(document string, prev uint64, detail []byte) store.Step {
	return func(t *store.Tx) (store.Record, error) {
		t.Put(notes, []byte(document), nil)
		t.Link(document, prev)
		if detail == nil {
			return store.Record{Event: audit.Event{Op: audit.OpDocumentArchived, Document: document, Facts: audit.Facts{"revision": audit.Number(1)}}}, nil
		}
		return store.Record{Event: audit.Event{Op: audit.OpHoldPlaced, Document: document, Facts: audit.Facts{"hold": audit.Text(document)}, Detail: detail}}, nil
	}
}

// details are the rows beside the log.
func (k *kit) details() map[uint64]store.DetailRow {
	k.t.Helper()
	rows := map[uint64]store.DetailRow{}
	for key, value := range k.rows(store.Detail) {
		row, err := store.DecodeDetail([]byte(value))
		must(k.t, err)
		rows[store.SeqOf([]byte(key))] = row
	}
	return rows
}

// The entries about one document are a chain, from the last to the first.
func TestEntriesAboutADocumentAreAChain(t *testing.T) {
	k := newKit(t)
	const one, other = "01JD7Q2N4M0000000000000001", "01JD7Q2N4M0000000000000002"
	text := []byte(`{"reason":"lawsuit"}`)
	last := map[string]uint64{}
	want := map[uint64]uint64{}
	for n, document := range []string{one, other, one, one, other} {
		detail := text
		if n == 3 {
			detail = nil
		}
		must(t, k.submit(about(document, last[document], detail)))
		want[k.Head().Seq] = last[document]
		last[document] = k.Head().Seq
	}
	must(t, k.submit(put("about no document", "")))
	rows := k.details()
	for seq, prev := range want {
		if rows[seq].Prev != prev {
			t.Errorf("before entry %d comes %d, want %d", seq, rows[seq].Prev, prev)
		}
	}
	if _, there := rows[k.Head().Seq]; there || len(rows) != 5 {
		t.Errorf("%d rows: an entry without a subject and a detail needs none", len(rows))
	}
	salts := map[string]bool{}
	for _, row := range rows {
		if row.Salt != nil {
			salts[string(row.Salt)] = true
		}
	}
	if len(salts) != 4 {
		t.Errorf("4 details have %d salts", len(salts))
	}
}

// An entry names the document that its step was linked to, and no other.
func TestAnEntryWithoutItsLinkIsABreach(t *testing.T) {
	k := newKit(t)
	const one, other = "01JD7Q2N4M0000000000000001", "01JD7Q2N4M0000000000000002"
	for _, linked := range []string{"", other} {
		err := k.submit(func(t *store.Tx) (store.Record, error) {
			r, err := about(one, 0, nil)(t)
			t.Link(linked, 0)
			return r, err
		})
		if !errors.Is(err, store.ErrBreach) {
			t.Errorf("linked to %q: %v", linked, err)
		}
	}
	k.holds()
}

// The log holds the lines, which follow one another; each line has the hash of
// the detail that stands beside it.
func TestTheLogFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		const document = "01JD7Q2N4M0000000000000001"
		must(t, k.submit(put("a", ""), about(document, 0, []byte(`{"reason":"lawsuit"}`))))
		time.Sleep(time.Second)
		must(t, k.submit(put("b", "")))
		k.reopen()
		var head audit.Head
		lines, details := k.rows(store.Log), k.details()
		for seq := uint64(1); seq <= uint64(len(lines)); seq++ {
			line := []byte(lines[string(store.SeqKey(seq))])
			next, err := head.Follow(line)
			must(t, err)
			head = next
			e, err := audit.ParseEntry(line)
			must(t, err)
			var want audit.Hash
			if row := details[seq]; row.Detail != nil {
				want = audit.DetailHash([store.SaltSize]byte(row.Salt), row.Detail)
			}
			if e.Detail != want {
				t.Errorf("entry %d has another detail than the one beside it", seq)
			}
		}
		if head != k.Head() || head.Vault != k.Vault() || head.Seq != 4 {
			t.Errorf("the log ends at %+v, the head is %+v", head, k.Head())
		}
	})
}

func TestDetailRows(t *testing.T) {
	salt := bytes.Repeat([]byte{7}, store.SaltSize)
	for _, r := range []store.DetailRow{{Prev: 3}, {Prev: 1 << 60, Salt: salt, Detail: []byte("{}")}, {Salt: salt, Detail: []byte("{}")}} {
		got, err := store.DecodeDetail(r.Encode())
		if err != nil || got.Prev != r.Prev || !bytes.Equal(got.Salt, r.Salt) || !bytes.Equal(got.Detail, r.Detail) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	}
	if got, err := store.DecodeDetail(nil); err != nil || got.Prev != 0 || got.Salt != nil || got.Detail != nil {
		t.Errorf("no row is %+v, %v", got, err)
	}
	for n := 1; n < 8+store.SaltSize+2; n++ {
		_, err := store.DecodeDetail(make([]byte, n))
		if whole := n == 8 || n > 8+store.SaltSize; whole != (err == nil) || err != nil && !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
