package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"strongroom/engine"
)

func TestMySessionsAreMineToEnd(t *testing.T) {
	k := newKit(t)
	_, token := k.Person("Vera Viewer", engine.AccessView)
	here, there, elsewhere := k.signedIn(token), k.stranger(), k.signedIn(token)
	there.header.Set("User-Agent", "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0")
	there.post("/console/sign-in", "key", token).ok("/console/main/documents")
	other := k.admin()
	p := here.get("/console/main/me").ok("/console/main/me").says("Vera Viewer", "access: view", "this one", "Edge on Windows", "ask one").
		offers("/console/main/me/sessions/others").withholds("/console/main/settings/users/" + k.Admin.UserID)
	others := k.console.sessions.mine("main", k.Admin.UserID)
	here.post("/console/main/me/sessions/end", "session", others[0].ID).ok("/console/main/me").says("has ended already")
	other.get("/console/main/me").ok("/console/main/me")

	row := p.HTML[strings.Index(p.HTML, "Edge on Windows"):]
	id := regexp.MustCompile(`name="session" value="([^"]+)"`).FindStringSubmatch(row)[1]
	here.post("/console/main/me/sessions/end", "session", id).ok("/console/main/me").says("The session is ended").lacks("Edge on Windows")
	if p := there.get("/console/main/me"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Errorf("the session goes on: %s", p.Path)
	}
	here.get("/console/main/me")
	here.submit("/console/main/me/sessions/others").ok("/console/main/me").says("1 session ended").withholds("/console/main/me/sessions/others")
	if p := elsewhere.get("/console/main/me"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Errorf("the session goes on: %s", p.Path)
	}
	other.get("/console/main/me").ok("/console/main/me")
}

func TestMyKeyIsMineToRotate(t *testing.T) {
	k := newKit(t)
	_, token := k.Person("Vera Viewer", engine.AccessView)
	b := k.signedIn(token)
	mine := k.console.sessions
	p := b.get("/console/main/me").lacks("first key")
	at := regexp.MustCompile(`/console/main/me/keys/[^/"]+/rotate`).FindString(p.HTML)
	if at == "" {
		t.Fatal("the key cannot be rotated")
	}
	b.submit(at, "overlap", "9999").is(400).says("must be hours")
	b.get("/console/main/me")
	p = b.submit(at, "overlap", "24").is(200).says("shown once")
	secret := regexp.MustCompile(`sr_[A-Za-z0-9_.-]+`).FindString(p.text())
	k.signedIn(secret).get("/console/main/me").says("Vera Viewer")
	b.get("/console/main/me").ok("/console/main/me").lacks(secret)
	b.post("/console/main/me/keys/"+k.Admin.KeyID+"/rotate", "overlap", "0").is(404)
	if len(mine.mine("main", k.Admin.UserID)) != 0 {
		t.Error("somebody else's sessions are listed")
	}
}

func TestMyCalendarIsMineToStartAndEnd(t *testing.T) {
	k := newKit(t)
	_, token := k.Person("Vera Viewer", engine.AccessView)
	b := k.signedIn(token)
	b.get("/console/main/me")
	p := b.submit("/console/main/me/calendar").is(200).says("shown once", "/v1/obligations/calendar.ics?token=")
	found := regexp.MustCompile(`data-copy="(https?://[^"]+/v1/obligations/calendar.ics)\?token=([^"]+)"`).FindStringSubmatch(p.HTML)
	if found == nil {
		t.Fatal(p.HTML)
	}
	secret, err := url.QueryUnescape(found[2])
	if err != nil {
		t.Fatal(err)
	}
	if u, _, err := k.Calendar(t.Context(), secret); err != nil || u.Name != "Vera Viewer" {
		t.Errorf("it is of %s: %v", u.Name, err)
	}
	b.get("/console/main/me").lacks("calendar.ics")
	b.submit("/console/main/me/calendar/end").ok("/console/main/me").says("is ended")
	if _, _, err := k.Calendar(t.Context(), secret); err == nil {
		t.Error("it goes on")
	}
	b.submit("/console/main/me/calendar/end").ok("/console/main/me").says("no address")
}

func TestMyWorkIsUnderMe(t *testing.T) {
	k := newKit(t)
	d := k.Create("The lease", "text")
	b := k.admin()
	b.get("/console/main/me").lacks("Changes of many documents")
	p := b.post("/console/main/documents/chosen", "document", d.ID, "action", "tags", "addTags", "signed").is(200)
	b.submit(p.Path + "/start").is(200)
	b.get("/console/main/me").says("Changes of many documents", "Tags are added", "done").offers(p.Path)
	k.uploader().get("/console/main/me").lacks("Tags are added")
}

func TestWhomTheHostKnowsHasNoSessionToEnd(t *testing.T) {
	var k *kit
	k = newKitWith(t, Options{Authenticate: func(*http.Request) (*engine.Vault, engine.Actor, error) {
		return k.Vault, engine.Actor{UserID: k.Admin.UserID, Access: engine.AccessAdmin}, nil
	}})
	b := k.stranger()
	b.get("/console/main/me").is(200).lacks("My sessions", "Sign out")
	b.post("/console/main/me/sessions/others").is(404)
}

func TestBrowsersAreCalledByTheirNames(t *testing.T) {
	for agent, words := range map[string]string{
		"": "Another program", "curl/8": "Another program",
		"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0":                                         "Firefox on Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36":   "Chrome on Android",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0":      "Edge on Windows",
	} {
		if is := browserWords(agent); is != words {
			t.Errorf("%q is %q, want %q", agent, is, words)
		}
	}
}
