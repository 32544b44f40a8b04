package main

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// smallDisk mounts a file system in memory of this size, for root alone.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts disks")
	}
	dir := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "mode=700,size="+size, "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("no disk can be made here: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
	return dir
}

// TestDiskFull holds that a full disk refuses writes with 507, that reading goes
// on, that writing does by itself when space is back, and that nothing
// acknowledged is lost.
func TestDiskFull(t *testing.T) {
	data := smallDisk(t, "160M")
	s := startServer(t, data)
	key := s.firstKey(t)
	kept := s.upload(t, key, "kept.txt", "kept")
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)

	document := func() int {
		t.Helper()
		resp, _ := s.do(t, key, "POST", "/v1/documents?fileName=more.txt", strings.NewReader("more"), "Content-Type", "text/plain")
		return resp.StatusCode
	}
	for range 3 {
		if status := document(); status != http.StatusInsufficientStorage {
			t.Errorf("upload to a full disk: %d", status)
		}
	}
	if resp, answer := s.do(t, key, "PATCH", "/v1/documents/"+kept, strings.NewReader(`{"name":"new"}`), "Content-Type", "application/json"); resp.StatusCode != http.StatusInsufficientStorage {
		t.Errorf("PATCH on a full disk: %s\n%s", resp.Status, answer)
	}
	if resp, answer := s.do(t, key, "GET", "/v1/documents/"+kept+"/content", nil); resp.StatusCode != http.StatusOK || string(answer) != "kept" {
		t.Errorf("reading on a full disk: %s %q", resp.Status, answer)
	}
	run(t, "doctor", "--data", data).expect(t, 1, "error")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if status := document(); status != http.StatusCreated {
		t.Errorf("upload when space is back: %d", status)
	}
	mustRun(t, "verify", "--data", data, "--bytes")
}

// fill writes until nothing more goes in.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); err == nil; {
		_, err = f.Write(chunk)
	}
}

// TestBackupToAFullDisk holds that a medium that is too small is refused before
// anything is written there, and that the earlier backup on it stands.
func TestBackupToAFullDisk(t *testing.T) {
	medium := smallDisk(t, "8M")
	data := t.TempDir()
	mustRun(t, "init", "--data", data)
	mustRun(t, "backup", "--data", data, "--to", medium)
	s := startServer(t, data)
	admin := strings.TrimSpace(mustRun(t, "key", "add", "--data", data, "--user", onlyUser(t, data), "--name", "test"))
	s.upload(t, admin, "large.txt", strings.Repeat("large ", 2<<20))
	run(t, "backup", "--data", data, "--to", medium).expect(t, 1, "more are needed")
	mustRun(t, "restore", "--from", medium, "--data", filepath.Join(t.TempDir(), "new"), "--without-log")
	run(t, "restore", "--from", medium, "--data", filepath.Join(smallDisk(t, "32K"), "new"), "--without-log").expect(t, 1, "space")
}

func onlyUser(t *testing.T, data string) string {
	t.Helper()
	list := mustRun(t, "user", "list", "--data", data, "--json")
	_, rest, _ := strings.Cut(list, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}
