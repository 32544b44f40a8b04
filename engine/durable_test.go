package engine_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// What describes a document is bounded as a whole, before anything is written:
// a closure that fails later would spoil its group.
func TestMetadataIsBounded(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	fields := map[string]any{}
	for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "") {
		fields[name] = strings.Repeat("\u2028", 4000)
	}
	u := k.Upload("text")
	defer u.Discard()
	if _, _, err := k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "large", CustomFields: fields}, u); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
	if _, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{CustomFields: fields}); !errors.Is(err, engine.ErrInvalid) {
		t.Error(err)
	}
}

// A reader that comes between the writing of a commit's last page and its fsync
// waits: what it told could still be taken back.
func TestReadersSeeOnlyWhatIsOnDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		d := k.Create("before", "text")
		written, synced := make(chan struct{}), make(chan struct{})
		k.SetCommit(func(commit, _ func() error) error {
			err := commit()
			close(written)
			<-synced
			return err
		})
		changed := make(chan error)
		go func() {
			name := "after"
			_, _, err := k.UpdateDocument(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Name: &name})
			changed <- err
		}()
		<-written
		read := make(chan string)
		go func() {
			got, err := k.Document(t.Context(), d.ID)
			if err != nil {
				t.Error(err)
			}
			read <- got.Name
		}()
		synctest.Wait()
		select {
		case name := <-read:
			t.Errorf("read %q before it was synced", name)
		default:
		}
		close(synced)
		if err := <-changed; err != nil {
			t.Error(err)
		}
		if name := <-read; name != "after" {
			t.Errorf("read %q", name)
		}
		k.SetCommit(func(commit, _ func() error) error { return commit() })
	})
}

// Who takes a lock, or lets one go, stands in the queue while a commit is synced, and
// lands with the next. A refusal is not told before what it rests on is on disk.
func TestLocksDoNotWaitToJoinAGroup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx, other := t.Context(), k.Create("other", "text")
		held, free := k.Create("held", "text"), k.Create("free", "text")
		lock, _, err := k.AcquireLock(ctx, k.Admin, held.ID, engine.Condition{}, engine.NewLock{})
		if err != nil {
			t.Fatal(err)
		}
		before := k.Stats().Commits
		written, synced := make(chan struct{}), make(chan struct{})
		var once sync.Once
		k.SetCommit(func(commit, _ func() error) error {
			err := commit()
			once.Do(func() { close(written); <-synced })
			return err
		})
		var wg sync.WaitGroup
		acquire := func(id string) error {
			_, _, err := k.AcquireLock(ctx, k.Admin, id, engine.Condition{}, engine.NewLock{})
			return err
		}
		wg.Go(func() {
			if err := acquire(other.ID); err != nil {
				t.Error(err)
			}
		})
		<-written
		wg.Go(func() {
			if err := acquire(free.ID); err != nil {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, _, err := k.ReleaseLock(ctx, k.Admin, held.ID, engine.Condition{LockToken: lock.Token}, true); err != nil {
				t.Error(err)
			}
		})
		refused := make(chan error, 1)
		wg.Go(func() { refused <- acquire(other.ID) })
		synctest.Wait()
		if len(refused) > 0 {
			t.Error("refused for a lock that is not on disk")
		}
		close(synced)
		wg.Wait()
		if err := <-refused; !errors.Is(err, engine.ErrLocked) {
			t.Error(err)
		}
		if n := k.Stats().Commits - before; n != 2 {
			t.Errorf("%d commits, want the one that was under way and one for both", n)
		}
		k.SetCommit(func(commit, _ func() error) error { return commit() })
	})
}
