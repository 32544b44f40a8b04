package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rs/zerolog"

	"strongroom/blobstore"
	"strongroom/engine"
)

// vaultNames returns the names of the vaults under a data directory, sorted.
// Directories whose names no vault can have are not among them: what a crash
// left of a vault being made is one of those.
func vaultNames(data string) ([]string, error) {
	entries, err := os.ReadDir(vaultsDir(data))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if vaultName.MatchString(entry.Name()) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

// openVault opens the vault at rest.
func openVault(at place) (*engine.Vault, error) {
	v, err := engine.Open(at.dir(), engine.Options{Name: at.vault, AllowNetworkFS: at.networkFS})
	switch {
	case errors.Is(err, engine.ErrVaultNotFound):
		return nil, fmt.Errorf("there is no vault %q under %s; `strongroom init --vault %[1]s` makes it", at.vault, at.data)
	case errors.Is(err, engine.ErrNetworkFS):
		return nil, fmt.Errorf("%w; move it to a local disk, or give --allow-network-fs and take the risk", err)
	case err != nil:
		return nil, fmt.Errorf("vault %q: %w", at.vault, err)
	}
	return v, nil
}

// openVaults opens all vaults under a data directory. One that is damaged is
// logged and left out, with the reason in unopened, so that it does not take the
// others along; one that another process holds is an error, for then something
// is going on that a person has to know of.
func openVaults(at place, names []string, log zerolog.Logger) (vaults map[string]*engine.Vault, unopened map[string]string, err error) {
	vaults, unopened = make(map[string]*engine.Vault, len(names)), map[string]string{}
	for _, name := range names {
		at.vault = name
		v, err := openVault(at)
		if errors.Is(err, engine.ErrVaultInUse) {
			return nil, nil, errors.Join(err, closeVaults(vaults))
		}
		if err != nil {
			log.Error().Str("vault", name).Err(err).Msg("vault not opened; the others are served")
			unopened[name] = err.Error()
			continue
		}
		vaults[name] = v
	}
	if len(vaults) == 0 {
		return nil, nil, fmt.Errorf("none of the vaults under %s could be opened; the log says why", at.data)
	}
	return vaults, unopened, nil
}

func closeVaults(vaults map[string]*engine.Vault) error {
	var errs []error
	for name, v := range vaults {
		if err := v.Close(); err != nil {
			errs = append(errs, fmt.Errorf("vault %q: closing: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// createVault makes a vault with its first administrator and returns a key of
// theirs. The vault is made aside and moved into place when it is whole, so
// that no crash leaves a vault nobody can enter.
func createVault(ctx context.Context, at place, admin engine.NewUser) (engine.Secret, error) {
	if _, err := os.Lstat(at.dir()); err == nil {
		return engine.Secret{}, fmt.Errorf("vault %q exists already in %s; choose another --vault, or `strongroom key add` for a new key",
			at.vault, at.dir())
	} else if !errors.Is(err, fs.ErrNotExist) {
		return engine.Secret{}, err
	}
	parent := vaultsDir(at.data)
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return engine.Secret{}, err
	}
	aside, err := os.MkdirTemp(parent, ".new-*")
	if err != nil {
		return engine.Secret{}, err
	}
	defer os.RemoveAll(aside)
	whole := filepath.Join(aside, at.vault)
	secret, err := fillVault(ctx, whole, at, admin)
	if err != nil {
		return engine.Secret{}, err
	}
	if err := os.Rename(whole, at.dir()); err != nil {
		return engine.Secret{}, err
	}
	// The directories above may be new as well.
	for _, dir := range []string{parent, at.data, filepath.Dir(filepath.Clean(at.data))} {
		if err := blobstore.SyncDir(dir); err != nil {
			return engine.Secret{}, err
		}
	}
	return secret, nil
}

func fillVault(ctx context.Context, dir string, at place, admin engine.NewUser) (_ engine.Secret, err error) {
	v, err := engine.Create(dir, engine.Options{Name: at.vault, AllowNetworkFS: at.networkFS})
	if err != nil {
		return engine.Secret{}, fmt.Errorf("vault %q: %w", at.vault, err)
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
