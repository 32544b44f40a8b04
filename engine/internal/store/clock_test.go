package store

import (
	"testing"
	"testing/synctest"
	"time"
)

// The wall clock of a bubble cannot be set back. A last entry that lies ahead
// of it is the same: what the clock shows is then what it was set back to.
func TestTimeNeitherRunsBackNorStandsStill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		ahead := time.Now().Add(time.Hour).UTC()
		c.start(ahead)
		if got := c.Now(); !got.Equal(ahead) {
			t.Errorf("it is %v, the last entry is of %v", got, ahead)
		}
		for i := range 10 {
			time.Sleep(time.Minute)
			want := ahead.Add(time.Duration(i+1) * time.Minute)
			if got := c.Now(); !got.Equal(want) {
				t.Errorf("it is %v, want %v", got, want)
			}
		}
		// Entries meanwhile change nothing about it.
		now := c.Now()
		c.moved(now)
		time.Sleep(time.Millisecond)
		if got := c.Now(); !got.Equal(now.Add(time.Millisecond)) {
			t.Errorf("it is %v after an entry of %v and a millisecond", got, now)
		}
		// Once the wall clock has caught up, it leads.
		c.start(time.Now().Add(-time.Hour))
		if got, wall := c.Now(), time.Now().UTC().Truncate(time.Millisecond); !got.Equal(wall) {
			t.Errorf("it is %v, the clock on the wall shows %v", got, wall)
		}
	})
}

func TestAnInstantIsAWholeMillisecondInUTC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Clock
		c.start(time.Time{})
		for range 5 {
			time.Sleep(333 * time.Microsecond)
			if now := c.Now(); now.Nanosecond()%int(time.Millisecond) != 0 || now.Location() != time.UTC || now.After(time.Now()) {
				t.Errorf("it is %v", now)
			}
		}
	})
}

func TestIDsOfOneVaultRise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Store{entropy: newEntropy()}
		s.Clock.start(time.Time{})
		var last ID
		for n := range 2_000 {
			if n%500 == 499 {
				time.Sleep(time.Millisecond)
			}
			next, err := (&Tx{s: s, now: s.Clock.Now()}).NewID()
			if err != nil {
				t.Fatal(err)
			}
			if next.String() <= last.String() {
				t.Fatalf("%s after %s", next, last)
			}
			last = next
		}
	})
}
