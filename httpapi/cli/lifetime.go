package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// lifeValue is a flag's span of time, written as 45s, 90m, 12h or 30d.
type lifeValue time.Duration

const (
	day         = 24 * time.Hour
	longestLife = 366 * day
)

func (l *lifeValue) String() string {
	for _, unit := range []struct {
		name string
		of   time.Duration
	}{{"d", day}, {"h", time.Hour}, {"m", time.Minute}} {
		if d := time.Duration(*l); d != 0 && d%unit.of == 0 {
			return strconv.FormatInt(int64(d/unit.of), 10) + unit.name
		}
	}
	return time.Duration(*l).String()
}

func (l *lifeValue) Set(s string) error {
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * day
	}
	if err != nil || d < time.Second || d > longestLife {
		return errors.New("want a time from 1s to 366d, such as 90m, 12h or 30d")
	}
	*l = lifeValue(d)
	return nil
}
