package s3

import (
	"context"
	"fmt"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

// list returns the objects of a digest, those of the newest epoch first.
func (b *Blobs) list(ctx context.Context, patience time.Duration, digest blobstore.Digest) ([]locatedBlob, error) {
	all, err := b.listed(ctx, patience, digest)
	if b.lock == nil || err != nil || len(all) > 0 {
		return all, err
	}
	if hidden, err := b.unhide(ctx, patience, digest); err != nil || !hidden {
		return nil, err
	}
	return b.listed(ctx, patience, digest)
}

func (b *Blobs) listed(ctx context.Context, patience time.Duration, digest blobstore.Digest) (all []locatedBlob, err error) {
	prefix := blobPrefix(digest)
	err = persist(ctx, patience, func() error {
		all = all[:0]
		return b.store.List(ctx, prefix, "", func(info object.Info) error {
			if d, name, ok := parseBlobKey(info.Key); ok && d == digest {
				all = append(all, locatedBlob{name, info.Size})
			}
			return nil
		})
	})
	sortNewest(all)
	return all, err
}

// Each calls fn with every blob and its size in the order of the digests, once
// each however many objects it has. It stops at the first error of fn and returns it as it is. Blobs
// kept or removed meanwhile may or may not be seen. Objects that are no blobs are passed over; if there was
// any, Each ends with ErrForeign, naming some, after fn has seen every blob.
func (b *Blobs) Each(ctx context.Context, fn func(blobstore.Digest, int64) error) error {
	e := enumeration{fn: fn}
	var err error
	for more := true; more && err == nil; {
		more = false
		began := e.after
		err = persist(ctx, readPatience, func() error {
			err := b.store.List(ctx, blobsPrefix, e.after, e.next)
			switch {
			case e.failed != nil:
				return settled{e.failed}
			case err != nil && ctx.Err() == nil && e.after != began:
				more = true // it broke off, and goes on from there with all patience
				return nil
			}
			return err
		})
	}
	if err == nil {
		err = e.flush()
	}
	if e.failed != nil {
		return e.failed
	}
	if err != nil {
		return fmt.Errorf("enumerate blobs: %w", err)
	}
	return e.foreign()
}

// enumeration is Each on its way through a listing, which may break off and go on.
type enumeration struct {
	fn        func(blobstore.Digest, int64) error
	after     string // the last key that was seen
	digest    blobstore.Digest
	all       []locatedBlob // of that digest, to be given to fn when the next comes
	failed    error         // of fn
	strangers int
	some      []string // of the strangers
}

func (e *enumeration) next(info object.Info) error {
	e.after = info.Key
	digest, name, ok := parseBlobKey(info.Key)
	if !ok {
		if e.strangers++; len(e.some) < 10 {
			e.some = append(e.some, info.Key)
		}
		return nil
	}
	if digest != e.digest {
		if err := e.flush(); err != nil {
			return err
		}
		e.digest = digest
	}
	e.all = append(e.all, locatedBlob{name, info.Size})
	return nil
}

func (e *enumeration) flush() error {
	if len(e.all) == 0 {
		return nil
	}
	sortNewest(e.all)
	size := e.all[0].size
	e.all = e.all[:0]
	e.failed = e.fn(e.digest, size)
	return e.failed
}

func (e *enumeration) foreign() error {
	if e.strangers == 0 {
		return nil
	}
	return fmt.Errorf("%w: %d, among them %q", blobstore.ErrForeign, e.strangers, e.some)
}
