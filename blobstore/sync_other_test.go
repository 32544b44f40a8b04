//go:build !linux

package blobstore

import "os"

// syncData stands for fdatasync where there is none.
func syncData(f *os.File) error { return f.Sync() }
