package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/engine/webhook"
)

// bench is a vault with a document, and who delivers to this machine.
type bench struct {
	*enginetest.Kit
	b        *testing.B
	document string
}

func newBench(b *testing.B) *bench {
	b.Helper()
	dir := filepath.Join(b.TempDir(), "vault")
	v, err := engine.Create(dir, engine.Options{Name: "main", ReserveBytes: -1})
	if err != nil {
		b.Fatal(err)
	}
	k := &bench{Kit: &enginetest.Kit{Vault: v, TB: b, Dir: dir}, b: b}
	b.Cleanup(func() { v.Close() })
	k.Admin, _ = k.Person("Ada Admin", engine.AccessAdmin)
	k.document = k.Create("document", "the text").ID
	return k
}

// deliver delivers until the function it returns is called.
func (k *bench) deliver() (stop func()) {
	k.b.Helper()
	d, err := webhook.Open(k.Vault, k.Dir, webhook.Options{Allow: prefixes("127.0.0.0/8")})
	if err != nil {
		k.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(k.b.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	return func() {
		cancel()
		if err := errors.Join(<-ended, d.Close()); err != nil {
			k.b.Error(err)
		}
	}
}

func (k *bench) hook(url string, events ...string) engine.Webhook {
	k.b.Helper()
	w, _, _, err := k.CreateWebhook(k.b.Context(), k.Admin, engine.NewWebhook{URL: url, Events: events})
	if err != nil {
		k.b.Fatal(err)
	}
	return w
}

// change makes n changes of the document, in large groups.
func (k *bench) change(n int) {
	k.b.Helper()
	for done := 0; done < n; {
		var changes []engine.DocumentChange
		for ; done < n && len(changes) < 500; done++ {
			name := fmt.Sprint("name ", done, time.Now().UnixNano())
			changes = append(changes, engine.DocumentChange{DocumentID: k.document, Patch: engine.DocumentPatch{Name: &name}})
		}
		if _, err := k.UpdateDocuments(k.b.Context(), k.Admin, changes, false); err != nil {
			k.b.Fatal(err)
		}
	}
}

// counted is an endpoint that counts, and tells when it has had enough.
type counted struct {
	n, enough atomic.Int64
	done      chan struct{}
}

func (c *counted) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	if c.n.Add(1) == c.enough.Load() {
		close(c.done)
	}
}

func (c *counted) await(n int) { c.enough.Store(int64(n)); c.n.Store(0); c.done = make(chan struct{}) }

// BenchmarkDelivery tells one fast endpoint of this machine events that are there
// already, one after the other, beside the limit: bare requests of the same size,
// one after the other, over one connection.
func BenchmarkDelivery(b *testing.B) {
	k, c := newBench(b), &counted{}
	server := httptest.NewServer(c)
	defer server.Close()
	defer k.deliver()()
	w := k.hook(server.URL, string(audit.OpDocumentUpdated))
	active := func(is bool) {
		if _, _, err := k.UpdateWebhook(b.Context(), k.Admin, w.ID, engine.Condition{}, engine.WebhookPatch{Active: &is}); err != nil {
			b.Fatal(err)
		}
	}
	const events = 10_000
	var bare, told time.Duration
	for b.Loop() {
		b.StopTimer()
		active(false)
		k.change(events)
		c.await(events)
		began := time.Now()
		body := strings.Repeat("x", 330)
		for range events {
			resp, err := http.Post(server.URL, "application/json", strings.NewReader(body))
			if err != nil {
				b.Fatal(err)
			}
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		bare += time.Since(began)
		c.await(events)
		b.StartTimer()
		began = time.Now()
		active(true)
		<-c.done
		told += time.Since(began)
	}
	b.ReportMetric(float64(events*b.N)/told.Seconds(), "events/s")
	b.ReportMetric(float64(events*b.N)/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/told.Seconds(), "of-limit")
}

// BenchmarkManyEndpoints tells a hundred fast endpoints the same events.
func BenchmarkManyEndpoints(b *testing.B) {
	k, c := newBench(b), &counted{}
	server := httptest.NewServer(c)
	defer server.Close()
	defer k.deliver()()
	for i := range 100 {
		k.hook(fmt.Sprint(server.URL, "/", i), string(audit.OpDocumentUpdated))
	}
	const events = 200
	for b.Loop() {
		c.await(100 * events)
		k.change(events)
		<-c.done
	}
	b.ReportMetric(float64(100*events*b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkWriter is what a hundred subscribers cost who writes: changes of
// metadata from eight callers, turn by turn without subscribers and with them.
// In-process endpoints that answer at once take the same cores as the writer, so
// that row shows what answering costs, not what being told of does.
func BenchmarkWriter(b *testing.B) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and says nothing
	if err != nil {
		b.Fatal(err)
	}
	defer silent.Close()
	fast := httptest.NewServer(&counted{})
	defer fast.Close()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		time.Sleep(100 * time.Millisecond)
	}))
	defer slow.Close()
	for _, c := range []struct{ name, url, events string }{
		{"other-events", fast.URL, "erasure.*"},
		{"not-there", "http://127.0.0.1:1/", "*"},
		{"silent", "http://" + silent.Addr().String() + "/", "*"},
		{"answer-in-100ms", slow.URL, "*"},
		{"answer-at-once", fast.URL, "*"},
	} {
		b.Run(c.name, func(b *testing.B) {
			alone, followed := newBench(b), newBench(b)
			followed.deliver()()
			for i := range 100 {
				followed.hook(fmt.Sprint(c.url, "?", i), c.events)
			}
			var without, with time.Duration
			for b.Loop() {
				for range turns {
					without += write(b, alone)
					stop := followed.deliver()
					with += write(b, followed)
					stop()
				}
			}
			b.ReportMetric(turns*writes*float64(b.N)/without.Seconds(), "without/s")
			b.ReportMetric(turns*writes*float64(b.N)/with.Seconds(), "with/s")
			b.ReportMetric(without.Seconds()/with.Seconds(), "of-without")
		})
	}
}

const (
	turns  = 4
	writes = 1_600
)

// write makes changes from eight callers, each of a document's own name.
func write(b *testing.B, k *bench) time.Duration {
	var wg sync.WaitGroup
	began := time.Now()
	for caller := range 8 {
		wg.Go(func() {
			for i := range writes / 8 {
				name := fmt.Sprint(caller, i, time.Now().UnixNano())
				if _, _, err := k.UpdateDocument(b.Context(), k.Admin, k.document, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(began)
}
