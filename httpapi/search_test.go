package httpapi

import (
	"context"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/search"
	"strongroom/engine/search/extract"
)

// indexes are real ones, as the program plugs them in.
type indexes map[*engine.Vault]*search.Index

// follow indexes the vaults of a kit until the test ends.
func (x indexes) follow(t *testing.T, k *kit) {
	for _, v := range k.vaults {
		index, err := search.Open(v.Vault, filepath.Join(v.Dir, "search"), search.Options{Patience: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		x[v.Vault] = index
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- index.Run(ctx) }()
		t.Cleanup(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			index.Close()
		})
	}
}

func (x indexes) Search(ctx context.Context, v *engine.Vault, q SearchQuery) (SearchResult, error) {
	r, err := x[v].Search(ctx, search.Query(q))
	return SearchResult{mapped(r.Hits, func(h search.Hit) SearchHit { return SearchHit(h) }), r.Total, r.NextCursor, r.Complete, r.Through, r.Waiting}, err
}

func (x indexes) Match(ctx context.Context, v *engine.Vault, text string, filter engine.DocumentQuery) ([]string, bool, error) {
	return x[v].Match(ctx, text, filter)
}

func (x indexes) Texts(v *engine.Vault, documents []engine.Document) ([]TextState, error) {
	states, err := x[v].Texts(documents)
	return mapped(states, func(s search.TextState) TextState { return TextState{string(s.State), s.Reason} }), err
}

func (x indexes) WithText(ctx context.Context, v *engine.Vault, state string, filter engine.DocumentQuery, p engine.Paging) ([]string, string, error) {
	return x[v].List(ctx, extract.State(state), filter, p)
}

func (x indexes) Text(ctx context.Context, v *engine.Vault, version engine.Version) (string, TextState, error) {
	r, err := x[v].Text(ctx, &version)
	return r.Text, TextState{string(r.State), r.Reason}, err
}

func (x indexes) Reading(ctx context.Context, v *engine.Vault, q engine.DocumentQuery) (Reading, error) {
	waiting, failed, err := x[v].Unread(ctx, q)
	return Reading{Waiting: uint64(waiting), Failed: uint64(failed)}, err
}

// behind is a search whose index never comes to where the log is.
type behind struct{}

func (behind) Search(context.Context, *engine.Vault, SearchQuery) (SearchResult, error) {
	return SearchResult{Through: 3}, nil
}

func (behind) Texts(*engine.Vault, []engine.Document) ([]TextState, error) { return nil, nil }

func (behind) WithText(context.Context, *engine.Vault, string, engine.DocumentQuery, engine.Paging) ([]string, string, error) {
	return nil, "", nil
}

func (behind) Text(context.Context, *engine.Vault, engine.Version) (string, TextState, error) {
	return "", TextState{State: "waiting"}, nil
}

func (behind) Reading(context.Context, *engine.Vault, engine.DocumentQuery) (Reading, error) {
	return Reading{Behind: 3}, nil
}

func (behind) Match(context.Context, *engine.Vault, string, engine.DocumentQuery) ([]string, bool, error) {
	return []string{engine.NewID()}, false, nil
}

func TestAnIndexThatIsBehind(t *testing.T) {
	k := newKit(t, Options{Search: behind{}})
	if answer, body := k.do("view", "GET", "/v1/search?q=lease", nil); answer.StatusCode != 200 || !strings.Contains(body, `"completeThrough":3`) {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
	change := strings.NewReader(`{"filter":{"q":"lease"},"addTags":["a"]}`)
	if answer, body := k.do("upload", "POST", "/v1/bulk/documents", change); answer.StatusCode != 503 || !strings.Contains(body, `"details":{"reason":"indexing"}`) {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}

// TestSearchesThatShowContentAreEntries: with auditReads on, a passage of a
// document is read as its file is; a name is not.
func TestSearchesThatShowContentAreEntries(t *testing.T) {
	x := indexes{}
	k := newKit(t, Options{Search: x})
	x.follow(t, k)
	if answer, body := k.do("upload", "POST", "/v1/documents?fileName=lease.txt", strings.NewReader("rent is due"), "Content-Type", "text/plain"); answer.StatusCode != 201 {
		t.Fatal(body)
	}
	search := func(words string, entries uint64) {
		t.Helper()
		before := k.vaults["main"].Head().Seq
		if answer, body := k.do("view", "GET", "/v1/search?q="+words, nil); answer.StatusCode != 200 || !strings.Contains(body, "<mark>"+words) {
			t.Errorf("%d %s", answer.StatusCode, body)
		}
		if n := k.vaults["main"].Head().Seq - before; n != entries {
			t.Errorf("%s: %d entries, want %d", words, n, entries)
		}
	}
	search("rent", 0)
	if answer, body := k.do("admin", "PATCH", "/v1/settings", strings.NewReader(`{"auditReads":true}`), "Content-Type", "application/json"); answer.StatusCode != 200 {
		t.Fatal(body)
	}
	search("lease", 0)
	search("rent", 1)
	search("rent", 0)
}

// slow is a Search that takes until it is told.
type slow struct {
	indexes // of none: nothing else is asked
	began   chan struct{}
	let     chan struct{}
}

func (s slow) Search(ctx context.Context, v *engine.Vault, q SearchQuery) (SearchResult, error) {
	s.began <- struct{}{}
	select {
	case <-s.let:
	case <-ctx.Done():
	}
	return SearchResult{Complete: true}, ctx.Err()
}

func (s slow) Texts(*engine.Vault, []engine.Document) ([]TextState, error) { return nil, nil }

func (s slow) Reading(context.Context, *engine.Vault, engine.DocumentQuery) (Reading, error) {
	return Reading{}, nil
}

func (s slow) Match(context.Context, *engine.Vault, string, engine.DocumentQuery) ([]string, bool, error) {
	return nil, true, nil
}

// TestSearchesAreBounded: one user's searches leave room for another's, and too many
// are told to come again.
func TestSearchesAreBounded(t *testing.T) {
	t.Parallel()
	s := slow{began: make(chan struct{}, 8), let: make(chan struct{})}
	k := newKit(t, Options{Search: s, MaxSearches: 2})
	answers := make(chan *http.Response, 8)
	search := func(key string) {
		go func() { a, _ := k.do(key, "GET", "/v1/search?q=a", nil); answers <- a }()
	}
	search("view")
	<-s.began
	for range 3 { // two of them wait, and with the third nobody can wait
		search("view")
	}
	if a := <-answers; a.StatusCode != 429 || a.Header.Get("Retry-After") == "" {
		t.Error(a.StatusCode, a.Header)
	}
	search("upload")
	<-s.began
	close(s.let)
	refused := 1
	for range 4 {
		if a := <-answers; a.StatusCode == 429 {
			refused++
		} else if a.StatusCode != 200 {
			t.Error(a.StatusCode)
		}
	}
	if refused != 1 {
		t.Errorf("%d are refused", refused)
	}
	if _, page := k.do("admin", "GET", "/metrics", nil); !strings.Contains(page, `strongroom_limited_total{limit="searches"} 1`) {
		t.Error(page)
	}
}

// TestTextOfADocument is told with it, listed by it and read.
func TestTextOfADocument(t *testing.T) {
	x := indexes{}
	k := newKit(t, Options{Search: x})
	x.follow(t, k)
	put := func(name, media, content string) string {
		t.Helper()
		answer, body := k.do("upload", "POST", "/v1/documents?fileName="+name, strings.NewReader(content), "Content-Type", media)
		if answer.StatusCode != 201 || !strings.Contains(body, `"text":{"state":"`) {
			t.Fatal(body)
		}
		return path.Base(answer.Header.Get("Location"))
	}
	lease, seal := put("lease.txt", "text/plain", "rent is due"), put("seal.png", "image/png", "\x89PNG\r\n\x1a\n")
	broken := put("broken.docx", "application/zip", "PK\x03\x04word/")
	get := func(path string, status int, want ...string) *http.Response {
		t.Helper()
		answer, body := k.do("view", "GET", path, nil)
		if answer.StatusCode != status {
			t.Errorf("%s: %d %s", path, answer.StatusCode, body)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s has no %s: %s", path, w, body)
			}
		}
		return answer
	}
	get("/v1/search?q=rent", 200, `"text":{"state":"indexed","reason":""}`)
	get("/v1/documents/"+seal, 200, `"text":{"state":"none","reason":"a picture has no text of its own"}`)
	get("/v1/documents?text=failed", 200, broken, `"text":{"state":"failed","reason":"the file is cut off: its end is missing"}`)
	get("/v1/documents?text=indexed&limit=1", 200, lease)
	get("/v1/documents?text=waiting", 200, `"items":[]`)
	get("/v1/documents?text=lost", 400, `"text"`)
	get("/v1/documents?text=failed&sort=name", 400, `"sort"`)
	get("/v1/documents?text=failed&cursor=x", 400, `"cursor"`)
	get("/readyz", 200, `"search":{"behind":0,"waiting":0,"failed":1}`)
	if a := get("/v1/documents/"+lease+"/versions/1/text", 200, "rent is due"); a.Header.Get("Text-State") != "indexed" {
		t.Error(a.Header)
	}
	if a := get("/v1/documents/"+broken+"/versions/1/text", 200); a.Header.Get("Text-Reason") != "the file is cut off: its end is missing" {
		t.Error(a.Header)
	}
	get("/v1/documents/"+lease+"/versions/2/text", 404)
	without := newKit(t, Options{})
	if answer, body := without.do("view", "GET", "/v1/documents?text=failed", nil); answer.StatusCode != 400 {
		t.Errorf("%d %s", answer.StatusCode, body)
	}
}
