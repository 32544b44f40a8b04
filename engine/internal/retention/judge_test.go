package retention

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, time.November, 21, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// rowsAfter are the rows of a table that stands in policy.go, by their cells.
func rowsAfter(t *testing.T, head string) (rows [][]string) {
	t.Helper()
	source, err := os.ReadFile("policy.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := bytes.Cut(source, []byte("//	"+head+"\n"))
	if !ok {
		t.Fatalf("there is no table %q", head)
	}
	for line := range strings.Lines(string(table)) {
		line, ok := strings.CutPrefix(line, "//	")
		if !ok {
			break
		}
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// The table of rights stands where the rules are told. Each of its rows holds
// for every combination of what can stand in the way.
func TestTableOfRights(t *testing.T) {
	head := "right      held  archived  stamped    compliance  governance  doubted"
	facts := strings.Fields(head)[1:]
	rows := rowsAfter(t, head)
	if len(rows) != 4 {
		t.Fatalf("%d rows", len(rows))
	}
	for _, row := range rows {
		for set := range 1 << len(facts) {
			d := &Document{CreatedAt: noon}
			var policies []Policy
			want := "-"
			for i, fact := range facts {
				if set&(1<<i) == 0 {
					continue
				}
				if want == "-" {
					want = row[i+1]
				}
				switch fact {
				case "doubted":
					d.Doubted = true
				case "held":
					d.Held = true
				case "archived":
					d.Archived = true
				case "stamped":
					d.RetainUntil = noon.Add(day)
				default:
					policies = append(policies, Policy{ID: fact, Action: ActionArchive, Start: Start{From: FromCreated}, Period: Days(1), Protect: Protect(fact), Enabled: true})
				}
			}
			got := "-"
			if o := ObstacleTo(Right(row[0]), d, policies, noon); o != nil {
				got = string(o.Because)
				if (o.Protection != nil) != (o.Because == Protected) {
					t.Errorf("%v of %+v: %+v", row, d, o)
				}
			}
			if got != want {
				t.Errorf("%v of %+v under %v: %s", row, d, policies, got)
			}
		}
	}
}

// What protects does so until its end and not at it; the one that lasts longest
// is told, and one without an end lasts longest.
func TestLongestProtection(t *testing.T) {
	protects := func(id string, by Protect, days uint64, from string) Policy {
		return Policy{ID: id, Scope: ScopeOrganization, Action: ActionArchive, Start: Start{From: from}, Period: Days(days), Protect: by, Enabled: true}
	}
	off := protects("off", ProtectCompliance, 90, FromCreated)
	off.Enabled = false
	short, long := protects("short", ProtectCompliance, 5, FromCreated), protects("long", ProtectGovernance, 10, FromCreated)
	open := protects("open", ProtectGovernance, 0, FromField+"closed")
	for _, c := range []struct {
		policies []Policy
		stamp    time.Duration
		after    time.Duration
		want     string // by, policy and days; "": nothing protects
	}{
		{nil, 0, 0, ""},
		{[]Policy{off, protects("none", ProtectNone, 9, FromCreated)}, 0, 0, ""},
		{[]Policy{short, long}, 0, 0, "governance long 10"},
		{[]Policy{long, short}, 0, 0, "governance long 10"},
		{[]Policy{short, long}, 0, 10*day - time.Millisecond, "governance long 10"},
		{[]Policy{short, long}, 0, 10 * day, ""},
		{[]Policy{short}, 7 * day, 0, "compliance  7"},
		{[]Policy{short, long}, 7 * day, 0, "governance long 10"},
		{[]Policy{short}, 7 * day, 6 * day, "compliance  7"},
		{[]Policy{short}, 7 * day, 7 * day, ""},
		{[]Policy{short, protects("same", ProtectGovernance, 5, FromCreated)}, 0, 0, "compliance short 5"},
		{[]Policy{open, long}, 0, 0, "governance open for ever"},
		{[]Policy{long, open, short}, 99 * day, 50 * day, "governance open for ever"},
	} {
		d := &Document{CreatedAt: noon}
		if c.stamp > 0 {
			d.RetainUntil = noon.Add(c.stamp)
		}
		got := ""
		if p := LongestProtection(d, c.policies, noon.Add(c.after)); p != nil {
			end := "for ever"
			if !p.Until.IsZero() {
				end = strings.TrimSuffix(p.Until.Sub(noon).String(), "h0m0s")
				end = map[string]string{"120": "5", "168": "7", "240": "10"}[end]
			}
			got = string(p.By) + " " + p.PolicyID + " " + end
		}
		if got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// What is due, by which action, and what keeps it.
func TestJudge(t *testing.T) {
	rule := func(action Action, days uint64, by Protect) Policy {
		return Policy{ID: string(action), Scope: ScopeOrganization, Action: action, Start: Start{From: FromCreated}, Period: Days(days), Protect: by, Enabled: true}
	}
	archive, remove := rule(ActionArchive, 1, ProtectNone), rule(ActionDelete, 2, ProtectNone)
	keep := Policy{ID: "keep", Scope: ScopeOrganization, Action: ActionDelete, Start: Start{From: FromCreated}, Period: Days(9), Protect: ProtectGovernance, Enabled: true}
	special := Policy{ID: "special", Scope: ScopeCategory, Action: ActionDelete, Start: Start{From: FromField + "closed"}, Enabled: true}
	is := func(change func(d *Document)) *Document {
		d := &Document{CreatedAt: noon, Fields: map[string]any{}}
		change(d)
		return d
	}
	cpq := archive
	cpq.Scope = ScopeProduct
	plain := is(func(*Document) {})
	held, locked := is(func(d *Document) { d.Held = true }), is(func(d *Document) { d.Locked = true })
	both, archived := is(func(d *Document) { d.Held, d.Locked = true, true }), is(func(d *Document) { d.Archived = true })
	closed := is(func(d *Document) { d.Fields["closed"] = "2026-11-22" })
	for _, c := range []struct {
		what            string
		d               *Document
		policies        []Policy
		after           time.Duration
		archive, delete string // by and because; "": it is not due
	}{
		{"before its time", plain, []Policy{archive, remove}, day - time.Millisecond, "", ""},
		{"to be archived", plain, []Policy{archive, remove}, day, "archive due", ""},
		{"to be deleted, so not archived", plain, []Policy{archive, remove}, 2 * day, "", "delete due"},
		{"archived already", archived, []Policy{archive, remove}, day, "", ""},
		{"archived, to be deleted", archived, []Policy{archive, remove}, 2 * day, "", "delete due"},
		{"held", held, []Policy{archive, remove}, day, "archive held", ""},
		{"held, to be deleted", held, []Policy{archive, remove}, 2 * day, "", "delete held"},
		{"locked", locked, []Policy{archive, remove}, day, "archive locked", ""},
		{"held and locked", both, []Policy{remove}, 2 * day, "", "delete held"},
		{"protected by another policy, so archived meanwhile", plain, []Policy{cpq, rule(ActionDelete, 9, ProtectNone), rule(ActionArchive, 20, ProtectCompliance)}, 9 * day, "archive due", "delete protected"},
		{"protected and locked", locked, []Policy{remove, rule(ActionArchive, 9, ProtectCompliance)}, 2 * day, "", "delete protected"},
		{"the longest period wins", plain, []Policy{remove, keep}, 8 * day, "", ""},
		{"and protects until it is due", plain, []Policy{remove, keep}, 9 * day, "", "keep due"},
		{"the winner's fact is missing", plain, []Policy{remove, special}, 9 * day, "", ""},
		{"the winner's fact is a date", closed, []Policy{remove, special}, day - time.Millisecond, "", ""},
		{"which begins at noon", closed, []Policy{remove, special}, day, "", "special due"},
	} {
		for action, want := range map[Action]string{ActionArchive: c.archive, ActionDelete: c.delete} {
			got, at := "", noon.Add(c.after)
			if v, due := Judge(c.d, action, c.policies, false, at, at); due {
				got = v.PolicyID + " " + string(v.Because)
				if v.Action != action {
					t.Errorf("%s: %+v", c.what, v)
				}
			}
			if got != want {
				t.Errorf("%s: to %s it: %q, want %q", c.what, action, got, want)
			}
		}
	}
	// What is due at the plan's instant is protected, or not, by now.
	guard := rule(ActionArchive, 5, ProtectGovernance)
	for now, want := range map[time.Time]Because{noon.Add(5*day - 1): Protected, noon.Add(5 * day): Due} {
		if v, due := Judge(plain, ActionDelete, []Policy{remove, guard}, false, noon.Add(2*day), now); !due || v.Because != want {
			t.Errorf("at %v: %+v, %v", now, v, due)
		}
	}
}

// What a period counts from, and when it ends.
func TestOver(t *testing.T) {
	d := &Document{
		CreatedAt: noon, UpdatedAt: noon.Add(day), VersionAt: noon.Add(time.Hour),
		Fields: map[string]any{"leap": "2024-02-29", "last": "9999-12-31", "old": "1950-03-01", "number": 7.0, "word": "soon"},
	}
	for _, c := range []struct {
		from string
		days uint64
		want string
	}{
		{FromCreated, 0, "2026-11-21T12:00:00Z"},
		{FromUpdated, 1, "2026-11-23T12:00:00Z"},
		{FromVersion, 365, "2027-11-21T13:00:00Z"},
		{FromField + "leap", 0, "2024-02-29T12:00:00Z"},
		{FromField + "leap", 366, "2025-03-01T12:00:00Z"},
		{FromField + "old", 73_000, "2150-01-11T12:00:00Z"},
		{FromField + "last", 0, "9999-12-31T12:00:00Z"},
		{FromField + "last", 1, "9999-12-31T23:59:59.999Z"},
		{FromField + "none", 1, "0001-01-01T00:00:00Z"},
		{FromField + "number", 1, "0001-01-01T00:00:00Z"},
		{FromField + "word", 1, "0001-01-01T00:00:00Z"},
	} {
		p := Policy{Start: Start{From: c.from}, Period: Days(c.days)}
		if got := p.Over(d).Format(time.RFC3339Nano); got != c.want {
			t.Errorf("%d days from %s: %s, want %s", c.days, c.from, got, c.want)
		}
	}
}

// Only a longer period loosens nothing.
func TestLoosens(t *testing.T) {
	law := Policy{ID: "1", Scope: ScopeCategory, Target: "invoice", Action: ActionDelete, Start: Start{From: FromCreated}, Period: Days(10), Protect: ProtectCompliance, Enabled: true}
	for what, c := range map[string]struct {
		change  func(p *Policy)
		loosens bool
	}{
		"nothing":          {func(*Policy) {}, false},
		"a longer period":  {func(p *Policy) { p.Period = Days(11) }, false},
		"a shorter period": {func(p *Policy) { p.Period = Days(9) }, true},
		"the target":       {func(p *Policy) { p.Target = "Invoice" }, true},
		"the scope":        {func(p *Policy) { p.Scope, p.Target = ScopeOrganization, "" }, true},
		"the action":       {func(p *Policy) { p.Action = ActionArchive }, true},
		"the start":        {func(p *Policy) { p.Start = Start{From: FromUpdated} }, true},
		"the protection":   {func(p *Policy) { p.Protect = ProtectGovernance }, true},
		"disabled":         {func(p *Policy) { p.Enabled, p.Period = false, Days(99) }, true},
	} {
		changed := law
		c.change(&changed)
		if got := Loosens(law, changed); got != c.loosens {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// No change of a document leads out of compliance.
func TestCompliance(t *testing.T) {
	law := func(id string, days uint64, from string) Policy {
		return Policy{ID: id, Start: Start{From: from}, Period: Days(days), Protect: ProtectCompliance, Enabled: true}
	}
	d := &Document{CreatedAt: noon}
	stamped := &Document{CreatedAt: noon, RetainUntil: noon.Add(30 * day)}
	long, short, open := law("long", 20, FromCreated), law("short", 10, FromCreated), law("open", 5, FromField+"closed")
	house := Policy{ID: "house", Start: Start{From: FromCreated}, Period: Days(90), Protect: ProtectGovernance, Enabled: true}
	for _, c := range []struct {
		what    string
		was, is *Document
		by, to  []Policy
		stamp   time.Duration
		leaves  string
	}{
		{"nothing changes", d, d, []Policy{long}, []Policy{long}, 0, ""},
		{"it leaves all", d, d, []Policy{short, long}, nil, 20 * day, ""},
		{"it comes under a shorter one", d, d, []Policy{long}, []Policy{short}, 20 * day, ""},
		{"it comes under a longer one", d, d, []Policy{short}, []Policy{long}, 0, ""},
		{"it leaves governance", d, d, []Policy{house}, nil, 0, ""},
		{"what was stamped lasts longer", stamped, stamped, []Policy{long}, nil, 0, ""},
		{"it leaves one without an end", d, d, []Policy{open}, []Policy{long}, 0, "open"},
		{"it stays under it", d, d, []Policy{long, open}, []Policy{open}, 20 * day, ""},
		{"the end becomes unknown", &Document{CreatedAt: noon, Fields: map[string]any{"closed": "2026-11-21"}}, d, []Policy{open}, []Policy{open}, 5 * day, ""},
	} {
		was, is := ComplianceOf(c.was, c.by, noon), ComplianceOf(c.is, c.to, noon)
		stamp := was.Stamp(is)
		if c.stamp == 0 && !stamp.IsZero() || c.stamp > 0 && !stamp.Equal(noon.Add(c.stamp)) {
			t.Errorf("%s: stamped %v", c.what, stamp)
		}
		if got := was.Leaves(is); got != c.leaves {
			t.Errorf("%s: it must not leave %q", c.what, got)
		}
	}
}
