package engine

import (
	"context"
	"errors"
	"runtime/debug"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// CompactReport is what Compact came to.
type CompactReport struct {
	Head          audit.Head
	Before, After int64 // bytes of the pages of vault.db, those that are free included
	Rows          uint64
}

// Compact gives the free pages of the vault in dir, which must be at rest, back
// to the file system: it writes its rows into a new file, compares that with the
// old row by row, and puts it in its place. A crash leaves the old file or the
// new. It takes room for a second database while it runs. The errors are those
// of Open, ErrNoSpace and *DamagedError.
func Compact(ctx context.Context, dir string, o Options) (report CompactReport, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	v, err := Open(dir, o)
	if err != nil {
		return CompactReport{}, err
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	head := v.Head()
	c, err := v.store.Compact(ctx)
	if err != nil {
		return CompactReport{}, err
	}
	return CompactReport{head, c.Before, c.After, c.Rows}, nil
}
