package retention

import "time"

// Right is by what a document is disposed of.
type Right string

const (
	RightManual  Right = "manual"    // somebody deletes it
	RightBypass  Right = "bypass"    // an admin deletes it, bypasses governance and says why
	RightPolicy  Right = "retention" // it is due by a policy
	RightErasure Right = "erasure"   // a person's right that it be erased
)

// Because is why a document that is due is left alone; Due if it is not.
type Because string

const (
	Due       Because = "due"
	Held      Because = "held"      // a legal hold keeps it
	Locked    Because = "locked"    // somebody edits it
	Protected Because = "protected" // it must not be deleted yet
	Archived  Because = "archived"  // it would have to be unarchived before
	Doubted   Because = "doubted"   // the clock is not trusted with what cannot be undone
)

// Obstacle is what keeps a document from being disposed of.
type Obstacle struct {
	Because    Because     // Held, Archived, Protected or Doubted
	Protection *Protection // not nil if Protected
}

// ObstacleTo says what forbids that a document be disposed of by a right, by
// these policies, which are all that are for it; nil: nothing does. It is the
// table "What may be disposed of". An erasure overrides governance: the law of
// the person stands before the rules of the house, but not before other law.
func ObstacleTo(right Right, d *Document, policies []Policy, now time.Time) *Obstacle {
	switch {
	case d.Held:
		return &Obstacle{Because: Held}
	case d.Archived && (right == RightManual || right == RightBypass):
		return &Obstacle{Because: Archived}
	}
	var p *Protection
	if right == RightErasure || right == RightBypass {
		p = ProtectionBy(ProtectCompliance, d, policies, now)
	} else {
		p = LongestProtection(d, policies, now)
	}
	switch {
	case p != nil:
		return &Obstacle{Protected, p}
	case d.Doubted:
		return &Obstacle{Because: Doubted}
	}
	return nil
}

// Verdict is what the rules say of one document that is due.
type Verdict struct {
	Action   Action
	PolicyID string  // which decides
	From     string  // what its period counts from
	Because  Because // Due, or what keeps it
}

// Judge says what is to be done to a document, by these policies, which are all
// that are for it. due is false if nothing is, by this action. at is when it must
// be due; now is when it would be done. What is to be deleted is not archived,
// unless it is protected.
func Judge(d *Document, action Action, policies []Policy, shortest bool, at, now time.Time) (v Verdict, due bool) {
	winner := Choose(d, policies, action, shortest)
	if winner == nil || action == ActionArchive && d.Archived {
		return v, false
	}
	if over := winner.Over(d); over.IsZero() || over.After(at) {
		return v, false
	}
	if action == ActionArchive {
		if other, too := Judge(d, ActionDelete, policies, shortest, at, now); too && other.Because != Protected {
			return v, false
		}
	}
	return Verdict{action, winner.ID, winner.Start.From, because(d, action, policies, now)}, true
}

// because says what keeps a document from what is due. A hold and protection
// count before a lock: they stay when it has gone.
func because(d *Document, action Action, policies []Policy, now time.Time) Because {
	var keeps *Obstacle
	if action == ActionDelete {
		keeps = ObstacleTo(RightPolicy, d, policies, now)
	} else if d.Held {
		keeps = &Obstacle{Because: Held}
	}
	switch {
	case keeps != nil:
		return keeps.Because
	case d.Locked:
		return Locked
	}
	return Due
}
