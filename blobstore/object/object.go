// Package object says what Strongroom asks of a store of objects beyond this
// machine, and tries whether one keeps it.
//
// An object is bytes under a key. A key is written whole or not at all, and who has
// been told that it is written can read it, from anywhere. Two conditions make a
// cluster of it: a key that is written only if nobody has it (IfAbsent), and one
// that is written only if it is what the writer last saw (IfMatch). Of any number
// who put one key with IfAbsent at once, exactly one is told that it did.
//
// S3 and what speaks it keeps all this, if it is a good one: package s3 is the
// client. Memory is a store in memory. Trial finds stores that promise conditions
// and do not keep them.
//
// # What a failure means
//
// ErrNotFound, ErrExists and ErrChanged are answers: the store was reached and has
// decided. Any other error of Put or Delete says that nobody knows: the request may
// have been carried out, may be carried out later, or never. Who needs to know puts
// the same bytes again, with the same condition, and reads back what stands there:
// one's own success may come back as ErrExists, because a client or a proxy sent the
// request twice.
package object

import (
	"context"
	"errors"
	"io"
	"time"
)

var (
	// ErrNotFound says that there is no object under the key, now.
	ErrNotFound = errors.New("no such object")
	// ErrExists says that IfAbsent did not hold: somebody has put the key. It may have
	// been the caller.
	ErrExists = errors.New("the object exists already")
	// ErrChanged says that IfMatch did not hold: the object is another by now, or gone.
	ErrChanged = errors.New("the object has changed")
	// ErrDamaged says that the bytes that came are not those that were put.
	ErrDamaged = errors.New("the object is damaged")
)

// Info is what a store tells of an object.
type Info struct {
	Key      string
	ETag     string // opaque; what IfMatch takes. "" in a listing that does not tell
	Size     int64
	Modified time.Time // by the store's clock, in seconds
	// Now is the store's clock when it answered, in seconds. Zero: it did not tell.
	Now time.Time
}

// Condition is what must hold for a Put. The zero Condition is none.
type Condition struct {
	// Absent: nobody has the key.
	Absent bool
	// Match: the object is there, with this ETag. "": not asked.
	Match string
}

// Store is a store of objects. All methods may be called from many goroutines. Keys
// are of the letters, digits and - _ . / that S3 takes everywhere, relative to where
// the store was opened. None is the beginning of another up to a slash: some stores
// keep objects as files, and a file is no directory.
type Store interface {
	// Put writes the object whole. ErrExists, ErrChanged; any other error: unknown.
	Put(ctx context.Context, key string, b []byte, c Condition) (Info, error)
	// PutStream is Put for bytes that do not fit into memory: size bytes of r, in parts
	// if the store wants them so. Nothing stands under the key before all of it is there.
	PutStream(ctx context.Context, key string, r io.Reader, size int64) (Info, error)
	// Get opens the object from an offset on, to its end. The caller closes it. It
	// is read as it was when it was opened, or fails. ErrNotFound.
	Get(ctx context.Context, key string, offset int64) (io.ReadCloser, Info, error)
	// Stat tells of the object without its bytes. ErrNotFound.
	Stat(ctx context.Context, key string) (Info, error)
	// Delete removes the object. One that is not there is no error.
	Delete(ctx context.Context, key string) error
	// List calls fn with the objects whose keys begin with prefix and come after
	// another key, in the order of their bytes, until fn returns an error, which List
	// returns. It may miss what is put meanwhile: nothing may be decided by it alone.
	List(ctx context.Context, prefix, after string, fn func(Info) error) error
}

// Read gets the whole object, which fits into memory.
func Read(ctx context.Context, s Store, key string) ([]byte, Info, error) {
	r, info, err := s.Get(ctx, key, 0)
	if err != nil {
		return nil, Info{}, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err == nil && int64(len(b)) != info.Size {
		err = ErrDamaged
	}
	return b, info, err
}

// Holder is a Store that can hold back a Put in the middle: Trial has many begin
// before any may end, since a store that looks first and writes later is right as long
// as nobody comes between.
type Holder interface {
	// PutHeld is Put, but the last byte of b, which is not empty, is given away only
	// after ready has returned. An error of ready ends it.
	PutHeld(ctx context.Context, key string, b []byte, c Condition, ready func() error) (Info, error)
}
