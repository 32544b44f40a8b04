package replay

import (
	"fmt"
	"strconv"

	"strongroom/audit"
)

// obligation takes an entry about an obligation of the document into account.
func (d *Document) obligation(e *entry) error {
	name := e.word("obligation")
	if e.Op == audit.OpObligationCreated && name != "" {
		o := newThing()
		o.Facts["the document"] = Text(e.Document)
		e.made(o)
		if d.Obligations == nil {
			d.Obligations = map[string]*Thing{}
		}
		d.Obligations[name] = o
	}
	o := d.Obligations[name]
	if o == nil {
		return fmt.Errorf("obligation %q was never made, or was deleted before", name)
	}
	switch e.Op {
	case audit.OpObligationCreated, audit.OpObligationUpdated:
		if err := oblige(o, e); err != nil {
			return err
		}
	case audit.OpObligationCompleted:
		complete(o, e)
	case audit.OpObligationReopened:
		for _, member := range []string{"completed at", "completed by", "the evidence", "its version"} {
			o.Facts[member] = Value{}
		}
		o.Texts["the note"] = Value{}
	case audit.OpObligationDeleted:
		delete(d.Obligations, name)
	case audit.OpObligationDueSoon, audit.OpObligationOverdue: // leave the revision
		o.Facts["the last reminder"] = Reminder(e.number("days"))
		return nil
	}
	e.changed(o)
	return nil
}

// Reminder returns the Value of a reminder so many days before something is due;
// 0: when it is overdue. None at all is nothing.
func Reminder(days uint64) Value { return Text(strconv.FormatUint(days, 10)) }

// oblige takes over what holds of an obligation from now on. Another due date
// begins the reminders anew; it, or another recurrence, is what recurrences are
// counted from, unless the entry names that.
func oblige(o *Thing, e *entry) error {
	due, recurrence := Text(e.word("due")), Text(e.word("recurrence"))
	if !isDue(e.word("due")) {
		return fmt.Errorf("is due %q, which is no time", e.word("due"))
	}
	moved := due != o.Facts["the due date"]
	if moved {
		o.Facts["the last reminder"] = Value{}
	}
	if moved || recurrence != o.Facts["the recurrence"] {
		o.Facts["the anchor of its recurrence"] = due
	}
	if anchor, told := e.Facts["anchor"].AsText(); told {
		if !isDue(anchor) {
			return fmt.Errorf("recurs from %q, which is no time", anchor)
		}
		o.Facts["the anchor of its recurrence"] = Text(anchor)
	}
	o.Facts["the due date"] = due
	o.Facts["the recurrence"] = recurrence
	o.Facts["the owner"] = Text(e.word("owner"))
	e.tell(o, "title", "the title", "description", "the description")
	return nil
}

func complete(o *Thing, e *entry) {
	o.Facts["completed at"] = Time(e.Time)
	o.Facts["completed by"] = Text(e.Actor)
	o.Texts["the note"] = Text(e.text("note"))
	o.Erased = o.Erased || e.erased
	if _, told := e.Facts["evidence"]; told {
		o.Facts["the evidence"] = Text(e.word("evidence"))
		o.Facts["its version"] = Number(e.number("evidenceVersion"))
	}
	if _, told := e.Facts["next"]; told {
		o.Facts["the next one"] = Text(e.word("next"))
	}
}
