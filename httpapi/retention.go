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
		endpoint("POST", "/v1/retention/policies", 201, admin, "Create a retention policy", createPolicy, engine.ErrPreviewRequired).orApproval(),
		endpoint("GET", "/v1/retention/policies", 200, readAll, "List the retention policies", listPolicies),
		endpoint("GET", "/v1/retention/policies/:id", 200, readAll, "Read a retention policy", getPolicy, noPolicy),
		endpoint("PATCH", "/v1/retention/policies/:id", 200, admin, "Change a retention policy; one of compliance can be renamed and prolonged", updatePolicy, noPolicy, engine.ErrPolicyLocked, engine.ErrPreviewRequired).orApproval(),
		endpoint("DELETE", "/v1/retention/policies/:id", 200, admin, "Delete a retention policy; the answer is what it was", deletePolicy, noPolicy, engine.ErrPolicyLocked, engine.ErrPreviewRequired).orApproval(),

		endpoint("POST", "/v1/retention/preview", 200, readAll, "Preview what a run of retention would do now, as things are, or with a policy added or changed, or with other settings", previewRun, noPolicy),
		endpoint("POST", "/v1/retention/runs", 202, admin, "Start a run of retention, bound to a preview or not; while one runs, that one is the answer", startRun, engine.ErrPlanChanged).orApproval(),
		endpoint("GET", "/v1/retention/runs", 200, readAll, "List the runs of retention, the last one first", listRuns),
		endpoint("GET", "/v1/retention/runs/:id", 200, readAll, "Read a run of retention, or wait for its end", s.getRun, noRun),
		endpoint("GET", "/v1/retention/runs/:id/outcomes", 200, readAll, "List what became of each document that was due: what was done, then what was left alone", listOutcomes, noRun),
		endpoint("GET", "/v1/documents/:id/disposition", 200, readAll, "Explain what will become of a document, and why", getDisposition, noDocument, deleted),
	}
}

type newPolicy struct {
	Name       string         `json:"name" required:"true"`
	Scope      engine.Scope   `json:"scope" required:"true" enum:"organization|product|template|category|document"`
	Target     string         `json:"target" doc:"The product, templateId, category or document it is for; none for an organization."`
	Period     *engine.Period `json:"period" doc:"A duration of ISO 8601 in years and months, weeks or days: P10Y, P6M, P1Y6M, P2W, P30D; 200 years at most. It is reckoned in calendar dates in settings.timeZone: ten years from 2012-12-31 end on 2022-12-31, from 29 February on 28 February where there is none. This or periodDays must be given."`
	PeriodDays *uint64        `json:"periodDays" max:"73000" doc:"So many days: 30 is the period P30D. Beside period, the same as that."`
	Action     engine.Action  `json:"action" required:"true" enum:"archive|delete"`
	StartFrom  engine.Start   `json:"startFrom" doc:"createdAt, updatedAt, currentVersion, or field: and the key of a date field. A date begins at noon, UTC, when it has begun everywhere. Absent: createdAt."`
	StartAt    engine.StartAt `json:"startAt" enum:"day|endOfMonth|endOfYear" doc:"Moves the start to the end of its month or calendar year, in settings.timeZone, before the period begins. Absent: day."`
	Protect    engine.Protect `json:"protect" enum:"none|governance" doc:"Absent: none. A policy becomes one of compliance by a change of it."`
	Enabled    *bool          `json:"enabled" doc:"Absent: true."`
	PlanDigest *string        `json:"planDigest" doc:"That of a preview of exactly this policy, its name aside. Needed if documents would be due for deletion at once."`
}

type createPolicyInput struct {
	Policy newPolicy `body:"json"`
}

func createPolicy(ctx context.Context, c caller, in createPolicyInput) (reply[Policy], error) {
	n := in.Policy
	if err := givenPeriod("", n.Period, n.PeriodDays); err != nil {
		return reply[Policy]{}, err
	}
	digest, err := previewed(n.PlanDigest)
	if err != nil {
		return reply[Policy]{}, err
	}
	p, receipt, err := c.vault.CreatePolicy(ctx, c.actor, engine.NewPolicy{
		Name: n.Name, Scope: n.Scope, Target: n.Target, Period: value(n.Period), PeriodDays: value(n.PeriodDays), Action: n.Action,
		StartFrom: n.StartFrom, StartAt: n.StartAt, Protect: n.Protect, Disabled: n.Enabled != nil && !*n.Enabled, PlanDigest: digest,
	})
	return createdPolicy(p, receipt), err
}

func createdPolicy(p engine.Policy, r engine.Receipt) reply[Policy] {
	out := changedPolicy(p, r)
	out.location = "/v1/retention/policies/" + p.ID
	return out
}

// givenPeriod guards what is added: nobody means at once who says nothing, or says
// it beside a period.
func givenPeriod(at string, period *engine.Period, days *uint64) error {
	switch {
	case period == nil && days == nil:
		return inBody(at+"period", "must be given, such as P10Y, P6M or P30D; or periodDays")
	case period != nil && *period == "":
		return inBody(at+"period", "must not be empty")
	case period != nil && days != nil && *days == 0 && *period != engine.Days(0):
		return inBody(at+"periodDays", "must be the same as period, or be left out")
	}
	return nil
}

// previewed reads the digest of a preview; nil if none is given.
func previewed(given *string) (*audit.Hash, error) {
	if given == nil {
		return nil, nil
	}
	digest, err := audit.ParseHash(*given)
	if err != nil {
		return nil, inBody("planDigest", "must be the planDigest of a preview")
	}
	return &digest, nil
}

func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
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
	Period     *engine.Period  `json:"period"`
	PeriodDays *uint64         `json:"periodDays" max:"73000" doc:"Beside period, the same as that."`
	Action     *engine.Action  `json:"action" enum:"archive|delete"`
	StartFrom  *engine.Start   `json:"startFrom"`
	StartAt    *engine.StartAt `json:"startAt" enum:"day|endOfMonth|endOfYear"`
	Protect    *engine.Protect `json:"protect" enum:"none|governance|compliance"`
	Enabled    *bool           `json:"enabled"`
}

func (m policyMembers) engine() engine.PolicyPatch {
	return engine.PolicyPatch{
		Name: m.Name, Scope: m.Scope, Target: m.Target, Period: m.Period, PeriodDays: m.PeriodDays, Action: m.Action,
		StartFrom: m.StartFrom, StartAt: m.StartAt, Protect: m.Protect, Enabled: m.Enabled,
	}
}

// policyPatch is a merge patch (RFC 7396).
type policyPatch struct {
	policyMembers
	PlanDigest *string `json:"planDigest" doc:"That of a preview of exactly this change. Needed if documents would be due for deletion at once that were not."`
	Confirm    string  `json:"confirm" doc:"The policy's name, with protect: compliance. Nobody can weaken, disable or delete it then, nor delete its documents before their time."`
}

type updatePolicyInput struct {
	policyChange
	Patch policyPatch `body:"merge"`
}

func updatePolicy(ctx context.Context, c caller, in updatePolicyInput) (reply[Policy], error) {
	patch := in.Patch.engine()
	patch.Confirm = in.Patch.Confirm
	digest, err := previewed(in.Patch.PlanDigest)
	if err != nil {
		return reply[Policy]{}, err
	}
	patch.PlanDigest = digest
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
	Policy   *previewPolicy   `json:"policy" doc:"Absent: the policies as they are."`
	Settings *previewSettings `json:"settings" doc:"Absent: the settings as they are."`
	Cursor   string           `json:"cursor"`
	Limit    uint64           `json:"limit" min:"1" max:"500" default:"50"`
}

// previewSettings are the settings that decide when documents are due.
type previewSettings struct {
	RetentionConflict *engine.Conflict `json:"retentionConflict" enum:"longest|shortest"`
	TimeZone          *string          `json:"timeZone"`
}

type previewInput struct {
	Query previewQuery `body:"optional"`
}

func previewRun(ctx context.Context, c caller, in previewInput) (reply[Preview], error) {
	q := engine.PreviewQuery{Paging: engine.Paging{Limit: int(in.Query.Limit), Cursor: in.Query.Cursor}}
	if p := in.Query.Policy; p != nil {
		if p.ID == "" {
			if err := givenPeriod("policy.", p.Period, p.PeriodDays); err != nil {
				return reply[Preview]{}, err
			}
		}
		patch := p.engine()
		q.Policy, q.PolicyID = &patch, p.ID
	}
	if s := in.Query.Settings; s != nil {
		q.Settings = &engine.SettingsPatch{RetentionConflict: s.RetentionConflict, TimeZone: s.TimeZone}
	}
	p, err := c.vault.Preview(ctx, c.actor, q)
	return answer(previewOf(p)), err
}

type newRun struct {
	PlanDigest  *string `json:"planDigest" doc:"That of a preview of things as they are: the run does exactly that, or PLAN_CHANGED."`
	AcceptClock bool    `json:"acceptClock" doc:"Go on although the clock cannot be trusted; needs a reason."`
	Reason      string  `json:"reason"`
}

type startRunInput struct {
	Run newRun `body:"optional"`
}

func startRun(ctx context.Context, c caller, in startRunInput) (reply[Run], error) {
	digest, err := previewed(in.Run.PlanDigest)
	if err != nil {
		return reply[Run]{}, err
	}
	n := engine.NewRun{PlanDigest: digest, AcceptClock: in.Run.AcceptClock, Reason: in.Run.Reason}
	r, receipt, err := c.vault.StartRun(ctx, c.actor, n)
	return startedRun(r, receipt), err
}

func startedRun(r engine.Run, receipt engine.Receipt) reply[Run] {
	return reply[Run]{body: runOf(r), receipt: receipt, location: "/v1/retention/runs/" + r.ID}
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
