package blobtest_test

import (
	"path/filepath"
	"testing"

	"strongroom/blobstore"
	"strongroom/blobstore/blobtest"
)

func TestDisk(t *testing.T) {
	blobtest.Test(t, func(t *testing.T) blobtest.Store {
		dir := filepath.Join(t.TempDir(), "blobs")
		if err := blobstore.Init(dir); err != nil {
			t.Fatal(err)
		}
		disk, err := blobstore.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return disk
	})
}
