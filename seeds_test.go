package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "a seed for the tests that kill to try alone; 0 takes the fixed ones")
	moreSeeds = flag.Int("random", 0, "how many more random seeds to try beside the fixed ones")
)

// eachSeed runs a test with a seed that is always the same, and with as many
// others as the flag asks for. The subtest's name is the seed.
func eachSeed(t *testing.T, fn func(t *testing.T, seed uint64)) {
	list := []uint64{1}
	for range *moreSeeds {
		list = append(list, rand.Uint64())
	}
	if *oneSeed != 0 {
		list = []uint64{*oneSeed}
	}
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { fn(t, seed) })
	}
}
