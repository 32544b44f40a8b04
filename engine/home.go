package engine

import (
	"context"
	"errors"
	"io"

	"strongroom/audit"
)

var (
	// ErrReplaced is what Home.Ship returns when another server has the number of the
	// group: it owns the vault now.
	ErrReplaced = errors.New("another server owns this vault now")
	// ErrFollower: the vault is opened to follow what its owner does, and takes no change.
	ErrFollower = errors.New("this server follows the vault and does not own it")
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

// DatabaseCopy is the vault's database as one instant has it.
type DatabaseCopy struct {
	Head  audit.Head
	Group uint64 // the last that is in it
	Size  int64  // bytes

	write func(io.Writer) (int64, error)
}

// WriteTo copies it.
func (c DatabaseCopy) WriteTo(w io.Writer) (int64, error) { return c.write(w) }

// Apply brings a vault that follows further, by the records of the next groups, in
// their order. Each is checked against the audit log: it must go on where the vault
// stands, and end where it says. Readers see all of a group or nothing. ErrDamaged if a record
// is not what an owner shipped, or not the next one; nothing of it happens then, and
// those before it may have. Only the one who follows calls it.
func (v *Vault) Apply(ctx context.Context, records ...[]byte) error { return errors.ErrUnsupported }

// Group is the number of the last group that the database has.
func (v *Vault) Group() uint64 { return 0 }

// EmptyGroup is the record of a next group that changes nothing: a new owner's first.
func (v *Vault) EmptyGroup() (group uint64, record []byte) { return 0, nil }

// CopyDatabase runs fn with the database as it is on disk now. It pins what is freed
// meanwhile, so fn copies and does nothing else.
func (v *Vault) CopyDatabase(fn func(DatabaseCopy) error) error { return errors.ErrUnsupported }

// PlaceDatabase makes dir a vault of a copy that CopyDatabase wrote; it may hold nothing
// but the keys of KeyFiles. A crash meanwhile leaves no vault.
func PlaceDatabase(dir string, r io.Reader) error { return errors.ErrUnsupported }

// KeyFiles are the files of a vault's directory that are kept beside the database, and
// that its servers must share: secrets, each of some dozen bytes to a few kilobytes. Not all need to be there.
func KeyFiles() []string { return nil }

// Wiped is the last entry up to which nothing that was erased lies in the database's file
// any more, not even in pages that are free.
func (v *Vault) Wiped() uint64 { return v.wiped.Load() }
