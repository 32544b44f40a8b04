// Package datadir knows what is where in a data directory: which vaults it holds,
// which file says that a server has it, and what a crash may have left in it.
//
//	<data>/vaults/<name>/    a vault, an organization; what is in it is engine's
//	<data>/server.lock       held by the one server of the directory, with its process id
//	<data>/control.sock      the way to that server; made by package control
//	<data>/first-admin-key   the key of the first administrator, until it is fetched
//
// A vault is made aside and moved into place when it is whole, so a vault that can
// be seen can be entered. The directory's lock is a server's: commands that work on
// one vault at rest are kept apart by that vault's own lock, which engine takes.
//
// It opens one vault at a time and knows nothing of serving them, of HTTP, or of
// flags. Its errors are for a person, and name the command or flag that helps.
package datadir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// FirstKeyName is the file, in the data directory, that a first start leaves the
// key of the first administrator in.
const FirstKeyName = "first-admin-key"

// Place is where a command works: a data directory and a vault in it.
type Place struct {
	Data  string // the data directory
	Vault string // the vault's name
	// NetworkFS allows the vault to lie on a network file system, although
	// neither locks nor fsync can be relied on there.
	NetworkFS bool
	// Origin names the logs of the vaults in what they sign: that of a vault is this, a
	// slash and the vault's name. "" leaves them the names they have.
	Origin string
	// MLDSA has the vaults keep a second key, of ML-DSA-44, and sign by it too.
	MLDSA bool
}

// LogOrigin is what the vault's log is called, "" for what it is called by now.
func (at Place) LogOrigin() string {
	if at.Origin == "" {
		return ""
	}
	return at.Origin + "/" + at.Vault
}

// Dir returns the vault's directory, whether there is one or not.
func (at Place) Dir() string { return filepath.Join(VaultsDir(at.Data), at.Vault) }

// VaultsDir returns the directory that the vaults of a data directory lie in.
func VaultsDir(data string) string { return filepath.Join(data, "vaults") }

// Holds reports whether a path is the data directory or would lie in it, by
// whatever names and links it is reached. The path and what is above it need not be
// there.
func Holds(data, path string) (bool, error) {
	own, err := os.Stat(data)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if path, err = filepath.Abs(path); err != nil {
		return false, err
	}
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil && os.SameFile(info, own):
			return true, nil
		case err == nil:
			// What is above is that of the directory itself, not of a link to it.
			if path, err = filepath.EvalSymlinks(path); err != nil {
				return false, err
			}
		case !errors.Is(err, fs.ErrNotExist):
			return false, err
		}
		above := filepath.Dir(path)
		if above == path {
			return false, nil
		}
		path = above
	}
}
