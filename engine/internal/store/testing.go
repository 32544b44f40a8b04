package store

import (
	"time"

	"go.etcd.io/bbolt"
)

// What tests of the engine need of the inside. The program sets no Options.Commit
// and calls none of this.

// Interpose sets Options.Commit.
func (s *Store) Interpose(fn func(commit, rollback func() error) error) {
	s.interposed = fn
}

// Linger reads the vault as it is now until end is called.
func (s *Store) Linger() (end func(), err error) {
	_, end, err = s.beginRead(true)
	return end, err
}

// Lend has everybody read within a transaction that fn may write to, one reader at
// a time. It is never committed.
func (s *Store) Lend(fn func(b *bbolt.Tx) error) error {
	b, err := s.begin(true)
	if err != nil {
		return err
	}
	defer s.rollback(b)
	s.lent = b
	defer func() { s.lent = nil }()
	return fn(b)
}

// Bare is the database below.
func (s *Store) Bare() *bbolt.DB { return s.db }

// Set makes the clock one that has been set by so much since it was started.
func (c *Clock) Set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = c.wall.Add(-by)
	if by < 0 {
		c.last = c.last.Add(-by)
	}
}
