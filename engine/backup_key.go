package engine

import (
	"errors"
	"os"
	"path/filepath"

	"strongroom/audit"
	"strongroom/blobstore"
)

// signKey brings the keys of checkpoints along, or removes those that an earlier
// backup brought.
func (b *backup) signKey() error {
	path, second := filepath.Join(b.dir, fileSignKey), filepath.Join(b.dir, fileMLDSA)
	for _, before := range []string{path, second} {
		if err := os.Remove(before); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if !b.o.SignKey {
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
	text, err := b.v.secondText()
	if text != nil && err == nil {
		err = blobstore.WriteFile(second, text)
	}
	if err != nil {
		return err
	}
	return blobstore.WriteFile(path, key.Marshal())
}

// secondText is what stands in mldsa.key, whether the host can read it or not; nil if
// there is no second key.
func (v *Vault) secondText() ([]byte, error) {
	if v.signing.mldsa != nil {
		named, err := v.secondOf()
		if err != nil {
			return nil, err
		}
		key, err := v.readSecond(named)
		if err != nil || key == nil {
			return nil, err
		}
		return key.marshal(), nil
	}
	return readSmall(filepath.Join(v.dir, fileMLDSA))
}

// signKey takes the keys of checkpoints over, if the backup has them. Under the origin
// that it had nothing is signed any more: see Vault.firstOrigin.
func (r *restore) signKey() error {
	key, err := readKey(filepath.Join(r.o.From, fileSignKey))
	if errors.Is(err, audit.ErrSyntax) {
		return &DamagedError{Files: []string{filepath.Join(r.o.From, fileSignKey) + " is no key: remove it, and the restored vault makes another"}}
	}
	if err != nil || key == nil {
		return err
	}
	text, err := readSmall(filepath.Join(r.o.From, fileMLDSA))
	if text != nil && err == nil {
		err = blobstore.WriteFile(filepath.Join(r.dir, fileMLDSA), text)
	}
	if err != nil {
		return err
	}
	return blobstore.WriteFile(filepath.Join(r.dir, fileSignKey), key.Marshal())
}
