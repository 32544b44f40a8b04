package cluster

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/engine"
)

// fileTaking is a snapshot on its way to the store, beside the working copy. It is written while the
// vault keeps its pages, and sent when it no longer does: a store is slower than a disk.
const fileTaking = "snapshot.taking"

// snapshotKey names a snapshot as no other is named: one that a server sends which was
// replaced long ago lands on nothing that is needed, and one that was taken anew
// after a wipe does not replace the other before the pointer does.
func snapshotKey(commit, by uint64) string {
	var b [8]byte
	rand.Read(b[:])
	return fmt.Sprintf("%s%016d.%d.%s", keySnapshots, commit, by, hex.EncodeToString(b[:]))
}

// takenBy reads the epoch from a snapshot's key.
func takenBy(key string) (epoch uint64, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, keySnapshots), ".")
	if len(parts) != 3 {
		return 0, false
	}
	epoch, err := strconv.ParseUint(parts[1], 10, 64)
	return epoch, err == nil
}

// takeSnapshot puts a snapshot of v, reads it back, and then points to it. The place of the
// commit that it shows is read from the store, or is the last pointer's where that
// is of the same number. engine.ErrReplaced: another server of a later epoch has taken one.
func (c *Config) takeSnapshot(ctx context.Context, v vaultCopy, epoch uint64) (pointer, error) {
	p, _, err := c.loadPointer(ctx)
	if err != nil {
		return pointer{}, err
	}
	s, err := c.putSnapshot(ctx, v, epoch, func(commit uint64) (place, error) {
		if commit == p.Commit {
			return p.place, nil
		}
		cm, err := c.findCommit(ctx, commit)
		return cm.place, err
	})
	if err != nil {
		return pointer{}, fmt.Errorf("take a snapshot: %w", err)
	}
	// Only collection writes the pointer beside this, and another owner.
	for range putTries {
		p, info, err := c.readPointer(ctx)
		if err != nil {
			return pointer{}, err
		}
		if p.Fence > epoch || p.Commit > s.Commit || p.Vault != v.ID() {
			return pointer{}, fmt.Errorf("%w: the last snapshot is of commit %d, by epoch %d", engine.ErrReplaced, p.Commit, p.Fence)
		}
		p.Fence = epoch
		p.Older = append(p.Older, p.snapshot)
		p.snapshot = s
		err = c.savePointer(ctx, p, object.Condition{Match: info.ETag})
		if err == nil {
			return p, nil
		}
		if !errors.Is(err, object.ErrChanged) {
			return pointer{}, err
		}
	}
	return pointer{}, fmt.Errorf("point to a snapshot: %w", object.ErrChanged)
}

// putSnapshot is takeSnapshot without the pointer. place tells the place of a commit.
func (c *Config) putSnapshot(ctx context.Context, v vaultCopy, epoch uint64, place func(uint64) (place, error)) (s snapshot, err error) {
	f, err := blobstore.CreateFresh(filepath.Join(c.Dir, fileTaking))
	if err != nil {
		return snapshot{}, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	wiped := v.Wiped() // before the copy is begun: what is wiped meanwhile may be in it
	sum := sha256.New()
	err = v.CopyDatabase(func(rows engine.DatabaseCopy) error {
		s = snapshot{Seq: rows.Head.Seq, Hash: rows.Head.Hash.String(), Head: rows.Head.Time.UTC(), Rows: rows.Size, By: epoch, Wiped: wiped}
		s.Commit = rows.Group
		return compress(ctx, io.MultiWriter(f, sum), rows)
	})
	if err != nil {
		return snapshot{}, err
	}
	if s.place, err = place(s.Commit); err != nil {
		return snapshot{}, err
	}
	s.Digest, s.Key = hex.EncodeToString(sum.Sum(nil)), snapshotKey(s.Commit, epoch)
	if s.Size, err = f.Seek(0, io.SeekCurrent); err != nil {
		return snapshot{}, err
	}
	if s.Time, err = c.send(ctx, s, f.Name()); err != nil {
		return snapshot{}, err
	}
	return s, nil
}

// compress writes the rows, packed.
func compress(ctx context.Context, w io.Writer, rows engine.DatabaseCopy) error {
	z := newPacker(w)
	n, err := rows.WriteTo(&stoppable{ctx, z})
	if err == nil && n != rows.Size {
		err = fmt.Errorf("the copy of the database has %d bytes, not %d", n, rows.Size)
	}
	return errors.Join(err, z.Close())
}

// stoppable is a writer that ends with a context.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s *stoppable) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}

// send puts the file as the snapshot, reads it back and compares, and returns when it
// stood there. A store's own checksum is not asked: not every store has one, and what is
// behind a snapshot is deleted.
func (c *Config) send(ctx context.Context, s snapshot, path string) (at time.Time, err error) {
	pause := putPause
	for try := 1; ; try++ {
		if at, err = c.sendOnce(ctx, s, path); err == nil || try == sendTries || ctx.Err() != nil {
			return at, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause *= 4
	}
}

const sendTries = 3

func (c *Config) sendOnce(ctx context.Context, s snapshot, path string) (time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, err
	}
	defer f.Close()
	if _, err := c.Objects.PutStream(ctx, s.Key, f, s.Size); err != nil {
		return time.Time{}, fmt.Errorf("put %s: %w", s.Key, err)
	}
	r := &snapshotReader{ctx: ctx, from: c.Objects, s: s, sum: sha256.New()}
	_, err = io.Copy(io.Discard, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return time.Time{}, fmt.Errorf("read back %s: %w", s.Key, err)
	}
	if now := storeTime(r.info); !now.IsZero() {
		return now, nil
	}
	return time.Now().UTC().Truncate(time.Second), nil
}
