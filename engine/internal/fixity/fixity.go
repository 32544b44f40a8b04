// Package fixity reads content again and again, a little at a time, and finds
// what no longer has the digest that is its name. Archives call that scrubbing.
//
// It is a small machine: it decides what to read next and how far, and remembers
// what it found. What content there is, how it is opened, and where the state is
// kept, its owner says. Content is read in the order of its digests, in 256
// shelves: a shelf is all content whose digest begins with the same byte.
package fixity

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"
)

// Contents is what a scrub asks its owner for.
type Contents interface {
	// From returns the first digest, at or after d, of content that somebody
	// needs; false if there is none.
	From(d Digest) (Digest, bool, error)
	// Open opens content. Its error is a finding.
	Open(d Digest) (io.ReadCloser, error)
	// Owners names some who need the content; none if nobody does.
	Owners(d Digest) ([]string, error)
}

const (
	// every is how long after its content was read a shelf is read again.
	every = 7 * 24 * time.Hour
	// again is how long after that it is if something was wrong with it: an alarm
	// ends when what was wrong is mended.
	again = time.Hour
	// late is how old what was read may be before reading does not keep up.
	late = 5 * every

	chunk = 1 << 20 // bytes read at a time
	// fee is what it costs of a budget to look for the next content, in bytes, so
	// that a call ends where there is much small content, or none.
	fee = 4 << 10
)

// Finding is content that is not what it was when it came in.
type Finding struct {
	Digest  Digest
	Owners  []string // some of those who need it
	Problem string
	Found   time.Time
	Denied  bool // it may not be read: nothing is known of the content itself
}

// Report is what a scrub knows.
type Report struct {
	// Oldest is when the content that was read longest ago was read. All other
	// was read, or came in, since then. Zero: not all was read yet.
	Oldest   time.Time
	Late     bool      // that is so long ago that reading does not keep up
	Read     int64     // bytes, since New
	Findings []Finding // by digest
}

// Scrub is the machine. New makes one. All methods may be called from many
// goroutines; of several calls of Read, Stop and Whole, one runs at a time.
type Scrub struct {
	now  func() time.Time
	save func(state []byte) error

	running sync.Mutex // held in Read and Stop, taken before mu; guards what follows
	at      *shelf     // being read; nil: none
	open    *reading   // the content being read; nil: none

	mu    sync.Mutex // a leaf lock; guards what follows
	read  int64
	state state
}

// shelf is a shelf on its way.
type shelf struct {
	began time.Time
	next  Digest // the first that was not looked at
	ended bool   // there is no such digest
}

// reading is content that is being read, over several calls.
type reading struct {
	Digest
	content io.ReadCloser
	hash    hash.Hash
}

// New goes on from a state that save was given before. If it cannot be read, or
// is nil, the scrub starts anew. now must not run back.
func New(state []byte, now func() time.Time, save func(state []byte) error) *Scrub {
	return &Scrub{now: now, save: save, state: parseState(state)}
}

// Report returns what is known now.
func (s *Scrub) Report() Report {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	_, oldest := s.state.oldest(now)
	return Report{
		Oldest: oldest, Late: !oldest.IsZero() && now.Sub(oldest) > late,
		Read: s.read, Findings: slices.Clone(s.state.findings),
	}
}

// Last says when the shelf of this content was read last, zero if it never was, and
// what was wrong with the content; nil: nothing. The time is when that reading began,
// so content that came in later was not read.
func (s *Scrub) Last(d Digest) (at time.Time, wrong *Finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.state.findings {
		if f.Digest == d {
			return f.Found, &f
		}
	}
	return s.state.read[d[0]], nil
}

// Read reads on, budget bytes at most. What is wrong with content is in Report
// and no error: errors are those of ctx, of From and Owners, and of saving the
// state, and the next call goes on where this one ended. next is when there is
// something to read again, zero while there is.
func (s *Scrub) Read(ctx context.Context, of Contents, budget int64) (next time.Time, err error) {
	s.running.Lock()
	defer s.running.Unlock()
	changed := false
	for budget > 0 && err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		if s.open != nil {
			var n int64
			n, err = s.readOn(of, min(budget, chunk))
			budget -= n
			changed = changed || s.open == nil
			continue
		}
		if s.at == nil {
			if next = s.nextShelf(); !next.IsZero() {
				break
			}
		}
		var more bool
		if more, err = s.nextContent(of); err == nil && !more {
			s.endShelf()
			changed = true
		}
		budget -= fee
	}
	if changed {
		err = errors.Join(err, s.keep())
	}
	return next, err
}

// Stop closes the content that is open between two calls of Read. Another Read
// begins with that content.
func (s *Scrub) Stop() error {
	s.running.Lock()
	defer s.running.Unlock()
	if s.open != nil {
		s.at.next, s.at.ended = s.open.Digest, false
	}
	return s.shut()
}

// Whole says that somebody else has read content, and it is what it was when it came
// in: nothing is wrong with it any more. If that is news, the state is saved.
func (s *Scrub) Whole(d Digest) error {
	about := func(f Finding) bool { return f.Digest == d }
	s.mu.Lock()
	news := slices.ContainsFunc(s.state.findings, about)
	s.mu.Unlock()
	if !news {
		return nil
	}
	s.running.Lock()
	defer s.running.Unlock()
	s.mu.Lock()
	s.state.findings = slices.DeleteFunc(s.state.findings, about)
	s.mu.Unlock()
	return s.keep()
}

// nextShelf takes up the shelf that is due first, or says when.
func (s *Scrub) nextShelf() (next time.Time) {
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	first, due := s.state.due(now)
	if now.Before(due) {
		return due
	}
	s.at = &shelf{began: now, next: Digest{first}}
	return time.Time{}
}

// nextContent opens the next content of the shelf; false: there is none.
func (s *Scrub) nextContent(of Contents) (more bool, err error) {
	if s.at.ended {
		return false, nil
	}
	d, found, err := of.From(s.at.next)
	if err != nil {
		return false, err
	}
	found = found && d[0] == s.at.next[0]
	s.forget(s.at.next, d, found)
	if !found {
		return false, nil
	}
	following, inside := d.after()
	s.at.next, s.at.ended = following, !inside
	content, err := of.Open(d)
	if err != nil {
		return true, s.note(of, d, err)
	}
	s.open = &reading{d, content, sha256.New()}
	return true, nil
}

var errCorrupt = errors.New("blob is corrupt")

// readOn reads a part of the open content, and returns what it took of the
// budget.
func (s *Scrub) readOn(of Contents, most int64) (int64, error) {
	b := s.open
	read, err := io.CopyN(b.hash, b.content, most)
	s.mu.Lock()
	s.read += read
	s.mu.Unlock()
	if err == nil {
		return read, nil
	}
	if err == io.EOF {
		err = nil
		if found := Digest(b.hash.Sum(nil)); found != b.Digest {
			err = fmt.Errorf("%w: its bytes have digest %s", errCorrupt, found)
		}
	}
	return read + 1, errors.Join(s.note(of, b.Digest, err), s.shut())
}

func (s *Scrub) shut() error {
	if s.open == nil {
		return nil
	}
	content := s.open.content
	s.open = nil
	return content.Close()
}

// note remembers that content is whole, wrong being nil, or what is wrong with
// it. Of content that nobody needs any more it remembers nothing.
func (s *Scrub) note(of Contents, d Digest, wrong error) error {
	owners, err := of.Owners(d)
	if err != nil {
		return err
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.state.findings
	at := slices.IndexFunc(list, func(f Finding) bool { return f.Digest == d })
	switch {
	case wrong == nil || len(owners) == 0:
		if at >= 0 {
			list = slices.Delete(list, at, at+1)
		}
	case at >= 0:
		list[at].Problem, list[at].Owners, list[at].Denied = wrong.Error(), owners, errors.Is(wrong, fs.ErrPermission)
	default:
		list = append(list, Finding{d, owners, wrong.Error(), now, errors.Is(wrong, fs.ErrPermission)})
		slices.SortFunc(list, func(a, b Finding) int { return bytes.Compare(a.Digest[:], b.Digest[:]) })
	}
	s.state.findings = list
	return nil
}

// forget drops findings about content that was passed over: nobody needs it any
// more. from is where looking began, next what was found.
func (s *Scrub) forget(from, next Digest, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.findings = slices.DeleteFunc(s.state.findings, func(f Finding) bool {
		return f.Digest[0] == from[0] && bytes.Compare(f.Digest[:], from[:]) >= 0 &&
			(!found || bytes.Compare(f.Digest[:], next[:]) < 0)
	})
}

// endShelf remembers that a shelf was read.
func (s *Scrub) endShelf() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.read[s.at.next[0]] = s.at.began
	s.at = nil
}

func (s *Scrub) keep() error {
	s.mu.Lock()
	text, err := s.state.encode()
	s.mu.Unlock()
	if err == nil {
		err = s.save(text)
	}
	if err != nil {
		return fmt.Errorf("write down what was scrubbed: %w", err)
	}
	return nil
}
