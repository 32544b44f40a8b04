package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"strongroom/audit"
)

// slowUpload begins an upload and returns what sends the rest of it and reads
// the answer.
func slowUpload(t *testing.T, s *server, key string) (finish func() (*http.Response, error)) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	first, rest := strings.Repeat("first half ", 1000), strings.Repeat("second half ", 1000)
	// The server says 100 Continue when the handler begins to read: from then
	// on this is a request that runs.
	fmt.Fprintf(conn, "POST /v1/documents?fileName=slow.txt HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		key, len(first)+len(rest))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100") {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, first); err != nil {
		t.Fatal(err)
	}
	return func() (*http.Response, error) {
		if _, err := io.WriteString(conn, rest); err != nil {
			return nil, err
		}
		return http.ReadResponse(answers, nil)
	}
}

// TestStopFinishesWhatRuns holds that a server that is told to stop takes an
// upload that is under way to its end, and answers a long poll at once.
func TestStopFinishesWhatRuns(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	key := s.firstKey(t)
	finish := slowUpload(t, s, key)
	head, err := audit.ParseHead(mustRun(t, "verify", "--data", data))
	if err != nil {
		t.Fatal(err)
	}
	polled := make(chan *http.Response, 1)
	go func() {
		req, _ := http.NewRequest("GET", fmt.Sprintf("%s/v1/audit/entries?after=%d&wait=60", s.url, head.Seq), nil)
		req.Header.Set("Authorization", "Bearer "+key)
		resp, _ := http.DefaultTransport.RoundTrip(req)
		polled <- resp
	}()
	s.stop()
	s.stderr.await(t, s.ended, "stopping")
	resp, err := finish()
	if err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("the upload: %v, %v", resp, err)
	}
	if resp := <-polled; resp != nil {
		resp.Body.Close()
	}
	<-s.ended
	if s.code != 0 || strings.Contains(s.stderr.String(), "cut off") {
		t.Errorf("exit status %d\n%s", s.code, s.stderr)
	}
	if log := mustRun(t, "export", "--data", data, "--log", "-"); !strings.Contains(log, `"op":"document.created"`) {
		t.Errorf("the upload is not in the log:\n%s", log)
	}
	mustRun(t, "verify", "--data", data, "--bytes")
}

// TestSecondSignal holds that who cannot wait need not.
func TestSecondSignal(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	slowUpload(t, s, s.firstKey(t))
	s.stop()
	s.stderr.await(t, s.ended, "stopping")
	s.stop()
	<-s.ended
	if s.code == 0 {
		t.Error("the second signal was not obeyed")
	}
	mustRun(t, "verify", "--data", data, "--bytes")
}

// TestNoGoroutineLeft runs a server and commands through it, in process.
func TestNoGoroutineLeft(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, data)
	s.upload(t, s.firstKey(t), "a.txt", "a")
	mustRun(t, "user", "list", "--data", data)
	if code := s.end(); code != 0 {
		t.Errorf("exit status %d", code)
	}
	mustRun(t, "user", "list", "--data", data)
	noGoroutines(t)
}

// TestServeEndsWithItsContext holds that a server told to stop before it is
// ready ends too.
func TestServeEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	out := newOutput()
	p := &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: out, env: func(string) string { return "" }}
	data := t.TempDir()
	mustRun(t, "init", "--data", data)
	if code := p.run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0"}); code != 0 {
		t.Errorf("exit status %d\n%s", code, out)
	}
}
