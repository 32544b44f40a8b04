package segment

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
)

const (
	// mergeAt is how many segments of about one size are merged.
	mergeAt = 8
	// small is the size in bytes below which files are of one size.
	small = 4 << 20
	// largest is how large a file is made by merging, so that to forget a
	// document costs no more than to write this much.
	largest = 128 << 20
)

// errStale: the store was reset while it was merged.
var errStale = errors.New("the index was reset")

// Settle merges small segments in memory, and those in memory that hold what
// must be forgotten. Whoever applies changes calls it.
func (s *Store) Settle() error {
	for {
		parts, epoch := s.pick(func(p *Part) bool { return p.name == "" })
		if parts == nil {
			return nil
		}
		if err := s.merge(parts, epoch, false, func() error { return nil }); err != nil {
			return err
		}
	}
}

// Compact merges files until there is nothing to merge, those first that hold
// what must be forgotten.
func (s *Store) Compact(stop func() error) error {
	for {
		parts, epoch := s.pick(func(p *Part) bool { return p.name != "" })
		if parts == nil {
			return nil
		}
		err := s.merge(parts, epoch, true, stop)
		if errors.Is(err, errStale) {
			return nil
		}
		if err != nil {
			return err
		}
		s.files.Lock()
		err = s.writeManifest()
		s.files.Unlock()
		if err != nil {
			return err
		}
	}
}

// MemoryBytes is the size of what Save would write.
func (s *Store) MemoryBytes() (n int64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, p := range s.parts {
		if p.name == "" {
			n += p.src.size()
		}
	}
	return n
}

// Forgetting reports whether files still hold what must be forgotten.
func (s *Store) Forgetting() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.parts, func(p *Part) bool { return p.forget })
}

// pick chooses what is merged next: one that must forget, or is mostly dead, by
// itself; or several of one size.
func (s *Store) pick(which func(*Part) bool) ([]*Part, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sizes := map[int][]*Part{}
	for _, p := range s.parts {
		if !which(p) || p.busy {
			continue
		}
		if p.forget || p.alive < p.Len()/2 {
			return claim(p), s.epoch
		}
		if level := level(p.src.size(), p.name != ""); level >= 0 {
			sizes[level] = append(sizes[level], p)
		}
	}
	for _, parts := range sizes {
		if len(parts) >= mergeAt {
			return claim(parts[:mergeAt]...), s.epoch
		}
	}
	return nil, s.epoch
}

func claim(parts ...*Part) []*Part {
	for _, p := range parts {
		p.busy = true
	}
	return parts
}

// level groups sizes; -1 is too large for any company.
func level(size int64, inFile bool) int {
	if inFile {
		if size > largest/mergeAt {
			return -1
		}
		size /= small
	}
	n := 0
	for ; size > 0; size /= mergeAt {
		n++
	}
	return n
}

// merge puts one segment in the place of several, in a file or in memory. What
// died meanwhile is dead in the new one too.
func (s *Store) merge(parts []*Part, epoch int, toFile bool, stop func() error) error {
	inputs := make([]*merging, len(parts))
	s.mu.Lock()
	for i, p := range parts {
		inputs[i] = &merging{seg: p.Segment, dead: slices.Clone(p.dead)}
		p.busy, p.again = true, false
	}
	s.mu.Unlock()
	merged, name, err := s.write(inputs, toFile, stop)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range parts {
		p.busy = false
	}
	if s.epoch != epoch {
		if err == nil {
			merged.close()
			os.Remove(filepath.Join(s.dir, name))
		}
		return errStale
	}
	if err != nil {
		return err
	}
	fresh := newPart(merged, name)
	for i, p := range parts {
		fresh.forget = fresh.forget || p.again
		for doc := range uint32(p.Len()) {
			if to := inputs[i].to[doc]; to != gone && p.dead.Has(doc) {
				fresh.kill(to)
			}
		}
	}
	s.parts = slices.DeleteFunc(s.parts, func(p *Part) bool { return slices.Contains(parts, p) })
	if s.parts = append(s.parts, fresh); fresh.Len() == 0 {
		s.parts, parts = s.parts[:len(s.parts)-1], append(parts, fresh)
	}
	for _, p := range parts {
		if p.name != "" {
			s.trash = append(s.trash, p.name)
		}
	}
	return closeParts(parts)
}

func (s *Store) write(inputs []*merging, toFile bool, stop func() error) (*Segment, string, error) {
	if !toFile {
		var out bytes.Buffer
		if err := merge(inputs, &out, stop); err != nil {
			return nil, "", err
		}
		seg, err := open(memory(out.Bytes()))
		return seg, "", err
	}
	name := s.newName()
	path := filepath.Join(s.dir, name)
	if err := writeFile(path, func(w io.Writer) error { return merge(inputs, w, stop) }); err != nil {
		return nil, "", err
	}
	seg, err := openFile(path)
	if err != nil {
		return nil, "", errors.Join(err, os.Remove(path))
	}
	return seg, name, nil
}

func (s *Store) newName() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return fmt.Sprintf("%08d%s", s.next, segmentExt)
}
