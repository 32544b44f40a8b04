package store

import (
	"fmt"

	"strongroom/blobstore"
)

// defaultReserve is kept free for what must still work on a full disk: closing,
// the log of the operating system, an operator's shell.
const defaultReserve = 64 << 20

// Room says whether so many bytes can be written to a directory and as many as
// reserve stay free. ErrNoSpace.
func Room(dir string, need, reserve int64) error {
	free, err := blobstore.Free(dir)
	if err != nil {
		return fmt.Errorf("look for free space: %w", err)
	}
	if need, reserve := uint64(max(need, 0)), uint64(max(reserve, 0)); free < need+reserve {
		return fmt.Errorf("%w: %d bytes are free in %s, %d are needed and %d kept in reserve", ErrNoSpace, free, dir, need, reserve)
	}
	return nil
}

// Room is the function Room for the vault's directory and its reserve.
func (s *Store) Room(need int64) error { return Room(s.dir, need, s.reserve) }

// Reserve is how many bytes are kept free, 0 for none.
func (s *Store) Reserve() int64 { return max(s.reserve, 0) }

// Writable is nil, or why every change is refused now while reads go on:
// ErrNoSpace, or an *UnavailableError. It is cheap to ask.
func (s *Store) Writable() error {
	if err := s.Enter(); err != nil {
		return err
	}
	defer s.Exit()
	if err := s.Clock.Unwritable(); err != nil {
		return err
	}
	return s.CheckReserve()
}

// CheckReserve refuses to write when little space is left, while there is
// still enough to do everything else.
func (s *Store) CheckReserve() error {
	if s.reserve < 0 {
		return nil
	}
	return s.Room(0)
}
