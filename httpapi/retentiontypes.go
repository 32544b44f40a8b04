package httpapi

import "strongroom/engine"

// Policy is a rule of retention.
type Policy struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Scope     string `json:"scope" enum:"organization|product|template|category|document"`
	Target    string `json:"target" doc:"The product, templateId, category or document it is for; empty for an organization."`
	Period    string `json:"period" doc:"A duration of ISO 8601 in years and months, weeks, or days, such as P10Y, P6M, P2W or P30D, in calendar dates in settings.timeZone. It ends at the time of day at which it began."`
	Action    string `json:"action" enum:"archive|delete"`
	StartFrom string `json:"startFrom" doc:"What the period counts from: createdAt, updatedAt, currentVersion, or field: and the key of a date field."`
	StartAt   string `json:"startAt" enum:"day|endOfMonth|endOfYear" doc:"endOfMonth, endOfYear: the period begins at the end of the month or calendar year of that, in settings.timeZone, and ends at the end of a day."`
	Protect   string `json:"protect" enum:"none|governance|compliance" doc:"What forbids deletion until the period is over: governance may be bypassed by an admin, compliance by nobody."`
	Enabled   bool   `json:"enabled"`
	CreatedAt Time   `json:"createdAt"`
	UpdatedAt Time   `json:"updatedAt"`
	Revision  uint64 `json:"revision" doc:"It is the ETag."`
}

func policyOf(p engine.Policy) Policy {
	return Policy{
		ID: p.ID, Name: p.Name, Scope: string(p.Scope), Target: p.Target, Period: string(p.Period), Action: string(p.Action),
		StartFrom: string(p.StartFrom), StartAt: string(p.StartAt), Protect: string(p.Protect), Enabled: p.Enabled,
		CreatedAt: Time(p.CreatedAt), UpdatedAt: Time(p.UpdatedAt), Revision: p.Revision,
	}
}

// RunCounts says of how many documents.
type RunCounts struct {
	Archived  uint64 `json:"archived"`
	Deleted   uint64 `json:"deleted"`
	Erased    uint64 `json:"erased" doc:"For erasures that were deferred."`
	Held      uint64 `json:"held" doc:"Left alone because of a legal hold."`
	Locked    uint64 `json:"locked" doc:"Left alone because somebody edits them."`
	Protected uint64 `json:"protected" doc:"Left alone because a policy forbids their deletion."`
	Failed    uint64 `json:"failed" doc:"Not due any more as planned, or not possible."`
}

// Run is one run of retention.
type Run struct {
	ID         string    `json:"id"`
	Status     string    `json:"status" enum:"running|completed|refused"`
	Trigger    string    `json:"trigger" enum:"schedule|manual"`
	StartedBy  string    `json:"startedBy" doc:"A user's id, or system."`
	StartedAt  Time      `json:"startedAt"`
	FinishedAt Time      `json:"finishedAt" null:"running"`
	PlanDigest string    `json:"planDigest" doc:"The SHA-256 of the plan: a line for each document, in order: its id, the action, the policy's id and due, held, locked, protected or failed."`
	Why        string    `json:"why" enum:"|behind|parted|silence" doc:"Why it was refused: the clock is behind the log; it has been set by more than an hour; there was no entry for longer than maxClockGapDays."`
	Counts     RunCounts `json:"counts" doc:"Zero while it runs."`
}

func runOf(r engine.Run) Run {
	return Run{
		ID: r.ID, Status: string(r.Status), Trigger: string(r.Trigger), StartedBy: r.StartedBy,
		StartedAt: Time(r.StartedAt), FinishedAt: Time(r.FinishedAt), PlanDigest: r.PlanDigest.String(),
		Why: string(r.Why), Counts: RunCounts(r.Counts),
	}
}

// Outcome is what became of a document that was due.
type Outcome struct {
	DocumentID string `json:"documentId"`
	Action     string `json:"action" enum:"archive|delete"`
	PolicyID   string `json:"policyId"`
	Outcome    string `json:"outcome" enum:"archived|deleted|erased|held|locked|protected|failed"`
}

func outcomeOf(o engine.Outcome) Outcome {
	return Outcome{o.DocumentID, string(o.Action), o.PolicyID, string(o.Outcome)}
}

// Preview is what a run would do.
type Preview struct {
	PlanDigest string           `json:"planDigest" doc:"A run started with it does exactly this. With a policy or settings it stands for what was supposed instead, and the change that makes it so takes it."`
	Counts     RunCounts        `json:"counts" doc:"Of the whole plan."`
	Items      []PlannedOutcome `json:"items"`
	NextCursor string           `json:"nextCursor,omitempty" doc:"Give it back as cursor for the next page; absent on the last."`
}

// PlannedOutcome is what a run would do to a document.
type PlannedOutcome struct {
	DocumentID string `json:"documentId"`
	Name       string `json:"name"`
	Would      string `json:"would" enum:"archive|delete"`
	PolicyID   string `json:"policyId" doc:"new stands for the policy that the preview adds."`
	Because    string `json:"because" enum:"due|held|locked|protected|failed" doc:"due if it would; or why it would leave it alone: failed is a document that cannot be read."`
}

func previewOf(p engine.Preview) Preview {
	return Preview{
		PlanDigest: p.PlanDigest.String(), Counts: RunCounts(p.Counts), NextCursor: p.Page.NextCursor,
		Items: mapped(p.Page.Items, func(o engine.PlannedOutcome) PlannedOutcome {
			return PlannedOutcome{o.DocumentID, o.Name, string(o.Would), o.PolicyID, string(o.Because)}
		}),
	}
}

// Disposition explains what will become of a document.
type Disposition struct {
	Archive        Fate         `json:"archive"`
	Delete         Fate         `json:"delete"`
	Policies       []PolicyFate `json:"policies" doc:"All that are for the document, those that decide first."`
	Holds          []Hold       `json:"holds" doc:"Active ones, 500 at most."`
	Lock           *Lock        `json:"lock,omitempty"`
	Protected      string       `json:"protected" enum:"|governance|compliance" doc:"What forbids its deletion now; empty: nothing does."`
	ProtectedUntil Time         `json:"protectedUntil" null:"not protected, or until a fact is known that is not set"`
	Next           string       `json:"next" doc:"What happens next, in a sentence."`
}

// Fate is when a document is due.
type Fate struct {
	EligibleAt Time   `json:"eligibleAt" null:"never, as things are"`
	PolicyID   string `json:"policyId" doc:"Which decides; empty: none."`
	Why        string `json:"why"`
}

// PolicyFate is what a policy says of a document.
type PolicyFate struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Scope   string `json:"scope" enum:"organization|product|template|category|document"`
	Action  string `json:"action" enum:"archive|delete"`
	StartAt Time   `json:"startAt" null:"the fact it counts from is not set"`
	DueAt   Time   `json:"dueAt" null:"the fact it counts from is not set"`
	Wins    bool   `json:"wins" doc:"Whether it decides."`
	Says    string `json:"says" doc:"Its rule, and from which date it counts here."`
	Why     string `json:"why" doc:"Why it decides, or does not."`
}

func fateOf(f engine.Fate) Fate { return Fate{Time(f.EligibleAt), f.PolicyID, f.Why} }

func dispositionOf(vault *engine.Vault, d engine.Disposition) Disposition {
	out := Disposition{
		Archive: fateOf(d.Archive), Delete: fateOf(d.Delete), Holds: mapped(d.Holds, holdOf),
		Policies: mapped(d.Policies, func(p engine.PolicyFate) PolicyFate {
			return PolicyFate{p.ID, p.Name, string(p.Scope), string(p.Action), Time(p.StartAt), Time(p.DueAt), p.Wins, p.Says, p.Why}
		}),
		Protected: string(d.Protected), ProtectedUntil: Time(d.ProtectedUntil), Next: d.Next,
	}
	if d.Lock != nil {
		lock := lockOf(vault, *d.Lock)
		out.Lock = &lock
	}
	return out
}
