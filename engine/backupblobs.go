package engine

import (
	"errors"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// blobs copies those that the copied database names and the backup lacks.
func (b *backup) blobs(copied *copiedVault) error {
	err := copied.eachBlob(func(d Digest) error {
		size, wanted := b.wants(d)
		if wanted {
			b.total += size
		}
		b.report.Blobs++
		b.report.Bytes += size
		return b.ctx.Err()
	})
	if err == nil {
		err = store.Room(b.dir, b.total-b.done, 0)
	}
	if err != nil {
		return err
	}
	batch := b.archive.Batch()
	defer batch.Discard()
	err = copied.eachBlob(func(d Digest) error {
		if err := b.going(); err != nil {
			return err
		}
		if _, wanted := b.wants(d); wanted {
			if err := b.copy(batch, d); err != nil {
				return err
			}
		}
		b.v.pins.passed(d)
		return nil
	})
	if err == nil {
		err = batch.Close()
	}
	if err == nil && len(b.wrong) > 0 {
		err = &DamagedError{b.wrong}
	}
	return err
}

// wants says whether a blob has to be copied. One that the vault has lost, and
// the earlier backup has, stays as it is there.
func (b *backup) wants(d Digest) (size int64, wanted bool) {
	size, err := b.v.blobs.Stat(d)
	there, missing := b.archive.Stat(d)
	if err != nil {
		return there, missing != nil
	}
	return size, missing != nil || there != size
}

func (b *backup) copy(batch *blobstore.Batch, d Digest) error {
	f, err := b.v.blobs.Open(d)
	if err != nil {
		return b.damage(d, err)
	}
	defer f.Close()
	size, err := batch.Add(b.ctx, d, f)
	if errors.Is(err, blobstore.ErrCorrupt) {
		return b.damage(d, err)
	}
	b.progress(size)
	b.report.CopiedBlobs++
	b.report.CopiedBytes += size
	return blobError(err)
}

// damage notes a file that cannot be copied, and lets the others be: whoever
// mends it has to know of all of them.
// What the earlier backup has is no loss.
func (b *backup) damage(d Digest, err error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if _, missing := b.archive.Check(b.ctx, d); missing == nil {
		return nil
	}
	if b.wrong = append(b.wrong, err.Error()); len(b.wrong) == maxFindings {
		return &DamagedError{b.wrong}
	}
	return nil
}
