package s3

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"strongroom/blobstore"
)

const (
	blockBytes  = 4 << 10 // what a file takes at least
	mostCopied  = 64 << 20
	copiedShare = 16 // a blob longer than this part of the cache is not copied
	touchAfter  = time.Hour
)

// blobCache is copies of blobs on the local disk, the least recently used of which go
// first.
//
//	<dir>/00 … ff/<64 hex>   a whole blob, named by its digest when it was seen to have it
//
// The files are not synced. What a crash makes of them is found, since a file of an earlier
// process is compared with its name before it is given to anybody.
type blobCache struct {
	dir  string
	most int64 // bytes, staged ones included. 0: no copies

	mu      sync.Mutex // leaf lock, held for one rename or some unlinks, and never while bytes are read
	used    int64
	copies  map[blobstore.Digest]*list.Element
	recent  list.List // of *blobCopy, the most recently used first
	barred  map[blobstore.Digest]int
	fetches map[blobstore.Digest]*blobFetch
}

type blobCopy struct {
	digest   blobstore.Digest
	size     int64
	modified time.Time // of the file, when it was last looked at
	sound    bool      // its bytes were seen to have the digest, by this process
}

// blobFetch is a copy being made. Others who want it wait until done is closed.
type blobFetch struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
	err    error // set when done is closed
}

func (c *blobCache) load(dir string, most int64) error {
	c.dir, c.most = dir, most
	c.copies, c.barred, c.fetches = map[blobstore.Digest]*list.Element{}, map[blobstore.Digest]int{}, map[blobstore.Digest]*blobFetch{}
	if most == 0 {
		return os.RemoveAll(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return spaceError(err)
	}
	subs, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var found []blobCopy
	for _, sub := range subs {
		if found, err = findCopies(found, filepath.Join(dir, sub.Name())); err != nil {
			return err
		}
	}
	slices.SortFunc(found, func(a, b blobCopy) int { return a.modified.Compare(b.modified) })
	for i := range found {
		c.insert(&found[i])
	}
	return c.evict()
}

// findCopies adds the copies in a directory, and removes what is none.
func findCopies(found []blobCopy, sub string) ([]blobCopy, error) {
	if info, err := os.Lstat(sub); err != nil || !info.IsDir() {
		return found, errors.Join(err, os.Remove(sub))
	}
	entries, err := os.ReadDir(sub)
	if err != nil {
		return found, err
	}
	for _, entry := range entries {
		d, err := blobstore.ParseDigest("sha256:" + entry.Name())
		info, gone := entry.Info()
		if err == nil && gone == nil && info.Mode().IsRegular() && filepath.Base(sub) == entry.Name()[:2] {
			found = append(found, blobCopy{digest: d, size: info.Size(), modified: info.ModTime()})
		} else if err := os.RemoveAll(filepath.Join(sub, entry.Name())); err != nil {
			return found, err
		}
	}
	return found, nil
}

func (c *blobCache) path(d blobstore.Digest) string {
	return filepath.Join(c.dir, fmt.Sprintf("%02x", d[0]), d.Hex())
}

// longest is the size of the longest blob of which a copy is kept.
func (c *blobCache) longest() int64 {
	if c.most == 0 {
		return -1
	}
	return min(c.most/copiedShare, mostCopied)
}

func blocks(size int64) int64 { return max(size+blockBytes-1, blockBytes) / blockBytes * blockBytes }

// insert is called with mu held.
func (c *blobCache) insert(copied *blobCopy) {
	c.copies[copied.digest] = c.recent.PushFront(copied)
	c.used += blocks(copied.size)
}

// remove takes a copy out of the books and unlinks its file. mu is held.
func (c *blobCache) remove(e *list.Element) error {
	copied := e.Value.(*blobCopy)
	c.recent.Remove(e)
	delete(c.copies, copied.digest)
	c.used -= blocks(copied.size)
	if err := os.Remove(c.path(copied.digest)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// evict is called with mu held.
func (c *blobCache) evict() error {
	var errs []error
	for c.used > c.most && c.recent.Len() > 0 {
		errs = append(errs, c.remove(c.recent.Back()))
	}
	return errors.Join(errs...)
}

// reserve counts bytes that are staged, for which copies make room; fewer than 0 are let go.
func (c *blobCache) reserve(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used += n
	c.evict() // a file that cannot be unlinked is found by the next open
}

// get opens the copy of a blob, if there is a sound one.
func (c *blobCache) get(d blobstore.Digest) (*os.File, bool) {
	c.mu.Lock()
	e, there := c.copies[d]
	if !there {
		c.mu.Unlock()
		return nil, false
	}
	c.recent.MoveToFront(e)
	was := *e.Value.(*blobCopy)
	c.mu.Unlock()
	f, is, err := c.examine(was)
	c.mu.Lock()
	defer c.mu.Unlock()
	stays := c.copies[d] == e
	if err != nil {
		if stays {
			c.remove(e)
		}
		return nil, false
	}
	if stays {
		*e.Value.(*blobCopy) = is
	}
	return f, true
}

var errUnsound = errors.New("the copy is damaged")

// examine opens a copy. It reads all of it where that was not done before, or where the
// file has been changed since.
func (c *blobCache) examine(was blobCopy) (f *os.File, is blobCopy, err error) {
	path := c.path(was.digest)
	f, err = blobstore.OpenRegular(path)
	if err != nil {
		return nil, was, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err == nil && info.Size() != was.size {
		err = errUnsound
	}
	if err != nil {
		return nil, was, err
	}
	if !was.sound || !info.ModTime().Equal(was.modified) {
		hash := sha256.New()
		if _, err = io.Copy(hash, f); err == nil && sumOf(hash) != was.digest {
			err = errUnsound
		}
		if err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err != nil {
			return nil, was, err
		}
	}
	if now := time.Now(); now.Sub(info.ModTime()) > touchAfter { // the order is to be known after a restart
		if os.Chtimes(path, now, now) == nil {
			if touched, err := f.Stat(); err == nil {
				info = touched
			}
		}
	}
	return f, blobCopy{was.digest, was.size, info.ModTime(), true}, nil
}

var errBarred = errors.New("the blob is being removed")

// add makes the file at path, whose bytes were seen to have the digest, the copy of
// the blob. It returns the file, opened, so that it can be read though others may push it out at once. On
// error nothing is left at path.
func (c *blobCache) add(d blobstore.Digest, path string, size int64) (f *os.File, err error) {
	if f, err = blobstore.OpenRegular(path); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	info, err := f.Stat()
	if err == nil {
		err = c.place(path, &blobCopy{d, size, info.ModTime(), true})
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

func (c *blobCache) place(path string, copied *blobCopy) error {
	to := c.path(copied.digest)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.barred[copied.digest] > 0 {
		return errBarred
	}
	if e, there := c.copies[copied.digest]; there {
		if err := c.remove(e); err != nil {
			return err
		}
	}
	err := os.Rename(path, to)
	if errors.Is(err, os.ErrNotExist) { // the first copy in this directory
		err = errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.Rename(path, to))
	}
	if err != nil {
		return err
	}
	c.insert(copied)
	c.evict()
	return nil
}

// begin lets the caller make the copy of a blob, who calls end then, unless somebody
// does already (theirs) or it must not be made (nil).
func (c *blobCache) begin(d blobstore.Digest) (f *blobFetch, theirs bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, theirs := c.fetches[d]; theirs {
		return f, true
	}
	if c.most == 0 || c.barred[d] > 0 {
		return nil, false
	}
	f = &blobFetch{done: make(chan struct{})}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	c.fetches[d] = f
	return f, false
}

func (c *blobCache) end(d blobstore.Digest, f *blobFetch, err error) {
	c.mu.Lock()
	delete(c.fetches, d)
	c.mu.Unlock()
	f.err = err
	f.cancel()
	close(f.done)
}

// bar sees to it that no copy of the blob is made until unbar. It ends one that is
// being made, and returns when nothing of it is left.
func (c *blobCache) bar(d blobstore.Digest) {
	c.mu.Lock()
	c.barred[d]++
	f := c.fetches[d]
	c.mu.Unlock()
	if f != nil {
		f.cancel()
		<-f.done
	}
}

func (c *blobCache) unbar(d blobstore.Digest) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.barred[d]--; c.barred[d] == 0 {
		delete(c.barred, d)
	}
}

// drop removes the copy of a blob, durably.
func (c *blobCache) drop(d blobstore.Digest) error {
	if c.most == 0 {
		return nil
	}
	c.mu.Lock()
	if e, there := c.copies[d]; there {
		c.recent.Remove(e)
		delete(c.copies, d)
		c.used -= blocks(e.Value.(*blobCopy).size)
	}
	err := os.Remove(c.path(d)) // known or not: an unlink of before may have failed
	c.mu.Unlock()
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = blobstore.SyncDir(filepath.Dir(c.path(d)))
	}
	return err
}

func (c *blobCache) digests() []blobstore.Digest {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]blobstore.Digest, 0, len(c.copies))
	for d := range c.copies {
		all = append(all, d)
	}
	return all
}

// Sweep removes the copies of blobs that nobody needs, durably. A server that follows
// calls it after what its owner erased or deleted: the owner's Remove does not reach its disk.
// What came to be needed meanwhile loses its copy at most.
func (b *Blobs) Sweep(ctx context.Context, needed func(blobstore.Digest) (bool, error)) error {
	for _, d := range b.cache.digests() {
		if err := ctx.Err(); err != nil {
			return err
		}
		keep, err := needed(d)
		if err != nil {
			return fmt.Errorf("sweep copies of blobs: %w", err)
		}
		if keep {
			continue
		}
		if err := b.Forget(d); err != nil {
			return err
		}
	}
	return nil
}

// Forget removes the copy here of a blob, durably, and leaves what the store has.
func (b *Blobs) Forget(digest blobstore.Digest) error {
	b.cache.bar(digest) // a reader who found the object before must not bring the copy back
	defer b.cache.unbar(digest)
	if err := b.cache.drop(digest); err != nil {
		return blobError("drop the copy of", digest, err)
	}
	return nil
}
