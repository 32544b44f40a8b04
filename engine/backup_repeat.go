package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
)

// What a log says happened after a backup, as far as it governs, is put in force
// again in the vault restored from it: by the operator, in the order of the log,
// with the ids it had, each with an entry of its own whose fact repeats names the
// log's. It rests on facts. A detail gives back a name, a reason or a matter; what
// has none gets a plain stand-in.
//
// A change that governs less than what was before, such as the release of a hold,
// is taken from a log only up to a head that was kept elsewhere: whoever wrote
// the log's end could have made it up. One that governs more is taken in any
// case, since to leave it out would undo it.

// pastChange is an entry of the log that governs, and what puts it in force.
type pastChange struct {
	seq   uint64
	op    audit.Op
	apply pastStep
}

// pastStep puts an entry in force in the vault as it is then. It writes nothing if
// that holds already, or cannot be; it asks no rule that was asked when the entry
// was written.
type pastStep func(*tx) (pastOutcome, audit.Event, error)

// pastOutcome is what became of an entry.
type pastOutcome struct {
	loosens string // what governs less than before; "": nothing
	lost    string // what of it is not there again; "": nothing
	deletes string // the policy that came to delete; "": none
}

func (c pastChange) step(t *tx) (pastOutcome, audit.Event, error) {
	out, event, err := c.apply(t)
	if _, is := errors.AsType[*InvalidError](err); is {
		err = cannotBe(c.seq, c.op, err)
	}
	if err == nil && !event.IsZero() {
		event.Facts[factRepeats] = audit.Number(c.seq)
	}
	return out, event, err
}

// cannotBe is the refusal of a log with an entry that cannot be.
func cannotBe(seq uint64, op audit.Op, err error) error {
	why := err.Error()
	if e, is := errors.AsType[*InvalidError](err); is && len(e.Fields) == 1 {
		why = e.Fields[0].Message
	}
	return invalid("log", "cannot be worked off: entry %d, %s: %s", seq, op, why)
}

// factRepeats is the seq of the entry of a log that an entry repeats.
const factRepeats = "repeats"

// repeatRows is how many entries are put in force in one transaction.
const repeatRows = 500

// repeatChanges puts in force what the log says, and notes in s what it came to.
// *InvalidError if the log loosens what no head covers.
func (v *Vault) repeatChanges(ctx context.Context, s *Since) error {
	var loose []string
	s.deleting = map[string]uint64{}
	last := uint64(0)
	for some := range slices.Chunk(s.changes, repeatRows) {
		fns := make([]func(*tx) (pastOutcome, audit.Event, error), len(some))
		for i, c := range some {
			fns[i] = c.step
		}
		outcomes, receipts, err := updateAll(v, ctx, Operator(), fns...)
		if err != nil {
			return err
		}
		for i, c := range some {
			if receipts[i].Seq != 0 {
				s.Repeated[c.op]++
			}
			if out := outcomes[i]; out.lost != "" {
				s.Lost = append(s.Lost, LostChange{c.seq, c.op, out.lost})
			}
			if out := outcomes[i]; out.deletes != "" && c.seq > s.Covered.Seq {
				s.deleting[out.deletes] = c.seq
			}
			if out := outcomes[i]; out.loosens != "" && c.seq > s.Covered.Seq {
				if last = c.seq; len(loose) < 3 {
					loose = append(loose, fmt.Sprintf("entry %d %s", c.seq, out.loosens))
				}
			}
		}
	}
	s.changes = nil
	slices.SortStableFunc(s.Lost, func(a, b LostChange) int { return int(int64(a.Seq) - int64(b.Seq)) })
	if loose == nil {
		return nil
	}
	return uncovered(loose, last)
}

// dueAtOnce refuses policies that came to delete, covered by no head, if they
// would at once: such a policy is a way to have everything destroyed.
func (v *Vault) dueAtOnce(ctx context.Context, s *Since) error {
	if len(s.deleting) == 0 {
		return nil
	}
	p, err := v.newPlanner(ctx, v.store.Clock.Sure(v.store.Clock.Now(), false), supposed{})
	if err != nil {
		return err
	}
	due, last := map[string]uint64{}, uint64(0)
	err = p.each(ctx, func(lines []planLine) error {
		for _, line := range lines {
			if seq, is := s.deleting[line.policyID]; is && line.action == ActionDelete && line.because == ResultDue {
				due[line.policyID]++
				last = max(last, seq)
			}
		}
		return nil
	})
	if err != nil || len(due) == 0 {
		return err
	}
	var loose []string
	for _, policyID := range sortedKeys(due) {
		loose = append(loose, fmt.Sprintf("entry %d has policy %s delete %d documents at once", s.deleting[policyID], policyID, due[policyID]))
	}
	return uncovered(loose[:min(len(loose), 3)], last)
}

// uncovered is the refusal of a log that loosens what governs.
func uncovered(loose []string, last uint64) error {
	var first bytes.Buffer
	for i, what := range loose {
		if i > 0 {
			first.WriteString("; ")
		}
		first.WriteString(what)
	}
	return invalid("head", "is needed, because the log loosens what governs, and whoever wrote its end could have made that up: %s. "+
		"Give one of this log that was kept elsewhere (--head), of entry %d or a later one: the text of an answer of /v1/audit/head, a printed head, the file of --head-log", &first, last)
}

// pastEntry is an entry of the log with the members of its detail; where that says
// what was and what is, what is.
type pastEntry struct {
	audit.Entry
	members map[string]any
}

// word returns a fact that is a text, "" if there is none.
func (e *pastEntry) word(name string) string {
	s, _ := e.Facts[name].AsText()
	return s
}

func (e *pastEntry) number(name string) uint64 {
	n, _ := e.Facts[name].AsNumber()
	return n
}

// time returns a fact that is a time, zero for never.
func (e *pastEntry) time(name string) (time.Time, error) {
	if e.word(name) == "" {
		return time.Time{}, nil
	}
	return audit.ParseTime(e.word(name))
}

// text returns a member of the detail that is a text.
func (e *pastEntry) text(name string) string {
	s, _ := e.members[name].(string)
	return s
}

// strings returns a member of the detail that is a list of texts, and whether
// there is one.
func (e *pastEntry) strings(name string) (list []string, told bool) {
	items, told := e.members[name].([]any)
	for _, item := range items {
		s, _ := item.(string)
		list = append(list, s)
	}
	return list, told
}

// read reads the detail.
func (e *pastEntry) read(detail []byte) error {
	if detail == nil {
		return nil
	}
	from := json.NewDecoder(bytes.NewReader(detail))
	from.UseNumber()
	if err := from.Decode(&e.members); err != nil {
		return fmt.Errorf("its detail: %w", err)
	}
	switch e.Op {
	case audit.OpUserUpdated, audit.OpFieldUpdated, audit.OpSettingsUpdated, audit.OpPolicyUpdated, audit.OpDocumentUpdated, audit.OpDocumentReverted:
		for name, value := range e.members {
			change, _ := value.(map[string]any)
			e.members[name] = change["new"]
		}
	}
	return nil
}

// again returns what puts an entry in force, nil if there is nothing to do.
func (e pastEntry) again(detail []byte) (pastStep, error) {
	switch e.Op {
	case audit.OpHoldPlaced, audit.OpPolicyCreated, audit.OpPolicyUpdated, audit.OpSettingsUpdated, audit.OpUserUpdated,
		audit.OpFieldCreated, audit.OpFieldUpdated, audit.OpHoldReleased, audit.OpDocumentUpdated, audit.OpDocumentReverted,
		audit.OpDocumentRestricted, audit.OpDocumentUnrestricted:
		if err := e.read(detail); err != nil {
			return nil, err
		}
	}
	switch e.Op {
	case audit.OpHoldPlaced:
		return e.holdPlaced()
	case audit.OpHoldReleased:
		return e.holdReleased()
	case audit.OpPolicyCreated, audit.OpPolicyUpdated:
		return e.policyRuled, nil
	case audit.OpPolicyDeleted:
		return e.policyDeleted, nil
	case audit.OpSettingsUpdated:
		return e.settingsUpdated()
	case audit.OpUserUpdated:
		return e.userUpdated()
	case audit.OpKeyRevoked, audit.OpKeyRotated:
		return e.keyEnded, nil
	case audit.OpCalendarStarted, audit.OpCalendarEnded:
		return e.calendarEnded, nil
	case audit.OpClockCorrected:
		return e.clockDoubted()
	case audit.OpDocumentUpdated, audit.OpDocumentReverted:
		return e.documentUpdated()
	case audit.OpDocumentArchived, audit.OpDocumentUnarchived:
		return e.documentArchived, nil
	case audit.OpDocumentRestricted, audit.OpDocumentUnrestricted:
		return e.documentRestricted, nil
	case audit.OpFieldCreated, audit.OpFieldUpdated:
		return e.fieldDefined, nil
	case audit.OpClientUpdated, audit.OpClientClosed:
		return e.clientChanged, nil
	case audit.OpWebhookUpdated, audit.OpWebhookDisabled, audit.OpWebhookDeleted:
		return e.webhookChanged, nil
	case audit.OpApprovalGranted, audit.OpApprovalRejected, audit.OpApprovalExpired:
		return e.approvalEnded, nil
	}
	if lost := e.lost(); lost != "" {
		return func(*tx) (pastOutcome, audit.Event, error) { return pastOutcome{lost: lost}, audit.Event{}, nil }, nil
	}
	return nil, nil
}

// lost says of an entry that is never repeated what it made; "" if the vault lacks
// nothing for it, or what is said elsewhere.
func (e *pastEntry) lost() string {
	switch e.Op {
	case audit.OpUserCreated:
		return fmt.Sprintf("user %s with %s access: make them anew", e.word("user"), e.word("access"))
	case audit.OpKeyCreated:
		return fmt.Sprintf("key %s of user %s: it works no more, make another", e.word("key"), e.word("user"))
	case audit.OpClientCreated:
		return fmt.Sprintf("client %s: make it anew", e.word("client"))
	case audit.OpApprovalRequested:
		return fmt.Sprintf("approval %s: what it asked for is in no log, so ask again if it still waits", e.word("approval"))
	case audit.OpWebhookCreated:
		return fmt.Sprintf("webhook %s: make it anew", e.word("webhook"))
	case audit.OpDocumentTextSet:
		return fmt.Sprintf("the text given for version %d of document %s: give it again", e.Version, e.Document)
	case audit.OpFieldDeleted:
		return fmt.Sprintf("the field %s is there again: delete it again", e.word("field"))
	case audit.OpObligationCreated, audit.OpObligationUpdated, audit.OpObligationCompleted, audit.OpObligationReopened, audit.OpObligationDeleted:
		return fmt.Sprintf("obligation %s of document %s is as it was before", e.word("obligation"), e.Document)
	}
	return ""
}
