package httpapi

import (
	"context"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/engine"
)

// Metrics count what servers have done. Two servers of the same vaults may
// share them: one page then tells of both.
type Metrics struct {
	routes          sync.Map // of routeKey to *routeMeter
	running         atomic.Int64
	limitedRate     atomic.Uint64
	limitedUploads  atomic.Uint64
	limitedSearches atomic.Uint64
	limitedSignIns  atomic.Uint64

	mu       sync.Mutex // guards what follows; held while a census is taken, which many may want at once
	censuses map[string]census
}

// NewMetrics returns metrics of nothing yet.
func NewMetrics() *Metrics { return &Metrics{censuses: map[string]census{}} }

// routeKey is a row of the route table, as a label: there are as many as routes
// and no more. What is no route has no pattern.
type routeKey struct{ method, pattern string }

// routeMeter counts the requests of a route.
type routeMeter struct {
	classes  [6]atomic.Uint64 // by the first digit of the status; 0: none was sent
	received atomic.Uint64    // bytes
	sent     atomic.Uint64    // bytes
	times    *histogram
}

func (m *Metrics) route(key routeKey) *routeMeter {
	if found, ok := m.routes.Load(key); ok {
		return found.(*routeMeter)
	}
	found, _ := m.routes.LoadOrStore(key, &routeMeter{
		times: newHistogram(.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60),
	})
	return found.(*routeMeter)
}

// count adds an exchange that is over.
func (m *Metrics) count(x *exchange, r *http.Request, took time.Duration) {
	key := routeKey{r.Method, x.pattern}
	switch {
	case x.pattern == "":
		key.method = "" // a stranger may send any word
	case r.Method == http.MethodHead:
		key.method = http.MethodGet
	}
	meter := m.route(key)
	meter.classes[min(x.status/100, 5)].Add(1)
	meter.received.Add(uint64(x.taken))
	meter.sent.Add(uint64(x.sent))
	meter.times.observe(took.Seconds())
}

// getMetrics answers with all there is to be measured.
func (s *Server) getMetrics(_ caller, x *exchange, r *http.Request, _ struct{}) error {
	page, err := s.expose(r.Context())
	if err != nil {
		return err
	}
	x.answerBytes(http.StatusOK, expositionMedia, page)
	return nil
}

// MetricsHandler serves the metrics, at any path and to anybody: it is for a
// listener of its own, where only those who may see them can come.
func (s *Server) MetricsHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, err := s.expose(r.Context())
		if err != nil {
			http.Error(w, neutral, http.StatusInternalServerError)
			return
		}
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(s.options.BodyTimeout))
		w.Header().Set("Content-Type", expositionMedia)
		w.Header().Set("Cache-Control", "no-store")
		w.Write(page)
	})
}

func (s *Server) expose(ctx context.Context) ([]byte, error) {
	e := &Exposition{}
	e.Family("strongroom_build_info", "gauge", "What the program was built from; the value is 1.")
	e.Sample(1, "version", s.options.Build.Version, "commit", s.options.Build.Commit, "go", s.options.Build.Go)
	s.metrics.expose(e)
	s.failures.expose(e)
	e.Family("strongroom_uploads_running", "gauge", "Uploads that are being received.")
	e.Sample(float64(s.uploads.Load()))
	s.exposeVaults(ctx, e)
	if err := s.exposeCensuses(ctx, e); err != nil {
		return nil, err
	}
	if s.options.Collect != nil {
		s.options.Collect(e)
	}
	return e.b.Bytes(), nil
}

// expose writes what is counted by requests.
func (m *Metrics) expose(e *Exposition) {
	meters := map[routeKey]*routeMeter{}
	m.routes.Range(func(key, meter any) bool {
		meters[key.(routeKey)] = meter.(*routeMeter)
		return true
	})
	keys := slices.SortedFunc(maps.Keys(meters), func(a, b routeKey) int {
		return slices.Compare([]string{a.pattern, a.method}, []string{b.pattern, b.method})
	})
	each := func(name, kind, help string, sample func(*routeMeter, ...string)) {
		e.Family(name, kind, help)
		for _, key := range keys {
			sample(meters[key], "method", key.method, "route", key.pattern)
		}
	}
	each("strongroom_http_requests_total", "counter", "Requests that were answered, by route and class of status. No route: there is none at that path. Class 0: the client had gone.",
		func(r *routeMeter, labels ...string) {
			for class := range r.classes {
				if n := r.classes[class].Load(); n > 0 {
					e.Sample(float64(n), append(labels, "status", statusClass(class))...)
				}
			}
		})
	each("strongroom_http_request_duration_seconds", "histogram", "How long requests took, from their header to the end of the answer.",
		func(r *routeMeter, labels ...string) { e.Histogram(r.times.read(), labels...) })
	each("strongroom_http_received_bytes_total", "counter", "Bytes of the bodies of requests.",
		func(r *routeMeter, labels ...string) { e.Sample(float64(r.received.Load()), labels...) })
	each("strongroom_http_sent_bytes_total", "counter", "Bytes of the bodies of answers.",
		func(r *routeMeter, labels ...string) { e.Sample(float64(r.sent.Load()), labels...) })
	e.Family("strongroom_http_requests_running", "gauge", "Requests that are being answered.")
	e.Sample(float64(m.running.Load()))
	e.Family("strongroom_limited_total", "counter", "Requests refused by RATE_LIMITED, because the keys of their user had made too many together (rate) because too many uploads were running (uploads), because searches had waited in vain (searches), or because wrong API keys came too often (signins).")
	e.Sample(float64(m.limitedRate.Load()), "limit", "rate")
	e.Sample(float64(m.limitedUploads.Load()), "limit", "uploads")
	e.Sample(float64(m.limitedSearches.Load()), "limit", "searches")
	e.Sample(float64(m.limitedSignIns.Load()), "limit", "signins")
}

func statusClass(class int) string {
	if class == 0 {
		return "0"
	}
	return strconv.Itoa(class) + "xx"
}

// histogram counts values in ranges. Many may count at once.
type histogram struct {
	bounds []float64
	counts []atomic.Uint64 // by range, each up to its bound; the last has none
	sum    atomic.Uint64   // bits of a float64
}

// newHistogram has a range up to each of the bounds, which rise, and one above
// them.
func newHistogram(bounds ...float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// observe counts a value in the range that ends at it or above it.
func (h *histogram) observe(value float64) {
	at, _ := slices.BinarySearch(h.bounds, value)
	h.counts[at].Add(1)
	for {
		was := h.sum.Load()
		if h.sum.CompareAndSwap(was, math.Float64bits(math.Float64frombits(was)+value)) {
			return
		}
	}
}

// read returns what was counted. A value that is counted meanwhile may be in one
// part of it only.
func (h *histogram) read() engine.Distribution {
	d := engine.Distribution{Bounds: h.bounds, Sum: math.Float64frombits(h.sum.Load())}
	for i := range h.counts {
		d.Count += h.counts[i].Load()
		if i < len(h.bounds) {
			d.UpTo = append(d.UpTo, d.Count)
		}
	}
	return d
}
