package datadir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// owner is a user of this machine, and their group.
type owner struct{ uid, gid int }

const root = 0

// name is what a person types after sudo -u.
func (o owner) name() string {
	id := strconv.Itoa(o.uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id
}

// Loan is a vault's directory that this process works in although it may belong to
// somebody else. Root may do that, and gives what it made to the owner at the end:
// else the owner's server could not read it.
type Loan struct {
	dir   string
	to    owner
	since time.Time // zero: an earlier one was not given back
}

// Borrow says whether this process may work in the directory of a vault at rest. The
// error, for anybody but its owner and root, says what to type. Of a directory that
// is not there it says nothing. The caller gives the loan back when all is closed.
func Borrow(at Place) (*Loan, error) {
	dir := at.Dir()
	to, known, err := nearestOwner(dir)
	if err != nil || !known {
		return nil, err
	}
	switch me := os.Geteuid(); {
	case me == to.uid:
		return nil, nil
	case me != root:
		return nil, fmt.Errorf("vault %q: %w: %s belongs to the user %s, and what you wrote would be yours; type `sudo -u '%[4]s' strongroom …`",
			at.Vault, fs.ErrPermission, dir, to.name())
	}
	loan := &Loan{dir: dir, to: to}
	// A process that ended in order leaves an empty lock.
	if text, err := os.ReadFile(filepath.Join(dir, "vault.lock")); err != nil || len(text) == 0 {
		loan.since = time.Now()
	}
	return loan, nil
}

// nearestOwner returns the owner of a path or, where that may not be looked at, of
// what is above it and keeps us out; false if the path is not there.
func nearestOwner(path string) (of owner, known bool, err error) {
	path, err = filepath.Abs(path)
	if err != nil {
		return owner{}, false, err
	}
	for {
		info, err := os.Stat(path)
		switch {
		case err == nil:
			of, known = ownerOf(info)
			return of, known, nil
		case errors.Is(err, fs.ErrNotExist):
			return owner{}, false, nil
		case !errors.Is(err, fs.ErrPermission) || filepath.Dir(path) == path:
			return owner{}, false, err
		}
		path = filepath.Dir(path)
	}
}

// Return gives what was made in the directory to its owner. A nil loan is none.
func (l *Loan) Return() error {
	if l == nil {
		return nil
	}
	dir, err := os.OpenRoot(l.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	err = fs.WalkDir(dir.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := l.give(dir, path, info); err != nil {
			return err
		}
		if entry.IsDir() && l.untouched(info) {
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("give %s to the user %s: %w", l.dir, l.to.name(), err)
	}
	return nil
}

// untouched says that nothing in a directory was made since: there may be a million
// files. Its time tells nothing of directories below it.
func (l *Loan) untouched(info fs.FileInfo) bool {
	const grain = 2 * time.Second // of the times of file systems
	return info.ModTime().Before(l.since.Add(-grain)) && links(info) == 2
}

// give gives one file or directory. The owner may be at work in the directory: what
// is no file of a vault, a link to something else among them, is left alone.
func (l *Loan) give(dir *os.Root, path string, info fs.FileInfo) error {
	is, known := ownerOf(info)
	if !known || is == l.to || is.uid != root || !info.IsDir() && (!info.Mode().IsRegular() || links(info) != 1) {
		return nil
	}
	f, err := dir.OpenFile(path, openToGive, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if opened, err := f.Stat(); err != nil || !os.SameFile(opened, info) || !opened.IsDir() && links(opened) != 1 {
		return err
	}
	return f.Chown(l.to.uid, l.to.gid)
}

// GiveLike gives paths that root made to the owner of a directory.
func GiveLike(dir string, paths ...string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	to, known := ownerOf(info)
	if !known || os.Geteuid() != root || to.uid == root {
		return nil
	}
	for _, path := range paths {
		err = errors.Join(err, os.Lchown(path, to.uid, to.gid))
	}
	return err
}

// BorrowLike is Borrow for a directory that is to be made, root being at work: it
// will be the data directory's owner's. Return it when it is made.
func BorrowLike(at Place) *Loan {
	info, err := os.Stat(at.Data)
	if err != nil {
		return nil // it is made too, and will be root's
	}
	to, known := ownerOf(info)
	if !known || os.Geteuid() != root || to.uid == root {
		return nil
	}
	return &Loan{dir: at.Dir(), to: to}
}

// denied adds to an error about permission what mends it: that the owner of the
// directory is asked, or is given what is in it.
func denied(err error, dir string) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	me := owner{uid: os.Geteuid()}
	if to, known, unknown := nearestOwner(dir); unknown == nil && known && me.uid != to.uid && me.uid != root {
		return fmt.Errorf("%w: %s belongs to the user %s; type `sudo -u '%[3]s' strongroom …`", err, dir, to.name())
	}
	return fmt.Errorf("%w: somebody else's file is in %s; as root, type `chown -R '%s' %[2]s`", err, dir, strings.TrimPrefix(me.name(), "#"))
}
