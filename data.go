package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// lockWait is how long a holder that has not yet written its process id is
// waited for before the refusal goes out without one.
const lockWait = 500 * time.Millisecond

// lockData takes a data directory for one server: the vaults in it, the
// control socket and the first key. It holds until the file is closed. Each
// vault has a lock of its own besides, for commands that work on it at rest.
func lockData(data string) (*os.File, error) {
	path := filepath.Join(data, "server.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(lockWait); ; time.Sleep(lockWait / 50) {
		free, err := tryLock(f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("locking %s: %w", path, err)
		}
		if free {
			break
		}
		if pid := lockHolder(path); pid != 0 || time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("%s is served by another server, process %d; stop it first, or give another --data", data, pid)
		}
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

// lockHolder returns the process id in a lock file, or 0.
func lockHolder(path string) int {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(string(bytes.TrimSpace(content)))
	if err != nil {
		return 0
	}
	return pid
}
