package engine_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// While many write, sign and prove at a time, whatever was signed is one history, and a
// vault that is closed meanwhile ends all of it.
func TestManySignAtATime(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	var mu sync.Mutex
	given := map[int64]audit.TreeHash{}
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 10 {
				_, _, err := k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: fmt.Sprint(w, i), Access: engine.AccessView})
				c, failed := k.Checkpoint(t.Context())
				_, unproved := k.ProveEntry(t.Context(), uint64(c.Size))
				if err := errors.Join(err, failed, unproved); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if root, is := given[c.Size]; is && root != c.Root {
					t.Errorf("two roots of %d entries", c.Size)
				}
				given[c.Size] = c.Root
				mu.Unlock()
			}
		})
	}
	all.Wait()
	last := signed(t, k.Vault)
	for size, root := range given {
		proof, err := k.ProveConsistency(t.Context(), last, size)
		must(t, err)
		must(t, audit.CheckConsistency(size, root, last.Size, last.Root, proof))
	}
	for range 4 {
		all.Go(func() {
			for {
				k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: "late", Access: engine.AccessView})
				if _, err := k.Checkpoint(t.Context()); err != nil {
					if !errors.Is(err, engine.ErrUnavailable) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	must(t, k.Close())
	all.Wait()
	reopenClosed(t, k)
}
