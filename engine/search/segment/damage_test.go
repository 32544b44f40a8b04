package segment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnotherIdentityIsRemoved(t *testing.T) {
	dir := t.TempDir()
	foreign := filepath.Join(dir, "notes.txt")
	if err := os.WriteFile(foreign, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := Open(dir, "en")
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(s.Apply(Changes{Put: []Doc{{ID: idOf(1)}}, State: json.RawMessage("1")}), s.Save(), s.Close())
	if err != nil {
		t.Fatal(err)
	}
	s, why, err := Open(dir, "de")
	if err != nil || why == nil || s.State() != nil {
		t.Errorf("%v, %v, %s", err, why, s.State())
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 || left[0] != foreign {
		t.Errorf("left: %v", left)
	}
}

// TestDamage flips every byte of a small index: it is refused, or read without
// a panic, and Check finds it.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	s, _, err := Open(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	m := &model{T: t, random: rand.New(rand.NewPCG(1, 1))}
	var docs []Doc
	for n := range 150 {
		docs = append(docs, m.doc(n))
	}
	if err := errors.Join(s.Apply(Changes{Put: docs, State: json.RawMessage("1")}), s.Save(), s.Close()); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	kept := map[string][]byte{}
	for _, name := range names {
		if kept[name], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, good := range kept {
		for i := 0; i < len(good); i += 1 + i/100 {
			for n, b := range kept {
				if err := os.WriteFile(n, b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			if err := os.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			damaged(t, dir, fmt.Sprintf("%s at %d", filepath.Base(name), i))
		}
	}
}

func damaged(t *testing.T, dir, at string) {
	t.Helper()
	s, why, err := Open(dir, "test")
	if err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	defer s.Close()
	if why != nil {
		if s.State() != nil {
			t.Errorf("%s: refused, but there is a state", at)
		}
		return
	}
	if err := s.Check(never); !errors.Is(err, ErrDamaged) {
		t.Errorf("%s: not found: %v", at, err)
	}
	s.View(func(parts []*Part) error {
		for _, p := range parts {
			for doc := range uint32(p.Len()) {
				p.Stored(doc)
			}
			for term, err := range p.Terms("", "") {
				if err != nil {
					break
				}
				list, err := term.Postings()
				if err != nil {
					continue
				}
				for list.Next() != End {
					positionsOf(list)
				}
				if list.Err != nil && !strings.Contains(list.Err.Error(), "damaged") {
					t.Errorf("%s: %v", at, list.Err)
				}
			}
		}
		return nil
	})
}
