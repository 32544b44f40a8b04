package httpapi

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// BenchmarkHandler measures what a request costs without the network, by 64 callers at
// once. Run it with TMPDIR in memory: what is left then is the processor's, that of the
// engine too. Beside the figures of two trees only their differences say something.
func BenchmarkHandler(b *testing.B) {
	k := enginetest.NewWith(b, engine.Options{ReserveBytes: -1})
	server := New(map[string]*engine.Vault{k.Name(): k.Vault}, Options{})
	ids := make([]string, 1_000)
	var group sync.WaitGroup
	for at := range 64 {
		group.Go(func() {
			for i := at; i < len(ids); i += 64 {
				ids[i] = k.Create(fmt.Sprintf("Lease %d of the north building.pdf", i), "text").ID
			}
		})
	}
	group.Wait()
	var next atomic.Uint64
	content := bytes.Repeat([]byte("0123456789abcde\n"), 4<<10)
	one := func(method, path string, body io.Reader, header ...string) *written {
		r, err := http.NewRequestWithContext(b.Context(), method, "http://localhost"+path, body)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+k.Token)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := &written{header: http.Header{}}
		server.ServeHTTP(w, r)
		if w.status >= 300 {
			b.Fatal(method, path, w.status)
		}
		return w
	}
	for _, c := range []struct {
		name string
		do   func(id string, n uint64)
	}{
		{"page", func(string, uint64) { one("GET", "/v1/documents?limit=50", nil) }},
		{"entries", func(string, uint64) { one("GET", "/v1/audit/entries?limit=50", nil) }},
		{"read", func(id string, _ uint64) { one("GET", "/v1/documents/"+id, nil) }},
		{"metadata", func(id string, n uint64) {
			one("PATCH", "/v1/documents/"+id, bytes.NewReader(fmt.Appendf(nil, `{"description":"changed %d"}`, n)), "Content-Type", "application/json")
		}},
		{"lock", func(id string, _ uint64) {
			one("POST", "/v1/documents/"+id+"/lock", http.NoBody)
			lock, err := k.Vault.Lock(b.Context(), k.Admin, id)
			if err != nil {
				b.Fatal(err)
			}
			one("DELETE", "/v1/documents/"+id+"/lock", http.NoBody, "X-Lock-Token", lock.Token)
		}},
		{"upload", func(_ string, n uint64) {
			body := bytes.Clone(content)
			binary.BigEndian.PutUint64(body, n)
			one("POST", "/v1/documents?fileName=contract.txt", bytes.NewReader(body), "Content-Type", "text/plain")
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					n := next.Add(1)
					c.do(ids[n%uint64(len(ids))], n)
				}
			})
		})
	}
}

// written is where an answer goes that nobody reads.
type written struct {
	header http.Header
	status int
	size   int
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(p []byte) (int, error) { w.size += len(p); return len(p), nil }
