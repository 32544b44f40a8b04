package cluster

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"strongroom/blobstore/object"
)

func newMark() (m mark) {
	rand.Read(m[:]) // never fails
	return m
}

type kind byte

const (
	kindGroup    kind = 1 // what an owner's vault did
	kindTakeover kind = 2 // an owner's first: it does nothing but take the number
	kindErased   kind = 3 // was one of the others: an erasure emptied it, and the number stays taken
)

// commit is one object under commits/: one group of changes, once and for all.
type commit struct {
	place
	Before mark // of the commit before it
	Kind   kind
	Record []byte
}

// commitKey has 16 digits, so that a listing is in order.
func commitKey(n uint64) string { return fmt.Sprintf("%s%016d", keyCommits, n) }

// The encoding of a commit, in this order, numbers with the highest byte first: magic
// and version (8 bytes), number (8), epoch (8), mark (16), mark of the one before
// (16), kind (1), length of the record (8), SHA-256 of all that precedes it and of the
// record (32); then the record, as RFC 1951 compresses it, to the end of the object.
const (
	commitMagic  = "srcomit\x01"
	commitSumAt  = 8 + 8 + 8 + 16 + 16 + 1 + 8
	commitHeader = commitSumAt + sha256.Size

	// What a vault's log takes, too. It keeps a damaged length from asking for memory.
	maxCommitRecord = 1 << 31
)

// appendCommit spells c after b. A writer's tables are half a megabyte, so z is kept by
// who commits often.
func appendCommit(b []byte, c commit, z *flate.Writer) []byte {
	at := len(b)
	b = append(b, commitMagic...)
	b = binary.BigEndian.AppendUint64(b, c.Commit)
	b = binary.BigEndian.AppendUint64(b, c.Epoch)
	b = append(b, c.Mark[:]...)
	b = append(b, c.Before[:]...)
	b = append(b, byte(c.Kind))
	b = binary.BigEndian.AppendUint64(b, uint64(len(c.Record)))
	sum := commitSum(b[at:], c.Record)
	out := bytes.NewBuffer(append(b, sum[:]...))
	z.Reset(out)
	z.Write(c.Record) // a buffer takes all
	z.Close()
	return out.Bytes()
}

func newDeflater() *flate.Writer {
	z, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is one that there is
	}
	return z
}

func commitSum(header, record []byte) (sum [sha256.Size]byte) {
	h := sha256.New()
	h.Write(header)
	h.Write(record)
	h.Sum(sum[:0])
	return sum
}

// parseCommit reads what appendCommit spelt. ErrDamaged.
func parseCommit(b []byte) (commit, error) {
	if len(b) < commitHeader || string(b[:len(commitMagic)]) != commitMagic {
		return commit{}, fmt.Errorf("%w: no commit of this version", ErrDamaged)
	}
	var c commit
	at := b[len(commitMagic):]
	c.Commit = binary.BigEndian.Uint64(at)
	c.Epoch = binary.BigEndian.Uint64(at[8:])
	copy(c.Mark[:], at[16:])
	copy(c.Before[:], at[32:])
	c.Kind = kind(at[48])
	size := binary.BigEndian.Uint64(at[49:])
	if size > maxCommitRecord || c.Kind < kindGroup || c.Kind > kindErased {
		return commit{}, fmt.Errorf("%w: a commit of kind %d and %d bytes", ErrDamaged, c.Kind, size)
	}
	packed := bytes.NewReader(b[commitHeader:])
	record, err := io.ReadAll(io.LimitReader(flate.NewReader(packed), int64(size)+1))
	if err != nil || uint64(len(record)) != size || packed.Len() > 0 {
		return commit{}, fmt.Errorf("%w: a commit whose record does not unpack (%v)", ErrDamaged, err)
	}
	if sum := commitSum(b[:commitSumAt], record); !bytes.Equal(sum[:], b[commitSumAt:commitHeader]) {
		return commit{}, fmt.Errorf("%w: a commit with another digest than it says", ErrDamaged)
	}
	c.Record = record
	return c, nil
}

// follows is nil if c goes on from p. An owner's groups follow its takeover without
// another's in between, since it never puts a number before the last is known.
// ErrCollected if it was emptied; ErrForked.
func (c commit) follows(p place) error {
	if c.Kind == kindErased {
		return ErrCollected // a snapshot has what it did, or nothing could be emptied
	}
	if c.Commit == p.Commit+1 && c.Before == p.Mark &&
		(c.Kind == kindGroup && c.Epoch == p.Epoch || c.Kind == kindTakeover && c.Epoch > p.Epoch) {
		return nil
	}
	return fmt.Errorf("%w: commit %d of epoch %d, after commit %d of epoch %d", ErrForked, c.Commit, c.Epoch, p.Commit, p.Epoch)
}

// readCommit reads a commit, trying once. object.ErrNotFound: there is none, now.
func (c *Config) readCommit(ctx context.Context, n uint64) (commit, error) {
	ctx, done := context.WithTimeout(ctx, requestTimeout)
	defer done()
	b, _, err := object.Read(ctx, c.Objects, commitKey(n))
	if err != nil {
		return commit{}, err
	}
	cm, err := parseCommit(b)
	if err == nil && cm.Commit != n {
		err = fmt.Errorf("%w: it is commit %d", ErrDamaged, cm.Commit)
	}
	if err != nil {
		return commit{}, fmt.Errorf("commit %d: %w", n, err)
	}
	return cm, nil
}

// findCommit is readCommit until the store answers.
func (c *Config) findCommit(ctx context.Context, n uint64) (cm commit, err error) {
	err = c.until(ctx, fmt.Sprintf("read commit %d", n), func(ctx context.Context) error {
		cm, err = c.readCommit(ctx, n)
		return err
	})
	return cm, err
}

// answered says whether err is what a store has decided, or nothing that another try changes.
func answered(err error) bool {
	for _, answer := range []error{object.ErrNotFound, object.ErrExists, object.ErrChanged, ErrDamaged, ErrForked, ErrLeft, ErrCollected, errApply} {
		if errors.Is(err, answer) {
			return true
		}
	}
	return err == nil
}
