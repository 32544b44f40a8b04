package engine_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// years is how far the clock is wrong in what follows.
const years = 3653

// leap closes the vault and opens it when its clock says so many days later.
func leap(k *enginetest.Kit, n int) {
	k.TB.Helper()
	must(k.TB, k.Close())
	days(n)
	v, err := engine.Open(k.Dir, k.Options)
	must(k.TB, err)
	k.Vault = v
}

// law is a policy of compliance for invoices, of five years, and one of them.
func law(k *enginetest.Kit) (engine.Policy, engine.Document) {
	k.TB.Helper()
	p := comply(k, policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 1826, Action: engine.ActionArchive}))
	return p, k.CreateFrom(engine.NewDocument{Name: "kept", Category: "invoice"}, "kept")
}

func accept(k *enginetest.Kit) engine.Receipt {
	k.TB.Helper()
	_, receipt, err := k.StartRun(k.TB.Context(), k.Admin, engine.NewRun{AcceptClock: true, Reason: "it was in storage"})
	must(k.TB, err)
	sweep(k)
	return receipt
}

func wantDoubt(t *testing.T, err error) {
	t.Helper()
	if e, ok := errors.AsType[*engine.UnavailableError](err); !ok || e.Reason != engine.ReasonClock {
		t.Errorf("got %v, want the clock to be doubted", err)
	}
}

// keeps fails unless nothing can be destroyed, by hand or by an erasure.
func keeps(t *testing.T, k *enginetest.Kit, kept, plain engine.Document) {
	t.Helper()
	retained(t, deleteOne(k, kept.ID, engine.Condition{}))
	retained(t, deleteOne(k, kept.ID, bypass("now")))
	wantDoubt(t, deleteOne(k, plain.ID, engine.Condition{}))
	e := erase(t, k, kept.ID, plain.ID)
	sweep(k)
	why := map[string]engine.Deferral{}
	for _, d := range readErasure(t, k, e.ID).Documents {
		why[d.DocumentID] = d.Why
	}
	if gone(k, kept.ID) || gone(k, plain.ID) || why[kept.ID] != engine.DeferredProtected || why[plain.ID] != engine.DeferredRun {
		t.Errorf("an erasure: %v", why)
	}
}

// Who sets the clock on destroys nothing, by no right, however often the vault is
// opened and whatever is written meanwhile. Who accepts the clock ends that.
func TestDoubtIsSticky(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		_, kept := law(k)
		plain := k.Create("plain", "text")
		leap(k, years)
		keeps(t, k, kept, plain)
		_, err := rename(k, k.Admin, kept.ID, "renamed", engine.Condition{})
		must(t, err)
		keeps(t, k, kept, plain)
		for range 2 {
			k.Reopen()
			says := slices.ContainsFunc(k.Examine(t.Context()), func(d engine.Diagnosis) bool { return d.What == "clock" && d.Level == engine.LevelWarn })
			if concerns, err := k.Concerns(t.Context()); err != nil || len(concerns) != 1 || !says {
				t.Errorf("%v, %v, doctor says so: %v", concerns, err, says)
			}
			days(1)
			keeps(t, k, kept, plain)
			k.Check()
		}
		receipt := accept(k)
		if !gone(k, kept.ID) || !gone(k, plain.ID) {
			t.Error("the clock is accepted, and what was deferred is there")
		}
		e, err := k.Entry(t.Context(), receipt.Seq)
		if _, told := e.Facts["clock"]; err != nil || !told {
			t.Errorf("%s, %v", e.Line, err)
		}
		k.Check()
		k.Reopen()
		must(t, deleteOne(k, k.Create("new", "text").ID, engine.Condition{}))
	})
}

// A longer maxClockGapDays is no way round: what counts is what it was when
// nothing was written.
func TestASettingEndsNoDoubt(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		_, kept := law(k)
		plain := k.Create("plain", "text")
		leap(k, 3000)
		gap := uint64(3650)
		_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{MaxClockGapDays: &gap})
		must(t, err)
		keeps(t, k, kept, plain)
		k.Reopen()
		keeps(t, k, kept, plain)
	})
}

// A change that takes a document out of compliance on a clock that is wrong stamps
// the end there was.
func TestNoChangeLeadsOutOfComplianceInDoubt(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		_, kept := law(k)
		leap(k, years)
		other := "other"
		_, _, err := k.UpdateDocument(t.Context(), k.Admin, kept.ID, engine.Condition{}, engine.DocumentPatch{Category: &other})
		must(t, err)
		if e := retained(t, deleteOne(k, kept.ID, engine.Condition{})); !e.Until.Equal(kept.CreatedAt.Add(1826 * 24 * time.Hour)) {
			t.Errorf("%+v", e)
		}
	})
}

// A clock that is set right again, and accepted although the log is ahead of it,
// is what protection is judged by; the doubt outlasts it.
func TestProtectionFollowsTheAcceptedClock(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		_, kept := law(k)
		plain := k.Create("plain", "text")
		policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "other", PeriodDays: 365, Action: engine.ActionDelete})
		k.SetClock(-years * 24 * time.Hour)
		_, err := k.AcceptClock(t.Context(), engine.Operator())
		must(t, err)
		if ahead := time.Until(k.Head().Time); ahead < 3000*24*time.Hour {
			t.Fatalf("the log is ahead by %v", ahead)
		}
		keeps(t, k, kept, plain)
		accept(k)
		if gone(k, kept.ID) || !gone(k, plain.ID) { // that was asked for
			t.Error("the erasure took what is protected, or left what is not")
		}
		retained(t, deleteOne(k, kept.ID, engine.Condition{}))
		young := k.Create("not due", "text")
		sweep(k)
		if gone(k, young.ID) {
			t.Error("it was due by the time of the log")
		}
		must(t, deleteOne(k, young.ID, engine.Condition{}))
	})
}

// A silence within the setting leaves no doubt, and neither does a long one of
// which nothing was written.
func TestNoDoubt(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		d := k.Create("d", "text")
		leap(k, 29)
		_, err := rename(k, k.Admin, d.ID, "renamed", engine.Condition{})
		must(t, err)
		must(t, deleteOne(k, d.ID, engine.Condition{}))
		page, err := k.Entries(t.Context(), engine.EntryQuery{})
		must(t, err)
		if slices.ContainsFunc(page.Items, func(e engine.Entry) bool { return e.Op == audit.OpClockCorrected }) {
			t.Error("a doubt was kept")
		}
	})
}

// What is kept of a doubt is bound by an entry: without it, or with another time,
// the vault is not what its log says.
func TestVerifyFindsADoubtThatIsGone(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(b *bbolt.Bucket) error{
		"gone":  func(b *bbolt.Bucket) error { return b.Delete([]byte("doubt")) },
		"later": func(b *bbolt.Bucket) error { return b.Put([]byte("doubt"), []byte("2009-12-31T00:00:00.000Z")) },
	} {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			k := enginetest.New(t)
			leap(k, years)
			k.Create("after the silence", "text")
			must(t, k.Close())
			must(t, os.CopyFS(dir, os.DirFS(k.Dir)))
			k.Reopen()
		})
		db, err := bbolt.Open(filepath.Join(dir, "rows.db"), 0o600, &bbolt.Options{NoSync: true})
		must(t, err)
		must(t, db.Update(func(b *bbolt.Tx) error { return change(b.Bucket([]byte("meta"))) }))
		must(t, db.Close())
		v, err := engine.Open(dir, engine.Options{Name: "test"})
		must(t, err)
		report, err := v.Verify(t.Context(), engine.VerifyOptions{})
		if err != nil || len(report.Findings) != 1 || report.Findings[0].Code != engine.CodeState {
			t.Errorf("%s: %+v, %v", what, report.Findings, err)
		}
		must(t, v.Close())
	}
}

// A clock that is accepted while others write stays accepted: none of them comes
// upon the old silence again.
func TestAcceptingTheClockHoldsAmongOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		plain := k.Create("plain", "text")
		leap(k, years)
		rename(k, k.Admin, plain.ID, "renamed", engine.Condition{}) // keeps the doubt
		stop := make(chan struct{})
		var writers sync.WaitGroup
		for n := range 8 {
			writers.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
						rename(k, k.Admin, plain.ID, fmt.Sprint(n, i), engine.Condition{})
					}
				}
			})
		}
		_, _, err := k.StartRun(t.Context(), k.Admin, engine.NewRun{AcceptClock: true, Reason: "it was in storage"})
		must(t, err)
		for i := range 8 {
			rename(k, k.Admin, plain.ID, fmt.Sprint("after", i), engine.Condition{})
		}
		close(stop)
		writers.Wait()
		must(t, deleteOne(k, plain.ID, engine.Condition{}))
	})
}
