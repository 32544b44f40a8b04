package engine

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"time"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

// The engine reads what a decision needs. The rules in
// strongroom/engine/internal/retention decide, and need no database.

// Result is what a run of retention has done to a document or would do, or why
// it leaves it alone.
type Result string

const (
	ResultDue       Result = "due"       // of a plan: the run would do it
	ResultArchived  Result = "archived"  // it is archived
	ResultDeleted   Result = "deleted"   // it is deleted
	ResultErased    Result = "erased"    // it is deleted, for an erasure that was deferred and by no policy
	ResultHeld      Result = "held"      // left alone: a legal hold keeps it
	ResultLocked    Result = "locked"    // left alone: somebody edits it
	ResultProtected Result = "protected" // left alone: a policy forbids its deletion, or a stamp of one that it has left
	ResultFailed    Result = "failed"    // left alone: it was not as planned any more, or could not be dealt with
)

// forRules is what the rules look at.
func (p *Policy) forRules(c *retention.Calendar) retention.Policy {
	period, _, _ := retention.ParsePeriod(string(p.Period)) // a record is not read without one
	return retention.Policy{
		ID: p.ID, Scope: retention.Scope(p.Scope), Target: p.Target, Action: retention.Action(p.Action),
		Start: retention.Start{From: string(p.StartFrom), At: retention.StartAt(p.StartAt), Calendar: c}, Period: period,
		Protect: retention.Protect(p.Protect), Enabled: p.Enabled,
	}
}

// rulesOf is what the rules look at, of each policy.
func rulesOf(policies []Policy, c *retention.Calendar) []retention.Policy {
	list := make([]retention.Policy, len(policies))
	for i := range policies {
		list[i] = policies[i].forRules(c)
	}
	return list
}

// calendar is that of the settings. As zone, it is kept from one transaction to
// the next.
func (t *tx) calendar() (*retention.Calendar, error) {
	s, err := t.settings()
	if err != nil {
		return nil, err
	}
	if c := t.v.calendar.Load(); c != nil && c.Zone.String() == s.TimeZone &&
		slices.EqualFunc(c.Former, s.formerZones, func(z *time.Location, name string) bool { return z.String() == name }) {
		return c, nil
	}
	c, err := calendarOf(&s)
	if err == nil {
		t.v.calendar.Store(c)
	}
	return c, err
}

func calendarOf(s *Settings) (*retention.Calendar, error) {
	zone, err := loadZone(s.TimeZone)
	if err != nil {
		return nil, err
	}
	c := &retention.Calendar{Zone: zone}
	for _, name := range s.formerZones {
		if zone, err = loadZone(name); err != nil {
			return nil, err
		}
		c.Former = append(c.Former, zone)
	}
	return c, nil
}

// forRules is what the rules look at. It does not say whether the document is
// locked: that depends on the clock.
func (d *document) forRules() *retention.Document {
	return &retention.Document{
		ID: d.ID, Product: d.Product, Template: d.TemplateID, Category: d.Category,
		CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt, VersionAt: d.Current.CreatedAt, Fields: d.CustomFields, Confirmed: d.confirmed,
		Archived: d.Archived, Held: d.HoldCount > 0, RetainUntil: d.retainUntil,
	}
}

// judge decides on one document for retention: what is to be done to it by an
// action that is due at an instant. The policies are all that are for it. due is
// false if nothing is. A plan has no doubt: who accepts the clock has it carried out.
func (t *tx) judge(d *document, action retention.Action, policies []retention.Policy, shortest bool, at time.Time, doubt Doubt) (v retention.Verdict, due bool) {
	facts := d.forRules()
	facts.Locked, facts.Doubted = t.live(d) != nil, doubt != ""
	return retention.Judge(facts, action, policies, shortest, at, t.sure(doubt))
}

// shortestWins is the setting retentionConflict.
func (t *tx) shortestWins() (bool, error) {
	s, err := t.settings()
	return s.RetentionConflict == ConflictShortest, err
}

// Conflict is which policy counts if several of the same rank are for a document.
type Conflict string

const (
	ConflictLongest  Conflict = "longest"  // the one whose period ends last
	ConflictShortest Conflict = "shortest" // the one whose period ends first
)

// rules reads the policies, with what is supposed of them.
func (t *tx) rules(s supposed) (*retention.Rules, error) {
	settings, err := t.settings()
	if err != nil {
		return nil, err
	}
	if s.settings != nil {
		settings = *s.settings
	}
	calendar, err := calendarOf(&settings)
	if err != nil {
		return nil, err
	}
	var policies []retention.Policy
	if s.policy != nil {
		policies = append(policies, s.policy.forRules(calendar))
	}
	err = t.eachPolicy(func(p Policy) {
		if s.policy == nil || p.ID != s.policy.ID {
			policies = append(policies, p.forRules(calendar))
		}
	})
	return retention.NewRules(policies, settings.RetentionConflict == ConflictShortest), err
}

const maxPolicies = 1_000

// checkPolicy checks and spells a policy as it is to be. What it names must be
// there when it is first named. It may go later, and the policy stays valid.
func (t *tx) checkPolicy(old Policy, p *Policy) error {
	var c checks
	p.Name = check.Trim(p.Name)
	c.Required("name", p.Name, check.MaxName)
	c.OneOf("scope", (*string)(&p.Scope), "organization", "product", "template", "category", "document")
	c.OneOf("action", (*string)(&p.Action), "archive", "delete")
	c.OneOf("protect", (*string)(&p.Protect), "none", "governance", "compliance")
	c.OneOf("startAt", (*string)(&p.StartAt), "day", "endOfMonth", "endOfYear")
	if _, spelled, ok := retention.ParsePeriod(string(p.Period)); ok {
		p.Period = Period(spelled)
	} else {
		c.Fail("period", retention.ProblemPeriod)
	}
	if p.Protect == ProtectCompliance && old.ID == "" {
		c.Fail("protect", "becomes compliance by a change of a policy that is there, confirmed with its name")
	}
	if p.Scope != old.Scope || p.Target != old.Target {
		if err := t.checkTarget(&c, p); err != nil {
			return err
		}
	}
	if p.StartFrom != old.StartFrom {
		if err := t.checkStart(&c, p.StartFrom); err != nil {
			return err
		}
	}
	return c.err()
}

// checkTarget looks at what the policy is for.
func (t *tx) checkTarget(c *checks, p *Policy) error {
	switch p.Scope {
	case ScopeOrganization:
		if p.Target != "" {
			c.Fail("target", "must be empty for the scope organization, which is every document")
		}
	case ScopeProduct, ScopeTemplate:
		c.Required("target", p.Target, check.MaxShort)
	case ScopeCategory:
		err := t.knownCategory(p.Target)
		if e, ok := errors.AsType[*InvalidError](err); ok {
			c.Fail("target", "%s", e.Fields[0].Message)
			return nil
		}
		return err
	case ScopeDocument:
		d, err := t.document(p.Target)
		switch {
		case errors.Is(err, ErrDocumentNotFound) || err == nil && d.deleted:
			c.Fail("target", "must be the id of a document of this vault")
		case err != nil:
			return err
		default:
			p.Target = d.ID
		}
	}
	return nil
}

func (t *tx) checkStart(c *checks, from Start) error {
	switch from {
	case StartCreated, StartUpdated, StartVersion:
		return nil
	}
	key, ok := strings.CutPrefix(string(from), retention.FromField)
	if !ok {
		c.Fail("startFrom", "must be createdAt, updatedAt, currentVersion or field:<key>")
		return nil
	}
	f, err := t.field(key)
	if err != nil && !errors.Is(err, ErrFieldNotFound) {
		return err
	}
	if f.Type != DateField {
		c.Fail("startFrom", "must name a field of type date after field:")
	}
	return nil
}

// policyRows returns the index rows of a policy: one, by what it is for.
func policyRows(p *Policy) [][]byte {
	key, _ := store.ParseID(p.ID)
	return [][]byte{append(scopePrefix(p.Scope, p.Target), key[:]...)}
}

func scopePrefix(s Scope, target string) []byte { return []byte(text(string(s)) + text(target)) }

// policiesOf returns every policy that is for this document, enabled or not.
func (t *tx) policiesOf(d *document) (found []Policy, err error) {
	rows := t.Cursor(bucketScopes)
	if first, _ := rows.First(); first == nil { // most vaults have none, and are asked at every change
		return nil, nil
	}
	facts := d.forRules()
	for _, s := range retention.Scopes() {
		target, ok := facts.Target(s)
		if !ok {
			continue
		}
		prefix := scopePrefix(Scope(s), target)
		for k, _ := rows.Seek(prefix); bytes.HasPrefix(k, prefix); k, _ = rows.Next() {
			if len(k) != len(prefix)+len(id{}) {
				return nil, errDamaged
			}
			p, err := t.policyAt(id(k[len(prefix):]))
			if err != nil {
				return nil, err
			}
			found = append(found, p)
		}
	}
	return found, nil
}

// rulesFor is what the rules look at, of every policy that is for this document.
func (t *tx) rulesFor(d *document) ([]retention.Policy, error) {
	policies, err := t.policiesOf(d)
	if err != nil || len(policies) == 0 {
		return nil, err
	}
	calendar, err := t.calendar()
	return rulesOf(policies, calendar), err
}

// fieldNamed says whether a policy counts from a field.
func (t *tx) fieldNamed(key string) (named bool, err error) {
	err = t.eachPolicy(func(p Policy) { named = named || p.StartFrom == StartField(key) })
	return named, err
}

func (t *tx) eachPolicy(fn func(Policy)) error {
	rows := t.Cursor(bucketPolicies)
	for k, b := rows.First(); k != nil; k, b = rows.Next() {
		p, err := decodePolicy(id(k), b)
		if err != nil {
			return err
		}
		fn(p)
	}
	return nil
}

// count is how many rows a small bucket has, at most so many.
func (t *tx) count(bucket []byte, most int) (n int) {
	rows := t.Cursor(bucket)
	for k, _ := rows.First(); k != nil && n < most; k, _ = rows.Next() {
		n++
	}
	return n
}
