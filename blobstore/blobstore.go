// Package blobstore keeps immutable bytes on a disk under their SHA-256.
//
// # Layout
//
//	<dir>/sha256/00 … ff/<64 hex>   one file per blob, named by its digest
//	<dir>/staging/<name>            bytes on their way in; meaningless to anyone but the process writing them
//
// The digest is the name, so a fixity check needs no program of ours: in any of
// the 256 directories, sha256sum prints each file's own name beside it. The
// directories are made once, by Init. Equal bytes are kept once. Nothing here
// knows who needs a blob; that is the business of whoever calls Remove.
//
// # How bytes come in
//
// Stage hashes a stream. A blob of at most 256 KiB stays in memory until it is
// kept; a longer one is written to staging and synced before Stage returns, so
// that Keep never waits for more than one small write. Keep makes the blob
// visible and durable, Discard forgets it. One of them must be called.
//
// In order, and what a crash (power cut, kill -9) leaves at each point:
//
//  1. Create staging/<name>.         An empty staged file: swept by the next Open.
//  2. Write the bytes to it.         A staged file of any content: swept.
//  3. Sync the file (data, size).    A whole staged file: swept.
//  4. Rename it to sha256/ab/<hex>.  Before the rename reached the disk: as 3. After: the whole blob, since 3 came first,
//     and nobody was told: garbage, until a later Keep of the same bytes finds it, or a purge removes it.
//  5. Sync the directory sha256/ab.  The blob. Only now does Keep return nil.
//
// A name under sha256 therefore never stands for wrong bytes, unless the disk
// itself fails, which is what Check is for. A crash leaves garbage, never a lie.
//
// Remove unlinks the blob and syncs the directory; a crash in between leaves the
// blob or not, and nobody was told.
//
// # Bytes that a log carries
//
// Two syncs for each small blob are most of what a small upload costs. A caller
// with a write-ahead log of its own may put the bytes of a blob in memory into the log's record instead (see Placer), in this order:
//
//  1. Ask Kept. If it says yes, the record needs no bytes and the blob no Place.
//  2. Prepare.        The bytes in staging, unsynced: swept by the next Open.
//  3. Sync the record, bytes included. From here on the blob is durable, by the log.
//  4. Place.          The rename, unsynced. After a power cut the name is there or not, with any bytes.
//  5. SyncPlaced.     Files, then directories. The blob is durable by itself, and only now is it kept.
//  6. Forget the record, if its Place had returned before that SyncPlaced was called.
//
// From 3 to 6 the record has the bytes. So after a crash at any point the next
// process, before it answers anyone, gives every blob of every record that is
// left to Rewrite, which believes nothing that it finds, and removes what no
// reference names. That holds after a kill -9 too, and after a failed sync:
// then the page cache shows bytes that the disk lacks. What no record is left of
// was synced at 5, or was removed: Remove of a blob between 4 and 5 counts at 5
// until its directory is synced, since otherwise a power cut could bring the
// name back, with wrong bytes, when the record that would mend it is forgotten.
//
// The file stays open from 2 to 5. A kernel that could not write a file's pages
// remembers it with the file, and may forget both when nobody has it open.
//
// Until 5 the digest is not kept. An equal blob that comes meanwhile carries its
// bytes in a record again; its Place finds the file and does nothing, its Keep
// writes and syncs a file of its own.
//
// # When something fails
//
// A Keep that failed has kept nothing as far as its caller may know: not a
// reference may be recorded. If it failed at step 5 the blob may be visible, and
// may or may not survive a power cut: garbage. Staging the bytes again and
// keeping them is always right. A failed sync is never repeated on the same
// file, because the kernel may have dropped what it could not write and report
// success the second time: bytes whose sync failed are written anew, and in a directory whose
// sync failed an existing name is replaced rather than trusted, until the disk is opened again.
// After an error of Place, Rewrite or SyncPlaced the log must be replayed.
//
// # Who may do what
//
// One process owns a directory at a time (the vault's lock sees to that): Open
// sweeps staging. All methods of Disk may be called at once by any number of
// goroutines, with one exception which the caller excludes by a lock of its own:
// Remove of a digest must not overlap the time from the beginning of Keep of that digest until
// a reference to it is recorded, nor that from the call of Kept until the record is
// synced and Place has returned. Otherwise Keep could acknowledge a blob that
// Remove is taking away. A Batch is for a store that nobody else uses yet.
package blobstore

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNotFound says that no blob of this digest is kept.
	ErrNotFound = errors.New("blob not found")
	// ErrTooLarge says that a stream was longer than the limit given to Stage.
	ErrTooLarge = errors.New("blob larger than the limit")
	// ErrCorrupt says that the bytes kept under a digest do not have that digest.
	ErrCorrupt = errors.New("blob is corrupt")
	// ErrNoSpace says that the file system, or the quota on it, is full. It wraps the system's error.
	ErrNoSpace = errors.New("no space left for blobs")
	// ErrUnavailable says that the store of the blobs, which is beyond this machine, gives no
	// answer now. What was asked of it may have been done, or may be done later.
	ErrUnavailable = errors.New("the store of the blobs gives no answer")
	// ErrLocked says that the store of the blobs, which is beyond this machine, keeps a
	// blob from being removed by anybody, for a time or until it is held no more.
	ErrLocked = errors.New("the store of the blobs keeps it locked")
	// ErrForeign says that entries which are no blobs lie among the blobs. Each returns it after a complete enumeration.
	ErrForeign = errors.New("foreign files among the blobs")
	// ErrInvalidDigest says that a text is not "sha256:" and 64 lower-case hexadecimal digits.
	ErrInvalidDigest = errors.New("invalid digest")
	// ErrDiscarded is returned by Keep after Discard.
	ErrDiscarded = errors.New("staged blob was discarded")
)

const digestPrefix = "sha256:"

// Digest is the SHA-256 of a blob and its only name.
type Digest [32]byte

// ParseDigest reads the one spelling that String prints: "sha256:" and 64
// lower-case hexadecimal digits. Anything else is ErrInvalidDigest.
func ParseDigest(s string) (Digest, error) {
	digits, ok := strings.CutPrefix(s, digestPrefix)
	if ok {
		if d, ok := parseHex(digits); ok {
			return d, nil
		}
	}
	return Digest{}, fmt.Errorf("%w: want %q and 64 lower-case hexadecimal digits", ErrInvalidDigest, digestPrefix)
}

func parseHex(s string) (d Digest, ok bool) {
	if len(s) != hex.EncodedLen(len(d)) || strings.ToLower(s) != s {
		return Digest{}, false
	}
	if _, err := hex.Decode(d[:], []byte(s)); err != nil {
		return Digest{}, false
	}
	return d, true
}

// String is "sha256:" and 64 lower-case hexadecimal digits.
func (d Digest) String() string { return digestPrefix + d.Hex() }

// Hex is the 64 lower-case hexadecimal digits alone, as sha256sum prints them.
func (d Digest) Hex() string {
	var digits [2 * len(d)]byte
	hex.Encode(digits[:], d[:])
	return string(digits[:])
}

// IsZero tells whether d is the zero value, which stands for "no digest".
func (d Digest) IsZero() bool { return d == Digest{} }

// MarshalText returns what String prints.
func (d Digest) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDigest reads. On error d is unchanged.
func (d *Digest) UnmarshalText(text []byte) error {
	parsed, err := ParseDigest(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// Staged is a blob whose bytes are all read and hashed, but neither visible
// nor promised to survive a crash. It holds memory or a file until Keep or
// Discard, one of which must be called. It is used by one goroutine at a time.
// Digest, Size and Prefix stay valid after both.
type Staged interface {
	Digest() Digest
	// Size is the number of bytes.
	Size() int64
	// Prefix is the first 512 bytes, or all if there are fewer, for telling a
	// media type. The caller must not change it.
	Prefix() []byte
	// Keep makes the blob durable and visible under its digest; both hold when
	// it returns nil. If equal bytes are kept already, the staged copy is
	// dropped and the existing one made durable. After an error (ErrNoSpace
	// among them) the blob must be taken as not kept, although it may be
	// visible. Keep works once: called again it returns what it returned
	// before; to try again, stage again. Cancelling ctx has no effect once
	// the blob is about to become visible.
	Keep(ctx context.Context) error
	// Discard forgets the staged bytes. Called again, or after Keep whatever
	// its outcome, it does nothing.
	Discard() error
}
