package engine

import (
	"context"
	"slices"
	"sync"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// carrier is a store of bytes that lets the write-ahead log carry small uploads
// until a checkpoint: one sync then makes the bytes, the record that names them and
// its entry durable. blobstore.Disk is one.
type carrier interface {
	store.Blobs
	Kept(d Digest, size int64) bool
}

// carrying is the uploads that the transaction which writes their first reference
// takes along, by digest: of equal ones that come at once, each has its own.
type carrying struct {
	mu      sync.Mutex // leaf lock
	uploads map[Digest][]blobstore.Placer
}

// carry has an upload carried, or makes it durable by itself. end is called when
// the record that needs it has landed, or has not.
func (v *Vault) carry(ctx context.Context, staged blobstore.Staged) (end func(), err error) {
	disk, carries := v.blobs.(carrier)
	p, places := staged.(blobstore.Placer)
	if !carries || !places || p.Bytes() == nil || disk.Kept(p.Digest(), p.Size()) {
		return func() {}, staged.Keep(ctx)
	}
	if err := p.Prepare(ctx); err != nil {
		return nil, err
	}
	c, d := &v.carrying, p.Digest()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.uploads == nil {
		c.uploads = make(map[Digest][]blobstore.Placer)
	}
	c.uploads[d] = append(c.uploads[d], p)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.uploads[d] = slices.DeleteFunc(c.uploads[d], func(other blobstore.Placer) bool { return other == p })
		if len(c.uploads[d]) == 0 {
			delete(c.uploads, d)
		}
		p.Discard() // what was placed is spent; what was not is in nobody's way
	}, nil
}

// refer writes that something needs these bytes, which the log takes along if
// they are an upload on its way.
func (t *tx) refer(d Digest, row []byte) {
	c := &t.v.carrying
	c.mu.Lock()
	uploads := slices.Clone(c.uploads[d])
	c.mu.Unlock()
	for _, p := range uploads {
		t.Carry(p)
	}
	t.Put(bucketRefs, row, nil)
}
