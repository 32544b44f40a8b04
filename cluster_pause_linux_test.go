package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strongroom/audit"
)

var (
	pauses   = flag.Int("pauses", 0, "how many times TestPausedOwner stops the server that owns the vault")
	pauseFor = flag.Duration("pause", 6*time.Second, "for how long")
)

// TestPausedOwner stops the server that owns the vault in the middle of its work, and
// lets it wake when another has taken over. What was asked of it meanwhile is lying there:
// it acknowledges nothing that is not in the log, and answers no read as it once was.
func TestPausedOwner(t *testing.T) {
	if *soaking {
		*pauses = max(*pauses, 1)
	}
	if *pauses == 0 {
		t.Skip("-pauses 1")
	}
	f := newFleet(t, 2)
	s := f.startSoak(1)
	for range *pauses {
		wait(t.Context(), 500*time.Millisecond)
		f.pauseOwner(s)
	}
	t.Logf("%d pauses, %d changes acknowledged", *pauses, s.end())
}

// pauseOwner is one pause.
func (f *fleet) pauseOwner(s *soak) {
	t := f.t
	t.Helper()
	owner := f.owner()
	next := owner.others()[0]
	document := next.server.upload(t, f.key, "p.txt", "p")
	guest, secret := next.addKey()
	process, err := os.FindProcess(owner.server.pid)
	if err != nil {
		t.Fatal(err)
	}
	process.Signal(syscall.SIGSTOP)
	stopped := time.Now()
	defer process.Signal(syscall.SIGCONT)

	// The name that it knew is no more.
	f.awaitChange(next)
	took := time.Since(stopped)
	resp, answer := next.server.do(t, f.key, "PATCH", "/v1/documents/"+document, strings.NewReader(`{"name":"changed since"}`), "Content-Type", "application/json")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the next owner: %s\n%s", resp.Status, answer)
	}
	if resp, answer := next.server.do(t, f.key, "DELETE", "/v1/api-keys/"+guest, nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("the next owner: %s\n%s", resp.Status, answer)
	}
	asked := owner.askPaused(document, secret)
	wait(t.Context(), *pauseFor-time.Since(stopped))
	process.Signal(syscall.SIGCONT)
	acknowledged, refused := asked.check(t, s)
	t.Logf("no write for %v; woken, it answered or passed on %d of %d requests and refused the rest", took.Round(time.Millisecond), acknowledged, acknowledged+refused)

	head, err := headOf(t.Context(), f.key, next.where())
	if err != nil {
		t.Fatal(err)
	}
	owner.catchUp(head.Seq)
	if now := f.owner(); now != next {
		t.Errorf("%s owns the vault, and not %s", now.name, next.name)
	}
}

// addKey makes an API key of the first user.
func (m *member) addKey() (id, secret string) {
	m.t.Helper()
	var me struct{ User struct{ ID string } }
	var key struct{ ID, Secret string }
	_, answer := m.server.do(m.t, m.key, "GET", "/v1/me", nil)
	err := json.Unmarshal(answer, &me)
	if err == nil {
		_, answer = m.server.do(m.t, m.key, "POST", "/v1/api-keys", strings.NewReader(fmt.Sprintf(`{"name":"guest","userId":%q}`, me.User.ID)), "Content-Type", "application/json")
		err = json.Unmarshal(answer, &key)
	}
	if err != nil || key.Secret == "" {
		m.t.Fatalf("a key: %v\n%s", err, answer)
	}
	return key.ID, key.Secret
}

// asked is what lies before a server that is stopped.
type asked struct {
	wg      sync.WaitGroup
	mu      sync.Mutex // guards what follows
	answers []answer
}

type answer struct {
	method string
	guest  bool // with a key that is revoked by now
	code   int
	body   []byte
	header http.Header
	err    error
}

// askPaused sends a server changes and reads that it cannot even receive now, some with
// a key that is revoked meanwhile.
func (m *member) askPaused(document, guest string) *asked {
	const each = 20
	a := &asked{}
	for i := range 3 * each {
		method, path, body, key := "GET", "/v1/documents/"+document, "", m.key
		switch i % 3 {
		case 1:
			method, path, body = "POST", fmt.Sprintf("/v1/documents?fileName=%d.txt", i), "of a stopped server"
		case 2:
			key = guest
		}
		a.wg.Go(func() {
			ctx, cancel := context.WithTimeout(m.t.Context(), *pauseFor+time.Minute)
			defer cancel()
			r, err := http.NewRequestWithContext(ctx, method, m.where()+path, strings.NewReader(body))
			if err != nil {
				m.t.Error(err)
				return
			}
			r.Header.Set("Authorization", "Bearer "+key)
			res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
			got := answer{method: method, guest: key == guest, err: err}
			if err == nil {
				got.code, got.header = res.StatusCode, res.Header
				got.body, got.err = readAll(res)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			a.answers = append(a.answers, got)
		})
	}
	return a
}

// check waits for the answers, and holds them to what is so. A change that is
// acknowledged is looked for in the log with the others: the woken server has passed it
// on.
func (a *asked) check(t testing.TB, s *soak) (answered, refused int) {
	t.Helper()
	a.wg.Wait()
	for _, got := range a.answers {
		switch {
		case got.err != nil || got.code >= http.StatusBadGateway:
			refused++
			continue
		case got.guest:
			if got.code != http.StatusUnauthorized {
				t.Errorf("the woken server lets a revoked key in: %d\n%s", got.code, got.body)
			}
		case got.method == "POST" && got.code == http.StatusCreated:
			receipt, err := audit.ParseReceipt(got.header.Get("X-Audit-Seq") + ":" + got.header.Get("X-Audit-Hash"))
			if err != nil {
				t.Error(err)
			}
			s.extra = append(s.extra, receipt)
		case got.method == "GET" && got.code == http.StatusOK:
			var document struct{ Name string }
			if err := json.Unmarshal(got.body, &document); err != nil || document.Name != "changed since" {
				t.Errorf("the woken server answers what once was so: %s\n%s", got.body, got.header)
			}
		default:
			t.Errorf("%s: %d\n%s", got.method, got.code, got.body)
		}
		answered++
	}
	return answered, refused
}
