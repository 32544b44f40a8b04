package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// A vault can be brought to each instant of the history, and is that of the instant.
func TestRestoreTo(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	type instant struct {
		audit.Head
		documents int
	}
	var all []instant
	for i := range 12 {
		k.Create(fmt.Sprint("document ", i), fmt.Sprint("bytes ", i))
		all = append(all, instant{k.Head(), i + 1})
		if i%5 == 4 {
			s.snapshot(m)
		}
		time.Sleep(2 * time.Millisecond) // entries of one instant cannot be told apart
	}
	s.must(m.Close(t.Context()))
	for i, at := range all {
		if testing.Short() && i%4 != 1 {
			continue
		}
		c := s.server(fmt.Sprint("at ", i))
		s.must(Restore(t.Context(), c, at.Time))
		v, err := engine.Open(c.Dir, c.Options)
		s.must(err)
		report, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true, Heads: []audit.Head{at.Head}})
		s.must(err)
		if len(report.Findings) > 0 || report.Documents != uint64(at.documents) {
			t.Errorf("at %v: %d documents of %d; %v", at.Time, report.Documents, at.documents, report.Findings)
		}
		page, err := v.Entries(t.Context(), engine.EntryQuery{After: at.Seq, Limit: 1})
		s.must(err)
		if len(page.Items) == 0 || page.Items[0].Op != audit.OpVaultRestored {
			t.Errorf("at %v: after entry %d comes %+v", at.Time, at.Seq, page.Items)
		}
		if settings, err := v.Settings(t.Context()); err != nil || !settings.Paused {
			t.Errorf("at %v: the vault is not paused: %v", at.Time, err)
		}
		s.must(v.Close())
	}
}

// Where it cannot be done, nothing is left, and what is there is not touched.
func TestRestoreRefused(t *testing.T) {
	s := newShelf(t)
	c := s.server("restored")
	var ended *HistoryError
	if err := Restore(t.Context(), c, time.Now().Add(-time.Hour)); !errors.As(err, &ended) || ended.ErasedTo != 0 {
		t.Errorf("restore to before the vault was: %v", err)
	}
	s.must(os.MkdirAll(c.Dir, 0o700))
	s.must(os.WriteFile(filepath.Join(c.Dir, "file"), nil, 0o600))
	if err := Restore(t.Context(), c, time.Time{}); !errors.Is(err, engine.ErrVaultExists) {
		t.Errorf("restore over files: %v", err)
	}
	s.must(os.RemoveAll(c.Dir))
	empty := c
	empty.Objects = newAgedStore()
	if err := Restore(t.Context(), empty, time.Time{}); !errors.Is(err, ErrNoVault) {
		t.Errorf("restore from an empty store: %v", err)
	}
	m, k := s.own(s.server("first"))
	k.Create("one", "bytes")
	k.Create("two", "bytes")
	n := m.s.place().Commit
	s.snapshot(m)
	s.must(m.Close(t.Context()))
	s.must(s.Delete(t.Context(), commitKey(n-1)))
	if err := Restore(t.Context(), c, k.Head().Time.Add(-time.Millisecond)); !errors.Is(err, ErrStoreBehind) {
		t.Errorf("restore where a commit is missing: %v", err)
	}
	left, err := os.ReadDir(s.dir)
	s.must(err)
	for _, e := range left {
		if e.Name() != "shared" && e.Name() != "first" {
			t.Errorf("%s is left", e.Name())
		}
	}
}

// What was deleted after the instant has left the store, bytes and all: the rest is restored.
func TestRestoreWithoutDeleted(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	kept, gone := k.Create("kept", "bytes that stay"), k.Create("gone", "bytes that go")
	at := k.Head()
	time.Sleep(2 * time.Millisecond)
	_, _, err := k.DeleteDocument(t.Context(), s.admin, gone.ID, engine.Condition{})
	s.must(err)
	s.must(m.Close(t.Context()))
	c := s.server("restored")
	var said []string
	c.Log = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	s.must(Restore(t.Context(), c, at.Time))
	if len(said) != 1 {
		t.Errorf("told %q", said)
	}
	v, err := engine.Open(c.Dir, c.Options)
	s.must(err)
	defer v.Close()
	k.Vault = v
	if got := k.Content(kept.ID, 0); got != "bytes that stay" {
		t.Errorf("the document that stayed has %q", got)
	}
	if d, err := v.Document(t.Context(), gone.ID); err != nil || d.Name != "gone" {
		t.Errorf("the document that went: %q, %v", d.Name, err)
	}
}
