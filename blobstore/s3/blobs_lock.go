package s3

import (
	"context"
	"errors"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

// Protect has the store keep the bytes of a digest from everybody: until a time (zero: no
// time, and one that was said before stays, since nobody can shorten it), and under legal hold while held. It does
// so for all objects of the digest that there are; one that a later Keep puts has
// no protection yet, so it is called again, by the owner, until the vault has what it asks for. It needs
// BlobsConfig.Lock. Asking for what holds already changes nothing. ErrNotFound, ErrUnavailable.
func (b *Blobs) Protect(ctx context.Context, digest blobstore.Digest, until time.Time, held bool) error {
	if b.lock == nil {
		return blobError("protect", digest, errNoLock)
	}
	versions, err := b.versions(ctx, readPatience, digest)
	if err != nil {
		return blobError("protect", digest, err)
	}
	found := false
	for _, v := range versions {
		if v.Marker {
			continue
		}
		found = true
		err := persist(ctx, readPatience, func() error { return b.lock.LegalHold(ctx, v.Key, v.ID, held) })
		if err == nil && !until.IsZero() {
			err = persist(ctx, readPatience, func() error { return b.lock.Retain(ctx, v.Key, v.ID, until) })
		}
		if err != nil {
			return blobError("protect", digest, err)
		}
	}
	if !found {
		return blobError("protect", digest, object.ErrNotFound)
	}
	return nil
}

var errNoLock = errors.New("the store of this vault's blobs has no locks: name a bucket for them with --store-lock")

// versions are all versions of all objects of a digest, and the markers before them.
func (b *Blobs) versions(ctx context.Context, patience time.Duration, digest blobstore.Digest) (all []object.Version, err error) {
	err = persist(ctx, patience, func() error {
		all = all[:0]
		return b.lock.Versions(ctx, blobPrefix(digest), func(v object.Version) error {
			if d, _, ok := parseBlobKey(v.Key); ok && d == digest {
				all = append(all, v)
			}
			return nil
		})
	})
	return all, err
}

// deleteVersions is delete where there are versions: without an ID nothing is erased.
// A PUT that was sent twice has made two. A DELETE that comes late names a version, so it can hit
// no other.
func (b *Blobs) deleteVersions(ctx context.Context, digest blobstore.Digest, epoch uint64) error {
	b.known.take(digest)
	versions, err := b.versions(ctx, removePatience, digest)
	for _, v := range versions {
		if _, name, _ := parseBlobKey(v.Key); name.epoch > epoch {
			continue
		}
		gone := persist(ctx, removePatience, func() error { return b.lock.DeleteVersion(ctx, v.Key, v.ID) })
		err = errors.Join(err, gone)
	}
	return err
}

// unhide takes away the markers that hide a blob. The vault makes none: somebody who may
// not delete what is locked has hidden it.
func (b *Blobs) unhide(ctx context.Context, patience time.Duration, digest blobstore.Digest) (found bool, err error) {
	versions, err := b.versions(ctx, patience, digest)
	bytes := map[string]bool{}
	for _, v := range versions {
		bytes[v.Key] = bytes[v.Key] || !v.Marker
	}
	for _, v := range versions {
		if v.Marker && bytes[v.Key] && err == nil {
			found = true
			err = persist(ctx, patience, func() error { return b.lock.DeleteVersion(ctx, v.Key, v.ID) })
		}
	}
	return found, err
}
