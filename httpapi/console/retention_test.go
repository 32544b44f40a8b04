package console

import (
	"net/url"
	"strings"
	"testing"

	"strongroom/engine"
)

func (s *seat) policies() []engine.Policy {
	s.t.Helper()
	page, err := s.Policies(s.t.Context(), engine.Paging{})
	if err != nil {
		s.t.Fatal(err)
	}
	return page.Items
}

func (s *seat) sweep() {
	s.t.Helper()
	if _, err := s.Sweep(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// look fills the form of a new policy, and asks what it would do.
func (s *seat) look(typed ...string) answered {
	s.t.Helper()
	return s.submit(s.get("/main/retention/policies/new"), "/main/retention/policies/look", typed...)
}

func TestAPolicyIsSeenBeforeItIsSaved(t *testing.T) {
	s := takeSeat(t)
	for range 3 {
		s.CreateFrom(engine.NewDocument{Name: "An <invoice>", Category: "invoice"}, "text")
	}
	s.CreateFrom(engine.NewDocument{Name: "A lease", Category: "contract"}, "text")
	s.get("/main/retention").is(200).says("Every document is kept for ever", "Make the first policy")

	would := s.look("name", "Invoices", "scope", "category", "target", "invoice", "count", "0", "unit", "D", "action", "delete").is(200)
	would.says("Every document of the category invoice is deleted 0 days after it was made.", "deleted for good03", "An <invoice>", "delete it for good", "The next run would delete 3 for good")
	if len(s.policies()) != 0 {
		t.Fatal("looking has saved a policy")
	}
	s.submit(would, "/main/retention/policies/look").is(200).says("Invoices is a policy now.", "In force")
	if all := s.policies(); len(all) != 1 || all[0].Period != "P0D" || all[0].Action != engine.ActionDelete {
		t.Errorf("the vault has %+v", all)
	}
	// The double click makes one.
	s.submit(would, "/main/retention/policies/look").is(200)
	if all := s.policies(); len(all) != 1 {
		t.Errorf("a form sent twice made %d policies", len(all))
	}
}

func TestAPolicyThatWasNotLookedAtIsShownFirst(t *testing.T) {
	s := takeSeat(t)
	s.Create("old", "text")
	form := url.Values{"name": {"All"}, "scope": {"organization"}, "count": {"0"}, "unit": {"D"}, "action": {"delete"}, "startFrom": {"createdAt"},
		"planDigest": {strings.Repeat("ab", 32)}}
	s.send("/console/main/retention/policies/look", form).is(200).says("What the policy would do", "deleted for good01")
	if len(s.policies()) != 0 {
		t.Error("a policy was saved that nobody has looked at")
	}
}

func TestPeriodsAreSpelledAsPeopleGiveThem(t *testing.T) {
	s := takeSeat(t)
	s.Define(engine.DateField, "signed")
	for _, c := range []struct {
		typed []string
		says  string
	}{
		{[]string{"count", "10", "unit", "Y", "startFrom", "field:signed", "startAt", "endOfYear", "protect", "governance"}, "is archived 10 years after the end of the year of the day in its field signed. Until then nobody can delete it but an admin who gives a reason. Without a day in that field it is never due."},
		{[]string{"count", "", "period", "P1Y6M"}, "is archived 1 year and 6 months after it was made."},
		{[]string{"count", "2", "unit", "W", "startFrom", "currentVersion", "startAt", "endOfMonth"}, "is archived 2 weeks after the end of the month in which its current version was made."},
		{[]string{"count", "", "period", ""}, "how long must be given"},
		{[]string{"count", "2", "unit", "Y", "period", "P1Y6M"}, "how long is given twice"},
		{[]string{"count", "ten", "unit", "Y"}, "how long must be a whole number"},
		{[]string{"count", "900", "unit", "Y"}, "period must be"},
		{[]string{"count", "1", "unit", "Y", "scope", "category", "target", "no such"}, "target must be one of"},
	} {
		s.look(append([]string{"name", "One"}, c.typed...)...).says(c.says)
	}
	// What was typed is still there.
	p := s.look("name", "One", "count", "ten", "unit", "M").is(400)
	if _, _, form := p.fill("/main/retention/policies/look"); form.Get("count") != "ten" || form.Get("unit") != "M" || form.Get("name") != "One" {
		t.Errorf("the form has %v", form)
	}
}

// policy makes one by the engine.
func (s *seat) policy(n engine.NewPolicy) engine.Policy {
	s.t.Helper()
	p, _, err := s.CreatePolicy(s.t.Context(), s.Admin, n)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func TestComplianceIsBoundByItsName(t *testing.T) {
	s := takeSeat(t)
	p := s.policy(engine.NewPolicy{Name: "Ledgers & books", Scope: engine.ScopeOrganization, Period: "P10Y", Action: engine.ActionDelete, Protect: engine.ProtectGovernance})
	would := s.get("/main/retention/policies/look?id="+p.ID+"&protect=compliance&enabled=true").is(200).says("This can never be undone.", "Type the policy's name", "by no right and on no road")
	again := s.submit(would, "/main/retention/policies/look", "confirm", "Ledgers").is(400).says("That is not its name.")
	if s.policies()[0].Protect != engine.ProtectGovernance {
		t.Fatal("a wrong name has bound it")
	}
	s.submit(again, "/main/retention/policies/look", "confirm", p.Name).is(200).says("is saved", "Protects by compliance")
	if s.policies()[0].Protect != engine.ProtectCompliance {
		t.Fatal("it does not protect by compliance")
	}
	page := s.get("/main/retention/policies/"+p.ID).is(200).says("cannot be disabled or deleted").saysNot("Delete it…", "Take it out of force")
	s.submit(s.submit(page, "/main/retention/policies/look", "count", "12"), "/main/retention/policies/look").is(200)
	if is := s.policies()[0]; is.Period != "P12Y" {
		t.Errorf("its period is %s", is.Period)
	}
	shorter := s.submit(s.get("/main/retention/policies/"+p.ID), "/main/retention/policies/look", "count", "1")
	s.submit(shorter, "/main/retention/policies/look").is(409).says("The policy is locked")
}

func TestTwoPeopleChangeAPolicy(t *testing.T) {
	s := takeSeat(t)
	p := s.policy(engine.NewPolicy{Name: "All", Scope: engine.ScopeOrganization, Period: "P10Y", Action: engine.ActionArchive})
	_, other := s.Person("Bea", engine.AccessAdmin)
	bea := s.as(other)
	mine := s.submit(s.get("/main/retention/policies/"+p.ID), "/main/retention/policies/look", "count", "5")
	bea.submit(bea.submit(bea.get("/main/retention/policies/"+p.ID), "/main/retention/policies/look", "count", "7"), "/main/retention/policies/look").says("All is saved.")
	both := s.submit(mine, "/main/retention/policies/look").is(409).says("Somebody else changed the policy meanwhile", "archived 7 years")
	if _, _, form := both.fill("/main/retention/policies/look"); form.Get("count") != "5" {
		t.Errorf("what was typed is lost: %v", form)
	}
	s.submit(s.submit(both, "/main/retention/policies/look"), "/main/retention/policies/look").says("All is saved.")
	if is := s.policies()[0]; is.Period != "P5Y" {
		t.Errorf("its period is %s", is.Period)
	}
}

func TestAPolicyIsDeletedWithWhatThatWouldDo(t *testing.T) {
	s := takeSeat(t)
	s.CreateFrom(engine.NewDocument{Name: "kept by the longer one"}, "text")
	s.policy(engine.NewPolicy{Name: "Long", Scope: engine.ScopeOrganization, Period: "P10Y", Action: engine.ActionDelete})
	s.policy(engine.NewPolicy{Name: "Short", Scope: engine.ScopeOrganization, Period: "P0D", Action: engine.ActionDelete})
	long := s.policies()[0]
	would := s.get("/main/retention/policies/look?id="+long.ID+"&delete=1").is(200).says("Delete this policy?", "deleted for good01", "kept by the longer one")
	s.submit(would, "/main/retention/policies/look").is(200).says("Long is deleted.")
	if all := s.policies(); len(all) != 1 || all[0].Name != "Short" {
		t.Errorf("there is %+v", all)
	}
}

func TestARunDoesWhatWasSeen(t *testing.T) {
	s := takeSeat(t)
	held := s.CreateFrom(engine.NewDocument{Name: "Held"}, "text")
	gone := s.CreateFrom(engine.NewDocument{Name: "Due"}, "text")
	if _, _, err := s.PlaceHold(t.Context(), s.Admin, held.ID, engine.Condition{}, engine.NewHold{Reason: "a claim"}); err != nil {
		t.Fatal(err)
	}
	s.submit(s.look("name", "All", "count", "0", "unit", "D", "action", "delete"), "/main/retention/policies/look").is(200)
	plan := s.get("/main/retention/preview").is(200).says("1 would be deleted for good", "1 would stay: a legal hold keeps them", "leave it: held")
	run := s.submit(plan, "/main/retention/preview").is(200)
	s.sweep()
	s.get(run.path).is(200).says("Completed", "1 deleted for good", "1 left: a legal hold keeps them", "Held")
	if _, err := s.Document(t.Context(), gone.ID); err == nil {
		t.Error("what was due is still there")
	}
	if _, err := s.Document(t.Context(), held.ID); err != nil {
		t.Errorf("%s: %v", held.Name, err)
	}
	s.get("/main/retention/runs").is(200).says("Completed", "Ada Admin")
}

func TestARunOfAnotherPlanIsRefusedInThePage(t *testing.T) {
	s := takeSeat(t)
	due := s.Create("Due", "text")
	s.submit(s.look("name", "All", "count", "0", "unit", "D", "action", "delete"), "/main/retention/policies/look").is(200)
	plan := s.get("/main/retention/preview")
	if _, _, err := s.PlaceHold(t.Context(), s.Admin, due.ID, engine.Condition{}, engine.NewHold{Reason: "a claim"}); err != nil {
		t.Fatal(err)
	}
	s.submit(plan, "/main/retention/preview", "reason", "as agreed").is(409).says("The plan has changed since you looked", "Nothing was done", "1 would stay")
}

func TestAVaultThatStandsStillGoesOn(t *testing.T) {
	s := takeSeat(t)
	on := true
	if _, _, err := s.UpdateSettings(t.Context(), s.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &on}); err != nil {
		t.Fatal(err)
	}
	s.get("/main/retention").says("Retention stands still.")
	before := s.get("/main/retention/resume").is(200).says("The daily run of retention", "Webhooks", "Erasures: none waits")
	runAt := "03:30"
	if _, _, err := s.UpdateSettings(t.Context(), s.Admin, engine.Condition{}, engine.SettingsPatch{RetentionRunAt: &runAt}); err != nil {
		t.Fatal(err)
	}
	again := s.submit(before, "/main/retention/resume").is(409).says("Somebody else changed the settings meanwhile", "03:30")
	s.submit(again, "/main/retention/resume").is(200).says("The vault goes on")
	if is, err := s.Settings(t.Context()); err != nil || is.Paused {
		t.Errorf("paused: %v, %v", is.Paused, err)
	}
}

func TestGovernanceIsForAdmins(t *testing.T) {
	s := takeSeat(t)
	_, token := s.Person("Vera", engine.AccessUpload)
	vera := s.as(token)
	vera.get("/main/documents").saysNot("Retention", "Legal holds", "Erasure").says("Audit log")
	for _, path := range []string{"/main/retention", "/main/retention/preview", "/main/retention/policies/new", "/main/holds", "/main/holds/new", "/main/erasures", "/main/erasures/new"} {
		vera.get(path).is(403).says("You may not do this")
	}
	for _, path := range []string{"/console/main/retention/policies/look", "/console/main/retention/preview", "/console/main/holds/place", "/console/main/holds/release", "/console/main/erasures/request", "/console/main/audit/export"} {
		vera.send(path, url.Values{"what": {"log"}}).is(403)
	}
}
