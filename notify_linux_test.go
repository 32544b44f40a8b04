package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNotify holds that a service manager is told when the server listens, that it
// is alive, and when it stops; at a path and in the abstract namespace.
func TestNotify(t *testing.T) {
	for _, name := range []string{filepath.Join(t.TempDir(), "notify"), fmt.Sprintf("@strongroom-test-%s", filepath.Base(t.TempDir())+t.Name())} {
		socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer socket.Close()
		next := func() string {
			t.Helper()
			b := make([]byte, 4096)
			socket.SetReadDeadline(time.Now().Add(time.Minute))
			n, err := socket.Read(b)
			if err != nil {
				t.Fatal(err)
			}
			return string(b[:n])
		}
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		env := map[string]string{"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"}
		p := &program{stdin: strings.NewReader(""), stdout: io.Discard, stderr: newOutput(), env: func(name string) string { return env[name] }}
		ended := make(chan int, 1)
		go func() {
			ended <- p.run(ctx, []string{"serve", "--data", filepath.Join(t.TempDir(), "data"), "--listen", "127.0.0.1:0"})
		}()
		seen := map[string]bool{}
		for !seen["READY"] || !seen["WATCHDOG"] {
			said := next()
			seen[strings.SplitN(said, "=", 2)[0]] = true
			address, ready := strings.CutPrefix(said, "READY=1\nSTATUS=listening on ")
			if !ready {
				continue
			}
			conn, err := net.Dial("tcp", address)
			if err != nil {
				t.Fatal("ready, and does not listen:", err)
			}
			conn.Close()
		}
		stop()
		for !strings.HasPrefix(next(), "STOPPING=1\n") {
		}
		if code := <-ended; code != 0 {
			t.Error("exit status", code, p.stderr)
		}
	}
}
