package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestClients makes a client, changes it, gives it another secret and closes it.
func TestClients(t *testing.T) {
	t.Chdir(t.TempDir())
	mustRun(t, "init", "--admin", "Ada <ada@example.com>")
	made := strings.Fields(mustRun(t, "client", "add", "--name", "ERP", "--grants", "client_credentials", "--user", "ada@example.com", "--access", "upload"))
	if len(made) != 2 || !strings.HasPrefix(made[1], "srs_") {
		t.Fatalf("client add prints %q", made)
	}
	if list := mustRun(t, "client", "list"); !strings.Contains(list, made[0]) || strings.Contains(list, made[1]) {
		t.Errorf("client list prints\n%s", list)
	}
	run(t, "client", "set", made[0]).expect(t, 2, "nothing is to be changed", "--access")
	run(t, "client", "set", made[0], "--access", "view").expect(t, 0, "access view, active")
	if next := mustRun(t, "client", "set", made[0], "--rotate"); !strings.HasPrefix(next, "srs_") || strings.TrimSpace(next) == made[1] {
		t.Errorf("the next secret is %q", next)
	}
	run(t, "client", "close", made[0]).expect(t, 0, "closed")
	run(t, "client", "close", "nobody").expect(t, 1, `"nobody"`, "strongroom client list")
	run(t, "client", "close").expect(t, 2, "one id")
	run(t, "client", "add", "--name", "x").expect(t, 2, "--grants")
	run(t, "client", "add", "--grants", "x").expect(t, 2, "--name")
	run(t, "client", "add", "--name", "x", "--grants", "jwt-bearer", "--public-key", filepath.Join("no", "such")).expect(t, 1, "no")
	if said := mustRun(t, "verify"); said == "" {
		t.Error("verify says nothing")
	}
}
