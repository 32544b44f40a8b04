package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestDoctorPrintsTheUnit holds that it takes neither a vault nor a data
// directory to print the unit, and that nothing else is printed.
func TestDoctorPrintsTheUnit(t *testing.T) {
	t.Chdir(t.TempDir())
	r := run(t, "doctor", "--systemd", "--data", "nowhere")
	if r.code != 0 || r.stdout != systemdUnit || r.stderr != "" {
		t.Errorf("exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// TestSystemdUnit holds that systemd takes the unit, and that it leaves a server
// little of the machine.
func TestSystemdUnit(t *testing.T) {
	unitFile := mustRun(t, "doctor", "--systemd")
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze here to ask")
	}
	here := strings.Replace(unitFile, "/usr/local/bin/strongroom", executable(t), 1)
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
