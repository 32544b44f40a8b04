package httpapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// asked sends a request in process, from an address, and says how long the answer
// took.
func asked(s *Server, from, token, path string) (*httptest.ResponseRecorder, time.Duration) {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = from
	r.Header.Set("Authorization", "Bearer "+token)
	w, began := httptest.NewRecorder(), time.Now()
	s.ServeHTTP(w, r)
	return w, time.Since(began)
}

// TestWrongKeysAreSlowed: by address and by key, whether it exists or not, and
// nobody who has the right key is kept out.
func TestWrongKeysAreSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		for name, wrong := range map[string]string{
			"wrong secret":  "sr_main_" + k.Admin.KeyID + "_" + strings.Repeat("A", 43),
			"half a token":  "sr_main_" + k.Admin.KeyID,
			"unknown key":   "sr_main_" + engine.NewID() + "_" + strings.Repeat("A", 43),
			"unknown vault": "sr_other_" + engine.NewID() + "_" + strings.Repeat("A", 43),
			"no token":      "letmein",
		} {
			s := New(map[string]*engine.Vault{"main": k.Vault}, Options{})
			ask := func(from, token string, status int, took time.Duration) {
				t.Helper()
				w, is := asked(s, from, token, "/v1/me")
				if w.Code != status || is != took || status == 429 && w.Header().Get("Retry-After") == "" {
					t.Errorf("%s from %s: %d after %v, want %d after %v: %s", name, from, w.Code, is, status, took, w.Body)
				}
			}
			for i := range failuresAtOnce {
				ask(fmt.Sprintf("[2001:db8::%x]:5000", i+1), wrong, 401, 0)
			}
			ask("[2001:db8::ffff]:5000", wrong, 401, time.Second)
			ask("[2001:db8::ffff]:5000", k.Token, 200, 0)
			elsewhere := time.Second
			if strings.Contains(name, "token") { // it names no key
				elsewhere = 0
			}
			ask("192.0.2.1:7", wrong, 401, elsewhere)
			var waiting sync.WaitGroup
			for range failuresAtOnce {
				asked(s, "[2001:db8::1]:1", wrong, "/v1/me")
			}
			for range slowedEach {
				waiting.Go(func() { asked(s, "[2001:db8::1]:1", wrong, "/v1/me") })
			}
			synctest.Wait()
			ask("[2001:db8::2]:5000", wrong, 429, 0)
			ask("[2001:db8::2]:5000", k.Token, 200, 0)
			waiting.Wait()
			time.Sleep(time.Minute)
			ask("[2001:db8::2]:5000", wrong, 401, 0) // it is forgiven
		}
	})
}

// TestNoMoreAnswersWaitThanMay: from however many addresses.
func TestNoMoreAnswersWaitThanMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		s := New(map[string]*engine.Vault{"main": k.Vault}, Options{})
		wrong := "sr_main_" + k.Admin.KeyID + "_" + strings.Repeat("A", 43)
		var mu sync.Mutex
		var waiting sync.WaitGroup
		codes := map[int]int{}
		for i := range failuresAtOnce + slowedAll + 100 {
			waiting.Go(func() {
				w, _ := asked(s, fmt.Sprintf("10.0.%d.1:1", i), wrong, "/v1/me")
				mu.Lock()
				defer mu.Unlock()
				codes[w.Code]++
			})
		}
		waiting.Wait()
		if codes[401] != failuresAtOnce+slowedAll || codes[429] != 100 {
			t.Error(codes)
		}
	})
}

// TestFailedSignInsAreTold: in the metrics, and in an entry whose detail is for
// admins.
func TestFailedSignInsAreTold(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	k.tokens["bad"] = "sr_main_" + k.ids["admin"] + "_" + strings.Repeat("A", 43)
	k.tokens["astray"] = "sr_nowhere_" + k.ids["admin"] + "_" + strings.Repeat("A", 43)
	for _, key := range []string{"bad", "bad", "astray"} {
		if a, _ := k.do(key, "GET", "/v1/me", nil); a.StatusCode != http.StatusUnauthorized {
			t.Error(a.StatusCode)
		}
	}
	for _, v := range k.vaults {
		if _, err := v.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	const path = "/v1/audit/entries?op=signin.failed"
	if _, body := k.do("admin", "GET", path, nil); strings.Count(body, `"op":"signin.failed"`) != 1 || !strings.Contains(body, `"facts":{"count":2,"reason":"unknown"}`) ||
		!strings.Contains(body, `"detail":{"source":"127.0.0.1"}`) {
		t.Error(body)
	}
	if _, body := k.do("view", "GET", path, nil); strings.Contains(body, "127.0.0.1") || !strings.Contains(body, `"count":2`) {
		t.Error(body)
	}
	if _, body := k.do("other", "GET", path, nil); body != `{"items":[]}`+"\n" {
		t.Error("another vault tells of it:", body)
	}
	if _, page := k.do("admin", "GET", "/metrics", nil); !strings.Contains(page, `strongroom_signin_failures_total{reason="invalid"} 3`) {
		t.Error(page)
	}
}
