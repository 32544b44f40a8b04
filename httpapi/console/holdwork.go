package console

import (
	"context"
	"net/url"
	"strings"

	"strongroom/engine"
)

// Placing and releasing many holds goes on when the request has ended, as every change
// of many documents does. What would become of each was shown before: so these begin at
// once.

func placeHolds(v *visit) (answer, error) {
	ids, matter, reason := strings.Fields(v.form("ids")), v.form("matter"), v.form("reason")
	one := &job{Action: "place", ids: ids, Fields: map[string]string{"matter": matter, "reason": reason},
		Words: "The documents are placed on legal hold for " + matter + ": nobody can archive or delete them."}
	is, err := v.holdWork(one, "held", func(ctx context.Context, some []string, dryRun bool) ([]engine.HoldOutcome, error) {
		return v.vault.PlaceHolds(ctx, one.actor, some, engine.NewHold{Reason: reason, Matter: matter}, dryRun)
	})
	if err != nil || !is.flawless() {
		return answer{to: v.Path("jobs", one.ID)}, err
	}
	return see(holdsFor(v, matter), "%s on legal hold now for %s. Nobody can archive or delete what is held.", counted(is.Changed, "document"), matter), nil
}

func releaseHolds(v *visit) (answer, error) {
	ids, matter, reason := strings.Fields(v.form("ids")), v.form("matter"), v.form("reason")
	if err := v.vault.ReleasingNeedsTwo(v.actor, ids, reason); err != nil { // one request for all of them
		return answer{}, err
	}
	one := &job{Action: "release", ids: ids, Fields: map[string]string{"matter": matter, "reason": reason},
		Words: "The holds are released. A release deletes nothing; the next run of retention may, where something is due."}
	is, err := v.holdWork(one, "released", func(ctx context.Context, some []string, dryRun bool) ([]engine.HoldOutcome, error) {
		return v.vault.ReleaseHolds(ctx, one.actor, some, reason, dryRun)
	})
	if err != nil || !is.flawless() {
		return answer{to: v.Path("jobs", one.ID)}, err
	}
	return see(v.Path("holds"), "%s released. Nothing has been archived or deleted by that; the next run of retention may, where something is due.", counted(is.Changed, "hold")), nil
}

func holdsFor(v *visit, matter string) string {
	if matter == "" {
		return v.Path("holds")
	}
	return v.Path("holds") + "?" + url.Values{"matter": {matter}}.Encode()
}

// flawless says that a job is done and everything in it was.
func (one job) flawless() bool { return one.State == jobDone && one.Failed == 0 }

// holdWork begins a change of many holds, waits a moment for it, and returns how it is
// then. What is wrong with all of them is told before anything is begun.
func (v *visit) holdWork(one *job, became string, some func(ctx context.Context, ids []string, dryRun bool) ([]engine.HoldOutcome, error)) (job, error) {
	if len(one.ids) == 0 || len(one.ids) > engine.MaxErased {
		return job{}, wrongField("documents", "choose from 1 to 10,000")
	}
	one.Vault, one.UserID, one.actor, one.revisions = v.vault.Name(), v.user.ID, v.actor, make([]uint64, len(one.ids))
	if _, err := some(v.ctx(), nil, true); err != nil {
		return job{}, err
	}
	step := func(ctx context.Context, _ engine.Actor, ids []string, _ []uint64, dryRun bool) ([]bulkOutcome, error) {
		outcomes, err := some(ctx, ids, dryRun)
		out := make([]bulkOutcome, len(outcomes))
		for i, o := range outcomes {
			out[i].DocumentOutcome = engine.DocumentOutcome{DocumentID: o.DocumentID, Changed: o.Changed, Err: o.Err}
			if out[i].what = became; !o.Changed && o.Err == nil {
				out[i].what = became + " already"
			}
		}
		return out, err
	}
	all := v.console.jobs
	if !all.add(one) {
		return job{}, errBusy
	}
	all.change(one, func() { one.State = jobRunning })
	v.console.keepJobs()
	all.work(one, func(ctx context.Context) { v.console.begin(ctx, v.vault, one, step) })
	all.settled(v.ctx(), one)
	_, is, _ := all.find(one.ID, one.Vault, one.UserID)
	return is, nil
}
