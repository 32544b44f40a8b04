package engine_test

import (
	"errors"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// required asserts that a change wants a preview, and what it would delete.
func required(t *testing.T, what string, err error, deleted uint64) {
	t.Helper()
	e, ok := errors.AsType[*engine.PreviewRequiredError](err)
	if !ok || !errors.Is(err, engine.ErrPreviewRequired) || e.Counts.Deleted != deleted {
		t.Errorf("%s: %v", what, err)
	}
}

// A policy that makes documents due for deletion at once is made by who has
// previewed exactly that one.
func TestPolicyThatDeletesAtOnceIsPreviewed(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		for range 3 {
			k.CreateFrom(engine.NewDocument{Name: "n", Category: "invoice"}, "text")
		}
		days(40)
		n := engine.NewPolicy{Name: "All", Scope: engine.ScopeOrganization, Action: engine.ActionDelete}
		make := func(n engine.NewPolicy, digest *audit.Hash) error {
			n.PlanDigest = digest
			_, _, err := k.CreatePolicy(ctx, k.Admin, n)
			return err
		}
		seq := k.Head().Seq
		required(t, "without a digest", make(n, nil), 3)
		required(t, "with a digest of nothing", make(n, &audit.Hash{}), 3)
		plain, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{})
		must(t, err)
		required(t, "with that of things as they are", make(n, &plain.PlanDigest), 3)
		digest := digestOf(k, n)
		for what, other := range map[string]engine.NewPolicy{
			"another period":    {Scope: n.Scope, Action: n.Action, PeriodDays: 1},
			"another start":     {Scope: n.Scope, Action: n.Action, StartFrom: engine.StartUpdated},
			"another place":     {Scope: n.Scope, Action: n.Action, PeriodDays: 1, StartAt: engine.StartAtEndOfMonth},
			"another scope":     {Scope: engine.ScopeCategory, Target: "invoice", Action: n.Action},
			"another protector": {Scope: n.Scope, Action: n.Action, Protect: engine.ProtectGovernance},
		} {
			other.Name = "Other"
			if other.StartAt == engine.StartAtEndOfMonth {
				days(35) // it is over then
			}
			required(t, what, make(other, digest), 3)
		}
		if k.Head().Seq != seq {
			t.Error("a refusal has an entry")
		}
		days(1)
		k.Create("late", "text") // what falls due later is not bound, nor is the name
		n.Name, n.Period = "Everything", "P0W"
		must(t, make(n, digest))
		must(t, make(engine.NewPolicy{Name: "Later", Scope: n.Scope, Action: n.Action, Period: "P10Y"}, nil))
		must(t, make(engine.NewPolicy{Name: "Off", Scope: n.Scope, Action: n.Action, Disabled: true}, nil))
		must(t, make(engine.NewPolicy{Name: "Archive", Scope: n.Scope, Action: engine.ActionArchive}, nil))
	})
}

// So is a change of one, whatever it is by which documents are due that were not;
// and what makes none due is not in anybody's way.
func TestPolicyChangedToDeleteAtOnceIsPreviewed(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Define(engine.DateField, "closed")
		d := k.CreateFrom(engine.NewDocument{Name: "n", Category: "invoice", CustomFields: map[string]any{"closed": "1990-01-01"}}, "text")
		days(40)
		change := func(p engine.Policy, patch engine.PolicyPatch) {
			t.Helper()
			_, _, err := k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, patch)
			required(t, "changed", err, 1)
			seen, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{PolicyID: p.ID, Policy: &patch})
			must(t, err)
			digest := patch
			digest.PlanDigest = &seen.PlanDigest
			if _, _, err := k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, digest); err != nil {
				t.Errorf("%+v as previewed: %v", patch, err)
			}
			off := false // and back to where nothing is due
			_, _, err = k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{Enabled: &off})
			must(t, err)
		}
		base := engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", Period: "P1Y", Action: engine.ActionDelete}
		with := func(change func(n *engine.NewPolicy)) engine.Policy {
			n := base
			change(&n)
			return policy(k, n)
		}
		change(with(func(n *engine.NewPolicy) {}), engine.PolicyPatch{Period: new(engine.Period("P1M"))})
		change(with(func(n *engine.NewPolicy) { n.PeriodDays, n.Period, n.Disabled = 30, "", true }), engine.PolicyPatch{Enabled: new(true)})
		change(with(func(n *engine.NewPolicy) { n.Period, n.Target = "P1D", "contract" }), engine.PolicyPatch{Target: new("invoice")})
		change(with(func(n *engine.NewPolicy) { n.Period, n.Target = "P1D", "contract" }), engine.PolicyPatch{Scope: new(engine.ScopeOrganization), Target: new("")})
		change(with(func(n *engine.NewPolicy) { n.Period, n.Action = "P1D", engine.ActionArchive }), engine.PolicyPatch{Action: new(engine.ActionDelete)})
		change(with(func(n *engine.NewPolicy) {}), engine.PolicyPatch{StartFrom: new(engine.StartField("closed"))})
		change(with(func(n *engine.NewPolicy) { n.Period, n.StartAt = "P1M", engine.StartAtEndOfYear }), engine.PolicyPatch{StartAt: new(engine.StartAtDay)})

		// By one that is less specific, or shorter, and lost until now.
		all := policy(k, engine.NewPolicy{Name: "All", Scope: engine.ScopeOrganization, Period: "P2M", Action: engine.ActionDelete})
		special := policy(k, base)
		days(30)
		change(special, engine.PolicyPatch{Enabled: new(false)})
		_, _, err := k.UpdatePolicy(ctx, k.Admin, all.ID, engine.Condition{}, engine.PolicyPatch{Enabled: new(false)})
		must(t, err)
		_, _, err = k.UpdatePolicy(ctx, k.Admin, special.ID, engine.Condition{}, engine.PolicyPatch{Enabled: new(true)})
		must(t, err)
		_, _, err = k.UpdatePolicy(ctx, k.Admin, all.ID, engine.Condition{}, engine.PolicyPatch{Enabled: new(true)})
		must(t, err) // the special one wins
		_, _, err = k.DeletePolicy(ctx, k.Admin, special.ID, engine.Condition{})
		required(t, "deleted", err, 1)

		// Protection that ends is the end of what kept it.
		guard := policy(k, engine.NewPolicy{Name: "Guard", Scope: engine.ScopeOrganization, Period: "P5Y", Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		off := engine.PolicyPatch{Enabled: new(false)}
		seen, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{PolicyID: special.ID, Policy: &off})
		must(t, err)
		off.PlanDigest = &seen.PlanDigest
		if _, _, err = k.UpdatePolicy(ctx, k.Admin, special.ID, engine.Condition{}, off); err != nil || seen.Counts.Protected != 1 {
			t.Errorf("%+v, %v", seen.Counts, err)
		}
		change(guard, engine.PolicyPatch{Protect: new(engine.ProtectNone)})
		if _, err := k.Document(ctx, d.ID); err != nil {
			t.Error(err)
		}
		_, _, err = k.UpdatePolicy(ctx, k.Admin, all.ID, engine.Condition{}, engine.PolicyPatch{Name: new("renamed")})
		must(t, err)
		_, _, err = k.UpdatePolicy(ctx, k.Admin, all.ID, engine.Condition{}, engine.PolicyPatch{Period: new(engine.Period("P1D"))})
		must(t, err) // it is due already
	})
}

// A held document is not deleted by a policy that nobody has looked at: the
// release of its hold would be the end of it.
func TestHeldDocumentsWantAPreviewToo(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		d := k.Create("held", "text")
		_, _, err := k.PlaceHold(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "r"})
		must(t, err)
		days(2)
		_, _, err = k.CreatePolicy(t.Context(), k.Admin, engine.NewPolicy{Name: "n", Scope: engine.ScopeOrganization, PeriodDays: 1, Action: engine.ActionDelete})
		required(t, "held", err, 0)
		if e, _ := errors.AsType[*engine.PreviewRequiredError](err); e == nil || e.Counts.Held != 1 {
			t.Errorf("%v", err)
		}
	})
}

// The settings that decide when documents are due ask for a preview of them.
func TestSettingsThatDeleteAtOnceArePreviewed(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		k.Create("n", "text")
		for _, period := range []engine.Period{"P1M", "P1Y"} {
			policy(k, engine.NewPolicy{Name: string(period), Scope: engine.ScopeOrganization, Period: period, Action: engine.ActionDelete})
		}
		days(40)
		shortest := engine.ConflictShortest
		patch := engine.SettingsPatch{RetentionConflict: &shortest}
		_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, patch)
		required(t, "shortest", err, 1)
		seen, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{Settings: &patch})
		must(t, err)
		patch.PlanDigest = &seen.PlanDigest
		if _, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, patch); err != nil || seen.Counts.Deleted != 1 {
			t.Errorf("%+v, %v", seen.Counts, err)
		}
		zone := "Asia/Tokyo"
		_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{TimeZone: &zone})
		must(t, err)
		time.Sleep(time.Hour)
	})
}
