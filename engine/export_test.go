package engine

import (
	"context"

	"strongroom/audit"

	"go.etcd.io/bbolt"
)

// What tests of the write path need of the inside.

// Tx is a transaction as closures see it.
type Tx = tx

// Mark writes a row that nothing else reads; Marked says whether it is there.
func (t *tx) Mark(name string) { t.put(bucketSettings, []byte("mark:"+name), []byte(name)) }

func (t *tx) Marked(name string) bool { return t.get(bucketSettings, []byte("mark:"+name)) != nil }

// Marks returns the names of all marks.
func (v *Vault) Marks() (map[string]bool, error) {
	return view(v, func(t *tx) (map[string]bool, error) {
		marks := map[string]bool{}
		c := t.bucket(bucketSettings).Cursor()
		for k, value := c.Seek([]byte("mark:")); k != nil; k, value = c.Next() {
			if len(value) > 0 && string(k) == "mark:"+string(value) {
				marks[string(value)] = true
			}
		}
		return marks, nil
	})
}

// MarkEvent is the entry that goes with a mark.
func MarkEvent(name string) audit.Event {
	return audit.Event{Op: audit.OpSettingsUpdated, Facts: audit.Facts{"changed": audit.Texts(name)}}
}

// Update is the write path itself.
func (v *Vault) Update(ctx context.Context, actor Actor, fn func(*Tx) (string, audit.Event, error)) (string, Receipt, error) {
	return update(v, ctx, actor, fn)
}

// UpdateAll is the write path for several changes.
func (v *Vault) UpdateAll(ctx context.Context, actor Actor, fns ...func(*Tx) (string, audit.Event, error)) ([]string, []Receipt, error) {
	return updateAll(v, ctx, actor, fns...)
}

// SetCommit puts fn in the place of the commit: it gets the real one, and what
// undoes the transaction.
func (v *Vault) SetCommit(fn func(commit, rollback func() error) error) {
	v.commit = func(b *bbolt.Tx) error { return fn(b.Commit, b.Rollback) }
}
