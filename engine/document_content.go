package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
)

// Upload is bytes on their way into the vault: hashed and written aside, seen
// by nobody. Give it to CreateDocument or AddVersion once, and always Discard
// it: after use that does nothing.
type Upload struct {
	staged  blobstore.Staged
	used    atomic.Bool
	carried blobstore.Placer // not nil: the log takes its bytes; see carry
}

// Stage reads the bytes of a version to come, outside any transaction, so a
// slow reader holds up nobody. limit is in bytes, 0 is none. ErrTooLarge as
// soon as it is passed, ErrNoSpace when the disk is full but for its reserve,
// however far the reading is; nothing is left behind then. Errors of r come back as they are, wrapped.
func (v *Vault) Stage(ctx context.Context, r io.Reader, limit int64) (*Upload, error) {
	if err := v.store.Ready(); err != nil {
		return nil, err
	}
	if err := v.store.CheckReserve(); err != nil {
		return nil, err
	}
	staged, err := v.blobs.Stage(ctx, &frugal{r: r, room: v.store.CheckReserve}, limit)
	if err != nil {
		return nil, fmt.Errorf("stage an upload: %w", blobError(err))
	}
	return &Upload{staged: staged}, nil
}

// frugal is a reader that asks, for each MiB it has brought, whether there is room
// for more: many slow uploads begin while there is.
type frugal struct {
	r    io.Reader
	room func() error
	came int // bytes since it was asked
}

func (f *frugal) Read(p []byte) (int, error) {
	if f.came >= 1<<20 {
		f.came = 0
		if err := f.room(); err != nil {
			return 0, err
		}
	}
	n, err := f.r.Read(p)
	f.came += n
	return n, err
}

// blobError gives the errors of the store the engine's names.
func blobError(err error) error {
	switch {
	case errors.Is(err, blobstore.ErrTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, blobstore.ErrNoSpace):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	case errors.Is(err, blobstore.ErrUnavailable):
		return &UnavailableError{Reason: ReasonBlobs, Err: err}
	}
	return err
}

// Digest is the SHA-256 of the bytes.
func (u *Upload) Digest() Digest { return u.staged.Digest() }

// Size is in bytes.
func (u *Upload) Size() int64 { return u.staged.Size() }

// Prefix is the first 512 bytes at most, enough to tell a media type.
func (u *Upload) Prefix() []byte { return u.staged.Prefix() }

// Discard forgets the bytes, unless a version has them.
func (u *Upload) Discard() error { return u.staged.Discard() }

// keep makes the bytes durable before the record that names them, or, if they are
// few, with it: they are carried by the transaction that writes their first
// reference (see refer). A crash in between leaves bytes nobody needs, which the
// next Sweep finds. The lock is shared from placing the bytes to the commit of
// their reference, so that a purge of equal bytes cannot come in between.
//
// What was placed for a record that then failed is unlinked again, so an upload
// serves once.
func keep[T any](v *Vault, ctx context.Context, u *Upload, record func() (T, Receipt, error)) (T, Receipt, error) {
	if u.used.Swap(true) {
		var none T
		return none, Receipt{}, invalid("file", "was given to an earlier call; stage the bytes again")
	}
	result, receipt, err := func() (result T, receipt Receipt, err error) {
		v.bytes.RLock()
		defer v.bytes.RUnlock()
		if err := v.store.Ready(); err != nil {
			return result, receipt, err
		}
		if err := v.carry(ctx, u); err != nil {
			return result, receipt, fmt.Errorf("keep an upload: %w", blobError(err))
		}
		result, receipt, err = record()
		if u.carried != nil {
			u.carried.Discard() // what was placed is spent; what was not is in nobody's way
		}
		if err != nil && v.store.Ready() != nil {
			v.litter.Store(true) // before Close, which waits for the lock, says that the end was clean
		}
		return result, receipt, err
	}()
	if err != nil {
		v.purge(context.WithoutCancel(ctx), u.Digest())
	}
	return result, receipt, err
}

// OpenContent opens the bytes of a version, the current one for number 0. With
// the setting AuditReads on it needs view access, and the entry
// document.downloaded, which the receipt names, is on disk before it returns.
// Without it, it checks no access and the receipt is zero. The caller closes the
// file. It is an *os.File if the bytes are on the local disk, and stays readable
// when the document is deleted meanwhile. ErrDocumentNotFound,
// ErrVersionNotFound, *DeletedError.
func (v *Vault) OpenContent(ctx context.Context, actor Actor, documentID string, number uint64) (Version, io.ReadSeekCloser, Receipt, error) {
	wanted, err := v.content(documentID, number)
	if err != nil {
		return Version{}, nil, Receipt{}, err
	}
	file, err := v.blobs.Open(wanted.Digest)
	if errors.Is(err, blobstore.ErrNotFound) {
		// Deleted between the two steps, or the bytes are lost: the record tells.
		if _, err := v.content(documentID, number); err != nil {
			return Version{}, nil, Receipt{}, err
		}
	}
	if err != nil {
		return Version{}, nil, Receipt{}, fmt.Errorf("open version %d of document %s: %w", wanted.Number, wanted.DocumentID, blobError(err))
	}
	var receipt Receipt
	if wanted.audited {
		if receipt, err = v.recordDownload(ctx, actor, &wanted.Version); err != nil {
			return Version{}, nil, Receipt{}, errors.Join(err, file.Close())
		}
	}
	return wanted.Version, file, receipt, nil
}

// content is a version whose bytes are wanted, and whether that is recorded.
type content struct {
	Version
	audited bool
}

func (v *Vault) content(documentID string, number uint64) (content, error) {
	return view(v, func(t *tx) (content, error) {
		ver, err := t.liveVersion(documentID, number)
		if err != nil {
			return content{}, err
		}
		s, err := t.settings()
		return content{*ver, s.AuditReads}, err
	})
}

func (v *Vault) recordDownload(ctx context.Context, actor Actor, ver *Version) (Receipt, error) {
	_, receipt, err := update(v, ctx, actor, func(t *tx) (struct{}, audit.Event, error) {
		event, err := t.download(ver.DocumentID, ver.Number)
		return struct{}{}, event, err
	})
	return receipt, err
}

// download notes that a version is read. Its digest is the record's.
func (t *tx) download(documentID string, number uint64) (audit.Event, error) {
	if err := t.may(AccessView); err != nil {
		return audit.Event{}, err
	}
	ver, err := t.liveVersion(documentID, number)
	if err != nil {
		return audit.Event{}, err
	}
	old, err := t.liveDocument(ver.DocumentID)
	if err != nil {
		return audit.Event{}, err
	}
	t.touch(old)
	return audit.Event{
		Op: audit.OpDocumentDownloaded, Document: old.ID, Version: ver.Number,
		Facts: audit.Facts{"digest": audit.Text(ver.Digest.String())},
	}, nil
}

// shownFor is how long a version whose passages were shown to somebody is not
// noted again for them.
const shownFor = 15 * time.Minute

// recent is who was shown passages of which versions a moment ago: derived state
// that a restart forgets.
type recent struct {
	mu sync.Mutex // leaf lock
	at map[reading]time.Time
}

type reading struct {
	userID     string
	documentID string
	number     uint64
}

// lately says whether a reading was noted a moment ago.
func (s *recent) lately(r reading, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, noted := s.at[r]
	return noted && now.Sub(at) < shownFor
}

func (s *recent) note(readings []reading, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[reading]time.Time{}
	}
	maps.DeleteFunc(s.at, func(_ reading, at time.Time) bool { return now.Sub(at) >= shownFor })
	for _, r := range readings {
		s.at[r] = now
	}
}

// RecordShown records that passages of documents are about to be shown, of their
// current versions. With the setting AuditReads on it needs view access, and an
// entry document.downloaded for each, with the fact part, is on disk before it
// returns; one a user, version and quarter of an hour. Without it, it checks no
// access and writes nothing. Documents that were deleted meanwhile are passed
// over. It takes a page of documents, 500 at most.
func (v *Vault) RecordShown(ctx context.Context, actor Actor, documents []Document) error {
	s, err := v.Settings(ctx)
	if err != nil || !s.AuditReads {
		return err
	}
	now := v.store.Clock.Now()
	var readings []reading
	var steps []func(*tx) (struct{}, audit.Event, error)
	for _, d := range documents {
		if d.Current == nil {
			continue
		}
		r := reading{actor.UserID, d.ID, d.Current.Number}
		if v.recent.lately(r, now) {
			continue
		}
		readings = append(readings, r)
		steps = append(steps, func(t *tx) (none struct{}, event audit.Event, err error) {
			event, err = t.download(r.documentID, r.number)
			if errors.Is(err, ErrDocumentNotFound) || errors.Is(err, ErrDocumentDeleted) {
				return none, audit.Event{}, nil
			}
			if err == nil {
				event.Facts["part"] = audit.Text("passages")
			}
			return none, event, err
		})
	}
	if len(steps) == 0 {
		return nil
	}
	if _, _, err := updateAll(v, ctx, actor, steps...); err != nil {
		return err
	}
	v.recent.note(readings, now)
	return nil
}
