package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"strongroom/blobstore"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// LogReader is what readers of the log need beyond the log. They follow it with
// Entries and Wait and keep something of their own: an index (engine/search), or
// how far they have told others of it (engine/webhook). A host that is none needs
// nothing of it.
//
// A reader acts for nobody. What it reads is in no entry and no access is checked:
// the host decides who is shown it.
type LogReader struct{ v *Vault }

// LogReader returns the vault as readers of its log see it. All methods may be
// called from many goroutines.
func (v *Vault) LogReader() LogReader { return LogReader{v} }

// Faceted is a document with all its facets.
//
// A facet is what a filter can ask of a document: its state, category, a tag,
// the value of a field, a matter it is held for. Its spelling means nothing to a
// reader. Equal facets are equal bytes, and where values have an order the bytes
// have it. The spelling may change with the version of this package.
type Faceted struct {
	Document
	Facets []string
}

// Find returns the documents with these ids, in the order of the ids. It leaves
// out what is deleted, never was, or is no id. *InvalidError for more than 500.
func (r LogReader) Find(ctx context.Context, ids []string) ([]Faceted, error) {
	if len(ids) > maxLimit {
		return nil, invalid("ids", "must be at most %d", maxLimit)
	}
	return view(r.v, func(t *tx) ([]Faceted, error) {
		found := make([]Faceted, 0, len(ids))
		for _, documentID := range ids {
			d, err := t.document(documentID)
			if errors.Is(err, ErrDocumentNotFound) || err == nil && d.deleted {
				continue
			}
			if err != nil {
				return nil, err
			}
			found = append(found, Faceted{d.Document, d.facets()})
		}
		return found, nil
	})
}

// facets are the index rows of a document without its id, but for those that
// sort; and its name, which may begin as somebody asks for.
func (d *document) facets() (facets []string) {
	for _, row := range indexRows(d) {
		if row[0] != kindUpdated && row[0] != kindName {
			facets = append(facets, string(row[:len(row)-len(d.id)]))
		}
	}
	facets = append(facets, string(indexPrefix(kindName, foldName(check.NFC(d.Name)))))
	return facets
}

// OpenContent opens the bytes of the version. Unlike [Vault.OpenContent] it
// writes no entry, whatever the settings say. The caller closes the file.
// ErrVersionNotFound when they are gone: the log says, or will say, why.
func (r LogReader) OpenContent(ctx context.Context, ver *Version) (io.ReadSeekCloser, error) {
	return r.open(ver.Digest)
}

func (r LogReader) open(d Digest) (io.ReadSeekCloser, error) {
	v := r.v
	if err := v.store.Enter(); err != nil {
		return nil, err
	}
	defer v.store.Exit()
	file, err := v.blobs.Open(d)
	if errors.Is(err, blobstore.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", ErrVersionNotFound, err)
	}
	return file, err
}

// Criteria is a DocumentQuery in facets: what an index of them looks for.
type Criteria struct {
	AnyOf                  [][]string   // of each at least one; one that is empty is never met
	Ranges                 []FacetRange // a facet in each
	First, Last            [16]byte     // the document's id is not before and not after
	UpdatedFrom, UpdatedTo time.Time    // inclusive, exclusive; zero is no bound
	// Hidden are facets of which each document has one that who asks may not see.
	// They must count for nothing in what is told, were it how rare a word is. Nil:
	// who asks may see all.
	Hidden []string
}

// FacetRange is From inclusive, To exclusive.
type FacetRange struct{ From, To string }

// Criteria says what a document must have to match the query. Sort and Paging are
// not looked at. *InvalidError for what Documents refuses.
func (r LogReader) Criteria(ctx context.Context, q DocumentQuery) (Criteria, error) {
	states, err := q.states()
	if err != nil {
		return Criteria{}, err
	}
	return view(r.v, func(t *tx) (Criteria, error) {
		states, err := t.shownStates(states, !q.unrestricted && !t.partial())
		if err != nil {
			return Criteria{}, err
		}
		c := Criteria{UpdatedFrom: q.UpdatedFrom, UpdatedTo: q.UpdatedTo}
		if q.unrestricted || t.partial() {
			hidden, err := t.hiddenStates()
			if err != nil {
				return Criteria{}, err
			}
			for _, state := range hidden {
				c.Hidden = append(c.Hidden, string(indexPrefix(kindState, string(state))))
			}
		}
		c.First, c.Last = (&lister{q: q}).bounds()
		values, ranges, err := t.fieldRows(q.Fields)
		if err != nil {
			return Criteria{}, err
		}
		sets, some := t.filters(q)
		if !some {
			c.AnyOf = append(c.AnyOf, nil)
		}
		state := store.Union{}
		for _, s := range states {
			state = append(state, t.rows(kindState, s))
		}
		for _, set := range append(sets, state) {
			c.add(set)
		}
		for _, value := range values {
			c.add(t.rows(kindField, value))
		}
		if q.Name != "" {
			from := string(indexPrefix(kindName, namePrefix(q.Name)))
			c.Ranges = append(c.Ranges, FacetRange{from, from + pastPrefix})
		}
		for _, r := range ranges {
			prefix := string(indexPrefix(kindField, text(r.key)))
			to := prefix + "\xff"
			if r.to != "" {
				to = prefix + r.to
			}
			c.Ranges = append(c.Ranges, FacetRange{prefix + r.from, to})
		}
		return c, nil
	})
}

// add asks for membership in a set.
func (c *Criteria) add(set store.IDSet) {
	switch s := set.(type) {
	case store.OneID:
		if bytes.Compare(c.First[:], s[:]) < 0 {
			c.First = s
		}
		if bytes.Compare(c.Last[:], s[:]) > 0 {
			c.Last = s
		}
	default:
		c.AnyOf = append(c.AnyOf, facetsOf(set))
	}
}

// facetsOf names a set by the facets whose documents are in it.
func facetsOf(set store.IDSet) []string {
	switch s := set.(type) {
	case *store.RowSet:
		return []string{string(s.Prefix())}
	case store.Union:
		var facets []string
		for _, member := range s {
			facets = append(facets, facetsOf(member)...)
		}
		return facets
	}
	panic(fmt.Sprintf("engine: %T is not a set of facets", set))
}

// IDBytes returns the 16 bytes of an id, whose order is the order of creation.
// ok is false for what is no id.
func (r LogReader) IDBytes(s string) (b [16]byte, ok bool) { return store.ParseID(s) }

// IDText spells the id of 16 bytes.
func (r LogReader) IDText(b [16]byte) string { return id(b).String() }
