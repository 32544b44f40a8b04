package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
)

// commandNames are the commands that help lists, in its order.
func commandNames(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, row := range regexp.MustCompile(`(?m)^  ([a-z]+(?: [a-z]+)?)  +\S`).FindAllStringSubmatch(mustRun(t, "help"), -1) {
		names = append(names, row[1])
	}
	if len(names) < 10 {
		t.Fatalf("help lists %q", names)
	}
	return names
}

// TestHelpIsTheReference holds what help promises of every command: how it is used, what it
// does, each flag with its environment variable, and an example. It is the only
// reference of the commands.
func TestHelpIsTheReference(t *testing.T) {
	overview := mustRun(t, "help")
	for _, want := range []string{"usage: strongroom <command> [flags]", "STRONGROOM_DATA", "0 for success", "1 for\nfailure", "2 for wrong usage"} {
		if !strings.Contains(overview, want) {
			t.Errorf("help does not say %q:\n%s", want, overview)
		}
	}
	for _, name := range commandNames(t) {
		words := strings.Fields(name)
		helpIsWhole(t, name, mustRun(t, append([]string{"help"}, words...)...))
	}
}

func helpIsWhole(t *testing.T, name, help string) {
	t.Helper()
	paragraphs := strings.Split(help, "\n\n")
	if len(paragraphs) < 3 || !strings.HasPrefix(paragraphs[0], "usage: strongroom "+name) {
		t.Errorf("%s: does not begin with its usage:\n%s", name, help)
		return
	}
	if strings.HasPrefix(paragraphs[1], "Flags") || strings.HasPrefix(paragraphs[1], "Example") {
		t.Errorf("%s: does not say what it does:\n%s", name, help)
	}
	if !regexp.MustCompile(`\n\nExample:\n\n    strongroom |\n\nExample:\n\n(    .*\n)*    strongroom `).MatchString(help) {
		t.Errorf("%s: has no example:\n%s", name, help)
	}
	_, flags, found := strings.Cut(help, "\n\nFlags, each with its environment variable:\n\n")
	if found != strings.Contains(paragraphs[0], " [flags]") {
		t.Errorf("%s: the usage line does not agree with the flags:\n%s", name, help)
	}
	flags, _, _ = strings.Cut(flags, "\n\nExample:")
	lines := strings.Split(flags, "\n")
	for i, line := range lines {
		flag := regexp.MustCompile(`^  --([a-z-]+)`).FindStringSubmatch(line)
		if flag == nil {
			continue
		}
		end := slices.IndexFunc(lines[i+1:], func(l string) bool { return strings.HasPrefix(l, "  --") })
		if end < 0 {
			end = len(lines) - i - 1
		}
		about := lines[i+1 : i+1+end]
		variable := "STRONGROOM_" + strings.ToUpper(strings.ReplaceAll(flag[1], "-", "_"))
		if len(about) < 2 || !regexp.MustCompile("^        "+variable+"(, default |$)").MatchString(about[len(about)-1]) {
			t.Errorf("%s: --%s: says nothing, or not that its variable is %s:\n%s", name, flag[1], variable, strings.Join(about, "\n"))
		}
	}
}

// TestGuidesNameCommands holds that what the guides tell people to type are
// commands and flags there are, and that no guide copies the reference.
func TestGuidesNameCommands(t *testing.T) {
	names := commandNames(t)
	called := regexp.MustCompile(`\bstrongroom ((?:[a-z]+ ?)+)((?:[^\n|;&]|\\\n)*)`)
	for _, guide := range append(slices.Clone(guides), ".github/CONTRIBUTING.md", ".github/SECURITY.md") {
		text, err := os.ReadFile(filepath.FromSlash(guide))
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.Contains(string(text), "\nusage: strongroom") {
			t.Errorf("%s: copies the help of a command", guide)
		}
		code := regexp.MustCompile("(?ms)^```(?:sh|console)\n.*?^```$|`strongroom [^`]*`").FindAll(text, -1)
		for _, piece := range code {
			for _, call := range called.FindAllStringSubmatch(string(piece), -1) {
				words := strings.Fields(call[1])
				var name string
				for n := min(2, len(words)); n > 0 && name == ""; n-- {
					if joined := strings.Join(words[:n], " "); slices.Contains(names, joined) {
						name = joined
					}
				}
				if name == "" {
					if !slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, words[0]+" ") }) && words[0] != "help" {
						t.Errorf("%s: there is no command %q", guide, call[0])
					}
					continue
				}
				help := mustRun(t, append([]string{"help"}, strings.Fields(name)...)...)
				for _, flag := range regexp.MustCompile(`(?:^|\s)(--[a-z-]+)`).FindAllStringSubmatch(call[2], -1) {
					if !strings.Contains(help, "\n  "+flag[1]+" ") && !strings.Contains(help, "\n  "+flag[1]+"\n") {
						t.Errorf("%s: %s has no flag %s: %q", guide, name, flag[1], call[0])
					}
				}
			}
		}
	}
}

// TestExitStatus holds that every command tells its three ends apart: help is 0,
// an unknown flag 2, and a vault that is not there 1.
func TestExitStatus(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range commandNames(t) {
		words := strings.Fields(name)
		help := run(t, append(words, "--help")...)
		if help.code != 0 || help.stderr != "" {
			t.Errorf("%s --help: %+v", name, help)
		}
		run(t, append(words, "--no-such-flag")...).expect(t, 2, "--no-such-flag", "strongroom help "+name)
		if strings.Contains(strings.ReplaceAll(help.stdout, "\n", " "), "vault at rest") {
			r := run(t, append(words, needed(t, name)...)...)
			r.expect(t, 1, "main", "strongroom-data")
		}
	}
	if left, _ := os.ReadDir("."); len(left) > 0 {
		t.Errorf("something was written: %v", left)
	}
}

// needed are the arguments that a command does not do without.
func needed(t *testing.T, name string) []string {
	t.Helper()
	switch name {
	case "user add":
		return []string{"--name", "x"}
	case "user set":
		return []string{"x", "--name", "y"}
	case "user close":
		return []string{"x"}
	case "key add":
		return []string{"--name", "x", "--user", "x"}
	case "approval approve", "approval reject", "key revoke", "client close", "witness request":
		return []string{"x"}
	case "witness add":
		key, err := audit.NewKey("log", rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := key.Sign(audit.Checkpoint{Origin: "log", Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		return []string{"--witness-policy", writeText(t, "quorum none\n", dir, "policy"), writeText(t, string(audit.AddRequest{Checkpoint: signed}.Marshal()), dir, "request")}
	case "client add":
		return []string{"--name", "x", "--grants", "client_credentials", "--user", "x"}
	case "client set":
		return []string{"x", "--access", "view"}
	case "export":
		return []string{"--log", "-"}
	case "import":
		return []string{"."}
	case "backup":
		return []string{"--to", "x"}
	}
	return nil
}
