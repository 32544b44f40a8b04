package engine

import (
	"fmt"

	"strongroom/engine/internal/replay"
)

// compareObligations tells where the obligations of a document are not what its
// entries say.
func (c *checker) compareObligations(t *tx, d *document, said *replay.Document) {
	for _, key := range t.obligationsOf(d.id) {
		if said.Obligations[key.String()] == nil {
			c.find(d.AuditSeq, CodeState, "obligation %s of %s is not in the log", key, d)
		}
	}
	for _, key := range sortedKeys(said.Obligations) {
		what := fmt.Sprintf("obligation %s of %s", key, d)
		if o, err := t.obligation(key); err != nil {
			c.find(d.AuditSeq, CodeState, "%s of the log cannot be read: %v", what, err)
		} else {
			c.differ(0, what, o.record(), *said.Obligations[key])
		}
	}
}

func (o *obligation) record() replay.Thing {
	facts := replay.Members{
		"the document":                 replay.Text(o.DocumentID),
		"the due date":                 replay.Text(o.DueDate.String()),
		"the owner":                    replay.Text(o.OwnerID),
		"the recurrence":               replay.Text(o.Recurrence),
		"the anchor of its recurrence": replay.Text(o.anchor.String()),
		"the next one":                 replay.Text(o.next),
		"completed at":                 replay.Time(o.CompletedAt),
		"completed by":                 replay.Text(o.CompletedBy),
		"the evidence":                 replay.Text(o.Evidence.value().DocumentID),
		"its version":                  replay.Number(o.Evidence.value().Version),
		"created at":                   replay.Time(o.CreatedAt),
		"updated at":                   replay.Time(o.UpdatedAt),
		"the revision":                 replay.Number(o.Revision),
	}
	if o.reminded != notReminded {
		facts["the last reminder"] = replay.Reminder(o.reminded)
	}
	return replay.Thing{Facts: facts, Texts: replay.Members{
		"the title":       replay.Text(o.Title),
		"the description": replay.Text(o.Description),
		"the note":        replay.Text(o.Note),
	}}
}

// value is the zero Evidence for none.
func (e *Evidence) value() Evidence {
	if e == nil {
		return Evidence{}
	}
	return *e
}

// obligations finds those that are of no document, and that the index lacks.
func (c *checker) obligations() error {
	return c.each(bucketObligations, CodeState, len(id{}), func(t *tx, k, value []byte) error {
		o, err := decodeObligation(id(k), value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if d, err := t.document(o.DocumentID); err != nil || d.deleted {
			c.find(0, CodeState, "obligation %s is of document %s, which is not there", o.ID, o.DocumentID)
		}
		c.lacks(t, 0, "obligation "+o.ID, bucketDues, dueRows(o))
		return nil
	})
}
