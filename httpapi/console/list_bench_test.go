package console_test

import (
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
)

var listed = flag.Int("listed", 2_000, "how many documents there are whose list BenchmarkList measures")

// BenchmarkList measures the newest page of a list, as a page for people beside the
// same page of the API, and prints how large the page is. The page is made of twice
// the calls: who asks, the settings, the people for the filter.
func BenchmarkList(b *testing.B) {
	k := enginetest.New(b)
	var next atomic.Int64
	var group sync.WaitGroup
	for range 64 { // of one group each time
		group.Go(func() {
			for n := next.Add(1); n <= int64(*listed); n = next.Add(1) {
				k.Create(fmt.Sprintf("Lease %d of the north building.pdf", n), "text")
			}
		})
	}
	group.Wait()
	vaults := map[string]*engine.Vault{k.Name(): k.Vault}
	who := func(*http.Request) (*engine.Vault, engine.Actor, error) { return k.Vault, k.Admin, nil }
	pages, err := console.New(vaults, console.Options{Authenticate: who})
	if err != nil {
		b.Fatal(err)
	}
	api := httpapi.New(vaults, httpapi.Options{Authenticate: who})
	for _, side := range []struct {
		name, path string
		handler    http.Handler
	}{{"api", "/v1/documents", api}, {"page", "/console/" + k.Name() + "/documents", pages}} {
		b.Run(side.name, func(b *testing.B) {
			size := 0
			for b.Loop() {
				w := httptest.NewRecorder()
				side.handler.ServeHTTP(w, httptest.NewRequestWithContext(b.Context(), http.MethodGet, side.path, nil))
				if size = w.Body.Len(); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body)
				}
			}
			b.ReportMetric(float64(size), "bytes/page")
		})
	}
}
