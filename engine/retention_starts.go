package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
)

// The index of starts holds when the periods of documents began, and not when
// they end. So a policy or a setting that changes moves no row. A row is
//
//	kind ‖ state ‖ product ‖ template ‖ category ‖ start ‖ document
//
// Documents for which the same policy counts stand together, in the order in
// which their periods began. Those that are due are a range: up to the latest start
// whose period is over. What is archived stands apart, because a run that archives
// need not look at it. A hold moves no row.
//
// Only the kinds of start that a policy names are indexed. A kind that is named
// for the first time is filled before it is first asked, fillBatch documents in a
// mutation. A kind that no policy names any more is drained in the same way.

// kind is a kind of start, and how far it is indexed. Every document up to
// through, which is one of them, has its row. If the kind is whole, every document
// has, and so has every one that is made from then on.
type kind struct {
	from     string // as policies name it
	through  id     // zero: none yet, or the kind is whole; drained: it is draining
	whole    bool
	draining bool // nobody names it, and its rows, all of which are stale, go
}

// drained stands where a kind that is draining would say how far it is indexed: so
// a kind whose one flag was damaged is told from one that is.
var drained = id(bytes.Repeat([]byte{0xff}, len(id{})))

func (k *kind) has(d *document) bool {
	return !k.draining && (k.whole || bytes.Compare(d.id[:], k.through[:]) <= 0)
}

// group is by what policies tell documents apart, their ids left aside.
type group struct{ product, template, category string }

func (d *document) group() group { return group{d.Product, d.TemplateID, d.Category} }

// forRules stands for all documents of the group.
func (g group) forRules() *retention.Document {
	return &retention.Document{Product: g.product, Template: g.template, Category: g.category}
}

func (g group) key() string { return text(g.product) + text(g.template) + text(g.category) }

// startState is the state a document stands under, held or not.
func (d *document) startState() string {
	if d.Archived {
		return stateArchived
	}
	return stateLive
}

// startRows returns the rows of a document among the starts.
func startRows(d *document, kinds []kind) (rows [][]byte) {
	if d.deleted {
		return nil
	}
	facts := d.forRules()
	for _, k := range kinds {
		if start := facts.Fact(k.from); !start.IsZero() && k.has(d) {
			rows = append(rows, startKey(k.from, d.startState(), d.group(), start, d.id))
		}
	}
	return rows
}

func startKey(from, state string, g group, start time.Time, doc id) []byte {
	row := []byte(text(from) + state + g.key())
	row = append(row, placeStart(start)...)
	return append(row, doc[:]...)
}

// placeStart orders times before 1970 too: dates of contracts go far back.
func placeStart(start time.Time) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(start.UnixMilli())^1<<63)
}

// startSize is what follows the group in a row.
const startSize = 8 + len(id{})

// cutGroup reads the group at the head of a row, after kind and state. rest is
// start and document.
func cutGroup(row []byte) (g group, rest []byte, ok bool) {
	for _, part := range []*string{&g.product, &g.template, &g.category} {
		value, after, found := bytes.Cut(row, []byte{0})
		if !found {
			return group{}, nil, false
		}
		*part, row = string(value), after
	}
	return g, row, len(row) == startSize
}

// kinds are all that are indexed or drained: no more than policies name.
func (t *tx) kinds() (all []kind, err error) {
	rows := t.Cursor(bucketKinds)
	for name, b := rows.First(); name != nil; name, b = rows.Next() {
		k, err := decodeKind(name, b)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// index has a kind indexed from now on. Whoever asks it first fills it.
func (t *tx) index(from string) error {
	name := []byte(from)
	if b := t.Get(bucketKinds, name); b != nil {
		_, err := decodeKind(name, b)
		return err
	}
	t.Derive(func() { t.Put(bucketKinds, name, (&kind{from: from}).encode()) })
	return nil
}

// fillBatch is how many documents are indexed, or rows drained, in one mutation.
const fillBatch = 1_000

// kindKept is how long a kind is kept that only a preview has asked for.
const kindKept = 24 * time.Hour

// keptKinds are until when kinds are kept although no policy names them. It is
// lost with the process, and then a kind is filled once more.
type keptKinds struct {
	mu    sync.Mutex // leaf lock
	until map[string]time.Time
}

func (k *keptKinds) keep(from string, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.until == nil {
		k.until = map[string]time.Time{}
	}
	k.until[from] = until
}

func (k *keptKinds) kept(from string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.After(k.until[from]) {
		delete(k.until, from)
		return false
	}
	return true
}

// fill completes what is asked for. It goes on where it, or another, stopped.
func (v *Vault) fill(ctx context.Context, wanted []string) error {
	for _, from := range wanted {
		for more := true; more; {
			var err error
			more, _, err = update(v, ctx, System(), func(t *tx) (bool, audit.Event, error) {
				more, err := t.fillSome(from)
				return more, audit.Event{}, err
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tx) fillSome(from string) (more bool, err error) {
	name := []byte(from)
	k := kind{from: from}
	if b := t.Get(bucketKinds, name); b != nil {
		if k, err = decodeKind(name, b); err != nil || k.whole {
			return false, err
		}
	} else {
		t.v.kept.keep(from, t.Now().Add(kindKept)) // again, if the closure runs again
	}
	if k.draining {
		t.drainSome(k)
		return true, nil
	}
	var rows [][]byte
	documents := t.Cursor(bucketDocuments)
	next, b := documents.Seek(k.through[:])
	if bytes.Equal(next, k.through[:]) {
		next, b = documents.Next()
	}
	for n := 0; n < fillBatch && next != nil; n++ {
		d, err := decodeDocument(id(next), b)
		if err != nil {
			return false, err
		}
		k.through = d.id
		rows = append(rows, startRows(d, []kind{k})...)
		next, b = documents.Next()
	}
	if k.whole = next == nil; k.whole {
		k.through = id{}
	}
	t.Derive(func() {
		for _, row := range rows {
			t.Put(bucketStarts, row, nil)
		}
		t.Put(bucketKinds, name, k.encode())
	})
	return !k.whole, nil
}

// drain removes what is indexed and named by no policy any more.
func (v *Vault) drain(ctx context.Context) error {
	for {
		idle, err := view(v, func(t *tx) (*kind, error) { return t.idleKind() })
		if err != nil || idle == nil {
			return err
		}
		_, _, err = update(v, ctx, System(), func(t *tx) (struct{}, audit.Event, error) {
			k, err := t.idleKind() // a policy may name it again
			if err == nil && k != nil {
				t.drainSome(*k)
			}
			return struct{}{}, audit.Event{}, err
		})
		if err != nil {
			return err
		}
	}
}

// idleKind returns a kind that is to be drained, or nil.
func (t *tx) idleKind() (*kind, error) {
	kinds, err := t.kinds()
	if err != nil || len(kinds) == 0 {
		return nil, err
	}
	named, err := t.namedKinds()
	if err != nil {
		return nil, err
	}
	for _, k := range kinds {
		if k.draining || !named[k.from] && !t.v.kept.kept(k.from, t.Now()) {
			return &k, nil
		}
	}
	return nil, nil
}

// namedKinds are those that policies name. Each has a row, as long as it is named.
func (t *tx) namedKinds() (map[string]bool, error) {
	named := map[string]bool{}
	err := t.eachPolicy(func(p Policy) { named[string(p.StartFrom)] = true })
	return named, err
}

// drainSome removes some rows of a kind, and at last the kind, or lets it begin
// anew if a policy has come to name it.
func (t *tx) drainSome(k kind) {
	named, err := t.namedKinds()
	t.Fail(err)
	prefix := []byte(text(k.from))
	var stale [][]byte
	rows := t.Cursor(bucketStarts)
	for row, _ := rows.Seek(prefix); bytes.HasPrefix(row, prefix) && len(stale) < fillBatch; row, _ = rows.Next() {
		stale = append(stale, bytes.Clone(row))
	}
	t.Derive(func() {
		for _, row := range stale {
			t.Delete(bucketStarts, row)
		}
		switch {
		case len(stale) == fillBatch:
		case named[k.from]:
			t.Put(bucketKinds, []byte(k.from), (&kind{from: k.from}).encode())
			return
		default:
			t.Delete(bucketKinds, []byte(k.from))
			return
		}
		k.whole, k.draining, k.through = false, true, drained
		t.Put(bucketKinds, []byte(k.from), k.encode())
	})
}
