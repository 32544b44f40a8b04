package engine_test

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/engine/cluster"
	"strongroom/engine/cluster/clustertest"
	"strongroom/engine/enginetest"
)

var modelStoreCalls = flag.Int("modelstore", 150, "how many calls TestModelInStore makes")

// burning is a server whose disk burns now and then while it is down.
type burning struct {
	*clustertest.Home
	random *rand.Rand
}

func (b burning) Close() error {
	err := b.Home.Close()
	if b.random.IntN(3) == 0 {
		err = errors.Join(err, os.RemoveAll(b.Config.Dir))
	}
	return err
}

// TestModelInStore is TestModel for a vault that lives in a store, as its bytes do: it is
// the same vault, whatever becomes of the disk that it is worked on.
func TestModelInStore(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1}, func(t *testing.T, seed uint64) {
		testModel(t, seed, *modelStoreCalls, func(t *testing.T) (*enginetest.Kit, func(bool)) {
			k, home := clustertest.New(t, cluster.Config{Objects: object.NewMemory()})
			k.Host = burning{home, rand.New(rand.NewPCG(seed, 1))}
			return k, func(bool) {
				if home.Member.Current() != nil {
					t.Error(home.Member.Current())
				}
			}
		})
	})
}
