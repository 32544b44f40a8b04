package blobstore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
)

// placed is a name that SyncPlaced makes durable.
type placed struct {
	digest  Digest
	name    *unsynced
	file    *os.File // nil: nothing but the name is to be synced
	removed bool     // before SyncPlaced began: the unlinking is to be synced
	done    bool     // file is closed
	err     error
}

// SyncPlaced returns nil when everything that was placed or rewritten before
// the call is durable: then it is kept, and the log may forget what it had of
// it. What is placed meanwhile belongs to the next call. What was removed
// is left out, but its unlinking is durable.
//
// After ctx's error nothing has changed; call it again. Any other error is
// ErrLost and means that the caller must stop and replay the log: all of
// those blobs count as not kept, and no later call succeeds before each was
// written again or removed. Two calls at once take turns.
func (d *Disk) SyncPlaced(ctx context.Context) error {
	d.syncing.Lock()
	defer d.syncing.Unlock()
	batch, err := d.takePlaced()
	if err == nil {
		err = d.syncBatch(ctx, batch)
	}
	for _, p := range batch {
		d.settlePlaced(p, err)
	}
	if err != nil {
		return fmt.Errorf("sync placed blobs: %w", err)
	}
	return nil
}

// takePlaced lists what is placed, and keeps others from closing its files.
func (d *Disk) takePlaced() (batch []*placed, err error) {
	for i := range d.fanout {
		fan := &d.fanout[i]
		fan.placing.Lock()
		for digest, name := range fan.unsynced {
			if !name.logged {
				continue
			}
			if name.lost {
				err = fmt.Errorf("%w: %v was not written", ErrLost, digest)
			}
			name.syncing = true
			batch = append(batch, &placed{digest: digest, name: name, file: name.file, removed: name.removed})
		}
		fan.placing.Unlock()
	}
	return batch, err
}

// syncBatch first lets the disk begin with all files: the syncs then wait for
// the same few commits of the file system's journal instead of one each.
// syncfs would take half the time, but it waits for whatever others write to the
// file system too, and there are file systems and kernels where it says that all
// is well when nothing was written.
func (d *Disk) syncBatch(ctx context.Context, batch []*placed) error {
	for _, p := range batch {
		if p.file != nil {
			startWriteback(p.file, 0, 0) // to its end
		}
	}
	sideBySide(ctx, len(batch), func(i int) {
		if p := batch[i]; p.file != nil {
			p.err = errors.Join(d.do.sync(p.file), d.letGo(p.file))
			p.done = true
		}
	})
	var errs []error
	oldest := map[byte]uint64{} // failures of a directory before the first of its names came or went
	for _, p := range batch {
		errs = append(errs, p.err)
		d.fanout[p.digest[0]].placing.Lock()
		failures := p.name.failures
		d.fanout[p.digest[0]].placing.Unlock()
		if known, ok := oldest[p.digest[0]]; !ok || failures < known {
			oldest[p.digest[0]] = failures
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, spaceError(err))
	}
	var dirs []byte
	for first := range oldest {
		dirs = append(dirs, first)
	}
	errs = make([]error, len(dirs))
	sideBySide(ctx, len(dirs), func(i int) { errs[i] = d.syncFanout(dirs[i], oldest[dirs[i]]) })
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w: %w", ErrLost, err)
	}
	return ctx.Err()
}

// settlePlaced notes what SyncPlaced came to for one name.
func (d *Disk) settlePlaced(p *placed, err error) {
	fan := &d.fanout[p.digest[0]]
	fan.placing.Lock()
	defer fan.placing.Unlock()
	name, lost := p.name, errors.Is(err, ErrLost)
	name.syncing = false
	if p.done {
		name.file = nil
	}
	if fan.unsynced[p.digest] != name { // equal bytes took its place
		d.drop(name)
		return
	}
	switch {
	case name.removed && !p.removed: // meanwhile; its Remove has yet to sync that
		d.drop(name)
	case err == nil:
		delete(fan.unsynced, p.digest)
	case lost && !name.removed:
		name.lost = true
		d.drop(name)
	}
}

// sideBySide calls do for each of 0 … n-1, some at once, until ctx ends.
func sideBySide(ctx context.Context, n int, do func(i int)) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(n, placedSyncs) {
		all.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(i)
			}
		})
	}
	all.Wait()
}

// Close lets go of the files of what was placed and not synced; the log still
// has their bytes. Nothing may be placed after it.
func (d *Disk) Close() error {
	d.syncing.Lock()
	defer d.syncing.Unlock()
	for i := range d.fanout {
		fan := &d.fanout[i]
		fan.placing.Lock()
		for _, name := range fan.unsynced {
			name.lost = name.lost || name.file != nil
			d.drop(name)
		}
		fan.placing.Unlock()
	}
	return nil
}
