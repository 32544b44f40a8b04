package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"strongroom/blobstore/object"
)

// snapshot is what is known of one: an object with the vault's database as it was after
// a commit. Init's has a mark of its own, for there is no commit of its number: the
// commit after it names that mark as its predecessor's. Every other has the mark of
// its commit.
type snapshot struct {
	place
	Seq    uint64    `json:"seq"`
	Hash   string    `json:"hash"` // of the log's head
	Head   time.Time `json:"head"` // the head's time
	Rows   int64     `json:"rows"` // bytes of the database
	Size   int64     `json:"size"` // of the object
	Digest string    `json:"digest"`
	Key    string    `json:"key"`
	By     uint64    `json:"by"`    // the epoch of who took it
	Time   time.Time `json:"time"`  // when it stood in the store, by the store's clock
	Wiped  uint64    `json:"wiped"` // nothing that was erased up to this entry is in it
}

// pointer is the object "snapshot": the newest snapshot that was read back and is whole,
// and the older ones that still stand. It is written by Match alone, so what it says
// is true of one instant, and no listing is asked what there is.
type pointer struct {
	Vault string `json:"vault"` // its id
	snapshot
	// Fence is the epoch of the last owner who wrote the pointer: none of an earlier one
	// points to anything any more, so what it left lying is a stray.
	Fence uint64     `json:"fence"`
	Older []snapshot `json:"older,omitempty"` // oldest first
	// Clean is the last entry up to which nothing that was erased lies in the store;
	// CleanAt is since when, by the store's clock. An entry after it that erases nothing
	// changes neither. Nothing can be restored of a time before the oldest snapshot.
	Clean   uint64    `json:"clean"`
	CleanAt time.Time `json:"cleanAt"`
	// Left says that the vault has moved out of the store. Zero: it is there.
	Left time.Time `json:"left"`
}

// maxPointer bounds what is read as a pointer: some thousands of snapshots.
const maxPointer = 4 << 20

// ErrLeft says that the vault was moved out of the store, to a disk: what is left in the
// store may be removed, and is not served.
var ErrLeft = errors.New("the vault was moved out of the store")

// loadPointer reads the object "snapshot". object.ErrNotFound: there is no vault.
// ErrLeft, ErrDamaged.
func (c *Config) loadPointer(ctx context.Context) (p pointer, etag string, err error) {
	p, info, err := c.readPointer(ctx)
	if err == nil && !p.Left.IsZero() {
		err = fmt.Errorf("%w, on %s", ErrLeft, p.Left.Format(time.RFC3339))
	}
	return p, info.ETag, err
}

func (c *Config) readPointer(ctx context.Context) (p pointer, info object.Info, err error) {
	b, info, err := c.readSmall(ctx, keySnapshot, maxPointer)
	if err != nil {
		return pointer{}, info, err
	}
	if err := json.Unmarshal(b, &p); err != nil || p.Vault == "" || p.Key == "" {
		return pointer{}, info, fmt.Errorf("%w: %s is no pointer to a snapshot", ErrDamaged, keySnapshot)
	}
	return p, info, nil
}

// savePointer replaces the pointer that was read. object.ErrChanged: somebody else has.
func (c *Config) savePointer(ctx context.Context, p pointer, condition object.Condition) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return c.put(ctx, keySnapshot, append(b, '\n'), condition)
}

// Attempts of put, and the pause before the second; it doubles each time.
const (
	putTries = 8
	putPause = 50 * time.Millisecond
)

// put puts a small object, and says what became of it: nil, it is there; ErrExists or
// ErrChanged, it is not and will not be. Any other error says that the store did not
// tell after a dozen seconds: it may be there.
func (c *Config) put(ctx context.Context, key string, b []byte, condition object.Condition) error {
	pause := putPause
	for try := 1; ; try++ {
		_, err := c.Objects.Put(ctx, key, b, condition)
		if err == nil {
			return nil
		}
		if errors.Is(err, object.ErrExists) || errors.Is(err, object.ErrChanged) {
			// The request may have been sent twice, and the first have been ours.
			have, _, failed := c.readSmall(ctx, key, int64(len(b)))
			switch {
			case failed == nil && bytes.Equal(have, b):
				return nil
			case failed == nil, errors.Is(failed, object.ErrNotFound), errors.Is(failed, ErrDamaged):
				return err
			}
		}
		if try == putTries {
			return fmt.Errorf("put %s: %w", key, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("put %s: %w", key, err)
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// standing are the snapshots that the pointer names, oldest first.
func (p *pointer) standing() []snapshot {
	return append(append([]snapshot(nil), p.Older...), p.snapshot)
}

// now is the store's clock as it was told with an answer; zero if it was not.
func storeTime(info object.Info) time.Time {
	if info.Now.IsZero() {
		return time.Time{}
	}
	return info.Now.UTC()
}
