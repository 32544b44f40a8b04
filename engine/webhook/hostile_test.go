package webhook_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/webhook"
)

// hostile listens and does with each connection what it is told to, once a whole
// request has come.
func (k *kit) hostile(address string, do func(c net.Conn)) {
	l := k.net.listen(address)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				io.Copy(io.Discard, r.Body)
				do(c)
			}()
		}
	}()
	k.t.Cleanup(func() { l.Close() })
}

// endless writes for as long as somebody reads, and counts.
func endless(c net.Conn, first, more string) (written int) {
	io.WriteString(c, first)
	for {
		n, err := io.WriteString(c, more)
		if written += n; err != nil {
			return written
		}
	}
}

// misbehaviour is what a hostile endpoint does, and what becomes of that.
type misbehaviour struct {
	name   string
	do     func(c net.Conn) int // returns how much it could write
	status string
	error  string
	within time.Duration
	read   int // at most
}

func misbehaviours() []misbehaviour {
	return []misbehaviour{
		{"endless body", func(c net.Conn) int {
			return endless(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n", strings.Repeat("x", 1_000))
		}, "delivered", "", time.Second, 64 << 10},
		{"endless chunks", func(c net.Conn) int {
			return endless(c, "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n", "3e8\r\n"+strings.Repeat("x", 1_000)+"\r\n")
		}, "failed", "answered 500", time.Second, 64 << 10},
		{"endless headers", func(c net.Conn) int {
			return endless(c, "HTTP/1.1 200 OK\r\n", "X-More: "+strings.Repeat("x", 1_000)+"\r\n")
		}, "failed", "header", time.Second, 128 << 10},
		{"an endless header", func(c net.Conn) int {
			return endless(c, "HTTP/1.1 200 OK\r\nX-More: ", strings.Repeat("x", 1_000))
		}, "failed", "header", time.Second, 128 << 10},
		{"an endless status line", func(c net.Conn) int {
			return endless(c, "HTTP/1.1 200 ", strings.Repeat("x", 1_000))
		}, "failed", "header", time.Second, 128 << 10},
		{"endless interim answers", func(c net.Conn) int {
			return endless(c, "", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
		}, "failed", "", 20 * time.Second, 128 << 10},
		{"a slow body", func(c net.Conn) int {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "x"); err != nil {
					return 0
				}
			}
		}, "delivered", "", 16 * time.Second, 0},
		{"slow headers", func(c net.Conn) int {
			io.WriteString(c, "HTTP/1.1 200 OK\r\n")
			for {
				time.Sleep(time.Second)
				if _, err := io.WriteString(c, "X-More: x\r\n"); err != nil {
					return 0
				}
			}
		}, "failed", "no answer within 15s", 16 * time.Second, 0},
		{"silence", func(c net.Conn) int {
			io.Copy(io.Discard, c)
			return 0
		}, "failed", "no answer within 15s", 16 * time.Second, 0},
		{"half an answer", func(c net.Conn) int {
			io.WriteString(c, "HTTP/1.1 20")
			return 0
		}, "failed", "malformed", time.Second, 0},
		{"no answer", func(c net.Conn) int { return 0 }, "failed", "EOF", time.Second, 0},
		{"garbage", func(c net.Conn) int {
			io.WriteString(c, "\x00\x01\x1b[31mgarbage\r\n\r\n")
			return 0
		}, "failed", "malformed", time.Second, 0},
		{"an upgrade", func(c net.Conn) int {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
			return 0
		}, "failed", "", time.Second, 0},
		{"half a body", func(c net.Conn) int {
			io.WriteString(c, "HTTP/1.1 204 Fine\r\nContent-Length: 5\r\n\r\nab")
			return 0
		}, "delivered", "", time.Second, 0},
	}
}

// Whatever an endpoint answers, it takes 15 seconds and some kilobytes at most, of
// nobody else, and is a line in its list.
func TestHostileEndpoints(t *testing.T) {
	if testing.Short() {
		t.Skip("a vault for each way to misbehave")
	}
	for _, c := range misbehaviours() {
		inBubble(t, func(k *kit) {
			var written atomic.Int64
			k.hostile(there, func(conn net.Conn) { written.Add(int64(c.do(conn))) })
			fine := k.receive(here, nil)
			k.start()
			w := k.hook(&receiver{url: "http://" + there + "/"}, "document.*")
			k.hook(fine, "document.*")
			began := time.Now()
			seqs := k.make("one")
			time.Sleep(time.Second)
			if !slices.Equal(fine.seqs(), seqs) {
				t.Errorf("%s: the others wait", c.name)
			}
			time.Sleep(19 * time.Second)
			list := k.deliveries(w)
			if len(list) == 0 {
				t.Fatalf("%s: nothing is in the list", c.name)
			}
			d := list[0]
			if string(d.Status) != c.status || !strings.Contains(d.Error, c.error) || d.At.Sub(began) > c.within || (d.Error == "") != (c.status == "delivered") {
				t.Errorf("%s: %+v after %v", c.name, d, d.At.Sub(began))
			}
			if written.Load() > int64(len(list)*c.read) {
				t.Errorf("%s: %d bytes were read in %d attempts", c.name, written.Load(), len(list))
			}
			if strings.ContainsAny(d.Error, "\x00\x1b\n") || len(d.Error) > 310 {
				t.Errorf("%s: the error is %q", c.name, d.Error)
			}
		})
	}
}

// Over TCP, an endpoint that closes its half of the connection has answered what
// it has answered by then.
func TestHalfClosedEndpoints(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	held := make(chan struct{})
	answers := make(chan string, 1)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.Copy(io.Discard, r.Body)
			}
			io.WriteString(c, <-answers)
			c.(*net.TCPConn).CloseWrite()
			go func() {
				<-held
				c.Close()
			}()
		}
	}()
	p := newProber(t, webhook.Options{Allow: prefixes("127.0.0.0/8")})
	for answer, want := range map[string]engine.DeliveryStatus{
		"": "failed", "HTTP/1.1 20": "failed", "HTTP/1.1 200 OK\r\nX-More": "failed",
		"HTTP/1.1 200 OK\r\n\r\n": "delivered", "HTTP/1.1 202 Fine\r\nContent-Length: 10\r\n\r\nab": "delivered",
		"HTTP/1.1 500 No\r\n\r\n": "failed",
	} {
		answers <- answer
		if d := p.to("http://" + l.Addr().String() + "/"); d.Status != want {
			t.Errorf("%q: %+v", answer, d)
		}
	}
	close(held)
	l.Close()
}
