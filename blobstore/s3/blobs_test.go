package s3

import (
	"testing"

	"strongroom/blobstore/blobtest"
	"strongroom/blobstore/object"
)

// openBlobs opens the blobs of store with a cache of so many bytes, as the owner in an epoch.
func openBlobs(t testing.TB, store object.Store, dir string, cacheBytes int64, epoch uint64) *Blobs {
	t.Helper()
	b, err := OpenBlobs(BlobsConfig{Store: store, Dir: dir, CacheBytes: cacheBytes})
	if err != nil {
		t.Fatal(err)
	}
	b.SetEpoch(epoch)
	return b
}

// TestBlobsKeepTheLaw holds Blobs to what blobstore.Disk promises: with room for copies
// of all, with room for few of them, and with none.
func TestBlobsKeepTheLaw(t *testing.T) {
	for name, cacheBytes := range map[string]int64{"large cache": 0, "small cache": 1 << 20, "no cache": -1} {
		t.Run(name, func(t *testing.T) {
			blobtest.Test(t, func(t *testing.T) blobtest.Store {
				return openBlobs(t, object.NewMemory(), t.TempDir(), cacheBytes, 1)
			})
		})
	}
}
