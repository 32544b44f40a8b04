package main

import (
	"flag"
	"os/exec"
	"testing"
)

var interop = flag.Bool("interop", false, "have programs of others read our checkpoints, proofs and tiles, and be witnessed by us; fetches them")

// TestInterop runs the tests in testdata/interop, a module of its own.
func TestInterop(t *testing.T) {
	if !*interop {
		t.Skip("whether Tessera, torchwood and transparency-dev's merkle agree with us is not tried: they have to be fetched; -interop does")
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "./...")
	cmd.Dir = "testdata/interop"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
