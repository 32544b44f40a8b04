package engine

import (
	"bytes"
	"context"
	"slices"
	"time"

	"strongroom/audit"
)

// draftWait is how long the changes of a scratchpad whose lock has ended wait
// for their user to lock again.
const draftWait = 24 * time.Hour

// maxDraft bounds the changes in one scratchpad, and with them the transaction
// that saves it; maxDraftBytes bounds what each of them writes anew.
const (
	maxDraft      = 200
	maxDraftBytes = 512 << 10
)

// draft is the scratchpad of one user on one document: the changes made under
// the lock, in order, seen by nobody else until they are saved. It is replayed
// on the document, both to be shown to its holder and to be saved.
type draft struct {
	Base    uint64    // the document's revision when the first change was made
	Ends    time.Time // when its lease ends or ended: it waits for draftWait from then on
	Changes []draftChange
}

// draftChange is one change: of metadata, or a version.
type draftChange struct {
	Patch    *DocumentPatch
	Version  *NewVersion
	Digest   Digest
	Size     int64
	Restored uint64 // the version whose bytes these are
	Ref      uint64 // under which its bytes are referred to
	At       time.Time
}

func (d *draft) stale(doc *document) bool { return len(d.Changes) > 0 && d.Base != doc.Revision }

// due says whether nobody came back for it.
func (d *draft) due(now time.Time) bool { return !now.Before(d.Ends.Add(draftWait)) }

// draftOf returns a user's scratchpad on a document, empty if there is none.
func (t *tx) draftOf(d *document, userID string) (*draft, error) {
	return decodeDraft(t.Get(bucketDrafts, draftKey(d.id, userID)))
}

// keepDraftUntil notes when the lease ends, or has, under which a scratchpad
// was written.
func (t *tx) keepDraftUntil(d *document, ends time.Time) error {
	dr, err := t.draftOf(d, d.lease.userID)
	if err != nil || len(dr.Changes) == 0 {
		return err
	}
	dr.Ends = ends
	t.Put(bucketDrafts, draftKey(d.id, d.lease.userID), dr.encode())
	return nil
}

// beginEdit notes the document as it is at locking, so that not to save can
// bring that back, or takes up the scratchpad that waits, unless its time is
// over: then it is dropped, swept or not, and its bytes are returned.
func (t *tx) beginEdit(d *document) (litter []Digest, err error) {
	if !d.lease.scratchPad {
		t.Put(bucketSnapshots, d.id[:], d.encode())
		return nil, nil
	}
	if t.Get(bucketSnapshots, d.id[:]) != nil { // of a lease that nobody released
		t.Delete(bucketSnapshots, d.id[:])
	}
	dr, err := t.draftOf(d, d.lease.userID)
	if err != nil || len(dr.Changes) == 0 {
		return nil, err
	}
	if dr.due(t.Now()) {
		return t.dropDraft(d, d.lease.userID)
	}
	d.lease.base = dr.Base
	return nil, t.keepDraftUntil(d, d.lease.until)
}

func (t *tx) endEdit(d *document) {
	if !d.lease.scratchPad {
		t.Delete(bucketSnapshots, d.id[:])
	}
}

// versions counts the versions in a scratchpad.
func (d *draft) versions() (n uint64) {
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

// dropDraft removes a scratchpad and returns the bytes it referred to, which
// may now be litter.
func (t *tx) dropDraft(d *document, userID string) ([]Digest, error) {
	dr, err := t.draftOf(d, userID)
	if err != nil || len(dr.Changes) == 0 {
		return nil, err
	}
	digests := []Digest{}
	for _, change := range dr.Changes {
		if change.Version != nil {
			t.Delete(bucketRefs, refKey(change.Digest, d.id, change.Ref))
			digests = append(digests, change.Digest)
		}
	}
	t.Delete(bucketDrafts, draftKey(d.id, userID))
	return digests, nil
}

// dropDrafts removes all scratchpads of a document that goes.
func (t *tx) dropDrafts(d *document) ([]Digest, error) {
	var all []Digest
	for _, userID := range t.draftUsers(d.id) {
		digests, err := t.dropDraft(d, userID)
		if err != nil {
			return nil, err
		}
		all = append(all, digests...)
	}
	return all, nil
}

func (t *tx) draftUsers(doc id) (users []string) {
	c := t.Cursor(bucketDrafts)
	for k, _ := c.Seek(doc[:]); bytes.HasPrefix(k, doc[:]); k, _ = c.Next() {
		users = append(users, string(k[len(doc):]))
	}
	return users
}

// purgeDrafts drops the scratchpads nobody came back for, each in a change of
// its own by the actor system, and returns when the next is due.
func (v *Vault) purgeDrafts(ctx context.Context) (next time.Time, err error) {
	type waiting struct{ documentID, userID string }
	var due []waiting
	_, err = view(v, func(t *tx) (struct{}, error) {
		c := t.Cursor(bucketDrafts)
		for k, b := c.First(); k != nil; k, b = c.Next() {
			dr, err := decodeDraft(b)
			if err != nil {
				return struct{}{}, err
			}
			if at := dr.Ends.Add(draftWait); !dr.due(t.Now()) {
				if next.IsZero() || at.Before(next) {
					next = at
				}
			} else if due = append(due, waiting{id(k[:16]).String(), string(k[16:])}); len(due) == maxDraft {
				break
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		return next, err
	}
	for _, w := range due {
		digests, _, err := update(v, ctx, System(), func(t *tx) ([]Digest, audit.Event, error) { return t.purgeDraft(w.documentID, w.userID) })
		if err != nil {
			return next, err
		}
		v.purge(ctx, digests...)
	}
	return next, nil
}

func (t *tx) purgeDraft(documentID, userID string) ([]Digest, audit.Event, error) {
	old, err := t.liveDocument(documentID)
	if err != nil {
		return nil, audit.Event{}, err
	}
	dr, err := t.draftOf(old, userID)
	if err != nil || len(dr.Changes) == 0 || !dr.due(t.Now()) {
		return nil, audit.Event{}, err
	}
	digests, err := t.dropDraft(old, userID)
	if err != nil {
		return nil, audit.Event{}, err
	}
	t.touch(old)
	return digests, audit.Event{
		Op: audit.OpLockReleased, Document: old.ID, Facts: audit.Facts{"draft": audit.Text("purged")},
	}, nil
}

// drafted says whether a scratchpad of the document has these bytes under this
// number.
func (t *tx) drafted(doc id, digest Digest, number uint64) bool {
	for _, userID := range t.draftUsers(doc) {
		dr, err := decodeDraft(t.Get(bucketDrafts, draftKey(doc, userID)))
		if err == nil && slices.ContainsFunc(dr.Changes, func(c draftChange) bool { return c.Ref == number && c.Digest == digest }) {
			return true
		}
	}
	return false
}
