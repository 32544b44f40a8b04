package main

import (
	"bytes"
	"fmt"
	"go/format"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// block is a fenced block of README.md.
type block struct {
	line     int // of its fence
	language string
	text     string
	output   string // the text block right after a sh block, "" if there is none
}

func readmeBlocks(t *testing.T) []block {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	fences := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```\n")
	var blocks []block
	last := -1
	for _, at := range fences.FindAllSubmatchIndex(readme, -1) {
		b := block{
			line:     bytes.Count(readme[:at[0]], []byte("\n")) + 1,
			language: string(readme[at[2]:at[3]]),
			text:     string(readme[at[4]:at[5]]),
		}
		switch {
		case b.language != "text":
			blocks = append(blocks, b)
		case last == at[0] && blocks[len(blocks)-1].language == "sh":
			blocks[len(blocks)-1].output = b.text
		default:
			t.Errorf("README.md:%d: an output without the command before it", b.line)
		}
		last = at[1]
	}
	return blocks
}

// TestREADME does what README.md says, in order, and compares with what it
// shows. Where the text has an ellipsis anything may stand, a line that is
// one stands for any lines, and ids, hashes, times and keys for others of
// their kind.
func TestREADME(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sha256sum", "cmp", "sed", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s here to follow the README with", tool)
		}
	}
	tour := newTour(t)
	for _, b := range readmeBlocks(t) {
		if b.language != "sh" {
			continue
		}
		got := tour.run(t, b.text)
		want := pattern(tour.local(b.output))
		if !want.MatchString(got) {
			t.Fatalf("README.md:%d:\n%s\nshows\n%s\nbut it is\n%s", b.line, b.text, b.output, got)
		}
	}
}

// pattern returns what matches an output like the one shown.
func pattern(shown string) *regexp.Regexp {
	if shown == "" {
		return regexp.MustCompile("")
	}
	kinds := []struct{ shown, matches string }{
		{`(?m)^…\n`, `(?:.*\n)*?`},
		{`sr_[a-z]+_…`, `sr_[a-z]+_[0-9A-Z]{26}_[\w-]{43}`},
		{`\b01[0-9A-Z]*…|\b01[0-9A-Z]{24}\b`, `[0-9A-HJKMNP-TV-Z]{26}`},
		{`[0-9a-f]{6}…`, `[0-9a-f]{64}`},
		{`\b202\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`, `\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z`},
		{`…`, `.*?`},
	}
	var b strings.Builder
	b.WriteString(`^`)
	for rest := shown; rest != ""; {
		begin, end, matches := len(rest), len(rest), ""
		for _, kind := range kinds {
			if at := regexp.MustCompile(kind.shown).FindStringIndex(rest); at != nil && at[0] < begin {
				begin, end, matches = at[0], at[1], kind.matches
			}
		}
		b.WriteString(regexp.QuoteMeta(rest[:begin]))
		b.WriteString(matches)
		rest = rest[end:]
	}
	b.WriteString(`$`)
	return regexp.MustCompile(b.String())
}

// tour is who follows the README: a shell in a directory of its own, and the
// server in another terminal.
type tour struct {
	dir    string
	port   string // the server's, once it was started
	bin    string
	stdin  io.Writer
	stdout *output
	ended  chan struct{}
	blocks int
}

// prelude puts what this test is about in the place of what the Go tool would
// build.
const prelude = `set -eo pipefail
go() { case "$1" in build) ;; *) command go "$@" ;; esac; }
`

func newTour(t *testing.T) *tour {
	t.Helper()
	o := &tour{dir: t.TempDir(), stdout: newOutput(), ended: make(chan struct{}), bin: filepath.Dir(executable(t))}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(here, "testdata"), filepath.Join(o.dir, "testdata")); err != nil {
		t.Fatal(err)
	}
	cmd := o.command("bash", "-s")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	o.stdin = stdin
	cmd.Stdout, cmd.Stderr = o.stdout, o.stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { cmd.Wait(); close(o.ended) }()
	t.Cleanup(func() {
		stdin.Close()
		<-o.ended
	})
	if _, err := io.WriteString(o.stdin, prelude); err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *tour) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "PATH="+o.bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return cmd
}

// local puts the port that is free here in the place of the one README names.
func (o *tour) local(s string) string {
	return strings.ReplaceAll(s, "127.0.0.1:8080", "127.0.0.1:"+o.port)
}

// run runs a block and returns what a terminal would show.
func (o *tour) run(t *testing.T, script string) string {
	t.Helper()
	if strings.TrimSpace(script) == "go run . serve" {
		return o.serve(t)
	}
	o.blocks++
	end := fmt.Sprintf("-- end of block %d --\n", o.blocks)
	before := len(o.stdout.String())
	if _, err := io.WriteString(o.stdin, o.local(script)+"\nprintf -- '"+strings.TrimSpace(end)+"\\n'\n"); err != nil {
		t.Fatalf("%v: the shell has ended\n%s", err, o.stdout)
	}
	o.stdout.await(t, o.ended, regexp.QuoteMeta(end))
	shown := strings.TrimSuffix(o.stdout.String()[before:], end)
	shown = strings.ReplaceAll(shown, "\r\n", "\n")
	// A terminal's next prompt begins a line of its own in any case.
	if shown != "" && !strings.HasSuffix(shown, "\n") {
		shown += "\n"
	}
	return shown
}

// serve starts the server in the other terminal.
func (o *tour) serve(t *testing.T) string {
	t.Helper()
	port := o.port
	if port == "" {
		port = "0"
	}
	cmd := o.command(filepath.Join(o.bin, "strongroom"), "serve", "--listen", "127.0.0.1:"+port)
	stderr, ended := newOutput(), make(chan struct{})
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	ready := stderr.await(t, ended, listening+`\n`)
	o.port = strings.TrimSpace(ready[strings.LastIndex(ready, ":")+1:])
	return stderr.String()
}

// TestREADMEJavaScript holds that the JavaScript in README.md is what
// TestDocuSignSDK runs.
func TestREADMEJavaScript(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("testdata", "docusign", "rename.js"))
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, b := range readmeBlocks(t) {
		if b.language != "js" {
			continue
		}
		found++
		if !bytes.Contains(example, []byte("\n"+b.text)) {
			t.Errorf("README.md:%d: rename.js has other code:\n%s", b.line, b.text)
		}
	}
	if found == 0 {
		t.Error("there is no JavaScript in README.md")
	}
}

// TestREADMEGo holds that the Go in README.md stands in the examples as it
// stands there.
func TestREADMEGo(t *testing.T) {
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, b := range readmeBlocks(t) {
		if b.language != "go" {
			continue
		}
		found++
		if formatted, err := format.Source([]byte(b.text)); err != nil || string(formatted) != b.text {
			t.Errorf("README.md:%d: not formatted as Go is: %v", b.line, err)
		}
		if !bytes.Contains(examples, []byte("\n"+b.text)) {
			t.Errorf("README.md:%d: example_test.go has other code:\n%s", b.line, b.text)
		}
	}
	if found == 0 {
		t.Error("there is no Go in README.md")
	}
}
