package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// What has protected a document since it was received, and what was decided on it. The
// log alone tells it: the document's own entries, and those of policies.

type (
	integrityProtection struct {
		Protect  Protect         `json:"protect"`  // today; "": none
		Until    string          `json:"until"`    // "": unknown, if something protects it
		OverTime []integritySpan `json:"overTime"` // as they began
		// Complete says that all is in OverTime. It is false where an erasure has removed
		// the category, or a date, that policies go by.
		Complete bool `json:"complete"`
	}
	// integritySpan is a time in which one thing stood between the document and its
	// deletion. A policy protects until its period is over, if that comes before To.
	integritySpan struct {
		By        string `json:"by"`     // hold, governance or compliance
		Hold      string `json:"hold"`   // "": it is a policy
		Policy    string `json:"policy"` // "" too: an end of compliance that stays since the document, or its date, changed
		Period    Period `json:"period"`
		StartFrom Start  `json:"startFrom"`
		StartAt   string `json:"startAt"`
		Until     string `json:"until"` // when the period is over, in the time zones of today; "": not known, or a hold
		From      string `json:"from"`
		FromSeq   uint64 `json:"fromSeq"`
		To        string `json:"to"` // "": it has not ended
		ToSeq     uint64 `json:"toSeq"`
	}
	integrityDecision struct {
		Seq    uint64   `json:"seq"`
		Time   string   `json:"time"`
		Op     audit.Op `json:"op"` // archived, unarchived or deleted
		Actor  string   `json:"actor"`
		Right  Right    `json:"right"`  // of a deletion
		Policy string   `json:"policy"` // "": none decided it
		Run    string   `json:"run"`    // of retention; "": none carried it out
		Bypass bool     `json:"bypass"` // governance was bypassed
	}
)

const byHold = "hold"

// protection follows what protects one document, entry by entry.
type protection struct {
	v         *Vault
	calendar  *retention.Calendar // of today
	seqs      []uint64            // of the entries about policies that are yet to come
	policies  map[string]*Policy  // as they are at an entry
	facts     retention.Document  // likewise
	there     bool                // the document is, at an entry
	versions  []time.Time
	discarded map[uint64]bool // versions
	open      map[string]int  // what protects now, among spans: by the id of a hold or of a policy, "" for an end that stays
	spans     []integritySpan
	complete  bool
}

func (v *Vault) newProtection(ctx context.Context) (*protection, error) {
	seqs, err := v.ruled.all(ctx, v)
	if err != nil {
		return nil, err
	}
	p := &protection{v: v, seqs: seqs, policies: map[string]*Policy{}, discarded: map[uint64]bool{}, open: map[string]int{}, spans: []integritySpan{}, complete: true}
	if len(seqs) > maxLook { // nobody waits for so many
		p.seqs, p.complete = nil, false
	}
	p.calendar, err = view(v, (*tx).calendar)
	return p, err
}

// through follows the entries about policies before another entry.
func (p *protection) through(ctx context.Context, before uint64) error {
	for len(p.seqs) > 0 && p.seqs[0] < before {
		e, err := p.v.Entry(ctx, p.seqs[0])
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		p.seqs = p.seqs[1:]
		p.policy(&e)
	}
	return nil
}

func (p *protection) policy(e *Entry) {
	past, _ := told(e)
	policyID := past.word("policy")
	if e.Op == audit.OpPolicyDeleted {
		delete(p.policies, policyID)
	} else {
		is := p.policies[policyID]
		if is == nil {
			is = &Policy{ID: policyID}
			p.policies[policyID] = is
		}
		if target, given := past.members["target"].(string); given { // earlier facts do not tell it
			is.Target = target
		}
		is.take(e.Facts)
	}
	p.settle(&past, policyID)
}

// document follows an entry about the document. gone says that its detail is.
func (p *protection) document(e *pastEntry, gone bool) {
	moved := false // other policies may be for it
	switch e.Op {
	case audit.OpDocumentCreated:
		p.facts = retention.Document{
			ID: e.Document, Product: e.text("product"), Template: e.text("templateId"), Category: e.text("category"), CreatedAt: e.Time,
			Fields: map[string]any{},
		}
		fields, _ := e.members["customFields"].(map[string]any)
		maps.Copy(p.facts.Fields, fields)
		p.there, moved = true, true
		p.versions = append(p.versions, e.Time)
	case audit.OpDocumentVersionAdded:
		p.versions = append(p.versions, e.Time)
	case audit.OpDocumentUpdated, audit.OpDocumentReverted:
		moved = p.describe(e)
	case audit.OpDocumentArchived, audit.OpDocumentUnarchived:
	case audit.OpDocumentDeleted:
		p.there, moved = false, true
		p.close("", e)
	case audit.OpHoldPlaced:
		p.begin(e.word("hold"), e, integritySpan{By: byHold, Hold: e.word("hold")})
		return
	case audit.OpHoldReleased:
		p.close(e.word("hold"), e)
		return
	default:
		return
	}
	p.complete = p.complete && !(gone && e.Op != audit.OpDocumentDeleted && e.Op != audit.OpDocumentVersionAdded)
	p.facts.UpdatedAt, p.facts.VersionAt = e.Time, p.current()
	if keys, told := e.Facts["confirmed"].AsTexts(); told {
		p.facts.Confirmed = keys
	}
	if until := e.word("retainUntil"); until != "" {
		p.close("", e)
		p.begin("", e, integritySpan{By: string(ProtectCompliance), Until: until})
	}
	if moved {
		p.settle(e, slices.Sorted(maps.Keys(p.policies))...)
	}
	p.reckon()
}

// describe takes over what a change tells of what policies go by. It says whether the
// category is another.
func (p *protection) describe(e *pastEntry) (moved bool) {
	for name, is := range e.members {
		if key, field := strings.CutPrefix(name, "customFields."); field {
			p.facts.Fields[key] = is
		}
	}
	if from := e.number("discardedFrom"); from > 0 {
		for n := from; n <= min(e.number("discardedTo"), uint64(len(p.versions))); n++ {
			p.discarded[n] = true
		}
	}
	category, told := e.members["category"].(string)
	if told {
		p.facts.Category = category
	}
	return told
}

// current is when the current version was made: the last that was not discarded.
func (p *protection) current() time.Time {
	for n := len(p.versions); n > 0; n-- {
		if !p.discarded[uint64(n)] {
			return p.versions[n-1]
		}
	}
	return time.Time{}
}

// settle ends, and begins, what these policies do for the document since an entry.
func (p *protection) settle(e *pastEntry, policyIDs ...string) {
	for _, policyID := range policyIDs {
		is := p.policies[policyID]
		at, protects := p.open[policyID]
		wanted := integritySpan{}
		if is != nil && p.there && is.Enabled && (is.Protect == ProtectGovernance || is.Protect == ProtectCompliance) {
			if target, ok := p.facts.Target(retention.Scope(is.Scope)); ok && target == is.Target {
				wanted = integritySpan{By: string(is.Protect), Policy: policyID, Period: is.Period, StartFrom: is.StartFrom, StartAt: string(is.StartAt)}
			}
		}
		if protects {
			was := p.spans[at]
			was.Until, was.From, was.FromSeq = "", "", 0
			if was == wanted {
				continue
			}
			p.close(policyID, e)
		}
		if wanted.By != "" {
			p.begin(policyID, e, wanted)
		}
	}
	p.reckon()
}

// reckon brings the ends of periods up to date.
func (p *protection) reckon() {
	for policyID, at := range p.open {
		if is := p.policies[policyID]; is != nil {
			rule := is.forRules(p.calendar)
			p.spans[at].Until = ""
			if until := rule.Keeps(&p.facts); !until.IsZero() {
				p.spans[at].Until = audit.FormatTime(until)
			}
		}
	}
}

func (p *protection) begin(key string, e *pastEntry, s integritySpan) {
	s.From, s.FromSeq = audit.FormatTime(e.Time), e.Seq
	p.open[key] = len(p.spans)
	p.spans = append(p.spans, s)
}

func (p *protection) close(key string, e *pastEntry) {
	if at, is := p.open[key]; is {
		p.spans[at].To, p.spans[at].ToSeq = audit.FormatTime(e.Time), e.Seq
		delete(p.open, key)
	}
}

// end follows what was said of policies since the document's last entry.
func (p *protection) end(ctx context.Context) error {
	if !p.there {
		return nil
	}
	return p.through(ctx, math.MaxUint64)
}

// policyLog is which entries are about policies. The log is looked through when it is
// first asked, and then from there on; what stands in it never changes.
type policyLog struct {
	mu     sync.Mutex // held meanwhile
	looked uint64     // the last entry that was looked at
	seqs   []uint64
}

// all are those up to the head, in order.
func (l *policyLog) all(ctx context.Context, v *Vault) ([]uint64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	wanted := []byte(`"op":"policy.`)
	for last := v.Head().Seq; l.looked < last; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := view(v, func(t *tx) (found []uint64, err error) {
			c := t.Cursor(bucketLog)
			end := min(last, l.looked+maxLook)
			for k, line := c.Seek(store.SeqKey(l.looked + 1)); k != nil; k, line = c.Next() {
				seq := binary.BigEndian.Uint64(k)
				if seq > end {
					break
				}
				if bytes.Contains(line, wanted) {
					found = append(found, seq)
				}
			}
			return found, nil
		})
		if err != nil {
			return nil, err
		}
		l.seqs, l.looked = append(l.seqs, found...), min(last, l.looked+maxLook)
	}
	return slices.Clone(l.seqs), nil
}
