package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

// TestKillDuringARun kills a server while it works a run of retention off, three
// times, and starts it again: the run comes to its end by itself, and each
// document was deleted once.
func TestKillDuringARun(t *testing.T) { eachSeed(t, testKillDuringARun) }

func testKillDuringARun(t *testing.T, seed uint64) {
	dice := rand.New(rand.NewPCG(seed, 0))
	const documents, kills = 800, 3
	data := t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	ids := storeInvoices(t, data, documents)
	s := spawn(t, data)
	const rule = `"scope":"category","target":"invoice","periodDays":0,"action":"delete"`
	var seen struct{ PlanDigest string }
	s.mustDo(t, key, "POST", "/v1/retention/preview", http.StatusOK, `{"policy":{`+rule+`}}`, &seen)
	s.mustDo(t, key, "POST", "/v1/retention/policies", http.StatusCreated, `{"name":"at once",`+rule+`,"planDigest":"`+seen.PlanDigest+`"}`, nil)
	var run struct {
		ID, Status string
		Counts     struct{ Deleted int }
	}
	s.mustDo(t, key, "POST", "/v1/retention/runs", http.StatusAccepted, "", &run)
	interrupted := 0
	for range kills {
		wait(t.Context(), time.Duration(dice.Int64N(int64(80*time.Millisecond))))
		s.mustDo(t, key, "GET", "/v1/retention/runs/"+run.ID, http.StatusOK, "", &run)
		if run.Status == "running" {
			interrupted++
		}
		s.kill(t)
		s = spawn(t, data)
	}
	s.mustDo(t, key, "GET", "/v1/retention/runs/"+run.ID+"?wait=60", http.StatusOK, "", &run)
	if run.Status != "completed" || run.Counts.Deleted != documents {
		t.Errorf("%+v", run)
	}
	deletions := map[string]int{}
	for cursor := ""; ; {
		var page struct {
			Items      []struct{ DocumentID, Outcome string }
			NextCursor string
		}
		s.mustDo(t, key, "GET", "/v1/retention/runs/"+run.ID+"/outcomes?limit=500&cursor="+cursor, http.StatusOK, "", &page)
		for _, o := range page.Items {
			deletions[o.DocumentID+o.Outcome]++
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	for _, id := range ids {
		if deletions[id+"deleted"] != 1 {
			t.Errorf("%s was deleted %d times", id, deletions[id+"deleted"])
		}
	}
	s.stop()
	<-s.ended
	mustRun(t, "verify", "--data", data, "--bytes")
	t.Logf("killed %d times while it ran", interrupted)
}

// storeInvoices makes documents in a vault at rest.
func storeInvoices(t *testing.T, data string, n int) []string {
	t.Helper()
	v, err := datadir.Open(datadir.Place{Data: data, Vault: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	users, err := v.Users(t.Context(), engine.Paging{})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, n)
	var storing sync.WaitGroup
	for worker := range 8 {
		storing.Go(func() {
			for i := worker; i < n; i += 8 {
				u, err := v.Stage(t.Context(), strings.NewReader(fmt.Sprint("invoice ", i)), 0)
				if err != nil {
					t.Error(err)
					return
				}
				d, _, err := v.CreateDocument(t.Context(), engine.Operator(), engine.NewDocument{Name: "invoice", Category: "invoice", OwnerID: users.Items[0].ID}, u)
				u.Discard()
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = d.ID
			}
		})
	}
	storing.Wait()
	return ids
}

// mustDo sends JSON and reads the answer into out, unless that is nil.
func (s *server) mustDo(t *testing.T, key, method, path string, status int, body string, out any) {
	t.Helper()
	resp, answer := s.do(t, key, method, path, bytes.NewReader([]byte(body)), "Content-Type", "application/json")
	if resp.StatusCode != status {
		t.Fatalf("%s %s: %s\n%s", method, path, resp.Status, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			t.Fatalf("%v\n%s", err, answer)
		}
	}
}

// TestAcceptClock serves a vault whose log is years ahead of the clock: it is
// read, and not written to, until somebody accepts the clock.
func TestAcceptClock(t *testing.T) {
	data := t.TempDir()
	key := vaultOfTheFuture(t, data)
	s := startServer(t, data)
	resp, answer := s.do(t, key, "POST", "/v1/documents?fileName=a.txt", strings.NewReader("a"), "Content-Type", "text/plain")
	if resp.StatusCode != http.StatusServiceUnavailable || !bytes.Contains(answer, []byte(`"details":{"reason":"clock"}`)) {
		t.Errorf("upload: %s\n%s", resp.Status, answer)
	}
	s.mustDo(t, key, "GET", "/v1/documents", http.StatusOK, "", nil)
	if resp, answer := s.do(t, key, "GET", "/readyz", nil); resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte("set the clock right, or accept it")) {
		t.Errorf("readyz: %s\n%s", resp.Status, answer)
	}
	if code := s.end(); code != 0 {
		t.Fatal(code)
	}
	s = startServer(t, data, "--accept-clock")
	s.upload(t, key, "a.txt", "a")
	var page struct{ Items []struct{ Op, Actor string } }
	s.mustDo(t, key, "GET", "/v1/audit/entries?op=clock.corrected", http.StatusOK, "", &page)
	if len(page.Items) != 1 || page.Items[0].Actor != "operator" {
		t.Errorf("%+v", page)
	}
	if code := s.end(); code != 0 {
		t.Fatal(code)
	}
	mustRun(t, "verify", "--data", data)
}

// vaultOfTheFuture makes a vault in a bubble in which forty years have passed
// since 2000, and returns the key of its administrator.
func vaultOfTheFuture(t *testing.T, data string) (key string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(40 * 365 * 24 * time.Hour)
		v, err := engine.Create(datadir.Place{Data: data, Vault: "main"}.Dir(), engine.Options{Name: "main"})
		if err != nil {
			t.Fatal(err)
		}
		u, _, err := v.CreateUser(t.Context(), engine.Operator(), engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
		if err != nil {
			t.Fatal(err)
		}
		_, secret, _, err := v.CreateKey(t.Context(), engine.Operator(), engine.NewKey{Name: "key", UserID: u.ID})
		if err != nil {
			t.Fatal(err)
		}
		key = secret.Reveal()
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	})
	return key
}
