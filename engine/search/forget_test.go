package search

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
)

// inFiles says whether any file below a directory has one of these words, as
// they are or as the index compresses them.
func inFiles(t *testing.T, dir string, words ...string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, w := range words {
			if bytes.Contains(b, []byte(w)) {
				found = append(found, w+" in "+filepath.Base(path))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestDeletedWordsLeaveTheFiles(t *testing.T) {
	k := newKit(t)
	kept := k.doc("kept", "ordinary words")
	d := k.doc("zanzibarname", "short xylophone text", "quetzaltag")
	long := k.doc("another", strings.Repeat("vermilion words of a longer text, which is compressed. ", 20))
	k.expect("xylophone", "zanzibarname")
	_, _, err := k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, text("b.txt"), k.Upload("a kumquat instead"))
	k.must(err)
	k.expect("kumquat", "zanzibarname")
	secrets := []string{"zanzibar", "xylophon", "quetzal", "kumquat", "vermilion"}
	k.must(k.index.store.Save())
	if found := inFiles(t, k.dir, append(secrets, "ordinari")...); len(found) < 5 {
		t.Fatalf("only in files: %q", found)
	}
	for _, id := range []string{d.ID, long.ID} {
		_, _, err := k.DeleteDocument(t.Context(), k.Admin, id, engine.Condition{})
		k.must(err)
	}
	k.expect("ordinary", "kept")
	k.wait(func() bool { return !k.index.store.Forgetting() })
	k.stop()
	if found := inFiles(t, k.dir, secrets...); found != nil {
		t.Errorf("left: %q", found)
	}
	if inFiles(t, k.dir, "ordinari") == nil {
		t.Errorf("what was kept is gone too: %s", kept.Name)
	}
	k.close()
	k.open()
	k.run()
	k.expect("ordinary", "kept")
}

func TestErasedWordsLeaveTheFiles(t *testing.T) {
	k := newKit(t)
	k.doc("kept", "ordinary words")
	d := k.doc("zanzibarname", strings.Repeat("xylophone ", 100))
	k.expect("xylophone", "zanzibarname")
	k.must(k.index.store.Save())
	_, _, err := k.RequestErasure(t.Context(), k.Admin, engine.NewErasure{DocumentIDs: []string{d.ID}, LegalBasis: "Art. 17", Requester: "case 1"})
	k.must(err)
	_, err = k.Sweep(t.Context())
	k.must(err)
	k.expect("xylophone", "")
	k.wait(func() bool { return !k.index.store.Forgetting() })
	k.stop()
	_, err = k.Sweep(t.Context()) // the index may have read while the first one overwrote
	k.must(err)
	if found := inFiles(t, k.Dir, "zanzibar", "xylophon"); found != nil {
		t.Errorf("left: %q", found)
	}
}
