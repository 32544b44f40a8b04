package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// guides are the documents that show how things are done. Each can be followed
// by itself, from a fresh clone.
var guides = []string{
	"README.md",
	"httpapi/README.md",
	"httpapi/cli/README.md",
	"engine/README.md",
	"audit/README.md",
}

// languages of blocks: sh is followed, text is the output of the sh before it,
// console needs root or a container and is read only. The others have tests of
// their own.
var languages = []string{"sh", "text", "console", "go", "js", "python"}

// block is a fenced block of a guide.
type block struct {
	guide    string
	line     int // of its fence
	language string
	text     string
	output   string // the text block right after a sh block, "" if there is none
}

func (b block) at() string { return fmt.Sprintf("%s:%d", b.guide, b.line) }

// isProgram says whether it is a whole program, to be put into main.go.
func (b block) isProgram() bool {
	return b.language == "go" && strings.HasPrefix(b.text, "package main\n")
}

// blocksOf returns the fenced blocks of a guide.
func blocksOf(t *testing.T, guide string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.FromSlash(guide))
	if err != nil {
		t.Fatal(err)
	}
	fences := regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```\n")
	var blocks []block
	last := -1
	for _, at := range fences.FindAllSubmatchIndex(text, -1) {
		b := block{
			guide:    guide,
			line:     bytes.Count(text[:at[0]], []byte("\n")) + 1,
			language: string(text[at[2]:at[3]]),
			text:     string(text[at[4]:at[5]]),
		}
		switch {
		case !slices.Contains(languages, b.language):
			t.Errorf("%s: nothing is done with blocks in %q", b.at(), b.language)
		case b.language != "text":
			blocks = append(blocks, b)
		case last == at[0] && blocks[len(blocks)-1].language == "sh":
			blocks[len(blocks)-1].output = b.text
		default:
			t.Errorf("%s: an output without the command before it", b.at())
		}
		last = at[1]
	}
	return blocks
}

// allBlocks returns the blocks of all guides in a language.
func allBlocks(t *testing.T, language string) []block {
	t.Helper()
	var found []block
	for _, guide := range guides {
		for _, b := range blocksOf(t, guide) {
			if b.language == language {
				found = append(found, b)
			}
		}
	}
	if len(found) == 0 {
		t.Errorf("there is no %s in %s", language, strings.Join(guides, ", "))
	}
	return found
}

// TestREADME does what each guide says, in order, and compares with what it
// shows. Where the text has an ellipsis anything may stand, a line that is
// one stands for any lines, and ids, hashes, times and keys for others of
// their kind.
//
// A vault's daily run of retention adds entries to its log. It starts at a full
// hour of the zones the guides name, so a guide that was followed across one is
// followed once more.
func TestREADME(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "sha256sum", "cmp", "sed", "openssl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s here to follow the guides with", tool)
		}
	}
	for _, guide := range guides {
		t.Run(guide, func(t *testing.T) {
			t.Parallel()
			begin := time.Now()
			err := follow(t, guide)
			if err != nil && crossedHour(begin, time.Now()) {
				t.Logf("across a full hour: %v", err)
				err = follow(t, guide)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// crossedHour says whether a full hour has struck between two instants. Zones
// that are off by a part of an hour stand in no guide.
func crossedHour(begin, end time.Time) bool {
	return !begin.Truncate(time.Hour).Equal(end.Truncate(time.Hour))
}

func TestCrossedHour(t *testing.T) {
	at := func(clock string) time.Time {
		parsed, err := time.Parse("15:04:05.000", clock)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for _, c := range []struct {
		begin, end string
		want       bool
	}{
		{"01:59:50.000", "01:59:59.999", false},
		{"01:59:59.999", "02:00:00.000", true},
		{"02:00:00.000", "02:00:40.000", false},
		{"00:59:30.000", "01:00:10.000", true}, // two o'clock in Berlin, in winter
	} {
		if got := crossedHour(at(c.begin), at(c.end)); got != c.want {
			t.Errorf("from %s to %s: %v", c.begin, c.end, got)
		}
	}
}

// follow does what a guide says in a clone of its own, and returns the first
// thing that is not as shown. What it has left there must be nothing that
// would be in the way of the next commit, or of the tests.
func follow(t *testing.T, guide string) error {
	t.Helper()
	o := newTour(t)
	defer o.end()
	for _, b := range blocksOf(t, guide) {
		script := b.text
		switch {
		case b.isProgram():
			script = "cat >main.go <<'END OF PROGRAM'\n" + b.text + "END OF PROGRAM\n"
		case b.language != "sh":
			continue
		}
		got, err := o.run(t, script)
		if err != nil {
			return fmt.Errorf("%s:\n%s\n%w", b.at(), b.text, err)
		}
		if want := pattern(o.local(b.output)); !want.MatchString(got) {
			return fmt.Errorf("%s:\n%s\nshows\n%s\nbut it is\n%s", b.at(), b.text, b.output, got)
		}
	}
	o.end()
	return o.left()
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

// tour is who follows a guide: a shell in a clone of the repository, and the
// server in another terminal.
type tour struct {
	dir    string // the clone
	port   string // the server's, once it was started
	bin    string
	stdin  io.WriteCloser
	stdout *output
	ended  chan struct{}
	server *exec.Cmd // the last one that was started, nil before
	down   chan struct{}
	blocks int
}

// prelude puts what this test is about in the place of what the Go tool would
// build, and what the checkout knows of modules in the place of what go mod tidy
// would ask the network for: it wants the tests of other modules too.
//
// A machine under load reads its first PDF later than a search waits for it: then
// the search is asked again.
const prelude = `set -eo pipefail
curl() {
	case "$*" in
	*/search*)
		local said try
		for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
			said=$(command curl "$@"; echo .)
			case "$said" in *textWaiting*) sleep 1 ;; *) break ;; esac
		done
		printf %s "${said%.}" ;;
	*) command curl "$@" ;;
	esac
}
go() {
	case "$1 $2" in
	"build "*) ;;
	"mod tidy") cp "$CLONE/go.sum" . && export GOFLAGS=-mod=mod ;;
	*) command go "$@" ;;
	esac
}
`

func newTour(t *testing.T) *tour {
	t.Helper()
	o := &tour{dir: t.TempDir(), stdout: newOutput(), ended: make(chan struct{}), bin: filepath.Dir(executable(t))}
	if err := o.clone(); err != nil {
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
	t.Cleanup(o.end)
	if _, err := io.WriteString(o.stdin, prelude); err != nil {
		t.Fatal(err)
	}
	return o
}

// clone makes what the guides use of a clone: the sample documents, and which
// files git ignores. Nobody is to write into the checkout, so it has copies.
func (o *tour) clone() error {
	ignored, err := os.ReadFile(".gitignore")
	if err != nil {
		return err
	}
	documents := filepath.Join(o.dir, filepath.FromSlash(documentsDir))
	return errors.Join(
		os.WriteFile(filepath.Join(o.dir, ".gitignore"), ignored, 0o644),
		os.MkdirAll(documents, 0o755),
		os.CopyFS(documents, os.DirFS(documentsDir)),
	)
}

// left is what the clone has after a guide was followed, and should not have.
func (o *tour) left() error {
	var errs []error
	if _, err := exec.LookPath("git"); err == nil {
		for _, args := range [][]string{{"init", "-q"}, {"add", ".gitignore", "testdata"}} {
			if out, err := o.command("git", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("git %s: %w\n%s", args[0], err, out)
			}
		}
		// A user's own list of ignored files is of no help to others.
		unknown, err := o.command("git", "-c", "core.excludesFile=", "ls-files", "--others", "--exclude-standard").CombinedOutput()
		if err != nil || len(unknown) > 0 {
			errs = append(errs, fmt.Errorf("git does not ignore what is left: %v\n%s", err, unknown))
		}
	}
	samples, err := os.ReadDir(documentsDir)
	if err != nil {
		return err
	}
	want := 0
	err = filepath.WalkDir(o.dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(name) == ".go" {
			errs = append(errs, fmt.Errorf("%s is left: the tests take it for a part of the program", name))
		}
		return err
	})
	for _, sample := range samples {
		was, _ := os.ReadFile(filepath.Join(documentsDir, sample.Name()))
		if is, err := os.ReadFile(filepath.Join(o.dir, documentsDir, sample.Name())); err == nil && bytes.Equal(was, is) {
			want++
		}
	}
	if want != len(samples) {
		errs = append(errs, errors.New("the sample documents are not what they were"))
	}
	return errors.Join(append(errs, err)...)
}

func (o *tour) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "PATH="+o.bin+string(os.PathListSeparator)+os.Getenv("PATH"),
		"GOFLAGS=", "GOWORK=off") // as they are with most people
	return cmd
}

// local puts the port that is free here in the place of the one the guides
// name, and the checkout in the place of a clone whose Go files are used.
func (o *tour) local(s string) string {
	if here, err := os.Getwd(); err == nil {
		s = strings.ReplaceAll(s, "CLONE=$PWD\n", "CLONE='"+here+"'\n")
	}
	return strings.ReplaceAll(s, "127.0.0.1:8080", "127.0.0.1:"+o.port)
}

// run runs a block and returns what a terminal would show.
func (o *tour) run(t *testing.T, script string) (string, error) {
	t.Helper()
	if strings.TrimSpace(script) == "go run . serve" {
		return o.serve(t)
	}
	o.blocks++
	end := fmt.Sprintf("-- end of block %d --\n", o.blocks)
	before := len(o.stdout.String())
	if _, err := io.WriteString(o.stdin, o.local(script)+"\nprintf -- '"+strings.TrimSpace(end)+"\\n'\n"); err != nil {
		return "", fmt.Errorf("%w: the shell has ended\n%s", err, o.stdout)
	}
	if err := o.stdout.wait(o.ended, regexp.QuoteMeta(end)); err != nil {
		return "", err
	}
	shown := strings.TrimSuffix(o.stdout.String()[before:], end)
	shown = strings.ReplaceAll(shown, "\r\n", "\n")
	// A terminal's next prompt begins a line of its own in any case.
	if shown != "" && !strings.HasSuffix(shown, "\n") {
		shown += "\n"
	}
	return shown, nil
}

// serve starts the server in the other terminal.
func (o *tour) serve(t *testing.T) (string, error) {
	t.Helper()
	port := o.port
	if port == "" {
		port = "0"
	}
	o.server = o.command(filepath.Join(o.bin, "strongroom"), "serve", "--listen", "127.0.0.1:"+port)
	stderr := newOutput()
	o.server.Stderr = stderr
	if err := o.server.Start(); err != nil {
		return "", err
	}
	down := make(chan struct{})
	o.down = down
	go func(server *exec.Cmd) { server.Wait(); close(down) }(o.server)
	if err := stderr.wait(down, listening+`\n`); err != nil {
		return "", err
	}
	ready := regexp.MustCompile(listening).FindString(stderr.String())
	o.port = ready[strings.LastIndex(ready, ":")+1:]
	return stderr.String(), nil
}

// end closes both terminals.
func (o *tour) end() {
	o.stdin.Close()
	<-o.ended
	if o.server != nil {
		o.server.Process.Kill()
		<-o.down
	}
}

// wait returns when pattern was written, and an error when the writer ends
// before, or nothing comes for long.
func (o *output) wait(ended <-chan struct{}, pattern string) error {
	wanted := regexp.MustCompile(pattern)
	late := time.After(time.Minute)
	for last := false; ; {
		text, grown := o.state()
		if wanted.MatchString(text) {
			return nil
		}
		if last {
			return fmt.Errorf("it ended without saying %s:\n%s", pattern, text)
		}
		select {
		case <-grown:
		case <-ended:
			last = true
		case <-late:
			return fmt.Errorf("it does not say %s:\n%s", pattern, text)
		}
	}
}

// TestREADMEIsShort holds that a stranger has read the first page soon.
func TestREADMEIsShort(t *testing.T) {
	if info, err := os.Stat("README.md"); err != nil || info.Size() > 12<<10 {
		t.Errorf("%v: README.md is longer than 12 KiB: what it goes into has a room of its own", err)
	}
}

// TestGuidesLink holds that what the guides and the pages about them link to is there.
func TestGuidesLink(t *testing.T) {
	links := regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)|\]\((#[^)]*)\)`)
	for _, guide := range append(slices.Clone(guides), ".github/CONTRIBUTING.md", ".github/SECURITY.md", ".release/CHANGELOG.md") {
		text, err := os.ReadFile(filepath.FromSlash(guide))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, m := range links.FindAllStringSubmatch(string(text), -1) {
			target, anchor := filepath.Join(filepath.Dir(guide), m[1]), m[2]+m[3]
			if m[1] == "" {
				target = guide
			}
			linked, err := os.ReadFile(target)
			if info, e := os.Stat(target); e == nil && info.IsDir() {
				err = nil
			}
			if err != nil {
				t.Errorf("%s: %v", guide, err)
			} else if anchor != "" && !hasHeading(linked, anchor) {
				t.Errorf("%s: %s has no heading for %s", guide, target, anchor)
			}
		}
	}
}

// hasHeading says whether a heading has the anchor that it would have on a page.
func hasHeading(text []byte, anchor string) bool {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(string(m[1])), "")
		if "#"+strings.ReplaceAll(name, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestREADMEJavaScript holds that the JavaScript in the guides is what
// TestDocuSignSDK runs.
func TestREADMEJavaScript(t *testing.T) {
	example, err := os.ReadFile(filepath.Join("testdata", "docusign", "rename.js"))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range allBlocks(t, "js") {
		if !bytes.Contains(example, []byte("\n"+b.text)) {
			t.Errorf("%s: rename.js has other code:\n%s", b.at(), b.text)
		}
	}
}

// TestREADMEGo holds that the Go in the guides stands in the examples as it
// stands there. Whole programs are run by TestREADME.
func TestREADMEGo(t *testing.T) {
	examples, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range allBlocks(t, "go") {
		if formatted, err := format.Source([]byte(b.text)); err != nil || string(formatted) != b.text {
			t.Errorf("%s: not formatted as Go is: %v", b.at(), err)
		}
		if !b.isProgram() && !bytes.Contains(examples, []byte("\n"+b.text)) {
			t.Errorf("%s: example_test.go has other code:\n%s", b.at(), b.text)
		}
	}
}
