//go:build unix && !linux

package worker

import (
	"os"
	"syscall"
)

// ownGroup: a signal to the host's group, as from a terminal, is not the child's.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

func killGroup(p *os.Process) { syscall.Kill(-p.Pid, syscall.SIGKILL) }
