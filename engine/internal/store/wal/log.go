package wal

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"strongroom/audit"
)

// Log is one that is written. Room, Write, Sync and Mark are for one goroutine at
// a time, Name for one at a time too, beside them.
type Log struct {
	do   Steps
	dir  string
	salt salt

	next   Position // of the next record; its written is guarded by mu
	seg    *segment // where it goes, if it fits
	sealed header   // of the record that was written, until it is synced
	failed error    // nothing can be known of the log any more
	buf    []byte   // scratch

	mu         sync.Mutex // guards what follows; nothing is called under it
	segments   []*segment
	highest    uint64 // id of a segment
	named      Position
	generation uint64
	nameFile   File
}

// Begin makes a log in dir, below a directory that exists, and names a checkpoint
// before its first record: the caller's database stands by itself as that view.
// What an earlier log left there goes. If it fails, there is no log.
func Begin(dir string, do Steps, view []byte) (_ *Log, err error) {
	do.fill()
	if err := do.Mkdir(dir); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	// One that is there, too: whoever made it may not have come to this.
	if err := do.SyncDir(filepath.Dir(dir)); err != nil {
		return nil, fmt.Errorf("make the log: %w", err)
	}
	if err := do.clear(dir); err != nil {
		return nil, fmt.Errorf("clear the log: %w", err)
	}
	l := &Log{do: do, dir: dir, highest: 1}
	rand.Read(l.salt[:]) // never fails: crypto/rand
	if l.seg, err = do.makeSegment(dir, 1, firstSegment); err != nil {
		return nil, err
	}
	l.segments = []*segment{l.seg}
	l.next = Position{number: 1, segment: 1}
	if err := l.firstName(view); err != nil {
		return nil, errors.Join(fmt.Errorf("name the first checkpoint: %w", err), l.close())
	}
	return l, nil
}

// firstName puts the file with the first name in its place: from then on there is
// a log.
func (l *Log) firstName(view []byte) error {
	path := filepath.Join(l.dir, fileNew)
	f, _, err := l.do.Open(path, true)
	if err != nil {
		return err
	}
	l.nameFile, l.named, l.generation = f, l.next, 1
	first := name{generation: 1, salt: l.salt, Position: l.next, view: view}
	err = l.do.WriteAt(f, append(first.encode(), make([]byte, block)...), 0)
	if err == nil {
		err = l.do.Sync(f)
	}
	if err == nil {
		err = l.do.Rename(path, filepath.Join(l.dir, fileName))
	}
	if err == nil {
		if err = l.do.SyncDir(l.dir); err == nil {
			return nil
		}
	}
	// It may be there, or come back. It names a database that stands by itself, and
	// a log without records, but not for long: it must go before anything is written.
	undo := errors.Join(l.do.removeIfThere(path), l.do.removeIfThere(filepath.Join(l.dir, fileName)), l.do.SyncDir(l.dir))
	if undo != nil { // whatever the causes are, nothing may be written: they must not look like a lack of space
		return fmt.Errorf("%v, and it cannot be taken back: %v", err, undo)
	}
	return err
}

// Room makes sure that there is a place for the set. If it fails, nothing was
// written.
func (l *Log) Room(s *Set) error {
	if l.failed != nil {
		return l.failed
	}
	need := s.Size()
	if need > maxRecord {
		return fmt.Errorf("a set of %d bytes is too large for the log", need)
	}
	if l.next.at+need <= l.seg.size {
		return nil
	}
	if g := l.unneeded(need); g != nil {
		l.move(g)
		return nil
	}
	l.mu.Lock()
	id := l.highest + 1
	size := max(min(2*l.seg.size, largeSegment), (need+zeroStep-1)/zeroStep*zeroStep)
	l.mu.Unlock()
	g, err := l.do.makeSegment(l.dir, id, size)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.highest = id
	l.segments = append(l.segments, g)
	l.mu.Unlock()
	l.move(g)
	return nil
}

// unneeded returns a segment that has only records from before the named
// checkpoint, and place for so many bytes; nil if there is none.
func (l *Log) unneeded(need int64) *segment {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, g := range l.segments {
		if g != l.seg && g.last < l.named.number && g.size >= need {
			return g
		}
	}
	return nil
}

func (l *Log) move(g *segment) {
	l.seg = g
	l.next.segment, l.next.at = g.id, 0
}

// Write writes the set as the next record, for which Room has made a place. It
// may be on disk from now on, and is when Sync has returned nil. After an error
// of either nobody knows, and the log refuses everything.
func (l *Log) Write(s *Set, group uint64, head audit.Head) error {
	if l.failed != nil {
		return l.failed
	}
	set := s.encode(group, head)
	h := header{salt: l.salt, number: l.next.number, prev: l.next.prev, set: uint64(len(set))}
	for _, b := range s.blobs {
		h.blobs += uint64(len(b.Bytes))
	}
	l.buf = append(l.buf[:0], make([]byte, headerSize)...)
	h.seal(l.buf, set)
	l.buf = append(l.buf, set...)
	if h.blobs == 0 {
		l.buf = pad(l.buf, 0)
	}
	at := l.next.at
	if at+h.size() > l.seg.size {
		return fmt.Errorf("no room was made for a record of %d bytes", h.size())
	}
	l.mu.Lock()
	l.seg.used, l.seg.last = max(l.seg.used, at+h.size()), h.number
	l.mu.Unlock()
	if err := l.write(l.buf, at); err != nil {
		return err
	}
	at += int64(len(l.buf))
	for i, b := range s.blobs {
		bytes := b.Bytes
		if i == len(s.blobs)-1 { // a block that is written in part has to be read first
			l.buf = pad(append(l.buf[:0], bytes...), at)
			bytes = l.buf
		}
		if err := l.write(bytes, at); err != nil {
			return err
		}
		at += int64(len(bytes))
	}
	l.sealed = h
	startWriting(l.seg.f, l.next.at, h.size())
	return nil
}

// pad fills a block with zeros; what is written of it begins at this place.
func pad(b []byte, at int64) []byte {
	end := at + int64(len(b))
	return append(b, make([]byte, aligned(end)-end)...)
}

func (l *Log) write(b []byte, at int64) error {
	if err := l.do.WriteAt(l.seg.f, b, at); err != nil {
		l.failed = fmt.Errorf("write to the log: %w", err)
		return l.failed
	}
	return nil
}

// Sync makes the record that was written durable.
func (l *Log) Sync() error {
	if l.failed != nil {
		return l.failed
	}
	if err := l.do.Sync(l.seg.f); err != nil {
		l.failed = fmt.Errorf("sync the log: %w", err)
		return l.failed
	}
	size := l.sealed.size()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next.number, l.next.prev = l.sealed.number+1, l.sealed.sum
	l.next.at += size
	l.next.written += size
	return nil
}

// Mark is where the next record will be: what a checkpoint of the state now needs
// from there on.
func (l *Log) Mark() Position { return l.next }

// Since is how many bytes of records recovery would have to read. Anybody may ask.
func (l *Log) Since() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.next.written - l.named.written
}

// Named says whether the checkpoint at this place is the one that is named.
func (l *Log) Named(at Position) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.named.number == at.number
}

// Name names a checkpoint: the caller's database is durable as view, which all
// records before at lead to. When it returns nil, those are not needed any more. After an
// error nobody knows which is named, the one before or this.
func (l *Log) Name(at Position, view []byte) error {
	l.mu.Lock()
	n := name{generation: l.generation + 1, salt: l.salt, Position: at, view: view}
	l.mu.Unlock()
	if len(view) > MaxView {
		return fmt.Errorf("a view of %d bytes is too long", len(view))
	}
	err := l.do.WriteAt(l.nameFile, n.encode(), int64(n.generation+1)%2*block)
	if err == nil {
		err = l.do.Sync(l.nameFile)
	}
	if err != nil {
		return fmt.Errorf("name a checkpoint: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.named, l.generation = at, n.generation
	return nil
}

// End ends the log: the caller's database is durable, and stands by itself. What
// was written goes, overwritten. Once ended is true, there is no log any more,
// whatever the error says.
func (l *Log) End() (ended bool, err error) {
	if err := l.do.unname(l.dir); err != nil {
		return false, err
	}
	errs := []error{l.nameFile.Close()}
	l.nameFile = nil
	for _, g := range l.segments {
		errs = append(errs, l.do.drop(g))
	}
	l.segments = nil
	l.do.Remove(l.dir) // it may hold what is not ours
	return true, errors.Join(errs...)
}

// unname removes the name, durably.
func (s *Steps) unname(dir string) error {
	if err := s.removeIfThere(filepath.Join(dir, fileName)); err != nil {
		return fmt.Errorf("end the log: %w", err)
	}
	if err := s.SyncDir(dir); err != nil {
		return fmt.Errorf("end the log: %w", err)
	}
	return nil
}

// Abandon closes the files of a log and leaves them as they are, for recovery.
func (l *Log) Abandon() error { return l.close() }

func (l *Log) close() error {
	var errs []error
	if l.nameFile != nil {
		errs = append(errs, l.nameFile.Close())
	}
	for _, g := range l.segments {
		errs = append(errs, g.f.Close())
	}
	l.nameFile, l.segments = nil, nil
	return errors.Join(errs...)
}
