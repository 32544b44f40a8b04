package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// lockWait is how long a lock is tried for before it is refused: a server that
// was killed a moment ago may not be gone yet.
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
		if time.Now().After(deadline) {
			f.Close()
			return nil, fmt.Errorf("%s is served by another server, process %s; stop it first, or give another --data", data, lockHolder(path))
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

// What is made aside is in a directory of this name and digits, as os.MkdirTemp
// makes it: a control socket in the data directory, a vault beside the others.
const (
	socketAside = ".s"
	vaultAside  = ".new-"
)

// abandoned is the age at which a vault that is being made is nobody's any more;
// making one takes less than a second.
const abandoned = time.Hour

// sweepData removes what crashes have left in a data directory. Only the holder
// of the directory's lock may call it, for it alone makes sockets. Vaults are
// made without the lock, beside a running server too, so young ones stay.
func sweepData(data string) error {
	// It would hold the first administrator's key.
	halfKey := os.Remove(filepath.Join(data, firstKeyName+".new"))
	if errors.Is(halfKey, fs.ErrNotExist) {
		halfKey = nil
	}
	return errors.Join(halfKey,
		sweepAside(data, socketAside, 0),
		sweepAside(vaultsDir(data), vaultAside, abandoned),
	)
}

func sweepAside(dir, name string, age time.Duration) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, entry := range entries {
		number, ok := strings.CutPrefix(entry.Name(), name)
		if _, err := strconv.ParseUint(number, 10, 64); !ok || err != nil || !entry.IsDir() {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) >= age {
			errs = append(errs, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	return errors.Join(errs...)
}

// lockHolder returns the process id in a lock file.
func lockHolder(path string) string {
	pid, err := os.ReadFile(path)
	if err != nil || len(pid) == 0 {
		return "unknown"
	}
	return string(bytes.TrimSpace(pid))
}
