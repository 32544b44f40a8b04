package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Whatever the periods, the starts, the zone and the dates, a plan has exactly the
// documents that are due if each is asked by itself.
func TestPlanHasWhatIsDueOneByOne(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { planHasWhatIsDue(t, enginetest.New(t), rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func planHasWhatIsDue(t *testing.T, k *enginetest.Kit, r *rand.Rand) {
	ctx := t.Context()
	k.Define(engine.DateField, "closed")
	zone := []string{"UTC", "Europe/Berlin", "Pacific/Kiritimati", "America/St_Johns"}[r.IntN(4)]
	conflict := []engine.Conflict{engine.ConflictLongest, engine.ConflictShortest}[r.IntN(2)]
	_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone, RetentionConflict: &conflict})
	must(t, err)
	var docs []engine.Document
	for n := range 60 {
		date := time.Now().AddDate(0, 0, -r.IntN(800))
		if r.IntN(3) == 0 { // the end of a month
			date = time.Date(date.Year(), date.Month(), 0, 12, 0, 0, 0, time.UTC)
		}
		d := engine.NewDocument{Name: fmt.Sprint(n), Category: []string{"invoice", "contract"}[r.IntN(2)]}
		if r.IntN(8) > 0 {
			d.CustomFields = map[string]any{"closed": date.Format(time.DateOnly)}
		}
		docs = append(docs, k.CreateFrom(d, "text"))
		time.Sleep(time.Duration(r.Int64N(int64(48 * time.Hour))).Truncate(time.Millisecond))
	}
	for range 7 {
		n := engine.NewPolicy{
			Scope: engine.ScopeOrganization, Action: []engine.Action{engine.ActionArchive, engine.ActionDelete}[r.IntN(2)],
			Period:    []engine.Period{"P1M", "P30D", "P31D", "P1Y", "P365D", "P2M", "P12W", "P0D"}[r.IntN(8)],
			StartFrom: []engine.Start{engine.StartCreated, engine.StartField("closed"), engine.StartField("closed")}[r.IntN(3)],
			StartAt:   []engine.StartAt{engine.StartAtDay, engine.StartAtDay, engine.StartAtEndOfMonth, engine.StartAtEndOfYear}[r.IntN(4)],
		}
		if r.IntN(3) > 0 {
			n.Scope, n.Target = engine.ScopeCategory, "invoice"
		}
		policy(k, n)
	}
	for range 40 {
		time.Sleep(time.Duration(r.Int64N(int64(9 * 24 * time.Hour))).Truncate(time.Millisecond))
		_, all := preview(k, engine.PreviewQuery{})
		var planned, asked []string
		for _, o := range all {
			planned = append(planned, o.DocumentID+" "+string(o.Would)+" "+o.PolicyID)
		}
		for _, d := range docs {
			x, err := k.Disposition(ctx, k.Admin, d.ID)
			must(t, err)
			is := func(f engine.Fate) bool { return !f.EligibleAt.IsZero() && !f.EligibleAt.After(time.Now()) }
			if is(x.Delete) {
				asked = append(asked, d.ID+" delete "+x.Delete.PolicyID)
			} else if is(x.Archive) {
				asked = append(asked, d.ID+" archive "+x.Archive.PolicyID)
			}
		}
		slices.Sort(planned)
		slices.Sort(asked)
		if !slices.Equal(planned, asked) {
			t.Fatalf("at %v in %s:\nplanned %v\nasked   %v", time.Now(), zone, planned, asked)
		}
	}
}

// A period is taken as such or in days, and only ever once.
func TestPeriodsOfPolicies(t *testing.T) {
	k := enginetest.New(t)
	ctx := t.Context()
	n := engine.NewPolicy{Name: "n", Scope: engine.ScopeOrganization, Action: engine.ActionArchive}
	for _, c := range []struct {
		period engine.Period
		days   uint64
		want   engine.Period // "": it is refused
	}{
		{"P10Y", 0, "P10Y"}, {"", 30, "P30D"}, {"", 0, "P0D"}, {"P30D", 30, "P30D"}, {"P2W", 14, "P2W"}, {"P1Y6M", 0, "P1Y6M"}, {"P07D", 0, "P7D"},
		{"P1M", 30, ""}, {"P1M1D", 0, ""}, {"ten years", 0, ""}, {"P201Y", 0, ""}, {"", 73_001, ""}, {"PT1H", 0, ""},
	} {
		n.Period, n.PeriodDays = c.period, c.days
		p, _, err := k.CreatePolicy(ctx, k.Admin, n)
		if c.want == "" {
			if !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("%q and %d days: %+v, %v", c.period, c.days, p, err)
			}
		} else if err != nil || p.Period != c.want || p.StartAt != engine.StartAtDay {
			t.Errorf("%q and %d days: %+v, %v", c.period, c.days, p, err)
		}
	}
	n.Period, n.PeriodDays, n.StartAt = "P1Y", 0, "noon"
	if _, _, err := k.CreatePolicy(ctx, k.Admin, n); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("it starts at noon: %v", err)
	}
}

// The longer period that a policy of compliance may have is one that is shorter
// for no document.
func TestComplianceIsProlongedForEveryStart(t *testing.T) {
	k := enginetest.New(t)
	p := comply(k, policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeOrganization, Period: "P1M", Action: engine.ActionArchive}))
	end := engine.StartAtEndOfYear
	for _, c := range []struct {
		patch engine.PolicyPatch
		ok    bool
	}{
		{engine.PolicyPatch{Period: new(engine.Period("P30D"))}, false},
		{engine.PolicyPatch{StartAt: &end}, false},
		{engine.PolicyPatch{Period: new(engine.Period("P31D"))}, true},
		{engine.PolicyPatch{Period: new(engine.Period("P1M"))}, false},
		{engine.PolicyPatch{Period: new(engine.Period("P365D"))}, true},
		{engine.PolicyPatch{Period: new(engine.Period("P1Y"))}, true},
		{engine.PolicyPatch{Period: new(engine.Period("P365D"))}, false},
		{engine.PolicyPatch{Period: new(engine.Period("P12M"))}, true},
		{engine.PolicyPatch{Period: new(engine.Period("P366D"))}, true},
	} {
		_, _, err := k.UpdatePolicy(t.Context(), k.Admin, p.ID, engine.Condition{}, c.patch)
		if c.ok && err != nil || !c.ok && !errors.Is(err, engine.ErrPolicyLocked) {
			t.Errorf("%+v: %v", c.patch, err)
		}
	}
}

// Another time zone frees nothing that compliance protects: what a document's
// year ends with there may be a year sooner.
func TestTimeZoneFreesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		set := func(zone string) {
			t.Helper()
			_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone})
			must(t, err)
		}
		set("Europe/Berlin")
		end := engine.StartAtEndOfYear
		comply(k, policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeOrganization, Period: "P1Y", Action: engine.ActionArchive, StartAt: end}))
		newYear := time.Date(time.Now().Year(), time.December, 31, 23, 30, 0, 0, time.UTC)
		time.Sleep(time.Until(newYear)) // it is the next year in Berlin
		d := k.Create("d", "text")
		was, err := k.Disposition(ctx, k.Admin, d.ID)
		must(t, err)
		for _, zone := range []string{"UTC", "America/New_York", "Europe/Berlin", "Pacific/Kiritimati", "UTC"} {
			set(zone)
			if is, err := k.Disposition(ctx, k.Admin, d.ID); err != nil || is.ProtectedUntil.Before(was.ProtectedUntil) {
				t.Errorf("in %s until %v, was %v, %v", zone, is.ProtectedUntil, was.ProtectedUntil, err)
			}
		}
		if !was.ProtectedUntil.Equal(time.Date(newYear.Year()+2, 12, 31, 22, 59, 59, 999_000_000, time.UTC)) {
			t.Errorf("in Berlin until %v", was.ProtectedUntil)
		}
		k.Check()
		k.Reopen()
		if is, err := k.Disposition(ctx, k.Admin, d.ID); err != nil || is.ProtectedUntil.Before(was.ProtectedUntil) {
			t.Errorf("after opening it anew until %v, %v", is.ProtectedUntil, err)
		}
		for _, zone := range manyZones {
			if _, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone}); err != nil {
				break
			}
		}
		if !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("twenty zones: %v", err)
		}
	})
}

var manyZones = []string{
	"Asia/Tokyo", "Asia/Seoul", "Asia/Kolkata", "Asia/Dubai", "Asia/Tehran", "Asia/Kabul", "Europe/Paris", "Europe/Rome", "Europe/Madrid",
	"Europe/London", "Europe/Oslo", "Africa/Cairo", "Africa/Lagos", "America/Denver", "America/Chicago", "America/Lima", "America/Bogota",
}
