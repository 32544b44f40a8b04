package httpapi_test

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore/object"
	"strongroom/httpapi"
	"strongroom/httpapi/daemon"
	"strongroom/httpapi/datadir"
)

// TestConversationsThroughFollower holds that a client sees one server, whichever of a
// cluster it asks: what reads is answered by one that follows, the rest by the owner.
func TestConversationsThroughFollower(t *testing.T) {
	// These have the server of the test be otherwise than a program is (search, pages,
	// public logs, other limits of time), or look at requests that it counts. And each
	// server has its own notes of when a key was last used, which access asks for.
	but := []string{"access", "javasdk", "log", "pages", "search", "slow", "texts", "approvalends"}
	httpapi.ConverseThrough(t, but, func(t *testing.T, store object.Store, o httpapi.Options) string {
		free, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := free.Addr().(*net.TCPAddr)
		free.Close()
		ctx, stop := context.WithCancel(context.Background())
		says := &said{listens: make(chan struct{})}
		ended := make(chan error, 1)
		data := t.TempDir()
		go func() {
			ended <- daemon.Serve(ctx, daemon.Options{
				Place: datadir.Place{Data: data}, Listen: address, Stderr: says, AllowedHosts: o.AllowedHosts, MaxUpload: o.MaxUpload,
				Reader: daemon.Reader{PDF: daemon.PDFOff},
				Store:  &daemon.Store{Objects: store, Address: "s3://test", Key: &httpapi.FrontKey, PeerURL: "http://" + address.String(), Server: "follower"},
			})
		}()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Errorf("the server that follows: %v\n%s", err, says)
			}
		})
		select {
		case <-says.listens:
		case <-time.After(time.Minute):
			t.Fatalf("it does not listen:\n%s", says)
		}
		return address.String()
	})
}

// said is what a server says.
type said struct {
	mu      sync.Mutex
	text    bytes.Buffer
	listens chan struct{} // closed when it says so
	once    sync.Once
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(b)
	if strings.Contains(s.text.String(), "listening on") {
		s.once.Do(func() { close(s.listens) })
	}
	return len(b), nil
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}
