package httpapi

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// scrape is a page of metrics, read as strictly as the format is written down:
// each family once, described and typed before its samples, which stand
// together; no sample twice.
type scrape struct {
	kinds  map[string]string
	values map[string]float64 // by the sample as it is written: name{label="value"}
}

var sampleLine = regexp.MustCompile(`^([a-z][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (\S+)$`)

func readScrape(t *testing.T, page string) scrape {
	t.Helper()
	s := scrape{map[string]string{}, map[string]float64{}}
	family, described := "", ""
	if !strings.HasSuffix(page, "\n") {
		t.Error("the page does not end with a newline")
	}
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		words := strings.SplitN(line, " ", 4)
		switch {
		case strings.HasPrefix(line, "# HELP "):
			described = words[2]
			if len(words) < 4 || s.kinds[described] != "" {
				t.Errorf("%s: described twice, or not at all", line)
			}
		case strings.HasPrefix(line, "# TYPE "):
			if family = words[2]; family != described {
				t.Errorf("%s: typed but not described", line)
			}
			if s.kinds[family] = words[3]; (words[3] == "counter") != strings.HasSuffix(family, "_total") {
				t.Errorf("%s: counters, and only they, end in _total", line)
			}
		default:
			m := sampleLine.FindStringSubmatch(line)
			if m == nil {
				t.Fatalf("not a sample: %s", line)
			}
			name := m[1]
			if s.kinds[family] == "histogram" {
				name = regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")
			}
			value, err := strconv.ParseFloat(m[3], 64)
			if name != family || err != nil {
				t.Errorf("%s: stands with %s: %v", line, family, err)
			}
			sample := strings.TrimSuffix(line, " "+m[3])
			if _, twice := s.values[sample]; twice {
				t.Errorf("%s: twice", line)
			}
			s.values[sample] = value
		}
	}
	s.checkHistograms(t)
	return s
}

// checkHistograms holds that buckets rise, and that the last is the count.
func (s scrape) checkHistograms(t *testing.T) {
	t.Helper()
	type bucket struct{ bound, upTo float64 }
	all := map[string][]bucket{}
	cut := regexp.MustCompile(`,?le="([^"]*)"\}$`)
	for sample, value := range s.values {
		if m := cut.FindStringSubmatch(sample); m != nil {
			bound, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				t.Error(sample, err)
			}
			series := strings.Replace(cut.ReplaceAllString(sample, "}"), "_bucket", "_count", 1)
			series = strings.TrimSuffix(series, "{}")
			all[series] = append(all[series], bucket{bound, value})
		}
	}
	for series, buckets := range all {
		slices.SortFunc(buckets, func(a, b bucket) int { return int(math.Copysign(1, a.bound-b.bound)) })
		last := buckets[len(buckets)-1]
		if !math.IsInf(last.bound, 1) || last.upTo != s.values[series] {
			t.Errorf("%s is %v, its last bucket %+v", series, s.values[series], last)
		}
		for i := 1; i < len(buckets); i++ {
			if buckets[i].upTo < buckets[i-1].upTo {
				t.Errorf("%s: buckets fall: %v", series, buckets)
			}
		}
	}
}

func (s scrape) expect(t *testing.T, sample string, want float64) {
	t.Helper()
	if got, ok := s.values[sample]; !ok || got != want {
		t.Errorf("%s is %v, %v; want %v", sample, got, ok, want)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{
		Build:    Build{Version: "v1", Commit: `a "quoted" \ commit`, Go: "go1"},
		Unopened: map[string]string{"gone": "it is no vault"},
		Collect: func(e *Exposition) {
			e.Family("host_lag_seconds", "gauge", "Of the host's\nown making.")
			e.Sample(1.5, "of", "search")
		},
	})
	d := k.vaults["main"].Create("a.txt", "abc")
	before := k.vaults["main"].Stats().Commits
	k.do("upload", "POST", "/v1/documents?fileName=b.txt", strings.NewReader("four"))
	k.do("upload", "POST", "/v1/documents?fileName=c.txt", strings.NewReader("four!"))
	k.do("view", "GET", "/v1/documents/"+d.ID+"/content", nil)
	k.do("view", "HEAD", "/v1/documents/"+d.ID+"/content", nil)
	k.do("view", "GET", "/v1/documents/"+someID, nil)
	k.do("view", "GET", "/v1/nothing/"+someID, nil)
	k.do("view", "BREW", "/v1/nothing", nil)
	k.wait(&k.ended, 7) // a client may have its answer a moment before
	a, page := k.do("admin", "GET", "/metrics", nil)
	if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatal(a.Status, a.Header)
	}
	s := readScrape(t, page)
	s.expect(t, `strongroom_build_info{version="v1",commit="a \"quoted\" \\ commit",go="go1"}`, 1)
	s.expect(t, `strongroom_http_requests_total{method="POST",route="/v1/documents",status="2xx"}`, 2)
	s.expect(t, `strongroom_http_requests_total{method="GET",route="/v1/documents/:id/content",status="2xx"}`, 2)
	s.expect(t, `strongroom_http_requests_total{method="GET",route="/v1/documents/:id",status="4xx"}`, 1)
	s.expect(t, `strongroom_http_requests_total{method="",route="",status="4xx"}`, 2)
	s.expect(t, `strongroom_http_request_duration_seconds_count{method="POST",route="/v1/documents"}`, 2)
	s.expect(t, `strongroom_http_received_bytes_total{method="POST",route="/v1/documents"}`, 9)
	s.expect(t, `strongroom_http_sent_bytes_total{method="GET",route="/v1/documents/:id/content"}`, 3)
	s.expect(t, `strongroom_http_requests_running`, 1)
	s.expect(t, `strongroom_uploads_running`, 0)
	s.expect(t, `strongroom_vault_up{vault="gone"}`, 0)
	s.expect(t, `strongroom_vault_up{vault="main"}`, 1)
	s.expect(t, `strongroom_commits_total{vault="main"}`, float64(before+2))
	s.expect(t, `strongroom_checkpoints_total{vault="main"}`, 0)
	if log := s.values[`strongroom_log_bytes{vault="main"}`]; log < 4096 || s.kinds["strongroom_log_bytes"] != "gauge" {
		t.Errorf("a log of %v bytes: a record takes a block at least", log)
	}
	s.expect(t, `strongroom_audit_entries{vault="main"}`, float64(k.vaults["main"].Head().Seq))
	s.expect(t, `strongroom_commit_changes_sum{vault="main"}`, float64(k.vaults["main"].Stats().Changes))
	s.expect(t, `strongroom_documents{vault="main",status="active"}`, 3)
	s.expect(t, `strongroom_locks{vault="other"}`, 0)
	s.expect(t, `strongroom_holds{vault="main"}`, 0)
	s.expect(t, `strongroom_obligations{vault="main",status="overdue"}`, 0)
	s.expect(t, `host_lag_seconds{of="search"}`, 1.5)
	if ids := regexp.MustCompile(`01[0-9A-Z]{24}`).FindAllString(page, -1); ids != nil {
		t.Errorf("labels that nothing bounds: %v", ids)
	}

	if a, _ := k.do("upload", "GET", "/metrics", nil); a.StatusCode != 403 {
		t.Errorf("who is no admin gets %d", a.StatusCode)
	}
	w := httptest.NewRecorder()
	k.server.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	readScrape(t, w.Body.String()).expect(t, `strongroom_vault_up{vault="main"}`, 1)
}

// TestMetricsOfAClosedVault: what cannot be asked is told as down, and the rest
// as ever.
func TestMetricsOfAClosedVault(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	if err := k.vaults["other"].Close(); err != nil {
		t.Fatal(err)
	}
	_, page := k.do("admin", "GET", "/metrics", nil)
	s := readScrape(t, page)
	s.expect(t, `strongroom_vault_up{vault="other"}`, 0)
	s.expect(t, `strongroom_vault_up{vault="main"}`, 1)
	s.expect(t, `strongroom_documents{vault="main",status="active"}`, 0)
}

// TestDegraded: what a host warns of is told to whom it concerns, and takes no
// vault out of service.
func TestDegraded(t *testing.T) {
	t.Parallel()
	warnings := map[string][]string{"other": {"the index is behind"}, "": {"the clock jumped"}}
	k := newKit(t, Options{Warnings: func() map[string][]string { return warnings }})
	for key, want := range map[string]string{
		"":      `{"status":"degraded"}`,
		"view":  `{"status":"degraded","reasons":["the clock jumped"]}`,
		"other": `{"status":"degraded","reasons":["the clock jumped","the index is behind"]}`,
	} {
		if a, body := k.do(key, "GET", "/readyz", nil); a.StatusCode != 200 || body != want+"\n" {
			t.Errorf("%q is told %d %s", key, a.StatusCode, body)
		}
	}
	if got := told(warnings, nil, engine.Operator()); !slices.Contains(got, `vault "other": the index is behind`) || len(got) != 2 {
		t.Error(fmt.Sprint("the operator is told ", got))
	}
}

// TestConcerns: a vault that can be read but not written says so.
func TestConcerns(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	v, err := engine.Open(k.Dir, engine.Options{ReserveBytes: 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	s := New(map[string]*engine.Vault{"main": v}, Options{Authenticate: func(*http.Request) (*engine.Vault, engine.Actor, error) {
		return v, engine.Actor{Access: engine.AccessAdmin}, nil
	}})
	get := func(path string) string {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Error(w.Code)
		}
		return w.Body.String()
	}
	for _, say := range []string{`"status":"degraded"`, "nothing can be written: ", "bytes free"} {
		if told := get("/readyz"); !strings.Contains(told, say) {
			t.Errorf("it does not say %q: %s", say, told)
		}
	}
	page := readScrape(t, get("/metrics"))
	page.expect(t, `strongroom_vault_up{vault="main"}`, 1)
	page.expect(t, `strongroom_vault_writable{vault="main"}`, 0)
	page.expect(t, `strongroom_vault_concerns{vault="main"}`, 1)
}

func TestHistogram(t *testing.T) {
	h := newHistogram(1, 2, 4)
	for _, v := range []float64{0, 1, 1.5, 4, 5, 100} {
		h.observe(v)
	}
	d := h.read()
	if !slices.Equal(d.UpTo, []uint64{2, 3, 4}) || d.Count != 6 || d.Sum != 111.5 || !slices.Equal(d.Bounds, []float64{1, 2, 4}) {
		t.Errorf("%+v", d)
	}
}
