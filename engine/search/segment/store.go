package segment

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Store is a directory of segments, and some in memory that are not in it yet.
//
// One goroutine at a time applies changes and saves ([Store.Apply],
// [Store.Save], [Store.Reset]); another may compact ([Store.Compact]) and any
// number search ([Store.View]) meanwhile. Locks, in order: files, then mu.
type Store struct {
	dir      string
	identity string

	files sync.Mutex // held while the manifest is written
	saved json.RawMessage

	mu    sync.RWMutex // shared while searching, exclusive to change what is below
	parts []*Part
	state json.RawMessage
	next  int      // the number of the last file
	trash []string // files that are to be removed once the manifest does not name them
	epoch int      // counts Resets
}

// Part is a segment of a store with what has happened to it since.
type Part struct {
	*Segment
	name   string // of its file; "" in memory
	dead   Set
	alive  int
	forget bool // it holds what must be on no disk: it is merged as soon as can be
	busy   bool // somebody merges it, and
	again  bool // what it holds was forgotten since that began
}

// Dead reports whether the document was replaced or removed.
func (p *Part) Dead(doc uint32) bool { return p.dead.Has(doc) }

// Alive is the number of documents that are not dead.
func (p *Part) Alive() int { return p.alive }

func newPart(s *Segment, name string) *Part { return &Part{Segment: s, name: name, alive: s.Len()} }

func (p *Part) kill(doc uint32) {
	if !p.dead.Has(doc) {
		p.dead = p.dead.add(doc, p.Len())
		p.alive--
	}
}

// Open opens the index in a directory, which it makes. If what is there is
// damaged, or not of this identity, it is removed and the store is empty: why
// says so then, and State is nil. err is for a directory that cannot be used.
func Open(dir, identity string) (s *Store, why, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	s = &Store{dir: dir, identity: identity}
	m, why := readManifest(dir)
	if why == nil && m != nil {
		why = s.load(m)
	}
	if why != nil {
		m = nil
	}
	return s, why, sweep(dir, m)
}

func (s *Store) load(m *manifest) error {
	if m.Identity != s.identity {
		return fmt.Errorf("%w: it is of %q, not of %q", ErrDamaged, m.Identity, s.identity)
	}
	var parts []*Part
	for _, mp := range m.Segments {
		p, err := loadPart(s.dir, mp)
		if err != nil {
			return errors.Join(err, closeParts(parts))
		}
		parts = append(parts, p)
	}
	s.parts, s.state, s.saved, s.next = parts, m.State, m.State, m.Next
	return nil
}

func loadPart(dir string, mp manifestPart) (*Part, error) {
	if filepath.Base(mp.Name) != mp.Name {
		return nil, fmt.Errorf("%w: no name of a file: %q", ErrDamaged, mp.Name)
	}
	seg, err := openFile(filepath.Join(dir, mp.Name))
	if err != nil {
		return nil, err
	}
	p := newPart(seg, mp.Name)
	p.forget = mp.Forget
	for i := range seg.Len() {
		if i/8 < len(mp.Dead) && mp.Dead[i/8]&(1<<(i%8)) != 0 {
			p.kill(uint32(i))
		}
	}
	return p, nil
}

func closeParts(parts []*Part) error {
	var errs []error
	for _, p := range parts {
		errs = append(errs, p.close())
	}
	return errors.Join(errs...)
}

// State is what the last Apply said; nil for an empty store.
func (s *Store) State() json.RawMessage {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.state
}

// View calls fn with all segments. They do not change and stay open until it
// returns; it must not take long, for whoever changes something waits for it.
func (s *Store) View(fn func(parts []*Part) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return fn(s.parts)
}

// Changes are what one Apply does.
type Changes struct {
	Put    []Doc // each replaces the document of its id
	Remove []ID
	Forget []ID // removed, and its words are to vanish from every file
	State  json.RawMessage
}

// Apply makes changes seen, all at once. They are in memory until Save.
func (s *Store) Apply(c Changes) error {
	var fresh *Part
	if len(c.Put) > 0 {
		seg, err := Build(c.Put)
		if err != nil {
			return err
		}
		fresh = newPart(seg, "")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range c.Put {
		s.kill(d.ID, false)
	}
	for _, id := range c.Remove {
		s.kill(id, false)
	}
	for _, id := range c.Forget {
		s.kill(id, true)
	}
	if fresh != nil {
		s.parts = append(s.parts, fresh)
	}
	s.state = c.State
	return nil
}

func (s *Store) kill(id ID, forget bool) {
	for _, p := range s.parts {
		if doc, ok := p.Find(id); ok {
			p.kill(doc)
			if forget { // be it an earlier state, dead for long
				p.forget, p.again = true, p.busy
			}
		}
	}
}

// Save brings what is in memory into a file, and makes State durable.
func (s *Store) Save() error {
	s.files.Lock()
	defer s.files.Unlock()
	s.mu.RLock()
	inMemory := slices.DeleteFunc(slices.Clone(s.parts), func(p *Part) bool { return p.name != "" })
	state, epoch := s.state, s.epoch
	s.mu.RUnlock()
	if string(state) == string(s.saved) && len(inMemory) == 0 {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil { // it may have been deleted
		return err
	}
	if len(inMemory) > 0 {
		if err := s.merge(inMemory, epoch, true, func() error { return nil }); err != nil {
			return err
		}
	}
	s.saved = state
	return s.writeManifest()
}

// writeManifest is called with files held.
func (s *Store) writeManifest() error {
	m := manifest{Identity: s.identity, State: s.saved}
	s.mu.Lock()
	m.Next = s.next
	trash := s.trash
	s.trash = nil
	for _, p := range s.parts {
		if p.name != "" {
			m.Segments = append(m.Segments, manifestPart{p.name, p.deadBytes(), p.forget})
		}
	}
	s.mu.Unlock()
	if err := m.write(s.dir); err != nil {
		s.mu.Lock()
		s.trash = append(s.trash, trash...)
		s.mu.Unlock()
		return fmt.Errorf("save the search index: %w", err)
	}
	var errs []error
	for _, name := range trash {
		if err := os.Remove(filepath.Join(s.dir, name)); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (p *Part) deadBytes() []byte {
	if p.dead == nil {
		return nil
	}
	b := make([]byte, (p.Len()+7)/8)
	for i := range b {
		b[i] = byte(p.dead[i/8] >> (i % 8 * 8))
	}
	return b
}

// Reset forgets everything, files too.
func (s *Store) Reset(identity string) error {
	s.files.Lock()
	defer s.files.Unlock()
	s.mu.Lock()
	parts := s.parts
	s.parts, s.state, s.trash, s.identity = nil, nil, nil, identity
	s.epoch++
	err := closeParts(parts) // nobody reads them: mu is held
	s.mu.Unlock()
	s.saved = nil
	if mkdir := os.MkdirAll(s.dir, 0o700); mkdir != nil {
		return errors.Join(err, mkdir)
	}
	return errors.Join(err, sweep(s.dir, nil))
}

// Lost reports whether the files are gone from under the store.
func (s *Store) Lost() bool {
	s.files.Lock()
	defer s.files.Unlock()
	if s.saved == nil {
		return false
	}
	m, err := readManifest(s.dir)
	return err != nil || m == nil || m.Identity != s.identity
}

// Check compares the checksums of all files there are when it is called.
func (s *Store) Check(stop func() error) error {
	s.mu.RLock()
	parts := slices.Clone(s.parts)
	s.mu.RUnlock()
	for _, p := range parts {
		err := p.check(stop)
		if errors.Is(err, os.ErrClosed) { // merged meanwhile
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Close saves nothing.
func (s *Store) Close() error {
	s.files.Lock()
	defer s.files.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	parts := s.parts
	s.parts = nil
	s.epoch++
	return closeParts(parts)
}
