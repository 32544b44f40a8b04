package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/search"
	"strongroom/engine/search/extract"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

const (
	// searchName is the index's directory in that of its vault.
	searchName = "search"
	// searchRetry is how long after a failure, a full disk mostly, an index is
	// run again.
	searchRetry = 30 * time.Second
	// fewEntries are those of a vault nobody has worked with yet: of what init makes,
	// and of some users and keys.
	fewEntries = 10
)

// searches is the full-text index of each vault, and what keeps it up to date.
type searches struct {
	indexes map[*engine.Vault]*search.Index
	blind   []string // vaults whose index could not be opened
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// startSearch opens the indexes of vaults and keeps them up to their logs. An
// index that cannot be opened costs its vault the search and nothing else. The
// caller stops it before it closes the vaults.
func startSearch(at datadir.Place, vaults map[string]*engine.Vault, readers []extract.Reader, log zerolog.Logger) *searches {
	s := &searches{indexes: map[*engine.Vault]*search.Index{}}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	for name, v := range vaults {
		log := log.With().Str("vault", name).Logger()
		at.Vault = name
		x, err := search.Open(v, filepath.Join(at.Dir(), searchName), search.Options{Readers: readers})
		if err != nil {
			log.Error().Err(err).Msg("the search index cannot be opened; its directory may be deleted")
			s.blind = append(s.blind, name)
			continue
		}
		// That of a new vault is made at once.
		if s := x.Stats(); s.Building && (s.Rebuilds > 0 || v.Head().Seq > fewEntries) {
			log.Info().Msg("the search index is made anew while the vault is served")
		}
		s.indexes[v] = x
		s.running.Go(func() { keepSearch(ctx, x, log) })
	}
	return s
}

// keepSearch runs an index until ctx ends.
func keepSearch(ctx context.Context, x *search.Index, log zerolog.Logger) {
	for {
		err := x.Run(ctx)
		if err != nil {
			log.Error().Err(err).Msg("the search index falls behind; it is tried again")
		}
		if ctx.Err() != nil {
			return
		}
		wait(ctx, searchRetry)
	}
}

// stop saves the indexes and closes them.
func (s *searches) stop() error {
	s.cancel()
	s.running.Wait()
	var errs []error
	for v, x := range s.indexes {
		if err := x.Close(); err != nil {
			errs = append(errs, fmt.Errorf("vault %q: closing the search index: %w", v.Name(), err))
		}
	}
	return errors.Join(errs...)
}

// expose writes how far the indexes have come.
func (s *searches) expose(e *httpapi.Exposition) {
	for _, family := range []struct {
		name, kind, help string
		value            func(*engine.Vault, search.Stats) float64
	}{
		{"strongroom_search_lag_entries", "gauge", "Audit entries that are not in the search index yet.", func(v *engine.Vault, s search.Stats) float64 {
			return float64(v.Head().Seq - min(s.Through, v.Head().Seq))
		}},
		{"strongroom_search_documents", "gauge", "Documents in the search index.", func(_ *engine.Vault, s search.Stats) float64 { return float64(s.Documents) }},
		{"strongroom_search_indexed_total", "counter", "Documents put into the search index.", func(_ *engine.Vault, s search.Stats) float64 { return float64(s.Indexed) }},
		{"strongroom_text_waiting", "gauge", "Documents whose text is still to be read.", func(_ *engine.Vault, s search.Stats) float64 { return float64(s.Waiting) }},
		{"strongroom_text_failed", "gauge", "Documents whose text could not be read.", func(_ *engine.Vault, s search.Stats) float64 { return float64(s.Failed) }},
		{"strongroom_search_unreadable_total", "counter", "Files whose text could not be read.", func(_ *engine.Vault, s search.Stats) float64 { return float64(s.Failures) }},
	} {
		e.Family(family.name, family.kind, family.help)
		for _, v := range slices.SortedFunc(maps.Keys(s.indexes), func(a, b *engine.Vault) int { return strings.Compare(a.Name(), b.Name()) }) {
			e.Sample(family.value(v, s.indexes[v].Stats()), "vault", v.Name())
		}
	}
}

// of is the index of a vault.
func (s *searches) of(v *engine.Vault) (*search.Index, error) {
	x := s.indexes[v]
	if x == nil {
		return nil, &engine.UnavailableError{Reason: "search", Err: errors.New("the search index could not be opened")}
	}
	return x, nil
}

// Search implements httpapi.Search.
func (s *searches) Search(ctx context.Context, v *engine.Vault, q httpapi.SearchQuery) (httpapi.SearchResult, error) {
	x, err := s.of(v)
	if err != nil {
		return httpapi.SearchResult{}, err
	}
	r, err := x.Search(ctx, search.Query(q))
	out := httpapi.SearchResult{Total: r.Total, NextCursor: r.NextCursor, Complete: r.Complete, Through: r.Through, Waiting: r.Waiting}
	for _, h := range r.Hits {
		out.Hits = append(out.Hits, httpapi.SearchHit(h))
	}
	return out, err
}

// Match implements httpapi.Search.
func (s *searches) Match(ctx context.Context, v *engine.Vault, text string, filter engine.DocumentQuery) ([]string, bool, error) {
	x, err := s.of(v)
	if err != nil {
		return nil, false, err
	}
	return x.Match(ctx, text, filter)
}

// Texts implements httpapi.Search.
func (s *searches) Texts(v *engine.Vault, documents []engine.Document) ([]httpapi.TextState, error) {
	x, err := s.of(v)
	if err != nil {
		return nil, nil // a document is shown without it
	}
	states, err := x.Texts(documents)
	out := make([]httpapi.TextState, len(states))
	for i, t := range states {
		out[i] = httpapi.TextState{State: string(t.State), Reason: t.Reason}
	}
	return out, err
}

// WithText implements httpapi.Search.
func (s *searches) WithText(ctx context.Context, v *engine.Vault, state string, filter engine.DocumentQuery, p engine.Paging) ([]string, string, error) {
	x, err := s.of(v)
	if err != nil {
		return nil, "", err
	}
	return x.List(ctx, extract.State(state), filter, p)
}

// Text implements httpapi.Search.
func (s *searches) Text(ctx context.Context, v *engine.Vault, version engine.Version) (string, httpapi.TextState, error) {
	x, err := s.of(v)
	if err != nil {
		return "", httpapi.TextState{}, err
	}
	r, err := x.Text(ctx, &version)
	if errors.Is(err, extract.ErrUnavailable) {
		err = &engine.UnavailableError{Reason: "search", Err: err}
	}
	return r.Text, httpapi.TextState{State: string(r.State), Reason: r.Reason}, err
}

// Reading implements httpapi.Search.
func (s *searches) Reading(ctx context.Context, v *engine.Vault, q engine.DocumentQuery) (httpapi.Reading, error) {
	x := s.indexes[v]
	if x == nil {
		return httpapi.Reading{}, nil
	}
	waiting, failed, err := x.Unread(ctx, q)
	through, head := x.Stats().Through, v.Head().Seq
	return httpapi.Reading{Behind: head - min(through, head), Waiting: uint64(waiting), Failed: uint64(failed)}, err
}
