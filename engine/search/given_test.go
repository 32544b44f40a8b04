package search

import (
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
)

// TestTextsThatAreGiven: they are found beside what the file says, and go when they
// are taken away or the document is deleted.
func TestTextsThatAreGiven(t *testing.T) {
	k := gated(t, newGate(), time.Minute)
	give := func(id, text string) {
		t.Helper()
		_, _, err := k.SetText(t.Context(), k.Admin, id, 0, engine.Condition{}, text)
		k.must(err)
	}
	state := func(id string, want extract.State, reason string) {
		t.Helper()
		k.search(Query{Text: "x"})
		if got := k.textState(id); got.State != want || !strings.Contains(got.Reason, reason) || reason == "" && got.Reason != "" {
			t.Errorf("%+v, want %s, %q", got, want, reason)
		}
	}
	says, bad := k.doc("says", "of the file"), k.doc("bad", "bad file")
	scan := k.CreateFrom(engine.NewDocument{Name: "scan", Version: engine.NewVersion{MediaType: "image/png", FileName: "a.png"}}, "\x89PNG\r\n\x1a\n")
	state(says.ID, extract.Indexed, "")
	state(bad.ID, extract.Failed, "encrypted")
	state(scan.ID, extract.None, "a picture")
	for _, d := range []engine.Document{says, bad, scan} {
		give(d.ID, "marzipan\x00\fpotatoes")
	}
	k.expect("marzipan potatoes", "bad, says, scan")
	k.expect("file marzipan", "bad, says")
	state(says.ID, extract.Indexed, "with a text that was given")
	state(bad.ID, extract.Indexed, "of the file itself: the file is encrypted")
	state(scan.ID, extract.Indexed, "by a text that was given")
	if s := k.index.Stats(); s.Failed != 0 {
		t.Errorf("%+v", s)
	}
	v, err := k.Version(t.Context(), says.ID, 1)
	k.must(err)
	if r, err := k.index.Text(t.Context(), &v); err != nil || r.Text != "of the file\nmarzipan \npotatoes" {
		t.Errorf("%+v, %v", r, err)
	}
	k.AddText(says.ID, "of the next file")
	k.expect("marzipan", "bad, scan")
	if r, err := k.index.Text(t.Context(), &v); err != nil || !strings.Contains(r.Text, "marzipan") {
		t.Errorf("of a version that is not current: %+v, %v", r, err)
	}
	give(bad.ID, "")
	k.expect("marzipan", "scan")
	state(bad.ID, extract.Failed, "encrypted")
	k.must(k.index.store.Save())
	_, _, err = k.DeleteDocument(t.Context(), k.Admin, scan.ID, engine.Condition{})
	k.must(err)
	k.expect("marzipan", "")
	k.wait(func() bool { return !k.index.store.Forgetting() })
	k.stop()
	if found := inFiles(t, k.dir, "marzipan"); found != nil {
		t.Errorf("left: %q", found)
	}
	k.run()
}
