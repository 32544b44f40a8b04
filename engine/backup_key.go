package engine

import (
	"errors"
	"os"
	"path/filepath"

	"strongroom/audit"
	"strongroom/blobstore"
)

// signKey brings the key of checkpoints along, or removes the one that an earlier
// backup brought.
func (b *backup) signKey() error {
	path := filepath.Join(b.dir, fileSignKey)
	if !b.o.SignKey {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		return nil
	}
	if err := b.v.takeTurn(b.ctx); err != nil {
		return err
	}
	defer b.v.signing.leave()
	named, err := b.v.signerOf()
	if err != nil {
		return err
	}
	key, err := b.v.readSignKey(named)
	if err == nil && (key == nil || named == "") {
		err = invalid("signKey", "asks for a key that the vault does not have: it is made when the first checkpoint is asked for")
	}
	if err != nil {
		return err
	}
	return blobstore.WriteFile(path, key.Marshal())
}

// signKey takes the key of checkpoints over, if the backup has it. Under the origin
// that it had nothing is signed any more: see Vault.firstOrigin.
func (r *restore) signKey() error {
	key, err := readKey(filepath.Join(r.o.From, fileSignKey))
	if errors.Is(err, audit.ErrSyntax) {
		return &DamagedError{Files: []string{filepath.Join(r.o.From, fileSignKey) + " is no key: remove it, and the restored vault makes another"}}
	}
	if err != nil || key == nil {
		return err
	}
	return blobstore.WriteFile(filepath.Join(r.dir, fileSignKey), key.Marshal())
}
