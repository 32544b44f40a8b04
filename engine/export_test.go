package engine

import (
	"context"
	"errors"

	"strongroom/audit"

	"go.etcd.io/bbolt"
)

// What tests of the write path need of the inside.

// FormatVersion is the format that vaults are written in.
const FormatVersion uint64 = formatVersion

// Tx is a transaction as closures see it.
type Tx = tx

// Mark writes a row that nothing else reads; Marked says whether it is there.
func (t *tx) Mark(name string) { t.Put(bucketSettings, []byte("mark:"+name), []byte(name)) }

func (t *tx) Marked(name string) bool { return t.Get(bucketSettings, []byte("mark:"+name)) != nil }

// Marks returns the names of all marks.
func (v *Vault) Marks() (map[string]bool, error) {
	return view(v, func(t *tx) (map[string]bool, error) {
		marks := map[string]bool{}
		c := t.Cursor(bucketSettings)
		for k, value := c.Seek([]byte("mark:")); k != nil; k, value = c.Next() {
			if len(value) > 0 && string(k) == "mark:"+string(value) {
				marks[string(value)] = true
			}
		}
		return marks, nil
	})
}

// MarkEvent is the entry that goes with a mark: one that no state is told by.
func MarkEvent() audit.Event {
	return audit.Event{Op: audit.OpAuditExported, Facts: audit.Facts{"after": audit.Number(0), "through": audit.Number(0)}}
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
	v.store.Interpose(fn)
}

// Fill makes n documents of one text, a thousand in a transaction: name and
// category and tag of each as of tells.
func (v *Vault) Fill(ctx context.Context, actor Actor, n int, u *Upload, of func(i int) NewDocument) error {
	if err := u.staged.Keep(ctx); err != nil {
		return err
	}
	for i := 0; i < n; {
		var fns []func(*tx) (string, audit.Event, error)
		for ; i < n && len(fns) < 1000; i++ {
			nd := of(i)
			nd.Version.setDefaults()
			fns = append(fns, func(t *tx) (string, audit.Event, error) {
				d, event, err := t.createDocument(nd, u)
				if err != nil {
					return "", event, err
				}
				return d.ID, event, nil
			})
		}
		if _, _, err := updateAll(v, ctx, actor, fns...); err != nil {
			return err
		}
	}
	return nil
}

// Pages is how many pages of rows.db were written since it was opened.
func (v *Vault) Pages() int64 {
	stats, db := v.store.Bare().Stats(), v.store.Bare()
	return stats.TxStats.GetPageAlloc() / int64(db.Info().PageSize)
}

// Checkpoints is Stats().Checkpoints, at little cost.
func (v *Vault) Checkpoints() uint64 { return v.store.Stats.Checkpoints.Load() }

// FillObligations makes n obligations, a thousand in a transaction.
func (v *Vault) FillObligations(ctx context.Context, actor Actor, n int, of func(i int) NewObligation) error {
	for i := 0; i < n; {
		var fns []func(*tx) (Obligation, audit.Event, error)
		for ; i < n && len(fns) < 1000; i++ {
			n := of(i)
			fns = append(fns, func(t *tx) (Obligation, audit.Event, error) {
				o, err := t.newObligation(n)
				if err != nil {
					return Obligation{}, audit.Event{}, err
				}
				return t.addObligation(o)
			})
		}
		if _, _, err := updateAll(v, ctx, actor, fns...); err != nil {
			return err
		}
	}
	return nil
}

// BarePages returns the index rows of one kind and value at which the first n
// pages of 50 begin.
func (v *Vault) BarePages(kind byte, value string, n int) (starts [][]byte, err error) {
	err = v.store.Bare().View(func(b *bbolt.Tx) error {
		c := b.Bucket(bucketIndex).Cursor()
		k, _ := c.Seek(indexPrefix(kind, value))
		for range n {
			starts = append(starts, append([]byte(nil), k...))
			for range 50 {
				k, _ = c.Next()
			}
		}
		return nil
	})
	return starts, err
}

// BarePage reads one page, and the documents its rows name, as bbolt alone
// would.
func (v *Vault) BarePage(start []byte) error {
	return v.store.Bare().View(func(b *bbolt.Tx) error {
		documents, c := b.Bucket(bucketDocuments), b.Bucket(bucketIndex).Cursor()
		k, _ := c.Seek(start)
		for range 50 {
			if documents.Get(k[len(k)-16:]) == nil {
				return errDamaged
			}
			k, _ = c.Next()
		}
		return nil
	})
}

// Lend has Verify read within a transaction that fn may write to.
func (v *Vault) Lend(fn func(b *bbolt.Tx) error) error { return v.store.Lend(fn) }

// Linger reads the vault as it is now until end is called.
func (v *Vault) Linger() (end func(), err error) {
	return v.store.Linger()
}

// Used is how many bytes of rows.db pages were ever taken from.
func (v *Vault) Used() (n int64, err error) {
	err = v.store.Bare().View(func(b *bbolt.Tx) error { n = b.Size(); return nil })
	return n, err
}

// SummaryOf is ObligationSummary with another bound on what it counts.
func (v *Vault) SummaryOf(ctx context.Context, most int) (ObligationSummary, error) {
	return v.obligationSummary(ctx, most)
}

// OpenWith opens and closes a vault that commits a migration by commit.
func OpenWith(dir string, commit func(commit, rollback func() error) error) error {
	v, err := prepare(dir, Options{ReserveBytes: -1})
	if err != nil {
		return err
	}
	return errors.Join(v.openWith(Options{ReserveBytes: -1}, commit), v.release(nil))
}

// Rekeyed gives addresses and external ids the keys of before NFC was asked for,
// then those a migration gives them, and says under which they are.
func (t *tx) Rekeyed(apart func(string) string) (keys []string) {
	for _, bucket := range [][]byte{bucketEmails, bucketExternals} {
		t.rekey(bucket, func(k []byte) []byte { return []byte(apart(string(k))) })
	}
	t.compose()
	for _, bucket := range [][]byte{bucketEmails, bucketExternals} {
		c := t.Cursor(bucket)
		for k, _ := c.First(); k != nil; k, _ = c.Next() {
			keys = append(keys, string(k))
		}
	}
	return keys
}
