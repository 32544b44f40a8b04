package console

import (
	"net/url"
	"strings"
	"testing"

	"strongroom/engine"
)

func (s *seat) holdsOf(matter string, status engine.HoldStatus) []engine.Hold {
	s.t.Helper()
	page, err := s.Holds(s.t.Context(), engine.HoldQuery{Matter: matter, Status: status})
	if err != nil {
		s.t.Fatal(err)
	}
	return page.Items
}

// leases makes some contracts and a report.
func (s *seat) leases() {
	s.t.Helper()
	for _, name := range []string{"Lease 1", "Lease 2", "Lease 3"} {
		s.CreateFrom(engine.NewDocument{Name: name, Category: "contract", Tags: []string{"acme"}}, "text")
	}
	s.CreateFrom(engine.NewDocument{Name: "Report", Category: "report"}, "text")
}

func TestHoldsArePlacedAfterTheDryRun(t *testing.T) {
	s := takeSeat(t)
	s.leases()
	s.get("/main/holds").is(200).says("Nothing is on hold", "Place the first holds")
	choice := s.get("/main/holds/new").is(200)
	s.submit(choice, "/main/holds/new", "matter", "Acme", "reason", "a claim").is(400).says("documents choose by something")
	s.submit(choice, "/main/holds/new", "matter", "Acme", "reason", "a claim", "f.category", "invoice").is(400).says("there is none that fits")
	s.submit(choice, "/main/holds/new", "matter", " ", "reason", "a claim", "f.category", "contract").is(400).says("matter must not be empty")
	would := s.submit(choice, "/main/holds/new", "matter", "Acme", "reason", "a claim", "f.category", "contract").is(200)
	would.says("3 documents would be put on legal hold for Acme", "Nothing has happened yet", "Lease 1", "Lease 3").saysNot("Report")
	if len(s.holdsOf("Acme", "")) != 0 {
		t.Fatal("the dry run has placed holds")
	}
	s.CreateFrom(engine.NewDocument{Name: "Lease 4", Category: "contract"}, "text") // came later: nobody has seen it
	s.submit(would, "/main/holds/place").is(200).says("3 documents on legal hold now for Acme", "Lease 2")
	if n := len(s.holdsOf("Acme", engine.HoldActive)); n != 3 {
		t.Fatalf("%d holds are active", n)
	}
	// More for the matter: those that are held stay as they are.
	again := s.submit(s.get("/main/holds/new?matter=Acme"), "/main/holds/new", "reason", "more", "f.category", "contract")
	again.says("1 document would be put on legal hold", "3 are held for it already").says("held already")
}

func TestHoldsByIds(t *testing.T) {
	s := takeSeat(t)
	a, b := s.Create("One", "text"), s.Create("Two", "text")
	typed := []string{"matter", "M", "reason", "why", "ids", a.ID + "\r\n" + b.ID + " 01J00000000000000000000000"}
	would := s.submit(s.get("/main/holds/new"), "/main/holds/new", typed...).is(200).says("2 documents would be put", "1 could not be held", "There is no such document")
	s.submit(would, "/main/holds/place").is(200).says("What became of it", "2 holds placed, 1 refused", "There is no such document")
	s.submit(s.get("/main/holds/new"), "/main/holds/new", append(typed, "f.category", "contract")...).is(400).says("not by both")
}

func TestManyHoldsArePlacedAndReleasedInTheBackground(t *testing.T) {
	s := takeSeat(t)
	for range 250 {
		s.CreateFrom(engine.NewDocument{Name: "Lease", Category: "contract"}, "text")
	}
	would := s.submit(s.get("/main/holds/new"), "/main/holds/new", "matter", "Acme", "reason", "a claim", "f.category", "contract").is(200)
	s.submit(would, "/main/holds/place").is(200)
	active := func() uint64 {
		t.Helper()
		s.console.jobs.running.Wait()
		matters, err := s.Matters(t.Context(), engine.Paging{})
		if err != nil || len(matters.Items) != 1 {
			t.Fatal(matters, err)
		}
		return matters.Items[0].Active
	}
	if n := active(); n != 250 {
		t.Fatalf("%d holds are active", n)
	}
	s.get("/main/me").says("The documents are placed on legal hold for Acme", "250")
	s.submit(s.get("/main/holds/release?matter=Acme").says("250 holds for Acme would be released"), "/main/holds/release", "reason", "settled").is(200)
	if n := active(); n != 0 {
		t.Errorf("%d holds are active", n)
	}
	// A reason that cannot be is told before anything is begun.
	would = s.submit(s.get("/main/holds/new"), "/main/holds/new", "matter", "Bolt", "reason", "why", "f.category", "contract").is(200)
	s.submit(would, "/main/holds/place", "reason", "").is(400)
}

func TestHoldsAreReleasedAfterTheDryRun(t *testing.T) {
	s := takeSeat(t)
	s.leases()
	hold := func(matter, category string) {
		t.Helper()
		s.submit(s.submit(s.get("/main/holds/new"), "/main/holds/new", "matter", matter, "reason", "why", "f.category", category), "/main/holds/place").is(200)
	}
	hold("Acme ./. Bolt & Sons", "contract")
	hold("Tax", "contract")
	matter := "Acme ./. Bolt & Sons"
	list := s.get("/main/holds?status=active&matter=" + url.QueryEscape(matter)).is(200).says(matter)
	if !strings.Contains(list.html, "release?matter=Acme") {
		t.Error("the matter cannot be released")
	}
	would := s.get("/main/holds/release?matter="+url.QueryEscape(matter)).is(200).says("3 holds for "+matter+" would be released", "3 documents of these would still be kept by other holds", "still kept by 1 other hold")
	if n := len(s.holdsOf(matter, engine.HoldActive)); n != 3 {
		t.Fatalf("the dry run has released holds: %d are active", n)
	}
	s.submit(would, "/main/holds/release", "reason", "settled").is(200).says("3 holds released", "settled")
	for _, h := range s.holdsOf(matter, "") {
		if h.Status != engine.HoldReleased || h.ReleaseReason != "settled" {
			t.Errorf("%+v", h)
		}
	}
	one := s.holdsOf("Tax", engine.HoldActive)[0]
	s.submit(s.get("/main/holds/release?hold="+one.ID).says("1 hold for Tax would be released"), "/main/holds/release").is(200)
	if n := len(s.holdsOf("Tax", engine.HoldActive)); n != 2 {
		t.Errorf("%d holds are active", n)
	}
	s.get("/main/holds/release?hold=nothing").is(404).says("There is no such hold")
	s.get("/main/holds?status=odd").is(400)
}

func TestAnErasureShowsFirstWhatItTakes(t *testing.T) {
	s := takeSeat(t)
	free, held := s.Create("Application of B. Wren", "text"), s.Create("Held letter", "text")
	if _, _, err := s.PlaceHold(t.Context(), s.Admin, held.ID, engine.Condition{}, engine.NewHold{Reason: "a claim"}); err != nil {
		t.Fatal(err)
	}
	s.get("/main/erasures").is(200).says("Nobody has asked to be erased")
	s.submit(s.get("/main/erasures/new"), "/main/erasures/new", "requester", "Case 7", "legalBasis", "GDPR Art. 17").is(400).says("documents choose by something")
	would := s.submit(s.get("/main/erasures/new"), "/main/erasures/new", "requester", "Case 7", "legalBasis", "GDPR Art. 17", "ids", free.ID+" "+held.ID).is(200)
	would.says("1 document would be erased at once", "1 document must wait", "A legal hold keeps it", "Application of B. Wren", "Nothing has happened yet")
	page, err := s.Erasures(t.Context(), engine.Paging{})
	if err != nil || len(page.Items) != 0 {
		t.Fatalf("looking has asked for %v, %v", page.Items, err)
	}
	noted := s.submit(would, "/main/erasures/request").is(200).says("The erasure is noted", "Case 7")
	s.sweep()
	s.get(noted.path).is(200).says("1 of 2 are erased", "1 waits", "Held letter").saysNot("Application of B. Wren")
	proof := s.get(noted.path+"/certificate").is(200).says("Not complete.", free.ID, "bears a legal hold", "strongroom audit head "+s.ID(), "Case 7")
	cert, err := s.Certificate(t.Context(), free.ID)
	if err != nil {
		t.Fatal(err)
	}
	proof.says(cert.AuditHash.String(), cert.Versions[0].Digest.String())
	s.get("/main/erasures").says("Case 7", "Deferred")
}

func TestAPersonIsErased(t *testing.T) {
	s := takeSeat(t)
	who, _ := s.Person("Bertram Wren", engine.AccessView)
	s.get("/main/erasures/new").says("Only somebody who is closed can be erased")
	closed := engine.UserClosed
	if _, _, err := s.UpdateUser(t.Context(), s.Admin, who.UserID, engine.Condition{}, engine.UserPatch{Status: &closed}); err != nil {
		t.Fatal(err)
	}
	typed := []string{"requester", "Case 8", "legalBasis", "GDPR Art. 17", "userId", who.UserID}
	s.submit(s.get("/main/erasures/new"), "/main/erasures/new", append(typed, "f.category", "contract")...).is(400).says("ask for two erasures")
	would := s.submit(s.get("/main/erasures/new"), "/main/erasures/new", typed...).is(200).says("Bertram Wren would be erased", "Their documents stay")
	noted := s.submit(would, "/main/erasures/request").is(200)
	s.sweep()
	s.get(noted.path).is(200).says("Completed", "All is gone")
	s.get(noted.path+"/certificate").is(200).says("The person below has been erased", who.UserID).saysNot("Bertram", "Not complete")
}
