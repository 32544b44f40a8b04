package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// A plan is what a run does: a line for every document that is due at an instant,
// with what is to be done to it, or why it is left alone. A run writes its plan to
// a file and works that off. A preview makes the same plan, with the same code, and
// writes none. It takes some thousand rows in each transaction, in one order:
//
//	what is to be deleted, then what is to be archived; of each, by kind of start,
//	state and group, as they began; then the documents with a policy of their own.

// planLine is a line of a plan, or of the list of what a run left alone.
type planLine struct {
	documentID string
	name       string
	action     Action
	policyID   string
	because    Result
	place      []byte // by which lines are in order
}

// planner makes a plan.
type planner struct {
	v     *Vault
	rules *retention.Rules
	at    time.Time
}

// newPlanner reads the rules as they are now. What they count from is indexed
// afterwards.
func (v *Vault) newPlanner(ctx context.Context, at time.Time, hypothetical *Policy) (*planner, error) {
	r, err := view(v, func(t *tx) (*retention.Rules, error) { return t.rules(hypothetical) })
	if err != nil {
		return nil, err
	}
	return &planner{v, r, at}, v.fill(ctx, r.AllFacts())
}

// planRows bounds what one transaction of a plan looks at.
const planRows = 1_000

// each calls fn with the lines of the plan, page by page, outside of any
// transaction.
func (p *planner) each(ctx context.Context, fn func([]planLine) error) error {
	for _, s := range p.stretches() {
		for at, more := s.prefix, true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			lines, err := view(p.v, func(t *tx) (found []planLine, err error) {
				found, at, more, err = p.page(t, s, at)
				return found, err
			})
			if err == nil && len(lines) > 0 {
				err = fn(lines)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// stretch is a part of a plan: the rows among the starts that have a prefix. With
// none, it is the documents that have a policy of their own.
type stretch struct {
	action retention.Action
	from   string
	prefix []byte
}

// stretches are in the order of the places of their lines: see line.
func (p *planner) stretches() (all []stretch) {
	for _, action := range []retention.Action{retention.ActionDelete, retention.ActionArchive} {
		for _, from := range p.rules.Facts(action) {
			if action == retention.ActionDelete {
				all = append(all, stretch{action, from, []byte(text(from) + stateArchived)})
			}
			all = append(all, stretch{action, from, []byte(text(from) + stateLive)})
		}
		all = append(all, stretch{action: action})
	}
	return all
}

// page returns some lines, and from where to go on.
func (p *planner) page(t *tx, s stretch, at []byte) (lines []planLine, next []byte, more bool, err error) {
	if s.prefix == nil {
		lines, err = p.alone(t, s.action)
		return lines, nil, false, err
	}
	rows := t.Cursor(bucketStarts)
	row, _ := rows.Seek(at)
	for looked := 0; bytes.HasPrefix(row, s.prefix); looked++ {
		if looked == planRows {
			return lines, bytes.Clone(row), true, nil
		}
		g, rest, ok := cutGroup(row[len(s.prefix):])
		if !ok {
			return nil, nil, false, errDamaged
		}
		head := row[:len(row)-len(rest)]
		winner := retention.Choose(p.rules.For(g.forRules()), s.action, p.rules.Shortest)
		if winner == nil || winner.Start.From != s.from || bytes.Compare(rest[:8], placeStart(winner.LatestFact(p.at))) > 0 {
			row, _ = rows.Seek(behind(head)) // nothing more is due in this group
			continue
		}
		doc := id(rest[8:])
		switch d, err := t.documentAt(doc); {
		case errors.Is(err, errDamaged): // it keeps nobody else from being disposed of
			lines = append(lines, planLine{doc.String(), "", Action(s.action), winner.ID, ResultFailed, append(s.order(), row...)})
		case err != nil:
			return nil, nil, false, err
		case !p.rules.IsAlone(d.ID):
			lines = p.line(t, d, s, lines)
		}
		row, _ = rows.Next()
	}
	return lines, nil, false, nil
}

// behind is the first key after all that begin so.
func behind(prefix []byte) []byte {
	return append(bytes.Clone(prefix), bytes.Repeat([]byte{0xff}, startSize+1)...)
}

// alone returns the lines of the documents that have policies of their own: at
// most maxPolicies.
func (p *planner) alone(t *tx, action retention.Action) (lines []planLine, err error) {
	for _, documentID := range p.rules.Alone() {
		d, err := t.document(documentID)
		if err != nil {
			return nil, err
		}
		if !d.deleted {
			lines = p.line(t, d, stretch{action: action}, lines)
		}
	}
	return lines, nil
}

// line adds the line of a document, if it is due.
func (p *planner) line(t *tx, d *document, s stretch, lines []planLine) []planLine {
	v, due := t.judge(d, s.action, p.rules.For(d.forRules()), p.rules.Shortest, p.at, "")
	if !due {
		return lines
	}
	place := s.order()
	if s.prefix == nil {
		place = append(append(place, 0xff), d.id[:]...) // behind those without a policy of their own
	} else {
		place = append(place, startKey(s.from, d.startState(), d.group(), d.forRules().Fact(s.from), d.id)...)
	}
	return append(lines, planLine{d.ID, d.Name, Action(v.Action), v.PolicyID, Result(v.Because), place})
}

// order begins the places of a stretch: deletions come first.
func (s stretch) order() []byte {
	return []byte{map[retention.Action]byte{retention.ActionDelete: 1, retention.ActionArchive: 2}[s.action]}
}

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
	PolicyID   string // NewPolicyID for the one the query adds
	Because    Result // ResultDue, or what keeps it
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
	if now := v.store.Clock.Sure(v.store.Clock.Now(), false); at.IsZero() {
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
	case line.because != ResultDue:
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
