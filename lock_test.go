package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestLockOutlivesAKill holds that a lock that was acknowledged is there after
// the server was killed, with its token and its deadline.
func TestLockOutlivesAKill(t *testing.T) {
	data := t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	s := spawn(t, data)
	document := "/v1/documents/" + s.upload(t, key, "a.txt", "a")
	type editLock struct{ LockToken, LockedUntilDateTime, Fence string }
	read := func(method string, want int) (l editLock) {
		t.Helper()
		resp, answer := s.do(t, key, method, document+"/lock", strings.NewReader("{}"), "Content-Type", "application/json")
		if err := json.Unmarshal(answer, &l); err != nil || resp.StatusCode != want || l.LockToken == "" {
			t.Fatalf("%s %s/lock: %s, %v\n%s", method, document, resp.Status, err, answer)
		}
		return l
	}
	taken := read("POST", http.StatusCreated)
	s.kill(t)

	s = spawn(t, data)
	if kept := read("GET", http.StatusOK); kept != taken {
		t.Errorf("after the kill the lock is %+v, was %+v", kept, taken)
	}
	change := func(want int, header ...string) {
		t.Helper()
		header = append(header, "Content-Type", "application/json")
		resp, answer := s.do(t, key, "PATCH", document, strings.NewReader(`{"description":"after the kill"}`), header...)
		if resp.StatusCode != want {
			t.Errorf("a change with %v: %s\n%s", header, resp.Status, answer)
		}
	}
	change(http.StatusLocked)
	change(http.StatusOK, "X-Lock-Token", taken.LockToken)
	s.stop()
	<-s.ended
	mustRun(t, "verify", "--data", data, "--bytes")
}
