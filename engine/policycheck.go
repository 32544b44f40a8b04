package engine

import (
	"bytes"
	"errors"
	"strings"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/retention"
	"strongroom/engine/internal/store"
)

const (
	maxPolicies = 1_000
	maxPeriod   = 73_000 // days: two hundred years
)

// checkPolicy checks and spells a policy as it is to be. What it names must be
// there when it is first named. It may go later, and the policy stays valid.
func (t *tx) checkPolicy(old Policy, p *Policy) error {
	var c checks
	p.Name = strings.TrimSpace(p.Name)
	c.Required("name", p.Name, check.MaxName)
	c.OneOf("scope", (*string)(&p.Scope), "organization", "product", "template", "category", "document")
	c.OneOf("action", (*string)(&p.Action), "archive", "delete")
	c.OneOf("protect", (*string)(&p.Protect), "none", "governance", "compliance")
	if p.PeriodDays > maxPeriod {
		c.Fail("periodDays", "must be at most %d", maxPeriod)
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

func (t *tx) checkStart(c *checks, from string) error {
	switch from {
	case retention.FromCreated, retention.FromUpdated, retention.FromVersion:
		return nil
	}
	key, ok := strings.CutPrefix(from, retention.FromField)
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

// fieldNamed says whether a policy counts from a field.
func (t *tx) fieldNamed(key string) (named bool, err error) {
	err = t.eachPolicy(func(p Policy) { named = named || p.StartFrom == retention.FromField+key })
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
