package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/engine/internal/retention"
)

// Disposition explains what will become of a document, and why. The same
// functions decide for it and for a run.
type Disposition struct {
	Archive, Delete Fate
	Policies        []PolicyFate // all that are for the document, those that count first
	Holds           []Hold       // active ones, a page of them at most
	Lock            *Lock        // the live one; nil: there is none
	// ProtectedUntil is from when the document may be deleted by hand. It is zero
	// if nothing protects the document, and also if the end is not known: then
	// Protected is set.
	ProtectedUntil time.Time
	Protected      Protect // "": it is not
	Next           string  // what happens next, in a sentence, in the vault's time zone
	zone           *time.Location
}

// Fate is when a document is due for an action.
type Fate struct {
	EligibleAt time.Time // zero: never
	PolicyID   string    // which decides; "": none
	Why        string
}

// PolicyFate is what one policy says of a document.
type PolicyFate struct {
	Policy
	StartAt, DueAt time.Time // zero: the fact is missing
	Wins           bool
	Says           string // what its rule is, and from which date it counts here
	Why            string // it decides, or does not
}

// Disposition explains a document to admins and auditors. ErrDocumentNotFound,
// *DeletedError.
func (v *Vault) Disposition(ctx context.Context, actor Actor, documentID string) (Disposition, error) {
	return view(v, func(t *tx) (Disposition, error) {
		err := t.admit(actor)
		if err == nil {
			err = t.may(AccessAuditor)
		}
		if err != nil {
			return Disposition{}, err
		}
		d, err := t.liveDocument(documentID)
		if err != nil {
			return Disposition{}, err
		}
		return t.explain(d)
	})
}

func (t *tx) explain(d *document) (out Disposition, err error) {
	policies, err := t.policiesOf(d)
	if err != nil {
		return out, err
	}
	shortest, err := t.shortestWins()
	if err != nil {
		return out, err
	}
	holds, err := t.holdPage(holdDocument, string(d.id[:]), HoldActive, Paging{Limit: maxLimit})
	if err != nil {
		return out, err
	}
	out.Holds, out.Lock = holds.Items, d.Lock
	calendar, err := t.calendar()
	if err != nil {
		return out, err
	}
	out.zone = calendar.Zone
	facts, rules := d.forRules(), rulesOf(policies, calendar)
	doubt, err := t.doubt()
	if err != nil {
		return out, err
	}
	if longest := retention.LongestProtection(facts, rules, t.sure(doubt)); longest != nil {
		out.Protected, out.ProtectedUntil = Protect(longest.By), longest.Until
	}
	winners := map[Action]*Policy{}
	for _, action := range []Action{ActionArchive, ActionDelete} {
		if winner := retention.Choose(facts, rules, retention.Action(action), shortest); winner != nil {
			winners[action] = &policies[slices.IndexFunc(policies, func(p Policy) bool { return p.ID == winner.ID })]
		}
	}
	x := explanation{facts, calendar, shortest}
	out.Archive, out.Delete = x.fate(ActionArchive, winners[ActionArchive]), x.fate(ActionDelete, winners[ActionDelete])
	for _, p := range policies {
		out.Policies = append(out.Policies, x.policyFate(p, winners[p.Action]))
	}
	slices.SortStableFunc(out.Policies, func(a, b PolicyFate) int {
		if a.Wins != b.Wins {
			return map[bool]int{true: -1, false: 1}[a.Wins]
		}
		return retention.Scope(b.Scope).Rank() - retention.Scope(a.Scope).Rank()
	})
	out.Next = t.next(d, &out, rules, shortest) + x.unconfirmed(rules, t.sure(doubt))
	return out, nil
}

// startWords say what a period counts from.
func (p *Policy) startWords() string {
	words := map[Start]string{StartCreated: "its creation", StartUpdated: "its last change", StartVersion: "its current version"}[p.StartFrom]
	if words == "" {
		words = fmt.Sprintf("the date in its field %q", strings.TrimPrefix(string(p.StartFrom), retention.FromField))
	}
	switch p.StartAt {
	case StartAtEndOfMonth:
		words = "the end of the month of " + words
	case StartAtEndOfYear:
		words = "the end of the year of " + words
	}
	return words
}

func (p *Policy) words() string {
	of := "everything"
	if p.Scope != ScopeOrganization {
		of = fmt.Sprintf("the %s %q", p.Scope, p.Target)
	}
	return fmt.Sprintf("the policy %q for %s", p.Name, of)
}

// explanation is what the sentences about a document are made of.
type explanation struct {
	facts    *retention.Document
	calendar *retention.Calendar
	shortest bool
}

func (x *explanation) fate(action Action, winner *Policy) Fate {
	facts := x.facts
	switch {
	case winner == nil:
		return Fate{Why: fmt.Sprintf("no enabled policy says to %s it", action)}
	case action == ActionArchive && facts.Archived:
		return Fate{PolicyID: winner.ID, Why: "it is archived already"}
	}
	rule := winner.forRules(x.calendar)
	start := rule.Start.Day(facts)
	if start.IsZero() {
		return Fate{PolicyID: winner.ID, Why: fmt.Sprintf("%s counts from %s, which is not set; until it is, it is never due", winner.words(), winner.startWords())}
	}
	return Fate{rule.Over(facts), winner.ID, fmt.Sprintf("%s says to %s, %s", winner.words(), winner.rule(), start.Format(time.DateOnly))}
}

// rule says what a policy does, and when.
func (p *Policy) rule() string {
	return fmt.Sprintf("%s it %s after %s", p.Action, p.Period.Words(), p.startWords())
}

// policyFate says why a policy counts for the document, or does not.
func (x *explanation) policyFate(p Policy, winner *Policy) PolicyFate {
	facts, rule := x.facts, p.forRules(x.calendar)
	f := PolicyFate{Policy: p, StartAt: rule.Start.Of(facts), DueAt: rule.Over(facts), Says: p.rule()}
	if start := rule.Start.Day(facts); start.IsZero() {
		f.Says += ", which is not set"
	} else {
		f.Says += ", " + start.Format(time.DateOnly)
	}
	switch {
	case !p.Enabled:
		f.Why = "it is disabled"
	case p.ID == winner.ID:
		f.Wins, f.Why = true, fmt.Sprintf("it is the most specific one that says to %s", p.Action)
	default:
		f.Why = x.beats(winner, &rule)
	}
	if p.Enabled && p.Protect != ProtectNone {
		f.Why += fmt.Sprintf("; whichever wins, it protects the document by %s until its period is over", p.Protect)
	}
	if p.Enabled && rule.Unconfirmed(facts) {
		f.Why += ", counted from its creation if that ends later, since no admin has confirmed the date"
	}
	return f
}

// beats says by what a policy has won over another.
func (x *explanation) beats(p *Policy, other *retention.Policy) string {
	rule := p.forRules(x.calendar)
	switch by := rule.Advantage(x.facts, other); {
	case by == retention.ByScope:
		return fmt.Sprintf("the policy %q is more specific: it is for the %s", p.Name, p.Scope)
	case by == retention.ByAge:
		return fmt.Sprintf("the policy %q has the same scope and period, and was made first", p.Name)
	case x.shortest:
		return fmt.Sprintf("the policy %q of the same scope has the shorter period, which counts by the settings", p.Name)
	}
	return fmt.Sprintf("the policy %q of the same scope has the longer period, which counts by the settings", p.Name)
}

// unconfirmed says what an admin does about a date that is not confirmed, while it
// is the reason why the document is protected for longer.
func (x *explanation) unconfirmed(rules []retention.Policy, now time.Time) string {
	for _, p := range rules {
		until := p.Keeps(x.facts)
		if !p.Enabled || !p.Unconfirmed(x.facts) || !until.After(now) || !until.After(p.Over(x.facts)) {
			continue
		}
		key := strings.TrimPrefix(p.Start.From, retention.FromField)
		return fmt.Sprintf(" No admin has confirmed the date in its field %q, so compliance counts from its creation, until %s; an admin confirms the date by setting it to the same value again.", key, day(until, x.calendar.Zone))
	}
	return ""
}

// next says in one sentence what happens next.
func (t *tx) next(d *document, x *Disposition, policies []retention.Policy, shortest bool) string {
	for _, action := range []retention.Action{retention.ActionDelete, retention.ActionArchive} {
		if v, due := t.judge(d, action, policies, shortest, t.sure(""), ""); due {
			if text := x.dueNow(d, v); text != "" {
				return text
			}
		}
	}
	deleted, archived := x.deletable(), x.Archive.EligibleAt
	var text string
	switch {
	case deleted.IsZero() && archived.IsZero():
		text = "It is kept: no policy will archive or delete it as things are"
	case deleted.IsZero():
		text = "The first run after " + day(archived, x.zone) + " will archive it, and nothing will delete it as things are"
	case archived.IsZero() || !archived.Before(deleted):
		text = "The first run after " + day(deleted, x.zone) + " will delete it"
	default:
		text = "The first run after " + day(archived, x.zone) + " will archive it, and the first after " + day(deleted, x.zone) + " will delete it"
	}
	switch {
	case deleted.IsZero() && archived.IsZero():
		text += x.protection()
	case d.HoldCount > 0:
		text += fmt.Sprintf(", but not before its %s", heldBy(d))
	}
	return text + "."
}

// protection says who may not delete a document that no policy will.
func (x *Disposition) protection() string {
	who, until := "; nobody may delete it before ", "a date is set that is missing"
	switch {
	case x.Protected == "":
		return ""
	case x.Protected == ProtectGovernance:
		who = "; only an admin who bypasses governance may delete it before "
	}
	if !x.ProtectedUntil.IsZero() {
		until = day(x.ProtectedUntil, x.zone)
	}
	return who + until
}

// deletable is when it is due to be deleted and nothing protects it any more;
// zero: never, as things are.
func (x *Disposition) deletable() time.Time {
	at := x.Delete.EligibleAt
	if x.Protected == "" || at.IsZero() || !x.ProtectedUntil.IsZero() && at.After(x.ProtectedUntil) {
		return at
	}
	return x.ProtectedUntil
}

func day(at time.Time, zone *time.Location) string {
	return at.In(zone).Format("2 January 2006 15:04 ") + zone.String()
}

func heldBy(d *document) string {
	if d.HoldCount == 1 {
		return "legal hold is released"
	}
	return fmt.Sprintf("%d legal holds are released", d.HoldCount)
}

// dueNow says in one sentence what a verdict means. It is "" if the other action
// comes first.
func (x *Disposition) dueNow(d *document, v retention.Verdict) string {
	doing := map[retention.Action]string{retention.ActionArchive: "archived", retention.ActionDelete: "deleted"}[v.Action]
	switch v.Because {
	case retention.Held:
		return fmt.Sprintf("It is due to be %s, and stays until its %s; then the next run does it.", doing, heldBy(d))
	case retention.Locked:
		return fmt.Sprintf("It is due to be %s, and stays while it is locked; the next run after that does it.", doing)
	case retention.Protected:
		if !x.Archive.EligibleAt.IsZero() && !d.Archived {
			return "" // that may come first
		}
		if x.ProtectedUntil.IsZero() {
			return "It is due to be deleted, and a policy protects it until a date that is not set yet."
		}
		return fmt.Sprintf("It is due to be deleted, and a policy protects it until %s; the next run after that does it.", day(x.ProtectedUntil, x.zone))
	}
	if v.Action == retention.ActionArchive {
		return "The next run archives it."
	}
	return "The next run deletes it, with all its versions, for good."
}
