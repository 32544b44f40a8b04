package cluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
)

// The other half of the package, until it is there: this file goes when it is.

// loadPointer reads the object "snapshot". object.ErrNotFound: there is no vault.
func (c *Config) loadPointer(ctx context.Context) (p pointer, etag string, err error) {
	return p, "", errors.ErrUnsupported
}

// fetchCopy makes c.Dir the vault of a snapshot, its keys unsealed: whatever copy of
// the vault was there is removed first. It does not save a copyState.
func (c *Config) fetchCopy(ctx context.Context, p pointer) error { return errors.ErrUnsupported }

// takeSnapshot puts a verified snapshot of v, and the pointer to it by Match. The
// place of the commit that it shows is read from the store (readCommit), or is the
// last pointer's where that is of the same number.
func (c *Config) takeSnapshot(ctx context.Context, v vaultCopy, epoch uint64) (pointer, error) {
	return pointer{}, errors.ErrUnsupported
}

// sealKeys puts the key files of c.Dir that are not in the store; unsealKeys brings them.
func (c *Config) sealKeys(ctx context.Context) error   { return nil }
func (c *Config) unsealKeys(ctx context.Context) error { return nil }

// loadCopyState reads cluster.json. ok is false if there is none: whatever is in
// c.Dir is not to be trusted then. saveCopyState writes it durably.
func (c *Config) loadCopyState() (s copyState, ok bool, err error) {
	return s, false, errors.ErrUnsupported
}
func (c *Config) saveCopyState(s copyState) error { return errors.ErrUnsupported }

// bootID names the boot of the machine; "" where that is unknown.
func bootID() string { return "" }

// tended is what an owner's housekeeping has got from the owner.
type tended struct {
	place         // the last commit that is known to be in the store
	Bytes  uint64 // of all commits of this owner, as objects
	Groups uint64 // commits of this owner
}

// tend does an owner's housekeeping: it takes a snapshot if one is due, completes an
// erasure, collects what is older than the history. It is called every ten seconds, by
// one goroutine, while the owner owns. It keeps what it must remember in what it returns,
// which the next call gets; the first gets nil. Collection never takes the commit of
// the snapshot that the pointer names, nor any after it: an owner looks for its last
// commit to see that nobody collected behind its back.
func (c *Config) tend(ctx context.Context, v vaultCopy, t tended, was *tending) (*tending, error) {
	return was, nil
}

// tending is what tend remembers, and a Status tells.
type tending struct {
	Snapshot pointer // the last
}

func (m mark) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, m[:]), nil }

func (m *mark) UnmarshalText(b []byte) error {
	if len(b) != hex.EncodedLen(len(m)) {
		return fmt.Errorf("%w: a mark of %d digits", ErrDamaged, len(b))
	}
	_, err := hex.Decode(m[:], b)
	return err
}
