package engine_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"

	"strongroom/engine"

	"go.etcd.io/bbolt"
)

// obligations tampers with each member of a record, and with each index row.
func (e *evidence) obligations(t *testing.T) (list []tamper) {
	const state, index = engine.CodeState, engine.CodeIndex
	done, open := engine.KeyOf(e.done.ID), engine.KeyOf(e.open.ID)
	member := func(key []byte, old, new string) func(*bbolt.Tx) error {
		return edit("obligations", key, replace(old, new))
	}
	list = []tamper{
		{name: "another title", code: state, db: member(done, "Pay", "Say")},
		{name: "another due date", code: state, db: member(done, "2099-01-31", "2099-01-30")},
		{name: "another anchor", code: state, db: member(open, "2099-01-31", "2099-01-30")},
		{name: "another recurrence", code: state, db: member(open, "monthly", "mon")},
		{name: "another owner", code: state, db: member(open, e.open.OwnerID, e.user.ID)},
		{name: "another document", code: state, db: member(open, e.live.ID, e.archived.ID)},
		{name: "a deleted document", code: state, db: member(open, e.live.ID, e.gone.DocumentID)},
		{name: "another note", code: state, db: member(done, "paid", "lent")},
		{name: "another who completed it", code: state, db: member(done, "paid", "xxxx")},
		{name: "another next one", code: state, db: member(done, e.open.ID, e.done.ID)},
		{name: "another revision", code: state, db: edit("obligations", done, func(_, value []byte) []byte {
			value[len(value)-1]++
			return value
		})},
		{name: "not completed any more", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("obligations"))
			return rows.Put(done, bytes.Clone(rows.Get(open)))
		}},
		{name: "no obligation", code: state, db: drop("obligations", open)},
		{name: "an obligation nobody made", code: index, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("obligations"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(open)))
		}},
		{name: "an obligation that cannot be read", code: state, db: put("obligations", open, []byte{9})},
		{name: "an obligation with a short key", code: state, db: put("obligations", open[:3], []byte{9})},
		{name: "a short row of dues", code: index, db: put("dues", []byte("ao"), nil)},
	}
	db, err := bbolt.Open(filepath.Join(e.dir, "rows.db"), 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	defer db.Close()
	kinds := map[byte]bool{}
	must(t, db.View(func(b *bbolt.Tx) error {
		return b.Bucket([]byte("dues")).ForEach(func(k, _ []byte) error {
			kinds[k[0]] = true
			row := bytes.Clone(k)
			list = append(list, tamper{name: fmt.Sprintf("no row of dues %q", row), code: index, db: drop("dues", row)},
				tamper{name: fmt.Sprintf("a row of dues with a value %q", row), code: index, db: put("dues", row, []byte("x"))})
			for _, key := range [][]byte{done, open, engine.KeyOf(engine.NewID())} {
				if other := append(bytes.Clone(row[:len(row)-16]), key...); !bytes.Equal(other, row) {
					list = append(list, tamper{name: fmt.Sprintf("a row of dues %q", other), code: index, db: put("dues", other, nil)})
				}
			}
			return nil
		})
	}))
	if len(kinds) != 4 {
		t.Errorf("there are rows of the kinds %v", kinds)
	}
	return list
}
