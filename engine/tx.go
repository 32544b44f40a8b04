package engine

import (
	"context"
	"crypto/rand"
	"fmt"
	"runtime/debug"
	"time"

	"strongroom/audit"

	"go.etcd.io/bbolt"
)

// tx is one transaction, of one instant. Methods on it work inside; public
// methods of Vault open it; nothing does both.
//
// A write transaction is shared by the callers of a group, one after the other
// (see commit.go): wrote, prev and failed belong to the closure that runs,
// head and dirty to the whole group.
type tx struct {
	v       *Vault
	b       *bbolt.Tx
	now     time.Time
	actor   Actor
	buckets map[string]*bbolt.Bucket

	head  audit.Head // where the log stands inside this transaction
	dirty bool       // some closure wrote

	wrote    bool          // this closure wrote
	derived  bool          // this closure derived rows: see derive
	deriving bool          // it does so now
	touched  string        // the document this closure stored, and
	prev     uint64        // the last entry about it before that
	window   time.Duration // of the live lock whose token this closure showed; 0: none
	failed   error         // the first write that bbolt refused
	stamped  time.Time     // what this closure's change of a document is retained until; zero: it stamped nothing
}

// update is the only way to write. fn returns its result and the event that
// records it; the event is appended to the log in the same transaction. fn
// asks its guards first and writes after, captures nothing, and may run more
// than once. The zero event says that nothing changed, and then nothing may
// have been written: wrote ⇔ entry is checked here, and a breach rolls back.
//
// The receipt names the entry, and is zero if nothing changed.
func update[T any](v *Vault, ctx context.Context, actor Actor, fn func(*tx) (T, audit.Event, error)) (T, Receipt, error) {
	results, receipts, err := updateAll(v, ctx, actor, fn)
	if err != nil {
		var zero T
		return zero, Receipt{}, err
	}
	return results[0], receipts[0], nil
}

// updateAll lands several changes together: one transaction, an entry each,
// all or nothing.
func updateAll[T any](v *Vault, ctx context.Context, actor Actor, fns ...func(*tx) (T, audit.Event, error)) ([]T, []Receipt, error) {
	results := make([]T, len(fns))
	c := newCall(ctx, actor)
	for i, fn := range fns {
		c.steps = append(c.steps, func(t *tx) (event audit.Event, err error) {
			results[i], event, err = fn(t)
			return event, err
		})
	}
	if err := v.submit(c); err != nil {
		return nil, nil, err
	}
	return results, c.out.receipts, nil
}

// view runs fn in a read transaction: a page's worth of work at most, because
// a reader that stays keeps pages from being used again. What it sees is on
// disk.
func view[T any](v *Vault, fn func(*tx) (T, error)) (T, error) {
	return read(v, fn, true)
}

// peek is view, but may see a commit whose fsync is still under way: for
// questions whose answer is asked for again in the transaction that counts.
func peek[T any](v *Vault, fn func(*tx) (T, error)) (T, error) {
	return read(v, fn, false)
}

func read[T any](v *Vault, fn func(*tx) (T, error), durable bool) (result T, err error) {
	if err := v.enter(); err != nil {
		return result, err
	}
	defer v.exit()
	defer v.guard(&err, debug.SetPanicOnFault(true))
	b, end, err := v.beginRead(durable)
	if err != nil {
		return result, err
	}
	defer end()
	return fn(&tx{v: v, b: b, now: v.clock.now()})
}

// beginRead begins a transaction that sees only what is on disk, if durable.
// bbolt shows a commit to readers as soon as its meta page is written, which is
// before that is synced; a power cut could take back what such a reader told.
// So who comes in that moment waits for its end. The caller calls end.
func (v *Vault) beginRead(durable bool) (b *bbolt.Tx, end func(), err error) {
	for {
		_, moved := v.journal.state()
		since := v.readers.begin(&v.durable)
		b, err := v.begin(false)
		if err != nil {
			v.readers.end(since)
			return nil, nil, fmt.Errorf("begin reading: %w", err)
		}
		end := func() {
			b.Rollback()
			v.readers.end(since)
		}
		if !durable || uint64(b.ID()) <= v.durable.Load() {
			return b, end, nil
		}
		end()
		if err := v.enterError(); err != nil {
			return nil, nil, err
		}
		<-moved // by the commit that lands, or by the vault's end
	}
}

// step runs one closure and appends its entry. late says that the transaction
// must be rolled back: it holds writes that have no entry.
func (t *tx) step(fn func(*tx) (audit.Event, error)) (r Receipt, late bool, err error) {
	t.wrote, t.derived, t.touched, t.prev, t.failed, t.window, t.stamped = false, false, "", 0, nil, 0, time.Time{}
	event, err := fn(t)
	switch {
	case err != nil:
		return Receipt{}, t.wrote || t.derived, err
	case t.failed != nil:
		return Receipt{}, true, t.failed
	case t.wrote == event.IsZero():
		return Receipt{}, true, fmt.Errorf("%w: wrote %v, event %q", errBreach, t.wrote, event.Op)
	case event.IsZero():
		return Receipt{}, false, nil
	}
	r, err = t.append(event)
	return r, err != nil, err
}

// append writes the entry of an event: its line, and beside it its detail with
// a fresh salt and the link to the previous entry about the same document.
func (t *tx) append(event audit.Event) (Receipt, error) {
	if event.Document != t.touched {
		return Receipt{}, fmt.Errorf("%w: %s is about document %q, stored was %q", errBreach, event.Op, event.Document, t.touched)
	}
	if !t.stamped.IsZero() {
		event.Facts["retainUntil"] = audit.Text(audit.FormatTime(t.stamped))
	}
	row := detailRow{prev: t.prev}
	var detail audit.Hash
	if event.Detail != nil {
		var salt [saltSize]byte
		rand.Read(salt[:]) // never fails: crypto/rand
		row.salt, row.detail = salt[:], event.Detail
		detail = audit.DetailHash(salt, event.Detail)
	}
	line, next, err := t.head.Next(audit.Stamp{Time: t.now, Actor: t.actor.UserID, Key: t.actor.KeyID}, event, detail)
	if err != nil {
		return Receipt{}, fmt.Errorf("append %s: %w", event.Op, err)
	}
	key := seqKey(next.Seq)
	t.put(bucketLog, key, line)
	if row.prev != 0 || row.salt != nil {
		t.put(bucketDetail, key, row.encode())
	}
	t.head = next
	return Receipt{Seq: next.Seq, Hash: next.Hash}, t.failed
}

// seq is the number the entry of the running closure will have, if it writes.
func (t *tx) seq() uint64 { return t.head.Seq + 1 }

func (t *tx) bucket(name []byte) *bbolt.Bucket {
	if b, ok := t.buckets[string(name)]; ok {
		return b
	}
	if t.buckets == nil {
		t.buckets = make(map[string]*bbolt.Bucket)
	}
	b := t.b.Bucket(name)
	b.FillPercent = fillPercent(name)
	t.buckets[string(name)] = b
	return b
}

// get returns a view that lives as long as the transaction; nil if absent.
func (t *tx) get(bucket, key []byte) []byte { return t.bucket(bucket).Get(key) }

// put and delete are the only writes there are. An error stays in t.failed and
// rolls the closure back, so that no caller has to look.
func (t *tx) put(bucket, key, value []byte) {
	t.writes(bucket)
	if value == nil {
		value = []byte{} // nil would read back as absent within this transaction
	}
	if err := t.bucket(bucket).Put(key, value); err != nil && t.failed == nil {
		t.failed = fmt.Errorf("put into %s: %w", bucket, err)
	}
}

func (t *tx) delete(bucket, key []byte) {
	t.writes(bucket)
	if err := t.bucket(bucket).Delete(key); err != nil && t.failed == nil {
		t.failed = fmt.Errorf("delete from %s: %w", bucket, err)
	}
}

func (t *tx) writes(bucket []byte) {
	t.wrote, t.dirty = true, true
	if t.deriving && !isDerived(bucket) && t.failed == nil {
		t.failed = fmt.Errorf("%w: %s is not derived", errBreach, bucket)
	}
}

// derive writes rows that have no entry, because they say nothing of their own:
// they are worked out from documents whose changes have theirs, and may be
// worked out at any time. Nothing but the index of starts may be written so,
// which is checked here.
func (t *tx) derive(fn func()) {
	wrote := t.wrote
	t.wrote, t.deriving = false, true
	fn()
	t.derived = t.derived || t.wrote
	t.wrote, t.deriving = wrote, false
}

// note is for entries that record what happened and change nothing else: the
// entry itself is the write.
func (t *tx) note() { t.wrote, t.dirty = true, true }
