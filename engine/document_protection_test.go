package engine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// reported is what a report says of protection: a line for each time, one for each
// decision.
func reported(t testing.TB, k *enginetest.Kit, documentID string) (lines []string, complete bool) {
	t.Helper()
	made, err := k.IntegrityReport(t.Context(), documentID)
	must(t, err)
	var r struct {
		Protection struct {
			OverTime []struct {
				By, Hold, Policy, Period, StartFrom, Until, From, To string
				FromSeq, ToSeq                                       uint64
			}
			Complete bool
		}
		Decisions []struct {
			Op, Right, Policy, Run string
			Bypass                 bool
		}
	}
	must(t, json.Unmarshal(made.JSON, &r))
	day := func(at string) string {
		if at == "" {
			return "-"
		}
		return at[:10]
	}
	named := func(policyID string) string {
		if policyID == "" {
			return "-"
		}
		if p, err := k.Policy(t.Context(), policyID); err == nil {
			return p.Name
		}
		return "gone"
	}
	for _, s := range r.Protection.OverTime {
		what := strings.Join([]string{s.By, named(s.Policy), s.Period, s.StartFrom}, " ")
		if s.Hold != "" {
			what = s.By
		}
		lines = append(lines, fmt.Sprintf("%s from %s to %s until %s", strings.TrimSpace(what), day(s.From), day(s.To), day(s.Until)))
		for seq, at := range map[uint64]string{s.FromSeq: s.From, s.ToSeq: s.To} {
			if e, err := k.Entry(t.Context(), max(seq, 1)); err != nil || (seq > 0) != (at != "") || seq > 0 && e.Time.Format("2006-01-02T15:04:05.000Z") != at {
				t.Errorf("%s: entry %d at %q", what, seq, at)
			}
		}
	}
	for _, d := range r.Decisions {
		lines = append(lines, fmt.Sprintf("%s %s by %s, run %v, bypass %v", d.Op, d.Right, named(d.Policy), d.Run != "", d.Bypass))
	}
	return lines, r.Protection.Complete
}

// The report tells what has protected a document over time: holds, policies while they
// were for it, what stays when it leaves one, and what was decided.
func TestProtectionOverTime(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx, cond := t.Context(), engine.Condition{}
		says := func(d engine.Document, want ...string) {
			t.Helper()
			lines, complete := reported(t, k, d.ID)
			if !slices.Equal(lines, want) || !complete {
				t.Errorf("complete %v, got\n%s\nwant\n%s", complete, strings.Join(lines, "\n"), strings.Join(want, "\n"))
			}
		}
		all := policy(k, engine.NewPolicy{Name: "all", Scope: engine.ScopeOrganization, Period: "P30D", Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		law := comply(k, policy(k, engine.NewPolicy{Name: "law", Scope: engine.ScopeCategory, Target: "invoice", Period: "P1Y", Action: engine.ActionArchive, StartFrom: "currentVersion"}))
		policy(k, engine.NewPolicy{Name: "others", Scope: engine.ScopeCategory, Target: "report", Period: "P9Y", Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		days(1)
		d := k.CreateFrom(engine.NewDocument{Name: "d", Category: "invoice"}, "first") // 2000-01-02
		says(d,
			"governance all P30D createdAt from 2000-01-02 to - until 2000-02-01",
			"compliance law P1Y currentVersion from 2000-01-02 to - until 2001-01-02")
		days(1)
		hold := place(t, k, d.ID, "she sues")
		k.AddText(d.ID, "second") // 2000-01-03
		days(1)
		release(t, k, hold.ID)
		x, err := k.Disposition(ctx, k.Admin, d.ID)
		must(t, err)
		if x.ProtectedUntil.Format(time.DateOnly) != "2001-01-03" {
			t.Errorf("protected until %s", x.ProtectedUntil)
		}
		own := policy(k, engine.NewPolicy{Name: "own", Scope: engine.ScopeDocument, Target: d.ID, Period: "P2D", Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
		days(1)
		_, _, err = k.UpdatePolicy(ctx, k.Admin, law.ID, cond, engine.PolicyPatch{Period: new(engine.Period("P2Y"))})
		must(t, err)
		_, _, err = k.UpdatePolicy(ctx, k.Admin, all.ID, cond, engine.PolicyPatch{Enabled: new(false)})
		must(t, err)
		_, _, err = k.DeletePolicy(ctx, k.Admin, own.ID, cond)
		must(t, err)
		until5 := []string{
			"governance all P30D createdAt from 2000-01-02 to 2000-01-05 until 2000-02-01",
			"compliance law P1Y currentVersion from 2000-01-02 to 2000-01-05 until 2001-01-03",
			"hold from 2000-01-03 to 2000-01-04 until -",
			"governance gone P2D createdAt from 2000-01-04 to 2000-01-05 until 2000-01-04",
		}
		says(d, append(until5, "compliance law P2Y currentVersion from 2000-01-05 to - until 2002-01-03")...)
		days(1)
		_, _, err = k.UpdateDocument(ctx, k.Admin, d.ID, cond, engine.DocumentPatch{Category: new("contract")})
		must(t, err)
		policy(k, engine.NewPolicy{Name: "tidy", Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 1, Action: engine.ActionArchive})
		runNow(k)
		for range 30 {
			days(29)
			sweep(k)
		}
		_, _, err = k.UnarchiveDocument(ctx, k.Admin, d.ID, cond)
		must(t, err)
		_, _, err = k.DeleteDocument(ctx, k.Admin, d.ID, cond)
		must(t, err)
		until6 := append(until5,
			"compliance law P2Y currentVersion from 2000-01-05 to 2000-01-06 until 2002-01-03",
			"compliance - from 2000-01-06 to 2002-05-25 until 2002-01-03")
		says(d, append(until6, "document.archived  by tidy, run true, bypass false", "document.unarchived  by -, run false, bypass false",
			"document.deleted manual by -, run false, bypass false")...)

		erase(t, k, d.ID)
		sweep(k)
		lines, complete := reported(t, k, d.ID)
		if complete || !slices.Contains(lines, until5[2]) || !slices.Contains(lines, until5[0]) || strings.Contains(strings.Join(lines, "\n"), "law") {
			t.Errorf("erased: complete %v\n%s", complete, strings.Join(lines, "\n"))
		}
	})
}

// What earlier formats tell of policies is told too.
func TestProtectionUnderEarlierFormats(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "frozen")
	thaw(t, frozenPath2, dir)
	k := &enginetest.Kit{Vault: open(t, dir), TB: t}
	lines, complete := reported(t, k, named(t, k.Vault, "held").ID)
	if want := []string{"hold from 2000-01-01 to 2000-01-01 until -", "hold from 2000-01-01 to - until -"}; !slices.Equal(lines, want) || !complete {
		t.Errorf("complete %v, %q, want %q", complete, lines, want)
	}
	page, err := k.Documents(t.Context(), engine.DocumentQuery{Status: engine.StatusAll, Category: "invoice"})
	must(t, err)
	lines, complete = reported(t, k, page.Items[0].ID)
	if want := []string{"compliance keep invoices P3650D field:renewalDate from 2000-01-01 to - until -", "document.archived  by tidy, run true, bypass false"}; !slices.Equal(lines, want) || !complete {
		t.Errorf("complete %v, %q, want %q", complete, lines, want)
	}
}

// A detail that is not the one of which the log tells is not taken for it.
func TestAReportTellsNoForgedDetail(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	policy(k, engine.NewPolicy{Name: "law", Scope: engine.ScopeCategory, Target: "invoice", Period: "P1Y", Action: engine.ActionArchive, Protect: engine.ProtectGovernance})
	d := k.CreateFrom(engine.NewDocument{Name: "d", Category: "invoice"}, "text")
	must(t, k.Close())
	good := readFile(t, filepath.Join(k.Dir, "rows.db"))
	spoil(t, k.Dir, edit("detail", engine.SeqKey(d.AuditSeq), func(_, row []byte) []byte {
		return bytes.Replace(row, []byte(`"invoice"`), []byte(`"receipt"`), 1)
	}))
	forged := &enginetest.Kit{Vault: open(t, k.Dir), TB: t}
	if lines, complete := reported(t, forged, d.ID); complete || len(lines) > 0 {
		t.Errorf("complete %v, %q", complete, lines)
	}
	must(t, forged.Close())
	must(t, os.WriteFile(filepath.Join(k.Dir, "rows.db"), good, 0o600))
	k.Reopen()
	if lines, complete := reported(t, k, d.ID); !complete || len(lines) != 1 {
		t.Errorf("complete %v, %q", complete, lines)
	}
}
