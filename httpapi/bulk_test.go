package httpapi

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"strongroom/engine"
)

// TestBulkAnswersWhileItIsAsked holds that a client may wait for a result before
// it sends the next line, and that what was told is done if it goes away.
func TestBulkAnswersWhileItIsAsked(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	d := k.vaults["main"].Create("subject", "text")
	body, lines := io.Pipe()
	r, err := http.NewRequest("POST", k.http.URL+"/v1/bulk/documents", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+k.tokens["upload"])
	r.Header.Set("Content-Type", "application/x-ndjson")
	r.Header.Set("Accept", "application/x-ndjson")
	send := func(i int) { fmt.Fprintf(lines, `{"id":%q,"patch":{"name":"name %d"}}`+"\n", d.ID, i) }
	go send(0)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	results := bufio.NewScanner(answer.Body)
	for i := range 5 {
		if i > 0 {
			send(i)
		}
		var result BulkResult
		if !results.Scan() || json.Unmarshal(results.Bytes(), &result) != nil || result.Result != "changed" || result.Line != uint64(i+1) {
			t.Fatalf("%d: %s %v", i, results.Bytes(), results.Err())
		}
		if is, err := k.vaults["main"].Document(t.Context(), d.ID); err != nil || is.Name != fmt.Sprint("name ", i) {
			t.Errorf("%d: %q, %v", i, is.Name, err)
		}
	}
	lines.Close()
	if !results.Scan() || results.Text() != `{"matched":5,"changed":5,"unchanged":0,"failed":0}` {
		t.Errorf("the counts are %s", results.Text())
	}
}

// TestBulkOfMany goes through more than one step, by ids, by filter and by lines.
func TestBulkOfMany(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	main := k.vaults["main"]
	const n = 2*bulkStep + 7
	var ids, lines []string
	for i := range n {
		d := main.CreateFrom(engine.NewDocument{Name: fmt.Sprint(i), Category: "invoice"}, "text")
		ids = append(ids, fmt.Sprintf("%q", d.ID))
		lines = append(lines, fmt.Sprintf(`{"id":%q,"patch":{"description":"%d"}}`, d.ID, i))
	}
	ask := func(media, body string) (out BulkAnswer) {
		a, text := k.do("upload", "POST", "/v1/bulk/documents", strings.NewReader(body), "Content-Type", media)
		if err := json.Unmarshal([]byte(text), &out); err != nil || a.StatusCode != 200 {
			t.Fatalf("%d %v %.200s", a.StatusCode, err, text)
		}
		return out
	}
	for body, want := range map[string]BulkCounts{
		`{"ids":[` + strings.Join(ids, ",") + `],"addTags":["a"],"dryRun":true}`: {Matched: n, Changed: n},
		`{"ids":[` + strings.Join(ids, ",") + `],"addTags":["b"]}`:               {Matched: n, Changed: n},
		`{"filter":{"category":"invoice"},"addTags":["c"]}`:                      {Matched: n, Changed: n},
		`{"filter":{"category":"invoice"},"removeTags":["d"]}`:                   {Matched: n, Unchanged: n},
		`{"filter":{"category":"report"},"removeTags":["d"]}`:                    {},
	} {
		if got := ask("application/json", body); got.BulkCounts != want || len(got.Results) != int(want.Matched) {
			t.Errorf("%.60s: %+v, want %+v", body, got.BulkCounts, want)
		}
	}
	// A line that is too long ends the work; those before it are done.
	got := ask("application/x-ndjson", strings.Join(lines, "\n")+"\n"+strings.Repeat(" ", maxBody+1)+"\n"+lines[0])
	last := got.Results[len(got.Results)-1]
	if got.Matched != n+1 || got.Changed != n || got.Failed != 1 || last.Line != n+1 || last.ErrorCode != "PAYLOAD_TOO_LARGE" {
		t.Errorf("%+v, last %+v", got.BulkCounts, last)
	}
	many := `{"ids":[` + strings.Repeat(`"x",`, maxBulkIDs) + `"x"]}`
	if a, text := k.do("upload", "POST", "/v1/bulk/documents", strings.NewReader(many)); a.StatusCode != 400 || !strings.Contains(text, "ids: must be at most 10000") {
		t.Errorf("%d %s", a.StatusCode, text)
	}
}

// TestBulkHoldsFewResults: an answer of many results is sent while the work goes
// on, and is one JSON object all the same; that of few is sent whole.
func TestBulkHoldsFewResults(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for _, n := range []int{0, 1, 3 * bulkStep, 60_000} {
		a, text := k.do("upload", "POST", "/v1/bulk/documents", strings.NewReader(strings.Repeat("nonsense\n", n)), "Content-Type", ndjson)
		var out BulkAnswer
		if err := json.Unmarshal([]byte(text), &out); err != nil || a.StatusCode != 200 || a.Header.Get("Content-Type") != jsonMedia {
			t.Fatalf("%d lines: %d %v %.200s", n, a.StatusCode, err, text)
		}
		if want := (BulkCounts{Matched: uint64(n), Failed: uint64(n)}); out.BulkCounts != want || len(out.Results) != n || out.Results == nil {
			t.Errorf("%d lines: %+v, %d results", n, out.BulkCounts, len(out.Results))
		}
		for i, r := range out.Results {
			if r.Line != uint64(i+1) {
				t.Fatalf("%d lines: result %d is of line %d", n, i, r.Line)
			}
		}
		if whole := a.ContentLength >= 0; whole != (len(text) < maxHeld) {
			t.Errorf("%d lines: the answer of %d bytes was sent whole: %v", n, len(text), whole)
		}
	}
}

// broken is a connection that takes nothing any more.
type broken struct{ *httptest.ResponseRecorder }

func (broken) Write([]byte) (int, error) { return 0, syscall.ECONNRESET }
func (broken) FlushError() error         { return syscall.ECONNRESET }

// TestAClientWhoIsGoneIsNoErrorOfTheServer: what cannot be sent is dropped, and
// the log has its request's line and nothing to be mended.
func TestAClientWhoIsGoneIsNoErrorOfTheServer(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/v1/bulk/documents", `{"ids":["x"],"addTags":["a"]}`},
		{"GET", "/v1/audit/export", ""},
	} {
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Authorization", "Bearer "+k.tokens["admin"])
		r.Header.Set("Accept", ndjson)
		dropped := func() (p any) {
			defer func() { p = recover() }()
			k.server.ServeHTTP(broken{httptest.NewRecorder()}, r)
			return nil
		}()
		if dropped != http.ErrAbortHandler {
			t.Errorf("%s: the connection is not dropped but %v", c.path, dropped)
		}
	}
	if log := k.log.String(); strings.Contains(log, `"level":"error"`) || strings.Count(log, "\n") != 2 {
		t.Error(log)
	}
}

// leaving is the context of a client who goes away once it was asked for so
// many times.
type leaving struct {
	context.Context
	stays atomic.Int32
}

func (l *leaving) Err() error {
	if l.stays.Add(-1) < 0 {
		return context.Canceled
	}
	return nil
}

// TestAClientWhoLeavesABulkChange is told nothing, and no change that was left
// for its sake is an error of the server.
func TestAClientWhoLeavesABulkChange(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	var ids []string
	for i := range 4 {
		ids = append(ids, k.vaults["main"].Create(fmt.Sprint(i), "text").ID)
	}
	list, _ := json.Marshal(ids)
	left := 0
	for stays := range int32(12) {
		for path, body := range map[string]string{
			"/v1/bulk/documents": fmt.Sprintf(`{"ids":%s,"addTags":["a%d"]}`, list, stays),
			"/v1/bulk/holds":     fmt.Sprintf(`{"documentIds":%s,"reason":"r","matter":"m%d"}`, list, stays),
		} {
			ctx := &leaving{Context: t.Context()}
			ctx.stays.Store(stays)
			r := httptest.NewRequest("POST", path, strings.NewReader(body)).WithContext(ctx)
			r.Header.Set("Authorization", "Bearer "+k.tokens["admin"])
			func() {
				defer func() {
					if recover() != nil {
						left++
					}
				}()
				k.server.ServeHTTP(httptest.NewRecorder(), r)
			}()
		}
	}
	if log := k.log.String(); strings.Contains(log, `"level":"error"`) || left == 0 || left == 24 {
		t.Errorf("%d went away\n%.1000s", left, log)
	}
}
