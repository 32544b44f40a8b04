package retention

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

var (
	oneSeed   = flag.Uint64("seed", 0, "a seed to try alone; 0 takes the fixed ones")
	moreSeeds = flag.Int("random", 0, "how many more random seeds to try beside the fixed ones")
)

// eachSeed runs a test with random numbers of seeds that are always the same,
// and with as many others as the flag asks for. The subtest's name is the seed.
func eachSeed(t *testing.T, fn func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1, 2, 3, 4, 5, 6, 7, 8}
	for range *moreSeeds {
		list = append(list, rand.Uint64())
	}
	if *oneSeed != 0 {
		list = []uint64{*oneSeed}
	}
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { fn(t, rand.New(rand.NewPCG(seed, 0))) })
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// someInstant is within three years of 2026, and often at noon, as dates are.
func someInstant(r *rand.Rand) time.Time {
	at := noon.Add(time.Duration(r.IntN(6*365)-3*365) * day)
	if r.IntN(2) == 0 {
		at = at.Add(time.Duration(r.Int64N(int64(day))).Truncate(time.Millisecond))
	}
	return at
}

func someDocument(r *rand.Rand) *Document {
	d := &Document{
		ID: "document", Product: pick(r, "", "cpq"), Template: pick(r, "", "nda"), Category: "invoice",
		CreatedAt: someInstant(r), UpdatedAt: someInstant(r), VersionAt: someInstant(r), Fields: map[string]any{},
		Archived: r.IntN(3) == 0, Held: r.IntN(8) == 0, Locked: r.IntN(8) == 0,
	}
	if r.IntN(2) == 0 {
		d.Fields["closed"] = someInstant(r).Format(time.DateOnly)
	}
	if r.IntN(4) == 0 {
		d.RetainUntil = someInstant(r)
	}
	return d
}

func somePolicies(r *rand.Rand, most int) (policies []Policy) {
	for range r.IntN(most + 1) {
		policies = append(policies, somePolicy(r, len(policies)))
	}
	return policies
}

func somePeriod(r *rand.Rand) Period {
	if r.IntN(2) == 0 {
		return Period{months: pick(r, 1, 2, 6, 12, 13, 24, 1+r.IntN(72))}
	}
	return Days(pick(r, 0, 1, 28, 30, 31, 365, 366, uint64(r.IntN(2_000))))
}

// calendars are of some zones, and of what is UTC.
var calendars = func() []*Calendar {
	list := []*Calendar{nil, {Zone: time.UTC}}
	for _, name := range []string{"Europe/Berlin", "America/New_York", "Pacific/Kiritimati", "America/St_Johns", "Africa/Cairo", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			panic(err)
		}
		list = append(list, &Calendar{Zone: zone})
	}
	return append(list, &Calendar{Zone: list[3].Zone, Former: []*time.Location{list[2].Zone, time.UTC}})
}()

func somePolicy(r *rand.Rand, made int) Policy {
	return Policy{
		ID: fmt.Sprintf("%03d", made), Scope: pick(r, Scopes()...), Action: pick(r, ActionArchive, ActionDelete),
		Start: Start{
			From: pick(r, FromCreated, FromUpdated, FromVersion, FromField+"closed"),
			At:   pick(r, "", AtDay, AtDay, AtEndOfMonth, AtEndOfYear), Calendar: pick(r, calendars...),
		},
		Period:  somePeriod(r),
		Protect: pick(r, ProtectNone, ProtectGovernance, ProtectCompliance), Enabled: r.IntN(5) > 0,
	}
}

// Another policy never shortens protection, and never gives anybody a right.
func TestMorePoliciesNeverShortenProtection(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 2_000 {
			d, policies, now := someDocument(r), somePolicies(r, 5), someInstant(r)
			more := append(policies[:len(policies):len(policies)], somePolicy(r, len(policies)))
			for _, by := range []Protect{ProtectGovernance, ProtectCompliance} {
				if was := ProtectionBy(by, d, policies, now); was.LastsLonger(ProtectionBy(by, d, more, now)) {
					t.Fatalf("%s: %+v of %+v is shorter under %+v", by, was, d, more)
				}
			}
			if was := LongestProtection(d, policies, now); was.LastsLonger(LongestProtection(d, more, now)) {
				t.Fatalf("%+v of %+v is shorter under %+v", was, d, more)
			}
			for _, right := range []Right{RightManual, RightBypass, RightPolicy, RightErasure} {
				if ObstacleTo(right, d, policies, now) != nil && ObstacleTo(right, d, more, now) == nil {
					t.Fatalf("%s of %+v is allowed by %+v", right, d, more)
				}
			}
		}
	})
}

// Whatever changes of a document and its policies, with what is stamped then its
// compliance never ends earlier than it did.
func TestNoChangeShortensCompliance(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 2_000 {
			now, old, changed := someInstant(r), someDocument(r), someDocument(r)
			changed.RetainUntil = old.RetainUntil
			policies, others := somePolicies(r, 5), somePolicies(r, 5)
			was := ComplianceOf(old, policies, now)
			if stamp := was.Stamp(ComplianceOf(changed, others, now)); !stamp.IsZero() {
				if stamp.Before(old.RetainUntil) && old.RetainUntil.After(now) {
					t.Fatalf("the stamp falls from %v to %v", old.RetainUntil, stamp)
				}
				changed.RetainUntil = stamp
			}
			if is := ComplianceOf(changed, others, now); is.Until.Before(was.Until) {
				t.Fatalf("%+v under %+v until %v, then %+v under %+v until %v", old, policies, was.Until, changed, others, is.Until)
			}
		}
	})
}

// Whatever somebody without admin access changes, with what is stamped then
// compliance never ends earlier than it did, nor does it if an admin confirms the
// date afterwards: that ends only what was counted from the creation.
func TestUnconfirmedDatesShortenNothing(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 4_000 {
			now, old, changed := someInstant(r), someDocument(r), someDocument(r)
			if r.IntN(2) == 0 {
				old.Confirmed = []string{"closed"}
			}
			if changed.CreatedAt = old.CreatedAt; changed.Fields["closed"] == old.Fields["closed"] {
				changed.Confirmed = old.Confirmed
			}
			changed.RetainUntil = old.RetainUntil
			stamped := func(was, is *Document, policies, after []Policy) {
				if stamp := StampOf(was, is, policies, after, now); !stamp.IsZero() {
					if stamp.Before(was.RetainUntil) {
						t.Fatalf("the stamp falls from %v to %v", was.RetainUntil, stamp)
					}
					is.RetainUntil = stamp
				}
			}
			policies, others := somePolicies(r, 4), somePolicies(r, 4)
			was, given := ComplianceOf(old, policies, now), ComplianceOf(old.vouched(maps.Keys(old.Fields)), policies, now)
			stamped(old, changed, policies, others)
			if is := ComplianceOf(changed, others, now); is.Until.Before(was.Until) {
				t.Fatalf("%+v until %v, then %+v until %v", old, was.Until, changed, is.Until)
			}
			admin := changed.vouched(maps.Keys(changed.Fields))
			stamped(changed, admin, others, others)
			if is := ComplianceOf(admin, others, now); is.Until.Before(given.Until) {
				t.Fatalf("%+v until %v by its dates, then confirmed %+v until %v", old, given.Until, admin, is.Until)
			}
			if again := ComplianceOf(admin, others, now); len(again.Undated) == 0 && r.IntN(4) == 0 {
				stamped(admin, admin, others, others)
				if is := ComplianceOf(admin, others, now); !is.Until.Equal(again.Until) {
					t.Fatalf("nothing changes, and it is kept until %v and not %v", is.Until, again.Until)
				}
			}
		}
	})
}

// What a run deletes has run out: its winner's period is over by the plan's
// instant, and every protection by the instant at which it is done.
func TestWhatIsDueIsNotProtected(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		deleted := 0
		for range 2_000 {
			d, policies, at := someDocument(r), somePolicies(r, 5), someInstant(r)
			now, shortest := at.Add(time.Duration(r.IntN(3))*time.Hour), r.IntN(2) == 0
			v, due := Judge(d, ActionDelete, policies, shortest, at, now)
			if !due || v.Because != Due {
				continue
			}
			deleted++
			winner := Choose(d, policies, ActionDelete, shortest)
			if over := winner.Over(d); v.PolicyID != winner.ID || over.IsZero() || over.After(at) {
				t.Fatalf("%+v: %+v is over %v, after %v", v, winner, over, at)
			}
			for _, p := range policies {
				if over := p.Keeps(d); p.Enabled && p.Protect != ProtectNone && (over.IsZero() || over.After(now)) {
					t.Fatalf("%+v is deleted at %v although %+v protects it until %v", d, now, p, over)
				}
			}
			if d.Held || d.Locked || d.RetainUntil.After(now) {
				t.Fatalf("%+v is deleted at %v", d, now)
			}
			if _, too := Judge(d, ActionArchive, policies, shortest, at, now); too {
				t.Fatalf("%+v is deleted and archived", d)
			}
		}
		if deleted < 50 {
			t.Errorf("only %d were deleted: the test looks in the wrong place", deleted)
		}
	})
}

// LatestFact is a bound: an index by facts is cut there, and nothing that is due
// lies beyond. It is a near one: four days before it, or a month before where
// months are cut short or moved to their end, all is due.
func TestLatestFactBoundsWhatIsDue(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 3_000 {
			p, at := somePolicy(r, 0), someInstant(r)
			last := p.LatestFact(at)
			slack := map[StartAt]int{AtEndOfMonth: 33, AtEndOfYear: 368}[p.Start.At] + 4
			for range 12 {
				fact := last.Add(time.Duration(r.Int64N(int64(8*day))) - 4*day).Truncate(time.Millisecond)
				if r.IntN(3) == 0 {
					fact = someInstant(r)
				}
				d := &Document{CreatedAt: fact, UpdatedAt: fact, VersionAt: fact, Fields: map[string]any{"closed": fact.Format(time.DateOnly)}}
				fact = d.Fact(p.Start.From)
				due := !p.Over(d).After(at)
				if due && fact.After(last) {
					t.Fatalf("%+v at %v: a fact of %v is due; the latest is %v", p, at, fact, last)
				}
				if !due && fact.Before(last.AddDate(0, 0, -slack)) {
					t.Fatalf("%+v at %v: a fact of %v is not due; the latest is %v", p, at, fact, last)
				}
			}
		}
	})
}

// Whatever the document, the policy that wins is among the contenders; and what
// always loses does not contend.
func TestContendersHoldTheWinner(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 2_000 {
			d, policies := someDocument(r), somePolicies(r, 6)
			action, shortest := pick(r, ActionArchive, ActionDelete), r.IntN(2) == 0
			winner := Choose(d, policies, action, shortest)
			found := Contenders(policies, action, shortest)
			if (winner == nil) != (len(found) == 0) {
				t.Fatalf("%+v of %+v wins, and %+v contend", winner, policies, found)
			}
			if winner != nil && !slices.ContainsFunc(found, func(p Policy) bool { return p.ID == winner.ID }) {
				t.Fatalf("%+v of %+v wins, and only %+v contend", winner, policies, found)
			}
		}
	})
	years := func(id string, n int) Policy {
		return Policy{ID: id, Action: ActionDelete, Period: Period{months: 12 * n}, Enabled: true}
	}
	if found := Contenders([]Policy{years("1", 1), years("2", 10)}, ActionDelete, false); len(found) != 1 || found[0].ID != "2" {
		t.Errorf("%+v", found)
	}
}

// The end of a period is what counting on the calendar by hand says.
func TestOverIsCountedOnTheCalendar(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 3_000 {
			p, d := somePolicy(r, 0), someDocument(r)
			fact := d.Fact(p.Start.From)
			if fact.IsZero() {
				continue
			}
			zone, in := p.Start.Calendar.zone(), p.Start.Calendar.zone()
			if p.Start.From == FromField+"closed" {
				in = time.UTC
			}
			want := byHand(fact.In(in), p.Start.At, p.Period)
			over := p.Over(d)
			if p.Start.moves() {
				in = zone
			}
			if got := over.In(in).Format(time.DateOnly); got != want {
				t.Fatalf("%+v of %v ends on %s, not %s", p, fact, got, want)
			}
			if clock := over.In(in).Format("15:04"); p.Start.moves() && clock != "23:59" && zone.String() != "Africa/Cairo" {
				t.Fatalf("%+v of %v ends at %s", p, fact, clock)
			}
		}
	})
}

// byHand moves the date of a fact day by day.
func byHand(fact time.Time, at StartAt, p Period) string {
	year, month, dayOf := fact.Date()
	date := time.Date(year, month, dayOf, 0, 0, 0, 0, time.UTC)
	next := func() time.Time { return date.AddDate(0, 0, 1) }
	for at == AtEndOfMonth && next().Month() == date.Month() || at == AtEndOfYear && next().Year() == date.Year() {
		date = next()
	}
	wanted := date.Day()
	for range p.months {
		month := date.Month()
		for date.Month() == month { // to the first of the next
			date = next()
		}
	}
	for p.months > 0 && date.Day() < wanted && next().Month() == date.Month() {
		date = next()
	}
	for range p.days {
		date = next()
	}
	return date.Format(time.DateOnly)
}

// Another period is never shorter, or it is for some start.
func TestNeverShorter(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 5 {
			a, b := somePeriod(r), somePeriod(r)
			if r.IntN(2) == 0 && b.months > 0 {
				least, most := b.bounds()
				a = Period{days: pick(r, least-1, least, most-1, most, most+1)}
			}
			if r.IntN(2) == 0 {
				a, b = b, a
			}
			shorter := false
			for date := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC); date.Year() < 2400 && !shorter; date = date.AddDate(0, 0, 1) {
				shorter = a.endDate(date).Before(b.endDate(date))
			}
			if a.NeverShorter(b) == shorter {
				t.Fatalf("%+v never shorter than %+v: %v", a, b, a.NeverShorter(b))
			}
			least, most := a.bounds()
			if wide, wider := a.about(); wide > least || wider < most {
				t.Fatalf("%+v has %d to %d days, about %d to %d", a, least, most, wide, wider)
			}
		}
	})
}

// The rules sorted once say of each document what all policies together say.
func TestRulesAreThePoliciesOfEachDocument(t *testing.T) {
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for range 500 {
			var policies []Policy
			for _, p := range somePolicies(r, 30) {
				switch p.Scope {
				case ScopeProduct:
					p.Target = pick(r, "cpq", "clm")
				case ScopeTemplate:
					p.Target = pick(r, "nda", "lease")
				case ScopeCategory:
					p.Target = pick(r, "invoice", "contract")
				case ScopeDocument:
					p.Target = pick(r, "document", "another")
				}
				policies = append(policies, p)
			}
			d, rules := someDocument(r), NewRules(policies, false)
			want := map[string]bool{}
			for _, p := range policies {
				if target, ok := d.Target(p.Scope); p.Enabled && ok && target == p.Target {
					want[p.ID] = true
				}
			}
			got := rules.For(d)
			for _, p := range got {
				if !want[p.ID] || p.Scope == ScopeDocument && !rules.IsAlone(d.ID) {
					t.Fatalf("%+v is not for %+v", p, d)
				}
			}
			if len(got) != len(want) {
				t.Fatalf("%d of %d", len(got), len(want))
			}
			group := *d
			if group.ID = ""; !rules.IsAlone(d.ID) && len(rules.For(&group)) != len(got) {
				t.Fatalf("for its group: %v, for %+v: %v", rules.For(&group), d, got)
			}
		}
	})
}

// The next slot is after now and within 25 hours, no slot lies between the last
// and the next, and both are the same however often they are asked for.
func TestNextSlot(t *testing.T) {
	zones := []string{
		"UTC", "Europe/Berlin", "America/New_York", "America/Nuuk", "America/Scoresbysund", "America/Havana", "Atlantic/Azores",
		"Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo", "Africa/Casablanca", "Pacific/Apia", "Pacific/Auckland", "Pacific/Chatham", "Asia/Kolkata",
	}
	eachSeed(t, func(t *testing.T, r *rand.Rand) {
		for _, name := range zones {
			zone := loadZone(t, name)
			for range 60 {
				daily := Daily{r.IntN(24), pick(r, 0, 15, 30, 59), zone}
				now := time.Date(2005+r.IntN(40), 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(r.Int64N(int64(365 * day)))).Truncate(time.Second)
				if _, change := now.In(zone).ZoneBounds(); !change.IsZero() && r.IntN(2) == 0 {
					now = change.Add(time.Duration(r.IntN(49)-24) * time.Hour) // near a change of the clocks
				}
				last, next := daily.Last(now), daily.Next(now)
				if last.After(now) || !next.After(now) || next.Sub(now) > 25*time.Hour {
					t.Errorf("%02d:%02d in %s at %v: last %v, next %v", daily.Hour, daily.Minute, name, now, last, next)
				}
				if !daily.Last(next).Equal(next) || !daily.Last(next.Add(-time.Second)).Equal(last) || !daily.Next(last).Equal(next) {
					t.Errorf("%02d:%02d in %s at %v: last %v, next %v, and asked then: %v", daily.Hour, daily.Minute, name, now, last, next, daily.Last(next.Add(-time.Second)))
				}
			}
		}
	})
}
