package engine_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"

	"go.etcd.io/bbolt"
)

// Whatever is changed about a request for approval behind the engine's back is
// found: what it asks for, of what state, who asked, until when, and how it ended.
func TestVerifyFindsTamperedApprovals(t *testing.T) {
	t.Parallel()
	k := newPair(t)
	ctx := t.Context()
	k.cover(engine.CoveredDocumentDelete)
	d, gone := k.Create("a", "text"), k.Create("gone", "text")
	waits := k.asks(k.Admin, k.Head(), second(k.DeleteDocument(ctx, k.Admin, d.ID, engine.Condition{})))
	granted := k.asks(k.Admin, k.Head(), second(k.DeleteDocument(ctx, k.Admin, gone.ID, engine.Condition{})))
	_, _, err := k.Approve(ctx, k.other, granted.ID, granted.PlanDigest)
	must(t, err)
	must(t, k.Close())
	of, ended := engine.KeyOf(waits.ID), engine.KeyOf(granted.ID)
	record := func(of []byte, fn func(a *engine.Approval, with, state *string)) func(*bbolt.Tx) error {
		return edit("approvals", of, func(k, b []byte) []byte { return engine.EditApproval(k, b, fn) })
	}
	for _, c := range []tamper{
		{name: "another document", db: record(of, func(a *engine.Approval, _, _ *string) {
			a.Arguments = bytes.Replace(a.Arguments, []byte(d.ID), []byte(gone.ID), 1)
		})},
		{name: "another call", db: record(of, func(a *engine.Approval, _, _ *string) { a.Call = "lock.break" })},
		{name: "another state", db: record(of, func(_ *engine.Approval, _, state *string) { *state = "x" })},
		{name: "another plan", db: record(of, func(a *engine.Approval, _, _ *string) { a.PlanDigest = audit.Hash{1} })},
		{name: "another cover", db: record(of, func(a *engine.Approval, _, _ *string) { a.What = engine.CoveredErasure })},
		{name: "asked for by another", db: record(of, func(a *engine.Approval, _, _ *string) { a.RequestedBy = k.other.UserID })},
		{name: "asked for with no key", db: record(of, func(_ *engine.Approval, with, _ *string) { *with = "" })},
		{name: "asked for later", db: record(of, func(a *engine.Approval, _, _ *string) { a.RequestedAt = a.RequestedAt.Add(time.Hour) })},
		{name: "it waits longer", db: record(of, func(a *engine.Approval, _, _ *string) { a.ExpiresAt = a.ExpiresAt.Add(time.Hour) })},
		{name: "it was rejected", db: record(of, func(a *engine.Approval, _, _ *string) { a.Status = engine.ApprovalRejected })},
		{name: "no request", db: drop("approvals", of)},
		{name: "a request nobody made", db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("approvals"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(of)))
		}},
		{name: "it waits again", db: record(ended, func(a *engine.Approval, _, _ *string) { a.Status = engine.ApprovalWaiting })},
		{name: "granted by another", db: record(ended, func(a *engine.Approval, _, _ *string) { a.DecidedBy = k.Admin.UserID })},
		{name: "granted later", db: record(ended, func(a *engine.Approval, _, _ *string) { a.DecidedAt = a.DecidedAt.Add(time.Hour) })},
		{name: "words of what ended", db: record(ended, func(a *engine.Approval, _, _ *string) { a.Arguments = []byte("{}") })},
		{name: "two persons for nothing", db: edit("settings", []byte("settings"), func(_, b []byte) []byte {
			return append(b[:bytes.LastIndex(b, []byte("document.delete"))-2], 0)
		})},
	} {
		path := filepath.Join(k.Dir, "rows.db")
		good := readFile(t, path)
		spoil(t, k.Dir, c.db)
		if found := findings(k.Dir, engine.VerifyOptions{}); !slices.ContainsFunc(found, func(f audit.Finding) bool { return f.Code == engine.CodeState }) {
			t.Errorf("%s: got %v", c.name, found)
		}
		must(t, os.WriteFile(path, good, 0o600))
	}
}

// A restored vault does not let the same be approved once more, and says what it
// does not have; what waits since before the backup waits on.
func TestRestoredApprovals(t *testing.T) {
	t.Parallel()
	k := newPair(t)
	ctx, cond := t.Context(), engine.Condition{}
	k.cover(engine.CoveredDocumentDelete)
	d, e, f := k.Create("d", "text"), k.Create("e", "text"), k.Create("f", "text")
	ask := func(documentID string) engine.Approval {
		return k.asks(k.Admin, k.Head(), second(k.DeleteDocument(ctx, k.Admin, documentID, cond)))
	}
	waits, granted, rejected := ask(d.ID), ask(e.ID), ask(f.ID)
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k.Kit, to)
	_, _, err := k.Approve(ctx, k.other, granted.ID, granted.PlanDigest)
	must(t, err)
	_, _, err = k.RejectApproval(ctx, k.other, rejected.ID)
	must(t, err)
	later := k.asks(k.Admin, k.Head(), second(k.UpdateSettings(ctx, k.Admin, cond, engine.SettingsPatch{TwoPersons: &[]engine.Covered{}})))
	r, told := restoredWith(t, k.Kit, to, exportSince(t, k.Kit, 0))
	if lost := lostOf(told); !strings.Contains(lost, "approval.requested: approval "+later.ID) {
		t.Errorf("lost:\n%s", lost)
	}
	for _, was := range []engine.Approval{granted, rejected} {
		if is, err := r.Approval(ctx, was.ID); err != nil || is.Status != engine.ApprovalRejected {
			t.Errorf("%+v %v", is, err)
		}
		if _, _, err := r.Approve(ctx, k.other, was.ID, was.PlanDigest); !errors.Is(err, engine.ErrApprovalStale) {
			t.Errorf("approved once more: %v", err)
		}
	}
	if s, err := r.Settings(ctx); err != nil || len(s.TwoPersons) != 1 {
		t.Errorf("%+v %v", s, err)
	}
	if _, _, err := r.Approve(ctx, engine.Actor{UserID: k.other.UserID, Access: engine.AccessAdmin}, waits.ID, waits.PlanDigest); err != nil {
		t.Errorf("what waited: %v", err)
	}
}
