package console

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

func TestFormsOfGovernanceComeBackAfterASession(t *testing.T) {
	s := takeSeat(t)
	d := s.CreateFrom(engine.NewDocument{Name: "The lease", Category: "contract"}, "text")

	would := s.look("name", "Contracts", "scope", "category", "target", "contract", "count", "10", "action", "archive")
	back := s.comesBack(would, "/main/retention/policies/look").is(200).says("What the policy would do", "is archived 10 years")
	s.submit(back, "/main/retention/policies/look").says("Contracts is a policy now.")

	tried := s.submit(s.get("/main/holds/new"), "/main/holds/new", "matter", "Acme", "reason", "a claim", "f.category", "contract")
	back = s.comesBack(tried, "/main/holds/place").is(200).says("1 document would be put on legal hold for Acme", "Why: a claim")
	s.submit(back, "/main/holds/place").says("1 document on legal hold now")

	back = s.comesBack(s.get("/main/holds/new"), "/main/holds/new", "matter", "Bolt", "reason", "another", "f.category", "contract").is(200)
	if _, _, form := back.fill("/main/holds/new"); form.Get("matter") != "Bolt" || form.Get("f.category") != "contract" || form.Get("reason") != "another" {
		t.Errorf("what was typed is lost: %v", form)
	}

	tried = s.get("/main/holds/release?matter=Acme")
	back = s.comesBack(tried, "/main/holds/release", "reason", "settled").is(200).says("1 hold for Acme would be released")
	s.submit(back, "/main/holds/release").says("1 hold released", "settled")

	typed := []string{"requester", "Case 9", "legalBasis", "a law", "ids", d.ID, "f.status", ""}
	tried = s.submit(s.get("/main/erasures/new"), "/main/erasures/new", typed...)
	back = s.comesBack(tried, "/main/erasures/request").is(200).says("1 document would be erased at once", "Case 9")
	s.submit(back, "/main/erasures/request").says("The erasure is noted")
}

func TestADoubtedClockIsToldBeforeARun(t *testing.T) {
	s := takeSeat(t)
	for doubt, says := range map[engine.Doubt]string{
		engine.DoubtBehind: "behind the last entry", engine.DoubtParted: "set by more than an hour", engine.DoubtSilence: "no entry in the audit log for longer",
	} {
		v := s.console.stranger(httptest.NewRequest("GET", "/console/main/retention/preview", nil))
		v.shell.enter("main", engine.User{}, engine.AccessAdmin, time.UTC)
		v.shell.Body = plan{Doubt: doubt}
		var page strings.Builder
		err := s.console.pages["plan"].ExecuteTemplate(&page, "frame", v.shell)
		if err != nil {
			t.Fatal(err)
		}
		if is := page.String(); !strings.Contains(is, says) || !strings.Contains(is, `name="acceptClock"`) {
			t.Errorf("of %s the page says %s", doubt, is)
		}
	}
	s.get("/main/retention/preview").saysNot("The clock is right: go on")
	// To vouch for a clock takes a reason.
	s.submit(s.get("/main/retention/preview"), "/main/retention/preview", "acceptClock", "1").is(400).says("must say why the clock can be trusted")
}
