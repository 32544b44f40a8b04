package retention

import "slices"

// Rules are the enabled policies of a vault, by what they are for.
type Rules struct {
	Shortest bool // of equal scopes the shortest period wins, and not the longest

	by    map[scoped][]Policy
	facts map[Action][]string // from which policies of scopes other than document count, sorted
	alone []string            // documents that have a policy of their own, sorted
}

type scoped struct {
	scope  Scope
	target string
}

// NewRules sorts policies; those that are disabled are none of the rules.
func NewRules(policies []Policy, shortest bool) *Rules {
	r := &Rules{Shortest: shortest, by: map[scoped][]Policy{}, facts: map[Action][]string{}}
	for _, p := range policies {
		if p.Enabled {
			r.add(p)
		}
	}
	for action, facts := range r.facts {
		r.facts[action] = sortedSet(facts)
	}
	r.alone = sortedSet(r.alone)
	return r
}

func (r *Rules) add(p Policy) {
	at := scoped{p.Scope, p.Target}
	r.by[at] = append(r.by[at], p)
	if p.Scope == ScopeDocument {
		r.alone = append(r.alone, p.Target)
	} else {
		r.facts[p.Action] = append(r.facts[p.Action], p.Start.From)
	}
}

func sortedSet(list []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(list)))
}

// For returns the policies that are for a document. Without an ID it stands for
// all that have its product, template and category.
func (r *Rules) For(d *Document) (found []Policy) {
	for _, s := range Scopes() {
		if target, ok := d.Target(s); ok {
			found = append(found, r.by[scoped{s, target}]...)
		}
	}
	return found
}

// Facts are all from which the rules count by which they act on more than one
// document; those of one action.
func (r *Rules) Facts(action Action) []string { return r.facts[action] }

// AllFacts are those of both actions.
func (r *Rules) AllFacts() []string {
	return sortedSet(slices.Concat(r.facts[ActionArchive], r.facts[ActionDelete]))
}

// Alone are the ids of documents that have a policy of their own, sorted.
func (r *Rules) Alone() []string { return r.alone }

// IsAlone says whether a document has a policy of its own.
func (r *Rules) IsAlone(documentID string) bool {
	return len(r.by[scoped{ScopeDocument, documentID}]) > 0
}
