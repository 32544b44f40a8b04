package console

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

func TestSignInTakesARightKeyAndTellsOthersWhatToDo(t *testing.T) {
	k := newKit(t)
	b := k.stranger()
	b.get("/console").ok("/console/sign-in").says("API key")
	if p := b.get("/console/main/documents?tag=a"); p.Path != "/console/sign-in?to=%2Fconsole%2Fmain%2Fdocuments%3Ftag%3Da" {
		t.Errorf("led to %s", p.Path)
	}
	b.post("/console/sign-in", "key", "").is(401).says("The key is not valid")
	b.post("/console/sign-in", "key", k.Token+"x", "to", "/console/main/upload").is(401).says("The key is not valid", "Check that you copied it whole")
	b.post("/console/sign-in", "key", strings.Replace(k.Token, "main", "other", 1)).is(401).says("The key is not valid")
	b.submit("/console/sign-in", "key", k.Token, "to", "/console/main/upload").ok("/console/main/upload")
	b.get("/console/").ok("/console/main/documents")
	b.get("/console/other/documents").is(404).says("no such page")

	ada, token := k.Person("Revoked", engine.AccessView)
	if _, _, err := k.RevokeKey(t.Context(), k.Admin, ada.KeyID); err != nil {
		t.Fatal(err)
	}
	k.stranger().post("/console/sign-in", "key", token).is(401).says("The key was revoked", "Ask an admin")
	if strings.Contains(b.last.HTML, k.Token) {
		t.Error("the page has the key in it")
	}
}

func TestSignInIsRefusedWhereItCanBeRead(t *testing.T) {
	k := newKit(t)
	for _, method := range []string{"GET", "POST"} {
		r := httptest.NewRequest(method, "http://vault.example/console/sign-in", strings.NewReader(url.Values{"key": {k.Token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = "192.0.2.7:1234"
		w := httptest.NewRecorder()
		k.console.ServeHTTP(w, r)
		if w.Code != 403 || !strings.Contains(w.Body.String(), "strongroom tls init") || len(w.Result().Cookies()) > 0 {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
	for _, from := range []struct {
		url, public, header string
		refused             bool
	}{
		{"http://127.0.0.1:7000", "", "", false}, {"http://localhost:7000", "", "", false}, {"http://[::1]:7000", "", "", false}, {"http://vault.localhost", "", "", false},
		{"http://vault.example", "", "", true}, {"http://192.0.2.7:7000", "", "", true}, {"http://localhost.example", "", "", true},
		{"http://127.0.0.1:7000", "", "X-Forwarded-For", true}, {"http://127.0.0.1:7000", "", "Forwarded", true}, {"http://127.0.0.1:7000", "", "Via", true},
		{"http://127.0.0.1:7000", "http://vault.example", "", true}, {"http://127.0.0.1:7000", "http://localhost:7000", "", false},
		{"http://127.0.0.1:7000", "https://vault.example", "X-Forwarded-For", false},
	} {
		c, err := New(map[string]*engine.Vault{"main": k.Vault}, Options{PublicURL: from.public})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", from.url+"/console/sign-in", nil)
		r.RemoteAddr = "127.0.0.1:1234"
		if from.header != "" {
			r.Header.Set(from.header, "192.0.2.9")
		}
		w := httptest.NewRecorder()
		if c.ServeHTTP(w, r); (w.Code == 403) != from.refused {
			t.Errorf("from a proxy or here, %+v: %d", from, w.Code)
		}
	}
	behind := newKitWith(t, Options{PublicURL: "https://vault.example"})
	r := httptest.NewRequest("POST", "http://vault.example/console/sign-in", strings.NewReader(url.Values{"key": {behind.Token}}.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.RemoteAddr = "192.0.2.7:1234"
	w := httptest.NewRecorder()
	behind.console.ServeHTTP(w, r)
	if w.Code != 303 || len(w.Result().Cookies()) != 1 {
		t.Fatalf("behind TLS: %d", w.Code)
	}
	if c := w.Result().Cookies()[0]; !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/console/" {
		t.Errorf("the cookie is %v", c)
	}
}

func TestAfterSignInNobodyIsLedAway(t *testing.T) {
	k := newKit(t)
	for _, to := range []string{
		"https://evil.example/", "//evil.example/", `/\evil.example`, "/console/../evil", "/console/main/../../evil", "/console/main/%2e%2e/%2E%2E/evil",
		"/console/main//../../evil", "/evil", "javascript:alert(1)", "/console/other/documents", "/consoleevil", "console/main/upload", "/console/main\\..\\..\\evil",
		"/console/main/upload\r\nSet-Cookie: a=b",
	} {
		b := k.stranger()
		b.post("/console/sign-in", "key", k.Token, "to", to).ok("/console/main/documents")
		if strings.Contains(k.stranger().get("/console/sign-in?to="+url.QueryEscape(to)).HTML, "evil") {
			t.Errorf("the page of %q says where it would lead", to)
		}
	}
}

func TestWrongKeysAreSlowedAndInTheLog(t *testing.T) {
	k := newKit(t)
	b := k.stranger()
	b.post("/console/sign-in", "key", k.Token+"x").is(401)
	if err := k.RecordFailedSignIns(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := k.entries(audit.OpSigninFailed); n != 1 {
		t.Errorf("%d entries of a failed sign-in, want 1", n)
	}
}

// entries counts those of an operation.
func (k *kit) entries(op audit.Op) (n int) {
	k.t.Helper()
	for after := uint64(0); ; {
		page, err := k.Entries(context.Background(), engine.EntryQuery{After: after, Limit: 500})
		if err != nil {
			k.t.Fatal(err)
		}
		for _, e := range page.Items {
			if e.Op == op {
				n++
			}
		}
		if after = page.NextAfter; after == 0 || len(page.Items) == 0 {
			return n
		}
	}
}

func TestSessionEndsWithoutAPersonAndAfterTwelveHours(t *testing.T) {
	k := newKit(t)
	b := k.admin()
	k.passes(29 * time.Minute)
	b.get("/console/main/documents").ok("/console/main/documents")
	k.passes(29 * time.Minute)
	b.header.Set("X-Polling", "1")
	b.get("/console/main/documents").ok("/console/main/documents")
	k.passes(2 * time.Minute)
	if p := b.get("/console/main/documents"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Errorf("31 minutes after the last thing a person did, the page is %s", p.Path)
	}
	if n := k.entries(audit.OpSessionEnded); n != 1 {
		t.Errorf("%d entries of an end, want 1", n)
	}

	b = k.admin()
	for range 12*3 - 1 {
		k.passes(20 * time.Minute)
		b.get("/console/main/documents").ok("/console/main/documents")
	}
	k.passes(21 * time.Minute)
	if p := b.get("/console/main/documents"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Errorf("after twelve hours the page is %s", p.Path)
	}
}

func TestSessionsThatRanOutUnseenGetTheirEntry(t *testing.T) {
	k := newKit(t)
	k.admin()
	k.passes(40 * time.Minute)
	k.admin()
	if n := k.entries(audit.OpSessionEnded); n != 1 {
		t.Errorf("%d entries of an end, want 1", n)
	}
}

func TestEverySignInHasATokenOfItsOwn(t *testing.T) {
	k := newKit(t)
	b := k.admin()
	at, _ := url.Parse(k.server.URL + "/console/")
	first := b.client.Jar.Cookies(at)[0].Value
	b.post("/console/sign-in", "key", k.Token)
	second := b.client.Jar.Cookies(at)[0].Value
	if first == second {
		t.Error("the token of before goes on")
	}
	old := k.stranger()
	old.client.Jar.SetCookies(at, []*http.Cookie{{Name: b.client.Jar.Cookies(at)[0].Name, Value: first}})
	if p := old.get("/console/main/documents"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Error("the session of before goes on")
	}

	chosen := k.stranger() // a token that an attacker planted
	chosen.client.Jar.SetCookies(at, []*http.Cookie{{Name: b.client.Jar.Cookies(at)[0].Name, Value: "planted"}})
	chosen.post("/console/sign-in", "key", k.Token).ok("/console/main/documents")
	if chosen.client.Jar.Cookies(at)[0].Value == "planted" {
		t.Error("the planted token was taken")
	}
}

func TestSignOutEndsTheSessionEverywhere(t *testing.T) {
	k := newKit(t)
	b := k.admin()
	at, _ := url.Parse(k.server.URL + "/console/")
	cookies := b.client.Jar.Cookies(at)
	b.get("/console/main/documents")
	b.submit("/console/main/sign-out").ok("/console/sign-in")
	if len(b.client.Jar.Cookies(at)) != 0 {
		t.Error("the cookie is still there")
	}
	other := k.stranger()
	other.client.Jar.SetCookies(at, cookies)
	if p := other.get("/console/main/documents"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Error("the token still opens the console")
	}
	if k.entries(audit.OpSessionStarted) != 1 || k.entries(audit.OpSessionEnded) != 1 {
		t.Error("the log does not say that it began and ended, once")
	}
}

func TestSessionsOutliveARestartAndTheirFileHasNoToken(t *testing.T) {
	k := newKit(t)
	b, gone := k.admin(), k.admin()
	at, _ := url.Parse(k.server.URL + "/console/")
	live, ended := b.client.Jar.Cookies(at)[0], gone.client.Jar.Cookies(at)[0]
	gone.get("/console/main/documents")
	gone.submit("/console/main/sign-out")
	k.server.Close() // a crash: nothing is kept at the end
	k.start()
	text, err := os.ReadFile(k.options.Sessions)
	if err != nil || strings.Contains(string(text), live.Value) || strings.Contains(string(text), k.Token) {
		t.Errorf("the file is %v %s", err, text)
	}
	for cookie, open := range map[*http.Cookie]bool{live: true, ended: false} {
		r := httptest.NewRequest("GET", k.server.URL+"/console/main/documents", nil)
		r.Host = at.Host
		r.RemoteAddr = "127.0.0.1:1"
		_, port, _ := strings.Cut(cookie.Name, "-")
		r.Host = "127.0.0.1:" + port
		r.AddCookie(cookie)
		w := httptest.NewRecorder()
		k.console.ServeHTTP(w, r)
		if (w.Code == 200) != open {
			t.Errorf("after a restart: %d, want open %v", w.Code, open)
		}
	}
}

func TestWhoIsClosedIsOutAtTheNextPage(t *testing.T) {
	k := newKit(t)
	ed, token := k.Person("Ed", engine.AccessUpload)
	flo, other := k.Person("Flo", engine.AccessView)
	closed, revoked := k.signedIn(token), k.signedIn(other)
	status := engine.UserClosed
	if _, _, err := k.UpdateUser(t.Context(), k.Admin, ed.UserID, engine.Condition{}, engine.UserPatch{Status: &status}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := k.RevokeKey(t.Context(), k.Admin, flo.KeyID); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string]*browser{"closed": closed, "revoked": revoked} {
		if p := b.get("/console/main/documents"); !strings.HasPrefix(p.Path, "/console/sign-in") {
			t.Errorf("%s: the page is %s", name, p.Path)
		}
	}
}

func TestFormSentIntoAnEndedSessionComesBack(t *testing.T) {
	k := newKit(t)
	k.Define(engine.TextField, "note")
	d := k.Create("contract", "text")
	path := "/console/main/documents/" + d.ID
	b := k.admin()
	b.get(path + "/edit")
	k.passes(31 * time.Minute)
	p := b.submit(path+"/edit", "name", `new "name" <b>`, "description", "two\nlines", "category", "report", "field.note", "mine")
	p.says("Your session ended")
	unsent := p.form("/console/sign-in").Get("unsent")

	_, other := k.Person("Otto", engine.AccessAdmin)
	stranger := k.stranger()
	stranger.post("/console/sign-in", "key", other, "unsent", unsent)
	if strings.Contains(stranger.last.HTML, "new &#34;name") || strings.Contains(stranger.get(path+"/edit?unsent="+unsent).HTML, "new &#34;name") {
		t.Error("somebody else is shown what was typed")
	}
	p = b.submit("/console/sign-in", "key", k.Token).says("What you typed is here again")
	form := p.form(path + "/edit")
	for name, want := range map[string]string{"name": `new "name" <b>`, "description": "two\nlines", "category": "report", "field.note": "mine", "revision": "1"} {
		if form.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, form.Get(name), want)
		}
	}
	b.submit(path + "/edit").ok(path)
	if is := k.document(d.ID); is.Name != `new "name" <b>` || is.Description != "two\nlines" {
		t.Errorf("it is %q, %q", is.Name, is.Description)
	}
}

func TestFormOfADocumentsPageComesBackOpened(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	path := "/console/main/documents/" + d.ID
	b := k.admin()
	b.get(path)
	k.passes(31 * time.Minute)
	b.submit(path+"/hold", "reason", "the <b>suit", "matter", "Acme")
	p := b.submit("/console/sign-in", "key", k.Token)
	if form := p.form(path + "/hold"); form.Get("reason") != "the <b>suit" || form.Get("matter") != "Acme" {
		t.Errorf("it has %v", form)
	}
	before, _, _ := strings.Cut(p.HTML, `action="`+path+`/hold"`)
	if !strings.HasPrefix(before[strings.LastIndex(before, "<details"):], "<details open") {
		t.Error("what was typed is hidden")
	}
	if strings.Contains(p.HTML, "the <b>suit") {
		t.Error("what was typed is not escaped")
	}
	b.submit(path + "/hold").ok(path)
	if k.document(d.ID).HoldCount != 1 {
		t.Error("it is not held")
	}
}

func TestSecretsAndFilesDoNotComeBack(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	path := "/console/main/documents/" + d.ID
	b := k.admin()
	if page := b.get(path).HTML; !strings.Contains(page, `value="contract" autocomplete="username"`) {
		t.Error("a password manager does not learn whose edit password it is")
	}
	k.passes(31 * time.Minute)
	b.submit(path+"/password", "editPassword", "hunter2!")
	p := b.submit("/console/sign-in", "key", k.Token)
	if strings.Contains(p.HTML, "hunter2") {
		t.Error("the password came back")
	}
	k.passes(31 * time.Minute)
	p = b.send("/console/main/upload", fields("tags", "one, two", "category", "report"), file{"a.txt", "text/plain", "secret text"})
	p = b.submit("/console/sign-in", "key", k.Token)
	if form := p.form("/console/main/upload"); form.Get("tags") != "one, two" || form.Get("category") != "report" {
		t.Errorf("the upload has %v", form)
	}
	if k.documents() != 1 {
		t.Error("the file was kept although the session had ended")
	}
}
