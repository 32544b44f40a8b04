package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http/httputil"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// wire is a connection of a client that does as little as it can: what it costs
// is taken from the server, which shares the processors with it.
type wire struct {
	conn    net.Conn
	in      *bufio.Reader
	address string
	fixed   string // header lines of every request
	head    []byte
	answer  bytes.Buffer
}

func dial(address, fixed string) (*wire, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, 64<<10), address: address, fixed: fixed}, nil
}

// do sends a request and returns the body of the answer, which is the wire's until
// the next request. Header lines end with their line's end.
func (w *wire) do(method, path, header string, body ...[]byte) ([]byte, error) {
	length := 0
	for _, part := range body {
		length += len(part)
	}
	w.head = fmt.Appendf(w.head[:0], "%s %s HTTP/1.1\r\nHost: %s\r\n%s%sContent-Length: %d\r\n\r\n", method, path, w.address, w.fixed, header, length)
	request := append(net.Buffers{w.head}, body...)
	if _, err := request.WriteTo(w.conn); err != nil {
		return nil, err
	}
	status, err := w.read()
	if err == nil && (status < 200 || status > 299) {
		err = fmt.Errorf("%s %s: %d: %s", method, path, status, w.answer.Bytes())
	}
	return w.answer.Bytes(), err
}

func (w *wire) read() (status int, err error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < len("HTTP/1.1 200") {
		return 0, fmt.Errorf("no status: %q", line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, err
	}
	length, chunked := 0, false
	for {
		if line, err = w.in.ReadSlice('\n'); err != nil {
			return 0, err
		}
		name, value, more := bytes.Cut(bytes.TrimSpace(line), []byte(":"))
		if !more {
			break
		}
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
	w.answer.Reset()
	if chunked {
		_, err = w.answer.ReadFrom(httputil.NewChunkedReader(w.in))
		if err == nil {
			_, err = w.in.ReadSlice('\n')
		}
		return status, err
	}
	_, err = io.CopyN(&w.answer, w.in, int64(length))
	return status, err
}

// wires are the connections to a store, one a client. They are made for a turn:
// a server closes those that are idle for long.
type wires struct {
	address, fixed string
	all            []*wire
}

func (w *wires) connect(b *testing.B, clients int) {
	b.Helper()
	for range clients {
		c, err := dial(w.address, w.fixed)
		if err != nil {
			b.Fatal(err)
		}
		w.all = append(w.all, c)
	}
}

func (w *wires) hangUp() {
	for _, c := range w.all {
		c.conn.Close()
	}
	w.all = nil
}

// seeders are how many clients seed: they share syncs.
const seeders = 64

// matters are how many matters the documents are divided over: each fills a page.
func matters() int { return max(1, *peers.documents/50) }

// vaultSide is our server.
type vaultSide struct {
	*process
	wires
	blobs
	ids []string
}

func newVaultSide(b *testing.B, p *process, address, key string) *vaultSide {
	return &vaultSide{process: p, wires: wires{address: address, fixed: "Authorization: Bearer " + key + "\r\n"}, blobs: newBlobs()}
}

const (
	asJSON  = "Content-Type: application/json\r\n"
	asBytes = "Content-Type: application/octet-stream\r\n"
)

func vaultPath(matter string) string {
	return "/v1/documents?fileName=agreement.bin&name=Share+purchase+agreement&description=alice+corporate+ACME" +
		"&tags=client:ACME,practice:corporate&agreementId=" + matter
}

// seed uploads documents, each of other bytes: equal ones would be one file.
func (s *vaultSide) seed(b *testing.B, documents int) {
	s.connect(b, seeders)
	defer s.hangUp()
	s.ids = make([]string, documents)
	each(b, seeders, documents, func(client, i int) error {
		answer, err := s.all[client].do("POST", vaultPath(fmt.Sprintf("m%06d", i%matters())), asBytes, fmt.Appendf(nil, "document %d", i))
		if err != nil {
			return err
		}
		var created struct{ ID string }
		err = json.Unmarshal(answer, &created)
		s.ids[i] = created.ID
		return err
	})
}

// each does n pieces of work, client by client.
func each(b *testing.B, clients, n int, do func(client, i int) error) {
	b.Helper()
	next := make([]int, clients)
	forAWhile(b, clients, time.Hour, func(client int) error {
		i := client + clients*next[client]
		next[client]++
		if i >= n {
			return errDone
		}
		return do(client, i)
	})
}

// errDone ends the work of a client that has none left.
var errDone = errors.New("done")

// mine is a document that no other client works on.
func (s *vaultSide) mine(client, clients int) string {
	return "/v1/documents/" + s.ids[client+clients*mrand.IntN(len(s.ids)/clients)]
}

func (s *vaultSide) turn(b *testing.B, work string, clients int, duration time.Duration) float64 {
	b.Helper()
	s.connect(b, clients)
	defer s.hangUp()
	switch work {
	case "metadata":
		return forAWhile(b, clients, duration, func(client int) error {
			_, err := s.all[client].do("PATCH", s.mine(client, clients), asJSON,
				fmt.Appendf(nil, `{"description":"bob@example.com revision %d 0123456789012345678901234567890123456789"}`, mrand.Uint64()))
			return err
		})
	case "lock":
		return forAWhile(b, clients, duration, func(client int) error {
			path := s.mine(client, clients) + "/lock"
			token, err := s.lock(client, path)
			if err != nil {
				return err
			}
			_, err = s.all[client].do("DELETE", path, token)
			return err
		})
	case "renew":
		return s.renew(b, clients, duration)
	case "upload":
		return forAWhile(b, clients, duration, func(client int) error {
			_, err := s.all[client].do("POST", vaultPath(fmt.Sprintf("u%06d", mrand.IntN(matters()))), asBytes, s.next())
			return err
		})
	case "page":
		return forAWhile(b, clients, duration, func(client int) error {
			answer, err := s.all[client].do("GET", fmt.Sprintf("/v1/documents?limit=50&agreementId=m%06d", mrand.IntN(matters())), "")
			return whole(answer, err)
		})
	}
	b.Fatalf("there is no work %s", work)
	return 0
}

// lock takes a lock and returns the header line that says so.
func (s *vaultSide) lock(client int, path string) (string, error) {
	answer, err := s.all[client].do("POST", path, asJSON, []byte(`{"lockedByApp":"bench"}`))
	if err != nil {
		return "", err
	}
	var locked struct{ LockToken string }
	err = json.Unmarshal(answer, &locked)
	return "X-Lock-Token: " + locked.LockToken + "\r\n", err
}

// renew has each client renew a lock of its own, which it takes before and
// releases behind the turn.
func (s *vaultSide) renew(b *testing.B, clients int, duration time.Duration) float64 {
	b.Helper()
	paths, tokens := make([]string, clients), make([]string, clients)
	for client := range clients {
		paths[client] = s.mine(client, clients) + "/lock"
		var err error
		if tokens[client], err = s.lock(client, paths[client]); err != nil {
			b.Fatal(err)
		}
	}
	rate := forAWhile(b, clients, duration, func(client int) error {
		_, err := s.all[client].do("PUT", paths[client], tokens[client])
		return err
	})
	for client := range clients {
		if _, err := s.all[client].do("DELETE", paths[client], tokens[client]); err != nil {
			b.Fatal(err)
		}
	}
	return rate
}

// whole fails for an answer that is not a page of fifty.
func whole(page []byte, err error) error {
	if n := bytes.Count(page, []byte(`"id":`)); err == nil && n < 50 && *peers.documents >= 50 {
		err = fmt.Errorf("a page of %d", n)
	}
	return err
}

// pocketSide is PocketBase.
type pocketSide struct {
	*process
	wires
	blobs
}

// startPocketBase starts PocketBase and makes a collection like our documents,
// which everybody may use: its rules cost nothing.
func startPocketBase(b *testing.B, dir string) side {
	const name, password = "bench@example.com", "correct horse battery"
	if out, err := exec.Command(*peers.pocketbase, "superuser", "upsert", name, password, "--dir", dir).CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	address := freeAddress(b)
	p := start(b, nil, *peers.pocketbase, "serve", "--http", address, "--dir", dir)
	p.listens(b, address)
	s := &pocketSide{process: p, wires: wires{address: address}, blobs: newBlobs()}
	s.connect(b, 1)
	defer s.hangUp()
	ask := func(method, path, header, body string) []byte {
		answer, err := s.all[0].do(method, path, header+asJSON, []byte(body))
		if err != nil {
			b.Fatal(err)
		}
		return bytes.Clone(answer)
	}
	var in struct{ Token string }
	if err := json.Unmarshal(ask("POST", "/api/collections/_superusers/auth-with-password", "",
		fmt.Sprintf(`{"identity":%q,"password":%q}`, name, password)), &in); err != nil {
		b.Fatal(err)
	}
	admin := "Authorization: " + in.Token + "\r\n"
	ask("PATCH", "/api/settings", admin, fmt.Sprintf(`{"batch":{"enabled":true,"maxRequests":%d,"timeout":60,"maxBodySize":%d}}`, pocketBatch, 8<<20))
	ask("POST", "/api/collections", admin, `{"name":"documents","type":"base","listRule":"","viewRule":"","createRule":"","updateRule":"",
		"fields":[{"name":"title","type":"text"},{"name":"matter","type":"text"},{"name":"seq","type":"number"},{"name":"about","type":"json"},
			{"name":"file","type":"file","maxSize":1048576,"maxSelect":1}],
		"indexes":["CREATE INDEX documents_matter ON documents (matter, seq)"]}`)
	return s
}

const (
	pocketBatch   = 500
	pocketRecords = "/api/collections/documents/records"
)

func pocketID(n int) string { return fmt.Sprintf("seed%011d", n) }

func (s *pocketSide) seed(b *testing.B, documents int) {
	s.connect(b, 1)
	defer s.hangUp()
	for from := 0; from < documents; from += pocketBatch {
		var body strings.Builder
		for i := from; i < min(from+pocketBatch, documents); i++ {
			fmt.Fprintf(&body, `,{"method":"POST","url":%q,"body":{"id":%q,"title":"Share purchase agreement %d","matter":"m%06d","seq":%d,`+
				`"about":{"author":"alice@example.com","practice":"corporate","client":"ACME"}}}`, pocketRecords, pocketID(i), i, i%matters(), i)
		}
		if _, err := s.all[0].do("POST", "/api/batch", asJSON, []byte(`{"requests":[`+body.String()[1:]+`]}`)); err != nil {
			b.Fatal(err)
		}
	}
}

func (s *pocketSide) turn(b *testing.B, work string, clients int, duration time.Duration) float64 {
	b.Helper()
	s.connect(b, clients)
	defer s.hangUp()
	switch work {
	case "metadata":
		return forAWhile(b, clients, duration, func(client int) error {
			_, err := s.all[client].do("PATCH", pocketRecords+"/"+pocketID(mrand.IntN(*peers.documents)), asJSON,
				fmt.Appendf(nil, `{"about":{"author":"bob@example.com","note":"revision %d 0123456789012345678901234567890123456789"}}`, mrand.Uint64()))
			return err
		})
	case "upload":
		return forAWhile(b, clients, duration, func(client int) error {
			const part = "--limit\r\nContent-Disposition: form-data; name="
			before := fmt.Sprintf(part+"\"title\"\r\n\r\nShare purchase agreement\r\n"+part+"\"matter\"\r\n\r\nu%06d\r\n"+
				part+"\"about\"\r\n\r\n{\"author\":\"alice@example.com\"}\r\n"+
				part+"\"file\"; filename=\"agreement.bin\"\r\nContent-Type: application/octet-stream\r\n\r\n", mrand.IntN(matters()))
			_, err := s.all[client].do("POST", pocketRecords, "Content-Type: multipart/form-data; boundary=limit\r\n", []byte(before), s.next(), []byte("\r\n--limit--\r\n"))
			return err
		})
	case "page":
		return forAWhile(b, clients, duration, func(client int) error {
			answer, err := s.all[client].do("GET", pocketRecords+fmt.Sprintf("?perPage=50&skipTotal=1&sort=-seq&filter=(matter%%3D%%27m%06d%%27)", mrand.IntN(matters())), "")
			return whole(answer, err)
		})
	}
	b.Fatalf("there is no work %s", work)
	return 0
}
