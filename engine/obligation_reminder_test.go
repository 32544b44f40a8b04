package engine_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// reminded tells each reminder in the log after seq: when, which and how many
// days before.
func reminded(k *enginetest.Kit, after uint64) (list []string) {
	k.TB.Helper()
	page, err := k.Entries(k.TB.Context(), engine.EntryQuery{After: after, Limit: 500})
	must(k.TB, err)
	for _, e := range page.Items {
		days, _ := e.Facts["days"].AsNumber()
		switch e.Op {
		case audit.OpObligationDueSoon:
			list = append(list, fmt.Sprintf("%s %d", e.Time.Format("01-02 15:04"), days))
		case audit.OpObligationOverdue:
			list = append(list, e.Time.Format("01-02 15:04")+" overdue")
		default:
			continue
		}
		if e.Actor != "system" || e.Document == "" {
			k.TB.Errorf("%+v", e)
		}
	}
	return list
}

func sweep(k *enginetest.Kit) {
	k.TB.Helper()
	_, err := k.Sweep(k.TB.Context())
	must(k.TB, err)
}

// sweepUntil sweeps whenever Sweep says, as the host does.
func sweepUntil(k *enginetest.Kit, end time.Time) {
	k.TB.Helper()
	for {
		next, err := k.Sweep(k.TB.Context())
		must(k.TB, err)
		if !next.After(time.Now()) {
			k.TB.Fatalf("at %s Sweep asks for %s", time.Now(), next)
		}
		if next.After(end) {
			time.Sleep(time.Until(end))
			return
		}
		time.Sleep(time.Until(next))
	}
}

func hours(n int) time.Time { return time.Date(2000, 1, 1, n, 0, 0, 0, time.UTC) }

func TestReminders(t *testing.T) {
	for _, c := range []struct {
		name, zone, due string
		days            []uint64
		want            []string
	}{
		{"a date", "UTC", "2000-01-10", []uint64{7, 1}, []string{"01-03 00:00 7", "01-09 00:00 1", "01-11 00:00 overdue"}},
		{"a time", "UTC", "2000-01-10T12:30:00Z", []uint64{7, 1}, []string{"01-03 12:30 7", "01-09 12:30 1", "01-10 12:30 overdue"}},
		{"in the east", "Asia/Tokyo", "2000-01-10", []uint64{3}, []string{"01-06 15:00 3", "01-10 15:00 overdue"}},
		{"soon already", "UTC", "2000-01-03", []uint64{30, 7, 1}, []string{"01-01 00:00 7", "01-02 00:00 1", "01-04 00:00 overdue"}},
		{"late already", "UTC", "1999-12-01", []uint64{30, 7, 1}, []string{"01-01 00:00 overdue"}},
		{"none before", "UTC", "2000-01-03T00:00:30Z", nil, []string{"01-03 00:00 overdue"}},
	} {
		if testing.Short() && c.zone == "UTC" && c.name != "a date" {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				k := enginetest.New(t)
				inZone(k, c.zone, c.days...)
				oblige(k, k.Create("Lease", "x").ID, "Pay", c.due, "")
				sweepUntil(k, hours(12*24))
				if got := reminded(k, 0); !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestRemindersOverTheChangeOfClocks: the clocks of New York went forward on 2
// April 2000 and back on 29 October.
func TestRemindersOverTheChangeOfClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		inZone(k, "America/New_York", 1)
		doc := k.Create("Lease", "x").ID
		oblige(k, doc, "Date", "2000-04-02", "")
		oblige(k, doc, "Time", "2000-04-02T13:00:00Z", "") // 9:00 there; the day before that was 14:00 UTC
		time.Sleep(time.Until(time.Date(2000, 3, 31, 0, 0, 0, 0, time.UTC)))
		sweepUntil(k, time.Date(2000, 4, 4, 0, 0, 0, 0, time.UTC))
		want := []string{"04-01 05:00 1", "04-01 14:00 1", "04-02 13:00 overdue", "04-03 04:00 overdue"}
		if got := reminded(k, 0); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestRemindersAreLoggedOnce: over restarts, over what settings become, and only
// while it is not completed.
func TestRemindersAreLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		inZone(k, "UTC", 7, 1)
		o := oblige(k, k.Create("Lease", "x").ID, "Pay", "2000-01-10", "")
		seen := k.Head().Seq
		expect := func(step string, want ...string) {
			t.Helper()
			for range 2 {
				_, err := k.Sweep(ctx)
				must(t, err)
				k.Reopen()
			}
			if got := reminded(k, seen); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", step, got, want)
			}
			seen = k.Head().Seq
		}
		expect("nine days before")
		time.Sleep(time.Until(hours(3 * 24)))
		expect("six days before", "01-04 00:00 7")
		was, err := k.Obligation(ctx, o.ID)
		must(t, err)
		if was.Revision != 1 || was.UpdatedAt != o.UpdatedAt {
			t.Errorf("a reminder changed it: %+v", was)
		}
		inZone(k, "UTC", 8, 7, 5, 1)
		expect("the same, set again")
		time.Sleep(time.Until(hours(5 * 24)))
		expect("four days before", "01-06 00:00 5")
		// Another due date begins anew.
		moved := due(t, "2000-01-12")
		_, _, err = k.UpdateObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.ObligationPatch{DueDate: &moved})
		must(t, err)
		expect("moved", "01-06 00:00 7")
		_, _, err = k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{})
		must(t, err)
		time.Sleep(time.Until(hours(15 * 24)))
		expect("completed")
		_, _, err = k.ReopenObligation(ctx, k.Admin, o.ID, engine.Condition{})
		must(t, err)
		expect("reopened", "01-16 00:00 overdue")
		_, _, err = k.CompleteObligation(ctx, k.Admin, o.ID, engine.Condition{}, engine.Completion{})
		must(t, err)
		_, _, err = k.ReopenObligation(ctx, k.Admin, o.ID, engine.Condition{})
		must(t, err)
		expect("reopened again")
	})
}

// TestManyReminders are more than one transaction takes.
func TestManyReminders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		doc := k.Create("Lease", "x").ID
		for i := range 230 {
			oblige(k, doc, "Pay", []string{"2000-01-02", "1999-12-31", "2000-01-20"}[i%3], "")
		}
		_, err := k.Sweep(t.Context())
		must(t, err)
		days := map[string]int{}
		for _, r := range reminded(k, 0) {
			days[r[12:]]++
		}
		if days["1"] != 77 || days["overdue"] != 77 || days["30"] != 76 || len(days) != 3 {
			t.Errorf("%v", days)
		}
	})
}

// TestRemindersOfWhatIsNotThere: a row that a damaged vault has too many does not
// keep Sweep busy for ever, nor stop it.
func TestRemindersOfWhatIsNotThere(t *testing.T) {
	for name, row := range map[string]string{
		"of no obligation": "r\xff\xff" + strings.Repeat("\x00", 8) + "t" + strings.Repeat("\x01", 16),
		"short":            "r\xff\xff\x00",
	} {
		t.Run(name, func(t *testing.T) {
			dir := newVault(t)
			spoil(t, dir, put("dues", []byte(row), nil))
			v := open(t, dir)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if _, err := v.Sweep(ctx); errors.Is(err, context.DeadlineExceeded) {
				t.Error("it goes on and on")
			}
		})
	}
}

// TestRemindersOverClockSteps: what was logged when the clock stood ahead is not
// logged again when it has been set back, nor does anything that is due stay
// out because of it.
func TestRemindersOverClockSteps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	var admin engine.Actor
	var doc string
	// Each bubble's clock begins on 1 January 2000: for the second, the one of
	// the first was a month ahead.
	synctest.Test(t, func(t *testing.T) {
		v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
		must(t, err)
		k := &enginetest.Kit{Vault: v, TB: t, Dir: dir}
		admin, _ = k.Person("Ada Admin", engine.AccessAdmin)
		k.Admin = admin
		inZone(k, "UTC", 7, 1)
		doc = k.Create("Lease", "x").ID
		oblige(k, doc, "Pay", "2000-01-10", "")
		oblige(k, doc, "Pay again", "2000-02-03", "")
		sweepUntil(k, hours(30*24))
		want := []string{"01-03 00:00 7", "01-09 00:00 1", "01-11 00:00 overdue", "01-27 00:00 7"}
		if got := reminded(k, 0); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		_, _, err = k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: "Late", Email: "late@example.com", Access: engine.AccessView})
		must(t, err) // an entry of 31 January
		must(t, v.Close())
	})
	synctest.Test(t, func(t *testing.T) {
		v, err := engine.Open(dir, engine.Options{Name: "main", ReserveBytes: -1})
		must(t, err)
		defer v.Close()
		k := &enginetest.Kit{Vault: v, TB: t, Dir: dir, Admin: admin}
		_, err = v.AcceptClock(t.Context(), engine.Operator())
		must(t, err)
		seen := k.Head()
		for range 10 * 24 {
			_, err := k.Sweep(t.Context())
			must(t, err)
			time.Sleep(time.Hour)
		}
		// Ten days on from 31 January, as time passed.
		want := []string{"02-02 00:00 1", "02-04 00:00 overdue"}
		if got := reminded(k, seen.Seq); !slices.Equal(got, want) {
			t.Errorf("after %s: got %q, want %q", seen.Time, got, want)
		}
		k.Check()
	})
}

// TestNoRemindersOfWhatIsGone: not of an obligation that was deleted, nor of
// those of a document that was.
func TestNoRemindersOfWhatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		inZone(k, "UTC", 7, 1)
		doc, archived := k.Create("Lease", "x").ID, k.Create("Archived", "y").ID
		oblige(k, doc, "Pay", "2000-01-10", "monthly")
		gone := oblige(k, archived, "Gone", "2000-01-10", "")
		oblige(k, archived, "Kept", "2000-01-20", "")
		sweepUntil(k, hours(4*24))
		want := []string{"01-03 00:00 7", "01-03 00:00 7"}
		if got := reminded(k, 0); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		_, _, err := k.DeleteDocument(ctx, k.Admin, doc, engine.Condition{})
		must(t, err)
		_, _, err = k.DeleteObligation(ctx, k.Admin, gone.ID, engine.Condition{})
		must(t, err)
		_, r, err := k.ArchiveDocument(ctx, k.Admin, archived, engine.Condition{})
		must(t, err)
		sweepUntil(k, hours(30*24))
		want = []string{"01-13 00:00 7", "01-19 00:00 1", "01-21 00:00 overdue"} // an archived document's go on
		if got := reminded(k, r.Seq); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestOneFailureDoesNotStopTheRestOfASweep: a scratchpad that cannot be read is
// told of each time, and reminders are logged all the same.
func TestOneFailureDoesNotStopTheRestOfASweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
	must(t, err)
	k := &enginetest.Kit{Vault: v, TB: t, Dir: dir}
	k.Admin, _ = k.Person("Ada Admin", engine.AccessAdmin)
	doc := k.Create("Lease", "x").ID
	oblige(k, doc, "Pay", "1999-01-01", "")
	must(t, v.Close())
	spoil(t, dir, put("drafts", append(engine.KeyOf(doc), k.Admin.UserID...), []byte{9}))
	k.Vault = open(t, dir)
	if _, err := k.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), "scratchpads") {
		t.Errorf("of the scratchpad it says: %v", err)
	}
	if got := reminded(k, 0); len(got) != 1 {
		t.Errorf("reminders: %q", got)
	}
}
