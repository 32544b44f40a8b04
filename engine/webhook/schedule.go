package webhook

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

const (
	// patience is how long an endpoint has to answer.
	patience = 15 * time.Second
	// giveUp is how long an endpoint may answer nothing but failure.
	giveUp = 5 * 24 * time.Hour
	// longestWait bounds what Retry-After may ask for, and what a clock that was
	// set back can make of a time to wait for. It is the schedule's last step.
	longestWait = 24 * time.Hour
)

// delays is the schedule: how long after the nth failure of an entry it is tried
// again. After the last the waiting stays what it is.
var delays = []time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, longestWait,
}

// delay is how long to wait after so many failures, and what the endpoint asked
// for: Retry-After stands in the schedule's place, but not for less than its
// first step.
func delay(failures uint64, asked time.Duration) time.Duration {
	if asked > 0 {
		return min(max(asked, delays[0]), longestWait)
	}
	return delays[min(max(failures, 1), uint64(len(delays)))-1]
}

// retryAfter reads the header (RFC 9110, 10.2.3): seconds or a date; 0 if there
// is none that can be read.
func retryAfter(h http.Header, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if n, err := strconv.ParseUint(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) { // then n is the greatest there is
		return max(time.Duration(n)*time.Second, time.Nanosecond)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(at.Sub(now), time.Nanosecond)
	}
	return 0
}
