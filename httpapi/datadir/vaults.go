package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"strongroom/blobstore"
	"strongroom/engine"
)

// Vaults returns the names of the vaults under a data directory, sorted; none if
// nothing is there. Directories whose names no vault can have are not among
// them: what a crash left of a vault being made is one of those.
func Vaults(data string) ([]string, error) {
	entries, err := os.ReadDir(VaultsDir(data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, denied(err, data)
	}
	var names []string
	for _, entry := range entries {
		if engine.ValidName(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// Open opens the vault at rest; the caller closes it. The error says what a person
// can do about it, and wraps engine's, engine.ErrVaultInUse among them; that there
// is no such vault is said in words alone.
func Open(at Place) (*engine.Vault, error) {
	if err := RefuseCopy(at); err != nil {
		return nil, err
	}
	v, err := engine.Open(at.Dir(), at.Options())
	switch {
	case errors.Is(err, engine.ErrVaultNotFound):
		return nil, NotFound(at)
	case errors.Is(err, engine.ErrNetworkFS):
		return nil, fmt.Errorf("%w; move it to a local disk, or give --allow-network-fs and take the risk", err)
	case err != nil:
		return nil, denied(fmt.Errorf("vault %q: %w", at.Vault, err), at.Dir())
	}
	return v, nil
}

// Options are those that the vault is opened with, wherever it lives.
func (at Place) Options() engine.Options {
	o := engine.Options{Name: at.Vault, AllowNetworkFS: at.NetworkFS, Origin: at.LogOrigin()}
	if at.MLDSA {
		o.MLDSA = keyMLDSA
	}
	return o
}

// copyMark is the file that makes a vault's directory a working copy of one that lives
// in a store. What is written there without the store is lost, or worse.
const copyMark = "cluster.json"

// IsCopy reports whether the vault's directory is such a copy.
func IsCopy(at Place) bool {
	_, err := os.Lstat(filepath.Join(at.Dir(), copyMark))
	return err == nil
}

// RefuseCopy is an error if the vault's directory is such a copy, which says what to do.
func RefuseCopy(at Place) error {
	if !IsCopy(at) {
		return nil
	}
	return fmt.Errorf("vault %q lives in a store, and %s is a working copy: a server has to be told of the store (serve --store), and commands find the vault while it runs; "+
		"to make it a vault of this disk, type `strongroom vault move %[1]s --store s3://… --to %s`", at.Vault, at.Dir(), at.Data)
}

// NotFound says that there is no vault, or what is left of it: to make a new one over
// files that have lost their database would lose them too. Where vault.db alone is gone,
// a backup would lose what came after it.
func NotFound(at Place) error {
	if line := engine.Unmarked(at.Dir()); line != "" {
		return fmt.Errorf("vault %q: %s, one line of text, is missing, and nothing else: write this line into it, as the user that the server runs as: %s",
			at.Vault, engine.Database(at.Dir()), line)
	}
	switch left, err := os.ReadDir(at.Dir()); {
	case err == nil && len(left) > 0:
		return fmt.Errorf("vault %q: its database is missing, rows.db and vault.db in %s, and the rest is there: put both back or, if they are lost, move the directory away and "+
			"restore a backup with `strongroom restore --from DIR --vault %[1]s`", at.Vault, at.Dir())
	case err == nil:
		return fmt.Errorf("vault %q: %s is empty; remove it and make the vault with `strongroom init --vault %[1]s`, or restore a backup with `strongroom restore`",
			at.Vault, at.Dir())
	}
	return fmt.Errorf("there is no vault %q under %s; `strongroom init --vault %[1]s` makes it", at.Vault, at.Data)
}

// MakeVaultsDir makes the directory that vaults lie in. Where root makes it, it is
// the data directory's owner's.
func MakeVaultsDir(data string) error {
	parent := VaultsDir(data)
	if _, err := os.Stat(parent); err == nil {
		return nil
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return denied(err, data)
	}
	return GiveLike(data, parent)
}

// Create makes a vault with its first administrator and returns a key of
// theirs, which is kept nowhere. A vault that is there already is an error. The vault is made aside and moved into place when it is whole, so
// that no crash leaves a vault nobody can enter.
func Create(ctx context.Context, at Place, admin engine.NewUser) (engine.Secret, error) {
	if _, err := os.Lstat(at.Dir()); err == nil {
		if _, err := os.Lstat(engine.Database(at.Dir())); errors.Is(err, fs.ErrNotExist) {
			return engine.Secret{}, NotFound(at)
		}
		return engine.Secret{}, fmt.Errorf("vault %q exists already in %s; choose another --vault, or `strongroom key add` for a new key",
			at.Vault, at.Dir())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return engine.Secret{}, denied(err, at.Data)
	}
	parent := VaultsDir(at.Data)
	if err := MakeVaultsDir(at.Data); err != nil {
		return engine.Secret{}, err
	}
	aside, err := os.MkdirTemp(parent, vaultAside+"*")
	if err != nil {
		return engine.Secret{}, denied(err, at.Data)
	}
	defer os.RemoveAll(aside)
	whole := filepath.Join(aside, at.Vault)
	secret, err := fillVault(ctx, whole, at, admin)
	if err != nil {
		return engine.Secret{}, err
	}
	if loan := BorrowLike(at); loan != nil {
		loan.dir = whole
		if err := loan.Return(); err != nil {
			return engine.Secret{}, err
		}
	}
	if err := os.Rename(whole, at.Dir()); err != nil {
		return engine.Secret{}, err
	}
	// The directories above may be new as well.
	for _, dir := range []string{parent, at.Data, filepath.Dir(filepath.Clean(at.Data))} {
		if err := blobstore.SyncDir(dir); err != nil {
			return engine.Secret{}, err
		}
	}
	return secret, nil
}

func fillVault(ctx context.Context, dir string, at Place, admin engine.NewUser) (_ engine.Secret, err error) {
	v, err := engine.Create(dir, engine.Options{Name: at.Vault, AllowNetworkFS: at.NetworkFS})
	if err != nil {
		return engine.Secret{}, fmt.Errorf("vault %q: %w", at.Vault, err)
	}
	defer func() { err = errors.Join(err, v.Close()) }()
	user, _, err := v.CreateUser(ctx, engine.Operator(), admin)
	if err != nil {
		return engine.Secret{}, fmt.Errorf("first user: %w", err)
	}
	_, secret, _, err := v.CreateKey(ctx, engine.Operator(), engine.NewKey{Name: "first key", UserID: user.ID})
	if err != nil {
		return engine.Secret{}, fmt.Errorf("first key: %w", err)
	}
	return secret, nil
}
