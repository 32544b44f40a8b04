package engine_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// forge changes the manifest of a backup, its check included.
func forge(t *testing.T, to, pattern, with string) {
	t.Helper()
	path := filepath.Join(to, "manifest.json")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := regexp.MustCompile(`"check": "[0-9a-f]*"`)
	forged := regexp.MustCompile(pattern).ReplaceAll(text, []byte(with))
	if bytes.Equal(forged, text) {
		t.Fatalf("%s is not in %s", pattern, text)
	}
	sum := sha256.Sum256(check.ReplaceAll(forged, []byte(`"check": ""`)))
	forged = check.ReplaceAll(forged, []byte(`"check": "`+hex.EncodeToString(sum[:])+`"`))
	if err := os.WriteFile(path, forged, 0o600); err != nil {
		t.Fatal(err)
	}
}

// A manifest that was forged, check and all, makes no vault that it could not be
// of, and the report says what was found, not what it says.
func TestRestoreOfAForgedManifest(t *testing.T) {
	k := enginetest.New(t)
	k.Create("contract", "the text")
	for _, c := range []struct{ pattern, with string }{
		{`"bytes": \d+`, `"bytes": -5`},
		{`"bytes": \d+`, `"bytes": 9223372036854775807`},
		{`"size": \d+`, `"size": -1`},
		{`"size": \d+`, `"size": 9223372036854775807`},
		{`"file": "`, `"file": "../`},
		{`"vault": "\w+"`, `"vault": "../x"`},
	} {
		to := filepath.Join(t.TempDir(), "main")
		backUp(t, k, to)
		forge(t, to, c.pattern, c.with)
		if _, err := engine.ReadBackup(to); !errors.Is(err, engine.ErrFormat) {
			t.Errorf("%s: got %v", c.with, err)
		}
	}
	to := filepath.Join(t.TempDir(), "main")
	made := backUp(t, k, to)
	forge(t, to, `"blobs": \d+`, `"blobs": 999`)
	report, err := engine.Restore(t.Context(), filepath.Join(t.TempDir(), "main"), engine.RestoreOptions{From: to})
	if err != nil || report.Blobs != made.Blobs || report.Bytes != made.Bytes {
		t.Errorf("restored %d blobs of %d bytes, %v", report.Blobs, report.Bytes, err)
	}
}

// What stands in the place of a backup's files and is none, a link to a device
// without end or a directory, is refused and not read.
func TestRestoreReadsFilesOnly(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "the text")
	for _, name := range []string{"manifest.json", "vault-*", filepath.Join("blobs", d.Current.Digest.Hex()[:2], d.Current.Digest.Hex())} {
		to := filepath.Join(t.TempDir(), "main")
		backUp(t, k, to)
		found, err := filepath.Glob(filepath.Join(to, name))
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		moved := filepath.Join(t.TempDir(), strconv.Itoa(len(name)))
		if err := errors.Join(os.Rename(found[0], moved), os.Symlink(moved, found[0])); err != nil {
			t.Skip(err)
		}
		_, err = engine.Restore(t.Context(), filepath.Join(t.TempDir(), "main"), engine.RestoreOptions{From: to})
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
