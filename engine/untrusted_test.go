package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// A run destroys nothing on a clock it cannot trust; it is recorded as refused,
// and an admin who says why goes on.
func TestRunIsRefusedOnAnUntrustedClock(t *testing.T) {
	for _, c := range []struct {
		why    engine.Doubt
		doubt  func(k *enginetest.Kit)
		passes bool // by itself, when the clock is right again
	}{
		{engine.DoubtSilence, func(k *enginetest.Kit) { days(31) }, false},
		{engine.DoubtSilence, func(k *enginetest.Kit) {
			must(k.TB, k.Close())
			days(31)
			v, err := engine.Open(k.Dir, k.Options)
			must(k.TB, err)
			k.Vault = v
			k.Create("written before the first sweep", "text")
		}, false},
		{engine.DoubtParted, func(k *enginetest.Kit) { days(2); k.SetClock(61 * time.Minute) }, false},
		{engine.DoubtBehind, func(k *enginetest.Kit) {
			days(2)
			k.Create("the last entry", "text")
			k.SetClock(-2 * time.Minute)
		}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := enginetest.New(t)
			ctx := t.Context()
			policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 1, Action: engine.ActionDelete})
			d := k.Create("due", "text")
			c.doubt(k)
			sweep(k)
			last := func() engine.Run {
				page, err := k.Runs(ctx, engine.Paging{Limit: 1})
				must(t, err)
				if len(page.Items) == 0 {
					t.Fatal("there is no run")
				}
				return page.Items[0]
			}
			if r := last(); r.Status != engine.RunRefused || r.Why != c.why || r.Trigger != engine.TriggerSchedule || gone(k, d.ID) {
				t.Fatalf("%s: %+v", c.why, r)
			}
			if concerns, err := k.Concerns(t.Context()); err != nil || len(concerns) != 1 {
				t.Errorf("%v, %v", concerns, err)
			}
			sweep(k)
			r, _, err := k.StartRun(ctx, k.Admin, engine.NewRun{})
			if err != nil || r.Status != engine.RunRefused || r.Trigger != engine.TriggerManual {
				t.Errorf("by hand: %+v, %v", r, err)
			}
			if c.passes {
				time.Sleep(10 * time.Minute)
			} else {
				days(1)
				sweep(k)
				if r := last(); r.Status != engine.RunRefused || gone(k, d.ID) {
					t.Errorf("%s, the next day: %+v", c.why, r)
				}
			}
			if _, _, err := k.StartRun(ctx, k.Admin, engine.NewRun{AcceptClock: true, Reason: " "}); !errors.Is(err, engine.ErrInvalid) {
				t.Errorf("accepted without a reason: %v", err)
			}
			r, receipt, err := k.StartRun(ctx, k.Admin, engine.NewRun{AcceptClock: true, Reason: "the server was in storage"})
			must(t, err)
			sweep(k)
			if !gone(k, d.ID) {
				t.Errorf("%s: accepted, it is there: %+v", c.why, r)
			}
			if e, err := k.Entry(ctx, receipt.Seq); err != nil || e.Op != audit.OpRetentionStarted || string(e.Detail) != `{"reason":"the server was in storage"}` {
				t.Errorf("%s %s, %v", e.Line, e.Detail, err)
			}
			days(1)
			sweep(k)
			if r := last(); r.Status != engine.RunCompleted {
				t.Errorf("%s, the day after: %+v", c.why, r)
			}
			if concerns, err := k.Concerns(t.Context()); err != nil || len(concerns) != 0 {
				t.Errorf("%v, %v", concerns, err)
			}
		})
	}
}

// More than five minutes behind the log nothing is written until the clock is
// right again, or somebody accepts it; reading goes on.
func TestNothingIsWrittenFarBehindTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		d := k.Create("d", "text")
		k.SetClock(-6 * time.Minute)
		head := k.Head()
		change := func(name string) error {
			_, _, err := k.UpdateDocument(ctx, k.Admin, d.ID, engine.Condition{}, engine.DocumentPatch{Name: &name})
			return err
		}
		refused := func(err error) bool {
			e, ok := errors.AsType[*engine.UnavailableError](err)
			return ok && e.Reason == engine.ReasonClock
		}
		if err := change("refused"); !refused(err) || k.Head() != head {
			t.Errorf("%v", err)
		}
		if stored(t, k, d.ID).Name != "d" || k.Ready() != nil {
			t.Error("reading has stopped")
		}
		if concerns, err := k.Concerns(t.Context()); err != nil || len(concerns) != 1 {
			t.Errorf("%v, %v", concerns, err)
		}
		time.Sleep(2 * time.Minute)
		must(t, change("the clock is right enough"))
		k.SetClock(-time.Hour)
		if err := change("refused"); !refused(err) {
			t.Errorf("%v", err)
		}
		viewer := engine.Actor{UserID: k.Admin.UserID, Access: engine.AccessView}
		if _, err := k.AcceptClock(ctx, viewer); !errors.Is(err, engine.ErrLacksPermission) {
			t.Errorf("accepted by a viewer: %v", err)
		}
		receipt, err := k.AcceptClock(ctx, engine.Operator())
		must(t, err)
		if e, err := k.Entry(ctx, receipt.Seq); err != nil || e.Op != audit.OpClockCorrected {
			t.Errorf("%s, %v", e.Line, err)
		}
		must(t, change("accepted"))
		if receipt, err := k.AcceptClock(ctx, engine.Operator()); err != nil || receipt.Seq != 0 {
			t.Errorf("accepted twice: %v, %v", receipt, err)
		}
		k.SetClock(-time.Hour)
		if err := change("refused"); !refused(err) {
			t.Errorf("set back further: %v", err)
		}
		time.Sleep(time.Hour)
	})
}
