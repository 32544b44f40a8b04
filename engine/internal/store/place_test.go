package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine/internal/store"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// placed is a vault of one note, in a directory whose vault.db is the database, as up to
// format 3, or out of a backup.
func placed(t *testing.T, note string) (k *kit, db string) {
	k = newKit(t)
	must(t, k.submit(put(note, "")))
	k.close()
	db = filepath.Join(k.dir, store.FileDB)
	must(t, os.Rename(k.path(), db))
	return k, db
}

// moved holds that the vault opens with these notes, and that vault.db is the line of
// text then, and nothing else is left.
func (k *kit) moved(notes ...string) {
	k.t.Helper()
	k.open()
	k.holds(notes...)
	must(k.t, k.submit(put("later", "")))
	k.reopen()
	k.holds(append(notes, "later")...)
	k.close()
	if text := read(k.t, filepath.Join(k.dir, store.FileDB)); !bytes.HasPrefix(text, []byte("strongroom vault: ")) || bytes.Count(text, []byte("\n")) != 1 {
		k.t.Errorf("vault.db is %.80q", text)
	}
	for _, name := range names(k.t, k.dir) {
		if name != store.FileDB && name != store.FileRows && name != "vault.lock" && name != store.FileRows+".new" { // which the next that is made replaces
			k.t.Errorf("%s is left", name)
		}
	}
}

// A vault.db that is a database is moved to its place, after a crash at any of the acts too:
// the database has both names, or was copied in part or whole.
func TestADatabaseIsMovedIn(t *testing.T) {
	for name, crash := range map[string]func(k *kit, db string) error{
		"nothing done":      func(*kit, string) error { return nil },
		"the link is made":  func(k *kit, db string) error { return os.Link(db, k.path()) },
		"the copy is whole": func(k *kit, db string) error { return os.WriteFile(k.path(), read(k.t, db), 0o600) },
		"half a copy": func(k *kit, db string) error {
			return os.WriteFile(k.path()+".new", read(k.t, db)[:9_000], 0o600)
		},
		"another database there": func(k *kit, db string) error {
			return os.WriteFile(k.path(), []byte("of the vault before"), 0o600)
		},
		"half a line of text": func(k *kit, db string) error {
			return os.WriteFile(db+".new", []byte("strongroom va"), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			k, db := placed(t, "one")
			must(t, crash(k, db))
			k.moved("one")
		})
	}
}

// A log that is beside it is of the database before: its records are not for this one.
func TestALogBesideADatabaseThatIsMovedIn(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("of before", "")))
	k.Stop(store.ReasonDamaged, errors.New("a crash"))
	k.Shut()
	k.Close(nil)
	if left := names(t, filepath.Join(k.dir, store.DirLog)); len(left) < 2 {
		t.Fatalf("the log has %q: the test says nothing", left)
	}
	other, db := placed(t, "of the backup")
	must(t, os.WriteFile(filepath.Join(k.dir, store.FileDB), read(t, db), 0o600))
	k.open()
	k.holds("of the backup")
	k.close()
	must(t, other.Close(nil))
}

// What is neither is refused, and left as it is; so is a vault whose database is missing.
func TestAVaultFileThatIsNeither(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("one", "")))
	k.close()
	db := filepath.Join(k.dir, store.FileDB)
	line := read(t, db)
	for _, text := range []string{"", "short", string(line[:len(line)-2]), string(line) + "x", string(bytes.Repeat([]byte("x"), 20_000))} {
		must(t, os.WriteFile(db, []byte(text), 0o600))
		if _, err := store.Open(k.dir, k.options); !errors.Is(err, store.ErrFormat) {
			t.Errorf("%.20q: %v", text, err)
		}
		if got := read(t, db); string(got) != text {
			t.Errorf("%.20q is now %.20q", text, got)
		}
	}
	must(t, os.WriteFile(db, line, 0o600))
	k.open()
	k.holds("one")
	k.close()
	must(t, os.Remove(k.path()))
	if _, err := store.Open(k.dir, k.options); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("without a database: %v", err)
	}
}

// A database whose vault.db alone is gone is not replaced, whether its log is there or not: the
// line that is missing is told, and however whoever writes it by hand ends it, it is taken.
func TestALineThatIsMissing(t *testing.T) {
	for name, crash := range map[string]bool{"closed": false, "after a crash": true} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t)
			must(t, k.submit(put("one", "")))
			if crash {
				k.Stop(store.ReasonDamaged, errors.New("a crash"))
				k.Shut()
				k.Store.Close(nil)
			} else {
				k.close()
			}
			db := filepath.Join(k.dir, store.FileDB)
			if line := store.Unmarked(k.dir); line != "" {
				t.Errorf("it lacks %q", line)
			}
			for _, end := range []string{"\n", "", "\r\n"} {
				must(t, os.Remove(db))
				before := read(t, k.path())
				line := store.Unmarked(k.dir)
				if err := store.Create(k.dir, schema(), found); !errors.Is(err, store.ErrUnmarked) || !strings.Contains(err.Error(), line) || line == "" {
					t.Errorf("%v does not tell %q", err, line)
				}
				if !bytes.Equal(read(t, k.path()), before) {
					t.Fatal("it was replaced")
				}
				must(t, os.WriteFile(db, []byte(line+end), 0o600))
				k.open()
				k.holds("one")
				k.close()
			}
		})
	}
}

// What a crash has left of a vault that was being made is replaced, and a rows.db that
// cannot be read is not: nobody knows what it was.
func TestAnUnfinishedVaultIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	must(t, store.Create(dir, schema(), found))
	must(t, os.Remove(filepath.Join(dir, store.FileDB)))
	must(t, store.Create(dir, schema(), found))
	must(t, os.Remove(filepath.Join(dir, store.FileDB)))
	rows := filepath.Join(dir, store.FileRows)
	must(t, os.WriteFile(rows, bytes.Repeat([]byte("x"), 20_000), 0o600))
	if err := store.Create(dir, schema(), found); !errors.Is(err, store.ErrUnmarked) || len(read(t, rows)) != 20_000 {
		t.Errorf("got %v", err)
	}
}

// Versions up to format 3 open vault.db with bbolt, whose error they call ErrFormat, and change
// nothing.
func TestAnOlderVersionRefusesTheVault(t *testing.T) {
	k := newKit(t)
	k.close()
	path := filepath.Join(k.dir, store.FileDB)
	before := read(t, path)
	if db, err := bbolt.Open(path, 0o600, nil); err == nil {
		db.Close()
		t.Error("it is a database to them")
	} else if !errors.Is(err, bolterrors.ErrInvalid) && !errors.Is(err, bolterrors.ErrVersionMismatch) && !errors.Is(err, bolterrors.ErrChecksum) {
		t.Errorf("they do not know it as another format: %v", err)
	}
	if !bytes.Equal(read(t, path), before) {
		t.Error("they have written to it")
	}
	if _, err := store.OpenCopy(path, schema()); !errors.Is(err, store.ErrFormat) {
		t.Errorf("opened as a copy: %v", err)
	}
}
