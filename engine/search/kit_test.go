package search

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// kit is a vault with its index, which runs until the test ends.
type kit struct {
	*enginetest.Kit
	t     testing.TB
	dir   string
	index *Index
	stop  func()
}

func newKit(t testing.TB) *kit {
	t.Helper()
	k := &kit{Kit: enginetest.New(t), t: t}
	k.dir = filepath.Join(k.Dir, "search")
	k.open()
	k.run()
	t.Cleanup(func() { k.close() })
	return k
}

func (k *kit) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *kit) open() {
	k.t.Helper()
	var err error
	k.index, err = Open(k.Vault, k.dir, Options{Patience: time.Minute})
	k.must(err)
}

// run starts Run.
func (k *kit) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- k.index.Run(ctx) }()
	k.stop = func() {
		cancel()
		if err := <-ended; err != nil {
			k.t.Errorf("run: %v", err)
		}
		k.stop = func() {}
	}
}

// wait returns when something holds of the index.
func (k *kit) wait(holds func() bool) {
	for {
		k.index.mu.Lock()
		yes, moved := holds(), k.index.moved
		k.index.mu.Unlock()
		if yes {
			return
		}
		<-moved
	}
}

func (k *kit) close() {
	k.stop()
	k.must(k.index.Close())
}

// search asks until the answer is complete, which it is the first time unless it
// meets damage.
func (k *kit) search(q Query) Result {
	k.t.Helper()
	for {
		r, err := k.index.Search(k.t.Context(), q)
		if k.must(err); r.Complete {
			return r
		}
	}
}

// names are those of the documents found, in order of rank.
func (k *kit) names(text string) string {
	k.t.Helper()
	var names []string
	for _, h := range k.search(Query{Text: text}).Hits {
		names = append(names, h.Document.Name)
	}
	return strings.Join(names, ", ")
}

// found are the same in the order of the alphabet.
func (k *kit) found(text string) string {
	k.t.Helper()
	names := strings.Split(k.names(text), ", ")
	slices.Sort(names)
	return strings.Join(names, ", ")
}

func (k *kit) expect(text, want string) {
	k.t.Helper()
	if got := k.found(text); got != want {
		k.t.Errorf("%s finds %q, want %q", text, got, want)
	}
}

func (k *kit) patch(id string, p engine.DocumentPatch) {
	k.t.Helper()
	_, _, err := k.UpdateDocument(k.t.Context(), k.Admin, id, engine.Condition{}, p)
	k.must(err)
}

func text(fileName string) engine.NewVersion {
	return engine.NewVersion{MediaType: "text/plain", FileName: fileName}
}

func (k *kit) doc(name, content string, tags ...string) engine.Document {
	k.t.Helper()
	return k.CreateFrom(engine.NewDocument{Name: name, Tags: tags, Version: text("a.txt")}, content)
}
