package blobstore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
)

// Placer is a staged blob whose bytes its caller may carry in a log of its own,
// which is what makes them durable until SyncPlaced has. What Disk.Stage
// returns is one; other stores need not know it. See the package comment for
// the order. One of Keep, Place and Discard must be called.
type Placer interface {
	Staged
	// Bytes is the whole blob if it is in memory, as one of at most SmallSize
	// bytes is: then it is not nil, even if it is empty. The caller must not
	// change it, nor use it after Keep, Place or Discard.
	Bytes() []byte
	// Prepare writes the bytes aside, unsynced, so that Place only renames. It
	// also finds out, before anything is logged, whether there is room: ErrNoSpace.
	// It may be left out, and does nothing for a blob that is not in memory or
	// is kept already. After an error the blob is as it was before.
	Prepare(ctx context.Context) error
	// Place makes the blob visible under its digest, without a sync. It may be
	// called only when its bytes are durable in the log. Cancelling ctx has no
	// effect, because the log has decided. After an error SyncPlaced fails until
	// the same bytes were placed or rewritten, or removed. A blob that is not in
	// memory is kept instead (see Keep). Place works once, as Keep does.
	Place(ctx context.Context) error
}

var _ Placer = (*staged)(nil)

// ErrLost says that what was placed may not be on the disk: it must be written
// again from the log.
var ErrLost = errors.New("placed blobs may be lost")

const (
	mostHeld    = 4096 // open files of one Disk
	placedSyncs = 8    // side by side
)

// unsynced is what is known of a name that a power cut may take, bring back, or
// leave with other bytes. All of it is guarded by its directory's placing.
type unsynced struct {
	// file was never closed since it was written: the kernel forgets that it
	// failed to write a file's pages when it forgets the file, and a sync of the
	// file opened again would succeed. nil: the bytes are synced, the name is not.
	file     *os.File
	failures uint64 // of the directory, counted before the rename or unlinking
	logged   bool   // SyncPlaced answers for it; otherwise a Keep does
	removed  bool   // the name was unlinked
	lost     bool   // a step failed: only writing it again helps
	syncing  bool   // SyncPlaced uses file, and closes it
}

// whole tells whether the bytes are synced.
func (u *unsynced) whole() bool { return u.file == nil && !u.removed && !u.lost }

// settle forgets a name that was made durable; nil is none.
func (f *fanout) settle(digest Digest, name *unsynced) {
	if name == nil {
		return
	}
	f.placing.Lock()
	defer f.placing.Unlock()
	if f.unsynced[digest] == name {
		delete(f.unsynced, digest)
	}
}

// noted puts name in the place of what was known of the digest. placing is held.
func (d *Disk) noted(digest Digest, name *unsynced) *unsynced {
	fan := &d.fanout[digest[0]]
	if fan.unsynced == nil {
		fan.unsynced = map[Digest]*unsynced{}
	}
	if old := fan.unsynced[digest]; old != nil {
		name.logged = name.logged || old.logged
		d.drop(old)
	}
	fan.unsynced[digest] = name
	return name
}

// drop closes the file of a name that needs no sync any more. placing is held.
func (d *Disk) drop(name *unsynced) {
	if name.file != nil && !name.syncing {
		d.letGo(name.file)
		name.file = nil
	}
}

// stands tells whether a file of that size has the digest's name.
func (d *Disk) stands(digest Digest, size int64) bool {
	info, err := os.Lstat(d.path(digest))
	return err == nil && info.Mode().IsRegular() && info.Size() == size
}

// Kept tells whether the blob is there, has that size in bytes, and survives a
// power cut: then a log need not carry it. What was placed and is not synced is
// not kept. It never says yes to what is not so, and may sync a directory once
// to find out, so it is not for whoever holds a lock that others wait for. The
// answer holds for as long as the caller keeps Remove of the digest away.
func (d *Disk) Kept(digest Digest, size int64) bool {
	fan := &d.fanout[digest[0]]
	failures := fan.failures.Load()
	fan.placing.Lock()
	there := failures == 0 && fan.unsynced[digest] == nil && d.stands(digest, size)
	fan.placing.Unlock()
	return there && (fan.vouched.Load() || d.syncFanout(digest[0], failures) == nil)
}

// Bytes: see Placer.
func (s *staged) Bytes() []byte {
	if s.head == nil {
		return nil
	}
	return (*s.head)[:s.size]
}

// Prepare: see Placer.
func (s *staged) Prepare(ctx context.Context) error {
	if s.spent || s.head == nil || s.path != "" {
		return s.err
	}
	err := ctx.Err()
	if err == nil && !s.stands() {
		s.path, s.file, err = s.disk.writeHeld(s.Bytes())
	}
	if err != nil {
		return fmt.Errorf("prepare %v: %w", s.digest, err)
	}
	return nil
}

// stands tells whether Place would find nothing to write.
func (s *staged) stands() bool {
	fan := &s.disk.fanout[s.digest[0]]
	fan.placing.Lock()
	defer fan.placing.Unlock()
	return s.disk.trusted(s.digest, s.size, false)
}

// Place: see Placer.
func (s *staged) Place(ctx context.Context) error {
	if s.spent {
		return s.err
	}
	if s.head == nil {
		return s.Keep(ctx)
	}
	s.spent = true
	if err := s.place(); err != nil {
		s.err = fmt.Errorf("place %v: %w", s.digest, err)
	}
	s.release() // as in Keep
	return s.err
}

func (s *staged) place() (err error) {
	for {
		if done, err := s.placeWritten(); done {
			return err
		}
		if s.path, s.file, err = s.disk.writeHeld(s.Bytes()); err != nil {
			return s.disk.lose(s.digest, err)
		}
	}
}

// placeWritten renames the staged file, unless equal bytes can be trusted. It is
// not done if there is no staged file to rename.
func (s *staged) placeWritten() (done bool, err error) {
	fan := &s.disk.fanout[s.digest[0]]
	fan.placing.Lock()
	defer fan.placing.Unlock()
	if s.disk.trusted(s.digest, s.size, true) {
		return true, nil
	}
	if s.path == "" {
		return false, nil
	}
	file := s.file
	s.file = nil // the name has it from here on
	if err := s.disk.place(s.digest, s.path, file); err != nil {
		return true, err
	}
	s.path = ""
	return true, nil
}

// Rewrite puts a file with these bytes in the place of whatever stands under
// the digest, without a sync: after a crash nothing that was placed can be
// believed, and the log replays it. The blob then counts as placed. ErrCorrupt
// if the bytes do not have that digest. After another error than that of ctx,
// SyncPlaced fails until it has succeeded. It waits for a SyncPlaced that runs.
func (d *Disk) Rewrite(ctx context.Context, digest Digest, p []byte) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("rewrite %v: %w", digest, err)
	}
	if found := Digest(sha256.Sum256(p)); found != digest {
		return fmt.Errorf("rewrite %v: %w: the %d bytes have digest %v", digest, ErrCorrupt, len(p), found)
	}
	d.syncing.RLock()
	defer d.syncing.RUnlock()
	path, file, err := d.writeHeld(p)
	if err != nil {
		return fmt.Errorf("rewrite %v: %w", digest, d.lose(digest, err))
	}
	fan := &d.fanout[digest[0]]
	fan.placing.Lock()
	err = d.place(digest, path, file)
	fan.placing.Unlock()
	if err != nil {
		return fmt.Errorf("rewrite %v: %w", digest, errors.Join(err, d.do.removeIfPresent(path)))
	}
	return nil
}

// writeHeld makes a new file of p in staging and leaves it open and unsynced.
// Where as many are open as may be, it is synced and closed, and f is nil: then
// every writer waits for its own sync, rather than one for those of all. If it fails, nothing is left.
func (d *Disk) writeHeld(p []byte) (path string, f *os.File, err error) {
	path = d.stagingPath()
	if d.held.Add(1) > d.mayHold {
		d.held.Add(-1)
		if err := d.do.writeFile(path, func(f *os.File) error { return d.do.put(f, p) }); err != nil {
			return "", nil, err
		}
		return path, nil, nil
	}
	f, err = d.do.create(path)
	if err != nil {
		d.held.Add(-1)
		return "", nil, errors.Join(spaceError(err), d.do.removeIfPresent(path))
	}
	if err := d.do.put(f, p); err != nil {
		return "", nil, errors.Join(err, d.letGo(f), d.do.removeIfPresent(path))
	}
	return path, f, nil
}

// letGo closes a file that writeHeld left open.
func (d *Disk) letGo(f *os.File) error {
	d.held.Add(-1)
	return d.do.close(f)
}

// place renames a file that writeHeld wrote. placing is held.
func (d *Disk) place(digest Digest, from string, file *os.File) error {
	name := &unsynced{file: file, failures: d.fanout[digest[0]].failures.Load(), logged: true}
	err := d.do.rename(from, d.path(digest))
	if err != nil {
		name.lost = true
		d.drop(name)
	}
	d.noted(digest, name)
	return spaceError(err)
}

// lose notes that bytes which the log has did not get their name, and returns why.
func (d *Disk) lose(digest Digest, why error) error {
	fan := &d.fanout[digest[0]]
	fan.placing.Lock()
	defer fan.placing.Unlock()
	d.noted(digest, &unsynced{logged: true, lost: true})
	return why
}

// trusted tells whether a file with the bytes of the digest stands there, so that
// all it may lack is a sync. logged makes SyncPlaced answer for that sync. placing is held.
func (d *Disk) trusted(digest Digest, size int64, logged bool) bool {
	fan := &d.fanout[digest[0]]
	failures := fan.failures.Load()
	name := fan.unsynced[digest]
	switch {
	case !d.stands(digest, size):
		return false
	case name != nil && (name.removed || name.lost || name.failures != failures), name == nil && failures > 0:
		return false
	case name != nil:
		name.logged = name.logged || logged
	case logged && !fan.vouched.Load():
		d.noted(digest, &unsynced{logged: true}) // its bytes were synced before Open, its name perhaps not
	}
	return true
}

// unlink removes the name. What a power cut may bring back under it has perhaps not these
// bytes, so a name that was not durable stays among the unsynced until its directory is synced.
func (d *Disk) unlink(digest Digest, failures uint64) (*unsynced, error) {
	fan := &d.fanout[digest[0]]
	fan.placing.Lock()
	name := fan.unsynced[digest]
	if name == nil {
		fan.placing.Unlock() // to unlink what is large takes its time
		return nil, d.do.removeIfPresent(d.path(digest))
	}
	defer fan.placing.Unlock()
	if err := d.do.removeIfPresent(d.path(digest)); err != nil {
		return nil, err
	}
	name.removed, name.lost, name.failures = true, false, failures
	d.drop(name)
	return name, nil
}
