// Package search finds documents of a vault by the words in them: in their
// names, tags, descriptions, custom fields and, for the kinds of files there are
// readers for, in the content of their current versions.
//
// An [Index] belongs to one vault and is a reader of its audit log: [Index.Run]
// follows the log, looks up each document an entry is about and puts what it is
// now in the place of what it was. The vault knows nothing of it. What the
// index knows is in a directory of its own and is derived, all of it: it may be
// deleted at any time. When it is missing, damaged, of another vault, or of
// another language than the settings say by now, Run makes it anew: it goes
// through the documents and then follows the log from the head it began with.
// Searches go on meanwhile, on what there is.
//
// # What is found
//
// All words of a query must be in a document, in any field of it; word endings
// do not count, in the language of the settings (see package words). "Words in
// quotes" stand one behind the other in one field, and a word with a star, as
// in termin*, begins a word as it is written. -word and NOT say what must not be
// there, OR what may be there instead, parentheses what goes together, and
// name:word where it is: in the name, a tag, the description, or a custom field by
// its key. OR binds less than words side by side. A name before a colon that no
// field has is a word; with "field." before it, it is refused. So is whatever
// else cannot be understood, with the place: no other words are looked for
// instead. Case, accents, punctuation and how a text is encoded do not count.
//
// In German and Dutch a word is found within longer ones too. Nothing of that is
// in the index but a list of its long words, which is looked through: over the
// German Debian reference it makes the terms 9 % larger, where an entry for each
// ending of a compound makes them 78 % larger and one for each four letters 55 %.
// Of 17,103 pairs of a noun and a compound of two nouns, from the German word list
// of Debian, 91 % are found (see words.TestCompounds).
//
// Deleted documents, drafts and old versions are never found;
// archived ones only if the filter asks for them. The filters are those of
// engine.DocumentQuery, and the engine says what they mean: the index keeps the
// facets of each document and looks for those the engine asks for, so the two
// cannot come to differ.
//
// Documents are ranked by the sum, over the words, of how rare the word is
// times how it stands in the document: in the name it weighs most, then in the
// tags, then in the description and custom fields, then in the content, and
// more often or in a shorter text is better. A document that did not change
// keeps its score from page to page, because a cursor carries how rare the
// words were; so nothing is skipped or repeated but what was changed.
//
// # When it is found
//
// A change that was acknowledged before a search began is in its result: the
// search waits for the index to come to where the log was, two seconds at most.
// After that it says through which entry its answer is complete. The first change
// after a pause is taken at once. While more come and nobody searches, those of a
// twentieth of a second are taken together, of a quarter where they are many, and what
// changed several times once.
//
// Files are read beside the indexing, one at a time, by readers ([Options].Readers).
// A document whose text takes longer than a moment is found by its metadata first,
// and its text follows; until two seconds after the change a search waits for that
// too. So no file holds up the others, and none a search for long. Each document
// says whether its text is known, and why not ([Index.Texts]). What could not be
// read costs one attempt: it is remembered, by the digest of the file and the version
// of the reader, in the file attempts of the index's directory. When a reader has
// another version than the one that has read a text, that text is read again in the
// background. Text behind the first 65,536 different words of a document is left.
// What was not saved when the program ends is read again from the log.
//
// A text that was given for a version (engine.Vault.SetText) stands behind what the
// file says, or alone if that says nothing. The document's text is indexed then, and
// the reason says by what.
//
// # What it takes
//
// A search holds a few MiB, whatever it asks for and be the texts as long as
// they may: of each word 33 KiB of lists, which are read as they are walked, the
// rarest word first; for prefixes and parts of words a byte for each document, 4
// MiB at most and then 64 KiB each; for snippets the first MiB of one text at a
// time. How many searches there are at once is up to who calls.
//
// # What is forgotten
//
// The words of a document that was deleted or erased leave the files of the
// index: the segments that held it, in any state, are written anew without it,
// within seconds, and at once after a restart that came in between.
//
// # Why no library
//
// The index is package segment, made for this; the only libraries are the Snowball
// stemmers and x/text's tables of Unicode's normal forms (BSD licences). Bleve v2.6 was the first candidate. Measured with
// eight callers on two cores over 200,000 small documents, it found a common
// word in 8 ms (median; 133 ms the slowest hundredth), where this takes 1.3 ms
// (85 ms) over half as many; a program of nothing but it has 21 MB and 26
// modules, where this adds 1.2 MB and one module; and it can take the words of
// one deleted document out of its files only by merging the whole index.
package search

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

// Options of an index. The zero value is right for most.
type Options struct {
	// Patience is how long a search waits for the index to come to where the
	// log was. 0 is two seconds, negative is not at all.
	Patience time.Duration
	// Readers get the text out of files. Nil: those of package extract, which read
	// plain text and Word, in this process. Others are those of package pdf, and of
	// a worker, which runs any of them in a process that can be killed.
	Readers []extract.Reader
}

const defaultPatience = 2 * time.Second

// Index is the full-text index of one vault. Search, Match and Stats may be
// called from many goroutines, also while Run runs.
type Index struct {
	vault    *engine.Vault
	patience time.Duration
	store    *segment.Store
	wake     chan struct{} // tells who compacts that there may be something to do
	hurry    chan struct{} // tells who indexes that somebody waits for it
	reading  *reading

	mu       sync.Mutex
	state    state
	language string
	stopped  bool          // Run has returned, and was not called again
	moved    chan struct{} // closed, and made anew, when what is above changes
	// waiting are the documents that changed a moment ago and whose text is still to
	// come.
	waiting map[segment.ID]waitingText

	suspect atomic.Bool // a search has met damage
	stats   struct{ indexed, failures, rebuilds atomic.Uint64 }
}

// waitingText: since an entry was taken, which changed a text.
type waitingText struct {
	seq   uint64
	since time.Time
}

// state is how far the index has come. It is saved with the index.
type state struct {
	Through uint64 `json:"through"` // the last entry whose change is in the index
	// While the index is made anew: the head it will follow the log from, and
	// where it is in the list of documents.
	Building bool   `json:"building,omitempty"`
	From     uint64 `json:"from,omitempty"`
	Cursor   string `json:"cursor,omitempty"`
	// Hash is that of the entry Through, or From: it tells whether the log is
	// still the one that was followed.
	Hash string `json:"hash,omitempty"`
}

// follows says whether the log of a vault goes on from a state. It does not when
// the vault was restored from a backup that is older than its index.
func (s *state) follows(ctx context.Context, v *engine.Vault) bool {
	seq := max(s.Through, s.From)
	if seq == 0 {
		return true
	}
	e, err := v.Entry(ctx, seq)
	return err == nil && e.Hash.String() == s.Hash
}

// identity changes whenever what is in an index must be made anew: with the
// format of segments, with how documents become terms, with the facets of the
// engine.
func identity(v *engine.Vault, language string) string {
	return fmt.Sprintf("strongroom search 2, texts 3, vault %s, language %s", v.ID(), language)
}

// Open opens the index of a vault in a directory, which it makes. Nothing is
// indexed before Run. The error is for a directory that cannot be used; an index
// that cannot be used is removed, and Run makes it anew.
func Open(v *engine.Vault, dir string, o Options) (*Index, error) {
	s, err := v.Settings(context.Background())
	if err != nil {
		return nil, err
	}
	x := &Index{vault: v, patience: o.Patience, language: s.SearchLanguage, moved: make(chan struct{}), wake: make(chan struct{}, 1), hurry: make(chan struct{}, 1),
		reading: newReading(o.Readers, dir), waiting: map[segment.ID]waitingText{}}
	if x.patience == 0 {
		x.patience = defaultPatience
	}
	store, why, err := segment.Open(dir, identity(v, s.SearchLanguage))
	if err != nil {
		return nil, fmt.Errorf("open the search index: %w", err)
	}
	if why != nil {
		x.stats.rebuilds.Add(1)
	}
	x.store = store
	x.state = state{Building: true}
	if saved := store.State(); saved != nil {
		x.state = state{}
		if err := json.Unmarshal(saved, &x.state); err != nil || !x.state.follows(context.Background(), v) {
			return x, x.reset(s.SearchLanguage)
		}
	}
	return x, nil
}

// Close lets the files go. Run must have returned.
func (x *Index) Close() error { return x.store.Close() }

// Stats are numbers for people who watch the index.
type Stats struct {
	Through   uint64 // the last entry whose change is in the index; 0 while it is made anew
	Documents int    // in the index
	Building  bool   // it is being made anew
	Indexed   uint64 // documents put in since Open
	Failures  uint64 // files whose text could not be read, or not in time, since Open
	Waiting   int    // documents whose text is still to be read
	Failed    int    // documents whose text could not be read
	// Stuck is why no text can be read now; nil: they are.
	Stuck    error
	Rebuilds uint64 // indexes that were thrown away since Open
}

// Stats may be called at any time.
func (x *Index) Stats() Stats {
	x.mu.Lock()
	s := Stats{Through: x.state.Through, Building: x.state.Building}
	x.mu.Unlock()
	s.Indexed, s.Failures, s.Rebuilds = x.stats.indexed.Load(), x.stats.failures.Load(), x.stats.rebuilds.Load()
	x.store.View(func(parts []*segment.Part) error {
		for _, p := range parts {
			s.Documents += p.Alive()
			s.Waiting += count(p, extract.Waiting, engine.Criteria{})
			s.Failed += count(p, extract.Failed, engine.Criteria{})
		}
		return nil
	})
	x.reading.mu.Lock()
	defer x.reading.mu.Unlock()
	s.Stuck = x.reading.stuck
	return s
}

// Unread counts the documents whose text is still to be read, and those whose text
// could not be, but for those that a query hides because only admins and auditors
// see them: see engine.Vault.Narrow. Nothing else of the query is looked at.
func (x *Index) Unread(ctx context.Context, q engine.DocumentQuery) (waiting, failed int, err error) {
	c, err := x.vault.LogReader().Criteria(ctx, q)
	if err != nil {
		return 0, 0, err
	}
	if waiting, err = x.count(extract.Waiting, c); err == nil {
		failed, err = x.count(extract.Failed, c)
	}
	return waiting, failed, err
}

// count is how many documents have a text in a state and are not hidden.
func (x *Index) count(state extract.State, c engine.Criteria) (n int, err error) {
	err = x.store.View(func(parts []*segment.Part) error {
		for _, p := range parts {
			n += count(p, state, c)
		}
		return nil
	})
	return n, err
}

// count is that of a segment; none if it is damaged, which searches find.
func count(p *segment.Part, state extract.State, c engine.Criteria) int {
	set, err := p.Set(keyState + string(state))
	if err != nil {
		return 0
	}
	hidden, err := anyFacet(p, c.Hidden)
	if err != nil {
		return 0
	}
	return set.And(p.Living()).Without(hidden).Len()
}

// update changes what searches wait for.
func (x *Index) update(change func()) {
	x.mu.Lock()
	defer x.mu.Unlock()
	change()
	close(x.moved)
	x.moved = make(chan struct{})
}

// await waits until the changes of an entry are in the index, and the texts they
// changed, unless one of these takes longer than patience. It returns how far the
// index has come, which is less when patience or ctx ended, or Run has.
func (x *Index) await(ctx context.Context, seq uint64) (through uint64) {
	ctx, cancel := context.WithTimeout(ctx, max(x.patience, 0))
	defer cancel()
	for {
		x.mu.Lock()
		through, stopped, moved := x.state.Through, x.stopped, x.moved
		until := x.textsBy(seq)
		x.mu.Unlock()
		if stopped || through >= seq && until.IsZero() {
			return through
		}
		select {
		case x.hurry <- struct{}{}:
		default: // it has been told
		}
		var expired <-chan time.Time // nil: never
		if through >= seq {
			timer := time.NewTimer(time.Until(until))
			defer timer.Stop()
			expired = timer.C
		}
		select {
		case <-moved:
		case <-expired:
		case <-ctx.Done():
			return through
		}
	}
}

// expect notes that the text an entry changed is still to come.
func (x *Index) expect(id segment.ID, seq uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.waiting[id] = waitingText{seq, time.Now()}
}

// textsBy is until when the texts that entries through seq changed are worth waiting
// for; zero if they are all there, or have been waited for long enough. It is called
// with mu held.
func (x *Index) textsBy(seq uint64) (until time.Time) {
	for id, w := range x.waiting {
		end := w.since.Add(x.patience)
		if !time.Now().Before(end) {
			delete(x.waiting, id)
		} else if w.seq <= seq && end.After(until) {
			until = end
		}
	}
	return until
}

// arrived is how far the index has come. Asked for after a search it tells what
// that saw, even if the index was thrown away meanwhile.
func (x *Index) arrived() uint64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.state.Through
}

func (x *Index) languageNow() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.language
}

// reset throws the index away.
func (x *Index) reset(language string) error {
	x.stats.rebuilds.Add(1)
	// First this: who then finds nothing in the store sees why (see arrived).
	x.update(func() { x.state, x.language = state{Building: true}, language; clear(x.waiting) })
	x.reading.forget()
	return x.store.Reset(identity(x.vault, language))
}

// damaged tells Run, or who runs it next, that the index must be made anew.
func damaged(err error) bool { return errors.Is(err, segment.ErrDamaged) }
