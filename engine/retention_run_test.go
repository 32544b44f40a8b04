package engine_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
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

// inBubble gives a test a vault whose days pass at once.
func inBubble(t *testing.T, fn func(t *testing.T, k *enginetest.Kit)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { fn(t, enginetest.New(t)) })
}

func days(n int) { time.Sleep(time.Duration(n) * 24 * time.Hour) }

func policy(k *enginetest.Kit, n engine.NewPolicy) engine.Policy {
	k.TB.Helper()
	if n.Name == "" {
		n.Name = fmt.Sprintf("%s %s after %d days", n.Action, n.Scope, n.PeriodDays)
	}
	p, err := previewed(k, k.Admin, n)
	if err != nil {
		k.TB.Fatalf("create a policy: %v", err)
	}
	return p
}

// previewed makes a policy as somebody who looks first, if that is asked for.
func previewed(k *enginetest.Kit, who engine.Actor, n engine.NewPolicy) (engine.Policy, error) {
	p, _, err := k.CreatePolicy(k.TB.Context(), who, n)
	if errors.Is(err, engine.ErrPreviewRequired) {
		n.PlanDigest = digestOf(k, n)
		p, _, err = k.CreatePolicy(k.TB.Context(), who, n)
	}
	return p, err
}

// digestOf previews a policy that is to be made.
func digestOf(k *enginetest.Kit, n engine.NewPolicy) *audit.Hash {
	k.TB.Helper()
	patch := engine.PolicyPatch{Scope: &n.Scope, Target: &n.Target, Action: &n.Action}
	if patch.PeriodDays = &n.PeriodDays; n.Period != "" {
		patch.Period, patch.PeriodDays = &n.Period, nil
	}
	if n.StartFrom != "" {
		patch.StartFrom = &n.StartFrom
	}
	if n.StartAt != "" {
		patch.StartAt = &n.StartAt
	}
	if n.Protect != "" {
		patch.Protect = &n.Protect
	}
	seen, err := k.Preview(k.TB.Context(), k.Admin, engine.PreviewQuery{Policy: &patch})
	must(k.TB, err)
	return &seen.PlanDigest
}

// comply makes a policy one of compliance.
func comply(k *enginetest.Kit, p engine.Policy) engine.Policy {
	k.TB.Helper()
	compliance := engine.ProtectCompliance
	p, _, err := k.UpdatePolicy(k.TB.Context(), k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{Protect: &compliance, Confirm: p.Name})
	must(k.TB, err)
	return p
}

// runNow starts a run and works it off.
func runNow(k *enginetest.Kit) engine.Run {
	k.TB.Helper()
	r, _, err := k.StartRun(k.TB.Context(), k.Admin, engine.NewRun{})
	must(k.TB, err)
	sweep(k)
	r, err = k.Run(k.TB.Context(), r.ID)
	must(k.TB, err)
	if r.Status != engine.RunCompleted {
		k.TB.Errorf("after the sweep: %+v", r)
	}
	return r
}

// outcomes lists what became of the documents of a run, by id.
func outcomes(k *enginetest.Kit, runID string) map[string][]string {
	k.TB.Helper()
	all := map[string][]string{}
	for p := (engine.Paging{Limit: 2}); ; {
		page, err := k.RunOutcomes(k.TB.Context(), runID, p)
		must(k.TB, err)
		for _, o := range page.Items {
			all[o.DocumentID] = append(all[o.DocumentID], string(o.Outcome))
		}
		if p.Cursor = page.NextCursor; p.Cursor == "" {
			return all
		}
	}
}

func gone(k *enginetest.Kit, documentID string) bool {
	k.TB.Helper()
	_, err := k.Document(k.TB.Context(), documentID)
	if err != nil && !errors.Is(err, engine.ErrDocumentDeleted) {
		k.TB.Fatal(err)
	}
	return err != nil
}

// A run does what is due, no more, and says by which policy; what is held,
// locked or protected is left alone and told.
func TestRun(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		invoices := policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 30, Action: engine.ActionDelete})
		old := policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionArchive})
		policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "cpq", PeriodDays: 60, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		invoice := func(n engine.NewDocument) engine.Document {
			n.Category, n.Name = "invoice", "invoice"
			return k.CreateFrom(n, "text")
		}
		due, held, locked := invoice(engine.NewDocument{}), invoice(engine.NewDocument{}), invoice(engine.NewDocument{})
		protected, archived, other := invoice(engine.NewDocument{Product: "cpq"}), invoice(engine.NewDocument{}), k.Create("report", "text")
		place(t, k, held.ID, "matter")
		_, _, err := k.ArchiveDocument(ctx, k.Admin, archived.ID, engine.Condition{})
		must(t, err)
		days(5)
		young := invoice(engine.NewDocument{})
		days(24)
		if r := runNow(k); r.Counts != (engine.RunCounts{Archived: 4, Held: 1}) {
			t.Errorf("on the 29th day: %+v", r.Counts)
		}
		days(1)
		_, _, err = k.UnarchiveDocument(ctx, k.Admin, locked.ID, engine.Condition{})
		must(t, err)
		lock, _, err := k.AcquireLock(ctx, k.Admin, locked.ID, engine.Condition{}, engine.NewLock{})
		must(t, err)
		r := runNow(k)
		if r.Counts != (engine.RunCounts{Deleted: 2, Held: 1, Locked: 1, Protected: 1}) || r.Trigger != engine.TriggerManual {
			t.Errorf("on the 30th day: %+v", r)
		}
		want := map[string][]string{due.ID: {"deleted"}, archived.ID: {"deleted"}, held.ID: {"held"}, locked.ID: {"locked"}, protected.ID: {"protected"}}
		if got := outcomes(k, r.ID); !maps.EqualFunc(got, want, slices.Equal) {
			t.Errorf("outcomes: %v, want %v", got, want)
		}
		c, err := k.Certificate(ctx, due.ID)
		if err != nil || c.PolicyID != invoices.ID || c.Right != "retention" || c.DeletedBy != k.Admin.UserID {
			t.Errorf("%+v, %v", c, err)
		}
		e, err := k.Entry(ctx, c.AuditSeq)
		must(t, err)
		if by, _ := e.Facts["run"].AsText(); by != r.ID {
			t.Errorf("%s", e.Line)
		}
		for _, d := range []engine.Document{other, young} {
			if now := stored(t, k, d.ID); !now.Archived {
				t.Errorf("%+v is not archived by %s", now, old.Name)
			}
		}
		_, _, err = k.ReleaseLock(ctx, k.Admin, locked.ID, engine.Condition{LockToken: lock.Token}, true)
		must(t, err)
		if r := runNow(k); r.Counts != (engine.RunCounts{Deleted: 1, Held: 1, Protected: 1}) {
			t.Errorf("when the lock is gone: %+v", r.Counts)
		}
	})
}

// The daily run starts at its time, by itself, once a day, also when nothing is
// due; one that was missed is made up for once; a paused vault has none.
func TestDailyRun(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		d := k.Create("report", "text")
		p := policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, PeriodDays: 3, Action: engine.ActionDelete})
		runs := func() []engine.Run {
			page, err := k.Runs(ctx, engine.Paging{Limit: 500})
			must(t, err)
			return page.Items
		}
		pass := func(hours int) { // as a host does
			for until := time.Now().Add(time.Duration(hours) * time.Hour); ; {
				next, err := k.Sweep(ctx)
				must(t, err)
				if next.After(until) {
					time.Sleep(time.Until(until))
					return
				}
				time.Sleep(max(time.Until(next), time.Second))
			}
		}
		pass(1)
		if got := runs(); len(got) != 0 {
			t.Fatalf("a new vault has missed nothing: %+v", got)
		}
		pass(71)
		got := runs()
		if len(got) != 3 || got[0].StartedAt.Format(time.TimeOnly) != "02:00:00" || got[0].Trigger != engine.TriggerSchedule || got[0].StartedBy != "system" {
			t.Fatalf("%+v", got)
		}
		pass(24)
		if !gone(k, d.ID) {
			t.Error("what was due is there")
		}
		c, err := k.Certificate(ctx, d.ID)
		if err != nil || c.DeletedBy != "system" || c.PolicyID != p.ID {
			t.Errorf("%+v, %v", c, err)
		}
		must(t, k.Close())
		days(7)
		v, err := engine.Open(k.Dir, k.Options)
		must(t, err)
		k.Vault = v
		pass(1)
		if got := runs(); len(got) != 5 {
			t.Errorf("a week later there are %d runs, want 4 and one for all that were missed", len(got))
		}
		k.Reopen()
		sweep(k)
		paused := true
		_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &paused})
		must(t, err)
		pass(72)
		if got := runs(); len(got) != 5 {
			t.Errorf("%d runs after a pause", len(got))
		}
		entries, err := k.Entries(ctx, engine.EntryQuery{Op: audit.OpRetentionCompleted})
		if err != nil || len(entries.Items) != 5 {
			t.Errorf("%d runs are in the log as completed, %v", len(entries.Items), err)
		}
	})
}

// A run that was cut off after any number of changes is brought to its end by
// the next sweep, with or without its plan: each document is dealt with once, and
// the counts tell of all of it.
func TestRunIsContinued(t *testing.T) {
	t.Parallel()
	for _, lost := range []bool{false, true} {
		k := enginetest.New(t)
		ctx := t.Context()
		policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", Action: engine.ActionDelete})
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, Action: engine.ActionArchive})
		var docs []engine.Document
		for n := range 12 {
			d := k.CreateFrom(engine.NewDocument{Name: "n", Category: []string{"invoice", "report"}[n%2]}, fmt.Sprint(n))
			docs = append(docs, d)
		}
		place(t, k, docs[0].ID, "m")
		r, _, err := k.StartRun(ctx, k.Admin, engine.NewRun{})
		must(t, err)
		plans, _ := filepath.Glob(filepath.Join(k.Dir, "retention", "*.plan"))
		if len(plans) != 1 || r.Status != engine.RunRunning {
			t.Fatalf("%v, %+v", plans, r)
		}
		if text, _ := os.ReadFile(plans[0]); audit.HashLine(text) != r.PlanDigest || strings.Count(string(text), "\n") != 12 {
			t.Errorf("the digest is not that of the plan:\n%s", text)
		}
		if again, receipt, err := k.StartRun(ctx, k.Admin, engine.NewRun{}); err != nil || again.ID != r.ID || receipt.Seq != 0 {
			t.Errorf("a second run beside it: %+v, %v", again, err)
		}
		must(t, k.InterruptRun(ctx, 5))
		if lost {
			must(t, os.RemoveAll(filepath.Join(k.Dir, "retention")))
		}
		k.Reopen()
		sweep(k)
		r, err = k.Run(ctx, r.ID)
		must(t, err)
		want := engine.RunCounts{Deleted: 5, Archived: 6, Held: 1}
		if lost {
			want = engine.RunCounts{Deleted: 4, Archived: 0}
		}
		if r.Counts != want || r.Status != engine.RunCompleted {
			t.Errorf("lost %v: %+v, want %+v", lost, r, want)
		}
		if lost {
			if r := runNow(k); r.Counts != (engine.RunCounts{Deleted: 1, Archived: 6, Held: 1}) {
				t.Errorf("the run after it: %+v", r.Counts)
			}
		}
		if left, _ := filepath.Glob(filepath.Join(k.Dir, "retention", "*.plan")); len(left) != 0 {
			t.Errorf("plans are left: %v", left)
		}
	}
}

// A run ends with the access of who started it: what is left is told as failed.
func TestRunOfSomebodyWhoLosesAccess(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, Action: engine.ActionDelete})
	d := k.Create("due", "text")
	former, _ := k.Person("Fay Former", engine.AccessAdmin)
	r, _, err := k.StartRun(ctx, former, engine.NewRun{})
	must(t, err)
	lower := engine.AccessUpload
	_, _, err = k.UpdateUser(ctx, k.Admin, former.UserID, engine.Condition{}, engine.UserPatch{Access: &lower})
	must(t, err)
	sweep(k)
	r, err = k.Run(ctx, r.ID)
	if err != nil || r.Status != engine.RunCompleted || r.Counts != (engine.RunCounts{Failed: 1}) || gone(k, d.ID) {
		t.Errorf("%+v, %v", r, err)
	}
	if got := outcomes(k, r.ID); len(got) != 1 || got[d.ID][0] != "failed" {
		t.Errorf("%v", got)
	}
}

// A run that was cut off is not brought to its end on a clock that was set
// meanwhile: it is refused, with what it had done, and who accepts the clock has
// the rest done.
func TestRunIsNotContinuedOnADoubtfulClock(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, Action: engine.ActionDelete})
		for range 5 {
			k.Create("due", "text")
		}
		r, _, err := k.StartRun(ctx, k.Admin, engine.NewRun{})
		must(t, err)
		must(t, k.InterruptRun(ctx, 2))
		k.SetClock(2 * time.Hour)
		sweep(k)
		r, err = k.Run(ctx, r.ID)
		if err != nil || r.Status != engine.RunRefused || r.Why != engine.DoubtParted || r.Counts != (engine.RunCounts{Deleted: 2}) {
			t.Errorf("%+v, %v", r, err)
		}
		r, _, err = k.StartRun(ctx, k.Admin, engine.NewRun{AcceptClock: true, Reason: "it was wrong before"})
		must(t, err)
		sweep(k)
		r, err = k.Run(ctx, r.ID)
		if err != nil || r.Status != engine.RunCompleted || r.Counts != (engine.RunCounts{Deleted: 3}) {
			t.Errorf("%+v, %v", r, err)
		}
		k.Check()
	})
}

// Pausing the vault stops a run on schedule that is under way, and resuming it
// has the run go on.
func TestPausingStopsTheDailyRun(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, Action: engine.ActionDelete})
		var docs []engine.Document
		for range 5 {
			docs = append(docs, k.Create("due", "text"))
		}
		days(1)
		must(t, k.StartDailyRun(ctx))
		pause := func(paused bool) {
			_, _, err := k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &paused})
			must(t, err)
		}
		if err := k.WorkOffSlowly(ctx, func() { pause(true) }); err == nil {
			t.Error("it did not stop")
		}
		sweep(k)
		run := func() engine.Run {
			page, err := k.Runs(ctx, engine.Paging{})
			must(t, err)
			return page.Items[0]
		}
		if run().Status != engine.RunRunning || !gone(k, docs[0].ID) || gone(k, docs[1].ID) {
			t.Errorf("%+v", run())
		}
		pause(false)
		sweep(k)
		if r := run(); r.Status != engine.RunCompleted || r.Counts != (engine.RunCounts{Deleted: 5}) {
			t.Errorf("%+v", r)
		}
	})
}

// A document that cannot be read is told of as failed, and keeps no other from
// being disposed of.
func TestRunPassesOverWhatCannotBeRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "vault")
	v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
	must(t, err)
	k := &enginetest.Kit{Vault: v, TB: t, Dir: dir}
	k.Admin, _ = k.Person("Ada Admin", engine.AccessAdmin)
	bad, good := k.Create("bad", "text"), k.Create("good", "text")
	policy(k, engine.NewPolicy{Scope: engine.ScopeOrganization, Action: engine.ActionDelete})
	preview(k, engine.PreviewQuery{})
	must(t, v.Close())
	spoil(t, dir, put("documents", engine.KeyOf(bad.ID), []byte{9}))
	k.Vault = open(t, dir)
	r := runNow(k)
	if r.Counts != (engine.RunCounts{Deleted: 1, Failed: 1}) || !gone(k, good.ID) {
		t.Errorf("%+v", r)
	}
	if got := outcomes(k, r.ID); got[bad.ID][0] != "failed" {
		t.Errorf("%v", got)
	}
}
