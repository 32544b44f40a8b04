package search

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

// TextState is whether the text of a document's current version is known, and why
// not. It is zero for a document without a version.
type TextState struct {
	State  extract.State
	Reason string
}

// Texts says of each document what the index knows of its text.
func (x *Index) Texts(documents []engine.Document) ([]TextState, error) {
	states := make([]TextState, len(documents))
	err := x.store.View(func(parts []*segment.Part) error {
		for i, d := range documents {
			if d.Current == nil {
				continue
			}
			states[i] = TextState{State: extract.Waiting} // until the index says otherwise
			id, ok := x.idOf(d.ID)
			if !ok {
				continue
			}
			for _, p := range parts {
				doc, ok := p.Find(id)
				if !ok || p.Dead(doc) {
					continue
				}
				stored, err := p.Stored(doc)
				if err != nil {
					return err
				}
				c, _, err := decodeAbout(stored)
				if err != nil {
					return err
				}
				if c.digest == d.Current.Digest && c.said == saidOf(d.Current) && c.State != "" {
					states[i] = TextState{c.State, strings.Clone(c.Reason)}
				}
			}
		}
		return nil
	})
	if damaged(err) {
		x.suspect.Store(true)
		x.signal()
		err = nil
	}
	return states, err
}

// List returns the ids of documents whose text is in a state and which meet a
// filter, the newest first, and how to go on: a page begins behind the id that is
// Paging.Cursor. *engine.InvalidError for what engine.Documents refuses.
func (x *Index) List(ctx context.Context, state extract.State, filter engine.DocumentQuery, p engine.Paging) (ids []string, next string, err error) {
	if !slices.Contains(extract.States(), state) {
		return nil, "", &engine.InvalidError{Fields: []engine.FieldError{{Field: "text", Message: fmt.Sprintf("must be one of %v", extract.States())}}}
	}
	before := segment.ID(bytes.Repeat([]byte{0xff}, 16))
	if p.Cursor != "" {
		id, ok := x.idOf(p.Cursor)
		if !ok {
			return nil, "", &engine.InvalidError{Fields: []engine.FieldError{{Field: "cursor", Message: "is not a cursor of this list; start again without one"}}}
		}
		before = id
	}
	criteria, err := x.vault.LogReader().Criteria(ctx, filter)
	if err != nil {
		return nil, "", err
	}
	x.await(ctx, x.vault.Head().Seq)
	var found []segment.ID
	err = x.store.View(func(parts []*segment.Part) error {
		for _, part := range parts {
			some, err := listed(part, state, criteria, before)
			if err != nil {
				return err
			}
			found = append(found, some...)
		}
		return nil
	})
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(found, func(a, b segment.ID) int { return bytes.Compare(b[:], a[:]) })
	if p.Limit == 0 {
		p.Limit = defaultLimit
	}
	for _, id := range found[:min(len(found), p.Limit)] {
		ids = append(ids, x.vault.LogReader().IDText(id))
	}
	if len(found) > p.Limit {
		next = ids[len(ids)-1]
	}
	return ids, next, nil
}

// listed are the documents of a segment in a state that meet the criteria.
func listed(part *segment.Part, state extract.State, c engine.Criteria, before segment.ID) (found []segment.ID, err error) {
	set, err := allowed(part, c)
	if err != nil {
		return nil, err
	}
	in, err := part.Set(keyState + string(state))
	if err != nil {
		return nil, err
	}
	set = set.And(in)
	dated := !c.UpdatedFrom.IsZero() || !c.UpdatedTo.IsZero()
	for doc := part.Search(segment.ID(c.First)); int(doc) < part.Len(); doc++ {
		id := part.ID(doc)
		if bytes.Compare(id[:], before[:]) >= 0 || bytes.Compare(id[:], c.Last[:]) > 0 {
			break
		}
		if set.Has(doc) && (!dated || within(part, doc, c)) {
			found = append(found, id)
		}
	}
	return found, nil
}

// textPatience is how long Text waits for its turn and the reader.
const textPatience = 30 * time.Second

// Text returns the text of a version: as the index has it, or read now. It is
// Waiting if that takes too long.
func (x *Index) Text(ctx context.Context, v *engine.Version) (extract.Result, error) {
	if id, ok := x.idOf(v.DocumentID); ok {
		c, err := x.stored(&unpacker{}, id)
		if err == nil && c.digest == v.Digest && c.said == saidOf(v) && c.State != "" && c.State != extract.Waiting {
			return c.Result, nil
		}
	}
	patient, cancel := context.WithTimeout(ctx, textPatience)
	defer cancel()
	c, err := x.textOf(patient, v)
	if err != nil && ctx.Err() == nil && patient.Err() != nil {
		return extract.Result{State: extract.Waiting}, nil
	}
	return c.Result, err
}
