package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"strongroom/engine"
)

// passing is what differs between two answers that say the same.
var passing = regexp.MustCompile(`"(requestId|lastUsedAt|took|behind)":("[^"]*"|[0-9.]+)`)

// TestNobodyElseSeesWhatIsRestricted walks every GET that a viewer may ask, with and
// without a restricted document, one restricted and deleted, and an obligation
// about it: the answers are the same, byte by byte, but for the lines of the log. A
// restricted document is answered exactly as one there is not.
func TestNobodyElseSeesWhatIsRestricted(t *testing.T) {
	x, pages := indexes{}, pictures{}
	k := newKit(t, Options{Search: x, Pages: pages})
	x.follow(t, k)
	pages.open(t, k)
	make := func(key, method, path, body string) string {
		t.Helper()
		media := "application/json"
		if strings.Contains(path, "?fileName=") {
			media = "text/plain"
		}
		a, out := k.do(key, method, path, strings.NewReader(body), "Content-Type", media)
		if a.StatusCode >= 300 {
			t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, out)
		}
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(out), &made); err != nil {
			t.Fatal(err)
		}
		return made.ID
	}
	document := func(name string) string {
		return make("upload", "POST", "/v1/documents?fileName="+name+".txt&tags=client:acme&product=vault&category=contract&templateId=T&agreementId=A&externalId="+name, "the tenant pays rent "+name)
	}
	obligation := func(of, due string) string {
		return make("upload", "POST", "/v1/obligations", `{"title":"pay","dueDate":"`+due+`","ownerId":"`+k.ids["upload"]+`","documentId":"`+of+`"}`)
	}
	make("admin", "PATCH", "/v1/settings", `{"restrictDeferred":true}`)
	first, second, gone := document("first"), document("second"), document("gone")
	make("admin", "PATCH", "/v1/documents/"+first, `{"path":"2024/a","customFields":{"renewalDate":"2030-01-01"}}`)
	make("admin", "PATCH", "/v1/documents/"+second, `{"path":"2024/z"}`)
	make("admin", "POST", "/v1/documents/"+second+"/holds", `{"reason":"litigation","matter":"Acme"}`)
	duty := obligation(first, "2099-01-01")
	obligation(second, "2099-03-01")
	make("admin", "DELETE", "/v1/documents/"+gone, `{}`)
	make("upload", "POST", "/v1/documents/"+first+"/lock", `{}`)

	w := walk{kit: k, about: map[string]string{"obligations": duty, "users": k.ids["view"]}, documents: []string{first, gone}}
	w.calendar = address(k, "upload")
	answers := func() map[string]string {
		k.do("admin", "GET", "/v1/search?q=rent", nil) // which waits until the index has read what there is
		w.answers = map[string]string{}
		for _, rt := range k.server.table {
			w.ask(rt)
		}
		w.verify()
		return w.answers
	}
	before := answers()
	seen := k.vaults["main"].Head().Seq
	hidden, deleted, deferred := document("hidden"), document("hidden2"), document("hidden3")
	about := obligation(hidden, "2099-02-01")
	// Where it lies is between the others too.
	make("admin", "PATCH", "/v1/documents/"+hidden, `{"name":"g hidden","path":"2024/hidden","customFields":{"renewalDate":"2030-01-01"}}`)
	make("upload", "POST", "/v1/documents/"+hidden+"/lock", `{}`)
	broken := make("upload", "POST", "/v1/documents?fileName=hidden.docx", "PK\x03\x04word/")
	for _, id := range []string{hidden, deleted, broken} {
		make("admin", "POST", "/v1/documents/"+id+"/restriction", `{"reason":"contested"}`)
	}
	make("admin", "DELETE", "/v1/documents/"+deleted, `{}`)
	make("admin", "POST", "/v1/documents/"+hidden+"/holds", `{"reason":"litigation","matter":"Acme"}`)
	make("admin", "POST", "/v1/documents/"+deferred+"/holds", `{"reason":"litigation","matter":"Acme"}`)
	make("admin", "POST", "/v1/erasures", `{"documentIds":["`+deferred+`"],"legalBasis":"Art. 17","requester":"hidden"}`)
	make("admin", "POST", "/v1/retention/runs", `{"reason":"monthly"}`)
	if _, err := k.vaults["main"].Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, _ := k.do("admin", "GET", "/v1/matters/Acme/export", nil); a.StatusCode != 200 {
		t.Fatal(a.Status)
	}
	after := answers()
	for path, was := range before {
		if is := after[path]; is != was {
			t.Errorf("%s tells that something is restricted:\n%s\nwas\n%s", path, is, was)
		}
	}
	if len(before) != len(after) || len(before) < 200 {
		t.Errorf("%d questions, and %d", len(before), len(after))
	}
	notThere(t, k, []string{hidden, deleted, deferred}, about, duty)
	logHidden(t, k, seen, hidden)

	for _, key := range []string{"admin", "auditor"} {
		if key == "auditor" {
			_, k.tokens[key] = k.vaults["main"].Person(key, engine.AccessAuditor)
		}
		if a, body := k.do(key, "GET", "/v1/documents/"+hidden, nil); a.StatusCode != 200 || !strings.Contains(body, `"restricted":true`) {
			t.Errorf("%s: %d %s", key, a.StatusCode, body)
		}
		if _, body := k.do(key, "GET", "/v1/search?q=hidden", nil); !strings.Contains(body, hidden) {
			t.Errorf("%s finds it not: %s", key, body)
		}
	}
	make("admin", "DELETE", "/v1/documents/"+hidden+"/restriction", `{"reason":"settled"}`)
	if _, body := k.do("view", "GET", "/v1/search?q=hidden", nil); !strings.Contains(body, hidden) {
		t.Errorf("shown again, it is not found: %s", body)
	}
}

// notThere asks for what is restricted by every route that names a document, and
// for what is not there.
func notThere(t *testing.T, k *kit, documents []string, obligation, duty string) {
	t.Helper()
	for _, rt := range k.server.table {
		if !strings.Contains(rt.pattern, ":id") && !strings.Contains(rt.pattern, ":documentId") {
			continue
		}
		ids := documents
		switch {
		case strings.HasPrefix(rt.pattern, "/v1/obligations"):
			ids = []string{obligation}
		case !strings.Contains(rt.pattern, "document") && !strings.Contains(rt.pattern, "/envelopes/") && !strings.Contains(rt.pattern, "/templates/") && !strings.Contains(rt.pattern, "/certificates/"):
			continue
		}
		ask := func(id string) string {
			path := strings.NewReplacer(":id", id, ":documentId", id, ":accountId", "main", ":n", "1").Replace(rt.pattern)
			body, media := "{}", "application/json"
			if rt.operation == "addVersion" {
				path, body, media = path+"?fileName=x", "text", "text/plain"
			}
			a, out := k.do("upload", rt.method, path, strings.NewReader(body), "Content-Type", media, "X-Request-Id", "the-same")
			return a.Status + strings.ReplaceAll(out, id, "ID")
		}
		for _, id := range ids {
			if is, none := ask(id), ask(someID); is != none {
				t.Errorf("%s %s: what is restricted is answered\n%s\nand what is not there\n%s", rt.method, rt.pattern, is, none)
			}
		}
	}
	for _, body := range []string{`{"ids":["ID"],"addTags":["x"]}`, `{"ids":["ID"],"addTags":["x"],"dryRun":true}`, `{"filter":{"externalId":"hidden"},"addTags":["x"]}`, `{"filter":{"q":"hidden"},"addTags":["x"]}`} {
		ask := func(id string) string {
			body := strings.ReplaceAll(strings.ReplaceAll(body, "ID", id), "hidden", map[bool]string{true: "nothing", false: "hidden"}[id == someID])
			a, out := k.do("upload", "POST", "/v1/bulk/documents", strings.NewReader(body), "Content-Type", "application/json")
			return a.Status + strings.ReplaceAll(out, id, "ID")
		}
		if is, none := ask(documents[0]), ask(someID); is != none {
			t.Errorf("bulk %s: %s, and what is not there: %s", body, is, none)
		}
	}
	same := func(method, path, body, media string) {
		t.Helper()
		ask := func(id string) string {
			named := strings.NewReplacer("ID", id, "EXTERNAL", map[bool]string{true: "nothing", false: "hidden"}[id == someID])
			a, out := k.do("upload", method, named.Replace(path), strings.NewReader(named.Replace(body)), "Content-Type", media, "X-Request-Id", "the-same")
			return a.Status + passing.ReplaceAllString(strings.NewReplacer(id, "ID", `"hidden"`, `"nothing"`).Replace(out), "")
		}
		for _, id := range documents {
			if is, none := ask(id), ask(someID); is != none {
				t.Errorf("%s %s %s: what is restricted is answered\n%s\nand what is not there\n%s", method, path, body, is, none)
			}
		}
	}
	same("POST", "/v1/bulk/documents", `{"id":"ID","patch":{"addTags":["x"]}}`, "application/x-ndjson")
	same("POST", "/v1/bulk/documents", `{"externalId":"EXTERNAL","patch":{"addTags":["x"]}}`, "application/x-ndjson")
	same("POST", "/v1/obligations", `{"title":"pay","dueDate":"2099-01-01","documentId":"ID"}`, "application/json")
	same("POST", "/v1/obligations/"+duty+"/complete", `{"evidence":{"documentId":"ID","version":1}}`, "application/json")
	for _, path := range []string{"/v1/audit/entries?documentId=ID", "/v1/obligations?documentId=ID", "/v1/documents?externalId=EXTERNAL", "/v1/search?q=rent&externalId=EXTERNAL", "/v1/search?q=rent&limit=1"} {
		same("GET", path, "", "application/json")
	}
	a, body := k.do("upload", "POST", "/v1/documents?fileName=x&externalId=hidden", strings.NewReader("text"), "Content-Type", "text/plain")
	if a.StatusCode != 409 || strings.Contains(body, "details") || strings.Contains(body, documents[0]) {
		t.Errorf("the external id is taken: %d %s", a.StatusCode, body)
	}
}

// logHidden: the lines of the log stay, without the details; and no other detail of
// an entry behind the one that was seen names what is hidden.
func logHidden(t *testing.T, k *kit, seen uint64, document string) {
	t.Helper()
	_, body := k.do("view", "GET", "/v1/audit/entries?limit=500", nil)
	var list List[Entry]
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, e := range list.Items {
		if e.Seq > seen && (bytes.Contains(e.Detail, []byte("hidden")) || bytes.Contains(e.Detail, []byte(document))) {
			t.Errorf("entry %d, %s, shows %s", e.Seq, e.Op, e.Detail)
		}
		if e.Document != document {
			continue
		}
		if lines++; e.Detail != nil || e.Salt != "" {
			t.Errorf("entry %d, %s, shows %s", e.Seq, e.Op, e.Detail)
		}
		if a, body := k.do("view", "GET", fmt.Sprintf("/v1/audit/entries/%d/proof", e.Seq), nil); a.StatusCode != 404 || !strings.Contains(body, "ENTRY_NOT_FOUND") {
			t.Errorf("entry %d is proved: %d %s", e.Seq, a.StatusCode, body)
		}
	}
	if lines == 0 {
		t.Error("there are no lines")
	}
}

// walk asks every question that a viewer can ask by a GET. It is led by the table of
// routes: a route that comes, or a parameter, is walked by itself.
type walk struct {
	*kit
	documents []string          // for :id, but where
	about     map[string]string // an id for the noun in the address
	calendar  string            // the address of one
	answers   map[string]string // by question
}

// values are what parameters of GETs are asked with, beside those that are words of
// an enum, or yes and no.
var values = map[string][]string{
	"q": {"rent", "hidden", "hid*", `"the tenant" OR hidden`, "rent -hidden", "tag:client*"}, "name": {"g", "F"}, "path": {"2024", "2024/hidden"},
	"tag": {"client:*", "client:acme"}, "category": {"contract"}, "product": {"vault"}, "templateId": {"T"}, "agreementId": {"A"}, "matter": {"Acme"},
	"externalId": {"hidden", "first"}, "createdFrom": {"2020-01-01T00:00:00Z"}, "createdTo": {"2099-01-01T00:00:00Z"}, "updatedFrom": {"2020-01-01T00:00:00Z"},
	"updatedTo": {"2099-01-01T00:00:00Z"}, "dueFrom": {"2099-01-02"}, "dueTo": {"2099-02-02"}, "width": {"100"}, "wait": {"0"}, "include": {"documents"},
	// In addresses.
	":n": {"1"}, ":p": {"1"}, ":key": {"renewalDate"}, ":accountId": {"main"}, ":seq": {"1", "12"},
}

// ask asks all there is to ask of a route.
func (w *walk) ask(rt route) {
	w.Helper()
	switch {
	case rt.method != http.MethodGet:
		return
	case rt.pattern == calendarPattern:
		w.get(w.calendar)
		return
	case strings.HasPrefix(rt.pattern, "/v1/audit/") && !strings.HasSuffix(rt.pattern, "/:seq"):
		return // lines of entries
	case strings.HasPrefix(rt.pattern, "/v1/log/"), strings.HasSuffix(rt.pattern, "/proof"), strings.HasSuffix(rt.pattern, "/integrity-report"):
		return // of the lines too, of which there are more
	}
	for _, path := range w.addresses(rt.pattern) {
		question := path + "?"
		if slices.ContainsFunc(rt.input.fields, func(f field) bool { return f.name == "q" }) {
			question += "q=rent&"
		}
		w.get(question)
		paged := slices.ContainsFunc(rt.input.fields, func(f field) bool { return f.name == "cursor" })
		if paged {
			w.pages(question)
		}
		for _, f := range rt.input.fields {
			if f.in != "query" || f.name == "limit" || f.name == "cursor" {
				continue
			}
			for _, value := range w.values(f) {
				of := question
				if f.name == "q" {
					of = path + "?"
				}
				of += value
				w.get(of)
				if paged && (f.enum != "" || f.name == "q") {
					w.pages(of + "&")
				}
			}
		}
	}
}

// values are those of a parameter, each with its name.
func (w *walk) values(f field) (all []string) {
	w.Helper()
	named := values[f.name]
	switch {
	case f.enum != "":
		named = strings.Split(f.enum, "|")
	case f.typ.Kind() == reflect.Bool || f.typ == reflect.TypeFor[*bool]():
		named = []string{"true", "false"}
	case f.name == "field.*":
		return []string{"field.renewalDate=2030-01-01", "field.renewalDate.from=2029-01-01", "field.renewalDate.to=2031-01-01"}
	case f.name == "ownerId":
		named = []string{w.ids["upload"]}
	case f.name == "documentId":
		named = w.documents
	}
	if named == nil {
		w.Fatalf("say in values what the parameter %s is asked with, so that it tells nothing of what is restricted", f.name)
	}
	for _, value := range named {
		all = append(all, f.name+"="+url.QueryEscape(value))
	}
	return all
}

// addresses are those of a pattern.
func (w *walk) addresses(pattern string) []string {
	w.Helper()
	all := []string{""}
	noun := ""
	for part := range strings.SplitSeq(strings.TrimPrefix(pattern, "/"), "/") {
		name, suffix, _ := strings.Cut(part, ".")
		stand := values[name]
		switch {
		case name[0] != ':':
			noun, stand, suffix = part, []string{part}, ""
		case w.about[noun] != "":
			stand = []string{w.about[noun]}
		case name == ":id" || name == ":documentId":
			stand = w.documents
		case name == ":matter":
			stand = values["matter"]
		}
		if stand == nil {
			w.Fatalf("say in values what stands for %s in %s", name, pattern)
		}
		if suffix != "" {
			suffix = "." + suffix
		}
		var longer []string
		for _, before := range all {
			for _, value := range stand {
				longer = append(longer, before+"/"+value+suffix)
			}
		}
		all = longer
	}
	return all
}

// pages walks pages of one, to the end.
func (w *walk) pages(question string) {
	w.Helper()
	cursor, n := "", 0
	for more := true; more; more = cursor != "" {
		n++
		body := w.ask1(fmt.Sprintf("%slimit=1 page %d", question, n), question+"limit=1&cursor="+url.QueryEscape(cursor))
		var page struct{ NextCursor string }
		if json.Unmarshal([]byte(body), &page) != nil || n > 20 {
			w.Fatalf("page %d of %s: %s", n, question, body)
		}
		cursor = page.NextCursor
	}
}

func (w *walk) get(path string) { w.Helper(); w.ask1(path, strings.TrimRight(path, "?&")) }

// ask1 asks a viewer's question, and keeps the answer under a name.
func (w *walk) ask1(name, path string) string {
	w.Helper()
	r := httptest.NewRequest("GET", strings.TrimSuffix(path, "&cursor="), nil)
	r.Header.Set("Authorization", "Bearer "+w.tokens["view"])
	r.Header.Set("X-Request-Id", "the-same")
	a := httptest.NewRecorder() // there are too many questions for a network
	w.server.ServeHTTP(a, r)
	a.Header().Del("Content-Length") // what passes has a length too
	header, body := strings.Builder{}, a.Body.String()
	a.Header().Write(&header)
	w.answers["GET "+name] = fmt.Sprint(a.Code, "\n", header.String(), passing.ReplaceAllString(body, ""))
	return body
}

// verify has the vault verified: the lines of the log are counted.
func (w *walk) verify() {
	w.Helper()
	a, body := w.do("view", "POST", "/v1/audit/verify", nil)
	var report VerifyReport
	if err := json.Unmarshal([]byte(body), &report); err != nil || a.StatusCode != 200 {
		w.Fatal(a.Status, body)
	}
	report.Head, report.Entries = Head{}, 0
	w.answers["POST /v1/audit/verify"] = fmt.Sprintf("%+v", report)
}
