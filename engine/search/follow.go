package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

const (
	// What is indexed is seen when this much time has passed or text been read,
	// or when nothing waits any more.
	batchTime  = 100 * time.Millisecond
	batchBytes = 4 << 20
	// pageEntries are read of the log at once, the documents they tell of found so
	// many at once.
	pageEntries   = 500
	findDocuments = 128
	// gatherTime is the least time from one look at the log to the next, while nobody
	// waits for what changes: the more a look brings, the less each change costs. Behind
	// a look that brought many it is longer.
	gatherTime     = 50 * time.Millisecond
	gatherManyTime = 250 * time.Millisecond
	manyEntries    = 32
	// What is seen is saved when it has this size, or this age.
	saveBytes = 8 << 20
	saveAge   = 10 * time.Second
)

// batch gathers what becomes seen together.
type batch struct {
	x       *Index
	state   state
	split   *analysis
	changes segment.Changes
	bytes   int
	settled []segment.ID // of which the text is among the changes
	unpack  unpacker
	began   time.Time
	applied time.Time     // when the last changes were seen
	worked  time.Duration // how long it took to bring them in
	came    int           // how many entries the last look brought
	saved   time.Time
	unsaved bool
}

func (b *batch) begin() {
	b.changes, b.bytes, b.settled, b.began = segment.Changes{}, 0, nil, time.Now()
}

func (b *batch) due() bool { return b.bytes >= batchBytes || time.Since(b.began) >= batchTime }

// apply makes seen what was gathered, and how far the index has come with it.
func (b *batch) apply() error {
	var err error
	if b.changes.State, err = json.Marshal(b.state); err != nil {
		return err
	}
	put, forget := len(b.changes.Put), len(b.changes.Forget) > 0
	if err := b.x.store.Apply(b.changes); err != nil {
		return err
	}
	settled := b.settled
	b.begin()
	b.unsaved = true
	b.x.stats.indexed.Add(uint64(put))
	b.x.update(func() {
		b.x.state = b.state
		for _, id := range settled {
			delete(b.x.waiting, id)
		}
	})
	b.applied = time.Now()
	if b.x.store.MemoryBytes() >= saveBytes { // that merges all there is in memory
		return b.save()
	}
	if err := b.x.store.Settle(); err != nil {
		return err
	}
	if forget {
		b.x.signal()
	}
	return nil
}

func (b *batch) save() error {
	b.saved, b.unsaved = time.Now(), false
	if b.x.store.Lost() {
		return errLost
	}
	if err := b.x.store.Save(); err != nil {
		return err
	}
	b.x.signal()
	return nil
}

// build goes through all documents in the order of their creation. It goes on
// where it was when the program ended.
func (b *batch) build(ctx context.Context) error {
	if b.state.From == 0 {
		head := b.x.vault.Head()
		b.state.From, b.state.Hash = head.Seq, head.Hash.String()
		// A change of the language before the head will not be read from the log.
		if err := b.language(ctx); err != nil {
			return err
		}
	}
	for {
		page, err := b.x.vault.Documents(ctx, engine.DocumentQuery{
			Status: "all", Sort: "createdAt", Paging: engine.Paging{Limit: 500, Cursor: b.state.Cursor},
		})
		if err != nil {
			return err
		}
		var ids []string
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		found, err := b.x.vault.LogReader().Find(ctx, ids)
		if err != nil {
			return err
		}
		for i := range found {
			if err := b.put(ctx, &found[i], 0); err != nil {
				return err
			}
			if b.due() { // the cursor stays: what was put will be put again after a crash
				if err := b.apply(); err != nil {
					return err
				}
			}
		}
		if err := b.texts(ctx); err != nil {
			return err
		}
		if b.state.Cursor = page.NextCursor; b.state.Cursor == "" {
			b.state = state{Through: b.state.From, Hash: b.state.Hash}
		}
		if err := b.apply(); err != nil || !b.state.Building {
			return err
		}
		if time.Since(b.saved) >= saveAge {
			if err := b.save(); err != nil {
				return err
			}
		}
	}
}

// follow waits for entries and texts, and takes those that have come.
func (b *batch) follow(ctx context.Context) error {
	if err := b.wait(ctx); err != nil {
		return err
	}
	if err := b.gather(ctx); err != nil {
		return err
	}
	begun := time.Now()
	defer func() { b.worked = time.Since(begun) }()
	if err := b.texts(ctx); err != nil {
		return err
	}
	page, err := b.x.vault.Entries(ctx, engine.EntryQuery{After: b.state.Through, Limit: pageEntries})
	if err != nil {
		return err
	}
	b.came = len(page.Items)
	if len(b.changes.Put) == 0 {
		b.began = time.Now()
	}
	if err := b.take(ctx, page.Items); err != nil {
		return err
	}
	return b.apply()
}

// gather lets more changes come, while they come fast and nobody waits for them:
// what changes several times is indexed once, and the fewer the segments, the fewer
// their merges. After a pause there is nothing to wait for. Far behind the log there
// is enough, and the index rests only as long as it has worked: those who write have
// the machine, and it catches up when they pause, or when somebody searches.
func (b *batch) gather(ctx context.Context) error {
	rest := gatherTime - time.Since(b.applied)
	if b.came >= manyEntries {
		rest = gatherManyTime - time.Since(b.applied)
	}
	if b.x.vault.Head().Seq >= b.state.Through+pageEntries {
		rest = b.worked - time.Since(b.applied)
	}
	if rest <= 0 {
		return nil
	}
	timer := time.NewTimer(rest)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.x.hurry:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// wait returns when there is an entry, or a text; and saves what has waited long
// enough.
func (b *batch) wait(ctx context.Context) error {
	for {
		patient, cancel := context.WithCancel(ctx)
		stop := cancel
		if b.unsaved {
			patient, stop = context.WithDeadline(patient, b.saved.Add(saveAge))
		}
		read := make(chan struct{}, 1)
		b.x.reading.notify(func() {
			select {
			case read <- struct{}{}:
			default:
			}
			cancel()
		})
		err := b.x.vault.Wait(patient, b.state.Through)
		b.x.reading.notify(nil)
		stop()
		cancel()
		if len(read) > 0 && ctx.Err() == nil {
			err = nil
		}
		if b.unsaved && time.Since(b.saved) >= saveAge && ctx.Err() == nil {
			if err := b.save(); err != nil {
				return err
			}
			if errors.Is(err, context.DeadlineExceeded) {
				continue
			}
		}
		return err
	}
}

// take indexes the documents of some entries, each once, as they are by now.
func (b *batch) take(ctx context.Context, entries []engine.Entry) error {
	var ids []string // in the order in which the entries come to tell of them
	told := map[string]bool{"": true}
	for _, e := range entries {
		if concerns(e.Op) && !told[e.Document] {
			told[e.Document] = true
			ids = append(ids, e.Document)
		}
	}
	waiting := map[string]*engine.Faceted{}
	for _, e := range entries {
		if len(ids) > 0 && e.Document == ids[0] { // the first that was not looked up yet
			n := min(len(ids), findDocuments)
			found, err := b.x.vault.LogReader().Find(ctx, ids[:n])
			if err != nil {
				return err
			}
			for i := range found {
				waiting[found[i].ID] = &found[i]
			}
			ids = ids[n:]
		}
		if err := b.entry(ctx, e, waiting); err != nil {
			return err
		}
		b.state.Through, b.state.Hash = e.Seq, e.Hash.String()
		if b.due() {
			if err := b.apply(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *batch) entry(ctx context.Context, e engine.Entry, waiting map[string]*engine.Faceted) error {
	switch e.Op {
	case audit.OpSettingsUpdated:
		return b.language(ctx)
	case audit.OpDocumentDeleted, audit.OpErasureCompleted:
		if id, ok := b.x.idOf(e.Document); ok {
			b.drop(id)
			b.changes.Forget = append(b.changes.Forget, id)
		}
		return nil
	}
	d := waiting[e.Document]
	if d == nil {
		return nil // it was taken already, or is deleted by a later entry
	}
	delete(waiting, e.Document)
	return b.put(ctx, d, e.Seq)
}

// language returns errLanguage if the settings ask for another than the index has.
func (b *batch) language(ctx context.Context) error {
	s, err := b.x.vault.Settings(ctx)
	if err == nil && s.SearchLanguage != b.x.language {
		err = errLanguage
	}
	return err
}

// concerns says whether an entry of this kind can change what is found.
func concerns(op audit.Op) bool {
	switch op {
	case audit.OpDocumentDownloaded, audit.OpLockAcquired, audit.OpLockRenewed, audit.OpLockReleased, audit.OpLockBroken,
		audit.OpObligationCreated, audit.OpObligationUpdated, audit.OpObligationCompleted, audit.OpObligationReopened,
		audit.OpObligationDeleted, audit.OpObligationDueSoon, audit.OpObligationOverdue:
		return false
	}
	return true
}

// put gathers a document, by an entry about it, or none while the index is made.
func (b *batch) put(ctx context.Context, d *engine.Faceted, seq uint64) error {
	id, ok := b.x.idOf(d.ID)
	if !ok {
		return fmt.Errorf("%w: document %q", engine.ErrDocumentNotFound, d.ID)
	}
	c, err := b.x.content(ctx, &b.unpack, &d.Document, id, seq > 0)
	if err != nil {
		return err
	}
	if c.State == extract.Waiting && seq > 0 {
		b.settled = slices.DeleteFunc(b.settled, func(s segment.ID) bool { return s == id })
		b.x.expect(id, seq)
	}
	return b.place(d, id, c)
}

// place gathers a document in the place of what was gathered of it before.
func (b *batch) place(d *engine.Faceted, id segment.ID, c content) error {
	doc, err := b.split.document(d, id, c)
	if err != nil {
		return err
	}
	b.drop(id)
	b.changes.Put = append(b.changes.Put, doc)
	b.bytes += len(c.Text) + 1024
	return nil
}

// texts gathers the documents whose texts have been read, as they are by now.
func (b *batch) texts(ctx context.Context) error {
	for replies := range slices.Chunk(b.x.reading.replies(), 128) {
		var ids []string
		for _, r := range replies {
			ids = append(ids, b.x.vault.LogReader().IDText(r.id))
		}
		found, err := b.x.vault.LogReader().Find(ctx, ids)
		if err != nil {
			return err
		}
		now := map[string]*engine.Faceted{}
		for i := range found {
			now[found[i].ID] = &found[i]
		}
		for i, r := range replies {
			b.settled = append(b.settled, r.id)
			d := now[ids[i]]
			if d == nil || d.Current == nil || d.Current.Digest != r.content.digest || saidOf(d.Current) != r.content.said {
				continue // there is an entry that says so, and another reply to come
			}
			if err := b.place(d, r.id, r.content); err != nil {
				return err
			}
			if b.due() {
				if err := b.apply(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// drop takes a document out of what is gathered.
func (b *batch) drop(id segment.ID) {
	same := func(d segment.Doc) bool { return d.ID == id }
	b.changes.Put = slices.DeleteFunc(b.changes.Put, same)
}
