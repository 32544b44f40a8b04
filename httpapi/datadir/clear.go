package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// What is made aside is in a directory of this name and digits, as os.MkdirTemp
// makes it.
const (
	// SocketAside is for a control socket, in the data directory.
	SocketAside = ".s"
	vaultAside  = ".new-" // beside the other vaults
)

// abandoned is the age at which a vault that is being made is nobody's any more;
// making one takes less than a second.
const abandoned = time.Hour

// RemoveLeftovers removes what crashes have left in a data directory. Only the holder
// of the directory's lock may call it, for it alone makes sockets. Vaults are
// made without the lock, beside a running server too, so young ones stay.
func RemoveLeftovers(data string) error {
	// It would hold the first administrator's key.
	halfKey := os.Remove(filepath.Join(data, FirstKeyName+".new"))
	if errors.Is(halfKey, fs.ErrNotExist) {
		halfKey = nil
	}
	return errors.Join(halfKey,
		removeAside(data, SocketAside, 0),
		removeAside(VaultsDir(data), vaultAside, abandoned),
	)
}

func removeAside(dir, name string, age time.Duration) error {
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
