package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var matterOf = flag.Int("matter", 0, "how many documents TestMatter holds, exports, verifies and releases; 0 leaves it out")

// TestMatter follows testdata/matter/case.sh, a whole case with programs of others.
func TestMatter(t *testing.T) {
	if *matterOf == 0 {
		t.Skip("LEFT OUT: go test . -run TestMatter -matter 1000 goes through a whole case; half a minute")
	}
	for _, needed := range []string{"bash", "curl", "python3", "sha256sum"} {
		if _, err := exec.LookPath(needed); err != nil {
			t.Skipf("LEFT OUT: there is no %s on this machine", needed)
		}
	}
	beside, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(filepath.Join(beside, "testdata", "matter", "case.sh"), executable(t), filepath.Join(beside, "testdata", "bagit", "validate.py"))
	c.Dir = t.TempDir()
	c.Env = append(os.Environ(), fmt.Sprint("DOCUMENTS=", *matterOf))
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "the vault verifies") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("\n%s", out)
}
