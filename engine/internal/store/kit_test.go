package store_test

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// The rows of these tests: notes have entries, counts are derived, tags came
// with format 2.
var (
	notes  = []byte("notes")
	counts = []byte("counts")
	tags   = []byte("tags")
)

func schema() store.Schema { return schemaOf(2) }

func schemaOf(format int) store.Schema {
	return store.Schema{
		Format: format,
		Buckets: func(format int) [][]byte {
			if format == 1 {
				return [][]byte{notes, counts}
			}
			return [][]byte{notes, counts, tags}
		},
		Derived: [][]byte{counts},
		Migrate: func(t *store.Tx, from int) (store.Record, error) {
			t.Put(tags, []byte("from"), []byte{byte(from)})
			return store.Record{Event: audit.Event{Op: audit.OpVaultMigrated, Facts: audit.Facts{
				"format": audit.Number(uint64(format)), "from": audit.Number(uint64(from)),
			}}}, nil
		},
	}
}

// found is the first step of a vault.
func found(t *store.Tx) (store.Record, error) {
	vault, err := t.Found()
	return store.Record{Event: audit.Event{Op: audit.OpVaultCreated, Facts: audit.Facts{
		"format": audit.Number(2), "vault": audit.Text(vault.String()),
	}}}, err
}

// noted is the record of a step that wrote notes.
func noted() store.Record {
	return store.Record{Event: audit.Event{Op: audit.OpSettingsUpdated, Facts: audit.Facts{"changed": audit.Texts("notes")}}}
}

// put is a step that writes a note and its entry.
func put(name, text string) store.Step {
	return func(t *store.Tx) (store.Record, error) {
		t.Put(notes, []byte(name), []byte(text))
		return noted(), nil
	}
}

// kit is a store in a directory of its own.
type kit struct {
	*store.Store
	t       *testing.T
	dir     string
	options store.Options
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{t: t, dir: t.TempDir(), options: store.Options{Schema: schema(), Reserve: -1}}
	must(t, store.Create(k.dir, schema(), found))
	k.open()
	t.Cleanup(k.close)
	return k
}

func (k *kit) path() string { return filepath.Join(k.dir, store.FileRows) }

func (k *kit) open() {
	k.t.Helper()
	s, err := store.Open(k.dir, k.options)
	must(k.t, err)
	k.Store = s
}

func (k *kit) close() {
	k.t.Helper()
	if k.Shut() {
		must(k.t, k.Close(nil))
	}
}

func (k *kit) reopen() {
	k.t.Helper()
	k.close()
	k.open()
}

// submit lands steps as one call.
func (k *kit) submit(steps ...store.Step) error {
	return k.submitAs(k.t.Context(), steps...)
}

func (k *kit) submitAs(ctx context.Context, steps ...store.Step) error {
	return k.Submit(&store.Call{Ctx: ctx, Steps: steps})
}

// rows is what a bucket holds.
func (k *kit) rows(bucket []byte) map[string]string {
	k.t.Helper()
	return rowsOf(k.t, k.Store, bucket)
}

func rowsOf(t *testing.T, s *store.Store, bucket []byte) map[string]string {
	t.Helper()
	rows, err := store.Read(s, false, func(t *store.Tx) (map[string]string, error) {
		rows := map[string]string{}
		c := t.Cursor(bucket)
		for key, value := c.First(); key != nil; key, value = c.Next() {
			rows[string(key)] = string(value)
		}
		return rows, nil
	})
	must(t, err)
	return rows
}

// holds compares the names of the notes that are there.
func (k *kit) holds(names ...string) {
	k.t.Helper()
	slices.Sort(names)
	if got := slices.Sorted(maps.Keys(k.rows(notes))); !slices.Equal(got, names) {
		k.t.Errorf("there are the notes %q, want %q", got, names)
	}
}

// hold makes the next commit wait. It returns a channel that is closed when that
// has begun, and what lets it go on.
func (k *kit) hold() (begun chan struct{}, release func()) {
	begun, held := make(chan struct{}), make(chan struct{})
	var once sync.Once
	k.Interpose(func(commit, _ func() error) error {
		once.Do(func() { close(begun); <-held })
		return commit()
	})
	return begun, sync.OnceFunc(func() { close(held) })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
