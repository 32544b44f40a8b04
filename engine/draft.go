package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"strongroom/audit"
)

// draftWait is how long the changes of a scratchpad whose lock has ended wait
// for their user to lock again.
const draftWait = 24 * time.Hour

// maxDraft bounds the changes in one scratchpad, and with them the transaction
// that saves it.
const maxDraft = 1_000

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
	Patch    *DocumentPatch `json:",omitempty"`
	Version  *NewVersion    `json:",omitempty"`
	Digest   Digest         `json:",omitzero"`
	Size     int64          `json:",omitempty"`
	Restored uint64         `json:",omitempty"` // the version whose bytes these are
	At       time.Time
}

func (d *draft) stale(doc *document) bool { return len(d.Changes) > 0 && d.Base != doc.Revision }

// due says whether nobody came back for it.
func (d *draft) due(now time.Time) bool { return !now.Before(d.Ends.Add(draftWait)) }

// draftOf returns a user's scratchpad on a document, empty if there is none.
func (t *tx) draftOf(d *document, userID string) (*draft, error) {
	return decodeDraft(t.get(bucketDrafts, draftKey(d.id, userID)))
}

func decodeDraft(b []byte) (*draft, error) {
	dr := &draft{}
	if b == nil {
		return dr, nil
	}
	r := json.NewDecoder(bytes.NewReader(b))
	r.UseNumber() // as in custom fields
	if err := r.Decode(dr); err != nil {
		return nil, fmt.Errorf("%w: scratchpad: %w", errDamaged, err)
	}
	return dr, nil
}

func (t *tx) putDraft(d *document, userID string, dr *draft) error {
	b, err := json.Marshal(dr)
	if err != nil {
		return err
	}
	t.put(bucketDrafts, draftKey(d.id, userID), b)
	return nil
}

// keepDraftUntil notes when the lease ends, or has, under which a scratchpad
// was written.
func (t *tx) keepDraftUntil(d *document, ends time.Time) error {
	dr, err := t.draftOf(d, d.lease.userID)
	if err != nil || len(dr.Changes) == 0 {
		return err
	}
	dr.Ends = ends
	return t.putDraft(d, d.lease.userID, dr)
}

// beginEdit notes the document as it is at locking, so that not to save can
// bring that back, or takes up the scratchpad that waits.
func (t *tx) beginEdit(d *document) error {
	if d.lease.scratchPad {
		return t.keepDraftUntil(d, d.lease.until)
	}
	t.put(bucketSnapshots, d.id[:], d.encode())
	return nil
}

func (t *tx) endEdit(d *document) {
	if !d.lease.scratchPad {
		t.delete(bucketSnapshots, d.id[:])
	}
}

// drafting says whether a change that was let through belongs in a scratchpad.
func (t *tx) drafting(d *document) bool {
	l := t.live(d)
	return l != nil && l.scratchPad
}

// sketch puts a change into the holder's scratchpad. The answer is the document
// as the holder sees it from then on.
func (t *tx) sketch(old *document, change draftChange) (Document, audit.Event, error) {
	dr, err := t.draftOf(old, old.lease.userID)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	if len(dr.Changes) == 0 {
		dr.Base = old.Revision
	}
	if len(dr.Changes) == maxDraft {
		return Document{}, audit.Event{}, fmt.Errorf("%w: its scratchpad is full; save it first", ErrLockState)
	}
	before, err := t.sketched(old, dr)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	change.At = t.now
	dr.Changes = append(dr.Changes, change)
	after := before.clone()
	if err := t.replay(after, change, dr.versions()); err != nil {
		return Document{}, audit.Event{}, err
	}
	if change.Version == nil && len(differences(before, after)) == 0 {
		return before.Document, audit.Event{}, nil
	}
	d := old.clone()
	t.store(old, d)
	dr.Ends = d.lease.until
	if err := t.putDraft(d, d.lease.userID, dr); err != nil {
		return Document{}, audit.Event{}, err
	}
	if change.Version != nil {
		t.put(bucketRefs, refKey(change.Digest, d.id, draftNumber(len(dr.Changes))), nil)
	}
	after.Lock, after.AuditSeq = d.Lock, d.AuditSeq
	return after.Document, audit.Event{
		Op: audit.OpLockRenewed, Document: d.ID,
		Facts: audit.Facts{"draft": audit.Number(uint64(len(dr.Changes)))},
	}, nil
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

// draftNumber is the number under which a scratchpad's change refers to its
// bytes: no version ever has it.
func draftNumber(change int) uint64 { return 1<<63 | uint64(change) }

// sketched is the document as the holder of a scratchpad sees it.
func (t *tx) sketched(d *document, dr *draft) (*document, error) {
	shown, n := d.clone(), uint64(0)
	for _, change := range dr.Changes {
		if change.Version != nil {
			n++
		}
		if err := t.replay(shown, change, n); err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExists) {
			return nil, err
		}
	}
	return shown, nil
}

// replay applies a change to a document that is only shown.
func (t *tx) replay(d *document, change draftChange, n uint64) error {
	if change.Version == nil {
		return t.patch(d, *change.Patch)
	}
	v := change.Version
	d.Current = &Version{
		DocumentID: d.ID, Draft: n, Digest: change.Digest, Size: change.Size, MediaType: v.MediaType,
		FileName: v.FileName, Comment: v.Comment, Label: v.Label,
		CreatedAt: change.At, CreatedBy: t.actor.UserID, Current: true,
	}
	return nil
}

// Sketch is what the holder of a scratchpad sees: the document with its changes,
// and the versions in it, newest first.
type Sketch struct {
	Document Document
	Versions []Version
}

// Sketch returns the document as the holder of this token sees it. ErrNotLocked
// if the token is not that of a live lock with a scratchpad: then there is
// nothing to see but the document itself.
func (v *Vault) Sketch(ctx context.Context, actor Actor, documentID, token string) (Sketch, error) {
	return view(v, func(t *tx) (Sketch, error) {
		t.actor = actor
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Sketch{}, err
		}
		l := t.live(d)
		if l == nil || !l.scratchPad || l.userID != actor.UserID || !v.isToken(d.ID, l, token) {
			return Sketch{}, ErrNotLocked
		}
		dr, err := t.draftOf(d, l.userID)
		if err != nil {
			return Sketch{}, err
		}
		shown, err := t.sketched(d, dr)
		if err != nil {
			return Sketch{}, err
		}
		s := Sketch{Document: shown.Document}
		only := d.clone()
		for i, n := 0, uint64(0); i < len(dr.Changes); i++ {
			if dr.Changes[i].Version == nil {
				continue
			}
			n++
			t.replay(only, dr.Changes[i], n)
			ver := *only.Current
			ver.Current = n == dr.versions()
			s.Versions = append([]Version{ver}, s.Versions...)
		}
		return s, nil
	})
}

// saveDraft lands a scratchpad and releases the lock: one transaction, an entry
// for each change. Everything is checked anew; if one part fails, nothing is
// saved and the lock stays.
func (v *Vault) saveDraft(ctx context.Context, actor Actor, documentID string, c Condition) (Lock, Receipt, error) {
	for {
		dr, err := view(v, func(t *tx) (*draft, error) {
			t.actor = actor
			d, err := t.liveDocument(documentID)
			if err != nil {
				return nil, err
			}
			return t.draftOf(d, actor.UserID)
		})
		if err != nil {
			return Lock{}, Receipt{}, err
		}
		lock, receipt, err := v.land(ctx, actor, documentID, c, dr)
		if !errors.Is(err, errDraftMoved) {
			return lock, receipt, err
		}
	}
}

// errDraftMoved: another request of the holder's changed the scratchpad between
// reading and saving it.
var errDraftMoved = errors.New("engine: the scratchpad has changed meanwhile")

func (v *Vault) land(ctx context.Context, actor Actor, documentID string, c Condition, dr *draft) (Lock, Receipt, error) {
	type step = func(*tx) (released, audit.Event, error)
	steps := []step{func(t *tx) (released, audit.Event, error) {
		return released{}, audit.Event{}, t.mayLand(documentID, c, dr)
	}}
	held := c.token()
	for _, change := range dr.Changes {
		steps = append(steps, func(t *tx) (released, audit.Event, error) {
			old, err := t.held(documentID, held)
			if err != nil {
				return released{}, audit.Event{}, err
			}
			_, event, err := t.landChange(old, change)
			return released{}, event, err
		})
	}
	steps = append(steps, func(t *tx) (released, audit.Event, error) { return t.release(documentID, held, true) })
	results, receipts, err := updateAll(v, ctx, actor, steps...)
	if err != nil {
		return Lock{}, Receipt{}, err
	}
	last := len(results) - 1
	v.purge(context.WithoutCancel(ctx), results[last].litter...) // those that became versions stay
	return results[last].Lock, receipts[last], nil
}

// mayLand is the guard of saving.
func (t *tx) mayLand(documentID string, c Condition, dr *draft) error {
	d, err := t.held(documentID, c)
	if err != nil {
		return err
	}
	now, err := t.draftOf(d, d.lease.userID)
	if err != nil {
		return err
	}
	if len(now.Changes) != len(dr.Changes) || now.Base != dr.Base {
		return errDraftMoved
	}
	if now.stale(d) && !c.Overwrite {
		return fmt.Errorf("%w: the document has changed since the scratchpad was begun; look at it and save with overwrite=true, or drop the scratchpad", ErrLockState)
	}
	return nil
}

func (t *tx) landChange(old *document, change draftChange) (Document, audit.Event, error) {
	if change.Version == nil {
		return t.patchDocument(old, *change.Patch)
	}
	return t.appendVersion(old, *change.Version, change.Digest, change.Size, change.Restored)
}

// dropDraft removes a scratchpad and returns the bytes it referred to, which
// may now be litter.
func (t *tx) dropDraft(d *document, userID string) ([]Digest, error) {
	dr, err := t.draftOf(d, userID)
	if err != nil || len(dr.Changes) == 0 {
		return nil, err
	}
	digests := []Digest{}
	for i, change := range dr.Changes {
		if change.Version != nil {
			t.delete(bucketRefs, refKey(change.Digest, d.id, draftNumber(i+1)))
			digests = append(digests, change.Digest)
		}
	}
	t.delete(bucketDrafts, draftKey(d.id, userID))
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
	c := t.bucket(bucketDrafts).Cursor()
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
		c := t.bucket(bucketDrafts).Cursor()
		for k, b := c.First(); k != nil; k, b = c.Next() {
			dr, err := decodeDraft(b)
			if err != nil {
				return struct{}{}, err
			}
			if at := dr.Ends.Add(draftWait); !dr.due(t.now) {
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
	if err != nil || len(dr.Changes) == 0 || !dr.due(t.now) {
		return nil, audit.Event{}, err
	}
	digests, err := t.dropDraft(old, userID)
	if err != nil {
		return nil, audit.Event{}, err
	}
	t.store(old, old.clone())
	return digests, audit.Event{
		Op: audit.OpLockReleased, Document: old.ID, Facts: audit.Facts{"draft": audit.Text("purged")},
	}, nil
}

// revert takes back what landed under the lock: metadata as at locking, where
// that is still valid; versions added since are discarded, and the one that was
// current is so again. Archived state stays, and nothing leaves the chain.
func (t *tx) revert(documentID string, c Condition) (released, audit.Event, error) {
	old, err := t.held(documentID, c)
	if err != nil {
		return released{}, audit.Event{}, err
	}
	was, err := decodeDocument(old.id, t.get(bucketSnapshots, old.id[:]))
	if err != nil {
		return released{}, audit.Event{}, fmt.Errorf("%s as it was at locking: %w", old, err)
	}
	d := old.clone()
	d.Name, d.Description, d.Tags, d.CustomFields = was.Name, was.Description, was.Tags, was.CustomFields
	if err := t.knownCategory(was.Category); err == nil {
		d.Category = was.Category
	} else if !errors.Is(err, ErrInvalid) {
		return released{}, audit.Event{}, err
	}
	if _, err := t.owner(was.OwnerID); err == nil {
		d.OwnerID = was.OwnerID
	} else if !errors.Is(err, ErrInvalid) {
		return released{}, audit.Event{}, err
	}
	discarded, err := t.discard(d, was)
	if err != nil {
		return released{}, audit.Event{}, err
	}
	detail := differences(old, d)
	if len(detail) == 0 && len(discarded) == 0 {
		return released{}, audit.Event{}, nil
	}
	t.changes(d)
	t.store(old, d)
	facts := audit.Facts{"discarded": audit.Texts(discarded...), "revision": audit.Number(d.Revision)}
	if d.OwnerID != old.OwnerID {
		facts["owner"] = audit.Text(d.OwnerID)
	}
	return released{}, audit.Event{
		Op: audit.OpDocumentReverted, Document: d.ID, Version: d.Current.Number, Facts: facts, Detail: encodeDetail(detail),
	}, nil
}

// discard marks the versions of d that were added since was.
func (t *tx) discard(d, was *document) (numbers []string, err error) {
	for n := was.VersionCount + 1; n <= d.VersionCount; n++ {
		ver, err := t.version(d, n)
		if err != nil {
			return nil, fmt.Errorf("%w: %s lacks version %d", errDamaged, d, n)
		}
		marked := *ver
		marked.Discarded = true
		t.put(bucketVersions, versionKey(d.id, n), encodeVersion(&marked))
		numbers = append(numbers, strconv.FormatUint(n, 10))
	}
	if len(numbers) > 0 {
		current, err := t.storedVersion(d, was.Current.Number)
		if err != nil {
			return nil, err
		}
		current.Current, d.Current = true, current
	}
	return numbers, nil
}

// drafted says whether a scratchpad of the document has these bytes under this
// number.
func (t *tx) drafted(doc id, digest Digest, number uint64) bool {
	for _, userID := range t.draftUsers(doc) {
		dr, err := decodeDraft(t.get(bucketDrafts, draftKey(doc, userID)))
		if i := number - draftNumber(1); err == nil && i < uint64(len(dr.Changes)) && dr.Changes[i].Version != nil && dr.Changes[i].Digest == digest {
			return true
		}
	}
	return false
}
