package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"strongroom/blobstore/object"
	"strongroom/engine"
)

// A vault goes into a store and out of it, and its log goes on.
func TestMove(t *testing.T) {
	s := newShelf(t)
	c := s.server("first")
	s.must(Init(t.Context(), c)) // it was interrupted after all was done
	m, k := s.own(c)
	k.Create("in the store", "bytes")
	head := k.Head()
	s.must(m.Close(t.Context()))

	s.must(Leave(t.Context(), c))
	s.must(Leave(t.Context(), c))
	if _, err := os.Stat(filepath.Join(c.Dir, fileState)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the directory is a working copy still: %v", err)
	}
	o := c.Options
	o.Blobs = struct{ engine.BlobStore }{c.Blobs}
	v, err := engine.Open(c.Dir, o)
	s.must(err)
	if v.Head() != head {
		t.Errorf("it has left at entry %d, want %d", v.Head().Seq, head.Seq)
	}
	s.verify(v)
	s.must(v.Close())
	for _, other := range []Config{s.server("second"), c} {
		if _, err := Join(t.Context(), other); !errors.Is(err, ErrLeft) {
			t.Errorf("join a vault that has left: %v", err)
		}
	}

	s.must(Restore(t.Context(), s.server("restored"), head.Time)) // its history is there yet

	v, err = engine.Open(c.Dir, o)
	s.must(err)
	k.Vault = v
	k.Create("on the disk", "bytes")
	s.must(v.Close())
	s.must(Init(t.Context(), c))
	m, k = s.own(c)
	k.Create("in the store again", "bytes")
	s.must(m.Close(t.Context()))
	m, _ = s.own(s.server("third"))
	s.verify(m.Vault())
}

// A vault that others own does not leave, and another's place is not taken.
func TestMoveRefused(t *testing.T) {
	s := newShelf(t)
	m, k := s.own(s.server("first"))
	k.Create("one", "bytes")
	if err := Leave(t.Context(), s.server("second")); !errors.Is(err, engine.ErrFollower) {
		t.Errorf("leave while another owns it: %v", err)
	}
	s.must(m.Close(t.Context()))
	other := s.server("other")
	v, err := engine.Create(other.Dir, engine.Options{Name: "other", ReserveBytes: -1})
	s.must(err)
	s.must(v.Close())
	if err := Init(t.Context(), other); !errors.Is(err, object.ErrExists) {
		t.Errorf("init over another vault: %v", err)
	}
}
