package browser

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"strongroom/engine"
	"strongroom/engine/search"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
)

// found is the search of one vault, as the program has it.
type found struct{ index *search.Index }

func (f found) Search(ctx context.Context, _ *engine.Vault, q httpapi.SearchQuery) (httpapi.SearchResult, error) {
	r, err := f.index.Search(ctx, search.Query(q))
	out := httpapi.SearchResult{Total: r.Total, NextCursor: r.NextCursor, Complete: r.Complete, Through: r.Through}
	for _, h := range r.Hits {
		out.Hits = append(out.Hits, httpapi.SearchHit(h))
	}
	return out, err
}

func (f found) Match(ctx context.Context, _ *engine.Vault, text string, filter engine.DocumentQuery) ([]string, bool, error) {
	return f.index.Match(ctx, text, filter)
}

func (f found) Text(ctx context.Context, _ *engine.Vault, v engine.Version) (string, httpapi.TextState, error) {
	r, err := f.index.Text(ctx, &v)
	return r.Text, httpapi.TextState{State: string(r.State), Reason: r.Reason}, err
}

func (found) Texts(*engine.Vault, []engine.Document) ([]httpapi.TextState, error) { return nil, nil }

func (found) WithText(context.Context, *engine.Vault, string, engine.DocumentQuery, engine.Paging) ([]string, string, error) {
	return nil, "", nil
}

func (found) Reading(context.Context, *engine.Vault, engine.DocumentQuery) (httpapi.Reading, error) {
	return httpapi.Reading{}, nil
}

// searching is a house with an index, which is kept up to date.
func searching(t *testing.T) *house { return searchingWith(t, console.Options{}) }

func searchingWith(t *testing.T, o console.Options) *house {
	t.Helper()
	kit := vault(t)
	index, err := search.Open(kit.Vault, filepath.Join(t.TempDir(), "search"), search.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { index.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); index.Close() })
	o.Search = found{index}
	return openHouse(t, kit, o)
}

// TestTheKeyboardFindsByWords uses "/" and no mouse, sees the passage marked, and sends
// the address to somebody else.
func TestTheKeyboardFindsByWords(t *testing.T) {
	h := searching(t)
	text := engine.NewVersion{MediaType: "text/plain; charset=utf-8"}
	h.CreateFrom(engine.NewDocument{Name: "lease.txt", Category: "contract", Version: text}, "The tenant pays for the <b>northern</b> staircase.")
	h.CreateFrom(engine.NewDocument{Name: "offer.txt", Version: text}, "An offer for the southern one.")
	vera := h.as(t, "Vera Viewer", engine.AccessView, true)
	find := func(words string) {
		t.Helper()
		vera.down("/", "Slash", 191)
		vera.until("the search", "document.activeElement.id === 'search'")
		for _, r := range words {
			vera.press(string(r))
		}
		vera.leads(func() { vera.press(kb.Enter) })
	}
	find("staircase")
	for range 200 { // until it is read
		if get[int](vera, "document.querySelectorAll('mark').length") > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
		vera.reload()
	}
	if typed := vera.value("Search names"); typed != "staircase" {
		t.Errorf("searched for is %q", typed)
	}
	vera.says("1 found", "lease.txt", "<b>northern</b> staircase")
	vera.lacks("offer.txt")
	if marked := get[string](vera, "document.querySelector('mark').innerText"); marked != "staircase" {
		t.Errorf("marked is %q", marked)
	}
	address := vera.path()
	otto := h.as(t, "Otto Other", engine.AccessView, false)
	otto.open(address)
	otto.says("1 found", "lease.txt")
	otto.choose("Category", "invoice")
	otto.follow("Show")
	otto.says("Nothing fits")
	find("nothing like it")
	vera.says("Nothing fits")
	vera.open(address)
	vera.press("j")
	vera.leads(func() { vera.press(kb.Enter) })
	vera.says("lease.txt", "The tenant pays", "Versions")
}
