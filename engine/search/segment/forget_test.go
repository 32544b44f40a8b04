package segment

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// onDisk says whether a word stands in any file of a directory.
func onDisk(t *testing.T, dir, word string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(word)) {
			return true
		}
	}
	return false
}

func TestForgottenWordsLeaveTheFiles(t *testing.T) {
	dir := t.TempDir()
	s, _, err := Open(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	put := func(word string) {
		t.Helper()
		err := s.Apply(Changes{State: json.RawMessage(`"` + "state" + `"`), Put: []Doc{
			{ID: idOf(1), Stored: []byte("stored " + word), Terms: []Entry{{Key: word}}},
			{ID: idOf(2), Terms: []Entry{{Key: "kept"}}},
		}})
		if err == nil {
			err = s.Save()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put("earlier")
	put("secret")
	for _, word := range []string{"earlier", "secret", "kept"} {
		if !onDisk(t, dir, word) {
			t.Fatalf("%q is in no file", word)
		}
	}
	if err := s.Apply(Changes{Forget: []ID{idOf(1)}, State: json.RawMessage("2")}); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(); err != nil {
		t.Fatal(err)
	}
	// A crash in between does not make it remember.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, _, err = Open(dir, "test"); err != nil || !s.Forgetting() {
		t.Fatalf("opened again, it has forgotten that it must forget: %v", err)
	}
	if err := s.Compact(never); err != nil || s.Forgetting() {
		t.Fatal(err)
	}
	for _, word := range []string{"earlier", "secret"} {
		if onDisk(t, dir, word) {
			t.Errorf("%q is in a file", word)
		}
	}
	if !onDisk(t, dir, "kept") {
		t.Error("what was to be kept is in no file")
	}
}

func TestForgetWhileMerging(t *testing.T) {
	dir := t.TempDir()
	s, _, err := Open(dir, "test")
	if err != nil {
		t.Fatal(err)
	}
	docs := []Doc{{ID: idOf(1), Terms: []Entry{{Key: "secret"}}}, {ID: idOf(2), Terms: []Entry{{Key: "other"}}}, {ID: idOf(3)}}
	if err := errors.Join(s.Apply(Changes{Put: docs, State: json.RawMessage("1")}), s.Save()); err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(Changes{Forget: []ID{idOf(2)}, State: json.RawMessage("2")}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	err = s.Compact(func() error {
		if asked++; asked == 1 {
			return s.Apply(Changes{Forget: []ID{idOf(1)}, State: json.RawMessage("3")})
		}
		return nil
	})
	if err != nil || onDisk(t, dir, "secret") || onDisk(t, dir, "other") {
		t.Errorf("%v; secret %v, other %v", err, onDisk(t, dir, "secret"), onDisk(t, dir, "other"))
	}
}
