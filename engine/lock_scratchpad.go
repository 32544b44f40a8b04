package engine

import (
	"bytes"
	"context"
	"slices"
	"time"

	"strongroom/audit"
)

// scratchpadWait is how long the changes of a scratchpad whose lock has ended wait
// for their user to lock again.
const scratchpadWait = 24 * time.Hour

// maxPending bounds the changes in one scratchpad, and with them the transaction
// that saves it; maxScratchpad bounds what each of them writes anew.
const (
	maxPending    = 200
	maxScratchpad = 512 << 10
)

// A scratchpad is where the changes of one user on one document wait. A draft is a
// version among them. A sketch is the document as it is with them.

// scratchpad is that of one user on one document: the changes made under
// the lock, in order, seen by nobody else until they are saved. It is replayed
// on the document, both to be shown to its holder and to be saved.
type scratchpad struct {
	Base    uint64    // the document's revision when the first change was made
	Ends    time.Time // when its lease ends or ended: it waits for scratchpadWait from then on
	Changes []pendingChange
	// seal is random, and new whenever the record is written: the digest of the
	// record is a fact for ever, and tells nobody what stood there.
	seal seal
}

// pendingChange is one change: of metadata, or a version.
type pendingChange struct {
	Patch    *DocumentPatch
	Version  *NewVersion
	Digest   Digest
	Size     int64
	Restored uint64 // the version whose bytes these are
	Ref      uint64 // under which its bytes are referred to
	At       time.Time
}

func (d *scratchpad) stale(doc *document) bool { return len(d.Changes) > 0 && d.Base != doc.Revision }

// due says whether nobody came back for it.
func (d *scratchpad) due(now time.Time) bool { return !now.Before(d.Ends.Add(scratchpadWait)) }

// scratchpadOf returns a user's scratchpad on a document, empty if there is none.
func (t *tx) scratchpadOf(d *document, userID string) (*scratchpad, error) {
	return decodeScratchpad(t.Get(bucketDrafts, scratchpadKey(d.id, userID)))
}

// keepScratchpadUntil notes when the lease ends, or has, under which a scratchpad
// was written.
func (t *tx) keepScratchpadUntil(d *document, ends time.Time, facts audit.Facts) error {
	pad, err := t.scratchpadOf(d, d.lease.userID)
	if err != nil || len(pad.Changes) == 0 {
		return err
	}
	pad.Ends, pad.seal = ends, newSeal()
	t.putScratchpad(d, pad.encode(), facts)
	return nil
}

// putScratchpad writes the scratchpad of who locks the document, and binds it by
// the facts of the change.
func (t *tx) putScratchpad(d *document, record []byte, facts audit.Facts) {
	t.Put(bucketDrafts, scratchpadKey(d.id, d.lease.userID), record)
	facts["drafts"] = digestOf(record)
}

// beginEdit notes the document as it is at locking, so that not to save can
// bring that back, or takes up the scratchpad that waits, unless its time is
// over: then it is dropped, swept or not, and its bytes are returned. While the
// document is held its time is not.
func (t *tx) beginEdit(d *document, facts audit.Facts) (litter []Digest, err error) {
	if !d.lease.scratchPad {
		record := encodeSnapshot(d.encode(), newSeal())
		t.Put(bucketSnapshots, d.id[:], record)
		facts["snapshot"] = digestOf(record)
		return nil, nil
	}
	if t.Get(bucketSnapshots, d.id[:]) != nil { // of a lease that nobody released
		t.Delete(bucketSnapshots, d.id[:])
	}
	pad, err := t.scratchpadOf(d, d.lease.userID)
	if err != nil || len(pad.Changes) == 0 {
		return nil, err
	}
	if pad.due(t.Now()) && d.unheld() == nil {
		return t.dropScratchpad(d, d.lease.userID)
	}
	d.lease.base = pad.Base
	return nil, t.keepScratchpadUntil(d, d.lease.until, facts)
}

func (t *tx) endEdit(d *document) {
	if !d.lease.scratchPad {
		t.Delete(bucketSnapshots, d.id[:])
	}
}

// versions counts the versions in a scratchpad.
func (d *scratchpad) versions() (n uint64) {
	for _, c := range d.Changes {
		if c.Version != nil {
			n++
		}
	}
	return n
}

// draftRef is the number under which a scratchpad's change refers to its bytes:
// that of the entry that told of it, in a range that no version's reaches.
func draftRef(seq uint64) uint64 { return 1<<63 | seq }

func isDraftRef(number uint64) bool { return number >= 1<<63 }

// dropScratchpad removes a scratchpad and returns the bytes it referred to, which
// may now be litter.
func (t *tx) dropScratchpad(d *document, userID string) ([]Digest, error) {
	pad, err := t.scratchpadOf(d, userID)
	if err != nil || len(pad.Changes) == 0 {
		return nil, err
	}
	digests := []Digest{}
	for _, change := range pad.Changes {
		if change.Version != nil {
			t.Delete(bucketRefs, refKey(change.Digest, d.id, change.Ref))
			digests = append(digests, change.Digest)
		}
	}
	t.Delete(bucketDrafts, scratchpadKey(d.id, userID))
	return digests, nil
}

// dropScratchpads removes all scratchpads of a document that goes.
func (t *tx) dropScratchpads(d *document) ([]Digest, error) {
	var all []Digest
	for _, userID := range t.scratchpadUsers(d.id) {
		digests, err := t.dropScratchpad(d, userID)
		if err != nil {
			return nil, err
		}
		all = append(all, digests...)
	}
	return all, nil
}

func (t *tx) scratchpadUsers(doc id) (users []string) {
	c := t.Cursor(bucketDrafts)
	for k, _ := c.Seek(doc[:]); bytes.HasPrefix(k, doc[:]); k, _ = c.Next() {
		users = append(users, string(k[len(doc):]))
	}
	return users
}

// purgeScratchpads drops the scratchpads nobody came back for, each in a change of
// its own by the actor system, and returns when the next is due. Those of a held
// document wait, until the first sweep after its last hold was released.
func (v *Vault) purgeScratchpads(ctx context.Context) (next time.Time, err error) {
	type waiting struct{ documentID, userID string }
	var due []waiting
	_, err = view(v, func(t *tx) (struct{}, error) {
		c := t.Cursor(bucketDrafts)
		for k, b := c.First(); k != nil; k, b = c.Next() {
			pad, err := decodeScratchpad(b)
			if err != nil {
				return struct{}{}, err
			}
			if at := pad.Ends.Add(scratchpadWait); !pad.due(t.Now()) {
				if next.IsZero() || at.Before(next) {
					next = at
				}
			} else if d, err := t.documentAt(id(k[:16])); err == nil && d.unheld() != nil {
				continue
			} else if due = append(due, waiting{id(k[:16]).String(), string(k[16:])}); len(due) == maxPending {
				break
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return next, err
	}
	for _, w := range due {
		digests, _, err := update(v, ctx, System(), func(t *tx) ([]Digest, audit.Event, error) { return t.purgeScratchpad(w.documentID, w.userID) })
		if err != nil {
			return next, err
		}
		v.purge(ctx, digests...)
	}
	return next, nil
}

func (t *tx) purgeScratchpad(documentID, userID string) ([]Digest, audit.Event, error) {
	old, err := t.liveDocument(documentID)
	if err != nil {
		return nil, audit.Event{}, err
	}
	pad, err := t.scratchpadOf(old, userID)
	if err != nil || len(pad.Changes) == 0 || !pad.due(t.Now()) || old.unheld() != nil { // a hold may have come in between
		return nil, audit.Event{}, err
	}
	digests, err := t.dropScratchpad(old, userID)
	if err != nil {
		return nil, audit.Event{}, err
	}
	t.touch(old)
	return digests, audit.Event{
		Op: audit.OpLockReleased, Document: old.ID, Facts: audit.Facts{"draft": audit.Text("purged"), "user": audit.Text(userID)},
	}, nil
}

// inAnyScratchpad says whether a scratchpad of the document has these bytes under
// this number.
func (t *tx) inAnyScratchpad(doc id, digest Digest, number uint64) bool {
	for _, userID := range t.scratchpadUsers(doc) {
		pad, err := decodeScratchpad(t.Get(bucketDrafts, scratchpadKey(doc, userID)))
		if err == nil && slices.ContainsFunc(pad.Changes, func(c pendingChange) bool { return c.Ref == number && c.Digest == digest }) {
			return true
		}
	}
	return false
}
