package wal

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	segmentSuffix = ".segment"
	firstSegment  = 1 << 20
	largeSegment  = 16 << 20
	zeroStep      = 1 << 20
)

// segment is a file of records.
type segment struct {
	id   uint64
	path string
	f    File
	size int64
	used int64  // how far it was ever written to
	last uint64 // the number of the last record in it
}

func segmentPath(dir string, id uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%016x", id)+segmentSuffix)
}

// segmentsOf returns the ids of the segments of a directory.
func (s *Steps) segmentsOf(dir string) (ids []uint64, err error) {
	names, err := s.List(dir)
	for _, name := range names {
		hex, is := strings.CutSuffix(name, segmentSuffix)
		if id, err := strconv.ParseUint(hex, 16, 64); is && err == nil && len(hex) == 16 {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// makeSegment makes one, written and synced, and its name too. If it fails, there
// is none.
func (s *Steps) makeSegment(dir string, id uint64, size int64) (_ *segment, err error) {
	path := segmentPath(dir, id)
	f, _, err := s.Open(path, true)
	if err != nil {
		return nil, fmt.Errorf("make a segment of the log: %w", err)
	}
	err = s.zero(f, size)
	if err == nil {
		err = s.SyncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a segment of the log: %w", err), f.Close(), s.removeIfThere(path))
	}
	return &segment{id: id, path: path, f: f, size: size}, nil
}

// zero writes zeros from the beginning up to a size, and syncs them.
func (s *Steps) zero(f File, size int64) error {
	zeros := make([]byte, min(zeroStep, size))
	for at := int64(0); at < size; at += zeroStep {
		if err := s.WriteAt(f, zeros[:min(zeroStep, size-at)], at); err != nil {
			return err
		}
	}
	return s.Sync(f)
}

// drop overwrites what was written to a segment, which may hold what is to be
// erased, and removes it.
func (s *Steps) drop(g *segment) error {
	err := s.zero(g.f, g.used)
	return errors.Join(err, g.f.Close(), s.removeIfThere(g.path))
}

// clear drops what a crash left of a log that has ended.
func (s *Steps) clear(dir string) error {
	ids, err := s.segmentsOf(dir)
	errs := []error{err, s.removeIfThere(filepath.Join(dir, fileNew))}
	for _, id := range ids {
		path := segmentPath(dir, id)
		f, size, err := s.Open(path, false)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, s.drop(&segment{path: path, f: f, used: size}))
	}
	return errors.Join(errs...)
}
