package httpapi

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"strongroom/engine"
)

// exported sends a request for an export, and returns the files of the bag.
func exported(k *kit, key, method, path, body string) map[string]string {
	k.Helper()
	a, out := k.do(key, method, path, strings.NewReader(body))
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "application/zip" || a.Header.Get("X-Audit-Seq") == "" {
		k.Fatalf("%s %s: %d %.200s", method, path, a.StatusCode, out)
	}
	r, err := zip.NewReader(strings.NewReader(out), int64(len(out)))
	if err != nil {
		k.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range r.File {
		body, err := f.Open()
		if err != nil {
			k.Fatal(err)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			k.Fatal(err)
		}
		dir, name, _ := strings.Cut(f.Name, "/")
		if want := `filename="` + dir + `.zip"`; !strings.Contains(a.Header.Get("Content-Disposition"), want) {
			k.Errorf("%s is in %s", f.Name, a.Header.Get("Content-Disposition"))
		}
		files[name] = string(text)
	}
	return files
}

func TestExports(t *testing.T) {
	x := indexes{}
	k := newKit(t, Options{Search: x})
	x.follow(t, k)
	main := k.vaults["main"]
	one := main.CreateFrom(engine.NewDocument{Name: "lease.txt", Path: "2024/a"}, "the tenant pays rent")
	two := main.CreateFrom(engine.NewDocument{Name: "other.txt", Path: "2024/b"}, "something else")
	if _, _, err := main.PlaceHold(t.Context(), main.Admin, one.ID, engine.Condition{}, engine.NewHold{Reason: "suit", Matter: "Acme & sons"}); err != nil {
		t.Fatal(err)
	}
	_, k.tokens["auditor"] = main.Person("auditor", engine.AccessAuditor)
	k.do("admin", "GET", "/v1/search?q=rent", nil) // it is in the index then
	for _, c := range []struct{ key, method, path, body, has, lacks string }{
		{"auditor", "GET", "/v1/matters/Acme%20&%20sons/export", "", one.ID, two.ID},
		{"admin", "POST", "/v1/exports", `{"matter":"Acme & sons"}`, one.ID, two.ID},
		{"admin", "POST", "/v1/exports", `{"documentIds":["` + two.ID + `"]}`, two.ID, one.ID},
		{"auditor", "POST", "/v1/exports", `{"filter":{"path":"2024/b"}}`, two.ID, one.ID},
		{"admin", "POST", "/v1/exports", `{"filter":{"q":"rent"}}`, one.ID, two.ID},
		{"admin", "POST", "/v1/exports", `{"filter":{"path":"nowhere"}}`, "[", one.ID},
		{"admin", "POST", "/v1/exports", `{"documentIds":[]}`, "[", one.ID},
	} {
		files := exported(k, c.key, c.method, c.path, c.body)
		if list := files["data/documents.json"]; !strings.Contains(list, c.has) || strings.Contains(list, c.lacks) {
			t.Errorf("%s %s %s: %s", c.method, c.path, c.body, list)
		}
	}
	_, log := k.do("admin", "GET", "/v1/audit/entries?op=matter.exported&limit=500", nil)
	if n := strings.Count(log, `"op":"matter.exported"`); n != 7 || !strings.Contains(log, "Acme") {
		t.Errorf("%d entries: %s", n, log)
	}
	if _, log := k.do("view", "GET", "/v1/audit/entries?op=matter.exported", nil); strings.Contains(log, "Acme") {
		t.Errorf("a viewer reads the matter: %s", log)
	}
	for _, key := range []string{"view", "upload"} {
		if a, body := k.do(key, "POST", "/v1/exports", strings.NewReader(`{"documentIds":[]}`)); a.StatusCode != 403 {
			t.Errorf("%s: %d %s", key, a.StatusCode, body)
		}
	}
}

// A download that ends early is no ZIP file, and the server goes on.
func TestAnExportCutShort(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	noise := make([]byte, 4<<20) // more than systems take for a client that does not read
	rand.Read(noise)
	for range 4 {
		main.Create("noise", string(noise))
	}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", k.http.URL+"/v1/exports", strings.NewReader(`{"filter":{"createdTo":"2100-01-01T00:00:00Z"}}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+k.tokens["admin"])
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	var some bytes.Buffer
	if _, err := io.CopyN(&some, a.Body, 1<<20); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := io.Copy(&some, a.Body); err == nil {
		t.Error("the answer ended as if it were whole")
	}
	if _, err := zip.NewReader(bytes.NewReader(some.Bytes()), int64(some.Len())); err == nil {
		t.Error("half an export is a ZIP file")
	}
}

// Where two persons are needed for exports, an auditor asks and the admin who
// approves gets the ZIP file.
func TestAnExportByTwo(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	d := main.Create("lease.txt", "lease")
	_, k.tokens["auditor"] = main.Person("auditor", engine.AccessAuditor)
	main.Person("second", engine.AccessAdmin)
	if _, _, err := main.UpdateSettings(t.Context(), main.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &[]engine.Covered{engine.CoveredExport}}); err != nil {
		t.Fatal(err)
	}
	a, body := k.do("auditor", "POST", "/v1/exports", strings.NewReader(`{"documentIds":["`+d.ID+`"]}`))
	var asked Approval
	if err := json.Unmarshal([]byte(body), &asked); a.StatusCode != 202 || err != nil || asked.What != "export" {
		t.Fatalf("%d %s", a.StatusCode, body)
	}
	files := exported(k, "admin", "POST", "/v1/approvals/"+asked.ID+"/approve", `{"planDigest":"`+asked.PlanDigest+`"}`)
	if !strings.Contains(files["data/documents.json"], d.ID) {
		t.Errorf("%v", files)
	}
}

// A client that acts as another admin is asked for, and its secret is the answer to
// who approves.
func TestAClientByTwo(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	second, token := main.Person("second", engine.AccessAdmin)
	k.tokens["second"] = token
	if _, _, err := main.UpdateSettings(t.Context(), main.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &[]engine.Covered{engine.CoveredExport}}); err != nil {
		t.Fatal(err)
	}
	by := func(method, path, body string, granted int) string {
		t.Helper()
		a, out := k.do("admin", method, path, strings.NewReader(body))
		var asked Approval
		if err := json.Unmarshal([]byte(out), &asked); a.StatusCode != 202 || err != nil || asked.What != "admin" {
			t.Fatalf("%s %s: %d %s", method, path, a.StatusCode, out)
		}
		a, out = k.do("second", "POST", "/v1/approvals/"+asked.ID+"/approve", strings.NewReader(`{"planDigest":"`+asked.PlanDigest+`"}`))
		if a.StatusCode != granted || a.Header.Get("ETag") == "" {
			t.Fatalf("approve %s %s: %d %s", method, path, a.StatusCode, out)
		}
		return out
	}
	var made ClientWithSecret
	out := by("POST", "/v1/clients", `{"name":"ERP","grants":["client_credentials"],"userId":"`+second.UserID+`"}`, 201)
	if err := json.Unmarshal([]byte(out), &made); err != nil || made.Secret == "" {
		t.Fatalf("%v %s", err, out)
	}
	if out := by("POST", "/v1/clients/"+made.ID+"/rotate", "", 200); !strings.Contains(out, `"secret":`) {
		t.Error(out)
	}
	k.do("admin", "PATCH", "/v1/clients/"+made.ID, strings.NewReader(`{"access":"view"}`), "Content-Type", "application/merge-patch+json")
	if a, out := k.do("admin", "POST", "/v1/clients/"+made.ID+"/rotate", nil); a.StatusCode != 200 {
		t.Errorf("one that only views: %d %s", a.StatusCode, out)
	}
	by("PATCH", "/v1/clients/"+made.ID, `{"access":"admin"}`, 200)
}
