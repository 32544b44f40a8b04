package engine_test

import (
	"fmt"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestVerifyWhileInUse verifies a vault while things come and go in it: each
// transaction's rows must be compared with the log as that transaction sees it.
// One with many entries is divided among the cores.
func TestVerifyWhileInUse(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]int{"few": 0, "many": 600} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := enginetest.New(t)
			must(t, k.Fill(t.Context(), k.Admin, before, k.Upload("there before"), func(i int) engine.NewDocument {
				return engine.NewDocument{Name: fmt.Sprint("there before ", i), Category: "other", OwnerID: k.Admin.UserID, ExternalID: fmt.Sprint(i)}
			}))
			verifyWhileInUse(t, k)
		})
	}
}

func verifyWhileInUse(t *testing.T, k *enginetest.Kit) {
	t.Helper()
	stop, rounds := make(chan struct{}), make(chan int)
	go func() {
		for n := 1; ; n++ {
			report, err := k.Verify(t.Context(), engine.VerifyOptions{})
			if err != nil || len(report.Findings) > 0 {
				t.Errorf("round %d: %v %v", n, err, report.Findings)
			}
			select {
			case <-stop:
				rounds <- n
				return
			default:
			}
		}
	}()
	for i := range 50 {
		comeAndGo(t, k, i)
	}
	close(stop)
	t.Logf("%d rounds", <-rounds)
}

// comeAndGo makes one of each kind of thing, and deletes what can be deleted.
func comeAndGo(t *testing.T, k *enginetest.Kit, i int) {
	t.Helper()
	ctx := t.Context()
	p := policy(k, engine.NewPolicy{Name: "p", Scope: engine.ScopeOrganization, PeriodDays: 10_000, Action: engine.ActionArchive})
	w, _ := subscribe(k, engine.NewWebhook{URL: "https://example.com"})
	key := fmt.Sprintf("%c%d", 'a'+i%26, i)
	k.Define(engine.TextField, key)
	d := k.Create("d", "text")
	h, _, err := k.PlaceHold(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "r", Matter: fmt.Sprint("m", i%3)})
	must(t, err)
	oblige(k, d.ID, "o", "2099-01-31", "")
	_, _, err = k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "over")
	must(t, err)
	_, _, err = k.DeletePolicy(ctx, k.Admin, p.ID, engine.Condition{})
	must(t, err)
	_, _, err = k.DeleteWebhook(ctx, k.Admin, w.ID, engine.Condition{})
	must(t, err)
	_, _, err = k.DeleteField(ctx, k.Admin, key, engine.Condition{}, false)
	must(t, err)
	_, _, err = k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})
	must(t, err)
}
