package engine_test

import (
	"archive/zip"
	"bytes"
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

const frozenPath2 = "../testdata/vaults/format-2.zip"

func TestFormat2IsMigrated(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "frozen")
	told := thaw(t, frozenPath2, dir)
	head, err := audit.ParseHead(told["head.txt"])
	must(t, err)
	before := rowsOf(t, filepath.Join(dir, "vault.db"))
	v := open(t, dir)
	wasMigrated(t, v, head, 2)
	checkGovernance(t, v, told, head)
	must(t, v.Close())
	if !maps.Equal(rowsOf(t, filepath.Join(dir, "vault.db.format-2")), before) {
		t.Error("the copy does not hold what the vault held")
	}
	// None of its rows is of a form that changed, but for how far starts are indexed,
	// and for documents whose erasure is deferred, which say so now.
	after := rowsOf(t, filepath.Join(dir, "rows.db"))
	deferred := map[string]bool{}
	for key := range before {
		if row, ok := strings.CutPrefix(key, "erasing/"); ok {
			deferred[row[16:]] = true
		}
	}
	for key, value := range before {
		if id, ok := strings.CutPrefix(key, "documents/"); ok && deferred[id] {
			continue
		}
		if after[key] != value && key != "meta/format" && !strings.HasPrefix(key, "kinds/") {
			t.Errorf("%q was written anew", key)
		}
	}
}

// wasMigrated finds one entry after head, that of the migration.
func wasMigrated(t *testing.T, v *engine.Vault, head audit.Head, format uint64) {
	t.Helper()
	if v.Head().Seq != head.Seq+1 {
		t.Errorf("%+v, want one entry after %+v", v.Head(), head)
	}
	e, err := v.Entry(t.Context(), head.Seq+1)
	must(t, err)
	from, _ := e.Facts["from"].AsNumber()
	to, _ := e.Facts["format"].AsNumber()
	if e.Op != audit.OpVaultMigrated || from != format || to != engine.FormatVersion || e.Actor != "system" {
		t.Errorf("%+v", e)
	}
}

func checkGovernance(t *testing.T, v *engine.Vault, told map[string]string, head audit.Head) {
	t.Helper()
	report, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true, Heads: []audit.Head{head}})
	must(t, err)
	if len(report.Findings) > 0 || report.Documents != 5 || report.Blobs != 4 {
		t.Errorf("%+v", report)
	}
	_, err = v.Authenticate(t.Context(), strings.TrimSpace(told["token.txt"]))
	must(t, err)
	if said, want := governance(t, v), []string{
		`hold active "Ana ./. us" "she sues" ""`,
		`hold released "" "a mistake" "looked at"`,
		`matter "Ana ./. us" 1 active of 1`,
		`policy "keep invoices" category "invoice" 3650 delete field:renewalDate compliance true`,
		`policy "tidy" organization "" 1 archive createdAt none true`,
		`run completed schedule {Archived:0 Deleted:0 Erased:0 Held:1 Locked:0 Protected:0 Failed:0}`,
		`run completed manual {Archived:2 Deleted:0 Erased:0 Held:1 Locked:0 Protected:0 Failed:0}`,
		`erasure deferred "Art. 17" "case 1" 1 of 2 documents`,
		`webhook "https://example.com/hook" [hold.*] "the ERP" true`,
		`document archived "invoice"`,
		`document archived "old"`,
		`document deleted ""`,
		`document legal_hold "held"`,
		`document active "new"`,
	}; !slices.Equal(said, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
}

// governance tells what of a vault came with format 2.
func governance(t *testing.T, v *engine.Vault) (said []string) {
	t.Helper()
	ctx := t.Context()
	say := func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	holds, err := v.Holds(ctx, engine.HoldQuery{})
	must(t, err)
	for _, h := range holds.Items {
		say("hold %s %q %q %q", h.Status, h.Matter, h.Reason, h.ReleaseReason)
	}
	matters, err := v.Matters(ctx, engine.Paging{})
	must(t, err)
	for _, m := range matters.Items {
		say("matter %q %d active of %d", m.Name, m.Active, m.Documents)
	}
	policies, err := v.Policies(ctx, engine.Paging{})
	must(t, err)
	for _, p := range policies.Items {
		say("policy %q %s %q %s %s %s %s %v", p.Name, p.Scope, p.Target, strings.Trim(string(p.Period), "PD"), p.Action, p.StartFrom, p.Protect, p.Enabled)
	}
	runs, err := v.Runs(ctx, engine.Paging{})
	must(t, err)
	for _, r := range runs.Items {
		say("run %s %s %+v", r.Status, r.Trigger, r.Counts)
	}
	erasures, err := v.Erasures(ctx, engine.Paging{})
	must(t, err)
	for _, e := range erasures.Items {
		say("erasure %s %q %q %d of %d documents", e.Status, e.LegalBasis, e.Requester, e.Completed, e.Total)
	}
	webhooks, err := v.Webhooks(ctx, engine.Paging{})
	must(t, err)
	for _, w := range webhooks.Items {
		say("webhook %q %v %q %v", w.URL, w.Events, w.Description, w.Active)
	}
	page, err := v.Documents(ctx, engine.DocumentQuery{Status: "all", Sort: "createdAt"})
	must(t, err)
	for _, d := range page.Items {
		say("document %s %q", d.Status, d.Name)
	}
	return said
}

// freezeVault makes a vault, fills it, and packs it with what fill has to tell
// beside it.
func freezeVault(t *testing.T, path string, fill func(*testing.T, *enginetest.Kit) map[string]string) {
	t.Helper()
	var packed bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.NewWith(t, engine.Options{Name: "frozen", ReserveBytes: -1, MLDSA: keyMLDSA})
		beside := fill(t, k)
		head := k.Head()
		must(t, k.Close())
		compacted(t, filepath.Join(k.Dir, "rows.db"))
		z := zip.NewWriter(&packed)
		pack(t, z, "token.txt", []byte(k.Token+"\n"))
		pack(t, z, "head.txt", []byte(head.Text()))
		for name, text := range beside {
			pack(t, z, name, []byte(text+"\n"))
		}
		for path := range files(t, k.Dir) {
			pack(t, z, "vault/"+path, readFile(t, filepath.Join(k.Dir, filepath.FromSlash(path))))
		}
		must(t, z.Close())
	})
	must(t, os.WriteFile(path, packed.Bytes(), 0o644))
}

// fillFrozen makes something of all that came with format 2.
func fillFrozen(t *testing.T, k *enginetest.Kit) {
	t.Helper()
	ctx := t.Context()
	k.CreateFrom(engine.NewDocument{Name: "invoice", Category: "invoice"}, "an invoice\n")
	old, gone, held := k.Create("old", "an old text\n"), k.Create("gone", "a text to forget\n"), k.Create("held", "what she claims\n")
	for _, n := range []engine.NewHold{{Reason: "a mistake"}, {Reason: "she sues", Matter: "Ana ./. us"}} {
		h, _, err := k.PlaceHold(ctx, k.Admin, held.ID, engine.Condition{}, n)
		must(t, err)
		if n.Matter == "" {
			_, _, err = k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "looked at")
			must(t, err)
		}
	}
	_, _, err := k.RequestErasure(ctx, k.Admin, engine.NewErasure{DocumentIDs: []string{gone.ID, held.ID}, LegalBasis: "Art. 17", Requester: "case 1"})
	must(t, err)
	sweep(k)
	comply(k, policy(k, engine.NewPolicy{
		Name: "keep invoices", Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 3650, Action: engine.ActionDelete, StartFrom: "field:renewalDate",
	}))
	policy(k, engine.NewPolicy{Name: "tidy", Scope: engine.ScopeOrganization, PeriodDays: 1, Action: engine.ActionArchive, StartFrom: "createdAt"})
	_, _, _, err = k.CreateWebhook(ctx, k.Admin, engine.NewWebhook{URL: "https://example.com/hook", Events: []string{"hold.*"}, Description: "the ERP"})
	must(t, err)
	time.Sleep(25 * time.Hour)
	runNow(k)
	k.Create("new", "a new text\n")
	if d := stored(t, k, old.ID); !d.Archived {
		t.Errorf("%+v", d)
	}
}

func pack(t *testing.T, z *zip.Writer, name string, content []byte) {
	t.Helper()
	w, err := z.Create(name)
	must(t, err)
	_, err = w.Write(content)
	must(t, err)
}
