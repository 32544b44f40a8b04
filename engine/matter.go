package engine

import (
	"context"
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

// Matters lists the matters that holds were placed for, by name. One whose holds
// are all released stays.
func (v *Vault) Matters(ctx context.Context, p Paging) (Page[Matter], error) {
	return view(v, func(t *tx) (Page[Matter], error) {
		return rowPage(t, bucketMatters, listMatters, p, func(name, value []byte) (Matter, error) {
			m, err := decodeMatter(name, value)
			if err != nil {
				return Matter{}, err
			}
			return m.Matter, nil
		})
	})
}
