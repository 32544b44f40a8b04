package blobstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Disk keeps blobs in a directory. It has no goroutine, and no open file but
// those of blobs that were placed and are not synced.
type Disk struct {
	dir    string
	do     steps
	fanout [256]fanout // by the digest's first byte
	heads  buffers
	wides  buffers
	chunks buffers

	mayHold int64        // so many written files may stay open until they are synced
	held    atomic.Int64 // so many do
	// syncing is held by SyncPlaced, and shared by Rewrite: a file that takes the
	// place of one which is being synced would not be. It is taken before fanout.placing.
	syncing sync.RWMutex
}

// Init makes the directories of a store in dir, and dir itself, and returns
// when they are durable. The parent of dir must exist. What exists is left as it is.
func Init(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("init blobs: %w", spaceError(err))
	}
	if err := makeDirs(dir); err != nil {
		return fmt.Errorf("init blobs: %w", err)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return fmt.Errorf("init blobs: %w", spaceError(err))
	}
	return nil
}

// makeDirs makes what is missing below dir and returns when the names are durable.
func makeDirs(dir string) error {
	root := filepath.Join(dir, "sha256")
	paths := []string{root, filepath.Join(dir, "staging")}
	for i := range 256 {
		paths = append(paths, filepath.Join(root, fmt.Sprintf("%02x", i)))
	}
	for _, path := range paths {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
			return spaceError(err)
		}
	}
	// Names that exist may stem from an Init that crashed before this point, so they are synced all the same.
	return spaceError(errors.Join(syncDir(root), syncDir(dir)))
}

// Open opens the store that Init made in dir and sweeps its staging directory:
// the caller guarantees that nobody else, in this process or another, has it
// open. Empty directories that a copy left out are made again. If dir holds no
// store, the error is os.ErrNotExist.
func Open(dir string) (*Disk, error) {
	// Relative paths would follow the process from one working directory to another.
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	made, err := os.ReadDir(filepath.Join(dir, "sha256"))
	if err != nil {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	fanouts := 0
	for _, entry := range made {
		if isFanout(entry) {
			fanouts++
		}
	}
	staged, err := os.ReadDir(filepath.Join(dir, "staging"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("open blobs: %w", err)
	}
	if fanouts < 256 || err != nil {
		if err := makeDirs(dir); err != nil {
			return nil, fmt.Errorf("open blobs: %w", err)
		}
	}
	for _, entry := range staged {
		if err := os.RemoveAll(filepath.Join(dir, "staging", entry.Name())); err != nil {
			return nil, fmt.Errorf("sweep staged blobs: %w", err)
		}
	}
	return &Disk{
		dir: dir, do: realSteps(), mayHold: mayHold(),
		heads: buffers{size: headSize}, wides: buffers{size: wideSize}, chunks: buffers{size: chunkSize},
	}, nil
}

func isFanout(entry os.DirEntry) bool {
	name := entry.Name()
	return entry.IsDir() && len(name) == 2 && strings.Trim(name, "0123456789abcdef") == ""
}

func (d *Disk) fanoutPath(first byte) string {
	return filepath.Join(d.dir, "sha256", fmt.Sprintf("%02x", first))
}

func (d *Disk) path(digest Digest) string {
	return filepath.Join(d.fanoutPath(digest[0]), digest.Hex())
}

// syncFanout makes durable what was renamed or removed in one of the 256
// directories since its failures were counted.
func (d *Disk) syncFanout(first byte, failures uint64) error {
	fan := &d.fanout[first]
	err := fan.sync(failures, func() error { return d.do.syncDir(d.fanoutPath(first)) })
	if err == nil {
		fan.vouched.Store(true)
	}
	return spaceError(err)
}

// Open returns the blob's bytes; its dynamic type is *os.File, so that copying
// it to a socket needs no user memory (sendfile). The caller closes it. A blob
// removed while it is open stays readable. ErrNotFound if it is not kept.
func (d *Disk) Open(digest Digest) (io.ReadSeekCloser, error) {
	f, err := openKept(d.path(digest))
	if err != nil {
		return nil, blobError("open", digest, err)
	}
	return f, nil
}

// openKept opens a blob. What somebody laid in its place, a link or a pipe, is
// neither followed nor waited for: ErrCorrupt.
func openKept(path string) (*os.File, error) {
	f, err := openUnlinked(path)
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
			err = notRegular(path)
		}
		if err == nil {
			return f, nil
		}
		err = errors.Join(err, f.Close())
	}
	if info, lost := os.Lstat(path); lost == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %w", ErrCorrupt, notRegular(path))
	}
	return nil, err
}

// Stat returns the blob's size in bytes, as the file system tells it; whether
// the bytes are right, Check tells. ErrNotFound if it is not kept, ErrCorrupt if
// what stands there is no file.
func (d *Disk) Stat(digest Digest) (size int64, err error) {
	info, err := lstatKept(d.path(digest))
	if err != nil {
		return 0, blobError("stat", digest, err)
	}
	return info.Size(), nil
}

// lstatKept is os.Lstat for a blob.
func lstatKept(path string) (os.FileInfo, error) {
	info, err := os.Lstat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%w: %w", ErrCorrupt, notRegular(path))
	}
	return info, err
}

// Remove unlinks the blob and returns nil when it is durably gone; so too if
// it was not there. It must not overlap Keep of the same digest, see the package comment.
//
//	unlinkat(sha256/ab/<hex>)
//	openat(sha256/ab) fsync(fd) close(fd)
func (d *Disk) Remove(digest Digest) error {
	fan := &d.fanout[digest[0]]
	failures := fan.failures.Load()
	name, err := d.unlink(digest, failures)
	if err != nil {
		return blobError("remove", digest, err)
	}
	// Absent or not: it may be absent because of a Remove that failed at this point.
	if err := d.syncFanout(digest[0], failures); err != nil {
		return blobError("remove", digest, err)
	}
	fan.settle(digest, name)
	return nil
}

// Check reads the whole blob and compares its digest with its name. It returns
// the number of bytes read, ErrCorrupt if they are not the blob's, ErrNotFound
// if it is not kept, and the system's error if it cannot be read.
func (d *Disk) Check(ctx context.Context, digest Digest) (size int64, err error) {
	f, err := openKept(d.path(digest))
	if err != nil {
		return 0, blobError("check", digest, err)
	}
	defer f.Close()
	buf := d.chunks.take()
	defer d.chunks.give(buf)
	hash := sha256.New()
	for {
		n, err := fill(ctx, f, *buf)
		hash.Write((*buf)[:n])
		size += int64(n)
		if err == io.EOF {
			break
		}
		if err != nil {
			return size, blobError("check", digest, err)
		}
	}
	if found := Digest(hash.Sum(nil)); found != digest {
		return size, fmt.Errorf("check %v: %w: its %d bytes have digest %v", digest, ErrCorrupt, size, found)
	}
	return size, nil
}

// Each calls fn with every blob and its size in the order of the digests. It
// stops at the first error of fn and returns it as it is. Blobs kept or removed
// meanwhile may or may not be seen. Memory grows with the fullest of the 256
// directories, 32 bytes a blob.
//
// What lies among the blobs and is none (another name, a directory, a link) is
// passed over. If there was any, Each ends with ErrForeign, naming some, after
// fn has seen every blob.
func (d *Disk) Each(ctx context.Context, fn func(digest Digest, size int64) error) error {
	var strangers foreign
	top, err := os.ReadDir(filepath.Join(d.dir, "sha256"))
	if err != nil {
		return fmt.Errorf("enumerate blobs: %w", err)
	}
	for _, entry := range top {
		if !isFanout(entry) {
			strangers.add(filepath.Join("sha256", entry.Name()))
			continue
		}
		digests, err := d.list(ctx, entry.Name(), &strangers)
		if err != nil {
			return fmt.Errorf("enumerate blobs: %w", err)
		}
		for _, digest := range digests {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("enumerate blobs: %w", err)
			}
			size, err := d.Stat(digest)
			if errors.Is(err, ErrNotFound) {
				continue // removed since it was listed
			}
			if err != nil {
				return err
			}
			if err := fn(digest, size); err != nil {
				return err
			}
		}
	}
	return strangers.err()
}

// list returns the digests in one of the 256 directories in order.
func (d *Disk) list(ctx context.Context, name string, strangers *foreign) ([]Digest, error) {
	dir, err := os.Open(filepath.Join(d.dir, "sha256", name))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var digests []Digest
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		entries, err := dir.ReadDir(1024)
		for _, entry := range entries {
			digest, ok := parseHex(entry.Name())
			if !ok || !entry.Type().IsRegular() || !strings.HasPrefix(entry.Name(), name) {
				strangers.add(filepath.Join("sha256", name, entry.Name()))
				continue
			}
			digests = append(digests, digest)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(digests, func(a, b Digest) int { return bytes.Compare(a[:], b[:]) })
	return digests, nil
}

// foreign gathers what is no blob: the number, and the first few by name.
type foreign struct {
	count int
	paths []string
}

func (f *foreign) add(path string) {
	f.count++
	if len(f.paths) < 10 {
		f.paths = append(f.paths, path)
	}
}

func (f *foreign) err() error {
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d, among them %q", ErrForeign, f.count, f.paths)
}

// blobError names the digest and turns the system's "no such file" into ErrNotFound.
func blobError(op string, digest Digest, err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s %v: %w", op, digest, ErrNotFound)
	}
	return fmt.Errorf("%s %v: %w", op, digest, spaceError(err))
}
