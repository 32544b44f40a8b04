package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"go.etcd.io/bbolt"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// ships is a home in memory.
type ships struct {
	mu      sync.Mutex
	records map[uint64][]byte
	last    uint64
	fail    error // of the next Ship
	erased  uint64
}

func (s *ships) Erased() uint64 { return s.erased }

func (s *ships) Ship(group uint64, record []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return s.fail
	}
	if s.last != 0 && group != s.last+1 {
		return fmt.Errorf("group %d after %d", group, s.last)
	}
	s.records[group], s.last = bytes.Clone(record), group
	return nil
}

// after returns the records of the groups after one.
func (s *ships) after(group uint64) (records [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for n := group + 1; s.records[n] != nil; n++ {
		records = append(records, s.records[n])
	}
	return records
}

func shipped(t testing.TB) (*enginetest.Kit, *ships) {
	t.Helper()
	home := &ships{records: map[uint64][]byte{}}
	return enginetest.NewWith(t, engine.Options{Name: "main", ReserveBytes: -1, Home: home}), home
}

// follower makes a vault of a copy of another's database, as it is now.
func follower(t testing.TB, k *enginetest.Kit) *enginetest.Kit {
	t.Helper()
	f := &enginetest.Kit{TB: t, Dir: filepath.Join(t.TempDir(), "copy"), Admin: k.Admin, Options: engine.Options{ReserveBytes: -1, Follow: true}}
	must(t, os.Mkdir(f.Dir, 0o700))
	must(t, k.CopyDatabase(func(c engine.DatabaseCopy) error {
		var b bytes.Buffer
		if n, err := c.WriteTo(&b); err != nil || n != c.Size || c.Head != k.Head() {
			t.Errorf("%d bytes of %d, head %v, %v", n, c.Size, c.Head, err)
		}
		return engine.PlaceDatabase(f.Dir, &b)
	}))
	must(t, blobstore.Init(filepath.Join(f.Dir, "blobs")))
	for _, name := range engine.KeyFiles() {
		if b, err := os.ReadFile(filepath.Join(k.Dir, name)); err == nil {
			must(t, os.WriteFile(filepath.Join(f.Dir, name), b, 0o600))
		}
	}
	v, err := engine.Open(f.Dir, f.Options)
	must(t, err)
	f.Vault = v
	t.Cleanup(func() { f.Close() })
	return f
}

func group(t testing.TB, v *engine.Vault) uint64 {
	t.Helper()
	n, err := v.Group()
	must(t, err)
	return n
}

// sameRows compares two databases, row by row.
func sameRows(t testing.TB, k, f *enginetest.Kit) {
	t.Helper()
	rows := func(k *enginetest.Kit) (all []string) {
		path := filepath.Join(t.TempDir(), "rows")
		must(t, k.CopyDatabase(func(c engine.DatabaseCopy) error {
			file, err := os.Create(path)
			must(t, err)
			_, err = c.WriteTo(file)
			return errors.Join(err, file.Close())
		}))
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
		must(t, err)
		defer db.Close()
		must(t, db.View(func(b *bbolt.Tx) error {
			return b.ForEach(func(name []byte, bucket *bbolt.Bucket) error {
				all = append(all, fmt.Sprintf("%s, group %d", name, bucket.Sequence()))
				return bucket.ForEach(func(k, v []byte) error {
					all = append(all, fmt.Sprintf("%s: %x = %x", name, k, v))
					return nil
				})
			})
		}))
		return all
	}
	is, want := rows(f), rows(k)
	for i := range min(len(is), len(want)) {
		if is[i] != want[i] {
			t.Fatalf("row %d of the follower is\n%s\nthe owner's\n%s", i, is[i], want[i])
		}
	}
	if len(is) != len(want) {
		t.Fatalf("the follower has %d rows, its owner %d", len(is), len(want))
	}
}

// What an owner has done a follower has, to the last byte that verify looks at, and
// takes nothing of its own.
func TestFollowing(t *testing.T) {
	k, home := shipped(t)
	k.Define(engine.TextField, "note")
	f := follower(t, k)
	var docs []engine.Document
	for i := range 20 {
		docs = append(docs, full(t, k, secret(i)))
	}
	if group(t, k.Vault) == group(t, f.Vault) || f.Head() == k.Head() {
		t.Fatal("it has come along by itself")
	}
	waited := make(chan error)
	go func() { waited <- f.Wait(t.Context(), f.Head().Seq) }()
	must(t, f.Apply(t.Context(), home.after(group(t, f.Vault))...))
	must(t, <-waited)
	if f.Head() != k.Head() || group(t, f.Vault) != group(t, k.Vault) {
		t.Fatalf("it stands at %v, its owner at %v", f.Head(), k.Head())
	}
	f.Check()
	for i, d := range docs {
		got, err := f.Document(t.Context(), d.ID)
		if err != nil || got.Name != "now "+secret(i) {
			t.Errorf("%q, %v", got.Name, err)
		}
		if text := f.Content(d.ID, 1); text != "the words of "+secret(i) {
			t.Errorf("version 1 is %q", text)
		}
	}
	_, _, err := f.CreateUser(t.Context(), engine.Operator(), engine.NewUser{Name: "Eve", Access: engine.AccessAdmin})
	wantIs(t, err, engine.ErrFollower)
	_, err = f.Sweep(t.Context())
	must(t, err)
	f.Check()
	f.Reopen()
	f.Check()
	k.Create("more", "and more")
	must(t, f.Apply(t.Context(), home.after(group(t, f.Vault))...))
	f.Check()
}

// A group that changes nothing is one, and the next goes on from it.
func TestEmptyGroup(t *testing.T) {
	k, home := shipped(t)
	k.Create("one", "text")
	f := follower(t, k)
	n, record, err := f.EmptyGroup()
	must(t, err)
	if n != group(t, k.Vault)+1 {
		t.Errorf("it is group %d after %d", n, group(t, k.Vault))
	}
	must(t, f.Apply(t.Context(), record))
	if f.Head() != k.Head() || group(t, f.Vault) != n {
		t.Errorf("head %v, group %d", f.Head(), group(t, f.Vault))
	}
	// The one who wrote it owns the vault; the other's next group has its number.
	k.Create("two", "text")
	wantIs(t, f.Apply(t.Context(), home.after(n-1)...), engine.ErrRecord)
	must(t, f.Close())
	f.Options.Follow, f.Options.Home = false, home
	home.last = n
	v, err := engine.Open(f.Dir, f.Options)
	must(t, err)
	f.Vault = v
	f.Create("three", "text")
	if home.last != n+1 || group(t, f.Vault) != n+1 {
		t.Errorf("the next group is %d", home.last)
	}
	f.Check()
}

// Nothing of a record lands that is not what was shipped, in its place.
func TestFollowingRefusesWhatWasNotShipped(t *testing.T) {
	k, home := shipped(t)
	f := follower(t, k)
	before := group(t, f.Vault)
	for i := range 3 {
		k.Create(fmt.Sprint(i), "text")
	}
	other, elsewhere := shipped(t)
	other.Create("foreign", "text")
	records := home.after(before)
	wrong := map[string][][]byte{"one left out": records[1:], "of another vault": elsewhere.after(0), "nothing": {nil}, "one too short": {records[0][:len(records[0])-1]}}
	for at := 0; at < len(records[0]); at += 1 + len(records[0])/200 {
		b := bytes.Clone(records[0])
		b[at] ^= 0x10
		wrong[fmt.Sprint("bit at ", at)] = [][]byte{b}
	}
	for name, records := range wrong {
		head := f.Head()
		err := f.Apply(t.Context(), records...)
		if err == nil { // of values of rows the log says nothing here; verify does
			if !strings.HasPrefix(name, "bit") {
				t.Errorf("%s: applied", name)
			}
			must(t, f.Close())
			f = follower(t, k)
			before = group(t, f.Vault)
			must(t, k.Ready())
			k.Create("next", "text")
			continue
		}
		wantIs(t, err, engine.ErrRecord)
		if f.Ready() != nil || f.Head() != head || group(t, f.Vault) != before {
			t.Fatalf("%s: %v", name, f.Ready())
		}
	}
	must(t, f.Apply(t.Context(), home.after(before)...))
	f.Check()
}

// Who has been replaced changes nothing and answers nobody; what nobody knows of is
// told so.
func TestShippingFails(t *testing.T) {
	for name, failure := range map[string]error{"replaced": engine.ErrReplaced, "outcome_unknown": errors.New("no answer")} {
		k, home := shipped(t)
		d := k.Create("one", "text")
		home.fail = fmt.Errorf("group taken: %w", failure)
		_, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
		down, ok := errors.AsType[*engine.UnavailableError](err)
		if !ok || string(down.Reason) != name {
			t.Errorf("%s: %v", name, err)
		}
		_, err = k.Document(t.Context(), d.ID)
		wantIs(t, err, engine.ErrUnavailable)
		home.fail = nil
		k.Reopen()
		if got, err := k.Document(t.Context(), d.ID); err != nil || got.Archived {
			t.Errorf("%s: it happened here: %+v, %v", name, got, err)
		}
	}
}

// What an owner erases its followers overwrite too.
func TestFollowingAnErasure(t *testing.T) {
	k, home := shipped(t)
	word := secret(1)
	k.Define(engine.TextField, "note")
	d := full(t, k, word)
	f := follower(t, k)
	must(t, f.Apply(t.Context(), home.after(group(t, f.Vault))...))
	_, _, err := k.BreakLock(t.Context(), k.Admin, d.ID, engine.Condition{}, "to erase")
	must(t, err)
	e := erase(t, k, d.ID)
	_, err = k.Sweep(t.Context())
	must(t, err)
	if is := readErasure(t, k, e.ID); is.Status != engine.ErasureRunning || is.Completed != 1 {
		t.Errorf("while its home has it, it is %+v", is)
	}
	home.erased = k.Head().Seq
	if is := readErasure(t, k, e.ID); is.Status != engine.ErasureCompleted {
		t.Errorf("when its home has nothing of it, it is %+v", is)
	}
	must(t, f.Apply(t.Context(), home.after(group(t, f.Vault))...))
	if f.Wiped() >= k.Head().Seq {
		t.Error("it says that it is done before it is")
	}
	<-f.Due()
	_, err = f.Sweep(t.Context())
	must(t, err)
	if f.Wiped() != f.Head().Seq {
		t.Errorf("it is wiped up to %d of %d", f.Wiped(), f.Head().Seq)
	}
	must(t, os.RemoveAll(filepath.Join(f.Dir, "blobs"))) // the bytes are the home's
	if found := left(t, f.Dir, word); found != nil {
		t.Errorf("%q", found)
	}
}
