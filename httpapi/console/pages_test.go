package console

import (
	"html"
	"io/fs"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/engine"
)

// addresses are the pages there are, with the document in them where one is wanted.
func (k *kit) addresses(method, documentID string) (all []string) {
	for _, rt := range k.console.routes() {
		if rt.method == method {
			at := strings.NewReplacer("{$}", "", "{vault}", "main", "{id}", documentID, "{key}", "renewalDate", "{seq}", "1", "{number}", "1").Replace(rt.pattern)
			all = append(all, "/console"+at)
		}
	}
	return all
}

func TestNoGetChangesAnything(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	b := k.admin()
	before := k.Head()
	for _, at := range k.addresses("GET", d.ID) {
		b.get(at)
		if k.Head() != before {
			t.Fatalf("GET %s changed something", at)
		}
	}
	for _, at := range k.addresses("POST", d.ID) {
		if p := b.get(at); p.Status == 500 || k.Head() != before {
			t.Fatalf("GET %s, which is a form's: %d", at, p.Status)
		}
	}
}

func TestEveryPageSaysWhatBrowsersKeepTo(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	b := k.admin()
	pages := append(k.addresses("GET", d.ID), "/console/nowhere", "/console/main/nowhere", "/console/main/documents/nowhere", "/console/_files/nowhere")
	for _, at := range pages {
		p := b.get(at)
		for name, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
			"Referrer-Policy":         "same-origin", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
		} {
			if got := p.Header.Get(name); got != want && !(at == "/console/main/documents/"+d.ID+"/content" && name == "Content-Security-Policy") {
				t.Errorf("%s: %s is %q", at, name, got)
			}
		}
		if id := p.Header.Get("X-Request-Id"); len(id) != 26 {
			t.Errorf("%s: the number of the request is %q", at, id)
		}
		if p.Status >= 500 {
			t.Errorf("%s: %d", at, p.Status)
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") && strings.Count(p.HTML, "<h1") != 1 {
			t.Errorf("%s has %d headings of the first order", at, strings.Count(p.HTML, "<h1"))
		}
	}
}

func TestPagesAskForNothingThatThePolicyForbids(t *testing.T) {
	inline := regexp.MustCompile(`(?i) style="| on[a-z]+="|<style|javascript:|"data:|<script>|https?://`)
	for _, dir := range []string{"pages", "parts"} {
		files, err := fs.Glob(templateFiles, dir+"/*.html")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := fs.ReadFile(templateFiles, name)
			if err != nil {
				t.Fatal(err)
			}
			if found := inline.Find(text); found != nil {
				t.Errorf("%s has %q", name, found)
			}
			for _, form := range formPattern.FindAllString(string(text), -1) {
				if strings.Contains(form, `method="post"`) && !strings.Contains(form, "once") && !strings.Contains(form, "Once") &&
					!strings.Contains(form, "sign-in") && !strings.Contains(form, "sign-out") && !strings.Contains(form, `"chosen"`) &&
					!strings.Contains(form, "data-look") { // it changes nothing, so it can be sent again
					t.Errorf("%s has a form that makes two with a double click: %s", name, form[:min(len(form), 120)])
				}
			}
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	b := k.admin()
	before := k.Head()
	for _, header := range []http.Header{{"Sec-Fetch-Site": {"cross-site"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Origin": {"https://evil.example"}}, {"Origin": {"null"}}} {
		b.header = header
		for _, at := range k.addresses("POST", d.ID) {
			if p := b.post(at, "reason", "x", "key", k.Token); p.Status != 403 || k.Head() != before {
				t.Fatalf("%v to %s: %d", header, at, p.Status)
			}
		}
		b.last.says("The form came from another site")
	}
	b.header = http.Header{"Sec-Fetch-Site": {"same-origin"}, "Origin": {k.server.URL}}
	b.post("/console/main/documents/"+d.ID+"/hold", "reason", "x").is(200)
}

func TestWhatIsKeptIsShownAsText(t *testing.T) {
	k := newKit(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	mail, name := "a"+`<b>@example.com`, "Eve "+evil
	u, _, err := k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: name, Access: engine.AccessUpload})
	if err != nil {
		t.Fatal(err)
	}
	k.CreateUser(t.Context(), k.Admin, engine.NewUser{Name: "Mail", Email: mail, Access: engine.AccessView}) // it may be refused
	k.Define(engine.TextField, "note")
	d := k.CreateFrom(engine.NewDocument{Name: evil, Description: evil, OwnerID: u.ID, Tags: []string{"<script>alert(3)</script>"}, ExternalID: "<x>",
		CustomFields: map[string]any{"note": evil}, Version: engine.NewVersion{FileName: `<script>alert(7)<script>.txt`, Comment: evil, MediaType: "text/html"}}, "<script>alert(4)</script>")
	k.PlaceHold(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: evil, Matter: evil})
	due, _ := engine.ParseDue("2030-01-01")
	if _, _, err := k.CreateObligation(t.Context(), k.Admin, engine.NewObligation{Title: evil, Description: evil, DueDate: due, OwnerID: u.ID, DocumentID: d.ID}); err != nil {
		t.Fatal(err)
	}
	b := k.admin()
	b.get("/console/main/documents/" + d.ID).says(evil)
	b.get("/console/main/documents").says(evil)
	for _, at := range append(k.addresses("GET", d.ID), "/console/main/documents?tag="+html.EscapeString("<script>alert(5)</script>"), "/console/main/documents?q=<script>alert(6)</script>&status=<b>") {
		p := b.get(at)
		if strings.HasSuffix(at, "/content") || strings.HasSuffix(at, ".csv") {
			if is := p.Header.Get("Content-Type"); strings.Contains(is, "html") && !strings.Contains(p.Header.Get("Content-Disposition"), "attachment") {
				t.Errorf("%s would be run: %s", at, is)
			}
			continue
		}
		if strings.Contains(p.HTML, "<script>alert") || strings.Contains(p.HTML, "<img src=x") {
			t.Errorf("%s has it as it was typed", at)
		}
	}
}

func TestSnippetIsText(t *testing.T) {
	if got, want := string(snippet(`a &lt;b&gt; <mark>c</mark> &amp;lt; <i>`)), "a &lt;b&gt; <mark>c</mark> &amp;lt; &lt;i&gt;"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDoubleClickMakesOne(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	path := "/console/main/documents/" + d.ID
	b := k.admin()
	form := b.get(path).form(path + "/hold")
	once := form.Get("once")
	var clicks sync.WaitGroup
	for range 4 {
		other := &browser{k: k, client: b.client, header: http.Header{}}
		clicks.Go(func() { other.post(path+"/hold", "once", once, "reason", "the suit", "matter", "") })
	}
	clicks.Wait()
	if n := k.document(d.ID).HoldCount; n != 1 {
		t.Errorf("%d holds, want 1", n)
	}
	b.get("/console/main/upload")
	action := regexp.MustCompile(`action="(/console/main/upload\?once=[^"]+)"`).FindStringSubmatch(b.last.HTML)[1]
	for range 2 {
		b.send(action, nil, file{"a.txt", "text/plain", "a"}).is(200).says("a.txt")
	}
	if n := k.documents(); n != 2 {
		t.Errorf("%d documents, want 2", n)
	}
	// What was refused can be sent again with the same number.
	b.post(path+"/hold", "once", "mine", "reason", " ").is(400)
	b.post(path+"/hold", "once", "mine", "reason", "right").ok(path)
	if n := k.document(d.ID).HoldCount; n != 2 {
		t.Errorf("%d holds, want 2", n)
	}
}

func TestWhoComesSecondIsShownBoth(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	path := "/console/main/documents/" + d.ID
	ada, ulla := k.admin(), k.uploader()
	ada.get(path + "/edit")
	ulla.get(path + "/edit")
	ada.submit(path+"/edit", "name", "Ada's name", "description", "one").ok(path)
	p := ulla.submit(path+"/edit", "name", "Ulla's name").is(409)
	p.says("Ada Admin changed the document meanwhile", "Now: Ada's name", "Now: one")
	if is := p.form(path + "/edit").Get("name"); is != "Ulla's name" {
		t.Errorf("what she typed is %q", is)
	}
	if k.document(d.ID).Name != "Ada's name" {
		t.Error("hers went over his")
	}
	ulla.submit(path + "/edit").ok(path)
	if k.document(d.ID).Name != "Ulla's name" {
		t.Error("she chose, and it did not count")
	}
	ada.last = ada.get(path)
	stale := ada.last.form(path + "/archive")
	ulla.get(path + "/edit")
	ulla.submit(path+"/edit", "name", "third").ok(path)
	p = ada.post(path+"/archive", "once", stale.Get("once"), "revision", stale.Get("revision")).is(412).says("Somebody else changed it meanwhile")
	p.offers(path)
	if k.document(d.ID).Archived {
		t.Error("it is archived all the same")
	}
}

func TestWhatIsNotThereIsToldInWords(t *testing.T) {
	k := newKit(t)
	b := k.admin()
	for at, words := range map[string]string{
		"/console/nowhere":                "no such page",
		"/console/main/nowhere":           "no such page",
		"/console/main/documents/x":       "no such document",
		"/console/main/documents/x/edit":  "no such document",
		"/console/other/documents":        "no such page",
		"/console/main/documents/x/hold":  "no such page",
		"/console/main/documents/a/b/c/d": "no such page",
	} {
		b.get(at).is(404).says(words)
	}
	d := k.Create("contract", "text")
	b.get("/console/main/documents/" + d.ID + "/content?n=7").is(404).says("no such version")
	b.post("/console/main/documents/"+d.ID+"/unhold", "hold", "x").is(404).says("no such hold")
	b.post("/console/main/documents/"+d.ID+"/restore", "number", "9").is(404)
	b.do("POST", "/console/main/documents/"+d.ID+"/hold", "application/x-www-form-urlencoded", strings.NewReader("%zz")).is(400).says("did not arrive whole")
	b.get("/console/main/documents?createdFrom=never").is(400).says("createdFrom")
	b.get("/console/main/documents?cursor=x").is(400)
	if p := k.stranger().post("/console/main/documents/"+d.ID+"/hold", "reason", "x"); !strings.HasPrefix(p.Path, "/console/sign-in") {
		t.Errorf("a stranger's form leads to %s", p.Path)
	}
}

func TestEverybodyIsOfferedWhatTheyMay(t *testing.T) {
	k := newKit(t)
	d := k.Create("contract", "text")
	path := "/console/main/documents/" + d.ID
	viewer, uploader, admin := k.viewer(), k.uploader(), k.admin()
	writes := []string{path + "/lock", path + "/versions"}
	rules := []string{path + "/hold", path + "/archive", path + "/password"}
	viewer.get(path).ok(path).withholds(append(writes, rules...)...).withholds(path+"/edit", path+"/delete", "/console/main/upload")
	uploader.get(path).ok(path).offers(writes...).withholds(rules...).withholds(path+"/delete").offers(path+"/edit", "/console/main/upload")
	admin.get(path).ok(path).offers(append(writes, rules...)...).offers(path + "/delete")

	before := k.Head()
	for _, rt := range k.console.routes() {
		for b, access := range map[*browser]engine.Access{viewer: engine.AccessView, uploader: engine.AccessUpload} {
			if rt.access <= access || rt.access == engine.AccessNone {
				continue
			}
			at := "/console" + strings.NewReplacer("{$}", "", "{vault}", "main", "{id}", d.ID).Replace(rt.pattern)
			p := b.do(rt.method, at, "application/x-www-form-urlencoded", strings.NewReader("reason=x&name=contract"))
			if p.is(403).says("You may not do this", "Ask an admin"); k.Head() != before {
				t.Fatalf("%s %s changed something", rt.method, at)
			}
		}
	}
}

func TestAHostsOwnSessionsWork(t *testing.T) {
	var k *kit
	k = newKitWith(t, Options{Authenticate: func(r *http.Request) (*engine.Vault, engine.Actor, error) {
		if r.Header.Get("X-User") == "" {
			return nil, engine.Actor{}, engine.ErrInvalidToken
		}
		return k.Vault, engine.Actor{UserID: k.Admin.UserID, Access: engine.AccessAdmin}, nil
	}})
	d := k.Create("contract", "text")
	b := k.stranger()
	b.get("/console/main/documents").is(401)
	b.header.Set("X-User", "ada")
	path := "/console/main/documents/" + d.ID
	b.get("/console/").ok("/console/main/documents").withholds("/console/main/sign-out")
	b.get(path)
	once := b.last.form(path + "/hold").Get("once")
	for range 2 {
		b.post(path+"/hold", "once", once, "reason", "x").ok(path)
	}
	if n := k.document(d.ID).HoldCount; n != 1 {
		t.Errorf("%d holds, want 1", n)
	}
	b.post("/console/main/sign-out").is(404)
	k.passes(13 * time.Hour)
	b.get(path).ok(path)
}

func TestBelowAPrefixEveryAddressHasIt(t *testing.T) {
	k := newKitWith(t, Options{Prefix: "/vault"})
	d := k.Create("contract", "text")
	b := k.stranger()
	b.post("/vault/console/sign-in", "key", k.Token).ok("/vault/console/main/documents")
	for _, at := range []string{"", "/" + d.ID, "/" + d.ID + "/edit"} {
		p := b.get("/vault/console/main/documents" + at).is(200)
		if strings.Contains(p.HTML, `="/console`) {
			t.Errorf("%s has an address without the prefix", at)
		}
	}
	b.get("/vault/console/main/documents/" + d.ID)
	b.submit("/vault/console/main/documents/"+d.ID+"/hold", "reason", "x").is(200)
}
