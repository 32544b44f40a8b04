package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"testing"

	"github.com/rs/zerolog"
)

// somewhere is a connection from an address.
type somewhere struct {
	net.Conn
	from string
}

func (s *somewhere) RemoteAddr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", s.from)
	if err != nil {
		panic(err)
	}
	return a
}

// TestIdlers holds that of those who wait too many, the longest waiting goes: of
// one address, and of all.
func TestIdlers(t *testing.T) {
	i := newIdlers(2, 5)
	names := map[net.Conn]string{nil: ""}
	conns := map[string]net.Conn{}
	for _, step := range []struct {
		name, from string
		idle       bool
		closed     string
	}{
		{"a1", "192.0.2.1:1", true, ""}, {"a2", "192.0.2.1:2", true, ""}, {"a3", "192.0.2.1:3", true, "a1"},
		{"a2", "192.0.2.1:2", false, ""}, {"a4", "192.0.2.1:4", true, ""}, {"a2", "192.0.2.1:2", true, "a3"},
		{"b1", "[2001:db8::1]:1", true, ""}, {"b2", "[2001:db8::2:1]:1", true, ""}, {"b3", "[2001:db8:0:0:ffff::]:1", true, "b1"},
		{"c1", "[2001:db8:0:1::]:1", true, ""}, {"d1", "198.51.100.1:1", true, "a4"},
	} {
		conn := conns[step.name]
		if conn == nil {
			conn = &somewhere{from: step.from}
			conns[step.name], names[conn] = conn, step.name
		}
		if closed := names[i.note(conn, step.idle)]; closed != step.closed {
			t.Errorf("%s: %q is closed, want %q", step.name, closed, step.closed)
		}
	}
	for _, conn := range conns {
		i.note(conn, false)
	}
	if i.order.Len()+len(i.of)+len(i.from) > 0 {
		t.Error("some are remembered that are gone")
	}
}

// awaitIdle returns when so many connections wait for their next request: a server
// notes that of each after it has answered, so a client may be ahead of it.
func awaitIdle(l net.Listener, many int) {
	i := lobbyOf(l).idle
	for waiting := -1; waiting != many; runtime.Gosched() {
		i.mu.Lock()
		waiting = i.order.Len()
		i.mu.Unlock()
	}
}

// TestIdleConnections holds that a server lets go of those who wait beyond what
// one address may have, and serves those who do not.
func TestIdleConnections(t *testing.T) {
	d, err := newDoor(Options{}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	go func() {
		ended <- serveUntil(ctx, zerolog.Nop(), front{listener: l, handler: nothing, hurry: func() {}})
	}()
	var first net.Conn
	for n := range idleEach + 1 {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if n == 0 {
			first = conn
		}
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusNoContent {
			t.Fatal(n, resp, err)
		}
		awaitIdle(l, min(n+1, idleEach))
	}
	if _, err := first.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the first that waits gets %v, want its end", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
