package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// PreviewQuery asks what a run would do now. With Policy, as if that policy were
// changed so, or, without an id, added.
type PreviewQuery struct {
	Policy   *PolicyPatch
	PolicyID string
	Paging
}

// Preview is what a run would do: how many documents in all, and a page of them.
// A run started with the PlanDigest does exactly that, or is refused.
type Preview struct {
	PlanDigest audit.Hash
	Counts     RunCounts
	Page       Page[PlannedOutcome]

	last []byte // the place of the page's last line
}

// PlannedOutcome is what a run would do to a document, or why it would leave it
// alone.
type PlannedOutcome struct {
	DocumentID string
	Name       string
	Would      Action
	PolicyID   string  // NewPolicyID for the one the query adds
	Because    Because // Planned, or what keeps it
}

// NewPolicyID stands for the policy that a preview adds.
const NewPolicyID = "new"

// Preview makes the plan of a run, for administrators. On every page, counts and
// digest are those of the whole plan. Every page is of the same instant as the
// first. ErrPolicyNotFound, and the errors of CreatePolicy or UpdatePolicy for the
// policy of the query.
func (v *Vault) Preview(ctx context.Context, actor Actor, q PreviewQuery) (Preview, error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return Preview{}, err
	}
	at, after, err := previewPlace(q.Cursor)
	if err != nil {
		return Preview{}, err
	}
	if err := v.mayAsk(actor, AccessAdmin); err != nil {
		return Preview{}, err
	}
	if now := v.store.Clock.Now(); at.IsZero() {
		at = now
	} else if at.After(now) { // a run bound to it would dispose of what is not due yet
		return Preview{}, errPlanPlace
	}
	hypothetical, err := v.hypothetical(q)
	if err != nil {
		return Preview{}, err
	}
	p, err := v.newPlanner(ctx, at, hypothetical)
	if err != nil {
		return Preview{}, err
	}
	var out Preview
	d := newDigester()
	err = p.each(ctx, func(lines []planLine) error {
		d.add(lines)
		for i := range lines {
			out.add(&lines[i], at, after, limit)
		}
		return nil
	})
	out.PlanDigest = d.digest()
	v.previews.note(out.PlanDigest, at)
	return out, err
}

// add counts a line, and puts it on the page if it is after the place.
func (p *Preview) add(line *planLine, at time.Time, after []byte, limit int) {
	switch {
	case line.because != Planned:
		p.Counts.left(line.because)
	case line.action == ActionArchive:
		p.Counts.Archived++
	default:
		p.Counts.Deleted++
	}
	if after != nil && bytes.Compare(line.place, after) <= 0 {
		return
	}
	if len(p.Page.Items) == limit { // and this line is one more
		if p.Page.NextCursor == "" {
			p.Page.NextCursor = store.EncodePlace(listPlan, append([]byte(millis(at)), p.last...))
		}
		return
	}
	p.last = line.place
	p.Page.Items = append(p.Page.Items, PlannedOutcome{line.documentID, line.name, line.action, line.policyID, line.because})
}

var errPlanPlace = invalid("cursor", "is not a cursor of this list; start again without one")

// previewPlace reads a cursor: the instant of the plan, and the place of the
// last line.
func previewPlace(cursor string) (at time.Time, after []byte, err error) {
	place, err := decodeCursor(listPlan, cursor)
	if err != nil || place == nil {
		return at, nil, err
	}
	if len(place) <= 8 {
		return at, nil, errPlanPlace
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(place))).UTC(), place[8:], nil
}

// hypothetical is the policy of a query as it would be.
func (v *Vault) hypothetical(q PreviewQuery) (*Policy, error) {
	if q.Policy == nil {
		return nil, nil
	}
	return view(v, func(t *tx) (*Policy, error) {
		old, base := Policy{}, NewPolicy{Name: NewPolicyID}.policy()
		if q.PolicyID != "" {
			var err error
			if old, err = t.policy(q.PolicyID); err != nil {
				return nil, err
			}
			base = old
		}
		p := q.Policy.apply(base)
		if p.ID == "" {
			p.ID = NewPolicyID
		}
		return &p, t.checkPolicy(old, &p)
	})
}

// previews remembers the instants of the last plans that somebody has looked at.
// A run that is bound to a plan is made of the same instant. So what becomes due
// between preview and run does not change the plan.
type previews struct {
	mu   sync.Mutex // leaf lock
	last []previewed
}

type previewed struct {
	digest audit.Hash
	at     time.Time
}

const previewsKept = 64

func (p *previews) note(digest audit.Hash, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.last) == previewsKept {
		p.last = p.last[1:]
	}
	p.last = append(p.last, previewed{digest, at})
}

// at is when the plan with this digest was last looked at; otherwise, if that is
// not known.
func (p *previews) at(digest audit.Hash, otherwise time.Time) (at time.Time) {
	at = otherwise
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, seen := range p.last {
		if seen.digest == digest {
			at = seen.at
		}
	}
	return at
}
