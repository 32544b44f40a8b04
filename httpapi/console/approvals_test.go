package console

import (
	"errors"
	"testing"

	"strongroom/engine"
)

// What needs two persons says so beforehand, lands on the page of its request, and is
// done when somebody else approves it there.
func TestTwoPersonsAtTheConsole(t *testing.T) {
	s := takeSeat(t)
	ctx := t.Context()
	_, token := s.Person("Bert Both", engine.AccessAdmin)
	_, auditor := s.Person("Au Ditor", engine.AccessAuditor)
	d := s.Create("The lease", "text")
	for range 2 {
		if _, _, err := s.PlaceHold(ctx, s.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "a claim", Matter: "Acme"}); err != nil {
			t.Fatal(err)
		}
	}
	s.submit(s.get("/main/settings").says("Needs two persons").saysNot("Erasure Approvals Audit log"), "/main/settings/general", "two.hold.release", "on", "two.document.delete", "on").is(200).says("The settings are saved", "Erasure Approvals Audit log")
	would := s.get("/main/holds/release?matter=Acme").is(200).says("This needs two persons", "2 holds for Acme would be released")
	asked := s.submit(would, "/main/holds/release", "reason", "settled").is(200).says("This needs two persons, and nothing is done yet", "Release legal holds", "You asked for it", "settled").saysNot("Approve, and do it")
	if n := len(s.holdsOf("Acme", engine.HoldActive)); n != 2 {
		t.Fatalf("%d holds are active", n)
	}
	s.get("/main/approvals").is(200).says("Release legal holds", "Waiting", "releasing legal holds")
	bert, au := s.as(token), s.as(auditor)
	au.get(asked.path).is(200).says("exactly this is done").saysNot("Approve, and do it", "Reject it")
	bert.submit(bert.get(asked.path).is(200).says("exactly this is done", "settled"), asked.path[len("/console"):]+"/approve").is(200).says("It is approved, and done", "by Bert Both")
	if n := len(s.holdsOf("Acme", engine.HoldActive)); n != 0 {
		t.Errorf("%d holds are active", n)
	}

	gone := s.submit(s.get("/main/documents/"+d.ID+"/delete").is(200).says("This needs two persons"), "/main/documents/"+d.ID+"/delete", "name", "The lease").is(200).says("Delete a document", "The lease")
	bert.submit(bert.get(gone.path), gone.path[len("/console"):]+"/reject").is(200).says("It is rejected")
	if _, err := s.Document(ctx, d.ID); errors.Is(err, engine.ErrDocumentDeleted) {
		t.Error("what was rejected is done")
	}
	key := s.submit(s.get("/main/settings/keys"), "/main/settings/keys/add", "name", "spare", "userId", bertID(t, s)).is(200).says("Make a key of an admin", "Bert Both")
	s.as(token).get(key.path).says("Approve, and do it")
	s.get("/main/approvals/nothing").is(404).says("There is no such request")
}

func bertID(t *testing.T, s *seat) string {
	t.Helper()
	users, err := s.Users(t.Context(), engine.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users.Items {
		if u.Name == "Bert Both" {
			return u.ID
		}
	}
	t.Fatal("there is no Bert")
	return ""
}
