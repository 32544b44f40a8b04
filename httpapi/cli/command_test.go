package cli

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/oklog/ulid/v2"

	"strongroom/httpapi/datadir"
)

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args  string
		words []string
	}{
		{"", []string{"a command is missing"}},
		{"frobnicate", []string{`"frobnicate"`, "strongroom help"}},
		{"user", []string{"user add", "user list", "strongroom help user"}},
		{"key frobnicate", []string{"key add", "key list", "key revoke"}},
		{"help frobnicate", []string{`"frobnicate"`, "strongroom help"}},
		{"serve --frobnicate", []string{"--frobnicate", "strongroom help serve"}},
		{"serve --max-upload lots", []string{"--max-upload", `"lots"`, "64MiB"}},
		{"serve --log-level loud", []string{"--log-level", "debug"}},
		{"serve --insecure-http=perhaps", []string{"--insecure-http", `"perhaps"`}},
		{"serve --listen", []string{"--listen", "argument"}},
		{"serve --listen nowhere", []string{"--listen", "nowhere", "127.0.0.1:8080"}},
		{"serve --tls-cert x.pem", []string{"--tls-cert", "--tls-key"}},
		{"serve --metrics-listen nowhere", []string{"--metrics-listen", "nowhere", "127.0.0.1:8080"}},
		{"serve --metrics-listen 0.0.0.0:9", []string{"--metrics-listen", "metrics", "--insecure-http"}},
		{"serve --rate fast", []string{"--rate", "50"}},
		{"serve --rate -1", []string{"--rate", "50"}},
		{"serve --max-uploads -1", []string{"--max-uploads"}},
		{"serve now", []string{`"now"`}},
		{"init --vault Main", []string{"--vault", `"Main"`, "lower-case"}},
		{"init --vault ../main", []string{"--vault"}},
		{"init --admin <ada@example.com>", []string{"--admin", "name is missing"}},
		{"serve --insecure-http=perhaps", []string{"true or false"}},
		{"serve --max-uploads many", []string{"--max-uploads", "want a whole number"}},
		{"serve --public-url foo", []string{"--public-url", `"foo"`, "https://documents.example.com"}},
		{"serve --public-url https://", []string{"--public-url"}},
		{"serve --public-url ftp://x", []string{"--public-url"}},
		{"serve --public-url https://x?y=1", []string{"--public-url"}},
		{"user set", []string{"one user", "strongroom user list"}},
		{"user set x", []string{"--name, --email or --access"}},
		{"user close", []string{"one user"}},
		{"user close a b", []string{"one user"}},
		{"vault", []string{"vault list"}},
		{"completion", []string{"bash, zsh or fish"}},
		{"completion tcsh", []string{"bash, zsh or fish"}},
		{"user add", []string{"--name"}},
		{"user add --name x --access god", []string{"--access", "view, upload, auditor or admin"}},
		{"key add --name x", []string{"--user"}},
		{"key add --user x", []string{"--name"}},
		{"key add --user x --name y --expires soon", []string{"--expires", "2030-12-31"}},
		{"key revoke", []string{"one id", "strongroom key list"}},
		{"key revoke a b", []string{"one id"}},
		{"approval", []string{"approval list", "approval approve", "approval reject"}},
		{"approval approve", []string{"one id", "strongroom approval list"}},
		{"approval reject a b", []string{"one id", "strongroom approval list"}},
		{"export", []string{"--log"}},
		{"backup", []string{"--to"}},
		{"backup now", []string{`"now"`}},
		{"restore", []string{"--from"}},
		{"restore --from x --log y --without-log", []string{"--log", "--without-log"}},
		{"resume now", []string{`"now"`}},
		{"compact now", []string{`"now"`}},
		{"doctor --vault main", []string{"--vault", "strongroom help doctor"}},
		{"serve --scrub-rate slow", []string{"--scrub-rate"}},
		{"import", []string{"one directory", "strongroom help import"}},
		{"import a b", []string{"one directory"}},
		{"import a --workers 0", []string{"--workers", "1 to 256"}},
		{"import a --workers many", []string{"--workers", `"many"`}},
		{"export --log x --details -", []string{"--details"}},
		{"verify --receipt 1:x", []string{"--receipt", "--log"}},
		{"verify --log x --bytes", []string{"--bytes"}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Chdir(t.TempDir())
			r := run(t, strings.Fields(c.args)...)
			if c.args == "" { // the list of commands goes before the error
				r.stderr = r.stderr[strings.LastIndex(strings.TrimSpace(r.stderr), "\n")+1:]
			}
			r.expect(t, 2, c.words...)
			if strings.Contains(r.stderr, "parse error") {
				t.Errorf("what is wanted is not said: %s", r.stderr)
			}
			if r.stdout != "" {
				t.Errorf("standard output has %q", r.stdout)
			}
			if left, _ := os.ReadDir("."); len(left) > 0 {
				t.Errorf("wrong usage left %v", left)
			}
		})
	}
}

func TestEnvironment(t *testing.T) {
	data := filepath.Join(t.TempDir(), "from-environment")
	key := mustRun(t, "STRONGROOM_DATA="+data, "STRONGROOM_VAULT=legal", "init")
	if !strings.HasPrefix(key, "sr_legal_") {
		t.Errorf("the key is %q", key)
	}
	// A flag that is given wins.
	other := t.TempDir()
	mustRun(t, "STRONGROOM_DATA="+data, "init", "--data", other)
	if _, err := os.Stat(filepath.Join(other, "vaults", "main")); err != nil {
		t.Error(err)
	}
	run(t, "STRONGROOM_MAX_UPLOAD=lots", "serve", "--data", data).expect(t, 2, "STRONGROOM_MAX_UPLOAD", `"lots"`, "--max-upload")
	run(t, "STRONGROOM_INSECURE_HTTP=1", "STRONGROOM_LISTEN=:none", "serve", "--data", data).expect(t, 2, ":none")
}

// TestHelp holds that every command and flag is documented.
func TestHelp(t *testing.T) {
	overview := mustRun(t, "help")
	if dash := mustRun(t, "--help"); dash != overview {
		t.Error("--help is not help")
	}
	p := &Program{Env: func(string) string { return "" }}
	for _, cmd := range p.commands() {
		t.Run(cmd.name, func(t *testing.T) {
			if !strings.Contains(overview, "  "+cmd.name+" ") {
				t.Error("not in the overview")
			}
			help := mustRun(t, append([]string{"help"}, strings.Fields(cmd.name)...)...)
			if dash := mustRun(t, append(strings.Fields(cmd.name), "--help")...); dash != help {
				t.Error("--help says something else")
			}
			f := p.newFlagSet(cmd)
			cmd.setup(f)
			f.set.VisitAll(func(x *flag.Flag) {
				if x.Usage == "" || !strings.Contains(help, "  --"+x.Name) || !strings.Contains(help, envName(x.Name)) {
					t.Errorf("--%s is not documented", x.Name)
				}
			})
			if cmd.summary == "" || cmd.about == "" || !strings.Contains(cmd.example, "strongroom "+cmd.name) {
				t.Error("summary, text or example is missing")
			}
			for line := range strings.Lines(help) {
				if len(line) > 100 || strings.Contains(line, "\t") {
					t.Errorf("not fit for a terminal: %q", line)
				}
			}
		})
	}
}

func TestHelpOfGroup(t *testing.T) {
	help := mustRun(t, "help", "key")
	for _, name := range []string{"key add", "key list", "key revoke"} {
		if !strings.Contains(help, "usage: strongroom "+name) {
			t.Errorf("%s is not in the help of its group", name)
		}
	}
}

func TestVersion(t *testing.T) {
	if mustRun(t, "--version") != mustRun(t, "version") {
		t.Error("--version is not version")
	}
	var built map[string]string
	if err := json.Unmarshal([]byte(mustRun(t, "version", "--json")), &built); err != nil || built["platform"] == "" {
		t.Errorf("%v, %v", built, err)
	}
	lines := strings.Split(strings.TrimSpace(mustRun(t, "version")), "\n")
	for i, name := range []string{"version", "commit", "go", "platform"} {
		if fields := strings.Fields(lines[i]); fields[0] != name || len(fields) < 2 {
			t.Errorf("line %d is %q", i+1, lines[i])
		}
	}
}

// TestInit holds that init prints the key and nothing else, and makes a vault
// once.
func TestInit(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	key := mustRun(t, "init", "--data", data, "--vault", "legal", "--admin", "Ada Lovelace <ada@example.com>")
	if !regexp.MustCompile(`^sr_legal_[0-9A-Z]{26}_[A-Za-z0-9_-]{43}\n$`).MatchString(key) {
		t.Errorf("standard output is %q", key)
	}
	run(t, "init", "--data", data, "--vault", "legal").expect(t, 1, `"legal" exists`, "--vault")
	users := mustRun(t, "user", "list", "--data", data, "--vault", "legal")
	if !strings.Contains(users, "Ada Lovelace") || !strings.Contains(users, "ada@example.com") || !strings.Contains(users, "admin") {
		t.Errorf("the users are\n%s", users)
	}
	run(t, "user", "list", "--data", data).expect(t, 1, `no vault "main"`, "strongroom init")

	mustRun(t, "init", "--data", data)
	if users := mustRun(t, "user", "list", "--data", data); !strings.Contains(users, "Administrator") {
		t.Errorf("the users are\n%s", users)
	}
	entries, err := os.ReadDir(datadir.VaultsDir(data))
	if err != nil || len(entries) != 2 {
		t.Errorf("beside the two vaults there is something: %v, %v", entries, err)
	}
}

// TestInitLeavesNoHalfVault holds that a vault whose first user is refused
// does not come to be.
func TestInitLeavesNoHalfVault(t *testing.T) {
	data := t.TempDir()
	run(t, "init", "--data", data, "--admin", "Ada <not an address>").expect(t, 1, "email")
	if names, err := datadir.Vaults(data); err != nil || len(names) > 0 {
		t.Errorf("there is %v, %v", names, err)
	}
	if left, _ := os.ReadDir(datadir.VaultsDir(data)); len(left) > 0 {
		t.Errorf("there is %v", left)
	}
	mustRun(t, "init", "--data", data)
}

// asUUID is the other spelling of an id.
func asUUID(t *testing.T, id string) string {
	t.Helper()
	b, err := ulid.ParseStrict(id)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// TestUsersAndKeys works on a vault at rest.
func TestUsersAndKeys(t *testing.T) {
	data := t.TempDir()
	on := func(args ...string) []string { return append(args, "--data", data) }
	mustRun(t, on("init")...)
	id := strings.TrimSpace(mustRun(t, on("user", "add", "--name", "Grace Hopper", "--email", "grace@example.com", "--access", "upload")...))
	run(t, on("user", "add", "--name", "Another", "--email", "GRACE@example.com")...).expect(t, 1, id)

	for _, who := range []string{id, asUUID(t, id), strings.ToLower(id), "grace@example.com", "Grace@Example.COM"} {
		key := mustRun(t, on("key", "add", "--user", who, "--name", "scanner", "--access", "view", "--expires", "2999-12-31")...)
		if strings.Count(key, "\n") != 1 || !strings.HasPrefix(key, "sr_main_") {
			t.Errorf("key add prints %q", key)
		}
	}
	for _, nobody := range []string{"nobody@example.com", "nobody", "..", "a/b", "?"} {
		run(t, on("key", "add", "--user", nobody, "--name", "x")...).expect(t, 1, strconv.Quote(nobody), "strongroom user list")
	}
	run(t, on("key", "add", "--user", id, "--name", "x", "--expires", "2001-01-01")...).expect(t, 1, "expiresAt")

	list := mustRun(t, on("key", "list")...)
	if strings.Count(list, "scanner") != 5 || strings.Count(list, "3000-01-01T00:00:00.000Z") != 5 || strings.Contains(list, "sr_main_") && len(list) > 2000 {
		t.Errorf("the keys are\n%s", list)
	}
	keyID := regexp.MustCompile(`(?m)^(\S+)\s+scanner`).FindStringSubmatch(list)[1]
	run(t, on("key", "revoke", "")...).expect(t, 2, "one id", "strongroom key list")
	for _, nothing := range []string{"..", "a/b", id} {
		run(t, on("key", "revoke", nothing)...).expect(t, 1, strconv.Quote(nothing), "strongroom key list")
	}
	for range 2 { // revoking twice is no error
		run(t, on("key", "revoke", keyID)...).expect(t, 0, keyID, "scanner", "revoked")
	}
	run(t, on("key", "revoke", "01JTZ0Q4W8M3V5N7R9X2B4C6D8")...).expect(t, 1)
	run(t, on("key", "revoke", "../users")...).expect(t, 1)

	log := mustRun(t, on("export", "--log", "-")...)
	if got := strings.Count(log, `"actor":"operator"`); got != strings.Count(log, "\n") {
		t.Errorf("%d entries are the operator's:\n%s", got, log)
	}
}
