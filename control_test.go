package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"strongroom/httpapi/control"
)

// TestControlSocket holds that commands come to the same through a server as
// at rest.
func TestControlSocket(t *testing.T) {
	data := t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	mustRun(t, "user", "add", "--data", data, "--name", "Grace \u200fHopper", "--email", "grace@example.com")
	commands := [][]string{
		{"user", "list"}, {"user", "list", "--json"}, {"key", "list"}, {"key", "list", "--json"},
		{"verify"}, {"verify", "--bytes"}, {"export", "--log", "-"},
		{"export", "--log", os.DevNull, "--details", "details.jsonl"},
	}
	t.Chdir(t.TempDir())
	atRest := make([]result, len(commands))
	see := func(i int) result {
		r := run(t, append(commands[i], "--data", data)...)
		if details, err := os.ReadFile("details.jsonl"); err == nil {
			r.stdout += string(details)
			os.Remove("details.jsonl")
		}
		return r
	}
	for i := range commands {
		if atRest[i] = see(i); atRest[i].code != 0 {
			t.Errorf("%v: %+v", commands[i], atRest[i])
		}
	}
	if table := atRest[0].stdout; strings.Contains(table, "\u200f") || !strings.Contains(table, "Hopper") {
		t.Errorf("what turns a terminal's text around is printed:\n%q", table)
	}
	s := startServer(t, data)
	if info, err := os.Stat(filepath.Join(data, control.SocketName)); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
		t.Errorf("the socket: %v, %v", info, err)
	}
	for i := range commands {
		if through := see(i); through != atRest[i] {
			t.Errorf("%v at rest:\n%+v\nthrough the socket:\n%+v", commands[i], atRest[i], through)
		}
	}
	// A change through the socket holds at once, and is the operator's.
	id := strings.TrimSpace(mustRun(t, "user", "add", "--data", data, "--name", "Late"))
	if resp, answer := s.do(t, key, "GET", "/v1/users/"+id, nil); resp.StatusCode != http.StatusOK {
		t.Errorf("the user added: %s\n%s", resp.Status, answer)
	}
	if log := mustRun(t, "export", "--data", data, "--log", "-"); !strings.Contains(log[strings.LastIndex(strings.TrimSpace(log), "\n"):], `"actor":"operator"`) {
		t.Errorf("the last entry is not the operator's:\n%s", log)
	}
	// A vault made meanwhile is not served, but is at rest.
	mustRun(t, "init", "--data", data, "--vault", "new")
	mustRun(t, "user", "list", "--data", data, "--vault", "new")
	s.end()
	if _, err := os.Stat(filepath.Join(data, control.SocketName)); err == nil {
		t.Error("the socket outlives its server")
	}
}

// TestControlSocketFarDown holds that a data directory whose path is longer
// than a socket's may be has its control socket all the same.
func TestControlSocketFarDown(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the way around the limit is Linux's")
	}
	data := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	s := startServer(t, data)
	mustRun(t, "user", "list", "--data", data)
	if !strings.Contains(s.stderr.String(), `"control":true`) {
		t.Errorf("the server was not asked:\n%s", s.stderr)
	}
}

// TestStaleControlSocket holds that what a killed server left keeps nobody
// from anything.
func TestStaleControlSocket(t *testing.T) {
	data := t.TempDir()
	spawn(t, data).kill(t)
	if _, err := os.Stat(filepath.Join(data, control.SocketName)); err != nil {
		t.Fatal("the test is void: the killed server left no socket")
	}
	mustRun(t, "user", "list", "--data", data)
	s := startServer(t, data)
	mustRun(t, "user", "list", "--data", data)
	if !strings.Contains(s.stderr.String(), `"control":true`) {
		t.Errorf("the server was not asked:\n%s", s.stderr)
	}
}

// TestServeSweeps holds that a server removes what crashes left aside, and
// nothing else.
func TestServeSweeps(t *testing.T) {
	data := t.TempDir()
	old := time.Now().Add(-2 * time.Hour)
	for path, stays := range map[string]bool{
		".s123": false, ".ssh": true, ".s": true, "vaults/.new-123": false, "vaults/.new-young": true, "vaults/.new-456": true,
	} {
		path = filepath.Join(data, path)
		if err := os.MkdirAll(filepath.Join(path, "main", "blobs"), 0o700); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) != ".new-456" { // that one is being made now
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
		defer func() {
			if _, err := os.Stat(path); (err == nil) != stays {
				t.Errorf("%s: %v", path, err)
			}
		}()
	}
	startServer(t, data).end()
}

// TestHeldVaultIsRefused holds that whoever needs a vault that another process
// holds is told which one that is, and does not wait for it.
func TestHeldVaultIsRefused(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	run(t, "serve", "--data", data, "--listen", "127.0.0.1:0").expect(t, 1, fmt.Sprint("process ", s.pid), "--data")
	os.Remove(filepath.Join(data, control.SocketName)) // as if it were hung
	run(t, "user", "list", "--data", data).expect(t, 1, fmt.Sprint("process ", s.pid), "control socket")
}
