package daemon

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// TestPatience holds how long a server waits for those who say nothing: for a
// header that does not come, or comes in drips, and between two requests.
func TestPatience(t *testing.T) {
	for _, c := range []struct {
		name   string
		client func(net.Conn) // what it does before it falls silent
		after  time.Duration
	}{
		{"no header", func(net.Conn) {}, headerTimeout},
		{"half a header", func(conn net.Conn) { io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n") }, headerTimeout},
		{"idle", func(conn net.Conn) {
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if resp, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || resp.StatusCode != http.StatusNoContent {
				t.Error(resp, err)
			}
		}, idleTimeout},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			nothing := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
			ended := make(chan error)
			l, conn := newLine()
			go func() {
				ended <- serveUntil(ctx, zerolog.Nop(), front{listener: l, handler: nothing, hurry: func() {}})
			}()
			c.client(conn)
			began := time.Now()
			_, err := conn.Read(make([]byte, 1))
			if took := time.Since(began); !errors.Is(err, io.EOF) || took != c.after {
				t.Errorf("%s: %v after %v, want the end after %v", c.name, err, took, c.after)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// TestGraceEnds holds that a request that does not end is cut off in the end,
// and does not keep the server.
func TestGraceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		begun := make(chan struct{})
		endless := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		})
		l, conn := newLine()
		defer conn.Close()
		hurried := false
		served := make(chan error)
		go func() {
			served <- serveUntil(ctx, zerolog.Nop(), front{listener: l, handler: endless, hurry: func() { hurried = true }})
		}()
		go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-begun
		stopped := time.Now()
		stop()
		if err := <-served; err != nil || !hurried {
			t.Errorf("%v; told to hurry: %v", err, hurried)
		}
		if took := time.Since(stopped); took != grace {
			t.Errorf("it was cut off after %v, not %v", took, grace)
		}
	})
}
