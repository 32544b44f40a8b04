package worker

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// ownGroup: a signal to the host's group, as from a terminal, is not the child's.
// And the child does not outlive a host that was killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }

// resident is how much memory a process has, in bytes; 0 if that cannot be told.
func resident(pid int) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// capMemory has the system refuse this process more memory than so much of its own,
// twice as much as it may have in use: Go's heap is less full than it is large. And
// when the machine runs out of memory, this process is the one to go. A service may
// be forbidden either, and then the host's watch is what is left.
func capMemory(bytes int64) {
	syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: 2 * uint64(bytes), Max: 2 * uint64(bytes)})
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)
}
