package cli

import (
	"bytes"
	"strings"
	"testing"
)

// result is what a command line came to.
type result struct {
	code           int
	stdout, stderr string
}

// run runs a command line in process, with environment variables before it:
// run(t, "STRONGROOM_DATA=x", "key", "list").
func run(t *testing.T, args ...string) result {
	t.Helper()
	env := map[string]string{}
	for len(args) > 0 && strings.HasPrefix(args[0], "STRONGROOM_") {
		name, value, _ := strings.Cut(args[0], "=")
		env[name], args = value, args[1:]
	}
	var stdout, stderr bytes.Buffer
	p := &Program{Stdin: strings.NewReader(""), Stdout: &stdout, Stderr: &stderr, Env: func(name string) string { return env[name] }}
	code := p.Run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// mustRun is run for what has to succeed. It returns standard output.
func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	r := run(t, args...)
	if r.code != 0 {
		t.Fatalf("strongroom %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// expect fails unless the result has the exit status and its standard error
// all the words.
func (r result) expect(t *testing.T, code int, words ...string) {
	t.Helper()
	if r.code != code {
		t.Errorf("exit status %d, want %d\n%s%s", r.code, code, r.stdout, r.stderr)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			t.Errorf("does not say %q:\n%s", word, r.stderr)
		}
	}
	if code != 0 && strings.Count(strings.TrimSpace(r.stderr), "\n") > 0 {
		t.Errorf("the refusal is not one line:\n%s", r.stderr)
	}
}
