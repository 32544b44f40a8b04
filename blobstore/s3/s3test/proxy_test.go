package s3test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// origin is a server that keeps what came to it.
type origin struct {
	mu   sync.Mutex
	came []string
	seen chan struct{} // one for each
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	line := r.Method + " " + r.URL.Path + " " + string(b)
	if c := r.Header.Get("If-None-Match"); c != "" {
		line += " if-none-match " + c
	}
	o.mu.Lock()
	o.came = append(o.came, line)
	o.mu.Unlock()
	o.seen <- struct{}{}
	w.Header().Set("X-Host", r.Host)
	io.WriteString(w, "done")
}

func (o *origin) list() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.came)
}

func begin(t *testing.T) (*origin, *Proxy, *Port) {
	t.Helper()
	o := &origin{seen: make(chan struct{}, 100)}
	s := httptest.NewServer(o)
	t.Cleanup(s.Close)
	p, err := NewProxy(s.URL, "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	port, err := p.Port()
	if err != nil {
		t.Fatal(err)
	}
	return o, p, port
}

// put sends a conditional put, and returns the status, 0 if there was no answer.
func put(ctx context.Context, t *testing.T, port *Port, body string) int {
	t.Helper()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, "PUT", port.URL()+"/b/k", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.GetBody = nil // or the transport repeats it by itself
	r.Header.Set("If-None-Match", "*")
	r.Header.Set("X-Amz-Date", "20130524T000000Z")
	res, err := (&http.Client{Transport: transport}).Do(r)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if host := res.Header.Get("X-Host"); host != "" && "http://"+host != port.URL() {
		t.Errorf("the server was told Host %s", host)
	}
	return res.StatusCode
}

func TestRules(t *testing.T) {
	const asked = "PUT /b/k x if-none-match *"
	for _, test := range []struct {
		name  string
		rules Rules
		code  int
		came  []string
	}{
		{"none", Rules{}, 200, []string{asked}},
		{"delay", Rules{Delay: time.Millisecond, Reorder: time.Millisecond}, 200, []string{asked}},
		{"lost answer", Rules{LoseAnswer: true}, 0, []string{asked}},
		{"repeat", Rules{Repeat: true}, 200, []string{asked, asked}},
		{"conditions", Rules{IgnoreConditions: true}, 200, []string{"PUT /b/k x"}},
		{"forget", Rules{Forget: true}, 200, nil},
		{"refuse", Rules{Refuse: true}, 0, nil},
		{"others", Rules{Forget: true, LoseAnswer: true, Only: func(r *http.Request) bool { return r.Method == "GET" }}, 200, []string{asked}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o, _, port := begin(t)
			port.Set(test.rules)
			if code := put(t.Context(), t, port, "x"); code != test.code {
				t.Errorf("the answer is %d, want %d", code, test.code)
			}
			if came := o.list(); !slices.Equal(came, test.came) {
				t.Errorf("the server was asked %q, want %q", came, test.came)
			}
		})
	}
}

// TestLate holds that a request is carried out after its failure was told.
func TestLate(t *testing.T) {
	o, p, port := begin(t)
	port.Set(Rules{Late: time.Millisecond})
	if code := put(t.Context(), t, port, "x"); code != http.StatusServiceUnavailable {
		t.Errorf("the answer is %d", code)
	}
	<-o.seen
	// What is not due when the proxy ends never comes.
	port.Set(Rules{Late: time.Hour})
	put(t.Context(), t, port, "y")
	p.Close()
	if came := o.list(); len(came) != 1 {
		t.Errorf("the server was asked %q", came)
	}
}

// TestSilent holds that a request under a silent network goes on when there is one
// again, unless nobody waits for it any more; and that other ports know nothing of it.
func TestSilent(t *testing.T) {
	o, p, port := begin(t)
	port.Set(Rules{Silent: true})
	ctx, cancel := context.WithCancel(t.Context())
	cancelled, waited := make(chan int), make(chan int)
	go func() { cancelled <- put(ctx, t, port, "cancelled") }()
	go func() { waited <- put(t.Context(), t, port, "waited") }()
	other, err := p.Port()
	if err != nil {
		t.Fatal(err)
	}
	if code := put(t.Context(), t, other, "other"); code != 200 {
		t.Errorf("another port: %d", code)
	}
	until := func(n int) {
		for port.Waiting() != n {
			time.Sleep(time.Millisecond)
		}
	}
	until(2)
	cancel()
	until(1)
	if code := <-cancelled; code != 0 {
		t.Errorf("the answer is %d", code)
	}
	port.Set(Rules{})
	if code := <-waited; code != 200 {
		t.Errorf("the answer is %d", code)
	}
	if came := o.list(); len(came) != 2 || !strings.Contains(came[1], "waited") {
		t.Errorf("the server was asked %q", came)
	}
}

// TestCut holds that a request under way is broken by a cut of the network.
func TestCut(t *testing.T) {
	hung := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(hung)
		<-r.Context().Done()
	}))
	defer s.Close()
	_, p, port := begin(t)
	if err := p.SetUpstream(s.URL); err != nil {
		t.Fatal(err)
	}
	answer := make(chan int)
	go func() { answer <- put(t.Context(), t, port, "") }()
	<-hung
	port.Set(Rules{Refuse: true})
	if code := <-answer; code != 0 {
		t.Errorf("the answer is %d", code)
	}
}

// TestSign holds the signature against the example of Amazon's documentation.
func TestSign(t *testing.T) {
	r := httptest.NewRequest("GET", "http://examplebucket.s3.amazonaws.com/?lifecycle", nil)
	empty := sha256.Sum256(nil)
	r.Header.Set("X-Amz-Content-Sha256", hex.EncodeToString(empty[:]))
	r.Header.Set("X-Amz-Date", "20130524T000000Z")
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=x, Signature=y")
	sign(r, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	const want = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
	if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "Signature="+want) {
		t.Errorf("signed %s", got)
	}
}

// TestPlain holds that the framing of aws-chunked is taken off.
func TestPlain(t *testing.T) {
	const framed = "5;chunk-signature=aa\r\nhello\r\n3;chunk-signature=bb\r\n, s\r\n0;chunk-signature=cc\r\nx-amz-checksum-crc32c:AAAA\r\n\r\n"
	r := httptest.NewRequest("PUT", "http://x/b/k", strings.NewReader(framed))
	r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
	if err := hold(r); err != nil {
		t.Fatal(err)
	}
	if got := string(plain(r)); got != "hello, s" {
		t.Errorf("the body is %q", got)
	}
}
