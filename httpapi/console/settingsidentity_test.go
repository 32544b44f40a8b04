package console

import (
	"testing"

	"strongroom/engine"
)

func TestAUserIsLinkedToAnAccountAndUnlinked(t *testing.T) {
	k := newKit(t)
	ulla, _ := k.Person("Ulla Uploader", engine.AccessUpload)
	otto, _ := k.Person("Otto Other", engine.AccessUpload)
	at := "/console/main/settings/users/" + ulla.UserID
	b := k.admin()
	b.get(at).says("None knows them").withholds(at + "/unlink")
	b.submit(at+"/identity", "issuer", "https://id.example", "subject", "a \"quoted\" one").is(400).says("identity.subject", "printable")
	b.submit(at+"/identity", "subject", "0815").ok(at).says("is linked", "https://id.example", "0815", "have not yet")
	is := engine.Identity{Issuer: "https://id.example", Subject: "0815"}
	if u, err := k.User(t.Context(), ulla.UserID); err != nil || u.Identity != is {
		t.Errorf("%+v, %v", u, err)
	}

	other := "/console/main/settings/users/" + otto.UserID
	p := b.get(other)
	if offered := p.form(other + "/identity").Get("issuer"); offered != "https://id.example" {
		t.Errorf("offered is the issuer %q", offered)
	}
	b.submit(other+"/identity", "subject", "0815").is(409).says("That account is linked to Ulla Uploader already")

	b.get(at)
	b.get(at)
	stale := b.last
	name := "Ulla Upper"
	if _, _, err := k.UpdateUser(t.Context(), k.Admin, ulla.UserID, engine.Condition{}, engine.UserPatch{Name: &name}); err != nil {
		t.Fatal(err)
	}
	b.last = stale
	b.submit(at+"/identity", "subject", "4711").is(409).says("Somebody else changed this meanwhile", "Now: 0815")
	b.submit(at+"/unlink").ok(at).says("not linked any more", "None knows them")
	if u, err := k.User(t.Context(), ulla.UserID); err != nil || u.Identity != (engine.Identity{}) {
		t.Errorf("%+v, %v", u, err)
	}
}

// Who links an admin to an account could act as that admin, so it takes two.
func TestLinkingAnAdminNeedsTwo(t *testing.T) {
	k := newKit(t)
	bert, token := k.Person("Bert Both", engine.AccessAdmin)
	two := []engine.Covered{engine.CoveredErasure}
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &two}); err != nil {
		t.Fatal(err)
	}
	at := "/console/main/settings/users/" + bert.UserID
	b := k.admin()
	b.get(at)
	asked := b.submit(at+"/identity", "issuer", "https://id.example", "subject", "0815").is(200).says("nothing is done yet", "https://id.example", "0815")
	if u, _ := k.User(t.Context(), bert.UserID); u.Identity != (engine.Identity{}) {
		t.Fatal("it is done")
	}
	second := k.signedIn(token)
	second.get(asked.Path)
	second.submit(asked.Path + "/approve").is(200).says("It is approved, and done")
	if u, _ := k.User(t.Context(), bert.UserID); u.Identity.Subject != "0815" {
		t.Error("it is not done")
	}
}

// The console is closed to keys only once an admin can come in without one.
func TestTheConsoleIsClosedToKeysOnceAnAdminHasComeThroughTheProvider(t *testing.T) {
	k := newKit(t)
	const at = "/console/main/settings"
	b := k.admin()
	b.get(at).says("People sign in to the console with an API key too", "this server has none now")
	off := func() seen {
		f := b.get(at).form(at + "/general")
		f.Del("signInByKey")
		var pairs []string
		for name, values := range f {
			pairs = append(pairs, name, values[0])
		}
		return b.post(at+"/general", pairs...)
	}
	off().is(400).says("stays true until an admin has signed in through the identity provider", "Now: with a key too")
	if s, _ := k.Settings(t.Context()); !s.SignInByKey {
		t.Fatal("it is closed")
	}
	is := engine.Identity{Issuer: "https://id.example", Subject: "0815"}
	if _, _, err := k.UpdateUser(t.Context(), k.Admin, k.Admin.UserID, engine.Condition{}, engine.UserPatch{Identity: &is}); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Arrive(t.Context(), engine.Arrival{Identity: is, Access: engine.AccessAdmin}); err != nil {
		t.Fatal(err)
	}
	off().ok(at).says("The settings are saved.")
	if s, _ := k.Settings(t.Context()); s.SignInByKey {
		t.Error("it is open to keys")
	}
}
