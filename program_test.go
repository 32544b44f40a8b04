package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strongroom/httpapi/cli"
	"strongroom/httpapi/datadir"
)

// TestMain lets the test binary be the program: under the name strongroom it
// does what the program does.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); strings.TrimSuffix(name, ".exe") == "strongroom" {
		if lease := os.Getenv(leaseVariable); lease != "" {
			mainWithLease(lease)
		}
		main()
	}
	os.Exit(m.Run())
}

// mainWithLease is main, but for how long an owner of vaults in a store may be silent.
func mainWithLease(lease string) {
	d, err := time.ParseDuration(lease)
	if err != nil {
		panic(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := cli.Program{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Env: os.Getenv, SystemdUnit: systemdUnit, Guides: guideFiles, Lease: d}
	code := p.Run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// program is the command line as a value. What it does is package cli's.
type program struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
}

func (p *program) run(ctx context.Context, args []string) int {
	c := cli.Program{Stdin: p.stdin, Stdout: p.stdout, Stderr: p.stderr, Env: p.env, SystemdUnit: systemdUnit, Guides: guideFiles}
	return c.Run(ctx, args)
}

// command is a command as help tells of it.
type command struct {
	name    string // "serve", "key add"
	about   string
	example string
}

// help is what help prints, of a command if there is one.
func (p *program) help(words ...string) string {
	var b bytes.Buffer
	if code := (&program{stdout: &b, stderr: &b, env: p.env}).run(context.Background(), append([]string{"help"}, words...)); code != 0 {
		panic(b.String())
	}
	return b.String()
}

// commands are those that the overview lists, in its order.
func (p *program) commands() (all []command) {
	for _, row := range regexp.MustCompile(`(?m)^  (\w+(?: \w+)?)  +\w`).FindAllStringSubmatch(p.help(), -1) {
		text := p.help(strings.Fields(row[1])...)
		about, example, _ := strings.Cut(text, "\nExample:\n\n    ")
		about, _, _ = strings.Cut(about, "\nFlags, each with")
		all = append(all, command{row[1], about, strings.ReplaceAll(strings.TrimSuffix(example, "\n"), "\n    ", "\n")})
	}
	return all
}

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
	p := &program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, env: func(name string) string { return env[name] }}
	code := p.run(t.Context(), args)
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

// output is a standard error that can be waited on while it is written.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // closed and made anew by each write
}

func newOutput() *output { return &output{grown: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.grown)
	o.grown = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) String() string {
	text, _ := o.state()
	return text
}

func (o *output) state() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String(), o.grown
}

// await returns the first match of pattern, or fails when the writer ends or
// nothing comes for long.
func (o *output) await(t testing.TB, ended <-chan struct{}, pattern string) string {
	t.Helper()
	wanted := regexp.MustCompile(pattern)
	late := time.After(time.Minute)
	for last := false; ; {
		text, grown := o.state()
		if found := wanted.FindString(text); found != "" {
			return found
		}
		if last {
			t.Fatalf("it ended without saying %s:\n%s", pattern, text)
		}
		select {
		case <-grown:
		case <-ended:
			last = true
		case <-late:
			t.Fatalf("it does not say %s:\n%s", pattern, text)
		}
	}
}

// server is a running `strongroom serve`, in process or as a process.
type server struct {
	url    string
	data   string
	stderr *output
	ended  chan struct{} // closed when it has ended
	code   int           // exit status; read it after ended
	stop   func()        // asks it to stop; only once
	pid    int
}

var listening = `listening on https?://\S+`

func (s *server) ready(t testing.TB) *server {
	t.Helper()
	s.url = strings.TrimPrefix(s.stderr.await(t, s.ended, listening+`\n`), "listening on ")
	s.url = strings.TrimSpace(s.url)
	return s
}

// end stops the server and returns its exit status.
func (s *server) end() int {
	s.stop()
	<-s.ended
	return s.code
}

// startServer runs `strongroom serve` in process on a free port until the test is
// over, and then holds it to a clean end.
func startServer(t *testing.T, data string, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{data: data, stderr: newOutput(), ended: make(chan struct{}), stop: cancel, pid: os.Getpid()}
	p := &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: s.stderr, env: func(string) string { return "" }}
	go func() {
		defer close(s.ended)
		s.code = p.run(ctx, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, args...))
	}()
	t.Cleanup(func() {
		if code := s.end(); code != 0 {
			t.Errorf("serve: exit status %d\n%s", code, s.stderr)
		}
	})
	return s.ready(t)
}

// executable returns a path of this test binary under the program's name.
func executable(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "strongroom")
	if runtime.GOOS == "windows" {
		t.Skip("signals and links are not what they are elsewhere")
	}
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}

// spawn runs `strongroom serve` as a process of its own on a free port. The
// test ends it; if it does not, it is killed.
func spawn(t testing.TB, data string, args ...string) *server {
	t.Helper()
	return spawnCommand(t, data, exec.Command(executable(t), append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, args...)...))
}

// spawnCommand is spawn for a command line of serve.
func spawnCommand(t testing.TB, data string, cmd *exec.Cmd) *server {
	t.Helper()
	s := &server{data: data, stderr: newOutput(), ended: make(chan struct{})}
	cmd.Stderr = s.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	s.stop = func() { cmd.Process.Signal(os.Interrupt) }
	go func() {
		defer close(s.ended)
		cmd.Wait()
		s.code = cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		// One that is killed leaves its reader behind for a moment, which may still write
		// to the data directory while that is removed.
		s.stop()
		select {
		case <-s.ended:
		case <-time.After(20 * time.Second):
			cmd.Process.Kill()
			<-s.ended
		}
	})
	return s.ready(t)
}

// kill ends a spawned server at once.
func (s *server) kill(t testing.TB) {
	t.Helper()
	process, err := os.FindProcess(s.pid)
	if err != nil {
		t.Fatal(err)
	}
	process.Kill()
	<-s.ended
}

// firstKey returns the key a server wrote at its first start.
func (s *server) firstKey(t testing.TB) string {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.data, datadir.FirstKeyName))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(key))
}

// do sends a request with a key and returns the answer with its body read.
func (s *server) do(t testing.TB, key, method, path string, body io.Reader, header ...string) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, answer
}

// upload creates a document of these bytes and returns its id.
func (s *server) upload(t testing.TB, key, name, content string) string {
	t.Helper()
	resp, answer := s.do(t, key, "POST", "/v1/documents?fileName="+name, strings.NewReader(content), "Content-Type", "text/plain")
	var document struct{ ID string }
	if err := json.Unmarshal(answer, &document); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("upload: %s\n%s", resp.Status, answer)
	}
	return document.ID
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

// noGoroutines fails if goroutines of the program are left.
func noGoroutines(t *testing.T) {
	t.Helper()
	ours := regexp.MustCompile(`(?m)^(strongroom[./]|net/http\.\(\*(Server|conn)\))`)
	var left []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		left = nil
		stacks := make([]byte, 1<<20)
		for i, stack := range strings.Split(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
			// The first is the caller's own.
			if i > 0 && ours.MatchString(stack) && !strings.Contains(stack, "testing.tRunner") {
				left = append(left, stack)
			}
		}
		if left == nil {
			return
		}
	}
	t.Errorf("goroutines are left:\n%s", fmt.Sprint(strings.Join(left, "\n\n")))
}

// wait returns after d, or when ctx is done.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
