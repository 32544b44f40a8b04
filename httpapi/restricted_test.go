package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"strongroom/engine"
)

// passing is what differs between two answers that say the same.
var passing = regexp.MustCompile(`"(requestId|lastUsedAt|score|took)":("[^"]*"|[0-9.]+)`)

// TestNobodyElseSeesWhatIsRestricted walks every GET that a viewer may ask, with and
// without a restricted document, one restricted and deleted, and an obligation
// about it: the answers are the same, byte by byte, but for the lines of the log. A
// restricted document is answered exactly as one there is not.
func TestNobodyElseSeesWhatIsRestricted(t *testing.T) {
	x := indexes{}
	k := newKit(t, Options{Search: x})
	x.follow(t, k)
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
		return make("upload", "POST", "/v1/documents?fileName="+name+".txt&tags=client:acme&product=vault&externalId="+name, "the tenant pays rent "+name)
	}
	obligation := func(of string) string {
		return make("upload", "POST", "/v1/obligations", `{"title":"pay","dueDate":"2099-01-01","ownerId":"`+k.ids["upload"]+`","documentId":"`+of+`"}`)
	}
	first, second, gone := document("first"), document("second"), document("gone")
	make("admin", "PATCH", "/v1/documents/"+first, `{"path":"2024/a"}`)
	make("admin", "PATCH", "/v1/documents/"+second, `{"path":"2024/z"}`)
	duty := obligation(first)
	obligation(second)
	make("admin", "DELETE", "/v1/documents/"+gone, `{}`)
	make("upload", "POST", "/v1/documents/"+first+"/lock", `{}`)

	lists := []string{
		"/v1/documents", "/v1/documents?limit=1", "/v1/documents?sort=createdAt&limit=1", "/v1/documents?sort=name&limit=1", "/v1/documents?sort=-name&limit=1",
		"/v1/documents?sort=updatedAt&limit=2", "/v1/documents?sort=-updatedAt&limit=2", "/v1/documents?limit=2", "/v1/documents?status=all", "/v1/documents?status=deleted&limit=1",
		"/v1/documents?status=legal_hold", "/v1/documents?tag=client:*&limit=2", "/v1/documents?product=vault&sort=name&limit=2", "/v1/documents?externalId=hidden",
		"/v1/documents?text=indexed&limit=2", "/v1/folders?path=2024", "/v1/folders?limit=1", "/v1/folders?status=all", "/v1/search?q=rent", "/v1/search?q=rent&limit=2", "/v1/search?q=hidden", "/v1/search?q=hid*",
		"/v1/obligations", "/v1/obligations?limit=1", "/v1/obligations?limit=2", "/v1/obligations?sort=-dueDate&limit=1", "/v1/dashboard/obligations",
	}
	answers := func() map[string]string {
		all := map[string]string{}
		ask := func(path string) {
			a, body := k.do("view", "GET", path, nil, "X-Request-Id", "the-same")
			a.Header.Del("Date")
			a.Header.Del("Content-Length") // what passes has a length too
			header := strings.Builder{}
			a.Header.Write(&header)
			all[path] = a.Status + "\n" + header.String() + passing.ReplaceAllString(body, "")
		}
		for _, rt := range k.server.table {
			if rt.method != http.MethodGet || strings.HasPrefix(rt.pattern, "/v1/audit/") || strings.HasPrefix(rt.pattern, "/readyz") ||
				strings.HasPrefix(rt.pattern, "/v1/log/") || strings.HasSuffix(rt.pattern, "/proof") || strings.HasSuffix(rt.pattern, "/integrity-report") { // the log grows
				continue
			}
			of := map[string]string{"/v1/obligations/:id": duty, "/v1/users/:id": k.ids["view"]}
			for _, id := range []string{first, gone} {
				if other := of[rt.pattern]; other != "" {
					id = other
				}
				path := strings.NewReplacer(":id", id, ":documentId", id, ":accountId", "main", ":n", "1", ":key", "renewalDate").Replace(rt.pattern)
				ask(path)
			}
		}
		for _, path := range lists {
			ask(path)
		}
		return all
	}
	before := answers()
	hidden, deleted := document("hidden"), document("hidden2")
	about := obligation(hidden)
	// Where it lies is between the others too.
	make("admin", "PATCH", "/v1/documents/"+hidden, `{"name":"g hidden","path":"2024/hidden"}`)
	for _, id := range []string{hidden, deleted} {
		make("admin", "POST", "/v1/documents/"+id+"/restriction", `{"reason":"contested"}`)
	}
	make("admin", "DELETE", "/v1/documents/"+deleted, `{}`)
	make("admin", "POST", "/v1/documents/"+hidden+"/holds", `{"reason":"litigation","matter":"Acme"}`)
	after := answers()
	for path, was := range before {
		if is := after[path]; is != was {
			t.Errorf("GET %s tells that something is restricted:\n%s\nwas\n%s", path, is, was)
		}
	}
	notThere(t, k, []string{hidden, deleted}, about)
	logHidden(t, k, hidden)

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
func notThere(t *testing.T, k *kit, documents []string, obligation string) {
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
	a, body := k.do("upload", "POST", "/v1/documents?fileName=x&externalId=hidden", strings.NewReader("text"), "Content-Type", "text/plain")
	if a.StatusCode != 409 || strings.Contains(body, "details") || strings.Contains(body, documents[0]) {
		t.Errorf("the external id is taken: %d %s", a.StatusCode, body)
	}
}

// logHidden: the lines of the log stay, without the details.
func logHidden(t *testing.T, k *kit, document string) {
	t.Helper()
	_, body := k.do("view", "GET", "/v1/audit/entries?limit=500", nil)
	var list List[Entry]
	if err := json.Unmarshal([]byte(body), &list); err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, e := range list.Items {
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
