package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
)

func TestMetricsListen(t *testing.T) {
	s := startServer(t, t.TempDir(), "--metrics-listen", "127.0.0.1:0")
	metrics := strings.TrimPrefix(s.stderr.await(t, s.ended, `metrics at http://\S+`), "metrics at ")
	get := func(url string) (int, string) {
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var b bytes.Buffer
		b.ReadFrom(resp.Body)
		return resp.StatusCode, b.String()
	}
	status, page := get(metrics)
	for _, family := range []string{`strongroom_vault_up{vault="main"} 1`, "process_start_time_seconds 1", "go_goroutines ", "go_gc_gomemlimit_bytes 4.02653184e+08"} {
		if status != http.StatusOK || !strings.Contains(page, "\n"+family) {
			t.Errorf("%d, without %s:\n%s", status, family, page)
		}
	}
	if status, _ := get(strings.Replace(metrics, "/metrics", "/v1/version", 1)); status != http.StatusNotFound {
		t.Errorf("the API is there too: %d", status)
	}
	if status, _ := get(s.url + "/metrics"); status != http.StatusUnauthorized {
		t.Errorf("beside the rest, strangers get %d", status)
	}
	if resp, _ := s.do(t, s.firstKey(t), "GET", "/metrics", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("beside the rest, an admin gets %s", resp.Status)
	}
}

// TestRate holds that the limit is that of keys, and that the operator on the
// machine has none.
func TestRate(t *testing.T) {
	s := startServer(t, t.TempDir(), "--rate", "0.001", "--burst", "1")
	key := s.firstKey(t)
	for i, want := range []int{http.StatusOK, http.StatusTooManyRequests} {
		if resp, answer := s.do(t, key, "GET", "/v1/me", nil); resp.StatusCode != want {
			t.Errorf("request %d: %s\n%s", i, resp.Status, answer)
		}
	}
	for range 3 {
		mustRun(t, "user", "list", "--data", s.data)
	}
}
