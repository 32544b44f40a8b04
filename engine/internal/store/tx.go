package store

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store/wal"

	"go.etcd.io/bbolt"
)

// Tx is one transaction, of one instant.
//
// A write transaction is shared by the steps of a group, one after the other
// (see commit.go): step belongs to the one that runs, head and dirty to the
// whole group.
type Tx struct {
	s       *Store
	b       *bbolt.Tx
	now     time.Time
	buckets map[string]*bbolt.Bucket

	set     *wal.Set   // what it writes, for the log; nil: it lands without
	logged  bool       // the log may have it
	carried []Carried  // uploads whose bytes are in set
	head    audit.Head // where the log stands inside this transaction
	group   uint64     // the number it lands under; 0: the next
	dirty   bool       // some step wrote
	trust   bool       // some step trusts the clock: see Trust
	step    progress
}

// progress is what the step that runs has done so far.
type progress struct {
	wrote    bool   // rows that need an entry
	derived  bool   // rows that need none: see Derive
	deriving bool   // it does so now
	clearing bool   // it removes rows that need none now: see Clear
	subject  string // what its entry is about, and
	prev     uint64 // the last entry about it before that
	failed   error  // the first write that was refused
}

// Step is one change: it asks its guards first and writes after, captures
// nothing, and may run more than once. The zero Event says that nothing
// changed, and then nothing may have been written.
type Step func(*Tx) (Record, error)

// Record is what the log keeps of a step: the event, and who caused it.
type Record struct {
	audit.Event
	Actor, Key string
}

// Now is the transaction's instant, in milliseconds.
func (t *Tx) Now() time.Time { return t.now }

// Seq is the number the entry of the running step will have, if it writes.
func (t *Tx) Seq() uint64 { return t.head.Seq + 1 }

// Head is where the log stands inside this transaction; of no use in one that
// reads, where Last tells.
func (t *Tx) Head() audit.Head { return t.head }

// run runs one step and appends its entry; next is where the log stands then,
// zero if nothing changed. late says that the transaction must be rolled back:
// it holds writes that have no entry.
func (t *Tx) run(fn Step) (next audit.Head, late bool, err error) {
	t.step = progress{}
	record, err := fn(t)
	switch {
	case err != nil:
		return audit.Head{}, t.step.wrote || t.step.derived, err
	case t.step.failed != nil:
		return audit.Head{}, true, t.step.failed
	case t.step.wrote == record.IsZero():
		return audit.Head{}, true, fmt.Errorf("%w: wrote %v, event %q", ErrBreach, t.step.wrote, record.Op)
	case record.IsZero():
		return audit.Head{}, false, nil
	}
	next, err = t.append(record)
	return next, err != nil, err
}

// append writes the entry of a record: its line, and beside it its detail with
// a fresh salt and the link to the previous entry about the same subject.
func (t *Tx) append(r Record) (audit.Head, error) {
	if r.Document != t.step.subject {
		return audit.Head{}, fmt.Errorf("%w: %s is about document %q, stored was %q", ErrBreach, r.Op, r.Document, t.step.subject)
	}
	row := DetailRow{Prev: t.step.prev}
	var detail audit.Hash
	if r.Detail != nil {
		var salt [SaltSize]byte
		rand.Read(salt[:]) // never fails: crypto/rand
		row.Salt, row.Detail = salt[:], r.Detail
		detail = audit.DetailHash(salt, r.Detail)
	}
	line, next, err := t.head.Next(audit.Stamp{Time: t.now, Actor: r.Actor, Key: r.Key}, r.Event, detail)
	if err != nil {
		return audit.Head{}, fmt.Errorf("append %s: %w", r.Op, err)
	}
	key := SeqKey(next.Seq)
	t.Put(Log, key, line)
	if row.Prev != 0 || row.Salt != nil {
		t.Put(Detail, key, row.Encode())
	}
	t.head = next
	return next, t.step.failed
}

func (t *Tx) bucket(name []byte) *bbolt.Bucket {
	if b, ok := t.buckets[string(name)]; ok {
		return b
	}
	if t.buckets == nil {
		t.buckets = make(map[string]*bbolt.Bucket)
	}
	b := t.b.Bucket(name)
	if b == nil { // they are made with the file: its root page lies
		panic(fmt.Sprintf("assertion failed: bucket %s is missing", name))
	}
	b.FillPercent = fillPercent(name)
	t.buckets[string(name)] = b
	return b
}

// Get returns a view that lives as long as the transaction; nil if absent.
func (t *Tx) Get(bucket, key []byte) []byte { return t.bucket(bucket).Get(key) }

// Put and Delete are the only writes there are. An error stays in the
// transaction and rolls the step back, so that no caller has to look.
func (t *Tx) Put(bucket, key, value []byte) {
	t.writes(bucket)
	if t.step.clearing {
		t.Fail(fmt.Errorf("%w: a row is put where some are cleared", ErrBreach))
	}
	if value == nil {
		value = []byte{} // nil would read back as absent within this transaction
	}
	if err := t.bucket(bucket).Put(key, value); err != nil {
		t.Fail(fmt.Errorf("put into %s: %w", bucket, err))
	}
	if t.set != nil {
		t.set.Put(bucket, key, value)
	}
}

// Delete removes a row. One that is not there is no error.
func (t *Tx) Delete(bucket, key []byte) {
	t.writes(bucket)
	if err := t.bucket(bucket).Delete(key); err != nil {
		t.Fail(fmt.Errorf("delete from %s: %w", bucket, err))
	}
	if t.set != nil {
		t.set.Delete(bucket, key)
	}
}

// Fail rolls the running step back with this error, unless it failed before.
// Nil does nothing.
func (t *Tx) Fail(err error) {
	if err != nil && t.step.failed == nil {
		t.step.failed = err
	}
}

func (t *Tx) writes(bucket []byte) {
	t.step.wrote, t.dirty = true, true
	if t.step.deriving && !t.s.schema.derived(bucket) {
		t.Fail(fmt.Errorf("%w: %s is not derived", ErrBreach, bucket))
	}
	if t.step.clearing && !named(t.s.schema.Cleared, bucket) {
		t.Fail(fmt.Errorf("%w: %s is not cleared", ErrBreach, bucket))
	}
}

// Carried is an upload whose bytes go into the log with the rows that need them.
type Carried interface {
	Digest() blobstore.Digest
	// Bytes are not changed until the group has landed.
	Bytes() []byte
	// Place makes the upload visible, without a sync. It is called when the log is
	// synced, and nobody has been told of the group yet.
	Place(context.Context) error
}

// Carry takes the bytes of an upload into the log, with what the transaction
// writes. Options.Blobs knows how to make what is placed durable.
func (t *Tx) Carry(c Carried) {
	if t.set == nil {
		t.Fail(fmt.Errorf("%w: there is no log that carries bytes", ErrBreach))
		return
	}
	if c.Bytes() == nil { // a record without its bytes would be damage for ever
		t.Fail(fmt.Errorf("%w: the bytes of %v are gone before they were logged", ErrBreach, c.Digest()))
		return
	}
	t.set.Carry(wal.Blob{Digest: c.Digest(), Bytes: c.Bytes()})
	t.carried = append(t.carried, c)
}

// Derive writes rows that have no entry, because they say nothing of their own:
// they are worked out from rows whose changes have theirs, and may be worked
// out at any time. Only the buckets that Schema.Derived names may be written
// so, which is checked here.
func (t *Tx) Derive(fn func()) {
	wrote := t.step.wrote
	t.step.wrote, t.step.deriving = false, true
	fn()
	t.step.derived = t.step.derived || t.step.wrote
	t.step.wrote, t.step.deriving = wrote, false
}

// Clear removes rows that have no entry of their own, because the entry of what
// they belonged to says that they go: they are too many for its transaction. Only
// rows of the buckets that Schema.Cleared names may be removed so, and none may be
// put, which is checked here.
func (t *Tx) Clear(fn func()) {
	wrote := t.step.wrote
	t.step.wrote, t.step.clearing = false, true
	fn()
	t.step.derived = t.step.derived || t.step.wrote
	t.step.wrote, t.step.clearing = wrote, false
}

// Note is for entries that record what happened and change nothing else: the
// entry itself is the write.
func (t *Tx) Note() { t.step.wrote, t.dirty = true, true }

// Trust has the clock trusted as it is now (see [Clock.Trust]) when the transaction
// is on disk, before anybody's next one begins. For those behind the step in this
// one, Trusted says so.
func (t *Tx) Trust() { t.trust = true }

// Trusted says whether a step before has had the clock trusted.
func (t *Tx) Trusted() bool { return t.trust }

// Link says what the running step's entry is about, and the last entry about
// the same before it, 0 for none. An entry that names a document must be
// linked, so that its entries are a chain.
func (t *Tx) Link(subject string, prev uint64) { t.step.subject, t.step.prev = subject, prev }

// Last is the last entry this transaction sees, 0 for none.
func (t *Tx) Last() uint64 {
	k, _ := t.bucket(Log).Cursor().Last()
	if len(k) != 8 {
		return 0
	}
	return SeqOf(k)
}
