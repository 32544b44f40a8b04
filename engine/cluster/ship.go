package cluster

import (
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// restedFor is how long an owner that has put nothing may believe that its last commit
// still stands. Commits are collected no earlier than a day after they were put, so
// there is room; what is longer is a sleep, a stop or a cut.
const restedFor = time.Minute

// shipper is the home of an owner's vault: it puts each group under the next number.
//
// A number is put with the condition that nobody has it, and n+1 only when n is known
// to be ours. So of all who believe they own the vault at most one goes on from any
// commit, whatever their clocks and leases say, and whatever arrives late: a put that
// was sent long ago meets a number that is taken.
type shipper struct {
	c     *Config
	ctx   context.Context // ends when nobody waits for the store any more
	ended func() error    // why this server owns no more; nil while it does
	lost  func(error)     // is told that another has the vault
	z     *flate.Writer
	rest  rested // Ship alone uses it

	mu     sync.Mutex // guards what follows: Ship changes it, others read it
	last   place      // the last that is known
	bytes  uint64
	groups uint64
}

// rested tells when an owner last saw that its last commit stands.
type rested struct {
	at   place
	seen time.Duration // by Config.now

	doubted bool // looked for in any case: a copy may be a day behind and not know it
}

// Ship puts the record of a group, and returns nil when the store is known to have it.
// It tries for as long as the member is open, past the lease too. engine.ErrReplaced:
// another has the number, and nothing of the group happened.
func (s *shipper) Ship(group uint64, record []byte) error {
	last := s.place()
	if group != last.Commit+1 {
		return fmt.Errorf("ship group %d after commit %d: a number is left out or used twice", group, last.Commit)
	}
	if err := s.ended(); err != nil {
		return err // nothing was put
	}
	cm := commit{place{group, newMark(), last.Epoch}, last.Mark, kindGroup, record}
	n, err := s.c.putCommit(s.ctx, cm, s.z, &s.rest)
	if taken := (*takenError)(nil); errors.As(err, &taken) {
		err = fmt.Errorf("%w: commit %d is of epoch %d, and this server's is %d", engine.ErrReplaced, group, taken.by.Epoch, last.Epoch)
	}
	if err != nil {
		s.lost(err)
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = cm.place
	s.bytes += uint64(n)
	s.groups++
	return nil
}

// Erased is the last entry up to which nothing that was erased lies in the store.
func (s *shipper) Erased() uint64 { return s.c.clean.Load() }

func (s *shipper) place() place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

func (s *shipper) tended() tended {
	s.mu.Lock()
	defer s.mu.Unlock()
	return tended{s.last, s.bytes, s.groups}
}

// takenError says that another commit stands under the number.
type takenError struct{ by place }

func (e *takenError) Error() string {
	return fmt.Sprintf("commit %d is another's, of epoch %d", e.by.Commit, e.by.Epoch)
}

// putCommit puts cm after the commit that r names, until the store is known to have it or
// another under its number, *takenError. It returns the size of the object.
//
// After a sleep the number may be free although it was taken once: another server
// took it, and collected it a day later. It was then collected after the commit before
// it, since the oldest go first. So it proves that nobody was here if the one before it
// stands after ours was put; and it is looked for before, so that no stray is put at all.
func (c *Config) putCommit(ctx context.Context, cm commit, z *flate.Writer, r *rested) (int, error) {
	b := appendCommit(nil, cm, z)
	what := fmt.Sprintf("put commit %d", cm.Commit)
	for try := 0; ; try++ {
		if err := c.stands(ctx, r); err != nil {
			return 0, unsure(try, err)
		}
		began := c.now()
		err := c.tryCommit(ctx, cm, b)
		if err == nil {
			if err := c.stands(ctx, r); err != nil {
				return 0, unsure(try, err)
			}
			*r = rested{at: cm.place, seen: began}
			return len(b), nil
		}
		if taken := (*takenError)(nil); errors.As(err, &taken) || errors.Is(err, ErrDamaged) {
			return 0, err
		}
		if err := c.pause(ctx, try, what, err); err != nil {
			return 0, err
		}
	}
}

// unsure is err, but not engine.ErrReplaced if an earlier try may have been carried out:
// the next owner may have taken it over, and collected it since.
func unsure(try int, err error) error {
	if try > 0 {
		return fmt.Errorf("it is not known whether the last commit was kept: %v", err)
	}
	return err
}

// tryCommit puts cm once, and looks who has its number if somebody has: it is ours if it
// has our mark, since a request may be carried out twice. Any error but *takenError says
// that nobody knows, and that the same bytes have to be put again: a number that is free
// after a put that failed may be taken by it yet.
func (c *Config) tryCommit(ctx context.Context, cm commit, b []byte) error {
	limited, done := context.WithTimeout(ctx, requestTimeout+time.Duration(len(b)>>20)*time.Second)
	defer done()
	_, err := c.Objects.Put(limited, commitKey(cm.Commit), b, object.Condition{Absent: true})
	if !errors.Is(err, object.ErrExists) {
		return err
	}
	there, err := c.readCommit(ctx, cm.Commit)
	if err == nil && there.Mark != cm.Mark {
		err = &takenError{there.place}
	}
	return err
}

// stands is nil if the commit that r names was seen to stand within the last minute.
// engine.ErrReplaced if it is collected or another's.
func (c *Config) stands(ctx context.Context, r *rested) error {
	began := c.now()
	if began-r.seen <= restedFor && !r.doubted {
		return nil
	}
	there, err := c.locate(ctx, r.at.Commit)
	switch {
	case errors.Is(err, ErrCollected):
		return fmt.Errorf("%w: commit %d of this server is collected", engine.ErrReplaced, r.at.Commit)
	case err != nil:
		return err
	case there.Mark != r.at.Mark:
		return fmt.Errorf("%w: commit %d is no longer this server's", engine.ErrReplaced, r.at.Commit)
	}
	r.seen = began
	return nil
}
