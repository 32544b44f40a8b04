package engine

import (
	"context"
	"fmt"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// Version is one version of a document. It never changes; Chain binds it to
// all before it, and audit.VersionChain says how it is computed.
type Version struct {
	DocumentID    string
	Number        uint64 // from 1
	Digest        Digest
	Size          int64 // bytes
	MediaType     string
	FileName      string
	Comment       string
	Label         string
	CreatedAt     time.Time
	CreatedBy     string
	PreviousChain audit.Hash // zero for version 1
	Chain         audit.Hash
	Current       bool
	Discarded     bool   // taken back when the lock it was added under was released
	Draft         uint64 // from 1: a version in a scratchpad, whose number is 0 until it is saved
	TextDigest    Digest // of the text that was given for it by SetText; zero: none was
	TextSize      int64  // of that, in bytes; 0: there is none
}

// NewVersion describes a version to be made.
type NewVersion struct {
	MediaType string // "": application/octet-stream
	FileName  string // a name, not a path
	Comment   string
	Label     string
}

func (n *NewVersion) setDefaults() {
	if n.MediaType == "" {
		n.MediaType = "application/octet-stream"
	}
}

func (n *NewVersion) check(c *checks) {
	c.MediaType("mediaType", n.MediaType)
	c.FileName("fileName", n.FileName)
	c.Prose("comment", n.Comment, check.MaxComment)
	c.Line("label", n.Label, check.MaxShort)
}

func (v *Version) facts() audit.Facts {
	return audit.Facts{
		"chain":     audit.Text(v.Chain.String()),
		"digest":    audit.Text(v.Digest.String()),
		"mediaType": audit.Text(v.MediaType),
		"size":      audit.Number(uint64(v.Size)),
	}
}

func (v *Version) detail() map[string]any {
	m := detailMembers{}
	m.text("fileName", v.FileName)
	m.text("comment", v.Comment)
	m.text("label", v.Label)
	return m
}

// AddVersion makes the staged bytes the document's next and current version, and
// returns the document with it. It needs upload access. With the token of a lock
// that has a scratchpad the version waits in that. ErrDocumentArchived.
// *InvalidError if it has as many versions as the settings allow. An Upload can be
// used once.
func (v *Vault) AddVersion(ctx context.Context, actor Actor, documentID string, cond Condition, n NewVersion, u *Upload) (Document, Receipt, error) {
	n.setDefaults()
	var c checks
	n.check(&c)
	if err := c.err(); err != nil {
		return Document{}, Receipt{}, err
	}
	return keep(v, ctx, u, func() (Document, Receipt, error) {
		return update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
			t.upload = u
			return t.nextVersion(documentID, cond, func(*document) (pendingChange, error) {
				return pendingChange{Version: &n, Digest: u.Digest(), Size: u.Size()}, nil
			})
		})
	})
}

// RestoreVersion makes a new version with the bytes of an earlier one, whose
// number it takes. It needs upload access. ErrVersionNotFound, ErrDocumentArchived,
// *InvalidError as AddVersion.
func (v *Vault) RestoreVersion(ctx context.Context, actor Actor, documentID string, cond Condition, number uint64) (Document, Receipt, error) {
	return update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
		return t.nextVersion(documentID, cond, func(d *document) (pendingChange, error) {
			from, err := t.version(d, number)
			if err != nil {
				return pendingChange{}, err
			}
			n := &NewVersion{MediaType: from.MediaType, FileName: from.FileName}
			return pendingChange{Version: n, Digest: from.Digest, Size: from.Size, Restored: number}, nil
		})
	})
}

// nextVersion asks the guards, then source for what the version is made of,
// and adds it.
func (t *tx) nextVersion(documentID string, cond Condition, source func(*document) (pendingChange, error)) (Document, audit.Event, error) {
	old, g, err := t.writable(documentID, AccessUpload, cond)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	c, err := source(old)
	if err != nil {
		return Document{}, audit.Event{}, err
	}
	if t.inScratchpad(old) {
		return t.pend(old, c, g)
	}
	return t.appendVersion(old, *c.Version, c.Digest, c.Size, c.Restored, g)
}

// appendVersion adds a version with its entry; restored is the number of the
// version it is made from, 0 for new bytes.
func (t *tx) appendVersion(old *document, n NewVersion, digest Digest, size int64, restored uint64, g grant) (Document, audit.Event, error) {
	if old.Archived {
		return Document{}, audit.Event{}, ErrDocumentArchived
	}
	d := old.clone()
	if err := t.addVersion(d, n, digest, size); err != nil {
		return Document{}, audit.Event{}, err
	}
	t.changes(d)
	facts := d.Current.facts()
	t.store(old, d, g).tell(facts)
	if restored != 0 {
		facts["restored"] = audit.Number(restored)
	}
	return d.Document, audit.Event{
		Op: audit.OpDocumentVersionAdded, Document: d.ID, Version: d.Current.Number,
		Facts: facts, Detail: encodeDetail(d.Current.detail()),
	}, nil
}

// admitsVersion says whether a document may come to have so many versions. Those of
// a document that has more, because the setting was lowered, stay.
func (t *tx) admitsVersion(number uint64) error {
	s, err := t.settings()
	if err != nil || number <= s.MaxVersions {
		return err
	}
	return invalid("maxVersions", "the document has as many versions as the setting maxVersions allows, %d; an admin can raise that, or make another document", s.MaxVersions)
}

// addVersion writes the version and the row that says who needs its bytes, and
// makes it the current one of d. The caller stores d.
func (t *tx) addVersion(d *document, n NewVersion, digest Digest, size int64) error {
	if err := t.admitsVersion(d.VersionCount + 1); err != nil {
		return err
	}
	var previous audit.Hash
	if d.VersionCount > 0 {
		last, err := t.version(d, d.VersionCount)
		if err != nil {
			return fmt.Errorf("%w: %s lacks version %d", errDamaged, d, d.VersionCount)
		}
		previous = last.Chain
	}
	ver := &Version{
		DocumentID: d.ID, Number: d.VersionCount + 1, Digest: digest, Size: size,
		MediaType: n.MediaType, FileName: n.FileName, Comment: n.Comment, Label: n.Label,
		CreatedAt: t.Now(), CreatedBy: t.actor.UserID, PreviousChain: previous, Current: true,
	}
	ver.Chain = audit.VersionChain(previous, d.ID, ver.Number, digest.String(), uint64(size), ver.MediaType, ver.CreatedAt, ver.CreatedBy)
	t.Put(bucketVersions, versionKey(d.id, ver.Number), encodeVersion(ver))
	t.refer(digest, refKey(digest, d.id, ver.Number))
	d.Current, d.VersionCount = ver, ver.Number
	return nil
}

// Version returns one version, the current one for number 0. ErrVersionNotFound,
// ErrDocumentNotFound, *DeletedError.
func (v *Vault) Version(ctx context.Context, documentID string, number uint64) (Version, error) {
	return view(v, func(t *tx) (Version, error) {
		ver, err := t.liveVersion(documentID, number)
		if err != nil {
			return Version{}, err
		}
		return *ver, nil
	})
}

func (t *tx) liveVersion(documentID string, number uint64) (*Version, error) {
	d, err := t.liveDocument(documentID)
	if err != nil {
		return nil, err
	}
	if number == 0 {
		return d.Current, nil
	}
	return t.version(d, number)
}

func (t *tx) version(d *document, number uint64) (*Version, error) {
	if d.Current != nil && d.Current.Number == number {
		return d.Current, nil
	}
	return t.storedVersion(d, number)
}

func (t *tx) storedVersion(d *document, number uint64) (*Version, error) {
	b := t.Get(bucketVersions, versionKey(d.id, number))
	if b == nil {
		return nil, ErrVersionNotFound
	}
	return decodeVersion(d.id, b)
}

// Versions lists the versions of a document, the newest first.
// ErrDocumentNotFound, *DeletedError.
func (v *Vault) Versions(ctx context.Context, documentID string, p Paging) (Page[Version], error) {
	limit, err := pageLimit(p.Limit)
	if err != nil {
		return Page[Version]{}, err
	}
	at, err := versionPlace(p.Cursor)
	if err != nil {
		return Page[Version]{}, err
	}
	return view(v, func(t *tx) (Page[Version], error) {
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Page[Version]{}, err
		}
		number := d.VersionCount
		if at > 0 {
			number = min(number, at-1)
		}
		var page Page[Version]
		for ; number > 0; number-- {
			if len(page.Items) == limit {
				page.NextCursor = store.EncodePlace(listVersions, store.SeqKey(number+1))
				break
			}
			ver, err := t.version(d, number)
			if err != nil {
				return Page[Version]{}, fmt.Errorf("%s, version %d: %w", d, number, err)
			}
			page.Items = append(page.Items, *ver)
		}
		return page, nil
	})
}
