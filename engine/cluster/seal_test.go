package cluster

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"strongroom/blobstore/object"
)

// Keys lie in the store sealed: for one vault, under one name, with one store key.
func TestSeal(t *testing.T) {
	s := newShelf(t)
	m, _ := s.own(s.server("first"))
	key, err := os.ReadFile(filepath.Join(m.c.Dir, "lock.key"))
	s.must(err)
	if bytes.Contains(s.everything(), key) {
		t.Error("lock.key lies in the store as it is")
	}
	b, _, err := m.c.readKey(t.Context(), "lock.key")
	s.must(err)
	if got, err := m.c.unseal(s.id, "lock.key", b); err != nil || !bytes.Equal(got, key) {
		t.Errorf("unsealed to another key: %v", err)
	}
	other := *m.c
	other.SealKey = &[32]byte{9}
	for what, fn := range map[string]func() ([]byte, error){
		"another name":      func() ([]byte, error) { return m.c.unseal(s.id, "sign.key", b) },
		"another vault":     func() ([]byte, error) { return m.c.unseal("01JD6QGZ3MZ4Y8T6V1E9B7K2RW", "lock.key", b) },
		"another store key": func() ([]byte, error) { return other.unseal(s.id, "lock.key", b) },
	} {
		if _, err := fn(); !errors.Is(err, ErrSealKey) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range b {
		turned := bytes.Clone(b)
		turned[i] ^= 1
		if _, err := m.c.unseal(s.id, "lock.key", turned); !errors.Is(err, ErrSealKey) && !errors.Is(err, ErrDamaged) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		if _, err := m.c.unseal(s.id, "lock.key", b[:i]); !errors.Is(err, ErrSealKey) && !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut to %d bytes: %v", i, err)
		}
	}
	s.must(m.Close(t.Context()))
	for what, with := range map[string]*[32]byte{"another store key": {9}, "no store key": nil} {
		c := s.server("second")
		c.SealKey = with
		if m, err := Join(t.Context(), c); !errors.Is(err, ErrSealKey) {
			t.Errorf("join with %s: %v", what, err)
			if err == nil {
				m.Close(t.Context())
			}
		}
	}
}

// A key that the owner changes is the vault's.
func TestSealChanged(t *testing.T) {
	s := newShelf(t)
	m, _ := s.own(s.server("first"))
	kept := s.tend(m, nil)
	s.must(os.WriteFile(filepath.Join(m.c.Dir, "sign.key"), []byte("another"), 0o600))
	s.tend(m, kept)
	b, _, err := m.c.readKey(t.Context(), "sign.key")
	s.must(err)
	if got, err := m.c.unseal(s.id, "sign.key", b); err != nil || string(got) != "another" {
		t.Errorf("the store has %q: %v", got, err)
	}
	// One that nobody has opened with this store key is not replaced.
	_, err = s.Put(t.Context(), keyKeys+"sign.key", append([]byte(sealedMagic), make([]byte, 60)...), object.Condition{})
	s.must(err)
	if err := m.c.sealKeys(t.Context()); !errors.Is(err, ErrSealKey) {
		t.Errorf("a key that cannot be opened: %v", err)
	}
}

// Who takes over has the keys that the owner before made since.
func TestSealTakenOver(t *testing.T) {
	s := newShelf(t)
	first, second := s.server("first"), s.server("second")
	m, _ := s.own(first)
	f, err := Join(t.Context(), second)
	s.must(err)
	s.must(f.Close(t.Context()))
	_, err = m.Vault().Checkpoint(t.Context()) // makes sign.key
	s.must(err)
	s.must(m.Close(t.Context()))
	s.own(second)
	one, err := os.ReadFile(filepath.Join(first.Dir, "sign.key"))
	s.must(err)
	if two, err := os.ReadFile(filepath.Join(second.Dir, "sign.key")); err != nil || !bytes.Equal(one, two) {
		t.Errorf("the next owner signs with another key: %v", err)
	}
}
