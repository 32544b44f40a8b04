//go:build unix

package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The users of these tests: nobody's ids on most machines.
const service, stranger = 61_001, 61_002

// asUser runs the program as a user, in a process of its own.
func asUser(t *testing.T, uid uint32, args ...string) result {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Where others can get at it.
	dir, err := os.MkdirTemp("", "strongroom-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "strongroom")
	content, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, content, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, program} {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	cmd.Run()
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// serviceData is a data directory of a user who is not root, with nothing in it.
func serviceData(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can do what root does for others")
	}
	top, err := os.MkdirTemp("", "strongroom-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	data := filepath.Join(top, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(data, service, service); err != nil {
		t.Fatal(err)
	}
	return data
}

// ownedBy fails for each file below a directory that is not the user's.
func ownedBy(t *testing.T, dir string, uid uint32) {
	t.Helper()
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Fatal(err)
		}
		info, err := d.Info()
		if err != nil {
			t.Fatal(err)
		}
		if is := info.Sys().(*syscall.Stat_t).Uid; is != uid {
			t.Errorf("%s belongs to user %d", path, is)
		}
		return nil
	})
}

// TestRootWorksForTheOwner holds that what root does to a vault of a service's user
// leaves nothing that this user cannot read.
func TestRootWorksForTheOwner(t *testing.T) {
	data := serviceData(t)
	t.Chdir(t.TempDir()) // which is root's alone
	dir := tree(t, map[string]string{"a.txt": "A", "large.bin": strings.Repeat("large", 1<<16)})
	mustRun(t, "init", "--data", data)
	ownedBy(t, data, service)
	importing(t, 0, counts(2, 0, 0, 0), dir, "--data", data)
	ownedBy(t, data, service)
	for _, args := range [][]string{{"compact"}, {"user", "list"}, {"verify", "--bytes"}, {"doctor"}, {"backup", "--to", "medium"}, {"export", "--log", "log.jsonl"}} {
		mustRun(t, append(args, "--data", data)...)
		ownedBy(t, data, service)
	}
	if r := asUser(t, service, "verify", "--bytes", "--data", data); r.code != 0 {
		t.Errorf("the owner: %+v", r)
	}
	mustRun(t, "restore", "--from", "medium/main", "--data", data+"-2", "--log", "log.jsonl")
	ownedBy(t, data+"-2", 0) // there was no owner to work for
	if err := os.RemoveAll(filepath.Join(data, "vaults")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "restore", "--from", "medium", "--data", data, "--log", "log.jsonl")
	ownedBy(t, data, service)

	// A server of root's gives everything back at its end.
	s := startServer(t, data)
	key := strings.TrimSpace(mustRun(t, "key", "add", "--data", data, "--name", "k", "--user", firstUser(t, data)))
	s.upload(t, key, "b.txt", "B")
	s.end()
	ownedBy(t, data, service)

	// What a process of root's that was killed has left is found by the next.
	lock := filepath.Join(data, "vaults", "main", "vault.lock")
	blob := filepath.Join(data, "vaults", "main", "blobs", "sha256", "00", "leftover")
	for path, text := range map[string]string{lock: "1\n", blob: ""} {
		writeFile(t, path, text)
		if err := os.Chown(path, 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	// A link that the owner laid leads nowhere.
	other := writeFile(t, "other", "root's")
	linked := os.Link(other, filepath.Join(data, "vaults", "main", "link")) == nil
	if err := os.Symlink(other, filepath.Join(data, "vaults", "main", "symlink")); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "user", "list", "--data", data)
	if info, err := os.Stat(other); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("root's own file was given away (linked: %v), %v", linked, err)
	}
	os.Remove(filepath.Join(data, "vaults", "main", "link"))
	os.Remove(filepath.Join(data, "vaults", "main", "symlink"))
	ownedBy(t, data, service)
}

func firstUser(t *testing.T, data string) string {
	t.Helper()
	return strings.Fields(strings.Split(mustRun(t, "user", "list", "--data", data), "\n")[1])[0]
}

// TestAStrangerIsRefused holds that anybody else is told what to type, and changes
// nothing.
func TestAStrangerIsRefused(t *testing.T) {
	data := serviceData(t)
	mustRun(t, "init", "--data", data)
	for _, args := range [][]string{{"user", "list"}, {"verify"}, {"compact"}, {"import", "/"}, {"vault", "list"}, {"doctor"},
		{"backup", "--all", "--to", "x"}, {"init", "--vault", "other"}, {"serve", "--listen", "127.0.0.1:0"}} {
		r := asUser(t, stranger, append(args, "--data", data)...)
		r.expect(t, 1, "permission", "sudo -u '#61001' strongroom")
	}
	// Nor is it different where the directories let everybody in.
	for _, dir := range []string{"", "vaults", "vaults/main"} {
		if err := os.Chmod(filepath.Join(data, dir), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	asUser(t, stranger, "user", "list", "--data", data).expect(t, 1, "sudo -u '#61001' strongroom")
	ownedBy(t, data, service)

	// The owner is told of root's files what they are, and what to type.
	if err := os.Chown(filepath.Join(data, "vaults", "main", "rows.db"), 0, 0); err != nil {
		t.Fatal(err)
	}
	asUser(t, service, "user", "list", "--data", data).expect(t, 1, "permission denied", "chown -R '61001'")
}
