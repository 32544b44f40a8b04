package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Whoever only reads cannot have the log grow by asking for the proof of the newest
// checkpoint's own entry, again and again.
func TestProofsDoNotGrowTheLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		signed(t, k.Vault)
		before, refused := k.Head().Seq, 0
		for range 5 {
			if _, err := k.ProveEntry(ctx, k.Head().Seq); errors.Is(err, engine.ErrNoCheckpoint) {
				refused++
			} else {
				must(t, err)
			}
		}
		if grown := k.Head().Seq - before; grown > 1 || refused < 4 {
			t.Errorf("%d entries, %d times refused", grown, refused)
		}
		last := k.Head().Seq
		k.Create("a", "text")
		proves(t, k.Vault, last)
		proves(t, k.Vault, k.Head().Seq)
		time.Sleep(time.Hour)
		proves(t, k.Vault, k.Head().Seq)
	})
}

// ended is a context that ends after it was asked so often.
type ended struct {
	context.Context
	asked int
}

func (c *ended) Err() error {
	if c.asked--; c.asked < 0 {
		return context.Canceled
	}
	return nil
}

// Whoever hangs up while the tree is made does not have the next begin anew.
func TestHangingUpKeepsTheTree(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for i := range 2100 { // more than a page of reading
		_, _, err := k.UpdateSettings(t.Context(), engine.Operator(), engine.Condition{}, engine.SettingsPatch{MaxVersions: new(uint64(100 + i))})
		must(t, err)
	}
	path := filepath.Join(k.Dir, "tree")
	_, err := k.LogKey(t.Context())
	must(t, err)
	if _, err := k.Checkpoint(&ended{t.Context(), 1}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		t.Errorf("nothing is kept: %v %v", info, err)
	}
	signed(t, k.Vault)
	proves(t, k.Vault, 1)
}
