package engine

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"strongroom/audit"
)

// What is given beside a log: its details, and heads of it that were kept
// elsewhere.

// pastDetails goes through the details beside a log. Both are in the order of
// seq, so one row in hand is enough. Rows after the last entry are not looked at:
// the details may have been exported a moment after the log.
type pastDetails struct {
	rows *audit.DetailRows // nil: none were given, or there are no more
	row  audit.DetailRow   // in hand; of seq 0: none
	from uint64            // the first entry of the log: rows before it are of entries that the backup has
}

func newPastDetails(rows io.Reader) *pastDetails {
	if rows == nil {
		return &pastDetails{}
	}
	return &pastDetails{rows: audit.NewDetailRows(rows)}
}

// next takes the next row in hand, if none is.
func (d *pastDetails) next() error {
	for d.rows != nil && d.row.Seq == 0 {
		row, err := d.rows.Next()
		if err == io.EOF {
			d.rows = nil
			return nil
		}
		if errors.Is(err, audit.ErrSyntax) {
			return invalid("details", "cannot be read: %v", err)
		}
		if err != nil {
			return fmt.Errorf("read the details: %w", err)
		}
		if row.Seq >= d.from {
			d.row = row
		}
	}
	return nil
}

// of returns the detail of an entry, nil if it has none, or none was given. An
// entry without its row may be one whose detail was erased.
func (d *pastDetails) of(e audit.Entry) ([]byte, error) {
	if err := d.next(); err != nil {
		return nil, err
	}
	if d.row.Seq == 0 || d.row.Seq > e.Seq {
		return nil, nil
	}
	row := d.row
	d.row = audit.DetailRow{}
	switch {
	case row.Seq < e.Seq:
		return nil, invalid("details", "are not in order: the row of entry %d comes too late, or twice; export them anew", row.Seq)
	case e.Detail.IsZero():
		return nil, invalid("details", "are not those of this log: entry %d has no detail", row.Seq)
	case row.Hash() != e.Detail:
		return nil, invalid("details", "are not those of this log: that of entry %d is not the one the entry was written with", row.Seq)
	}
	return row.Detail, nil
}

// headsKept are heads of the log that were kept elsewhere: what whoever could
// write the log cannot have made up.
type headsKept struct {
	left []audit.Head // by seq
	last audit.Head   // that was met
}

func newHeadsKept(heads []audit.Head) *headsKept {
	left := slices.Clone(heads)
	slices.SortStableFunc(left, func(a, b audit.Head) int { return cmp.Compare(a.Seq, b.Seq) })
	return &headsKept{left: left}
}

// before meets the heads of entries before the log's first, which the backup
// has.
func (h *headsKept) before(v *Vault, first uint64) error {
	for len(h.left) > 0 && h.left[0].Seq < first {
		at, err := view(v, func(t *tx) (audit.Head, error) {
			e, err := t.entry(h.left[0].Seq)
			return audit.Head{Vault: v.ID(), Seq: e.Seq, Hash: e.Hash, Time: e.Time}, err
		})
		if err == nil {
			err = h.meet(at)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// meet compares the heads of one entry with it.
func (h *headsKept) meet(at audit.Head) error {
	for len(h.left) > 0 && h.left[0].Seq == at.Seq {
		kept := h.left[0]
		switch {
		case kept.Vault != at.Vault:
			return invalid("head", "is of another vault, %s", kept.Vault)
		case kept.Hash != at.Hash:
			return invalid("head", "is not of this log: its entry %d is %s, the head says %s; one of the two was rewritten", at.Seq, at.Hash, kept.Hash)
		}
		h.left, h.last = h.left[1:], at
	}
	return nil
}

// end is reached at the log's last entry.
func (h *headsKept) end(at audit.Head) error {
	switch {
	case len(h.left) == 0:
		return nil
	case h.left[0].Vault != at.Vault:
		return invalid("head", "is of another vault, %s", h.left[0].Vault)
	}
	return invalid("head", "is of entry %d, and the log ends at entry %d: its end was cut off; export it anew", h.left[len(h.left)-1].Seq, at.Seq)
}
