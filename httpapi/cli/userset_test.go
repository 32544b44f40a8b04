package cli

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// decoded decodes one line of JSON that a command printed.
func decoded(t *testing.T, line string) (fields map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(line), &fields); err != nil || strings.Count(line, "\n") != 1 {
		t.Fatalf("%q: %v", line, err)
	}
	return fields
}

func TestUserSetAndClose(t *testing.T) {
	data := t.TempDir()
	on := func(args ...string) []string { return append(args, "--data", data) }
	mustRun(t, on("init", "--admin", "Ada <ada@example.com>")...)
	grace := decoded(t, mustRun(t, on("user", "add", "--name", "Grace", "--email", "grace@example.com", "--json")...))
	id := grace["id"].(string)

	set := decoded(t, mustRun(t, on("user", "set", "GRACE@example.com", "--access", "upload", "--name", "Grace Hopper", "--json")...))
	if set["id"] != id || set["access"] != "upload" || set["name"] != "Grace Hopper" || set["email"] != "grace@example.com" {
		t.Errorf("%v", set)
	}
	if out := mustRun(t, on("user", "set", id, "--email", "")...); out != "" {
		t.Errorf("standard output has %q", out)
	}
	if set := decoded(t, mustRun(t, on("user", "set", id, "--email", "g@example.com", "--json")...)); set["access"] != "upload" || set["email"] != "g@example.com" {
		t.Errorf("%v", set)
	}
	run(t, on("user", "set", id, "--email", "ada@example.com")...).expect(t, 1, "has this email already")
	run(t, on("user", "set", "nobody@example.com", "--name", "x")...).expect(t, 1, "nobody@example.com", "strongroom user list")

	key := decoded(t, mustRun(t, on("key", "add", "--user", id, "--name", "k", "--json")...))
	if secret, _ := key["secret"].(string); !strings.HasPrefix(secret, "sr_main_") {
		t.Errorf("%v", key)
	}
	if revoked := decoded(t, mustRun(t, on("key", "revoke", key["id"].(string), "--json")...)); revoked["revokedAt"] == nil {
		t.Errorf("%v", revoked)
	}
	for range 2 { // closing twice is no error
		if closed := decoded(t, mustRun(t, on("user", "close", "g@example.com", "--json")...)); closed["status"] != "closed" {
			t.Errorf("%v", closed)
		}
	}
	run(t, on("user", "close", "ada@example.com")...).expect(t, 1, "last active admin")
}

// TestKeyExpiresInTheZone holds that a day ends where the vault is, and that this
// is said.
func TestKeyExpiresInTheZone(t *testing.T) {
	data := t.TempDir()
	mustRun(t, "init", "--data", data, "--admin", "Ada <ada@example.com>")
	r := run(t, "key", "add", "--data", data, "--user", "ada@example.com", "--name", "k", "--expires", "2999-12-31")
	r.expect(t, 0, "3000-01-01T00:00:00.000Z", "the end of 2999-12-31 in UTC")
}

func TestVaultList(t *testing.T) {
	data := t.TempDir()
	if out := mustRun(t, "vault", "list", "--data", data, "--json"); out != "" {
		t.Errorf("where nothing is: %q", out)
	}
	made := decoded(t, mustRun(t, "init", "--data", data, "--vault", "legal", "--json"))
	if secret, _ := made["secret"].(string); made["vault"] != "legal" || made["directory"] != filepath.Join(data, "vaults", "legal") || !strings.HasPrefix(secret, "sr_legal_") {
		t.Errorf("%v", made)
	}
	if v := decoded(t, mustRun(t, "vault", "list", "--data", data, "--json")); v["name"] != "legal" || v["directory"] != filepath.Join(data, "vaults", "legal") {
		t.Errorf("%v", v)
	}
	if out := mustRun(t, "vault", "list", "--data", data); !strings.Contains(out, "NAME") || !strings.Contains(out, "legal") {
		t.Errorf("%q", out)
	}
}

// TestCompletion asks bash what it would complete.
func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := mustRun(t, "completion", shell)
		for _, word := range []string{"backup", "close", "expires", "webhook-allow"} {
			if !strings.Contains(script, word) {
				t.Errorf("%s: %s is not completed", shell, word)
			}
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "-n") // does it parse?
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", shell, err, out)
		}
	}
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	script := mustRun(t, "completion", "bash")
	for line, want := range map[string][]string{
		"strongroom ba":                   {"backup"},
		"strongroom user ":                {"add", "close", "list", "set"},
		"strongroom user close --j":       {"--json"},
		"strongroom key add --ex":         {"--expires"},
		"strongroom backup --to x --al":   {"--all", "--allow-network-fs"},
		"strongroom completion --no-such": {},
	} {
		words := strings.Split(line, " ")
		ask := script + "\nCOMP_WORDS=(" + strings.TrimSuffix(line, " ") + strings.Repeat(" ''", strings.Count(line, " ")+1-len(strings.Fields(line))) + ")\n" +
			"COMP_CWORD=" + string(rune('0'+len(words)-1)) + "\n_strongroom\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
		out, err := exec.Command(bash, "-c", ask).CombinedOutput()
		got := strings.Fields(string(out))
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) && len(got)+len(want) > 0 {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
}

// TestCompletionFish asks fish what it would complete.
func TestCompletionFish(t *testing.T) {
	fish, err := exec.LookPath("fish")
	if err != nil {
		t.Skip("there is no fish")
	}
	script := mustRun(t, "completion", "fish")
	for line, want := range map[string]string{
		"strongroom ba":                 "backup",
		"strongroom user ":              "add close list set",
		"strongroom user close --j":     "--json",
		"strongroom key add --ex":       "--expires",
		"strongroom backup --to x --al": "--all --allow-network-fs",
	} {
		cmd := exec.Command(fish, "--no-config", "-c", script+"\ncomplete -C '"+line+"'")
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
		out, err := cmd.CombinedOutput()
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		if slices.Sort(got); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q: %q, %v; want %q", line, out, err, want)
		}
	}
}

// TestCompletionZsh asks the function of zsh what it offers; what of that begins as
// the word does is zsh's to choose.
func TestCompletionZsh(t *testing.T) {
	zsh, err := exec.LookPath("zsh")
	if err != nil {
		t.Skip("there is no zsh")
	}
	script := mustRun(t, "completion", "zsh")
	stubs := "compdef() { }\n_files() { }\ncompadd() { shift; print -l -- \"$@\" }\n"
	for line, want := range map[string]string{
		"strongroom ba":              "backup",
		"strongroom user x":          "close",
		"strongroom user close x":    "--json",
		"strongroom backup --to x y": "--recheck",
	} {
		words := strings.Fields(line)
		ask := stubs + script + "words=(" + line + "); CURRENT=" + strconv.Itoa(len(words)) + "; PREFIX=${words[CURRENT]}; _strongroom"
		out, err := exec.Command(zsh, "-f", "-c", ask).CombinedOutput()
		if got := strings.Fields(string(out)); err != nil || !slices.Contains(got, want) {
			t.Errorf("%q: %q, %v; want %q", line, out, err, want)
		}
	}
}
