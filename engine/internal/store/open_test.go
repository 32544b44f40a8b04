package store_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"strongroom/engine/internal/store"

	"go.etcd.io/bbolt"
)

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	return b
}

// names are the files of a directory.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// A vault that could not be made is none, and what is left of it is in nobody's
// way. One that could has what its steps wrote, with an entry each.
func TestCreate(t *testing.T) {
	dir := t.TempDir()
	for name, failing := range map[string]store.Step{
		"refused":          func(*store.Tx) (store.Record, error) { return store.Record{}, io.EOF },
		"without an entry": func(t *store.Tx) (store.Record, error) { t.Put(notes, []byte("a"), nil); return store.Record{}, nil },
	} {
		if err := store.Create(dir, schema(), found, failing); err == nil {
			t.Errorf("%s: made", name)
		}
		if got := names(t, dir); slices.Contains(got, store.FileDB) {
			t.Errorf("%s: there is %q", name, got)
		}
	}
	// A crash before the renaming leaves a file that was whole, or was not.
	must(t, os.WriteFile(filepath.Join(dir, store.FileRows+".new"), []byte("half a database"), 0o600))
	must(t, store.Create(dir, schema(), found, put("a", "1"), put("b", "2")))
	if got := names(t, dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) {
		t.Errorf("there is %q", got)
	}
	s, err := store.Open(dir, store.Options{Schema: schema(), Reserve: -1})
	must(t, err)
	defer s.Close(nil)
	if head := s.Head(); head.Seq != 3 || head.Vault != s.Vault() || s.Path() != filepath.Join(dir, store.FileRows) {
		t.Errorf("%+v of %s at %s", head, s.Vault(), s.Path())
	}
	if got := rowsOf(t, s, notes); len(got) != 2 || got["b"] != "2" {
		t.Errorf("%q", got)
	}
}

// Opening, reading and closing a store of today's format leaves every byte as
// it was.
func TestOpeningWritesNothing(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("a", "1")))
	k.close()
	before := read(t, k.path())
	for range 2 {
		k.open()
		k.holds("a")
		if err := k.submit(func(*store.Tx) (store.Record, error) { return store.Record{}, io.EOF }); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		k.close()
	}
	if !bytes.Equal(read(t, k.path()), before) {
		t.Error("the file was written to")
	}
	if got := names(t, k.dir); !slices.Equal(got, []string{store.FileRows, store.FileDB}) {
		t.Errorf("there is %q", got)
	}
}

// bare changes a closed file behind the store's back.
func (k *kit) bare(change func(*bbolt.Tx) error) {
	k.t.Helper()
	db, err := bbolt.Open(k.path(), 0o600, nil)
	must(k.t, err)
	must(k.t, errors.Join(db.Update(change), db.Close()))
}

// What is no vault of this format, or of one before, is not opened.
func TestWhatIsNotOpened(t *testing.T) {
	inMeta := func(key, value string) func(*bbolt.Tx) error {
		return func(b *bbolt.Tx) error { return b.Bucket(store.Meta).Put([]byte(key), []byte(value)) }
	}
	without := func(bucket []byte) func(*bbolt.Tx) error {
		return func(b *bbolt.Tx) error { return b.DeleteBucket(bucket) }
	}
	for name, c := range map[string]struct {
		change func(*bbolt.Tx) error
		want   error
	}{
		"of a newer version":    {inMeta("format", "3"), store.ErrFormat},
		"of no version":         {inMeta("format", "0"), store.ErrFormat},
		"of a word":             {inMeta("format", "two"), store.ErrFormat},
		"without meta":          {without(store.Meta), store.ErrFormat},
		"without a bucket":      {without(tags), store.ErrFormat},
		"without the log":       {without(store.Log), store.ErrFormat},
		"of an id that is none": {inMeta("vault", "x"), store.ErrDamaged},
		"with a log that ends in nothing": {func(b *bbolt.Tx) error {
			return b.Bucket(store.Log).Put(store.SeqKey(9), []byte("{}\n"))
		}, errAny},
	} {
		k := newKit(t)
		k.close()
		k.bare(c.change)
		before := read(t, k.path())
		if _, err := store.Open(k.dir, k.options); err == nil || c.want != errAny && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v", name, err)
		}
		if !bytes.Equal(read(t, k.path()), before) || len(names(t, k.dir)) != 2 {
			t.Errorf("%s: it was written to", name)
		}
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, store.FileDB), bytes.Repeat([]byte("no database "), 1_000), 0o600))
	if _, err := store.Open(dir, store.Options{Schema: schema()}); !errors.Is(err, store.ErrFormat) {
		t.Errorf("no database: got %v", err)
	}
}

// A copy is read wherever it stands, and not written to.
func TestOpenCopy(t *testing.T) {
	k := newKit(t)
	must(t, k.submit(put("a", "1")))
	path := filepath.Join(t.TempDir(), "copy of a vault")
	f, err := os.Create(path)
	must(t, err)
	must(t, k.Snapshot(func(s store.Snapshot) error {
		n, err := s.WriteTo(f)
		if s.Head != k.Head() || n != s.Size {
			t.Errorf("%d bytes of %d, at %+v", n, s.Size, s.Head)
		}
		return errors.Join(err, f.Close())
	}))
	must(t, k.submit(put("later", "")))
	before := read(t, path)
	c, err := store.OpenCopy(path, schema())
	must(t, err)
	if got := rowsOf(t, c, notes); len(got) != 1 || got["a"] != "1" || c.Vault() != k.Vault() || c.Head().Seq != k.Head().Seq-1 {
		t.Errorf("%q at %+v", got, c.Head())
	}
	if err := c.Submit(&store.Call{Ctx: t.Context(), Steps: []store.Step{put("b", "")}}); err == nil {
		t.Error("the copy was written to")
	}
	must(t, c.Close(nil))
	if !bytes.Equal(read(t, path), before) {
		t.Error("the copy is another")
	}
}

// A database whose log is missing lacks what was acknowledged, and may lack pages: it is
// refused, and works again when the log is put back.
func TestADatabaseWhoseLogIsMissing(t *testing.T) {
	k := newKit(t)
	for _, name := range []string{"a", "b", "c"} {
		must(t, k.submit(put(name, "")))
	}
	k.Stop(store.ReasonDamaged, io.EOF)
	k.Shut()
	must(t, k.Close(nil))
	log := filepath.Join(k.dir, store.DirLog)
	must(t, os.Rename(log, log+".away"))
	before := read(t, k.path())
	down, ok := errors.AsType[*store.UnavailableError](func() error { _, err := store.Open(k.dir, k.options); return err }())
	if !ok || down.Reason != store.ReasonDamaged {
		t.Errorf("got %v", down)
	}
	if !bytes.Equal(read(t, k.path()), before) {
		t.Error("it was written to")
	}
	must(t, os.Rename(log+".away", log))
	k.open()
	k.holds("a", "b", "c")
}
