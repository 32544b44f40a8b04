package store_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"strongroom/engine/internal/store"
)

// newOldKit makes a vault of the first format and leaves it closed.
func newOldKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{t: t, dir: t.TempDir(), options: store.Options{Schema: schemaOf(1), Reserve: -1}}
	must(t, store.Create(k.dir, schemaOf(1), found, put("a", "1")))
	k.options.Schema = schema()
	return k
}

const formerCopy = store.FileDB + ".format-1"

// A vault of an earlier format is migrated by the next Open, with an entry. Its
// copy is the vault as it was, and stays until the Open after that.
func TestMigration(t *testing.T) {
	k := newOldKit(t)
	must(t, os.WriteFile(filepath.Join(k.dir, formerCopy), []byte("what a crash left"), 0o600))
	must(t, os.WriteFile(filepath.Join(k.dir, formerCopy)+".new", []byte("what a crash left"), 0o600))
	k.open()
	if k.Head().Seq != 3 {
		t.Errorf("the head is %+v", k.Head())
	}
	if got := k.rows(tags); len(got) != 1 || got["from"] != "\x01" {
		t.Errorf("%q", got)
	}
	k.holds("a")
	k.close()
	if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB, formerCopy}) {
		t.Errorf("there is %q", got)
	}
	c, err := store.OpenCopy(filepath.Join(k.dir, formerCopy), schemaOf(1))
	must(t, err)
	if got := rowsOf(t, c, notes); c.Head().Seq != 2 || got["a"] != "1" {
		t.Errorf("the copy holds %q at %+v", got, c.Head())
	}
	must(t, c.Close(nil))

	migrated := read(t, k.path())
	k.open()
	k.close()
	if !bytes.Equal(read(t, k.path()), migrated) {
		t.Error("the Open after it wrote to the file")
	}
	if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) {
		t.Errorf("there is %q", got)
	}
}

// A migration that fails in its rows or in its commit, before that happened or
// after, leaves the old format or the new. The next Open finds its way.
func TestAMigrationThatFails(t *testing.T) {
	for name, c := range map[string]struct {
		migrate func(*store.Tx, int) (store.Record, error)
		commit  func(commit, rollback func() error) error
		want    error
		applied bool
	}{
		"refused": {func(*store.Tx, int) (store.Record, error) { return store.Record{}, io.EOF }, nil, io.EOF, false},
		"without an entry": {func(t *store.Tx, _ int) (store.Record, error) {
			t.Put(tags, []byte("from"), nil)
			return store.Record{}, nil
		}, nil, store.ErrBreach, false},
		"commit not applied": {nil, func(_, rollback func() error) error { return errors.Join(rollback(), syscall.EIO) }, syscall.EIO, false},
		"commit applied":     {nil, func(commit, _ func() error) error { return errors.Join(commit(), syscall.EIO) }, syscall.EIO, true},
	} {
		t.Run(name, func(t *testing.T) {
			k := newOldKit(t)
			o := k.options
			if c.migrate != nil {
				o.Schema.Migrate = c.migrate
			}
			o.Commit = c.commit
			if _, err := store.Open(k.dir, o); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if !slices.Contains(names(t, k.dir), formerCopy) {
				t.Error("the copy is gone")
			}
			k.open()
			if got := k.rows(tags); k.Head().Seq != 3 || got["from"] != "\x01" {
				t.Errorf("%q at %+v", got, k.Head())
			}
			k.close()
			if got := slices.Contains(names(t, k.dir), formerCopy); got == c.applied {
				t.Errorf("applied %v: the copy is there: %v", c.applied, got)
			}
		})
	}
}

// Without room for the copy nothing is begun.
func TestAMigrationWithoutRoom(t *testing.T) {
	k := newOldKit(t)
	before := read(t, k.path())
	o := k.options
	o.Reserve = 1 << 60
	if _, err := store.Open(k.dir, o); !errors.Is(err, store.ErrNoSpace) {
		t.Errorf("got %v", err)
	}
	if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) || !bytes.Equal(read(t, k.path()), before) {
		t.Errorf("there is %q, or the file was written to", got)
	}
}
