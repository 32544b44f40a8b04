package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

// TestVaults makes two vaults and finds them, and nothing that is none.
func TestVaults(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if names, err := Vaults(data); err != nil || len(names) > 0 {
		t.Errorf("where nothing is: %v, %v", names, err)
	}
	admin := engine.NewUser{Name: "Ada", Access: engine.AccessAdmin}
	for _, name := range []string{"main", "legal"} {
		secret, err := Create(t.Context(), Place{Data: data, Vault: name}, admin)
		if err != nil || !strings.HasPrefix(secret.Reveal(), "sr_"+name+"_") {
			t.Errorf("%s: the key is %q, %v", name, secret.Reveal(), err)
		}
	}
	if err := os.Mkdir(filepath.Join(VaultsDir(data), ".new-1"), 0o700); err != nil {
		t.Fatal(err)
	}
	names, err := Vaults(data)
	if err != nil || !slices.Equal(names, []string{"legal", "main"}) {
		t.Errorf("%v, %v", names, err)
	}
	if _, err := Create(t.Context(), Place{Data: data, Vault: "main"}, admin); err == nil {
		t.Error("a vault was made twice")
	}
	if _, err := Open(Place{Data: data, Vault: "none"}); err == nil || !strings.Contains(err.Error(), "strongroom init --vault none") {
		t.Error(err)
	}
	v, err := Open(Place{Data: data, Vault: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if _, err := Open(Place{Data: data, Vault: "main"}); !errors.Is(err, engine.ErrVaultInUse) {
		t.Error(err)
	}
}

// TestLock holds that a second server is refused, by the process that has the
// directory, and that what was left of a first one keeps nobody out.
func TestLock(t *testing.T) {
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "server.lock"), []byte("4194304999\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := Lock(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Lock(data); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d;", os.Getpid())) {
		t.Error(err)
	}
	lock.Close()
	again, err := Lock(data)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

// TestRemoveLeftovers holds that what is made this minute, and what only looks like
// a leftover, stays.
func TestRemoveLeftovers(t *testing.T) {
	data := t.TempDir()
	old := time.Now().Add(-2 * abandoned)
	stays := map[string]bool{
		SocketAside + "1": false, SocketAside: true, ".ssh": true, "main": true,
		"vaults/.new-1": false, "vaults/.new-2": true, "vaults/.new-x": true,
	}
	for path := range stays {
		path = filepath.Join(data, path)
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		if filepath.Base(path) == ".new-2" {
			continue
		}
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(data, FirstKeyName+".new"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stays[FirstKeyName+".new"] = false
	if err := RemoveLeftovers(data); err != nil {
		t.Fatal(err)
	}
	for path, stays := range stays {
		if _, err := os.Stat(filepath.Join(data, path)); (err == nil) != stays {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestHolds holds that no name and no link hides that a path lies in the data
// directory.
func TestHolds(t *testing.T) {
	top := t.TempDir()
	data := filepath.Join(top, "data")
	for _, dir := range []string{"data/vaults/main", "outside"} {
		if err := os.MkdirAll(filepath.Join(top, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]bool{
		"data": true, "data/": true, "data/backup": true, "data/not/there/yet": true, "data/vaults": true, "outside/../data/x": true,
		"outside": false, "outside/data": false, "data-of-another": false, ".": false, "data/..": false,
	}
	if os.Symlink(filepath.Join(data, "vaults"), filepath.Join(top, "link")) == nil {
		want["link"], want["link/main/x"] = true, true
	}
	if os.Symlink(filepath.Join(top, "outside"), filepath.Join(data, "out")) == nil {
		want["data/out"] = false // the bytes lie elsewhere
	}
	for path, want := range want {
		if got, err := Holds(data, filepath.Join(top, path)); err != nil || got != want {
			t.Errorf("%s: %v, %v", path, got, err)
		}
	}
	if got, err := Holds(filepath.Join(top, "none"), data); err != nil || got {
		t.Errorf("a data directory that is not there holds something: %v", err)
	}
}

// TestADatabaseThatIsGone holds that a vault whose database alone is missing is not
// called one that init makes, and that init leaves it alone.
func TestADatabaseThatIsGone(t *testing.T) {
	at := Place{Data: t.TempDir(), Vault: "main"}
	if _, err := Open(at); err == nil || !strings.Contains(err.Error(), "init --vault main` makes it") {
		t.Errorf("none at all: %v", err)
	}
	ada := engine.NewUser{Name: "Ada", Access: engine.AccessAdmin}
	if _, err := Create(t.Context(), at, ada); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vault.db", "rows.db"} {
		if err := os.Remove(filepath.Join(at.Dir(), name)); err != nil {
			t.Fatal(err)
		}
	}
	_, opened := Open(at)
	_, made := Create(t.Context(), at, ada)
	for what, err := range map[string]error{"open": opened, "init": made} {
		if err == nil || !strings.Contains(err.Error(), "its database is missing") || !strings.Contains(err.Error(), "strongroom restore") || strings.Contains(err.Error(), "init") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(filepath.Join(at.Dir(), "vault.db")); err == nil {
		t.Error("it was made anew")
	}
}

// TestALineThatIsGone holds that who has lost the line of text alone is told to write it,
// and not to restore a backup, and that the vault is there again then.
func TestALineThatIsGone(t *testing.T) {
	at := Place{Data: t.TempDir(), Vault: "main"}
	ada := engine.NewUser{Name: "Ada", Access: engine.AccessAdmin}
	if _, err := Create(t.Context(), at, ada); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(at.Dir(), "vault.db")
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	line := strings.TrimSpace(string(was))
	_, opened := Open(at)
	_, made := Create(t.Context(), at, ada)
	_, embedded := engine.Open(at.Dir(), engine.Options{Create: true})
	for what, err := range map[string]error{"open": opened, "init": made, "a program that makes what is not there": embedded} {
		if err == nil || !strings.HasSuffix(err.Error(), ": "+line) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "restore") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := os.WriteFile(path, []byte(line), 0o600); err != nil { // without its end
		t.Fatal(err)
	}
	v, err := Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if page, err := v.Users(t.Context(), engine.Paging{}); err != nil || len(page.Items) != 1 {
		t.Error(page, err)
	}
}
