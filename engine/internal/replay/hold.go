package replay

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"strongroom/audit"
)

// Hold is what a log says of a legal hold. Its details are kept, whatever else
// is erased, so they count as facts.
type Hold struct {
	Thing
	Matter           string
	Placed, Released uint64 // the entries; Released is 0 while it is active

	placedAt, releasedAt time.Time
}

// hold takes an entry about a hold of the document into account.
func (d *Document) hold(e *entry) error {
	name := e.word("hold")
	h := d.Holds[name]
	switch {
	case e.Op == audit.OpHoldPlaced && h == nil && name != "":
		h = &Hold{Thing: *newThing(), Matter: e.text("matter"), Placed: e.Seq, placedAt: e.Time}
		h.Facts["the document"] = Text(e.Document)
		h.Facts["the reason"] = Text(e.text("reason"))
		h.Facts["the matter"] = Text(h.Matter)
		h.Facts["the status"] = Text("active")
		h.Facts["placed at"] = Time(e.Time)
		h.Facts["placed by"] = Text(e.Actor)
		if d.Holds == nil {
			d.Holds, d.active = map[string]*Hold{}, map[string]uint64{}
		}
		d.Holds[name] = h
		d.active[h.Matter]++
		d.held++
	case e.Op == audit.OpHoldReleased && h != nil && h.Released == 0:
		h.Released, h.releasedAt = e.Seq, e.Time
		h.Facts["the status"] = Text("released")
		h.Facts["released at"] = Time(e.Time)
		h.Facts["released by"] = Text(e.Actor)
		h.Facts["the reason of the release"] = Text(e.text("reason"))
		d.active[h.Matter]--
		d.held--
	default:
		return fmt.Errorf("the hold %q cannot be %s then", name, e.Op)
	}
	return nil
}

// unheld says that no hold stood in the way of an entry.
func (d *Document) unheld() error {
	if d.held > 0 {
		return errors.New("is not possible: the document bore a legal hold then")
	}
	return nil
}

// borne is how many active holds the document bears for each matter that it was
// ever held for.
func (d *Document) borne() Value {
	var each []string
	for _, matter := range slices.Sorted(maps.Keys(d.active)) {
		each = append(each, fmt.Sprintf("%d %s", d.active[matter], matter))
	}
	return List(each)
}

// Matters is what the holds of documents add up to, by matter. Documents may be
// added in any order.
type Matters map[string]*Matter

// Matter is what the holds placed for one matter add up to.
type Matter struct {
	active, released, documents uint64
	firstPlaced, lastReleased   time.Time
	seq                         uint64 // the last entry that changed it
}

// Add adds the holds of a document that were placed, and released, up to an
// entry.
func (m Matters) Add(d *Document, through uint64) {
	seen := map[string]bool{} // matters of this document
	for _, h := range d.Holds {
		if h.Matter == "" || h.Placed > through {
			continue
		}
		of := m[h.Matter]
		if of == nil {
			of = &Matter{firstPlaced: h.placedAt}
			m[h.Matter] = of
		}
		if !seen[h.Matter] {
			seen[h.Matter] = true
			of.documents++
		}
		if h.placedAt.Before(of.firstPlaced) {
			of.firstPlaced = h.placedAt
		}
		of.seq = max(of.seq, h.Placed)
		if h.Released == 0 || h.Released > through {
			of.active++
			continue
		}
		of.released++
		if h.releasedAt.After(of.lastReleased) {
			of.lastReleased = h.releasedAt
		}
		of.seq = max(of.seq, h.Released)
	}
}

// Thing returns what must hold of the matter's record.
func (m *Matter) Thing() Thing {
	return Thing{Facts: Members{
		"active":           Number(m.active),
		"released":         Number(m.released),
		"documents":        Number(m.documents),
		"first placed at":  Time(m.firstPlaced),
		"last released at": Time(m.lastReleased),
		"its last entry":   Number(m.seq),
	}}
}
