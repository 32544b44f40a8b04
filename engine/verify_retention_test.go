package engine_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// What there is of retention in a vault with something of everything: two
// policies, one of compliance, of which a document was taken out; and a run that
// deleted one and archived another.
type retentionEvidence struct {
	rule, law engine.Policy
	kept      engine.Document
	run       engine.Run
}

func newRetentionEvidence(t *testing.T, k *enginetest.Kit) (e retentionEvidence) {
	ctx := t.Context()
	made := func(product string) engine.Document {
		return k.CreateFrom(engine.NewDocument{Name: product, Product: product, Category: "receipt", CustomFields: map[string]any{"renewalDate": "2030-01-31"}}, product)
	}
	made("brief")
	made("stale")
	e.kept = made("kept")
	e.rule = policy(k, engine.NewPolicy{Name: "Brief", Scope: engine.ScopeProduct, Target: "brief", Action: engine.ActionDelete})
	stale := policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: "stale", Action: engine.ActionArchive, StartFrom: "updatedAt"})
	e.run = runNow(k)
	_, _, err := k.DeletePolicy(ctx, k.Admin, stale.ID, engine.Condition{})
	must(t, err)
	e.law = comply(k, policy(k, engine.NewPolicy{Name: "Law", Scope: engine.ScopeCategory, Target: "receipt", PeriodDays: 10, Action: engine.ActionArchive}))
	category := "other"
	e.kept, _, err = k.UpdateDocument(ctx, k.Admin, e.kept.ID, engine.Condition{}, engine.DocumentPatch{Category: &category})
	must(t, err)
	sweep(k) // drops the kind of start that nobody names any more
	return e
}

// retentionTampers tampers with each member of a record, and with each index row.
func (e *evidence) retentionTampers(t *testing.T) (list []tamper) {
	const state, index = engine.CodeState, engine.CodeIndex
	rule, law, run := engine.KeyOf(e.retention.rule.ID), engine.KeyOf(e.retention.law.ID), engine.KeyOf(e.retention.run.ID)
	policy := func(key []byte, fn func(*engine.Policy)) func(*bbolt.Tx) error {
		return edit("policies", key, func(k, b []byte) []byte { return engine.EditPolicy(k, b, fn) })
	}
	ran := func(fn func(*engine.Run)) func(*bbolt.Tx) error {
		return edit("runs", run, func(k, b []byte) []byte { return engine.EditRun(k, b, fn) })
	}
	retained := func(by time.Duration) func(*bbolt.Tx) error {
		return edit("documents", engine.KeyOf(e.retention.kept.ID), func(k, b []byte) []byte { return engine.EditRetained(k, b, by) })
	}
	list = []tamper{
		{name: "a longer period", code: state, db: policy(rule, func(p *engine.Policy) { p.Period = "P1D" })},
		{name: "a shorter period of compliance", code: state, db: policy(law, func(p *engine.Policy) { p.Period = "P9D" })},
		{name: "a calendar period", code: state, db: policy(law, func(p *engine.Policy) { p.Period = "P1M" })},
		{name: "another place to start", code: state, db: policy(rule, func(p *engine.Policy) { p.StartAt = engine.StartAtEndOfYear })},
		{name: "a period that is none", code: state, db: policy(rule, func(p *engine.Policy) { p.Period = "P1X" })},
		{name: "compliance taken away", code: state, db: policy(law, func(p *engine.Policy) { p.Protect = engine.ProtectNone })},
		{name: "a policy disabled", code: state, db: policy(law, func(p *engine.Policy) { p.Enabled = false })},
		{name: "another action", code: state, db: policy(rule, func(p *engine.Policy) { p.Action = engine.ActionArchive })},
		{name: "another start", code: state, db: policy(rule, func(p *engine.Policy) { p.StartFrom = "updatedAt" })},
		{name: "another target", code: state, db: policy(rule, func(p *engine.Policy) { p.Target = "cpq" })},
		{name: "another name", code: state, db: policy(rule, func(p *engine.Policy) { p.Name = "Short" })},
		{name: "another revision", code: state, db: policy(rule, func(p *engine.Policy) { p.Revision++ })},
		{name: "no policy", code: state, db: drop("policies", law)},
		{name: "a policy nobody made", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("policies"))
			return rows.Put(engine.KeyOf(engine.NewID()), bytes.Clone(rows.Get(rule)))
		}},
		{name: "a policy that cannot be read", code: state, db: put("policies", rule, []byte{9})},

		{name: "retained less long", code: state, db: retained(-time.Hour)},
		{name: "retained longer", code: state, db: retained(time.Hour)},

		{name: "a date confirmed by nobody", code: state, db: edit("documents", engine.KeyOf(e.retention.kept.ID), func(k, b []byte) []byte { return engine.EditConfirmed(k, b, "renewalDate", "signed") })},
		{name: "a confirmed date that is not", code: state, db: edit("documents", engine.KeyOf(e.retention.kept.ID), func(k, b []byte) []byte { return engine.EditConfirmed(k, b) })},
		{name: "a zone that compliance had never", code: state, db: edit("settings", []byte("settings"), func(_, b []byte) []byte { return engine.EditFormerZones(b, "Asia/Tokyo") })},

		{name: "a run that deleted more", code: state, db: ran(func(r *engine.Run) { r.Counts.Deleted++ })},
		{name: "a run that left more", code: state, db: ran(func(r *engine.Run) { r.Counts.Held++ })},
		{name: "a run by schedule", code: state, db: ran(func(r *engine.Run) { r.Trigger = engine.TriggerSchedule })},
		{name: "a run that runs", code: state, db: ran(func(r *engine.Run) { r.Status = engine.RunRunning })},
		{name: "a run of another plan", code: state, db: ran(func(r *engine.Run) { r.PlanDigest[0]++ })},
		{name: "a run by another", code: state, db: ran(func(r *engine.Run) { r.StartedBy = "system" })},
		{name: "a run of another instant", code: state, db: ran(func(r *engine.Run) { r.At = r.At.Add(time.Hour) })},
		{name: "no run", code: state, db: drop("runs", run)},
		{name: "a run that cannot be read", code: state, db: put("runs", run, []byte{9})},

		{name: "a kind of start that cannot be read", code: index, db: put("kinds", []byte("createdAt"), []byte{9})},
		{name: "a short row of policies", code: index, db: put("scopes", []byte("x"), nil)},
		{name: "a short row of starts", code: index, db: put("starts", []byte("x"), nil)},
		{name: "the name of a policy in the log", code: audit.CodeDetailMissing, db: edit("detail", e.line(audit.OpPolicyCreated), func(_, row []byte) []byte { return row[:8] })},
	}
	for _, bucket := range []string{"scopes", "starts"} {
		list = append(list, e.rowTampers(t, bucket)...)
	}
	return list
}

// rowTampers drops each row, gives it a value, and makes it one of something
// that is not there.
func (e *evidence) rowTampers(t *testing.T, bucket string) (list []tamper) {
	db, err := bbolt.Open(filepath.Join(e.dir, "rows.db"), 0o600, &bbolt.Options{ReadOnly: true})
	must(t, err)
	defer db.Close()
	must(t, db.View(func(b *bbolt.Tx) error {
		return b.Bucket([]byte(bucket)).ForEach(func(k, _ []byte) error {
			row := bytes.Clone(k)
			other := append(bytes.Clone(row[:len(row)-16]), engine.KeyOf(engine.NewID())...)
			list = append(list,
				tamper{name: fmt.Sprintf("no row of %s %q", bucket, row), code: engine.CodeIndex, db: drop(bucket, row)},
				tamper{name: fmt.Sprintf("a row of %s with a value %q", bucket, row), code: engine.CodeIndex, db: put(bucket, row, []byte("x"))},
				tamper{name: fmt.Sprintf("a row of %s %q", bucket, other), code: engine.CodeIndex, db: put(bucket, other, nil)})
			return nil
		})
	}))
	if len(list) < 6 {
		t.Errorf("%s has hardly a row", bucket)
	}
	return list
}
