package engine

import (
	"bytes"
	"context"
	"errors"
	"time"

	"strongroom/engine/internal/retention"
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

// newPlanner reads the rules as they are now, but for what is supposed. What they
// count from is indexed afterwards.
func (v *Vault) newPlanner(ctx context.Context, at time.Time, s supposed) (*planner, error) {
	r, err := view(v, func(t *tx) (*retention.Rules, error) { return t.rules(s) })
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
	var group due
	for looked := 0; bytes.HasPrefix(row, s.prefix); looked++ {
		if looked == planRows {
			return lines, bytes.Clone(row), true, nil
		}
		g, rest, ok := cutGroup(row[len(s.prefix):])
		if !ok {
			return nil, nil, false, errDamaged
		}
		head := row[:len(row)-len(rest)]
		if !bytes.Equal(head, group.head) {
			group = p.due(g, s)
			group.head = bytes.Clone(head)
		}
		if group.policyID == "" || bytes.Compare(rest[:8], group.latest) > 0 {
			row, _ = rows.Seek(behind(head)) // nothing more is due in this group
			continue
		}
		doc := id(rest[8:])
		switch d, err := t.documentAt(doc); {
		case errors.Is(err, errDamaged): // it keeps nobody else from being disposed of
			lines = append(lines, planLine{doc.String(), "", Action(s.action), group.policyID, ResultFailed, append(s.order(), row...)})
		case err != nil:
			return nil, nil, false, err
		case !p.rules.IsAlone(d.ID):
			lines = p.line(t, d, s, lines)
		}
		row, _ = rows.Next()
	}
	return lines, nil, false, nil
}

// due is what a stretch holds of a group: documents whose start is later than
// the latest are not due. Which of several policies wins, the document tells.
type due struct {
	head     []byte // of the rows of the group
	policyID string // one that may win; "": none that counts from there
	latest   []byte
}

func (p *planner) due(g group, s stretch) (d due) {
	for _, c := range retention.Contenders(p.rules.For(g.forRules()), s.action, p.rules.Shortest) {
		if c.Start.From != s.from {
			continue
		}
		latest := placeStart(c.LatestFact(p.at))
		if d.policyID == "" {
			d.policyID, d.latest = c.ID, latest
		}
		if bytes.Compare(latest, d.latest) > 0 {
			d.latest = latest
		}
	}
	return d
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
	if !due || s.prefix != nil && v.From != s.from { // the policy that wins counts from something else
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
