package datadir

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// lockWait is how long a lock is tried for before it is refused: a server that
// was killed a moment ago may not be gone yet.
const lockWait = 500 * time.Millisecond

// Lock takes a data directory for one server: the vaults in it, the
// control socket and the first key. It holds until the file is closed. Each
// vault has a lock of its own besides, for commands that work on it at rest.
func Lock(data string) (*os.File, error) {
	path := filepath.Join(data, "server.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, denied(err, data)
	}
	if err := GiveLike(data, path); err != nil {
		f.Close()
		return nil, err
	}
	free, err := waitLock(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	if !free {
		f.Close()
		return nil, fmt.Errorf("%s is served by another server, process %s; stop it first, or give another --data", data, lockHolder(path))
	}
	// The id of a server that was killed may still stand here.
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// LockFile takes the file at path, which it makes, for this process until what it
// returns is closed. It waits half a second for whoever has it.
func LockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	free, err := waitLock(f)
	if err == nil && !free {
		err = errors.New("another process has it")
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return f, nil
}

// waitLock takes the file, and reports false if another process keeps it.
func waitLock(f *os.File) (free bool, err error) {
	for deadline := time.Now().Add(lockWait); ; time.Sleep(lockWait / 50) {
		free, err = tryLock(f)
		if err != nil || free || time.Now().After(deadline) {
			return free, err
		}
	}
}

// lockHolder returns the process id in a lock file.
func lockHolder(path string) string {
	pid, err := os.ReadFile(path)
	if err != nil || len(pid) == 0 {
		return "unknown"
	}
	return string(bytes.TrimSpace(pid))
}
