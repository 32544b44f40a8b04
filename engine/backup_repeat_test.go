package engine_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// since is what is exported of a vault after a backup.
type since struct {
	log, details []byte
	head         audit.Head
}

func exportSince(t testing.TB, k *enginetest.Kit, after uint64) since {
	t.Helper()
	e, err := k.Export(t.Context(), k.Admin, after)
	must(t, err)
	var log, details bytes.Buffer
	must(t, e.WriteLog(t.Context(), &log))
	must(t, e.WriteDetails(t.Context(), &details))
	return since{log.Bytes(), details.Bytes(), e.Head}
}

// restoredWith restores a backup with what came since, and opens it. What was
// restored is verified in full at the end.
func restoredWith(t testing.TB, k *enginetest.Kit, from string, s since, heads ...audit.Head) (*enginetest.Kit, engine.Since) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "main")
	o := engine.RestoreOptions{From: from, Log: bytes.NewReader(s.log), Heads: heads}
	if s.details != nil {
		o.Details = bytes.NewReader(s.details)
	}
	report, err := engine.Restore(t.Context(), dir, o)
	must(t, err)
	r := &enginetest.Kit{TB: t, Dir: dir, Options: engine.Options{ReserveBytes: -1}, Admin: engine.Operator()}
	r.Vault, err = engine.Open(dir, r.Options)
	must(t, err)
	t.Cleanup(func() { r.Close() })
	r.Check()
	return r, report.Since
}

// refusedWith restores a backup with what came since, which must be refused with
// these words and leave nothing.
func refusedWith(t testing.TB, what, from string, o engine.RestoreOptions, words string) {
	t.Helper()
	parent := t.TempDir()
	o.From = from
	_, err := engine.Restore(t.Context(), filepath.Join(parent, "main"), o)
	if !errors.Is(err, engine.ErrInvalid) || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: got %v, want %q", what, err, words)
	}
	if left, _ := os.ReadDir(parent); len(left) > 0 {
		t.Errorf("%s: left %v", what, left)
	}
}

func lostOf(s engine.Since) string {
	var b strings.Builder
	for _, l := range s.Lost {
		fmt.Fprintf(&b, "%s: %s\n", l.Op, l.What)
	}
	return b.String()
}

// Whatever governs and came after the backup holds in the restored vault, with
// the ids it had, whether the details are at hand or not.
func TestRestoreRepeatsWhatGoverns(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	held, bound, bare := k.Create("held", "1"), k.CreateFrom(engine.NewDocument{Name: "bound", Category: "contract"}, "2"), k.Create("bare", "3")
	leaver, _ := k.Person("leaver", engine.AccessAdmin)
	lowered, loweredToken := k.Person("lowered", engine.AccessAdmin)
	_, token := k.Person("thief", engine.AccessAdmin)
	thief, err := k.Authenticate(ctx, token)
	must(t, err)
	p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "Tax", Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 3650, Action: engine.ActionDelete})
	must(t, err)
	to := filepath.Join(t.TempDir(), "backup")
	made := backUp(t, k, to)

	h := place(t, k, held.ID, "M")
	_, _, err = k.RevokeKey(ctx, k.Admin, thief.KeyID)
	must(t, err)
	_, _, err = k.UpdateUser(ctx, k.Admin, leaver.UserID, engine.Condition{}, engine.UserPatch{Status: new(engine.UserClosed)})
	must(t, err)
	_, _, err = k.UpdateUser(ctx, k.Admin, lowered.UserID, engine.Condition{}, engine.UserPatch{Access: new(engine.AccessView), Name: new("Lo"), CanLockEnvelopes: new(false)})
	must(t, err)
	_, _, err = k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{Protect: new(engine.ProtectCompliance), Confirm: "Tax"})
	must(t, err)
	later, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "Later", Scope: engine.ScopeProduct, Target: "Zoë & <co>", PeriodDays: 30, Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
	must(t, err)
	_, _, err = k.UpdateSettings(ctx, k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: new(true), MaxClockGapDays: new(uint64(5)),
		TimeZone: new("Europe/Berlin"), ReminderDays: &[]uint64{14}, RetentionRunAt: new("03:30"), Categories: &[]string{"deed"}})
	must(t, err)
	_, _, err = k.ArchiveDocument(ctx, k.Admin, bare.ID, engine.Condition{})
	must(t, err)
	_, _, err = k.UpdateDocument(ctx, k.Admin, bound.ID, engine.Condition{}, engine.DocumentPatch{Category: new("other")}) // leaves a stamp
	must(t, err)
	_, rotated, _, err := k.CreateKey(ctx, k.Admin, engine.NewKey{Name: "old", UserID: lowered.UserID})
	must(t, err)

	s := exportSince(t, k, made.Head.Seq)
	_ = rotated
	for _, withDetails := range []bool{true, false} {
		if !withDetails {
			s.details = nil
		}
		r, told := restoredWith(t, k, to, s)
		if _, err := r.Authenticate(ctx, token); !errors.Is(err, engine.ErrTokenRevoked) {
			t.Errorf("the revoked key: %v", err)
		}
		if a, err := r.Authenticate(ctx, loweredToken); err != nil || a.Access != engine.AccessView {
			t.Errorf("the lowered user: %+v, %v", a, err)
		}
		if u, err := r.User(ctx, leaver.UserID); err != nil || u.Status != engine.UserClosed {
			t.Errorf("the closed user: %+v, %v", u, err)
		}
		got, err := r.Hold(ctx, h.ID)
		if err != nil || got.Status != engine.HoldActive || withDetails != (got.Reason == h.Reason && got.Matter == "M") {
			t.Errorf("the hold: %+v, %v", got, err)
		}
		if _, _, err := r.DeleteDocument(ctx, r.Admin, held.ID, engine.Condition{}); !errors.Is(err, engine.ErrOnHold) {
			t.Errorf("delete what is held: %v", err)
		}
		was, err := k.Policy(ctx, p.ID)
		must(t, err)
		if got, err := r.Policy(ctx, p.ID); err != nil || got.Protect != engine.ProtectCompliance || got.Period != was.Period {
			t.Errorf("the policy: %+v, %v", got, err)
		}
		if got, err := r.Policy(ctx, later.ID); err != nil || got.Target != later.Target || withDetails != (got.Name == "Later") {
			t.Errorf("the policy that came since: %+v, %v", got, err)
		}
		if _, _, err := r.DeletePolicy(ctx, r.Admin, p.ID, engine.Condition{}); !errors.Is(err, engine.ErrPolicyLocked) {
			t.Errorf("delete a policy of compliance: %v", err)
		}
		if _, _, err := r.DeleteDocument(ctx, r.Admin, bound.ID, engine.Condition{}); !errors.Is(err, engine.ErrRetained) {
			t.Errorf("delete what is retained: %v", err)
		}
		if d, err := r.Document(ctx, bare.ID); err != nil || !d.Archived {
			t.Errorf("not archived: %v", err)
		}
		set, err := r.Settings(ctx)
		if err != nil || !set.AuditReads || set.MaxClockGapDays != 5 || set.TimeZone != "Europe/Berlin" || set.RetentionRunAt != "03:30" ||
			len(set.ReminderDays) != 1 || !set.Paused || withDetails != (len(set.Categories) == 1) {
			t.Errorf("the settings: %+v, %v", set, err)
		}
		if told.Repeated[audit.OpHoldPlaced] != 1 || told.Repeated[audit.OpPolicyUpdated] != 1 || told.Repeated[audit.OpKeyRevoked] != 1 ||
			told.Repeated[audit.OpUserUpdated] != 2 || told.Repeated[audit.OpSettingsUpdated] != 1 || told.Covered.Seq != 0 {
			t.Errorf("repeated %v", told.Repeated)
		}
		lost := lostOf(told)
		if d, err := r.Document(ctx, bound.ID); err != nil || withDetails != (d.Category == "other") {
			t.Errorf("the document that left the policy: %+v, %v", d, err)
		}
		if told.Repeated[audit.OpDocumentUpdated] != 1 {
			t.Errorf("repeated %v", told.Repeated)
		}
		if !strings.Contains(lost, "key.created: key ") || withDetails == strings.Contains(lost, bound.ID) || withDetails == strings.Contains(lost, "without its reason") || withDetails == strings.Contains(lost, "categories") {
			t.Errorf("with details %v, lost:\n%s", withDetails, lost)
		}
	}
}

// An entry that repeats another names it, and is the operator's.
func TestRestoreSaysWhatIsRepeated(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("held", "1")
	to := filepath.Join(t.TempDir(), "backup")
	made := backUp(t, k, to)
	place(t, k, d.ID, "M")
	s := exportSince(t, k, 0)
	r, _ := restoredWith(t, k, to, s)
	page, err := r.Entries(t.Context(), engine.EntryQuery{After: made.Head.Seq, Op: audit.OpHoldPlaced})
	must(t, err)
	if len(page.Items) != 1 || page.Items[0].Actor != "operator" {
		t.Fatalf("%+v", page.Items)
	}
	if seq, _ := page.Items[0].Facts["repeats"].AsNumber(); seq != s.head.Seq {
		t.Errorf("repeats %d, want %d", seq, s.head.Seq)
	}
}

// What loosens is taken only up to a head that was kept elsewhere.
func TestRestoreTakesNoLooseningWithoutAHead(t *testing.T) {
	t.Parallel()
	for what, loosen := range map[string]func(k *enginetest.Kit, held engine.Hold, p engine.Policy, closed string) error{
		"releases hold": func(k *enginetest.Kit, held engine.Hold, _ engine.Policy, _ string) error {
			release(t, k, held.ID)
			return nil
		},
		"deletes policy": func(k *enginetest.Kit, _ engine.Hold, p engine.Policy, _ string) error {
			_, _, err := k.DeletePolicy(t.Context(), k.Admin, p.ID, engine.Condition{})
			return err
		},
		"weakens policy": func(k *enginetest.Kit, _ engine.Hold, p engine.Policy, _ string) error {
			_, _, err := k.UpdatePolicy(t.Context(), k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{PeriodDays: new(uint64(10))})
			return err
		},
		"lets user": func(k *enginetest.Kit, _ engine.Hold, _ engine.Policy, closed string) error {
			_, _, err := k.UpdateUser(t.Context(), k.Admin, closed, engine.Condition{}, engine.UserPatch{Status: new(engine.UserActive)})
			return err
		},
		"loosens the settings": func(k *enginetest.Kit, _ engine.Hold, _ engine.Policy, _ string) error {
			_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{RetentionConflict: new(engine.ConflictShortest)})
			return err
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			k := enginetest.New(t)
			ctx := t.Context()
			d := k.Create("document", "1")
			h := place(t, k, d.ID, "")
			p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "P", Scope: engine.ScopeOrganization, PeriodDays: 100, Action: engine.ActionDelete, Protect: engine.ProtectGovernance})
			must(t, err)
			u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "U", Access: engine.AccessAdmin})
			must(t, err)
			_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Status: new(engine.UserClosed)})
			must(t, err)
			to := filepath.Join(t.TempDir(), "backup")
			backUp(t, k, to)
			early := exportSince(t, k, 0)
			must(t, loosen(k, h, p, u.ID))
			s := exportSince(t, k, 0)
			k.Create("later", "2")
			late := exportSince(t, k, 0)
			log := func(s since) engine.RestoreOptions {
				return engine.RestoreOptions{Log: bytes.NewReader(s.log), Details: bytes.NewReader(s.details)}
			}
			refusedWith(t, "without a head", to, log(s), fmt.Sprintf("entry %d %s", s.head.Seq, what))
			o := log(s)
			o.Heads = []audit.Head{early.head}
			refusedWith(t, "with the head before", to, o, fmt.Sprintf("of entry %d or a later one", s.head.Seq))
			o = log(s)
			o.Heads = []audit.Head{late.head, early.head}
			refusedWith(t, "with a head beyond the end", to, o, "its end was cut off")
			forged := s.head
			forged.Hash[0] ^= 1
			o = log(s)
			o.Heads = []audit.Head{forged}
			refusedWith(t, "with a head of another log", to, o, "was rewritten")
			foreign := s.head
			foreign.Vault = "01JD6QGZ3MZ4Y8T6V1E9B7K2RW"
			o = log(s)
			o.Heads = []audit.Head{foreign}
			refusedWith(t, "with a head of another vault", to, o, "another vault")
			restoredWith(t, k, to, s, s.head)
			restoredWith(t, k, to, late, early.head, s.head)
		})
	}
}

// The end state counts: what was placed and released since is there as released,
// and what was released and placed again is held.
func TestRestoreRepeatsInOrder(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	a, b := k.Create("a", "1"), k.Create("b", "2")
	old := place(t, k, b.ID, "M")
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	passing := place(t, k, a.ID, "M")
	release(t, k, passing.ID)
	release(t, k, old.ID)
	again := place(t, k, b.ID, "M")
	s := exportSince(t, k, 0)
	r, told := restoredWith(t, k, to, s, s.head)
	for id, status := range map[string]engine.HoldStatus{passing.ID: engine.HoldReleased, old.ID: engine.HoldReleased, again.ID: engine.HoldActive} {
		if h, err := r.Hold(t.Context(), id); err != nil || h.Status != status {
			t.Errorf("%+v, %v, want %s", h, err, status)
		}
	}
	if told.Covered != s.head || told.Lost != nil {
		t.Errorf("covered by %v, lost %v", told.Covered, told.Lost)
	}
}

// Details that are not those of the log are refused by name; some of them, or
// those from the first entry on beside a log that begins later, are not.
func TestRestoreRefusesOtherDetails(t *testing.T) {
	t.Parallel()
	k, other := enginetest.New(t), enginetest.New(t)
	d := k.Create("document", "1")
	to := filepath.Join(t.TempDir(), "backup")
	made := backUp(t, k, to)
	place(t, k, d.ID, "M")
	whole, part := exportSince(t, k, 0), exportSince(t, k, made.Head.Seq)
	k.Create("later", "2")
	late := exportSince(t, k, 0)
	lines := bytes.SplitAfter(whole.details, []byte("\n"))
	for name, details := range map[string][]byte{
		"of another vault": exportSince(t, other, 0).details,
		"changed":          bytes.Replace(whole.details, []byte("litigation"), []byte("litigatio"), 1),
		"in another order": bytes.Join([][]byte{lines[1], lines[0]}, nil),
		"twice":            bytes.Join([][]byte{lines[0], lines[0]}, nil),
		"cut":              whole.details[:len(whole.details)-5],
		"none":             []byte("these are none\n"),
		"of no detail":     bytes.Replace(whole.details, []byte(`{"seq":1,`), fmt.Appendf(nil, `{"seq":%d,`, made.Head.Seq+1), 1),
	} {
		refusedWith(t, name, to, engine.RestoreOptions{Log: bytes.NewReader(whole.log), Details: bytes.NewReader(details)}, "details:")
	}
	restoredWith(t, k, to, since{log: part.log, details: whole.details})
	restoredWith(t, k, to, since{log: whole.log, details: part.details})
	restoredWith(t, k, to, since{log: whole.log, details: late.details})
	restoredWith(t, k, to, since{log: whole.log, details: []byte{}})
}

// Who administered the vault when the backup was made may do so no more: their
// closing is repeated, although nobody is left who administers it.
func TestRestoreClosesTheLastAdmin(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	to := filepath.Join(t.TempDir(), "backup")
	users, err := k.Users(ctx, engine.Paging{})
	must(t, err)
	backUp(t, k, to)
	next, _ := k.Person("next", engine.AccessAdmin)
	for _, u := range users.Items {
		_, _, err = k.UpdateUser(ctx, next, u.ID, engine.Condition{}, engine.UserPatch{Status: new(engine.UserClosed)})
		must(t, err)
	}
	k.Admin = next
	r, told := restoredWith(t, k, to, exportSince(t, k, 0))
	for _, u := range users.Items {
		if now, err := r.User(ctx, u.ID); err != nil || now.Status != engine.UserClosed {
			t.Errorf("%+v, %v", now, err)
		}
	}
	if lost := lostOf(told); !strings.Contains(lost, "user.created: user "+next.UserID) {
		t.Errorf("lost:\n%s", lost)
	}
}

// A vault that was restored with its log can be restored once more with the log
// it has then, from the backup before and from one of its own.
func TestRestoreOfARestoredVault(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("document", "1")
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	h := place(t, k, d.ID, "M")
	r, _ := restoredWith(t, k, to, exportSince(t, k, 0))
	own := filepath.Join(t.TempDir(), "backup")
	backUp(t, r, own)
	release(t, r, h.ID)
	place(t, r, d.ID, "N")
	s := exportSince(t, r, 0)
	for _, from := range []string{to, own} {
		twice, _ := restoredWith(t, r, from, s, s.head)
		if now := stored(t, twice, d.ID); now.HoldCount != 1 {
			t.Errorf("%d holds", now.HoldCount)
		}
	}
	// The log that the vault had before is another's now: it has a fork.
	fork := exportSince(t, k, 0)
	refusedWith(t, "a fork", own, engine.RestoreOptions{Log: bytes.NewReader(fork.log)}, "log")
}

// Thousands of holds are repeated in few transactions.
func TestRestoreRepeatsManyHolds(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of holds")
	}
	t.Parallel()
	k := enginetest.New(t)
	n := 1200
	var docs []string
	for i := range 3 {
		docs = append(docs, k.Create(fmt.Sprint(i), fmt.Sprint(i)).ID)
	}
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	for i := range n {
		place(t, k, docs[i%3], "M")
	}
	r, told := restoredWith(t, k, to, exportSince(t, k, 0))
	if told.Repeated[audit.OpHoldPlaced] != uint64(n) {
		t.Errorf("repeated %v", told.Repeated)
	}
	for _, d := range docs {
		if now := stored(t, r, d); now.HoldCount != uint64(n/3) {
			t.Errorf("%d holds", now.HoldCount)
		}
	}
}

// A key that was rotated works no more, and its successor is said: the holder has
// that one.
func TestRestoreEndsRotatedKeys(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	_, token := k.Person("somebody", engine.AccessUpload)
	actor, err := k.Authenticate(ctx, token)
	must(t, err)
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	next, secret, _, err := k.RotateKey(ctx, k.Admin, actor.KeyID, time.Hour)
	must(t, err)
	r, told := restoredWith(t, k, to, exportSince(t, k, 0))
	if _, err := r.Authenticate(ctx, token); !errors.Is(err, engine.ErrTokenRevoked) {
		t.Errorf("the old key: %v", err)
	}
	if _, err := r.Authenticate(ctx, secret.Reveal()); !errors.Is(err, engine.ErrInvalidToken) {
		t.Errorf("the new key: %v", err)
	}
	if lost := lostOf(told); !strings.Contains(lost, next.ID) {
		t.Errorf("lost:\n%s", lost)
	}
}

// A policy that came since and would delete at once is taken only up to a head,
// as what loosens is; one that would not is taken.
func TestRestoreTakesNoPolicyThatDeletesAtOnce(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Create("document", "1")
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	n := engine.NewPolicy{Name: "P", Scope: engine.ScopeOrganization, PeriodDays: 3650, Action: engine.ActionDelete}
	p, _, err := k.CreatePolicy(t.Context(), k.Admin, n)
	must(t, err)
	s := exportSince(t, k, 0)
	r, _ := restoredWith(t, k, to, s)
	if got, err := r.Policy(t.Context(), p.ID); err != nil || got.Period != "P3650D" {
		t.Errorf("%+v, %v", got, err)
	}
	n.PeriodDays = 0
	_, err = previewed(k, k.Admin, n)
	must(t, err)
	off := engine.PolicyPatch{Enabled: new(false)}
	preview, err := k.Preview(t.Context(), k.Admin, engine.PreviewQuery{PolicyID: p.ID, Policy: &off})
	must(t, err)
	off.PlanDigest = &preview.PlanDigest
	_, _, err = k.UpdatePolicy(t.Context(), k.Admin, p.ID, engine.Condition{}, off)
	must(t, err)
	_, _, err = k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{RetentionConflict: new(engine.ConflictShortest)})
	must(t, err)
	all := exportSince(t, k, 0)
	refusedWith(t, "all", to, engine.RestoreOptions{Log: bytes.NewReader(all.log)}, "weakens policy")
	restoredWith(t, k, to, all, all.head)

	other := enginetest.New(t)
	other.Create("document", "1")
	to = filepath.Join(t.TempDir(), "backup")
	backUp(t, other, to)
	n.Scope, n.Target = engine.ScopeCategory, "other"
	_, err = previewed(other, other.Admin, n)
	must(t, err)
	s = exportSince(t, other, 0)
	refusedWith(t, "at once", to, engine.RestoreOptions{Log: bytes.NewReader(s.log)}, "delete 1 documents at once")
	restoredWith(t, other, to, s, s.head)
}

// A field, its description and choices, and a webhook that was taken out of
// service or away, are as they were; what of them is not in the log is said.
func TestRestoreRepeatsFieldsAndWebhooks(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	webhook := func() string {
		w, _, _, err := k.CreateWebhook(ctx, k.Admin, engine.NewWebhook{URL: "https://example.com/in"})
		must(t, err)
		return w.ID
	}
	off, gone, moved := webhook(), webhook(), webhook()
	k.Define(engine.TextField, "old")
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	_, _, err := k.UpdateWebhook(ctx, k.Admin, off, engine.Condition{}, engine.WebhookPatch{Active: new(false)})
	must(t, err)
	_, _, err = k.DeleteWebhook(ctx, k.Admin, gone, engine.Condition{})
	must(t, err)
	_, _, err = k.UpdateWebhook(ctx, k.Admin, moved, engine.Condition{}, engine.WebhookPatch{URL: new("https://example.com/out")})
	must(t, err)
	k.Define(engine.DateField, "ends")
	_, _, err = k.CreateField(ctx, k.Admin, engine.NewField{Key: "colour", Type: engine.ChoiceField, Choices: []string{"red", "green"}})
	must(t, err)
	_, _, err = k.UpdateField(ctx, k.Admin, "ends", engine.Condition{}, engine.FieldPatch{Required: new(true), Label: new("Ends")})
	must(t, err)
	_, _, err = k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "P", Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionArchive,
		StartFrom: engine.StartField("ends"), Protect: engine.ProtectGovernance})
	must(t, err)
	_, _, err = k.DeleteField(ctx, k.Admin, "old", engine.Condition{}, false)
	must(t, err)
	s := exportSince(t, k, 0)
	for _, withDetails := range []bool{true, false} {
		if !withDetails {
			s.details = nil
		}
		r, told := restoredWith(t, k, to, s)
		if w, err := r.Webhook(ctx, off); err != nil || w.Active {
			t.Errorf("%+v, %v", w, err)
		}
		if _, err := r.Webhook(ctx, gone); !errors.Is(err, engine.ErrWebhookNotFound) {
			t.Errorf("the deleted webhook: %v", err)
		}
		if f, err := r.Field(ctx, "ends"); err != nil || f.Type != engine.DateField || !f.Required || withDetails != (f.Label == "Ends") {
			t.Errorf("%+v, %v", f, err)
		}
		if _, err := r.Field(ctx, "colour"); withDetails != (err == nil) {
			t.Errorf("with details %v: %v", withDetails, err)
		}
		lost := lostOf(told)
		if !strings.Contains(lost, moved) || !strings.Contains(lost, "the field old is there again") || withDetails == strings.Contains(lost, "colour") {
			t.Errorf("with details %v, lost:\n%s", withDetails, lost)
		}
	}
}

// Metadata that is in the details is as it was, and with it which policy is for a
// document. What would free one from a policy, or have it deleted, takes a head.
func TestRestoreRepeatsMetadata(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	k.Define(engine.DateField, "ends")
	d, free := k.Create("document", "1"), k.CreateFrom(engine.NewDocument{Name: "free", Category: "receipt"}, "2")
	owner, _ := k.Person("owner", engine.AccessUpload)
	policy := func(category string, days uint64, protect engine.Protect) {
		_, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: category, Scope: engine.ScopeCategory, Target: category, PeriodDays: days,
			Action: engine.ActionDelete, Protect: protect})
		must(t, err)
	}
	policy("contract", 100, engine.ProtectGovernance)
	policy("receipt", 100, engine.ProtectGovernance)
	policy("report", 0, engine.ProtectNone)
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	change := func(id string, p engine.DocumentPatch) {
		_, _, err := k.UpdateDocument(ctx, k.Admin, id, engine.Condition{}, p)
		must(t, err)
	}
	change(d.ID, engine.DocumentPatch{Category: new("contract"), Name: new("Lease"), OwnerID: &owner.UserID, ExternalID: new("X-1"), Path: new("2024/leases"),
		Tags: &[]string{"a", "b:c"}, CustomFields: map[string]any{"ends": "2031-05-06"}, Description: new("of a house")})
	s := exportSince(t, k, 0)
	r, told := restoredWith(t, k, to, s)
	is, was := stored(t, r, d.ID), stored(t, k, d.ID)
	if told.Lost != nil || is.Category != "contract" || is.Name != "Lease" || is.OwnerID != owner.UserID || is.ExternalID != "X-1" || is.Path != "2024/leases" ||
		fmt.Sprint(is.Tags, is.CustomFields, is.Description) != fmt.Sprint(was.Tags, was.CustomFields, was.Description) {
		t.Errorf("%+v\nlost %v", is, told.Lost)
	}
	if _, _, err := r.DeleteDocument(ctx, r.Admin, d.ID, engine.Condition{}); !errors.Is(err, engine.ErrRetained) {
		t.Errorf("delete what came to be protected: %v", err)
	}
	r, told = restoredWith(t, k, to, since{log: s.log})
	if lost := lostOf(told); !strings.Contains(lost, d.ID) || stored(t, r, d.ID).OwnerID != owner.UserID {
		t.Errorf("without details, lost:\n%s", lost)
	}

	change(d.ID, engine.DocumentPatch{EditPassword: &engine.EditPassword{Password: "a secret word"}})
	change(free.ID, engine.DocumentPatch{Category: new("invoice")})
	change(free.ID, engine.DocumentPatch{Category: new("report")})
	s = exportSince(t, k, 0)
	o := engine.RestoreOptions{Log: bytes.NewReader(s.log), Details: bytes.NewReader(s.details)}
	refusedWith(t, "out of a policy", to, o, fmt.Sprintf("entry %d takes document %s out of", s.head.Seq-1, free.ID))
	o = engine.RestoreOptions{Log: bytes.NewReader(s.log), Details: bytes.NewReader(s.details)}
	refusedWith(t, "deleted at once", to, o, fmt.Sprintf("entry %d has a policy delete document %s", s.head.Seq, free.ID))
	_, told = restoredWith(t, k, to, s, s.head)
	if lost := lostOf(told); !strings.Contains(lost, "document.updated: the edit password of document "+d.ID) {
		t.Errorf("an edit password is not in the log, and lost:\n%s", lost)
	}
}

// What compliance protects is erased again, and a date that brings its end nearer
// is confirmed again, only up to a head that was kept elsewhere: whoever wrote the
// log's end could have made that up.
func TestRestoreLeadsNobodyOutOfCompliance(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	k.Define(engine.DateField, "ends")
	uploader, _ := k.Person("uploader", engine.AccessUpload)
	comply(k, policy(k, engine.NewPolicy{Name: "P", Scope: engine.ScopeCategory, Target: "contract", Period: "P20Y", Action: engine.ActionDelete, StartFrom: "field:ends"}))
	old, free := k.Create("old", "1"), k.CreateFrom(engine.NewDocument{Name: "free", Category: "receipt"}, "2")
	_, _, err := k.UpdateDocument(t.Context(), uploader, old.ID, engine.Condition{}, engine.DocumentPatch{Category: new("contract"), CustomFields: map[string]any{"ends": "2010-01-01"}})
	must(t, err)
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	s := exportSince(t, k, 0)
	erased := func(id string) audit.Event {
		return audit.Event{Op: audit.OpErasureCompleted, Document: id, Facts: audit.Facts{"erasure": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW")}}
	}
	o := forgeTail(t, s, erased(free.ID), erased(old.ID))
	o.Heads = nil
	refusedWith(t, "an erasure", to, o, fmt.Sprintf("entry %d erases document %s, which compliance protects", s.head.Seq+2, old.ID))
	o.Log = forgeTail(t, s, erased(free.ID)).Log
	o.From = to
	_, err = engine.Restore(t.Context(), filepath.Join(t.TempDir(), "main"), o)
	must(t, err)
	o = forgeTail(t, s, erased(old.ID))
	o.From = to
	_, err = engine.Restore(t.Context(), filepath.Join(t.TempDir(), "main"), o)
	must(t, err)

	_, _, err = k.UpdateDocument(t.Context(), k.Admin, old.ID, engine.Condition{}, engine.DocumentPatch{CustomFields: map[string]any{"ends": "2011-01-01"}})
	must(t, err)
	s = exportSince(t, k, 0)
	o = engine.RestoreOptions{Log: bytes.NewReader(s.log), Details: bytes.NewReader(s.details)}
	refusedWith(t, "a confirmed date", to, o, fmt.Sprintf("entry %d brings the end nearer", s.head.Seq))
	r, _ := restoredWith(t, k, to, s, s.head)
	if is, was := stored(t, r, old.ID), stored(t, k, old.ID); is.CustomFields["ends"] != was.CustomFields["ends"] {
		t.Errorf("%+v", is)
	}
}

// forgeTail writes entries behind a log, as whoever has the file can.
func forgeTail(t *testing.T, s since, events ...audit.Event) engine.RestoreOptions {
	t.Helper()
	head, log := s.head, bytes.Clone(s.log)
	for _, e := range events {
		line, next, err := head.Next(audit.Stamp{Time: head.Time, Actor: "operator"}, e, audit.Hash{})
		must(t, err)
		head, log = next, append(log, line...)
	}
	return engine.RestoreOptions{Log: bytes.NewReader(log), Heads: []audit.Head{head}}
}

// An end that was made up and cannot be is refused, whatever heads go with it, and
// so is one with values that the vault could not have had.
func TestRestoreRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	held, gone := k.Create("held", "1"), k.Create("gone", "2")
	h := place(t, k, held.ID, "M")
	p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "P", Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 100, Action: engine.ActionDelete})
	must(t, err)
	_, _, err = k.UpdatePolicy(ctx, k.Admin, p.ID, engine.Condition{}, engine.PolicyPatch{Protect: new(engine.ProtectCompliance), Confirm: "P"})
	must(t, err)
	_, _, err = k.DeleteDocument(ctx, k.Admin, gone.ID, engine.Condition{})
	must(t, err)
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	s := exportSince(t, k, 0)
	text := audit.Text
	policy := func(policyID, days, protect string, n uint64) audit.Facts {
		return audit.Facts{"action": text("delete"), "days": audit.Number(n), "enabled": text("true"), "policy": text(policyID), "protect": text(protect),
			"scope": text("category"), "startFrom": text(days), "target": text("contract")}
	}
	unknown := "01JD6QGZ3MZ4Y8T6V1E9B7K2RW"
	user := func(access, status string) audit.Facts {
		return audit.Facts{"access": text(access), "canLock": text("true"), "status": text(status), "user": text(k.Admin.UserID)}
	}
	for name, events := range map[string][]audit.Event{
		"a hold twice":               {{Op: audit.OpHoldPlaced, Document: held.ID, Facts: audit.Facts{"hold": text(h.ID)}}},
		"a hold without an id":       {{Op: audit.OpHoldPlaced, Document: held.ID, Facts: audit.Facts{"hold": text("x")}}},
		"a hold of what is gone":     {{Op: audit.OpHoldPlaced, Document: gone.ID, Facts: audit.Facts{"hold": text(unknown)}}},
		"another's hold":             {{Op: audit.OpHoldReleased, Document: gone.ID, Facts: audit.Facts{"hold": text(h.ID)}}},
		"compliance deleted":         {{Op: audit.OpPolicyDeleted, Facts: audit.Facts{"policy": text(p.ID)}}},
		"compliance shortened":       {{Op: audit.OpPolicyUpdated, Facts: policy(p.ID, "createdAt", "compliance", 1)}},
		"compliance ended":           {{Op: audit.OpPolicyUpdated, Facts: policy(p.ID, "createdAt", "none", 100)}},
		"a policy for ever":          {{Op: audit.OpPolicyCreated, Facts: policy(unknown, "createdAt", "none", 1<<40)}},
		"a policy of nothing":        {{Op: audit.OpPolicyCreated, Facts: policy(unknown, "never", "none", 1)}},
		"a policy of nobody":         {{Op: audit.OpPolicyCreated, Facts: policy("x", "createdAt", "none", 1)}},
		"a policy of its own":        {{Op: audit.OpPolicyCreated, Facts: policy(unknown, "createdAt", "some", 1)}},
		"a root":                     {{Op: audit.OpUserUpdated, Facts: user("root", "active")}},
		"a ghost":                    {{Op: audit.OpUserUpdated, Facts: user("admin", "ghost")}},
		"no zone":                    {{Op: audit.OpSettingsUpdated, Facts: audit.Facts{"changed": audit.Texts("timeZone"), "timeZone": text("Mars/Olympus")}}},
		"no days":                    {{Op: audit.OpSettingsUpdated, Facts: audit.Facts{"changed": audit.Texts("maxClockGapDays"), "maxClockGapDays": audit.Number(1 << 50)}}},
		"an archive of what is held": {{Op: audit.OpDocumentArchived, Document: held.ID, Facts: audit.Facts{"revision": audit.Number(2)}}},
		"an erasure of what is held": {{Op: audit.OpErasureCompleted, Document: held.ID, Facts: audit.Facts{"erasure": text(unknown)}}},
	} {
		refusedWith(t, name, to, forgeTail(t, s, events...), "cannot be worked off")
	}
	o := forgeTail(t, s, audit.Event{Op: audit.OpHoldReleased, Document: held.ID, Facts: audit.Facts{"hold": text(h.ID)}})
	o.Heads = nil
	refusedWith(t, "a release", to, o, "releases hold "+h.ID)
}

// A doubt of the clock that came since, and that no run ended, is there again:
// nothing is destroyed. One that was ended is not.
func TestRestoreRepeatsDoubts(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("document", "1")
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	s := exportSince(t, k, 0)
	doubt := audit.Event{Op: audit.OpClockCorrected, Facts: audit.Facts{
		"last": audit.Text(audit.FormatTime(s.head.Time)), "wall": audit.Text(audit.FormatTime(s.head.Time.AddDate(10, 0, 0)))}}
	accepted := audit.Event{Op: audit.OpRetentionStarted, Facts: audit.Facts{"at": audit.Text(audit.FormatTime(s.head.Time)), "clock": audit.Text(audit.FormatTime(s.head.Time)),
		"plan": audit.Text(audit.Hash{1}.String()), "run": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW"), "trigger": audit.Text("manual")}}
	restore := func(events ...audit.Event) *enginetest.Kit {
		dir, o := filepath.Join(t.TempDir(), "main"), forgeTail(t, s, events...)
		o.From = to
		_, err := engine.Restore(t.Context(), dir, o)
		must(t, err)
		r := &enginetest.Kit{TB: t, Dir: dir, Options: engine.Options{ReserveBytes: -1}, Admin: engine.Operator()}
		r.Vault, err = engine.Open(dir, r.Options)
		must(t, err)
		t.Cleanup(func() { r.Close() })
		r.Check()
		return r
	}
	r := restore(doubt)
	if _, _, err := r.DeleteDocument(t.Context(), r.Admin, d.ID, engine.Condition{}); !errors.Is(err, engine.ErrUnavailable) {
		t.Errorf("delete while the clock is doubted: %v", err)
	}
	r = restore(doubt, accepted)
	if _, _, err := r.DeleteDocument(t.Context(), r.Admin, d.ID, engine.Condition{}); err != nil {
		t.Errorf("delete after the clock was accepted: %v", err)
	}
	o := forgeTail(t, s, doubt, accepted)
	o.Heads = nil
	refusedWith(t, "an acceptance without a head", to, o, "accepts a clock that was doubted")
}
