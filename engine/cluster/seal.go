package cluster

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
	"strongroom/engine"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrSealKey says that the keys of the vault in the store cannot be opened: they are
// sealed with another key than this server has.
var ErrSealKey = errors.New("the vault's keys in the store are sealed with another store key; every server needs the same one")

// A sealed key is sealedMagic, a random nonce, and the file in XChaCha20-Poly1305 under
// SealKey. Its additional data are the magic, the vault's id and the file's name, so no
// key can be put in the place of another, or of another vault's.
const sealedMagic = "strongroom sealed key 1\n"

// maxSealed bounds what is read as a sealed key.
const maxSealed = 64 << 10

func (c *Config) sealed(vaultID, name string) []byte {
	return []byte(sealedMagic + vaultID + "\n" + name)
}

func (c *Config) seal(vaultID, name string, key []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(c.SealKey[:])
	if err != nil {
		return nil, err
	}
	b := append(make([]byte, 0, len(sealedMagic)+aead.NonceSize()+len(key)+aead.Overhead()), sealedMagic...)
	b = b[:len(sealedMagic)+aead.NonceSize()]
	nonce := b[len(sealedMagic):]
	rand.Read(nonce)
	return aead.Seal(b, nonce, key, c.sealed(vaultID, name)), nil
}

// unseal is the inverse of seal. ErrSealKey, ErrDamaged.
func (c *Config) unseal(vaultID, name string, b []byte) ([]byte, error) {
	aead, err := chacha20poly1305.NewX(c.SealKey[:])
	if err != nil {
		return nil, err
	}
	b, ok := bytes.CutPrefix(b, []byte(sealedMagic))
	if !ok || len(b) < aead.NonceSize()+aead.Overhead() {
		return nil, fmt.Errorf("%w: %s%s is no sealed key", ErrDamaged, keyKeys, name)
	}
	key, err := aead.Open(nil, b[:aead.NonceSize()], b[aead.NonceSize():], c.sealed(vaultID, name))
	if err != nil {
		return nil, fmt.Errorf("%w (%s%s)", ErrSealKey, keyKeys, name)
	}
	return key, nil
}

// sealKeys puts the key files of c.Dir into the store, those that are not there and
// those that are others there: the owner's are the vault's. Without SealKey it does nothing.
func (c *Config) sealKeys(ctx context.Context) error {
	if c.SealKey == nil {
		return nil
	}
	p, _, err := c.loadPointer(ctx)
	if err != nil {
		return err
	}
	for _, name := range engine.KeyFiles() {
		key, err := os.ReadFile(filepath.Join(c.Dir, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err == nil {
			err = c.sealKey(ctx, p.Vault, name, key)
		}
		if err != nil {
			return fmt.Errorf("seal %s: %w", name, err)
		}
	}
	return nil
}

func (c *Config) sealKey(ctx context.Context, vaultID, name string, key []byte) error {
	condition := object.Condition{Absent: true}
	was, info, err := c.readKey(ctx, name)
	switch {
	case err == nil:
		have, err := c.unseal(vaultID, name, was)
		if err != nil || bytes.Equal(have, key) {
			return err
		}
		condition = object.Condition{Match: info.ETag}
	case !errors.Is(err, object.ErrNotFound):
		return err
	}
	b, err := c.seal(vaultID, name, key)
	if err != nil {
		return err
	}
	return c.put(ctx, keyKeys+name, b, condition)
}

// unsealKeys writes the keys that are in the store into c.Dir, those that are there
// already but as others too. A server that stands alone has no SealKey and keeps its own;
// ErrSealKey if there are any in the store then.
func (c *Config) unsealKeys(ctx context.Context) error {
	p, _, err := c.loadPointer(ctx)
	if err != nil {
		return err
	}
	for _, name := range engine.KeyFiles() {
		b, _, err := c.readKey(ctx, name)
		if errors.Is(err, object.ErrNotFound) {
			continue
		}
		var key []byte
		if err == nil && c.SealKey == nil {
			err = fmt.Errorf("%w, and this one has none", ErrSealKey)
		}
		if err == nil {
			key, err = c.unseal(p.Vault, name, b)
		}
		if err != nil {
			return fmt.Errorf("unseal %s: %w", name, err)
		}
		path := filepath.Join(c.Dir, name)
		if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, key) {
			continue
		}
		if err := blobstore.WriteFile(path, key); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) readKey(ctx context.Context, name string) ([]byte, object.Info, error) {
	return c.readSmall(ctx, keyKeys+name, maxSealed)
}

// readSmall reads an object of a bounded size. ErrDamaged if it is larger, or was not
// read whole.
func (c *Config) readSmall(ctx context.Context, key string, most int64) ([]byte, object.Info, error) {
	r, info, err := c.Objects.Get(ctx, key, 0)
	if err != nil {
		return nil, info, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && (int64(len(b)) > most || int64(len(b)) != info.Size) {
		err = fmt.Errorf("%w: %s has %d bytes", ErrDamaged, key, info.Size)
	}
	return b, info, err
}
