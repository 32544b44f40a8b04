package retention

import (
	"slices"
	"strings"
	"time"
)

// Document is of a document what the rules look at.
type Document struct {
	ID, Product, Template, Category string

	CreatedAt, UpdatedAt time.Time
	VersionAt            time.Time // when its current version was made
	// Fields are its custom fields by key. A date is a string, like 2026-11-30.
	Fields map[string]any
	// Confirmed are the keys of the dates that somebody with admin access has set,
	// or has sent again.
	Confirmed []string

	Archived    bool
	Held        bool      // it bears a legal hold
	Locked      bool      // somebody edits it
	Doubted     bool      // nobody knows what time it is
	RetainUntil time.Time // what was stamped last; zero: nothing (see Compliance.Stamp)
}

// Target is what a policy of a scope must name to be for the document. ok is
// false if no policy of that scope can be.
func (d *Document) Target(s Scope) (target string, ok bool) {
	switch s {
	case ScopeOrganization:
		return "", true
	case ScopeProduct:
		target = d.Product
	case ScopeTemplate:
		target = d.Template
	case ScopeCategory:
		target = d.Category
	case ScopeDocument:
		target = d.ID
	}
	return target, target != ""
}

// What a period can count from; FromField is followed by the key of a date
// field.
const (
	FromCreated = "createdAt"
	FromUpdated = "updatedAt"
	FromVersion = "currentVersion"
	FromField   = "field:"
)

// Fact is the instant of a document that periods count from; zero if it is
// missing. A date is the instant at which it has begun everywhere on earth, noon
// in UTC: so a vault's time zone moves no fact, and nothing is ever due on the day
// before.
func (d *Document) Fact(from string) time.Time {
	switch from {
	case FromCreated:
		return d.CreatedAt
	case FromUpdated:
		return d.UpdatedAt
	case FromVersion:
		return d.VersionAt
	}
	value, _ := d.Fields[strings.TrimPrefix(from, FromField)].(string)
	day, err := time.Parse(time.DateOnly, value)
	if err != nil {
		return time.Time{}
	}
	return day.Add(12 * time.Hour)
}

func (d *Document) confirmed(key string) bool { return slices.Contains(d.Confirmed, key) }
