package httpapi

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"strongroom/engine"
)

// large is more than the buffers of a connection hold.
const large = 24 << 20

// hasty is no patience at all. Who is not meant to be let go, asks a server that
// has some: machines have bad moments.
const hasty = 100 * time.Millisecond

func largeContent() []byte { return bytes.Repeat([]byte("all of it "), large/10) }

// TestSlowReader: a client that asks for a file and does not read it is let go.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{BodyTimeout: hasty})
	d := k.vaults["main"].Create("large.bin", string(largeContent()))
	conn, err := net.Dial("tcp", k.http.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET /v1/documents/%s/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", d.ID, k.tokens["view"])
	k.wait(&k.ended, 1)
}

// TestReader: one that reads gets all it asked for, though it is sent in steps.
func TestReader(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	content := largeContent()
	d := k.vaults["main"].Create("large.bin", string(content))
	if a, body := k.do("view", "GET", "/v1/documents/"+d.ID+"/content", nil); a.StatusCode != 200 || body != string(content) {
		t.Errorf("%d, %d bytes", a.StatusCode, len(body))
	}
	if a, body := k.do("view", "GET", "/v1/documents/"+d.ID+"/content", nil, "Range", "bytes=1000000-20000000"); a.StatusCode != 206 || body != string(content[1000000:20000001]) {
		t.Errorf("%d, %d bytes", a.StatusCode, len(body))
	}
}

// overHTTP2 serves a kit over TLS and returns what sends requests to it.
func overHTTP2(t *testing.T, k *kit) func(method, path string, body io.Reader) *http.Response {
	t.Helper()
	s := httptest.NewUnstartedServer(k.http.Config.Handler)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return func(method, path string, body io.Reader) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
		a, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if a.ProtoMajor != 2 || a.TLS.Version < tls.VersionTLS12 {
			t.Fatal(a.Proto, a.TLS.Version)
		}
		return a
	}
}

// TestHTTP2Patience holds that the time limits are those of a stream, and that
// its connection goes on.
func TestHTTP2Patience(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{BodyTimeout: hasty})
	do := overHTTP2(t, k)
	content := largeContent()
	d := k.vaults["main"].Create("large.bin", string(content))
	still := do("GET", "/v1/documents/"+d.ID+"/content", nil) // and not read on
	defer still.Body.Close()
	stuck, client := io.Pipe()
	defer client.Close()
	go io.WriteString(client, "no more than this")
	if a := do("POST", "/v1/documents?fileName=a", stuck); a.StatusCode != 408 {
		t.Errorf("a body that stands still gets %d", a.StatusCode)
	}
	k.wait(&k.ended, 2)
	if got, err := io.ReadAll(still.Body); err == nil && bytes.Equal(got, content) {
		t.Error("a client that stopped reading was served to the end")
	}
	a := do("GET", "/v1/me", nil)
	defer a.Body.Close()
	if a.StatusCode != 200 {
		t.Error(a.Status)
	}
}

// TestHTTP2 holds that files come and go whole.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	do := overHTTP2(t, newKit(t, Options{}))
	content := largeContent()
	a := do("POST", "/v1/documents?fileName=a", bytes.NewReader(content))
	a.Body.Close()
	if a.StatusCode != 201 {
		t.Fatal(a.Status)
	}
	a = do("GET", a.Header.Get("Location")[len("https://")+len(a.Request.URL.Host):]+"/content", nil)
	defer a.Body.Close()
	if got, err := io.ReadAll(a.Body); err != nil || !bytes.Equal(got, content) {
		t.Error(a.Status, len(got), err)
	}
}

// TestDownloadEndsWithTheKey: who loses the right to read while a file is sent gets
// no more of it.
func TestDownloadEndsWithTheKey(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	main := k.vaults["main"]
	content := largeContent()
	d := main.Create("large.bin", string(content))
	grace, token := main.Person("Grace", engine.AccessView)
	r, err := http.NewRequest("GET", k.http.URL+"/v1/documents/"+d.ID+"/content", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := k.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if _, _, err := main.RevokeKey(t.Context(), main.Admin, grace.KeyID); err != nil {
		t.Fatal(err)
	}
	time.Sleep(doubt + doubt/10) // believed until then; what is sent waits for a reader
	if got, err := io.ReadAll(a.Body); err == nil || len(got) == len(content) {
		t.Errorf("all %d bytes came", len(got))
	}
}
