package engine_test

import (
	"errors"
	"strings"
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
