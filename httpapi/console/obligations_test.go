package console

import (
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

// owed makes an obligation that is due so many days from today.
func (k *kit) owed(document, owner, title string, days int) engine.Obligation {
	k.t.Helper()
	due, err := engine.ParseDue(time.Now().UTC().AddDate(0, 0, days).Format(time.DateOnly))
	if err != nil {
		k.t.Fatal(err)
	}
	o, _, err := k.CreateObligation(k.t.Context(), k.Admin, engine.NewObligation{Title: title, DueDate: due, OwnerID: owner, DocumentID: document})
	if err != nil {
		k.t.Fatal(err)
	}
	return o
}

func (k *kit) obligation(id string) engine.Obligation {
	k.t.Helper()
	o, err := k.Obligation(k.t.Context(), id)
	if err != nil {
		k.t.Fatal(err)
	}
	return o
}

func TestObligationsAreCountedAndShownOnTheirDays(t *testing.T) {
	k := newKit(t)
	vera, token := k.Person("Vera Viewer", engine.AccessView)
	d := k.Create("The lease", "text")
	b, viewer := k.admin(), k.signedIn(token)
	b.get("/console/main/obligations").ok("/console/main/obligations").says("Nobody owes anything yet", "Write down the first one")
	viewer.get("/console/main/obligations").says("As soon as somebody writes").withholds("/console/main/obligations/new")
	late := k.owed(d.ID, k.Admin.UserID, "Give <notice>", -1)
	k.owed(d.ID, vera.UserID, "Report", 0)
	done := k.owed(d.ID, vera.UserID, "Protocol", 3)
	if _, _, err := k.CompleteObligation(t.Context(), k.Admin, done.ID, engine.Condition{}, engine.Completion{}); err != nil {
		t.Fatal(err)
	}
	b.get("/console/main/obligations").says("1 overdue 1 pending 1 completed", "Mine", "Give <notice>", "yesterday", "By owner", "Vera Viewer").
		offers("/console/main/obligations/list?status=overdue", "/console/main/obligations/new")
	viewer.get("/console/main/obligations").says("Report", "today").withholds("/console/main/obligations/new")
	b.get("/console/main/obligations?month=" + late.DueDate.String()[:7]).offers("/console/main/obligations/" + late.ID)
	b.get("/console/main/obligations?month=2031-02").says("February 2031", "Nothing is due in this month").
		offers("/console/main/obligations?month=2031-01", "/console/main/obligations?month=2031-03")
	b.get("/console/main/obligations?month=never").is(200)

	b.get("/console/main/obligations/list").says("Give <notice>", "Report", "Protocol")
	b.get("/console/main/obligations/list?status=overdue").says("Give <notice>").lacks("Report", "Protocol")
	b.get("/console/main/obligations/list?ownerId=" + vera.UserID).says("Report").lacks("Give <notice>")
	b.get("/console/main/obligations/list?dueFrom="+done.DueDate.String()+"&dueTo="+done.DueDate.String()).says("Protocol").lacks("Report", "Give")
	b.get("/console/main/obligations/list?documentId="+d.ID).says("Obligations of The lease", "Report")
	b.get("/console/main/obligations/list?status=overdue&ownerId=" + vera.UserID).says("Nothing fits")
	b.get("/console/main/obligations/list?dueFrom=never").is(400).says("must be a day")
	b.get("/console/main/obligations/list?status=never").is(400)
	b.get("/console/main/obligations/list?ownerId=nobody").is(400).says("names nobody here")
	b.get("/console/main/obligations/nowhere").is(404).says("no such obligation")
	b.get("/console/main/documents/"+d.ID).says("Give <notice>", "Overdue").offers("/console/main/obligations/"+late.ID, "/console/main/obligations/new?document="+d.ID)
}

func TestAnObligationIsMadeChangedAndCompleted(t *testing.T) {
	k := newKit(t)
	d := k.Create("The lease", "text")
	k.Create("The lamp", "text")
	proof := k.Create("Minutes", "text")
	k.Person("Vera Viewer", engine.AccessView)
	b := k.uploader()
	b.get("/console/main/obligations/new?document=" + d.ID).says("Because of The lease")
	p := b.submit("/console/main/obligations/new", "title", "Report", "dueDate", "2031-02-28", "dueTime", "15:30", "recurrence", "monthly").is(200).
		says("The obligation is made", "28 Feb 2031, 15:30", "a month later")
	at := p.Path
	id := at[strings.LastIndex(at, "/")+1:]
	if o := k.obligation(id); o.DueDate.String() != "2031-02-28T15:30:00.000Z" || o.DocumentID != d.ID || o.OwnerName != "Ulla Uploader" {
		t.Errorf("it is %+v", o)
	}

	b.submit(at+"/change", "title", "Report it", "dueTime", "", "description", "To the city").ok(at).says("Report it", "To the city", "28 Feb 2031")
	stale := b.last.form(at + "/change")
	k.UpdateObligation(t.Context(), k.Admin, id, engine.Condition{}, engine.ObligationPatch{Title: new("Report to them")})
	stale.Set("title", "Report to us")
	p = b.do("POST", at+"/change", "application/x-www-form-urlencoded", strings.NewReader(stale.Encode())).is(409).
		says("Somebody else changed this meanwhile", "Now: Report to them")
	if p.form(at+"/change").Get("title") != "Report to us" {
		t.Error("what was typed is lost")
	}
	b.submit(at + "/change").ok(at).says("Report to us")
	b.submit(at+"/change", "dueDate", "soon").is(400).says("must be a day")
	b.submit(at+"/change", "title", "", "dueDate", "2031-02-28").is(400).says("title")

	b.get(at)
	b.submit(at+"/complete", "evidenceDocument", proof.ID, "evidenceVersion", "7").is(400).says("must be the number of a version")
	b.submit(at+"/complete", "note", "Sent by post.", "evidenceDocument", proof.ID, "evidenceVersion", "1").ok(at).
		says("completed, and the next one is made", "Sent by post.", "version 1 of Minutes").withholds(at + "/complete")
	if o := k.obligation(id); o.Evidence == nil || o.Evidence.DocumentID != proof.ID {
		t.Errorf("the evidence is %+v", o.Evidence)
	}
	b.get("/console/main/obligations/list?status=pending").says("Report to us", "28 Mar 2031")
	b.get(at)
	b.submit(at + "/reopen").ok(at).says("open again").lacks("Sent by post.")
	b.submit(at+"/complete", "evidence", d.ID+" 1").ok(at).says("version 1 of The lease")
	b.submit(at + "/remove").ok("/console/main/obligations").says("“Report to us” is deleted")
	b.get(at).is(404)
}

func TestTheDocumentOfAnObligationIsFoundByItsName(t *testing.T) {
	k := newKit(t)
	k.Create("The lease", "text")
	lamp := k.Create("The lamp", "text")
	b := k.admin()
	b.get("/console/main/obligations/new")
	b.submit("/console/main/obligations/new", "title", "Report", "dueDate", "2031-02-28", "document", "zebra").is(400).says("is found by no name")
	b.submit("/console/main/obligations/new", "document", "").is(400).says("write how its name begins")
	b.submit("/console/main/obligations/new", "document", "the l").is(409).says("Several documents begin so", "The lease", "The lamp")
	if values := b.last.form("/console/main/obligations/new"); values.Get("title") != "Report" || values.Get("dueDate") != "2031-02-28" {
		t.Errorf("what was typed is lost: %v", values)
	}
	b.submit("/console/main/obligations/new", "documentId", lamp.ID).is(200).says("The obligation is made", "The lamp")
	b.get("/console/main/obligations/new")
	b.submit("/console/main/obligations/new", "title", "Report", "dueDate", "2031-02-28", "document", lamp.ID).is(200).says("The lamp")
	b.get("/console/main/obligations/new")
	b.submit("/console/main/obligations/new", "title", "Report", "dueDate", "2031-02-28", "document", "THE LE").is(200).says("The lease")
}

func TestWhereThereAreManyPeopleTheyAreTyped(t *testing.T) {
	k := newKit(t)
	for n := range maxOffered + 10 {
		name := "Somebody"
		if n == 0 {
			name = "Rare Name"
		}
		k.Person(name, engine.AccessView)
	}
	d := k.Create("The lease", "text")
	b := k.admin()
	b.get("/console/main/obligations/new?document=" + d.ID).lacks("Somebody")
	b.submit("/console/main/obligations/new", "title", "Report", "dueDate", "2031-02-28", "ownerId", "Somebody").is(400).says("names several people")
	b.submit("/console/main/obligations/new", "ownerId", "rare name").is(200).says("Rare Name")
}
