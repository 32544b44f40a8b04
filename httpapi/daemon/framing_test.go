package daemon

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"strongroom/httpapi"
)

// conversations are what clients send over one connection, with the statuses they
// get.
var conversations = []struct {
	name, said string
	want       []int
}{
	{"both", "POST /v1/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
	{"the other way round", "POST /v1/documents HTTP/1.1\r\nHost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: x\r\n\r\n", []int{400}},
	{"after a body", "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhelloGET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{405, 400}},
	{"after chunks", "POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n" +
		"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", []int{405, 400}},
	{"of HTTP/1.0", "POST /livez HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n123", []int{400}},
	{"in bodies only", "POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 63\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n" +
		"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n31\r\nA: b\r\nContent-Length: 5\r\nTransfer-Encoding: x\r\n\r\n\r\n0\r\n\r\n" +
		"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", []int{405, 405, 200}},
}

// statuses sends what is said in pieces of so many bytes and returns the answers.
func statuses(t *testing.T, conn net.Conn, said string, piece int) (got []int) {
	t.Helper()
	defer conn.Close()
	go func() {
		for rest := said; rest != ""; {
			n := min(piece, len(rest))
			if _, err := io.WriteString(conn, rest[:n]); err != nil {
				return
			}
			rest = rest[n:]
		}
	}()
	r := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return got
		}
		io.Copy(io.Discard, resp.Body)
		if got = append(got, resp.StatusCode); resp.Close {
			return got
		}
	}
}

// TestTwoEnds holds that a request that says twice where it ends is refused, over
// TLS too, however it comes in pieces, and that nothing after it is answered.
func TestTwoEnds(t *testing.T) {
	cert, key := newCertificate(t)
	for _, secure := range []bool{false, true} {
		o := Options{}
		if secure {
			o.TLSCert, o.TLSKey = cert, key
		}
		d, err := newDoor(o, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		l, err := d.listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		go serveUntil(t.Context(), zerolog.Nop(), front{listener: l, handler: httpapi.New(nil, httpapi.Options{}), hurry: func() {}})
		for _, c := range conversations {
			for _, piece := range []int{len(c.said), 1, 7} {
				conn, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				if secure {
					conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
				}
				got := statuses(t, conn, c.said, piece)
				if len(got) > len(c.want) || len(got) == 0 || got[len(got)-1] != c.want[len(c.want)-1] {
					t.Errorf("%s, in pieces of %d, TLS %v: %v, want %v", c.name, piece, secure, got, c.want)
				}
			}
		}
	}
}

// TestBothVersions holds that HTTP/2 is spoken, and that HTTP/1 over TLS is known
// to be over TLS.
func TestBothVersions(t *testing.T) {
	cert, key := newCertificate(t)
	d, err := newDoor(Options{TLSCert: cert, TLSKey: key}, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	l, err := d.listen(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	go serveUntil(t.Context(), zerolog.Nop(), front{listener: l, handler: httpapi.New(nil, httpapi.Options{}), hurry: func() {}})
	for _, protocols := range []string{"h2", "http/1.1"} {
		transport := &http.Transport{ForceAttemptHTTP2: protocols == "h2", TLSClientConfig: &tls.Config{InsecureSkipVerify: true, NextProtos: strings.Fields(protocols)}}
		resp, err := (&http.Client{Transport: transport}).Get("https://" + l.Addr().String() + "/livez")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.StatusCode != 200 || resp.Header.Get("Strict-Transport-Security") == "" || (resp.ProtoMajor == 2) != (protocols == "h2") {
			t.Errorf("%s: %s %s %v", protocols, resp.Proto, resp.Status, resp.Header)
		}
	}
}
