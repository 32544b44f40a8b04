package console

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"strongroom/engine"
)

var linkPattern = regexp.MustCompile(` href="([^"]*)"`)

// populated is a vault in which every kind of page has something on it.
func populated(t *testing.T) (k *kit, ids map[string]string) {
	t.Helper()
	k = newKit(t)
	ctx := t.Context()
	d := k.CreateFrom(engine.NewDocument{Name: "lease", Version: text("a")}, "text")
	k.another(d.ID, text("a"), "other text")
	k.Define(engine.TextField, "supplier")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, _, err := k.PlaceHold(ctx, k.Admin, d.ID, engine.Condition{}, engine.NewHold{Reason: "the suit", Matter: "Acme"})
	must(err)
	p, _, err := k.CreatePolicy(ctx, k.Admin, engine.NewPolicy{Name: "Ten years", Scope: engine.ScopeOrganization, Action: engine.ActionArchive, Period: "P10Y", StartFrom: engine.StartCreated})
	must(err)
	e, _, err := k.RequestErasure(ctx, k.Admin, engine.NewErasure{DocumentIDs: []string{d.ID}, LegalBasis: "GDPR Art. 17", Requester: "Case 4711"})
	must(err)
	h, _, _, err := k.CreateWebhook(ctx, k.Admin, engine.NewWebhook{URL: "https://receiver.example/x"})
	must(err)
	c, _, _, err := k.CreateClient(ctx, k.Admin, engine.NewClient{Name: "Robot", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: k.Admin.UserID})
	must(err)
	o := k.owed(d.ID, k.Admin.UserID, "Report", 3)
	return k, map[string]string{"documents": d.ID, "policies": p.ID, "erasures": e.ID, "webhooks": h.ID, "clients": c.ID, "obligations": o.ID, "users": k.Admin.UserID, "keys": k.Admin.KeyID, "key": "supplier", "seq": "1"}
}

// address is an address of a route, about what is there; "" if there is none.
func address(pattern string, ids map[string]string) string {
	at := "/console" + strings.NewReplacer("{$}", "", "{vault}", "main", "{key}", ids["key"], "{seq}", ids["seq"]).Replace(pattern)
	if strings.Contains(at, "{job}") {
		return ""
	}
	if before, _, ok := strings.Cut(at, "/{id}"); ok {
		id := ids[before[strings.LastIndex(before, "/")+1:]]
		if id == "" {
			return ""
		}
		at = strings.Replace(at, "{id}", id, 1)
	}
	return at
}

func TestNobodyIsOfferedWhatTheyMayNot(t *testing.T) {
	k, ids := populated(t)
	access := map[string]engine.Access{}
	for _, rt := range k.console.routes() {
		access[rt.method+" /console"+rt.pattern] = rt.access
	}
	takes := func(method, at string) engine.Access {
		u, err := url.Parse(html.UnescapeString(at))
		if err != nil {
			t.Fatal(err)
		}
		_, pattern := k.console.mux.Handler(&http.Request{Method: method, Host: "-", URL: u})
		return access[pattern]
	}
	for _, who := range []engine.Access{engine.AccessView, engine.AccessUpload, engine.AccessAuditor, engine.AccessAdmin} {
		_, token := k.Person("Somebody with "+who.String(), who)
		b := k.signedIn(token)
		seen := 0
		for _, rt := range k.console.routes() {
			at := address(rt.pattern, ids)
			if rt.method != "GET" || at == "" || rt.access == engine.AccessNone || who.Permits(rt.access) != nil {
				continue
			}
			p := b.get(at)
			if p.Status != 200 {
				if p.Status >= 500 {
					t.Errorf("%s for %s: %d", at, who, p.Status)
				}
				continue
			}
			seen++
			for _, form := range formPattern.FindAllString(p.HTML, -1) {
				head := form[:strings.Index(form, ">")+1]
				method := strings.ToUpper(attribute(head, "method"))
				if action := attribute(head, "action"); who.Permits(takes(method, action)) != nil && !strings.Contains(form, "<fieldset disabled>") {
					t.Errorf("%s offers %s the form to %s", at, who, action)
				}
				if strings.Contains(form, "<fieldset disabled>") && strings.Contains(form, "<button") {
					t.Errorf("%s has a button for %s that does nothing", at, who)
				}
			}
			for _, link := range linkPattern.FindAllStringSubmatch(p.HTML, -1) {
				if strings.HasPrefix(link[1], "/console/main") && who.Permits(takes("GET", link[1])) != nil {
					t.Errorf("%s offers %s the link to %s", at, who, link[1])
				}
			}
		}
		if seen < 8 {
			t.Errorf("%s sees %d pages", who, seen)
		}
	}
}

func TestAuditorsReadWhatAdminsRead(t *testing.T) {
	k, ids := populated(t)
	_, token := k.Person("Otto Auditor", engine.AccessAuditor)
	b := k.signedIn(token)
	for _, rt := range k.console.routes() {
		at := address(rt.pattern, ids)
		if rt.method == "GET" && rt.access == readAll && at != "" && !strings.HasSuffix(at, "/audit/export") {
			b.get(at).ok(at)
		}
	}
	b.get("/console/main/retention").says("Ten years").lacks("New policy")
	b.get("/console/main/retention/policies/" + ids["policies"]).says("What it keeps")
	b.get("/console/main/holds").says("Acme", "the suit").lacks("Release all", "Hold more")
	b.get("/console/main/erasures/" + ids["erasures"]).says("Case 4711")
	b.get("/console/main/settings").says("Time zone")
	b.get("/console/main/settings/users").says("Otto Auditor").lacks("Another user")
	b.get("/console/main/documents/"+ids["documents"]).says("the suit", "you may read everything, and change nothing").lacks("Place a hold")
	before := k.Head()
	for _, rt := range k.console.routes() {
		if at := address(rt.pattern, ids); rt.method == "POST" && rt.access == admin && at != "" {
			b.post(at, "reason", "x", "name", "lease").is(403)
		}
	}
	if k.Head() != before {
		t.Error("an auditor changed something")
	}
}
