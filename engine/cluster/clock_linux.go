package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is time since the machine was started, and runs on while it sleeps and
// while the process is stopped.
func bootTime(time.Time) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(err) // every Linux since 2.6.39 has it
	}
	return time.Duration(t.Nano())
}
