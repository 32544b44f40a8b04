//go:build !windows

package main

import (
	"strconv"
	"syscall"
	"testing"
)

// TestStoppedServer holds that a server that is there and says nothing is named
// instead of waited for.
func TestStoppedServer(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	if err := syscall.Kill(s.pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(s.pid, syscall.SIGCONT)
	run(t, "user", "list", "--data", data).expect(t, 1, "process "+strconv.Itoa(s.pid), "control socket")
}
