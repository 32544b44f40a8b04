package blobstore

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestFree(t *testing.T) {
	dir := t.TempDir()
	if free, err := Free(dir); err != nil || free == 0 {
		t.Fatalf("Free = %d, %v", free, err)
	}
	if _, err := Free(filepath.Join(dir, "absent")); err == nil {
		t.Fatal("no error where there is no directory")
	}
}

func TestWriteFileReplacesAFileWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	for _, text := range []string{"a longer first text", "second", ""} {
		if err := WriteFile(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, []byte(text)) {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if left, _ := filepath.Glob(path + ".*"); left != nil {
		t.Fatal("left beside it:", left)
	}
	if err := WriteFile(filepath.Join(path, "below a file"), nil); err == nil {
		t.Fatal("no error where there is no directory")
	}
}
