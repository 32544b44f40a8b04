package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/rs/zerolog"
)

// TestLobby holds that of all connections there are no more than may be: those that
// wait make room for those who come, and who is served is served to the end.
func TestLobby(t *testing.T) {
	d, err := newDoor(Options{MaxConnections: 3}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	began, end := make(chan bool), make(chan bool)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			began <- true
			<-end
		}
		w.WriteHeader(http.StatusNoContent)
	})
	go func() {
		ended <- serveUntil(ctx, zerolog.Nop(), front{listener: l, handler: handler, hurry: func() {}})
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	answered := func(conn net.Conn) bool {
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err == nil && resp.StatusCode == http.StatusNoContent
	}
	ask := func(conn net.Conn, path string) { fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path) }
	over := func(conn net.Conn) bool {
		_, err := io.ReadAll(conn)
		return err == nil
	}

	silent, idle := dial(), dial()
	ask(idle, "/")
	if !answered(idle) {
		t.Fatal("not served")
	}
	awaitIdle(l, 1)
	var slow []net.Conn
	for range 3 { // takes the place that is free, that of who waits for the next request, and that of the silent
		conn := dial()
		ask(conn, "/slow")
		<-began
		slow = append(slow, conn)
	}
	if !over(idle) || !over(silent) {
		t.Error("one that waits is kept")
	}
	if conn := dial(); !over(conn) {
		t.Error("more than may be are taken")
	}
	close(end)
	for _, conn := range slow {
		if !answered(conn) {
			t.Error("one that was served is cut off")
		}
	}
	awaitIdle(l, len(slow))
	conn := dial() // there is room again
	if ask(conn, "/"); !answered(conn) {
		t.Error("not served")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if held := lobbyOf(l); held.open != 0 || held.fresh.Len() != 0 {
		t.Errorf("%d are open, %d fresh", held.open, held.fresh.Len())
	}
}
