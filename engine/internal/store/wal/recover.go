package wal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Recovery is a log that was not ended, as it is read. It is of one goroutine.
type Recovery struct {
	// View is that of the checkpoint that is named.
	View []byte

	do       Steps
	dir      string
	name     name
	segments []*segment
}

// Open opens the log of a directory for recovery; nil if there is none: the
// database stands by itself. It writes nothing. ErrDamaged.
func Open(dir string, do Steps) (_ *Recovery, err error) {
	do.fill()
	f, _, err := do.Open(filepath.Join(dir, fileName), false)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	r := &Recovery{do: do, dir: dir}
	r.name, err = readName(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	r.View = r.name.view
	ids, err := do.segmentsOf(dir)
	for _, id := range ids {
		path := segmentPath(dir, id)
		f, size, openErr := do.Open(path, false)
		if openErr != nil {
			err = errors.Join(err, openErr)
			continue
		}
		r.segments = append(r.segments, &segment{id: id, path: path, f: f, size: size, used: size})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the log: %w", err), r.Close())
	}
	return r, nil
}

// Each calls fn with the records from the checkpoint on. What it gets is its own.
// ErrDamaged if one in the middle is not whole: fn has got all before it.
func (r *Recovery) Each(fn func(Record) error) error {
	at := r.name.Position
	for {
		h, record, g, err := r.find(at)
		if err != nil {
			return err
		}
		if g == nil {
			return r.tail(at)
		}
		if err := fn(record); err != nil {
			return err
		}
		if g.id != at.segment {
			at.at = 0
		}
		at = Position{number: h.number + 1, prev: h.sum, segment: g.id, at: at.at + h.size()}
	}
}

// find looks for the record of a place: there, or at the beginning of another
// segment, where it went if it did not fit. g is where it was; nil: it is nowhere.
func (r *Recovery) find(at Position) (h header, record Record, g *segment, err error) {
	for _, here := range []bool{true, false} { // most are there
		for _, g := range r.segments {
			if here != (g.id == at.segment) {
				continue
			}
			place := int64(0)
			if here {
				place = at.at
			}
			h, record, ok, err := readRecord(g.f, g.size, place)
			if err != nil {
				return h, record, nil, err
			}
			if ok && h.salt == r.name.salt && h.number == at.number && h.prev == at.prev {
				return h, record, g, nil
			}
		}
	}
	return h, record, nil, nil
}

// tail holds that nothing whole stands behind the place where the log ends: the
// record there would have been synced before the next was written.
func (r *Recovery) tail(at Position) error {
	for _, g := range r.segments {
		for place := int64(0); place+headerSize <= g.size; place += block {
			var b [headerSize]byte
			if _, err := g.f.ReadAt(b[:], place); err != nil {
				return fmt.Errorf("read the log: %w", err)
			}
			h, ok := parseHeader(b[:])
			if !ok || h.salt != r.name.salt || h.number < at.number {
				continue
			}
			if h.number == at.number && h.prev == at.prev { // the last, not whole
				continue
			}
			_, _, whole, err := readRecord(g.f, g.size, place)
			if err != nil {
				return err
			}
			if whole {
				return fmt.Errorf("%w: record %d is not what was written, and record %d behind it is; restore the vault from a backup", ErrDamaged, at.number, h.number)
			}
		}
	}
	return nil
}

// End ends the log, as Log.End does, and closes the recovery.
func (r *Recovery) End() error {
	if err := r.do.unname(r.dir); err != nil {
		return errors.Join(err, r.Close())
	}
	var errs []error
	for _, g := range r.segments {
		errs = append(errs, r.do.drop(g))
	}
	r.segments = nil
	r.do.Remove(r.dir)
	return errors.Join(errs...)
}

// Close closes the files and leaves them as they are.
func (r *Recovery) Close() error {
	var errs []error
	for _, g := range r.segments {
		errs = append(errs, g.f.Close())
	}
	r.segments = nil
	return errors.Join(errs...)
}

// Discard drops a log that belongs to a database which is no more: whoever has put
// another in its place wants that one.
func Discard(dir string) error {
	var do Steps
	do.fill()
	names, err := do.List(dir)
	if err != nil || len(names) == 0 {
		return err
	}
	if err := do.unname(dir); err != nil {
		return err
	}
	return do.clear(dir)
}
