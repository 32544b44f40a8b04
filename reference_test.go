package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestREADMEReference holds that the last chapter of README.md is what help says
// of every command. -update writes it.
func TestREADMEReference(t *testing.T) {
	const heading = "\n## Commands\n"
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	body, _, found := bytes.Cut(readme, []byte(heading))
	if !found {
		t.Fatalf("there is no chapter %q", strings.TrimSpace(heading))
	}
	var b bytes.Buffer
	b.Write(body)
	b.WriteString(heading + "\nAs `strongroom help` tells them. The exit status is 0 for success, 1 for failure, 2 for\nwrong usage.\n")
	p := &program{env: func(string) string { return "" }}
	for _, cmd := range p.commands() {
		b.WriteString("\n### " + cmd.name + "\n\n```help\n")
		p.writeCommand(&b, cmd)
		b.WriteString("```\n")
	}
	if *update {
		if err := os.WriteFile("README.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(readme, b.Bytes()) {
		t.Error("the chapter is not what the commands say: run go test . -run README -update")
	}
}

// TestExitStatus holds that every command tells its three ends apart: help is 0,
// an unknown flag 2, and a vault that is not there 1.
func TestExitStatus(t *testing.T) {
	t.Chdir(t.TempDir())
	p := &program{env: func(string) string { return "" }}
	for _, cmd := range p.commands() {
		words := strings.Fields(cmd.name)
		if r := run(t, append(words, "--help")...); r.code != 0 || r.stderr != "" {
			t.Errorf("%s --help: %+v", cmd.name, r)
		}
		run(t, append(words, "--no-such-flag")...).expect(t, 2, "--no-such-flag", "strongroom help "+cmd.name)
		if strings.Contains(cmd.about, "vault at rest") {
			r := run(t, append(words, needed(cmd.name)...)...)
			r.expect(t, 1, "main", "strongroom-data")
		}
	}
	if left, _ := os.ReadDir("."); len(left) > 0 {
		t.Errorf("something was written: %v", left)
	}
}

// needed are the arguments that a command does not do without.
func needed(name string) []string {
	switch name {
	case "user add":
		return []string{"--name", "x"}
	case "key add":
		return []string{"--name", "x", "--user", "x"}
	case "key revoke":
		return []string{"x"}
	case "export":
		return []string{"--log", "-"}
	case "import":
		return []string{"."}
	case "backup":
		return []string{"--to", "x"}
	}
	return nil
}
