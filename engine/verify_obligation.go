package engine

import (
	"bytes"
	"fmt"

	"strongroom/audit"
)

// saidObligation is an obligation as the entries tell it.
type saidObligation struct {
	obligation
	erased bool // a detail is gone, so its texts are not known
}

// obligation takes an entry about an obligation of the document into account.
func (h *history) obligation(e audit.Entry, told detail) error {
	key, _ := e.Facts["obligation"].AsText()
	o := h.obligations[key]
	if e.Op == audit.OpObligationCreated {
		o = &saidObligation{obligation: obligation{
			Obligation: Obligation{ID: key, DocumentID: e.Document, CreatedAt: e.Time}, reminded: notReminded,
		}}
		h.obligations[key] = o
	}
	if o == nil {
		return fmt.Errorf("obligation %s was never made, or was deleted before", key)
	}
	switch e.Op {
	case audit.OpObligationCreated, audit.OpObligationUpdated:
		if err := o.describe(e, told); err != nil {
			return err
		}
	case audit.OpObligationCompleted:
		o.complete(e, told)
	case audit.OpObligationReopened:
		o.reopen()
	case audit.OpObligationDeleted:
		delete(h.obligations, key)
	case audit.OpObligationDueSoon, audit.OpObligationOverdue: // leave the revision
		o.reminded, _ = e.Facts["days"].AsNumber()
		return nil
	}
	o.Revision++
	o.UpdatedAt = e.Time
	return nil
}

func (s *saidObligation) describe(e audit.Entry, told detail) error {
	was, recurrence := s.DueDate, s.Recurrence
	s.OwnerID, _ = e.Facts["owner"].AsText()
	s.Recurrence, _ = e.Facts["recurrence"].AsText()
	due, _ := e.Facts["due"].AsText()
	if err := s.DueDate.UnmarshalText([]byte(due)); err != nil {
		return fmt.Errorf("is due %q: %w", due, err)
	}
	s.moved(was, recurrence)
	if anchor, ok := e.Facts["anchor"].AsText(); ok {
		if err := s.anchor.UnmarshalText([]byte(anchor)); err != nil {
			return fmt.Errorf("recurs from %q: %w", anchor, err)
		}
	}
	if _, ok := told.members["title"]; ok {
		s.Title = told.text("title")
	}
	if _, ok := told.members["description"]; ok {
		s.Description = told.text("description")
	}
	s.erased = s.erased || told.erased
	return nil
}

func (s *saidObligation) complete(e audit.Entry, told detail) {
	s.CompletedAt, s.CompletedBy, s.Note = e.Time, e.Actor, told.text("note")
	s.erased = s.erased || told.erased
	if document, ok := e.Facts["evidence"].AsText(); ok {
		version, _ := e.Facts["evidenceVersion"].AsNumber()
		s.Evidence = &Evidence{document, version}
	}
	if next, ok := e.Facts["next"].AsText(); ok {
		s.next = next
	}
}

// compareObligations tells where the obligations of a document are not what its
// entries say.
func (c *checker) compareObligations(t *tx, d *document, h *history) {
	for _, key := range t.obligationsOf(d.id) {
		if h.obligations[key.String()] == nil {
			c.find(d.AuditSeq, CodeState, "obligation %s of %s is not in the log", key, d)
		}
	}
	for _, key := range sortedKeys(h.obligations) {
		said, what := h.obligations[key], "obligation "+key+" of "+d.String()
		o, err := t.obligation(key)
		if err != nil {
			c.find(d.AuditSeq, CodeState, "%s of the log cannot be read: %v", what, err)
			continue
		}
		c.differ(what, member{"the document", o.DocumentID, said.DocumentID}, member{"the due date", o.DueDate, said.DueDate},
			member{"the owner", o.OwnerID, said.OwnerID}, member{"the recurrence", o.Recurrence, said.Recurrence},
			member{"the anchor of its recurrence", o.anchor, said.anchor}, member{"the next one", o.next, said.next},
			member{"completed at", o.CompletedAt, said.CompletedAt}, member{"completed by", o.CompletedBy, said.CompletedBy},
			member{"the evidence", o.Evidence.value(), said.Evidence.value()}, member{"the last reminder", o.reminded, said.reminded},
			member{"created at", o.CreatedAt, said.CreatedAt}, member{"updated at", o.UpdatedAt, said.UpdatedAt},
			member{"the revision", o.Revision, said.Revision})
		if !said.erased {
			c.differ(what, member{"the title", o.Title, said.Title}, member{"the description", o.Description, said.Description},
				member{"the note", o.Note, said.Note})
		}
	}
}

// value is the zero Evidence for none.
func (e *Evidence) value() Evidence {
	if e == nil {
		return Evidence{}
	}
	return *e
}

// obligations finds those that are of no document, and that the index lacks,
// and then rows of the index that no obligation has.
func (c *checker) obligations() error {
	err := c.each(bucketObligations, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		o, err := decodeObligation(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if d, err := t.document(o.DocumentID); err != nil || d.deleted {
			c.find(0, CodeState, "obligation %s is of document %s, which is not there", o.ID, o.DocumentID)
		}
		for _, row := range dueRows(o) {
			if t.get(bucketDues, row) == nil {
				c.find(0, CodeIndex, "obligation %s lacks the index row %q", o.ID, row)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.rows(bucketDues, 0, func(t *tx, k []byte) error {
		var o *obligation
		var err error = errDamaged
		if len(k) > len(id{}) {
			o, err = t.obligation(id(k[len(k)-len(id{}):]).String())
		}
		if err != nil || !containsRow(dueRows(o), k) {
			c.find(0, CodeIndex, "the index row %q is of no obligation", bytes.Clone(k))
		}
		return nil
	})
}
