package segment

import (
	"bytes"
	"fmt"
)

// What is read of a file at once: little after a leap, since the next leap may
// be near, and more the longer somebody walks.
const (
	leapBytes = 1 << 10
	walkBytes = 16 << 10
)

// stream reads a part of a source piece by piece, so that whoever walks a list
// holds walkBytes of it and no more, be the list as long as it may. Of what is
// in memory it holds nothing of its own.
type stream struct {
	src  source
	end  int64  // in the source
	base int64  // where b begins in the source
	b    []byte // what is at hand
	own  []byte
	step int
}

func (s *stream) open(src source, begins, end int64) {
	s.src, s.end, s.base, s.b, s.step = src, end, begins, nil, leapBytes
}

// from returns what there is from a place on: n bytes at least, if the end is
// not nearer. It holds until the next call.
func (s *stream) from(at int64, n int) ([]byte, error) {
	i := at - s.base
	near := i >= 0 && i <= int64(len(s.b))
	if near && (len(s.b)-int(i) >= n || s.base+int64(len(s.b)) == s.end) {
		return s.b[i:], nil
	}
	if at < 0 || at > s.end {
		return nil, ErrDamaged
	}
	m, ok := s.src.(memory)
	if ok {
		b, err := m.view(at, s.end-at)
		s.base, s.b = at, b
		return b, err
	}
	if s.step = min(2*s.step, walkBytes); !near {
		s.step = leapBytes
	}
	size := int(min(int64(max(s.step, n)), s.end-at))
	if cap(s.own) < size {
		s.own = make([]byte, size)
	}
	s.own = s.own[:size]
	err := s.src.read(at, s.own)
	s.base, s.b = at, s.own
	if err != nil {
		s.b = nil
	}
	return s.b, err
}

// scanBytes is what Containing holds of the list at a time.
const scanBytes = 64 << 10

// Containing calls found with each key of the kind Listed that contains one of
// some texts, once for each text that it contains, and which that is. The keys
// are handed over without their first byte.
func (s *Segment) Containing(texts []string, found func(text int, key []byte)) error {
	var list stream
	list.open(s.src, s.listed, s.listedEnd)
	for at := s.listed; at < s.listedEnd; {
		b, err := list.from(at, scanBytes)
		if err != nil {
			return err
		}
		ends := bytes.LastIndexByte(b, '\n') + 1
		if ends == 0 {
			return fmt.Errorf("%w: a list of keys", ErrDamaged)
		}
		for i, text := range texts {
			for rest := b[:ends]; ; {
				n := bytes.Index(rest, []byte(text))
				if n < 0 {
					break
				}
				begins := bytes.LastIndexByte(rest[:n], '\n') + 1
				length := bytes.IndexByte(rest[n:], '\n')
				found(i, rest[begins:n+length])
				rest = rest[n+length+1:]
			}
		}
		at += int64(ends)
	}
	return nil
}
