package engine

import (
	"context"

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

// carry has an upload carried by the transaction that refers to it (see refer), or
// makes it durable by itself.
func (v *Vault) carry(ctx context.Context, u *Upload) error {
	disk, carries := v.blobs.(carrier)
	p, places := u.staged.(blobstore.Placer)
	if !carries || !places || p.Bytes() == nil || disk.Kept(p.Digest(), p.Size()) {
		err := u.staged.Keep(ctx)
		if err != nil && !carries {
			v.litter.Store(true) // it may come yet
		}
		return err
	}
	if err := p.Prepare(ctx); err != nil {
		return err
	}
	u.carried = p
	return nil
}

// refer writes that something needs these bytes. Those of the step's own upload the
// log takes along: its caller waits until the group has landed, and its bytes stay so
// long. An equal upload that somebody else brings at the same time is his, and may be gone.
func (t *tx) refer(d Digest, row []byte) {
	if u := t.upload; u != nil && u.carried != nil && u.Digest() == d {
		t.Carry(u.carried)
	}
	t.Put(bucketRefs, row, nil)
}
