package daemon

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
)

// A request with both Content-Length and Transfer-Encoding has two ends: what
// stands before this server may go by the one and the server by the other, and
// then they do not agree where the next request begins (RFC 9112 section 6.3).
// net/http drops Content-Length and tells nobody, so heads are looked at as they
// come.

// framing is what a connection of HTTP/1 knows of its requests.
type framing struct {
	scan      scan // of the one who reads
	ambiguous atomic.Bool
}

func (f *framing) look(p []byte) {
	if f.scan.take(p) {
		f.ambiguous.Store(true)
	}
}

func (f *framing) isAmbiguous() bool { return f.ambiguous.Load() }

// plainConn keeps what else a *net.TCPConn can do: its ReadFrom sends a file
// without copying it through this process.
type plainConn struct {
	*guest
	framing
}

func (c *plainConn) Read(p []byte) (int, error) {
	n, err := c.guest.Read(p)
	c.look(p[:n])
	return n, err
}

// secureConn is a connection of HTTP/1 over TLS, whose handshake is over.
type secureConn struct {
	*tls.Conn
	framing
}

func (c *secureConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.look(p[:n])
	return n, err
}

type connKey struct{}

// withConn is a ConnContext of http.Server.
func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// framed gives a request back the field that net/http takes out of all, if it
// came on a connection where one had two ends: httpapi refuses it by that. The
// connection stays refused, for nobody knows any more where on it a request
// begins.
func framed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(interface{ isAmbiguous() bool }); ok && c.isAmbiguous() {
			r.Header.Set("Transfer-Encoding", "chunked")
		}
		next.ServeHTTP(w, r)
	})
}

// scan follows the requests of a connection as far as it takes to know where
// their heads are. What it cannot follow is ambiguous.
type scan struct {
	state   scanState
	line    []byte // the beginning of one that has not ended yet
	left    uint64 // bytes of what is passed over
	length  string // the Content-Length of this head; "": none
	chunked bool   // this head has a Transfer-Encoding
	old     bool   // it is of HTTP/1.0, which has none
}

type scanState int

const (
	inStart   scanState = iota // of a request
	inHead                     // after its first line
	inBody                     // of known length
	inSize                     // of a chunk
	inChunk                    // and in the line end after it
	inTrailer                  // after the last
)

// maxScanned is how much of a line is looked at: more than any name or number
// takes that is right.
const maxScanned = 256

// take follows p, and reports whether there is a request in it that has two ends.
func (s *scan) take(p []byte) (ambiguous bool) {
	for len(p) > 0 {
		if s.left > 0 {
			n := min(s.left, uint64(len(p)))
			s.left, p = s.left-n, p[n:]
			continue
		}
		if s.state == inBody {
			s.state = inStart
		}
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end]
		}
		s.line = append(s.line, part[:min(len(part), maxScanned-len(s.line))]...)
		if end < 0 {
			return ambiguous
		}
		p = p[end+1:]
		ambiguous = s.ended(string(bytes.TrimSuffix(s.line, []byte("\r")))) || ambiguous
		s.line = s.line[:0]
	}
	return ambiguous
}

// ended is told each line but those of bodies.
func (s *scan) ended(line string) (ambiguous bool) {
	switch s.state {
	case inStart:
		if line != "" {
			s.state, s.length, s.chunked = inHead, "", false
			s.old = strings.HasSuffix(line, "HTTP/1.0")
		}
	case inHead:
		if line != "" {
			return s.field(line)
		}
		return s.headEnded()
	case inSize:
		size, _, _ := strings.Cut(line, ";")
		n, err := strconv.ParseUint(strings.Trim(size, " \t"), 16, 63)
		if err != nil {
			return true
		}
		s.state = inChunk
		if s.left = n; n == 0 {
			s.state = inTrailer
		}
	case inChunk:
		s.state = inSize
	case inTrailer:
		if line == "" {
			s.state = inStart
		}
	}
	return false
}

// field notes what says where the body ends.
func (s *scan) field(line string) (ambiguous bool) {
	name, value, _ := strings.Cut(line, ":")
	switch http.CanonicalHeaderKey(strings.Trim(name, " \t")) {
	case "Content-Length":
		value = strings.Trim(value, " \t")
		ambiguous = s.length != "" && s.length != value || value == "" || len(line) == maxScanned
		s.length = value
	case "Transfer-Encoding":
		s.chunked = true
	}
	return ambiguous
}

func (s *scan) headEnded() (ambiguous bool) {
	switch {
	case s.chunked:
		s.state = inSize
		return s.length != "" || s.old
	case s.length != "":
		n, err := strconv.ParseUint(s.length, 10, 63)
		s.state, s.left = inBody, n
		return err != nil
	}
	s.state = inStart
	return false
}
