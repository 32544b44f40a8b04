package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"strongroom/engine/internal/store/wal"

	"go.etcd.io/bbolt"
)

// view is what a checkpoint names: the meta page of a state of the database, of
// which nothing counts behind its first 80 bytes, and the SHA-256 of that state's
// root and freelist pages, by which a database is known that is not the log's.
//
// The layout of a meta page is bbolt's, unchanged since its format version 2: a
// page header of 16 bytes (id 8, flags 2, count 2, overflow 4), then magic,
// version, page size and flags of 4 bytes each, the root bucket of 16 (its page
// first), freelist and high water mark of 8 each, the transaction id of 8, and a
// checksum of 8 over what is between header and checksum. The page's id is not
// under the checksum, so one meta serves for both slots.
type view []byte

const (
	metaSize     = 16 + 64
	metaPageSize = 16 + 8
	metaRoot     = 16 + 16
	metaFreelist = 16 + 32
	metaTxid     = 16 + 48
	noFreelist   = ^uint64(0)
)

// viewOf makes that of a reader's state, which has its freelist on disk. The meta
// is that of the transaction: in the file, a later one may stand in its place.
func viewOf(b *bbolt.Tx, f io.ReaderAt) (view, error) {
	var first firstWrite
	if _, err := b.WriteTo(&first); len(first.b) < metaSize { // it ends with errEnough, which bbolt does not wrap
		return nil, fmt.Errorf("read the state of the database: %w", err)
	}
	v := view(first.b[:metaSize])
	sum, err := v.sum(f)
	if err != nil {
		return nil, err
	}
	return append(v, sum[:]...), nil
}

// firstWrite keeps the first thing that is written to it, and refuses the rest.
type firstWrite struct{ b []byte }

var errEnough = errors.New("enough was read")

func (w *firstWrite) Write(p []byte) (int, error) {
	if w.b != nil {
		return 0, errEnough
	}
	w.b = bytes.Clone(p)
	return len(p), nil
}

func (v view) pageSize() int64 { return int64(binary.NativeEndian.Uint32(v[metaPageSize:])) }

// sum hashes the root page and the pages of the freelist.
func (v view) sum(f io.ReaderAt) (sum [32]byte, err error) {
	size := v.pageSize()
	if size < 1024 || size > 1<<16 {
		return sum, fmt.Errorf("%w: pages of %d bytes", ErrDamaged, size)
	}
	hash := sha256.New()
	for _, at := range []int{metaRoot, metaFreelist} {
		id := binary.NativeEndian.Uint64(v[at:])
		if id == noFreelist || id > 1<<50 {
			return sum, fmt.Errorf("%w: a state without a list of free pages", ErrDamaged)
		}
		page := make([]byte, size)
		if _, err := f.ReadAt(page, int64(id)*size); err != nil {
			return sum, fmt.Errorf("read page %d of the database: %w", id, err)
		}
		hash.Write(page)
		more := int64(binary.NativeEndian.Uint32(page[12:])) * size
		if _, err := io.Copy(hash, io.NewSectionReader(f, int64(id+1)*size, more)); err != nil {
			return sum, fmt.Errorf("read the pages behind %d of the database: %w", id, err)
		}
	}
	hash.Sum(sum[:0])
	return sum, nil
}

// freePages reads the list of free pages, in order, those among them that a reader of an
// earlier state may still see. Its layout is bbolt's: behind the page's header the
// numbers, of 8 bytes each; how many stands in the header, or, if it is 0xffff
// there, in the place of the first.
func (v view) freePages(f io.ReaderAt) ([]uint64, error) {
	at := int64(binary.NativeEndian.Uint64(v[metaFreelist:])) * v.pageSize()
	var head [16 + 8]byte
	if _, err := f.ReadAt(head[:], at); err != nil {
		return nil, fmt.Errorf("read the list of free pages: %w", err)
	}
	count, skip := uint64(binary.NativeEndian.Uint16(head[10:])), int64(16)
	if count == 0xffff {
		count, skip = binary.NativeEndian.Uint64(head[16:]), 24
	}
	size := int64(binary.NativeEndian.Uint32(head[12:])+1) * v.pageSize()
	if count > uint64(size)/8 {
		return nil, fmt.Errorf("%w: a list of %d free pages", ErrDamaged, count)
	}
	list := make([]byte, count*8)
	if _, err := f.ReadAt(list, at+skip); err != nil {
		return nil, fmt.Errorf("read the list of free pages: %w", err)
	}
	pages := make([]uint64, count)
	for i := range pages {
		pages[i] = binary.NativeEndian.Uint64(list[8*i:])
	}
	return pages, nil
}

// restore makes the file show that state: both slots, since whichever bbolt would
// take for the newest may be of a later one, whose pages are not all on disk. It
// writes nothing to a file that is another.
func (v view) restore(path string) (err error) {
	if len(v) != metaSize+sha256.Size {
		return fmt.Errorf("%w: the checkpoint of its log cannot be read", ErrDamaged)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum, err := v.sum(f)
	if errors.Is(err, io.EOF) || err == nil && !bytes.Equal(sum[:], v[metaSize:]) {
		return fmt.Errorf("%w: %s is not the database that its write-ahead log belongs to; put that back, or restore the vault from a backup", ErrDamaged, path)
	}
	if err != nil {
		return err
	}
	for slot := range int64(2) {
		page := make([]byte, v.pageSize())
		copy(page, v[:metaSize])
		binary.NativeEndian.PutUint64(page, uint64(slot))
		if _, err := f.WriteAt(page, slot*v.pageSize()); err != nil {
			return fmt.Errorf("restore the state of the last checkpoint: %w", err)
		}
	}
	return nil
}

// openLog opens what a crash left of the log, if it did, and puts the database back to
// the checkpoint that it begins with.
func (s *Store) openLog() (*wal.Recovery, error) {
	left, err := wal.Open(s.logDir(), s.steps)
	if err != nil {
		return nil, damagedLog(err)
	}
	if left == nil {
		return nil, standsAlone(s.path)
	}
	if err := view(left.View).restore(s.path); err != nil {
		return nil, errors.Join(err, left.Close())
	}
	return left, nil
}

// standsAlone refuses a database whose newest state has no list of free pages: that is
// committed in front of a log only, which is missing. Without it nobody knows which
// pages are on disk, and bbolt would look for what is free among them. What has no
// state at all is bbolt's to refuse.
func standsAlone(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var newest, freelist uint64
	page := int64(0)
	for slot := range int64(2) {
		meta := make([]byte, metaSize)
		if slot == 1 && page == 0 {
			page = int64(os.Getpagesize())
		}
		if _, err := f.ReadAt(meta, slot*page); err != nil || !view(meta).whole() {
			continue
		}
		page = view(meta).pageSize()
		if txid := binary.NativeEndian.Uint64(meta[metaTxid:]); txid >= newest {
			newest, freelist = txid, binary.NativeEndian.Uint64(meta[metaFreelist:])
		}
	}
	if freelist == noFreelist {
		return &UnavailableError{Reason: ReasonDamaged, Err: fmt.Errorf("%w: the write-ahead log of %s is missing; put its directory %s back, or restore the vault from a backup", ErrDamaged, path, DirLog)}
	}
	return nil
}

// whole says whether the checksum of a meta page is right: FNV-1a, 64 bits, of what is
// between the page's header and itself.
func (v view) whole() bool {
	hash := fnv.New64a()
	hash.Write(v[16 : metaSize-8])
	return binary.NativeEndian.Uint64(v[metaSize-8:]) == hash.Sum64()
}

// damagedLog makes what the log calls damage the store's.
func damagedLog(err error) error {
	if errors.Is(err, wal.ErrDamaged) {
		return &UnavailableError{Reason: ReasonDamaged, Err: fmt.Errorf("%w: %w", ErrDamaged, err)}
	}
	return err
}
