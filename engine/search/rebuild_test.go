package search

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
)

func copyFile(t *testing.T, to, from string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestRestartCatchesUp(t *testing.T) {
	k := newKit(t)
	k.doc("before", "words")
	k.expect("words", "before")
	k.close() // saved
	gone := k.doc("while away", "words")
	k.doc("meanwhile", "words")
	_, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{})
	k.must(err)
	k.open()
	if s := k.index.Stats(); s.Building || s.Documents != 1 {
		t.Errorf("%+v", s)
	}
	k.run()
	k.expect("words", "before, meanwhile")
	// Killed: nothing is saved.
	k.doc("unsaved", "words")
	k.expect("words", "before, meanwhile, unsaved")
	killed := k.index
	k.open()
	k.stop()
	k.must(killed.Close())
	k.run()
	k.expect("words", "before, meanwhile, unsaved")
	if n := k.index.Stats().Rebuilds; n != 0 {
		t.Errorf("%d rebuilds", n)
	}
}

func TestRebuildsWhatIsGoneOrDamaged(t *testing.T) {
	k := newKit(t)
	for i := range 30 {
		k.doc(fmt.Sprint("document ", i), "common words")
	}
	if r := k.search(Query{Text: "common"}); r.Total != 30 {
		t.Fatal(r.Total)
	}
	rebuilt := func(thrownAway uint64) {
		t.Helper()
		k.open()
		k.run()
		k.wait(func() bool { return k.index.stats.rebuilds.Load() >= thrownAway })
		if r := k.search(Query{Text: "common"}); r.Total != 30 {
			t.Errorf("%d found", r.Total)
		}
	}
	k.close()
	k.must(os.RemoveAll(k.dir))
	rebuilt(0)
	for _, pattern := range []string{"*.segment", "manifest"} {
		k.close()
		paths, _ := filepath.Glob(filepath.Join(k.dir, pattern))
		for _, path := range paths {
			b, err := os.ReadFile(path)
			k.must(err)
			b[len(b)/2] ^= 0xff
			k.must(os.WriteFile(path, b, 0o600))
		}
		if len(paths) == 0 {
			t.Fatal("no files")
		}
		rebuilt(1)
	}
	// Another vault's index.
	k.close()
	other := newKit(t)
	other.doc("foreign", "common words")
	other.expect("common", "foreign")
	other.stop()
	k.must(os.RemoveAll(k.dir))
	k.must(os.CopyFS(k.dir, os.DirFS(other.dir)))
	rebuilt(1)
}

func TestDeletedWhileItRuns(t *testing.T) {
	k := newKit(t)
	k.doc("one", "common words")
	k.expect("common", "one")
	k.must(k.index.store.Save())
	k.must(os.RemoveAll(k.dir))
	k.expect("common", "one")
	b := &batch{x: k.index, unsaved: true}
	if err := b.save(); !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	k.must(k.index.reset("en"))
	k.stop()
	k.run()
	k.expect("common", "one")
	// Nothing is saved yet: what is in memory goes into a new directory.
	k.must(os.RemoveAll(k.dir))
	k.close()
	k.open()
	if s := k.index.Stats(); s.Building || s.Documents != 1 {
		t.Errorf("%+v", s)
	}
	// A merge that finds the files gone is the end of that index, not of Run.
	k.run()
	k.expect("common", "one")
	k.must(os.RemoveAll(k.dir))
	d := k.doc("two", "common words")
	k.expect("common", "one, two")
	_, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
	k.must(err)
	k.expect("common", "one")
}

func TestLanguageOfTheSettings(t *testing.T) {
	k := newKit(t)
	k.doc("Mietvertrag", "Die Kündigungen der Verträge")
	k.expect("kündigung", "")
	german := "de"
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{SearchLanguage: &german})
	k.must(err)
	k.expect("kündigung vertrag", "Mietvertrag")
}

// TestARestoredVault has an index that is ahead of its vault, and one that has
// followed another log.
func TestARestoredVault(t *testing.T) {
	k := newKit(t)
	vault, backup, ahead := filepath.Join(k.Dir, "rows.db"), filepath.Join(t.TempDir(), "rows.db"), filepath.Join(t.TempDir(), "search")
	k.doc("kept", "words")
	k.close()
	k.must(k.Close())
	copyFile(t, backup, vault)
	k.Kit.Reopen()
	k.open()
	k.run()
	k.doc("lost", "words")
	k.expect("words", "kept, lost")
	k.close()
	k.must(k.Close())
	k.must(os.CopyFS(ahead, os.DirFS(k.dir)))
	copyFile(t, vault, backup)
	k.Kit.Reopen()
	_, err := k.Sweep(t.Context()) // the bytes of what was lost
	k.must(err)
	for _, written := range []string{"", "another"} {
		if written != "" {
			k.doc(written, "words")
		}
		k.must(os.RemoveAll(k.dir))
		k.must(os.CopyFS(k.dir, os.DirFS(ahead)))
		k.open()
		k.run()
		k.expect("words", strings.TrimPrefix(written+", kept", ", "))
		k.close()
	}
	k.open()
}
