package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestSystemdUnit holds that systemd takes the unit, and that it leaves a server
// little of the machine.
func TestSystemdUnit(t *testing.T) {
	var stdout bytes.Buffer
	if err := (&program{stdout: &stdout}).printSystemdUnit(); err != nil {
		t.Fatal(err)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here to ask")
	}
	here := strings.Replace(stdout.String(), "/usr/local/bin/strongroom", executable(t), 1)
	unit := writeFile(t, filepath.Join(t.TempDir(), "strongroom.service"), here)
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// Tenths of systemd's measure of exposure, from 0 to 100.
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=20", unit).CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		t.Skip("systemd is too old to judge a file")
	}
	if err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
