//go:build !linux

package cluster

import "time"

// bootTime is time since start: what the wall clock or the monotonic one says,
// whichever is more, since the one is set and the other may stop in a sleep.
func bootTime(start time.Time) time.Duration {
	return max(time.Since(start), time.Now().Round(0).Sub(start.Round(0)))
}
