package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// What the holder of a scratchpad reads beyond its [Sketch], and what is asked
// before a long upload.

// SketchVersions is [Vault.Versions] as the holder of this token sees them:
// those of the scratchpad first. ErrNotLocked as for [Vault.Sketch].
func (v *Vault) SketchVersions(ctx context.Context, actor Actor, documentID, token string, p Paging) (Page[Version], error) {
	s, err := v.Sketch(ctx, actor, documentID, token)
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

// OpenSketch opens the current version's bytes as the holder of this token
// sees it. ErrNotLocked as for [Vault.Sketch]. What is in a scratchpad has no
// version number, and its download no entry: the log tells nobody what is not
// saved yet.
func (v *Vault) OpenSketch(ctx context.Context, actor Actor, documentID, token string) (Version, io.ReadSeekCloser, Receipt, error) {
	for {
		s, err := v.Sketch(ctx, actor, documentID, token)
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
		again, moved := v.Sketch(ctx, actor, documentID, token)
		if moved == nil && again.Document.Current.Digest == current.Digest || !errors.Is(err, blobstore.ErrNotFound) {
			return Version{}, nil, Receipt{}, fmt.Errorf("open draft %d of document %s: %w", current.Draft, documentID, err)
		}
	}
}

// Expect asks what AddVersion will be asked, so that nobody sends a gigabyte to
// be refused. That it is let through here promises nothing.
func (v *Vault) Expect(ctx context.Context, actor Actor, documentID string, c Condition) error {
	_, err := view(v, func(t *tx) (struct{}, error) {
		if err := t.admit(actor); err != nil {
			return struct{}{}, err
		}
		d, err := t.writable(documentID, AccessUpload, c)
		if err == nil && d.Archived {
			err = ErrDocumentArchived
		}
		return struct{}{}, err
	})
	return err
}
