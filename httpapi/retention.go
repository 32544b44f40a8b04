package httpapi

import (
	"context"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

func (s *Server) retentionRoutes() []route {
	noPolicy, noRun := engine.ErrPolicyNotFound, engine.ErrRunNotFound
	return []route{
		endpoint("POST", "/v1/retention/policies", 201, admin, "Create a retention policy", createPolicy),
		endpoint("GET", "/v1/retention/policies", 200, admin, "List the retention policies", listPolicies),
		endpoint("GET", "/v1/retention/policies/:id", 200, admin, "Read a retention policy", getPolicy, noPolicy),
		endpoint("PATCH", "/v1/retention/policies/:id", 200, admin, "Change a retention policy; one of compliance can be renamed and prolonged", updatePolicy, noPolicy, engine.ErrPolicyLocked),
		endpoint("DELETE", "/v1/retention/policies/:id", 200, admin, "Delete a retention policy; the answer is what it was", deletePolicy, noPolicy, engine.ErrPolicyLocked),

		endpoint("POST", "/v1/retention/preview", 200, admin, "Preview what a run of retention would do now, as things are or with a policy added or changed", previewRun, noPolicy),
		endpoint("POST", "/v1/retention/runs", 202, admin, "Start a run of retention, bound to a preview or not; while one runs, that one is the answer", startRun, engine.ErrPlanChanged),
		endpoint("GET", "/v1/retention/runs", 200, admin, "List the runs of retention, the last one first", listRuns),
		endpoint("GET", "/v1/retention/runs/:id", 200, admin, "Read a run of retention, or wait for its end", s.getRun, noRun),
		endpoint("GET", "/v1/retention/runs/:id/outcomes", 200, admin, "List what became of each document that was due: what was done, then what was left alone", listOutcomes, noRun),
		endpoint("GET", "/v1/documents/:id/disposition", 200, admin, "Explain what will become of a document, and why", getDisposition, noDocument, deleted),
	}
}

type newPolicy struct {
	Name       string         `json:"name" required:"true"`
	Scope      engine.Scope   `json:"scope" required:"true" enum:"organization|product|template|category|document"`
	Target     string         `json:"target" doc:"The product, templateId, category or document it is for; none for an organization."`
	PeriodDays *uint64        `json:"periodDays" required:"true" max:"73000" doc:"Of 24 hours."`
	Action     engine.Action  `json:"action" required:"true" enum:"archive|delete"`
	StartFrom  engine.Start   `json:"startFrom" doc:"createdAt, updatedAt, currentVersion, or field: and the key of a date field. A date begins at noon, UTC, when it has begun everywhere. Absent: createdAt."`
	Protect    engine.Protect `json:"protect" enum:"none|governance" doc:"Absent: none. A policy becomes one of compliance by a change of it."`
	Enabled    *bool          `json:"enabled" doc:"Absent: true."`
}

type createPolicyInput struct {
	Policy newPolicy `body:"json"`
}

func createPolicy(ctx context.Context, c caller, in createPolicyInput) (reply[Policy], error) {
	n := in.Policy
	if n.PeriodDays == nil { // nobody means at once who says nothing
		return reply[Policy]{}, inBody("periodDays", "must be given")
	}
	p, receipt, err := c.vault.CreatePolicy(ctx, c.actor, engine.NewPolicy{
		Name: n.Name, Scope: n.Scope, Target: n.Target, PeriodDays: *n.PeriodDays, Action: n.Action,
		StartFrom: n.StartFrom, Protect: n.Protect, Disabled: n.Enabled != nil && !*n.Enabled,
	})
	out := changedPolicy(p, receipt)
	out.location = "/v1/retention/policies/" + p.ID
	return out, err
}

func changedPolicy(p engine.Policy, r engine.Receipt) reply[Policy] {
	return reply[Policy]{body: policyOf(p), revision: p.Revision, receipt: r}
}

func listPolicies(ctx context.Context, c caller, in paging) (reply[List[Policy]], error) {
	page, err := c.vault.Policies(ctx, in.engine())
	return answer(listOf(page, policyOf)), err
}

type policyInput struct {
	ID string `path:"id"`
}

func getPolicy(ctx context.Context, c caller, in policyInput) (reply[Policy], error) {
	p, err := c.vault.Policy(ctx, in.ID)
	return changedPolicy(p, engine.Receipt{}), err
}

type policyChange struct {
	ID      string  `path:"id"`
	IfMatch ifMatch `header:"If-Match"`
}

// policyMembers are what a policy can be changed in.
type policyMembers struct {
	Name       *string         `json:"name"`
	Scope      *engine.Scope   `json:"scope" enum:"organization|product|template|category|document"`
	Target     *string         `json:"target"`
	PeriodDays *uint64         `json:"periodDays" max:"73000"`
	Action     *engine.Action  `json:"action" enum:"archive|delete"`
	StartFrom  *engine.Start   `json:"startFrom"`
	Protect    *engine.Protect `json:"protect" enum:"none|governance|compliance"`
	Enabled    *bool           `json:"enabled"`
}

func (m policyMembers) engine() engine.PolicyPatch {
	return engine.PolicyPatch{
		Name: m.Name, Scope: m.Scope, Target: m.Target, PeriodDays: m.PeriodDays, Action: m.Action,
		StartFrom: m.StartFrom, Protect: m.Protect, Enabled: m.Enabled,
	}
}

// policyPatch is a merge patch (RFC 7396).
type policyPatch struct {
	policyMembers
	Confirm string `json:"confirm" doc:"The policy's name, with protect: compliance. Nobody can weaken, disable or delete it then, nor delete its documents before their time."`
}

type updatePolicyInput struct {
	policyChange
	Patch policyPatch `body:"merge"`
}

func updatePolicy(ctx context.Context, c caller, in updatePolicyInput) (reply[Policy], error) {
	patch := in.Patch.engine()
	patch.Confirm = in.Patch.Confirm
	p, receipt, err := c.vault.UpdatePolicy(ctx, c.actor, in.ID, in.IfMatch.condition(), patch)
	return changedPolicy(p, receipt), err
}

func deletePolicy(ctx context.Context, c caller, in policyChange) (reply[Policy], error) {
	p, receipt, err := c.vault.DeletePolicy(ctx, c.actor, in.ID, in.IfMatch.condition())
	return reply[Policy]{body: policyOf(p), receipt: receipt}, err
}

// previewPolicy is a policy as a preview imagines it.
type previewPolicy struct {
	ID string `json:"id" doc:"Of the policy that is changed. Absent: it is added, with createdAt and no protection if nothing else is said."`
	policyMembers
}

type previewQuery struct {
	Policy *previewPolicy `json:"policy" doc:"Absent: the policies as they are."`
	Cursor string         `json:"cursor"`
	Limit  uint64         `json:"limit" min:"1" max:"500" default:"50"`
}

type previewInput struct {
	Query previewQuery `body:"optional"`
}

func previewRun(ctx context.Context, c caller, in previewInput) (reply[Preview], error) {
	q := engine.PreviewQuery{Paging: engine.Paging{Limit: int(in.Query.Limit), Cursor: in.Query.Cursor}}
	if p := in.Query.Policy; p != nil {
		if p.ID == "" && p.PeriodDays == nil {
			return reply[Preview]{}, inBody("policy.periodDays", "must be given for a policy that is added")
		}
		patch := p.engine()
		q.Policy, q.PolicyID = &patch, p.ID
	}
	p, err := c.vault.Preview(ctx, c.actor, q)
	return answer(previewOf(p)), err
}

type newRun struct {
	PlanDigest  *string `json:"planDigest" doc:"That of a preview: the run does exactly that, or PLAN_CHANGED."`
	AcceptClock bool    `json:"acceptClock" doc:"Go on although the clock cannot be trusted; needs a reason."`
	Reason      string  `json:"reason"`
}

type startRunInput struct {
	Run newRun `body:"optional"`
}

func startRun(ctx context.Context, c caller, in startRunInput) (reply[Run], error) {
	n := engine.NewRun{AcceptClock: in.Run.AcceptClock, Reason: in.Run.Reason}
	if in.Run.PlanDigest != nil {
		digest, err := audit.ParseHash(*in.Run.PlanDigest)
		if err != nil {
			return reply[Run]{}, inBody("planDigest", "must be the planDigest of a preview")
		}
		n.PlanDigest = &digest
	}
	r, receipt, err := c.vault.StartRun(ctx, c.actor, n)
	return reply[Run]{body: runOf(r), receipt: receipt, location: "/v1/retention/runs/" + r.ID}, err
}

func listRuns(ctx context.Context, c caller, in paging) (reply[List[Run]], error) {
	page, err := c.vault.Runs(ctx, in.engine())
	return answer(listOf(page, runOf)), err
}

type runInput struct {
	ID   string `path:"id"`
	Wait uint64 `query:"wait" max:"60" doc:"Seconds to hold the answer until the run has ended."`
}

// getRun asks again whenever the log has grown: the end of a run is an entry.
func (s *Server) getRun(ctx context.Context, c caller, in runInput) (reply[Run], error) {
	patience, cancel := context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
	defer cancel()
	defer context.AfterFunc(s.running, cancel)()
	for {
		seen := c.vault.Head().Seq
		r, err := c.vault.Run(ctx, in.ID)
		if err != nil || r.Status != engine.RunRunning || patience.Err() != nil {
			return answer(runOf(r)), err
		}
		if err := awaitNews(patience, &c, seen); err != nil {
			return reply[Run]{}, err
		}
	}
}

type outcomesQuery struct {
	ID string `path:"id"`
	paging
}

func listOutcomes(ctx context.Context, c caller, in outcomesQuery) (reply[List[Outcome]], error) {
	page, err := c.vault.RunOutcomes(ctx, in.ID, in.paging.engine())
	return answer(listOf(page, outcomeOf)), err
}

func getDisposition(ctx context.Context, c caller, in documentInput) (reply[Disposition], error) {
	d, err := c.vault.Disposition(ctx, c.actor, in.ID)
	return answer(dispositionOf(c.vault, d)), err
}
