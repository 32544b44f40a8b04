package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/blobstore/blobtest"
	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
	"strongroom/blobstore/s3/s3test"
)

// TestBlobsOnServer holds Blobs to the law where the store is a real one, with and
// without locks.
func TestBlobsOnServer(t *testing.T) {
	server := s3test.Start(t)
	server.MakeLockingBucket("locking")
	var n atomic.Int64
	for name, locking := range map[string]bool{"plain": false, "locking": true} {
		if locking && testing.Short() {
			continue
		}
		t.Run(name, func(t *testing.T) {
			blobtest.Test(t, func(t *testing.T) blobtest.Store {
				return openOnServer(t, server, fmt.Sprintf("blobs/%d", n.Add(1)), locking)
			})
		})
	}
}

func openOnServer(t *testing.T, server *s3test.Server, prefix string, locking bool) *s3.Blobs {
	t.Helper()
	c := s3.BlobsConfig{Dir: t.TempDir(), CacheBytes: 1 << 20}
	if locking {
		c.Lock = lockingClient(t, server, prefix)
	} else {
		c.Store = server.Open(prefix)
	}
	b, err := s3.OpenBlobs(c)
	if err != nil {
		t.Fatal(err)
	}
	b.SetEpoch(1)
	return b
}

func lockingClient(t *testing.T, server *s3test.Server, prefix string) *s3.Client {
	t.Helper()
	config := server.Config(prefix)
	config.Bucket = "locking"
	c, err := s3.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestLocksOnServer: a real store keeps what Protect was told, and nothing else.
func TestLocksOnServer(t *testing.T) {
	server := s3test.Start(t)
	server.MakeLockingBucket("locking")
	c := lockingClient(t, server, "vault")
	if err := c.CheckLocks(t.Context()); err != nil {
		t.Error(err)
	}
	if err := server.Open("vault").CheckLocks(t.Context()); !errors.Is(err, s3.ErrNotLocking) {
		t.Errorf("a bucket without locks: %v", err)
	}
	if err := object.TrialLock(t.Context(), c); err != nil {
		t.Error(err)
	}
	b := openOnServer(t, server, "vault", true)
	staged, err := b.Stage(t.Context(), bytes.NewReader([]byte("held")), 0)
	if err == nil {
		err = staged.Keep(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, until := range []time.Time{{}, time.Now().Add(time.Hour), time.Now().Add(time.Minute)} {
		if err := b.Protect(t.Context(), staged.Digest(), until, until.IsZero()); err != nil {
			t.Error(err)
		}
		if err := b.Remove(staged.Digest()); !errors.Is(err, object.ErrLocked) {
			t.Errorf("Remove until %v: %v, want ErrLocked", until, err)
		}
		if n, err := b.Check(t.Context(), staged.Digest()); err != nil || n != 4 {
			t.Errorf("Check: %d, %v", n, err)
		}
	}
}
