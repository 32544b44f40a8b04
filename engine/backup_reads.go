package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"time"

	"strongroom/blobstore"
)

// fileReads says when the blobs of a backup were last read, or written, so that those
// of longest ago come next. It is derived: without it, or if it is not whole, all
// count as never read. It stands beside the manifest and not in it, since it has a
// row for each blob:
//
//	"strongroom reads 1\n"
//	8 bytes, the beginning of the digest · 6 bytes, milliseconds since 1970, big-endian   each blob, in order
//	32 bytes, the SHA-256 of all before
const (
	fileReads   = "reads.bin"
	readsHeader = "strongroom reads 1\n"
	readsPrefix = 8
	readsRow    = readsPrefix + 6
	maxReads    = 1 << 30
)

// readRows are the rows of that file, as they are gathered.
type readRows []byte

func (r readRows) add(d Digest, at uint64) readRows {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], at)
	return append(append(r, d[:readsPrefix]...), b[2:]...)
}

func (r readRows) write(dir string) error {
	text := append([]byte(readsHeader), r...)
	sum := sha256.Sum256(text)
	path := filepath.Join(dir, fileReads)
	if info, err := os.Lstat(path); err == nil && info.IsDir() { // a file would not take its place
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return blobstore.WriteFile(path, append(text, sum[:]...))
}

// readTime is an instant as it stands in a row; 0 is never.
func readTime(at time.Time) uint64 { return uint64(min(max(at.UnixMilli(), 0), 1<<48-1)) }

// readTimes is the file, asked in the order of the digests.
type readTimes struct {
	rows []byte
	now  uint64
}

func loadReadTimes(ctx context.Context, dir string, now time.Time) *readTimes {
	f, err := blobstore.OpenRegular(filepath.Join(dir, fileReads))
	if err != nil {
		return &readTimes{}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(&until{ctx, f}, maxReads))
	end := len(text) - sha256.Size
	if err != nil || end < len(readsHeader) || (end-len(readsHeader))%readsRow != 0 || !bytes.HasPrefix(text, []byte(readsHeader)) {
		return &readTimes{}
	}
	if sum := sha256.Sum256(text[:end]); !bytes.Equal(sum[:], text[end:]) {
		return &readTimes{}
	}
	return &readTimes{text[len(readsHeader):end], readTime(now)}
}

// of says when a blob was read, and whether the backup had it. Digests are asked for
// in order. A time to come, by a clock that was wrong, is never.
func (r *readTimes) of(d Digest) (at uint64, was bool) {
	for len(r.rows) > 0 && bytes.Compare(r.rows[:readsPrefix], d[:readsPrefix]) < 0 {
		r.rows = r.rows[readsRow:]
	}
	if !bytes.HasPrefix(r.rows, d[:readsPrefix]) {
		return 0, false
	}
	at = binary.BigEndian.Uint64(r.rows[readsPrefix-2:]) & (1<<48 - 1)
	if at > r.now {
		at = 0
	}
	return at, true
}
