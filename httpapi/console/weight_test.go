package console

import (
	"fmt"
	"testing"

	"strongroom/engine"
)

// A page must not grow with the organization: its weight, without pictures, stays below
// 60 KB.
func TestPagesStayLightInALargeOrganization(t *testing.T) {
	k := newKit(t)
	var names []string
	for n := range 200 {
		names = append(names, fmt.Sprintf("department-%d-correspondence", n))
	}
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{Categories: &names}); err != nil {
		t.Fatal(err)
	}
	for n := range 500 {
		if _, _, err := k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: fmt.Sprintf("Somebody with a long name %d", n), Email: fmt.Sprintf("somebody.%d@a-long-domain.example", n), Access: engine.AccessView}); err != nil {
			t.Fatal(err)
		}
	}
	var d engine.Document
	for n := range 60 {
		d = k.CreateFrom(engine.NewDocument{Name: fmt.Sprintf("Lease %d of the north building.pdf", n), Category: names[n], Tags: []string{"year:2026", "signed"}}, "text")
	}
	b := k.admin()
	for _, at := range []string{"documents", "documents?category=" + names[7], "upload", "documents/" + d.ID, "documents/" + d.ID + "/edit", "obligations", "obligations/list", "obligations/new",
		"holds/new", "erasures/new", "audit", "settings/users", "settings/keys", "settings/users/" + k.Admin.UserID, "me"} {
		p := b.get("/console/main/" + at).is(200)
		if len(p.HTML) > 60_000 {
			t.Errorf("%s weighs %d bytes", at, len(p.HTML))
		}
	}
	p := b.get("/console/main/documents?ownerId=somebody.7@a-long-domain.example").is(200)
	p.says("Nothing fits")
	b.get("/console/main/documents?ownerId=Ada+Admin").is(200).says("Lease 59")
	b.get("/console/main/documents?ownerId=nobody").is(400).says("names nobody here")
	b.get("/console/main/documents/" + d.ID + "/edit")
	b.submit("/console/main/documents/"+d.ID+"/edit", "ownerId", "somebody.7@a-long-domain.example", "category", names[150]).ok("/console/main/documents/" + d.ID)
	if is := k.document(d.ID); is.Category != names[150] || is.OwnerID == k.Admin.UserID {
		t.Errorf("it is %+v", is)
	}
	b.post("/console/main/documents/chosen", "document", d.ID, "action", "owner", "ownerId", "Somebody with a long name 9").is(200).says("The owner becomes Somebody with a long name 9")
}
