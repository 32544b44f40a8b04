package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// inScratchpad says whether a change that was let through belongs in a scratchpad.
func (t *tx) inScratchpad(d *document) bool {
	l := t.live(d)
	return l != nil && l.scratchPad
}

// pend puts a change into the holder's scratchpad. The answer is the document
// as the holder sees it from then on.
func (t *tx) pend(old *document, change pendingChange, g grant) (Document, audit.Event, error) {
	pad, err := t.scratchpadOf(old, old.lease.userID)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	if len(pad.Changes) == 0 {
		pad.Base = old.Revision
	}
	before, refused, err := t.sketchOf(old, pad)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	change.At = t.Now()
	if change.Version != nil {
		change.Ref = draftRef(t.Seq())
	}
	pad.Changes = append(pad.Changes, change)
	after, still, err := t.sketchOf(old, pad)
	if err == nil {
		err = still[len(still)-1]
	}
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	// What is refused by now is mended by setting what is shown already.
	if change.Version == nil && errors.Join(refused...) == nil && len(differences(before, after)) == 0 && slices.Equal(before.confirmed, after.confirmed) {
		return before.Document, audit.Event{}, nil
	}
	pad.Ends, pad.seal = t.Now().Add(g.window), newSeal()
	record := pad.encode()
	if len(pad.Changes) > maxPending || len(record) > maxScratchpad {
		return Document{}, audit.Event{}, fmt.Errorf("%w: its scratchpad is full; save it first", ErrLockState)
	}
	d := old.clone()
	d.lease.base = pad.Base
	facts := audit.Facts{"draft": audit.Number(uint64(len(pad.Changes)))}
	t.store(old, d, g).tell(facts)
	t.putScratchpad(d, record, facts)
	if change.Version != nil {
		t.refer(change.Digest, refKey(change.Digest, d.id, change.Ref))
	}
	after.Lock, after.AuditSeq = d.Lock, d.AuditSeq
	return after.Document, audit.Event{
		Op: audit.OpLockRenewed, Document: d.ID, Facts: facts,
	}, nil
}

// sketchOf is the document as the holder of a scratchpad sees it, and for each
// change nil, or why the vault refuses it by now: then nothing of it is shown.
func (t *tx) sketchOf(d *document, pad *scratchpad) (shown *document, refused []error, err error) {
	shown, n := d.clone(), uint64(0)
	for _, change := range pad.current() {
		if change.Version != nil {
			n++
		}
		next := shown.clone()
		err := t.replay(next, change, n)
		switch {
		case err == nil:
			shown = next
		case !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrExists):
			return nil, nil, err
		}
		refused = append(refused, err)
	}
	return shown, refused, nil
}

// replay applies a change to a document that is only shown.
func (t *tx) replay(d *document, change pendingChange, n uint64) error {
	if change.Version == nil {
		return t.patch(d, *change.Patch)
	}
	if err := t.admitsVersion(d.VersionCount + n); err != nil {
		return err
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

// Sketch returns the document as the holder of the scratchpad sees it, who shows
// Condition.LockToken. ErrNotLocked if that is not the token of a live lock with
// a scratchpad: then there is nothing to see but the document itself.
func (v *Vault) Sketch(ctx context.Context, actor Actor, documentID string, cond Condition) (Sketch, error) {
	return view(v, func(t *tx) (Sketch, error) {
		if err := t.admit(actor); err != nil {
			return Sketch{}, err
		}
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Sketch{}, err
		}
		l := t.live(d)
		if l == nil || !l.scratchPad || l.userID != t.actor.UserID || !v.isToken(d.ID, l, cond.LockToken) {
			return Sketch{}, ErrNotLocked
		}
		pad, err := t.scratchpadOf(d, l.userID)
		if err != nil {
			return Sketch{}, err
		}
		shown, _, err := t.sketchOf(d, pad)
		if err != nil {
			return Sketch{}, err
		}
		s := Sketch{Document: shown.Document}
		only := d.clone()
		for _, change := range pad.Changes {
			if change.Version == nil {
				continue
			}
			t.replay(only, change, uint64(len(s.Versions)+1))
			ver := *only.Current
			ver.Current = ver.Draft == pad.versions()
			s.Versions = append(s.Versions, ver)
		}
		slices.Reverse(s.Versions)
		return s, nil
	})
}

// What the holder of a scratchpad reads beyond its [Sketch], and what is asked
// before a long upload.

// SketchVersions is [Vault.Versions] as the holder of the scratchpad sees them:
// those in the scratchpad first. Condition.LockToken and ErrNotLocked as for
// [Vault.Sketch].
func (v *Vault) SketchVersions(ctx context.Context, actor Actor, documentID string, cond Condition, p Paging) (Page[Version], error) {
	s, err := v.Sketch(ctx, actor, documentID, cond)
	if err != nil {
		return Page[Version]{}, err
	}
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return Page[Version]{}, err
	}
	at, err := versionPlace(p.Cursor)
	if err != nil {
		return Page[Version]{}, err
	}
	// A cursor within the scratchpad names a draft by its number,
	// marked; any other is that of the versions below.
	drafts := s.Versions
	switch {
	case isDraftRef(at):
		passed := at - draftRef(0)
		drafts, p.Cursor = drafts[len(drafts)-int(min(passed-1, uint64(len(drafts)))):], ""
	case at > 0:
		drafts = nil
	}
	page := Page[Version]{Items: drafts[:min(limit, len(drafts))]}
	if rest := limit - len(page.Items); rest > 0 {
		saved, err := v.Versions(ctx, documentID, Paging{Limit: rest, Cursor: p.Cursor})
		if err != nil {
			return Page[Version]{}, err
		}
		for _, ver := range saved.Items {
			ver.Current = ver.Current && len(s.Versions) == 0
			page.Items = append(page.Items, ver)
		}
		page.NextCursor = saved.NextCursor
		return page, nil
	}
	last := page.Items[len(page.Items)-1]
	page.NextCursor = store.EncodePlace(listVersions, store.SeqKey(draftRef(last.Draft)))
	return page, nil
}

// versionPlace is the number after which a page of versions goes on, 0 for the
// first page.
func versionPlace(cursor string) (uint64, error) {
	place, err := decodeCursor(listVersions, cursor)
	switch {
	case err != nil || place == nil:
		return 0, err
	case len(place) != 8 || binary.BigEndian.Uint64(place) == 0:
		return 0, invalid("cursor", "is not a cursor of this list; start again without one")
	}
	return binary.BigEndian.Uint64(place), nil
}

// OpenSketch opens the bytes of the current version as the holder of the
// scratchpad sees it. Condition.LockToken and ErrNotLocked as for
// [Vault.Sketch]. A version that waits in a scratchpad has no number, and its
// download has no entry: the log tells nobody what is not saved yet. The caller
// closes the file.
func (v *Vault) OpenSketch(ctx context.Context, actor Actor, documentID string, cond Condition) (Version, io.ReadSeekCloser, Receipt, error) {
	for {
		s, err := v.Sketch(ctx, actor, documentID, cond)
		if err != nil {
			return Version{}, nil, Receipt{}, err
		}
		current := *s.Document.Current
		if current.Draft == 0 {
			return v.OpenContent(ctx, actor, documentID, current.Number)
		}
		file, err := v.blobs.Open(current.Digest)
		if err == nil {
			return current, file, Receipt{}, nil
		}
		again, moved := v.Sketch(ctx, actor, documentID, cond)
		if moved == nil && again.Document.Current.Digest == current.Digest || !errors.Is(err, blobstore.ErrNotFound) {
			return Version{}, nil, Receipt{}, fmt.Errorf("open draft %d of document %s: %w", current.Draft, documentID, err)
		}
	}
}

// Expect checks what AddVersion will check, so that nobody sends a gigabyte to
// be refused. That it is let through here promises nothing. It writes nothing.
func (v *Vault) Expect(ctx context.Context, actor Actor, documentID string, cond Condition) error {
	_, err := view(v, func(t *tx) (struct{}, error) {
		if err := t.admit(actor); err != nil {
			return struct{}{}, err
		}
		d, _, err := t.writable(documentID, AccessUpload, cond)
		if err == nil && d.Archived {
			err = ErrDocumentArchived
		}
		return struct{}{}, err
	})
	return err
}
