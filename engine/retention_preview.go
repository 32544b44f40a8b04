package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// PreviewQuery asks what a run would do now. With Policy, as if that policy were
// changed so, or, without an id, added. With Settings, as if RetentionConflict
// and TimeZone were so; it has no other members.
type PreviewQuery struct {
	Policy   *PolicyPatch
	PolicyID string
	Settings *SettingsPatch
	Paging
}

// Preview is what a run would do: how many documents in all, and a page of them.
// A run started with the PlanDigest does exactly that, or is refused. With a policy
// or settings the PlanDigest says instead what was previewed, and CreatePolicy,
// UpdatePolicy or UpdateSettings takes it as a sign that somebody has looked.
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

// Preview makes the plan of a run, for admins and auditors. On every page, counts and
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
	if err := v.mayAsk(actor, AccessAuditor); err != nil {
		return Preview{}, err
	}
	if now := v.store.Clock.Sure(v.store.Clock.Now(), false); at.IsZero() {
		at = now
	} else if at.After(now) { // a run bound to it would dispose of what is not due yet
		return Preview{}, errPlanPlace
	}
	s, err := v.supposed(q)
	if err != nil {
		return Preview{}, err
	}
	p, err := v.newPlanner(ctx, at, s)
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
	if out.PlanDigest = v.supposes(s); s == (supposed{}) {
		out.PlanDigest = d.digest()
		v.previews.note(out.PlanDigest, at)
	}
	return out, err
}

// add counts a line, and puts it on the page if it is after the place.
func (p *Preview) add(line *planLine, at time.Time, after []byte, limit int) {
	p.count(line)
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

func (p *Preview) count(line *planLine) {
	switch {
	case line.because != ResultDue:
		p.Counts.left(line.because)
	case line.action == ActionArchive:
		p.Counts.Archived++
	default:
		p.Counts.Deleted++
	}
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

// supposed is what differs from the rules there are. The zero one is nothing.
type supposed struct {
	policy   *Policy   // as it would be; one that there is not yet has NewPolicyID
	settings *Settings // as they would be
}

// supposed reads a query.
func (v *Vault) supposed(q PreviewQuery) (supposed, error) {
	return view(v, func(t *tx) (s supposed, err error) {
		if q.Settings != nil {
			if s.settings, err = t.supposedSettings(*q.Settings); err != nil {
				return s, err
			}
		}
		if q.Policy == nil {
			return s, nil
		}
		old, base := Policy{}, NewPolicy{Name: NewPolicyID}.policy()
		if q.PolicyID != "" {
			if old, err = t.policy(q.PolicyID); err != nil {
				return s, err
			}
			base = old
		}
		p, err := q.Policy.apply(base)
		if err != nil {
			return s, err
		}
		if p.ID == "" {
			p.ID = NewPolicyID
		}
		s.policy = &p
		return s, t.checkPolicy(old, &p)
	})
}

func (t *tx) supposedSettings(p SettingsPatch) (*Settings, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	s, err := t.settings()
	if err != nil {
		return nil, err
	}
	is := (&SettingsPatch{RetentionConflict: p.RetentionConflict, TimeZone: p.TimeZone}).apply(s)
	return &is, nil
}

// supposes binds what is supposed in this vault, of a policy all but its name and
// how its period is spelled. It says nothing of documents, so what falls due after
// a preview changes no digest. Nobody needs to remember it.
func (v *Vault) supposes(s supposed) audit.Hash {
	text := fmt.Appendf(nil, "strongroom preview %s\n", v.ID())
	if p := s.policy; p != nil {
		text = fmt.Appendf(text, "policy %s %q %v %v\n", p.ID, p.Target, p.forRules(nil).Period, [...]any{p.Scope, p.Action, p.StartFrom, p.StartAt, p.Protect, p.Enabled})
	}
	if s.settings != nil {
		text = fmt.Appendf(text, "settings %s %s\n", s.settings.RetentionConflict, s.settings.TimeZone)
	}
	return sha256.Sum256(text)
}

// PreviewRequiredError says what a run would do after a change that makes
// documents due for deletion at once. It is an ErrPreviewRequired.
type PreviewRequiredError struct {
	Counts RunCounts
}

func (e *PreviewRequiredError) Error() string {
	return fmt.Sprintf("documents would be due for deletion at once: %d that the next run would delete, %d that are held or locked", e.Counts.Deleted, e.Counts.Held+e.Counts.Locked)
}

func (e *PreviewRequiredError) Unwrap() error { return ErrPreviewRequired }

// foreseen guards a change of a policy. One that there is not yet has been the
// zero one.
func (v *Vault) foreseen(ctx context.Context, old, is *Policy, digest *audit.Hash) error {
	deleted := old.Enabled && (old.Action == ActionDelete || old.Protect != ProtectNone) // which it may have hindered
	deletes := is.Enabled && is.Action == ActionDelete
	if renamed := *is; !deleted && !deletes || func() bool { renamed.Name = old.Name; return renamed == *old }() {
		return nil
	}
	return v.looked(ctx, supposed{policy: is}, digest)
}

// looked guards a change of the rules: it needs the digest of its preview if a
// document would be due for deletion that was not, or was protected. Called under
// planning.
func (v *Vault) looked(ctx context.Context, s supposed, digest *audit.Hash) error {
	if digest != nil && *digest == v.supposes(s) {
		return nil
	}
	now, err := view(v, func(t *tx) (*retention.Rules, error) { return t.rules(supposed{}) })
	if err != nil {
		return err
	}
	p, err := v.newPlanner(ctx, v.store.Clock.Sure(v.store.Clock.Now(), false), s)
	if err != nil {
		return err
	}
	var would Preview
	more := false
	err = p.each(ctx, func(lines []planLine) error {
		for i := range lines {
			would.count(&lines[i])
		}
		if more {
			return nil
		}
		more, err = view(v, func(t *tx) (bool, error) { return t.newlyDue(lines, now, p.at) })
		return err
	})
	if err == nil && more {
		err = &PreviewRequiredError{would.Counts}
	}
	return err
}

// newlyDue says whether a line deletes a document that by other rules is not due,
// or is protected.
func (t *tx) newlyDue(lines []planLine, rules *retention.Rules, at time.Time) (bool, error) {
	for _, line := range lines {
		if line.action != ActionDelete || line.because == ResultProtected || line.because == ResultFailed {
			continue
		}
		d, err := t.document(line.documentID)
		if err != nil {
			return false, err
		}
		if v, due := t.judge(d, retention.ActionDelete, rules.For(d.forRules()), rules.Shortest, at, ""); !d.deleted && (!due || v.Because == retention.Protected) {
			return true, nil
		}
	}
	return false, nil
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
