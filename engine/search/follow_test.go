package search

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
)

// A change is in the index at once when none came a moment before, or when somebody
// searches; else with those that come until gatherTime is over, or behind many gatherManyTime.
func TestChangesAreGatheredWhileNobodySearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		change := func(name string) (took func() time.Duration) {
			began := time.Now()
			k.doc(name, "words")
			return func() time.Duration { return time.Since(began) }
		}
		arrives := func() {
			k.wait(func() bool { return k.index.state.Through == k.Head().Seq })
		}
		arrives()
		time.Sleep(time.Second)
		took := change("after a pause")
		if arrives(); took() != 0 {
			t.Errorf("after a pause a change is in the index in %v", took())
		}
		took = change("at once behind it")
		if arrives(); took() != gatherTime {
			t.Errorf("a change at once behind another is in the index in %v", took())
		}
		for i := range manyEntries { // within gatherTime of what was taken last
			change(fmt.Sprint("one of many ", i))
		}
		arrives()
		took = change("behind many")
		if arrives(); took() != gatherManyTime {
			t.Errorf("a change behind many is in the index in %v", took())
		}
		took = change("searched for")
		k.expect("words pause", "after a pause")
		k.expect("words searched", "searched for")
		if took() != 0 {
			t.Errorf("a change that is searched for is in the index in %v", took())
		}
	})
}

// However often a document has changed between two looks at the log, it is indexed
// once, as it is by then.
func TestWhatChangesOftenIsIndexedOnce(t *testing.T) {
	k := newKit(t)
	var ids []string
	for i := range 3 {
		ids = append(ids, k.doc(fmt.Sprint("document ", i), "words").ID)
	}
	k.expect("words", "document 0, document 1, document 2")
	k.stop()
	before := k.index.Stats().Indexed
	for i := range 200 {
		var changes []engine.DocumentChange
		for j, id := range ids {
			text := fmt.Sprintf("description%d of%d", i, j)
			changes = append(changes, engine.DocumentChange{DocumentID: id, Patch: engine.DocumentPatch{Description: &text}})
		}
		if i == 199 {
			changes = changes[:2]
		}
		_, err := k.UpdateDocuments(t.Context(), k.Admin, changes, false)
		k.must(err)
	}
	k.run()
	k.expect("description199", "document 0, document 1")
	k.expect("description198", "document 2")
	k.expect("words description0", "")
	if n := k.index.Stats().Indexed - before; n > 6 { // the log is read in two pages
		t.Errorf("indexed %d times", n)
	}
}

// To take a lock and to let it go is nothing that is found.
func TestLocksAreNotIndexed(t *testing.T) {
	k := newKit(t)
	d := k.doc("document", "words")
	k.expect("words", "document")
	before := k.index.Stats().Indexed
	for range 3 {
		lock, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{})
		k.must(err)
		_, _, err = k.ReleaseLock(t.Context(), k.Admin, d.ID, engine.Condition{LockToken: lock.Token}, true)
		k.must(err)
	}
	k.expect("words", "document")
	if n := k.index.Stats().Indexed - before; n != 0 {
		t.Errorf("indexed %d times", n)
	}
}
