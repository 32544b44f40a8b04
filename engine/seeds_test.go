package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

var moreSeeds = flag.Int("random", 0, "how many more random seeds to try beside the fixed ones")

// eachSeed runs a test with seeds that are always the same, and with as many
// others as the flag asks for. If only is not 0, which is what the test's own
// flag says, it runs with that one alone. The subtest's name is the seed.
func eachSeed(t *testing.T, only uint64, fixed []uint64, fn func(t *testing.T, seed uint64)) {
	t.Helper()
	list := slices.Clone(fixed)
	for range *moreSeeds {
		list = append(list, rand.Uint64())
	}
	if only != 0 {
		list = []uint64{only}
	}
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { fn(t, seed) })
	}
}
