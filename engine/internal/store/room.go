package store

import (
	"fmt"

	"strongroom/blobstore"
)

// defaultReserve is kept free for what must still work on a full disk: closing,
// the log of the operating system, an operator's shell.
const defaultReserve = 64 << 20

// Space is what the file system of a directory has free, and what of it is kept in
// reserve, in bytes.
type Space struct {
	Dir           string
	Free, Reserve uint64
}

// SpaceOf asks for it. A reserve below 0 is none.
func SpaceOf(dir string, reserve int64) (Space, error) {
	free, err := blobstore.Free(dir)
	if err != nil {
		return Space{}, fmt.Errorf("look for free space: %w", err)
	}
	return Space{dir, free, uint64(max(reserve, 0))}, nil
}

// Room says whether so many bytes can be written and the reserve stays free. It is
// the one place that decides that. ErrNoSpace.
func (s Space) Room(need int64) error {
	switch wanted := uint64(max(need, 0)) + s.Reserve; {
	case s.Free >= wanted:
		return nil
	case need <= 0:
		return fmt.Errorf("%w: %d bytes free, %d are kept in reserve", ErrNoSpace, s.Free, s.Reserve)
	case s.Reserve == 0:
		return fmt.Errorf("%w: %d bytes are free in %s, %d more are needed", ErrNoSpace, s.Free, s.Dir, wanted-s.Free)
	default:
		return fmt.Errorf("%w: %d bytes are free in %s, %d more are needed with the %d kept in reserve", ErrNoSpace, s.Free, s.Dir, wanted-s.Free, s.Reserve)
	}
}

// Room says whether so many bytes can be written to a directory and as many as
// reserve stay free: none, where no vault is. ErrNoSpace.
func Room(dir string, need, reserve int64) error {
	s, err := SpaceOf(dir, reserve)
	if err != nil {
		return err
	}
	return s.Room(need)
}

// Space is that of the vault's directory.
func (s *Store) Space() (Space, error) { return SpaceOf(s.dir, s.reserve) }

// Room says whether so many bytes can be written to the vault's directory and its
// reserve stays free. ErrNoSpace.
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
