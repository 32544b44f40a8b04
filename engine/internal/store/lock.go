package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"strongroom/blobstore"
)

// fileLock is held while a vault is open; its text is the process id.
const fileLock = "vault.lock"

// Lock keeps other processes out of a vault's directory. The operating system
// drops it with the process, so a stale file locks nobody out.
type Lock struct {
	// Clean says that whoever held the lock before let go in order, with nothing
	// left to tidy; after a crash its process id is still in the file.
	Clean bool
	f     *os.File
}

// TakeLock takes the lock of a vault's directory and writes our process id into
// the file. *InUseError.
func TakeLock(dir string) (*Lock, error) {
	f, clean, err := lockVault(filepath.Join(dir, fileLock))
	if err != nil {
		return nil, err
	}
	return &Lock{clean, f}, nil
}

// Release lets the lock go. clean says that nothing is left to tidy, and the
// next to take it finds it so.
func (l *Lock) Release(clean bool) error {
	var err error
	if clean {
		err = rewrite(l.f, "")
	}
	// A process that is being started has a copy of the file until it runs, which
	// would keep the lock beyond the Close.
	unlockFile(l.f)
	return errors.Join(err, l.f.Close())
}

// LockPath takes a lock on a file of the caller's, and says whether somebody
// else holds it. It goes with the file.
func LockPath(f *os.File) (held bool, err error) { return lockFile(f) }

func lockVault(path string) (f *os.File, clean bool, err error) {
	// A lock file that is gone from a vault tells nothing of its last end.
	_, noLock := os.Stat(path)
	_, noVault := os.Stat(filepath.Join(filepath.Dir(path), FileDB))
	known := noLock == nil || noVault != nil
	f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock the vault: %w", err)
	}
	held, err := lockFile(f)
	text, pid, readErr := holder(f)
	for tries := 0; held && (pid == 0 || pid == os.Getpid()) && readErr == nil && tries < lingerTries; tries++ {
		time.Sleep(lingerPause)
		held, err = lockFile(f)
		text, pid, readErr = holder(f)
	}
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock the vault: %w", err), f.Close())
	}
	if held {
		return nil, false, errors.Join(&InUseError{Path: strings.TrimSuffix(path, string(os.PathSeparator)+fileLock), PID: pid}, f.Close())
	}
	if readErr != nil {
		return nil, false, errors.Join(fmt.Errorf("lock the vault: %w", readErr), f.Close())
	}
	// Synced before anything else is written: after a power cut an empty file
	// would say that all was tidy.
	err = errors.Join(rewrite(f, strconv.Itoa(os.Getpid())+"\n"), f.Sync(), blobstore.SyncDir(filepath.Dir(path)))
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("lock the vault: %w", err), f.Close())
	}
	return f, len(text) == 0 && known, nil
}

// A program that starts another one shares its locks with it for a moment, until
// the other is loaded. So a lock may linger that this process let go of: the file
// is empty then, or has our process id. It is asked for again for a
// fifth of a second, which a second Open by this process waits, too.
const (
	lingerPause = 10 * time.Millisecond
	lingerTries = 20
)

// holder reads what the lock file says of who holds it; pid is 0 if nobody does.
func holder(f *os.File) (text string, pid int, err error) {
	b, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 32), 32))
	pid, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	return string(b), pid, err
}

func rewrite(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}
