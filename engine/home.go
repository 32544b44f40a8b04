package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"strongroom/audit"
	"strongroom/engine/internal/store"
	"strongroom/engine/internal/store/wal"
)

var (
	// ErrReplaced is what Home.Ship returns when another server has the number of the
	// group: it owns the vault now.
	ErrReplaced = store.ErrReplaced
	// ErrRecord is what Apply returns for a record that does not go on from where the
	// vault stands.
	ErrRecord = store.ErrRecord
	// ErrFollower: the vault is opened to follow what its owner does, and takes no change.
	ErrFollower = store.ErrFollower
)

// Home is where a vault lives that is not at home on this machine's disk: a store
// beyond it, which has every group of changes before anybody is told of one. The
// vault's directory is a working copy then, and may burn.
//
// A group's record is everything that it does, and nothing else: the rows it puts and
// deletes, and where the audit log stands after it. Groups are numbered from 1, without
// gaps, since the vault was made. Package cluster is a Home in a store of objects.
type Home interface {
	// Ship keeps the record of a group, and returns nil when it is known to be kept. It
	// is called by one caller at a time, with the next number each time, and never
	// before the last is known. The record is not changed, and is the vault's again
	// afterwards. Whatever it returns ends the vault here: it refuses all calls from
	// then on, since nobody knows whether the group happened. With ErrReplaced it did not.
	Ship(group uint64, record []byte) error
}

// Eraser is a Home that knows what is left in it of what was erased: an erasure is
// completed when nothing is. It may be a follower's Home too, which ships nothing.
type Eraser interface {
	// Erased is the last entry up to which the home holds nothing that was erased. It
	// takes no time.
	Erased() uint64
}

// CopyingBlobs is a BlobStore beyond this machine that keeps copies here.
type CopyingBlobs interface {
	BlobStore
	// Forget removes the copies here of bytes. What the store has is its owner's. A
	// vault that follows says so of bytes that nobody needs any more.
	Forget(Digest) error
	// OpenStored is Open without the copies here: Scrub reads what the store has.
	OpenStored(Digest) (io.ReadSeekCloser, error)
}

// DatabaseCopy is the vault's database as one instant has it.
type DatabaseCopy struct {
	Head  audit.Head
	Group uint64 // the last that is in it
	Size  int64  // bytes

	of store.Snapshot
}

// WriteTo copies it.
func (c DatabaseCopy) WriteTo(w io.Writer) (int64, error) { return c.of.WriteTo(w) }

// CopyDatabase runs fn with the database as it is on disk now. It pins what is freed
// meanwhile, so fn copies and does nothing else. *UnavailableError, and what fn returns.
func (v *Vault) CopyDatabase(fn func(DatabaseCopy) error) error {
	return v.store.Snapshot(func(s store.Snapshot) error { return fn(DatabaseCopy{s.Head, s.Group, s.Size, s}) })
}

// overwritten is the last entry up to which what was erased is nowhere any more.
func (v *Vault) overwritten() uint64 {
	wiped := v.wiped.Load()
	if v.eraser != nil {
		wiped = min(wiped, v.eraser.Erased())
	}
	return wiped
}

// Apply brings a vault that follows further, by the records of the next groups, in
// their order. Each is checked against the audit log: it must go on where the vault
// stands, and end where it says. Readers see all of a group or nothing. ErrRecord if a record
// is not what an owner shipped, or not the next one; nothing of it happens then, and
// those before it have. *UnavailableError, ErrNoSpace. Only the one who follows calls it.
func (v *Vault) Apply(ctx context.Context, records ...[]byte) error {
	if !v.follows {
		return errors.New("apply: the vault is not opened to follow")
	}
	landed, err := v.store.Apply(ctx, records)
	var forgotten []Digest
	for _, r := range landed {
		digests, failed := v.followed(r)
		err = errors.Join(err, failed)
		forgotten = append(forgotten, digests...)
	}
	return errors.Join(err, v.forget(forgotten))
}

// followed takes note of what a record did that a vault does more about than keep it: what was
// erased is overwritten here too, by Sweep. It returns the digests that may be needed no more.
func (v *Vault) followed(r wal.Record) (digests []Digest, err error) {
	for _, row := range r.Rows {
		switch {
		case row.Deleted && bytes.Equal(row.Bucket, bucketRefs) && len(row.Key) >= len(Digest{}):
			digests = append(digests, Digest(row.Key[:len(Digest{})]))
		case bytes.Equal(row.Bucket, store.Log):
			e, err := audit.ParseEntry(row.Value)
			if err != nil {
				return digests, err
			}
			if e.Op == audit.OpErasureCompleted {
				v.erasedTo(e.Seq)
				v.unwiped.Store(true)
				v.signalDue()
			}
		}
	}
	return digests, nil
}

// forget removes copies here of bytes that no row names any more.
func (v *Vault) forget(digests []Digest) error {
	f, ok := v.blobs.(CopyingBlobs)
	if !ok {
		return nil
	}
	for _, d := range digests {
		needed, err := v.Needs(d)
		if err == nil && !needed {
			err = f.Forget(d)
		}
		if err != nil {
			return fmt.Errorf("forget bytes that nobody needs: %w", err)
		}
	}
	return nil
}

// Needs says whether anything in the vault needs these bytes.
func (v *Vault) Needs(d Digest) (bool, error) {
	return view(v, func(t *tx) (bool, error) { return t.needed(d), nil })
}

// Group is the number of the last group that the database has on disk. *UnavailableError.
func (v *Vault) Group() (uint64, error) { return v.store.Group() }

// EmptyGroup is the record of a next group that changes nothing: a new owner's first.
// *UnavailableError.
func (v *Vault) EmptyGroup() (group uint64, record []byte, err error) { return v.store.EmptyGroup() }

// Wiped is the last entry up to which nothing that was erased lies in the database's file
// any more, not even in pages that are free.
func (v *Vault) Wiped() uint64 { return v.wiped.Load() }

// PlaceDatabase makes dir a vault of a copy that CopyDatabase wrote; it may hold nothing
// else of a vault but the files of KeyFiles and what DropDatabase leaves. A crash meanwhile leaves no vault. ErrVaultExists.
func PlaceDatabase(dir string, r io.Reader) error {
	if _, err := os.Stat(filepath.Join(dir, fileDB)); err == nil {
		return fmt.Errorf("%w: %s", ErrVaultExists, dir)
	}
	if err := store.Place(dir, r); err != nil {
		return fmt.Errorf("place the database of a vault: %w", err)
	}
	return nil
}

// DropDatabase removes the database of a vault that nobody has open, and leaves the
// rest: what was a working copy is none any more. A crash meanwhile leaves no vault.
func DropDatabase(dir string) error {
	if err := store.Drop(dir); err != nil {
		return fmt.Errorf("drop the database of a vault: %w", err)
	}
	return nil
}

// KeyFiles are the files of a vault's directory that are kept beside the database, and
// that its servers must share: secrets and what was signed with them, each of some
// dozen bytes to a few kilobytes. Not all need to be there.
func KeyFiles() []string {
	return []string{fileLockKey, fileSignKey, fileMLDSA, fileCosigned, fileContradict}
}
