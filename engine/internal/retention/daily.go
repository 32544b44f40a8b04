package retention

import (
	"fmt"
	"time"
)

// Daily is a time of day at which something starts, once each day: in the
// night in which the clocks skip it, and once in the night in which they show it
// twice (see OnDay). The instant at which it starts on a day is that day's slot.
type Daily struct {
	Hour, Minute int
	Zone         *time.Location
}

// ParseDaily reads a time of day, like 02:00.
func ParseDaily(s string, zone *time.Location) (Daily, error) {
	d := Daily{Zone: zone}
	_, err := fmt.Sscanf(s, "%d:%d", &d.Hour, &d.Minute)
	return d, err
}

// slot is that of the day so many after the one which the clocks show at an
// instant. The zone of at is d's.
func (d Daily) slot(at time.Time, days int) time.Time {
	return OnDay(at.Year(), at.Month(), at.Day()+days, d.Hour, d.Minute, d.Zone)
}

// Last is the last slot that is not after now.
func (d Daily) Last(now time.Time) time.Time {
	local := now.In(d.Zone)
	// The slot of a day may be after now by hours, and a day back is not 24 hours
	// back.
	for days := 1; ; days-- {
		if at := d.slot(local, days); !at.After(now) {
			return at
		}
	}
}

// Next is the first slot that is after now.
func (d Daily) Next(now time.Time) time.Time {
	local := now.In(d.Zone)
	// A day whose last hours are skipped has its slot in the day that follows.
	for days := -1; ; days++ {
		if at := d.slot(local, days); at.After(now) {
			return at
		}
	}
}
