package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// HoldStatus is how a legal hold stands.
type HoldStatus string

const (
	HoldActive   HoldStatus = "active"   // it keeps its document
	HoldReleased HoldStatus = "released" // it does not any more
)

// Hold is a legal hold: as long as a document bears one, nobody archives it or
// disposes of it, by whatever right. Everything else goes on. A document can
// bear many, each placed and released by itself; a released one is kept, longer
// than its document.
type Hold struct {
	ID            string
	DocumentID    string
	Reason        string
	Matter        string // what it is placed for, which holds of several documents share; "": none
	Status        HoldStatus
	PlacedAt      time.Time
	PlacedBy      string
	ReleasedAt    time.Time // zero while it is active, and then the two below are empty
	ReleasedBy    string
	ReleaseReason string
	Revision      uint64 // of the document, which holds leave alone; 0 when a hold is only read
}

// NewHold describes a hold to be placed.
type NewHold struct {
	Reason string // required
	Matter string // "": none
}

// hold is a Hold as stored.
type hold struct {
	Hold
	id id
}

// matterHolds is how many active holds a document bears for one matter, or, if
// that is "", for none. An entry stays when its last hold is released, so that
// a matter counts each of its documents once.
type matterHolds struct {
	matter string
	active uint64
}

// bear counts one more active hold. first says that the document was never held
// for the matter before.
func (d *document) bear(matter string) (first bool) {
	i, found := d.heldFor(matter)
	if !found {
		d.holds = slices.Insert(d.holds, i, matterHolds{matter: matter})
	}
	d.holds[i].active++
	d.recount()
	return !found
}

// shed counts one active hold less.
func (d *document) shed(matter string) error {
	i, found := d.heldFor(matter)
	if !found || d.holds[i].active == 0 {
		return fmt.Errorf("%w: %s does not know of a hold that is active", errDamaged, d)
	}
	d.holds[i].active--
	d.recount()
	return nil
}

func (d *document) heldFor(matter string) (int, bool) {
	return slices.BinarySearchFunc(d.holds, matter, func(h matterHolds, m string) int { return cmp.Compare(h.matter, m) })
}

// recount derives HoldCount from holds.
func (d *document) recount() {
	d.HoldCount = 0
	for _, h := range d.holds {
		d.HoldCount += h.active
	}
}

// unheld refuses what a hold forbids: to archive the document, and to dispose of
// it.
func (d *document) unheld() error {
	if d.HoldCount > 0 {
		return &HeldError{d.HoldCount}
	}
	return nil
}

// PlaceHold places a legal hold, effective at once. It needs admin access. A
// lock does not stand in its way. The revision of the document and the time of
// its last change stay as they are.
func (v *Vault) PlaceHold(ctx context.Context, actor Actor, documentID string, cond Condition, n NewHold) (Hold, Receipt, error) {
	if err := n.check(); err != nil {
		return Hold{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Hold, audit.Event, error) {
		d, err := t.holdable(documentID)
		if err == nil {
			err = cond.IfMatch.check(d.Revision)
		}
		if err != nil {
			return Hold{}, audit.Event{}, err
		}
		return t.placeHold(d, n)
	})
}

func (n *NewHold) check() error {
	var c checks
	n.Reason, n.Matter = check.Trim(n.Reason), check.Trim(n.Matter)
	if n.Reason == "" {
		c.Fail("reason", "must not be empty")
	}
	c.Prose("reason", n.Reason, check.MaxComment)
	c.Line("matter", n.Matter, check.MaxShort)
	return c.err()
}

// holdable is the guard of placing a hold. It asks for no lock.
func (t *tx) holdable(documentID string) (*document, error) {
	if err := t.may(AccessAdmin); err != nil {
		return nil, err
	}
	return t.liveDocument(documentID)
}

func (t *tx) placeHold(old *document, n NewHold) (Hold, audit.Event, error) {
	key, err := t.NewID()
	if err != nil {
		return Hold{}, audit.Event{}, err
	}
	return t.placeHoldAs(key, old, n)
}

// placeHoldAs places a hold whose id is known.
func (t *tx) placeHoldAs(key id, old *document, n NewHold) (Hold, audit.Event, error) {
	h := &hold{id: key, Hold: Hold{
		ID: key.String(), DocumentID: old.ID, Reason: n.Reason, Matter: n.Matter, Status: HoldActive,
		PlacedAt: t.Now(), PlacedBy: t.actor.UserID,
	}}
	d := old.clone()
	first := d.bear(h.Matter)
	m, err := t.matter(h.Matter)
	if err != nil {
		return Hold{}, audit.Event{}, err
	}
	m.placed(h.PlacedAt, first)
	t.putMatter(m)
	t.putHold(nil, h)
	facts := audit.Facts{"hold": audit.Text(h.ID)}
	t.store(old, d, grant{}).tell(facts)
	h.Revision = d.Revision
	detail := detailMembers{}
	detail.text("reason", h.Reason)
	detail.text("matter", h.Matter)
	return h.Hold, audit.Event{
		Op: audit.OpHoldPlaced, Document: d.ID, Facts: facts, Detail: encodeDetail(detail),
	}, nil
}

// ReleaseHold ends a hold, and disposes of nothing. It needs admin access. A
// lock does not stand in its way, and the reason may be "". Releasing what is
// released returns it as it is. ErrHoldNotFound, *NeedsTwoError.
func (v *Vault) ReleaseHold(ctx context.Context, actor Actor, holdID string, cond Condition, reason string) (Hold, Receipt, error) {
	reason, err := releaseReason(reason)
	if err != nil {
		return Hold{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Hold, audit.Event, error) {
		if err := t.releaseNeedsTwo(holdID, cond.IfMatch, &holdRelease{holdID, cond.IfMatch, reason}); err != nil {
			return Hold{}, audit.Event{}, err
		}
		return t.releaseHold(holdID, cond.IfMatch, reason)
	})
}

// releaseNeedsTwo guards the release of a hold that is active.
func (t *tx) releaseNeedsTwo(holdID string, match Match, d deed) error {
	h, err := t.hold(holdID)
	if err != nil || h.Status == HoldReleased || t.may(AccessAdmin) != nil {
		return nil // which is told elsewhere
	}
	if of, err := t.document(h.DocumentID); err != nil || match.check(of.Revision) != nil {
		return nil
	}
	return t.needsTwo(CoveredHoldRelease, d)
}

func releaseReason(reason string) (string, error) {
	var c checks
	reason = check.Trim(reason)
	c.Prose("reason", reason, check.MaxComment)
	return reason, c.err()
}

func (t *tx) releaseHold(holdID string, match Match, reason string) (Hold, audit.Event, error) {
	if err := t.may(AccessAdmin); err != nil {
		return Hold{}, audit.Event{}, err
	}
	was, err := t.hold(holdID)
	if err != nil {
		return Hold{}, audit.Event{}, err
	}
	old, err := t.document(was.DocumentID) // its tombstone, perhaps, once all are released
	if err != nil {
		return Hold{}, audit.Event{}, fmt.Errorf("%w: hold %s is of no document", errDamaged, was.ID)
	}
	was.Revision = old.Revision
	if err := match.check(old.Revision); err != nil || was.Status == HoldReleased {
		return was.Hold, audit.Event{}, err
	}
	h, d := *was, old.clone()
	h.Status, h.ReleasedAt, h.ReleasedBy, h.ReleaseReason = HoldReleased, t.Now(), t.actor.UserID, reason
	if err := d.shed(h.Matter); err != nil {
		return Hold{}, audit.Event{}, err
	}
	m, err := t.matter(h.Matter)
	if err != nil {
		return Hold{}, audit.Event{}, err
	}
	m.released(h.ReleasedAt)
	t.putMatter(m)
	t.putHold(was, &h)
	facts := audit.Facts{"hold": audit.Text(h.ID)}
	t.store(old, d, grant{}).tell(facts)
	detail := detailMembers{}
	detail.text("reason", reason)
	return h.Hold, audit.Event{
		Op: audit.OpHoldReleased, Document: d.ID, Facts: facts, Detail: encodeDetail(detail),
	}, nil
}

// putHold writes a hold with the difference its index rows make; old is nil for
// a new one.
func (t *tx) putHold(old, h *hold) {
	var before [][]byte
	if old != nil {
		before = holdRows(old)
	}
	t.Put(bucketHolds, h.id[:], h.encode())
	t.putRows(bucketHoldRows, before, holdRows(h))
}

// Hold returns one hold, released or not. ErrHoldNotFound.
func (v *Vault) Hold(ctx context.Context, holdID string) (Hold, error) {
	return view(v, func(t *tx) (Hold, error) {
		h, err := t.hold(holdID)
		if err != nil {
			return Hold{}, err
		}
		return h.Hold, nil
	})
}

func (t *tx) hold(holdID string) (*hold, error) {
	key, ok := store.ParseID(holdID)
	if !ok {
		return nil, ErrHoldNotFound
	}
	b := t.Get(bucketHolds, key[:])
	if b == nil {
		return nil, ErrHoldNotFound
	}
	h, err := decodeHold(key, b)
	if err == nil && t.partial() && !t.seen(h.DocumentID) {
		return nil, ErrHoldNotFound
	}
	return h, err
}
