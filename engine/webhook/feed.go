package webhook

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

const (
	// windowItems is how many of the last entries are kept in memory for the
	// endpoints that are up to date, which all are told the same.
	windowItems = 1_000
	// pageItems is how many entries an endpoint that is behind reads at once.
	pageItems = 50
	pageBytes = 256 << 10
	// pagesAtOnce bounds how many endpoints that are behind read the log at a time.
	pagesAtOnce = 4
	// gather is the least time from one look at the log to the next, so that a
	// burst of changes wakes endpoints a hundred times a second and not thousands.
	gather = 10 * time.Millisecond
)

// item is an entry on its way to endpoints. Whoever tells it first spells it.
type item struct {
	seq   uint64
	op    audit.Op
	once  sync.Once
	vault string
	entry engine.Entry // without detail and line
	event event
	err   error
}

func newItem(vault string, e engine.Entry) *item {
	e.Line, e.Detail, e.Salt = nil, nil, nil
	return &item{seq: e.Seq, op: e.Op, vault: vault, entry: e}
}

func (i *item) spelled() (event, error) {
	i.once.Do(func() {
		i.event, i.err = newEvent(i.vault, i.entry)
		i.entry = engine.Entry{}
	})
	return i.event, i.err
}

// feed gives entries in order: the last ones from memory, older ones from the
// log. What it holds is bounded however far behind an endpoint is.
type feed struct {
	v     *engine.Vault
	pace  *pace
	pages chan struct{} // holds a token for each page that is being read

	mu     sync.Mutex // leaf lock
	window []*item    // the last entries, without a gap
	last   uint64     // of the window; where it would begin, if it is empty
}

func newFeed(v *engine.Vault, p *pace) *feed {
	return &feed{v: v, pace: p, last: v.Head().Seq, pages: make(chan struct{}, pagesAtOnce)}
}

func (f *feed) head() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (f *feed) add(items []*item) {
	f.mu.Lock()
	defer f.mu.Unlock()
	window := append(f.window, items...)
	if over := len(window) - windowItems; over > 0 {
		clear(window[:over])
		window = window[over:]
	}
	f.window, f.last = window, items[len(items)-1].seq
}

// after returns some entries after one, in order; none if there are none yet.
func (f *feed) after(ctx context.Context, seq uint64) ([]*item, error) {
	if items, ok := f.recent(seq); ok {
		return items, nil
	}
	select {
	case f.pages <- struct{}{}:
		defer func() { <-f.pages }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	end, err := f.pace.take(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	page, err := f.v.Entries(ctx, engine.EntryQuery{After: seq, Limit: pageItems})
	if err != nil {
		return nil, err
	}
	var items []*item
	for size, i := 0, 0; i < len(page.Items) && size < pageBytes; i++ {
		e := page.Items[i]
		size += len(e.Line)
		items = append(items, newItem(f.v.ID(), e))
	}
	return items, nil
}

// recent is after in memory; false if that does not reach back so far.
func (f *feed) recent(seq uint64) ([]*item, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if seq >= f.last {
		return nil, true
	}
	back, held := f.last-seq, uint64(len(f.window))
	if back > held {
		return nil, false
	}
	return slices.Clone(f.window[held-back : held-back+min(back, pageItems)]), true
}

// follow reads what is written and offers it to the endpoints.
func (d *Deliverer) follow(ctx context.Context) error {
	for {
		if err := d.v.Wait(ctx, d.feed.head()); err != nil {
			return stopped(ctx, err)
		}
		page, err := d.v.Entries(ctx, engine.EntryQuery{After: d.feed.head(), Limit: 500})
		if err != nil {
			return stopped(ctx, err)
		}
		var items []*item
		reload := false
		for _, e := range page.Items {
			items = append(items, newItem(d.v.ID(), e))
			reload = reload || strings.HasPrefix(string(e.Op), "webhook.") || e.Op == audit.OpSettingsUpdated
		}
		if reload {
			if err := d.load(ctx); err != nil {
				return stopped(ctx, err)
			}
		}
		if len(items) > 0 {
			d.feed.add(items)
			d.pace.note()
			d.offer(items)
		}
		if page.NextAfter == 0 {
			pause(ctx, gather)
		}
	}
}

// stopped makes an error of being told to stop none.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// pause returns after a time, or when ctx is done.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// offer wakes those whom entries concern, and lets the others that are up to date
// pass over them.
func (d *Deliverer) offer(items []*item) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, e := range d.endpoints {
		e.offer(items)
	}
}
