package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"strongroom/blobstore"
	"strongroom/httpapi/datadir"
)

// ownedName is the file of a working copy that says in which epoch this server owned the
// vault last.
const ownedName = "owned"

// forgetTokens removes the access tokens that this server has given out, if another one
// owned the vault since: what was revoked there would be good here again. Called before
// they are opened, by who owns the vault in the epoch.
func forgetTokens(at datadir.Place, epoch uint64) error {
	file := filepath.Join(at.Dir(), ownedName)
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	last, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || last+1 != epoch && last != epoch {
		err := os.Remove(filepath.Join(at.Dir(), "signin.db"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return blobstore.WriteFile(file, []byte(strconv.FormatUint(epoch, 10)+"\n"))
}
