package engine

import (
	"bytes"
	"context"
	"errors"
	"time"
)

// Matter is what the holds placed for one matter add up to.
type Matter struct {
	Name           string
	Active         uint64 // holds
	Released       uint64 // holds
	Documents      uint64 // that were ever held for it, each once, those deleted since too
	FirstPlacedAt  time.Time
	LastReleasedAt time.Time // zero: none was released
}

// matter is a Matter as stored.
type matter struct {
	Matter
	seq uint64 // the last entry that changed it
}

func (m *matter) placed(at time.Time, newDocument bool) {
	m.Active++
	if newDocument {
		m.Documents++
	}
	if m.FirstPlacedAt.IsZero() {
		m.FirstPlacedAt = at
	}
}

func (m *matter) released(at time.Time) {
	m.Active--
	m.Released++
	m.LastReleasedAt = at
}

// matter returns what is known of a matter; one that is new has no holds.
func (t *tx) matter(name string) (*matter, error) {
	b := t.Get(bucketMatters, []byte(name))
	if name == "" || b == nil {
		return &matter{Matter: Matter{Name: name}}, nil
	}
	return decodeMatter([]byte(name), b)
}

// putMatter writes what the running closure makes of a matter. Holds without one
// add up to nothing.
func (t *tx) putMatter(m *matter) {
	if m.Name == "" {
		return
	}
	m.seq = t.Seq()
	t.Put(bucketMatters, []byte(m.Name), m.encode())
}

// Matter returns what the holds placed for one matter add up to. ErrMatterNotFound.
func (v *Vault) Matter(ctx context.Context, name string) (Matter, error) {
	return view(v, func(t *tx) (Matter, error) {
		m, err := t.matter(name)
		if err == nil {
			err = t.narrowMatter(&m.Matter)
		}
		if err == nil && m.Active+m.Released == 0 {
			err = ErrMatterNotFound
		}
		return m.Matter, err
	})
}

// Matters lists the matters that holds were placed for, by name. One whose holds
// are all released stays.
func (v *Vault) Matters(ctx context.Context, p Paging) (Page[Matter], error) {
	return view(v, func(t *tx) (Page[Matter], error) {
		hidden, err := t.hiddenMatters()
		if err != nil {
			return Page[Matter]{}, err
		}
		return rowPage(t, bucketMatters, listMatters, p, func(name, value []byte) (Matter, error) {
			m, err := decodeMatter(name, value)
			if err != nil {
				return Matter{}, err
			}
			if hidden[m.Name] {
				err = t.recount(&m.Matter)
			}
			if err == nil && hidden[m.Name] && m.Active+m.Released == 0 {
				err = errUnseen
			}
			return m.Matter, err
		})
	})
}

// narrowMatter leaves out of a matter what who asks may not see.
func (t *tx) narrowMatter(m *Matter) error {
	hidden, err := t.hiddenMatters()
	if err == nil && hidden[m.Name] {
		err = t.recount(m)
	}
	return err
}

// recount adds up a matter from those of its holds that who asks may see.
func (t *tx) recount(m *Matter) error {
	*m = Matter{Name: m.Name}
	held := map[string]bool{}
	for _, state := range []string{holdActive, holdReleased} {
		prefix := indexPrefix(holdMatter, text(m.Name)+state)
		rows := t.Cursor(bucketHoldRows)
		for k, _ := rows.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = rows.Next() {
			h, err := t.hold(idText(k[len(prefix):]))
			if errors.Is(err, ErrHoldNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if held[h.DocumentID] = true; state == holdActive {
				m.Active++
			} else {
				m.Released++
			}
			if m.FirstPlacedAt.IsZero() || h.PlacedAt.Before(m.FirstPlacedAt) {
				m.FirstPlacedAt = h.PlacedAt
			}
			if h.ReleasedAt.After(m.LastReleasedAt) {
				m.LastReleasedAt = h.ReleasedAt
			}
		}
	}
	m.Documents = uint64(len(held))
	return nil
}
