//go:build !linux

package wal

import "os"

// syncData makes what was written to a file durable.
func syncData(f *os.File) error { return f.Sync() }

// startWriting has the disk begin with a part of a file, where the system can be told.
func startWriting(File, int64, int64) {}
