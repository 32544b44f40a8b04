package s3_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
)

// stub is a server that answers as a test says, and counts what it was asked.
type stub struct {
	mu     sync.Mutex // guards asked
	asked  []string
	answer http.HandlerFunc
}

func (s *stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Method)
	s.mu.Unlock()
	s.answer(w, r)
}

func (s *stub) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.asked)
}

func open(t *testing.T, c s3.Config) *s3.Client {
	t.Helper()
	if c.Bucket == "" {
		c.Bucket = "vaults"
	}
	if c.AccessKey == "" {
		c.AccessKey, c.SecretKey = "key", "secret"
	}
	client, err := s3.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func answering(t *testing.T, answer http.HandlerFunc) (*stub, *s3.Client) {
	t.Helper()
	s := &stub{answer: answer}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, open(t, s3.Config{Endpoint: server.URL, Prefix: "p"})
}

func s3Error(status int, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, `<?xml version="1.0"?><Error><Code>%s</Code><Message>it says so</Message></Error>`, code)
		}
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

// What decides, decides; of everything else nobody knows, and nothing is sent twice.
func TestAnswers(t *testing.T) {
	absent, match := object.Condition{Absent: true}, object.Condition{Match: "etag"}
	page := func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>not here: NoSuchKeyhole", 404) }
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		// Of Put, Put absent, Put match, Get, Stat, Delete: nil where nobody knows.
		put, absent, match, get, stat, remove error
		says                                  string
	}{
		{"refused", s3Error(412, "PreconditionFailed"), nil, object.ErrExists, object.ErrChanged, nil, nil, nil, ""},
		{"not there", s3Error(404, "NoSuchKey"), object.ErrNotFound, object.ErrNotFound, object.ErrChanged, object.ErrNotFound, object.ErrNotFound, errGone, ""},
		{"no bucket", s3Error(404, "NoSuchBucket"), s3.ErrNoBucket, s3.ErrNoBucket, s3.ErrNoBucket, s3.ErrNoBucket, s3.ErrNoBucket, s3.ErrNoBucket, "no such bucket: vaults: make it"},
		{"a page of another server", page, nil, nil, nil, nil, nil, nil, "404"},
		{"another is writing", s3Error(409, "ConditionalRequestConflict"), nil, nil, nil, nil, nil, nil, "409"},
		{"slow down", s3Error(503, "SlowDown"), nil, nil, nil, nil, nil, nil, "503"},
		{"it has failed", s3Error(500, "InternalError"), nil, nil, nil, nil, nil, nil, "500"},
		{"a proxy", s3Error(502, ""), nil, nil, nil, nil, nil, nil, "502"},
		{"denied", s3Error(403, "AccessDenied"), s3.ErrDenied, s3.ErrDenied, s3.ErrDenied, s3.ErrDenied, s3.ErrDenied, s3.ErrDenied, "delete and list"},
		{"it knows no checksums", s3Error(501, "ChecksumsNotImplemented"), nil, nil, nil, nil, nil, nil, "AWS_REQUEST_CHECKSUM_CALCULATION"},
		{"another region", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-north-1")
			s3Error(301, "PermanentRedirect")(w, r)
		}, nil, nil, nil, nil, nil, nil, "AWS_REGION"},
		{"hung up", hangUp, nil, nil, nil, nil, nil, nil, "was not reached"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel() // the S3 client waits a little after some answers
			s, c := answering(t, test.answer)
			put := func(c *s3.Client, cond object.Condition) error {
				_, err := c.Put(t.Context(), "k", []byte("b"), cond)
				return err
			}
			for _, call := range []struct {
				name string
				do   func() error
				want error
				once bool
			}{
				{"put", func() error { return put(c, object.Condition{}) }, test.put, true},
				{"absent", func() error { return put(c, absent) }, test.absent, true},
				{"match", func() error { return put(c, match) }, test.match, true},
				{"delete", func() error { return c.Delete(t.Context(), "k") }, test.remove, true},
				{"get", func() error { _, _, err := c.Get(t.Context(), "k", 0); return err }, test.get, true},
				{"stat", func() error { _, err := c.Stat(t.Context(), "k"); return err }, test.stat, false},
			} {
				before := s.requests()
				err := call.do()
				if call.want == errGone {
					call.want = nil
					if err != nil {
						t.Errorf("%s: %v", call.name, err)
					}
				} else if err == nil {
					t.Errorf("%s: no error", call.name)
				}
				for _, answer := range []error{object.ErrExists, object.ErrChanged, object.ErrNotFound, s3.ErrNoBucket} {
					if errors.Is(err, answer) != (call.want == answer) {
						t.Errorf("%s: %v, want %v", call.name, err, call.want)
					}
				}
				if err != nil && call.want == nil && call.name != "stat" && !strings.Contains(err.Error(), test.says) {
					t.Errorf("%s: %q does not say %q", call.name, err, test.says)
				}
				if n := s.requests() - before; call.once && n != 1 {
					t.Errorf("%s: %d requests", call.name, n)
				}
			}
		})
	}
}

var errGone = errors.New("a delete that had nothing to do is done")

func TestNothingIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := open(t, s3.Config{Endpoint: "http://" + l.Addr().String()})
	_, err = c.Put(t.Context(), "k", []byte("b"), object.Condition{Absent: true})
	if err == nil || errors.Is(err, object.ErrExists) || !strings.Contains(err.Error(), "was not reached") {
		t.Errorf("%v", err)
	}
}

// An ETag that is missing would come back as no condition.
func TestNoETag(t *testing.T) {
	_, c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		fmt.Fprint(w, "b")
	})
	if _, err := c.Put(t.Context(), "k", []byte("b"), object.Condition{}); err == nil || !strings.Contains(err.Error(), "ETag") {
		t.Errorf("put: %v", err)
	}
	if _, _, err := c.Get(t.Context(), "k", 0); err == nil || !strings.Contains(err.Error(), "ETag") {
		t.Errorf("get: %v", err)
	}
	if _, err := c.Stat(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "ETag") {
		t.Errorf("stat: %v", err)
	}
}

func TestWhatIsSent(t *testing.T) {
	var got http.Header
	var path string
	answer := func(w http.ResponseWriter, r *http.Request) {
		got, path = r.Header, r.URL.Path
		w.Header().Set("ETag", `"e"`)
	}
	_, c := answering(t, answer)
	if _, err := c.Under("v").Put(t.Context(), "commits/1", []byte("b"), object.Condition{Absent: true}); err != nil {
		t.Fatal(err)
	}
	if path != "/vaults/p/v/commits/1" || got.Get("If-None-Match") != "*" || got.Get("If-Match") != "" {
		t.Errorf("%s %v", path, got)
	}
	const sum = "PiPoFgA5WUoziU9lZOGxNIu9egCI1CxKy3PurtWcAJ0=" // printf b | openssl dgst -sha256 -binary | base64
	if got.Get("X-Amz-Checksum-Sha256") != sum || !strings.Contains(got.Get("Authorization"), "x-amz-checksum-sha256") {
		t.Errorf("without the checksum, signed: %v", got)
	}
	if got.Get("X-Amz-Content-Sha256") != "3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d" {
		t.Errorf("signed as %v", got)
	}
	if _, err := c.Put(t.Context(), "k", []byte("b"), object.Condition{Match: "e"}); err != nil {
		t.Fatal(err)
	}
	if got.Get("If-Match") != `"e"` || got.Get("If-None-Match") != "" {
		t.Errorf("%v", got)
	}
	server := httptest.NewServer(http.HandlerFunc(answer))
	defer server.Close()
	plain := open(t, s3.Config{Endpoint: server.URL, NoChecksums: true})
	if _, err := plain.Put(t.Context(), "k", []byte("b"), object.Condition{}); err != nil {
		t.Fatal(err)
	}
	if got.Get("X-Amz-Checksum-Sha256") != "" || got.Get("X-Amz-Content-Sha256") == "" {
		t.Errorf("%v", got)
	}
	if _, err := c.Put(t.Context(), "k", nil, object.Condition{Absent: true, Match: "e"}); err == nil {
		t.Error("absent, and with an ETag")
	}
}

// cutting serves one object, and hangs up after some bytes of each answer.
type cutting struct {
	b     []byte
	etag  string
	after int // bytes of one answer
}

func (c *cutting) answer(w http.ResponseWriter, r *http.Request) {
	at := 0
	if from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		at, _ = strconv.Atoi(strings.TrimSuffix(from, "-"))
	}
	if match := r.Header.Get("If-Match"); match != "" && match != `"`+c.etag+`"` {
		s3Error(412, "PreconditionFailed")(w, r)
		return
	}
	h := w.Header()
	h.Set("ETag", `"`+c.etag+`"`)
	h.Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Content-Length", strconv.Itoa(len(c.b)-at))
	if at > 0 {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", at, len(c.b)-1, len(c.b)))
		w.WriteHeader(http.StatusPartialContent)
	}
	rest := c.b[at:]
	_, _ = w.Write(rest[:min(len(rest), c.after)])
	w.(http.Flusher).Flush()
	if len(rest) > c.after {
		panic(http.ErrAbortHandler)
	}
}

func TestGoesOnWhereItBrokeOff(t *testing.T) {
	o := &cutting{b: bytes.Repeat([]byte("0123456789"), 10_000), etag: "first", after: 30_001}
	s, c := answering(t, o.answer)
	got, info, err := object.Read(t.Context(), c, "k")
	if err != nil || !bytes.Equal(got, o.b) || info.Size != int64(len(o.b)) {
		t.Fatalf("%d of %d bytes: %v", len(got), len(o.b), err)
	}
	if n := s.requests(); n != 4 {
		t.Errorf("%d requests", n)
	}
	r, _, err := c.Get(t.Context(), "k", 5)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 20_000)); err != nil {
		t.Fatal(err)
	}
	o.etag = "second"
	if _, err := io.ReadAll(r); !errors.Is(err, object.ErrChanged) {
		t.Errorf("another object, in the middle: %v", err)
	}
}

func TestGivesUpOnWhatBreaksOff(t *testing.T) {
	o := &cutting{b: make([]byte, 100), etag: "e", after: 0}
	s, c := answering(t, o.answer)
	if b, _, err := object.Read(t.Context(), c, "k"); err == nil {
		t.Errorf("%d bytes, and no error", len(b))
	}
	if n := s.requests(); n != 4 {
		t.Errorf("%d requests", n)
	}
}

// A store that ignores ranges must not pass off the beginning as the middle.
func TestRangesThatAreIgnored(t *testing.T) {
	for _, contentRange := range []string{"", "bytes 0-9/10", "bytes 5-8/10", "bytes 5-9/*", "bytes */10"} {
		_, c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			if contentRange != "" {
				w.Header().Set("Content-Range", contentRange)
				w.WriteHeader(http.StatusPartialContent)
			}
			fmt.Fprint(w, "0123456789")
		})
		if r, info, err := c.Get(t.Context(), "k", 5); err == nil {
			r.Close()
			t.Errorf("%q: %+v", contentRange, info)
		}
	}
}

// A server that takes everything and says nothing, or stops in the middle.
func TestSilence(t *testing.T) {
	done := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodGet && r.Header.Get("Range") == "" {
			w.Header().Set("ETag", `"e"`)
			w.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
			w.Header().Set("Content-Length", "10")
			fmt.Fprint(w, "01234")
			w.(http.Flusher).Flush()
		}
		select {
		case <-done:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(done) })
	c := open(t, s3.Config{Endpoint: server.URL, Patience: 50 * time.Millisecond})
	for name, do := range map[string]func() error{
		"put": func() error {
			_, err := c.Put(t.Context(), "k", []byte("b"), object.Condition{Absent: true})
			return err
		},
		"delete": func() error { return c.Delete(t.Context(), "k") },
		"read":   func() error { _, _, err := object.Read(t.Context(), c, "k"); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), "silent") || errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// While a put is held back, the store has all of it but the end.
func TestHeld(t *testing.T) {
	b := bytes.Repeat([]byte("held"), 8<<10)
	arrived := make(chan int, 1)
	s, c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		begin := make([]byte, 16<<10)
		n, _ := io.ReadFull(r.Body, begin)
		arrived <- n
		rest, err := io.ReadAll(r.Body)
		if err != nil {
			return // the second, which is stopped
		}
		if got := append(begin[:n], rest...); !bytes.Equal(got, b) || r.Header.Get("If-None-Match") != "*" {
			t.Errorf("%d of %d bytes", len(got), len(b))
		}
		w.Header().Set("ETag", `"e"`)
	})
	_, err := c.PutHeld(t.Context(), "k", b, object.Condition{Absent: true}, func() error {
		if n := <-arrived; n != 16<<10 {
			t.Errorf("only %d bytes are there", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	if _, err := c.PutHeld(t.Context(), "k", b, object.Condition{}, func() error { <-arrived; return stop }); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
	if n := s.requests(); n != 2 {
		t.Errorf("%d requests", n)
	}
}
