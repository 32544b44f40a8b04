package httpapi

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/search"
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
	return SearchResult{mapped(r.Hits, func(h search.Hit) SearchHit { return SearchHit(h) }), r.Total, r.NextCursor, r.Complete, r.Through}, err
}

func (x indexes) Match(ctx context.Context, v *engine.Vault, text string, filter engine.DocumentQuery) ([]string, bool, error) {
	return x[v].Match(ctx, text, filter)
}

// behind is a search whose index never comes to where the log is.
type behind struct{}

func (behind) Search(context.Context, *engine.Vault, SearchQuery) (SearchResult, error) {
	return SearchResult{Through: 3}, nil
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
