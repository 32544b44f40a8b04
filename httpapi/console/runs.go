package console

import (
	"errors"

	"strongroom/audit"
	"strongroom/engine"
)

// plan is the page of what a run would do now.
type plan struct {
	Counts  engine.RunCounts
	Rows    []plannedRow
	Next    string
	Digest  string
	Doubt   engine.Doubt
	Running string // the id of a run that is not done
	Reason  string // as typed
	Changed bool   // the plan is another than the one that was to be run
	Wrong   []engine.FieldError
	Paused  bool
}

func previewRun(v *visit) (answer, error) {
	return v.planPage(plan{Reason: v.returned().Get("reason")}, 0)
}

func (v *visit) planPage(body plan, status int) (answer, error) {
	would, err := v.vault.Preview(v.ctx(), v.actor, engine.PreviewQuery{Paging: engine.Paging{Limit: 50, Cursor: v.r.URL.Query().Get("cursor")}})
	if err != nil {
		return answer{}, err
	}
	body.Counts, body.Digest, body.Paused = would.Counts, would.PlanDigest.String(), v.paused
	if body.Rows, err = v.planned(would.Page.Items, ""); err != nil {
		return answer{}, err
	}
	if would.Page.NextCursor != "" {
		body.Next = v.With("cursor", would.Page.NextCursor)
	}
	if body.Doubt, err = v.vault.Doubt(v.ctx()); err != nil {
		return answer{}, err
	}
	last, err := v.vault.Runs(v.ctx(), engine.Paging{Limit: 1})
	if err != nil {
		return answer{}, err
	}
	if len(last.Items) > 0 && last.Items[0].Status == engine.RunRunning {
		body.Running = last.Items[0].ID
	}
	return answer{page: "plan", title: "What a run would do now", body: body, status: status}, nil
}

// startRun starts exactly what was seen.
func startRun(v *visit) (answer, error) {
	digest, err := audit.ParseHash(v.form("planDigest"))
	if err != nil {
		return answer{}, errForm
	}
	r, _, err := v.vault.StartRun(v.ctx(), v.actor, engine.NewRun{PlanDigest: &digest, AcceptClock: v.form("acceptClock") != "", Reason: v.form("reason")})
	if errors.Is(err, engine.ErrPlanChanged) {
		return v.planPage(plan{Reason: v.form("reason"), Changed: true}, 409)
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.planPage(plan{Reason: v.form("reason"), Wrong: invalid.Fields}, 400)
	}
	if err != nil {
		return answer{}, err
	}
	return answer{to: v.Path("retention", "runs", r.ID)}, nil
}

// runRow is a run in a list.
type runRow struct {
	engine.Run
	By            string
	Began, Ended  When
	DueAt         When
	Badge         badge
	Done, LeftOut uint64
}

func (v *visit) runRow(r engine.Run) (runRow, error) {
	by, err := v.name(r.StartedBy)
	c := r.Counts
	row := runRow{Run: r, By: by, Began: v.When(r.StartedAt), Ended: v.When(r.FinishedAt), DueAt: v.When(r.At),
		Done: c.Archived + c.Deleted + c.Erased, LeftOut: c.Held + c.Locked + c.Protected + c.Failed}
	switch r.Status {
	case engine.RunRunning:
		row.Badge = badge{"due", "clock", "Running", ""}
	case engine.RunRefused:
		row.Badge = badge{"due", "gone", "Refused", r.Why.Words()}
	default:
		row.Badge = badge{"active", "check", "Completed", ""}
	}
	return row, err
}

func (v *visit) runRows(runs []engine.Run) (rows []runRow, err error) {
	for _, r := range runs {
		row, err := v.runRow(r)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// runList is the page of runs.
type runList struct {
	Runs []runRow
	Next string
}

func listRuns(v *visit) (answer, error) {
	runs, err := v.vault.Runs(v.ctx(), engine.Paging{Limit: 50, Cursor: v.r.URL.Query().Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	var body runList
	if runs.NextCursor != "" {
		body.Next = v.With("cursor", runs.NextCursor)
	}
	body.Runs, err = v.runRows(runs.Items)
	return page("runs", "Runs of retention", body), err
}

// runSheet is the page of a run.
type runSheet struct {
	runRow
	Outcomes []outcomeShown
	Next     string
	First    bool // it is the first page of outcomes
}

type outcomeShown struct {
	engine.Outcome
	Name, Policy string
	Badge        badge
}

func showRun(v *visit) (answer, error) {
	r, err := v.vault.Run(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	cursor := v.r.URL.Query().Get("cursor")
	body := runSheet{First: cursor == ""}
	if body.runRow, err = v.runRow(r); err != nil {
		return answer{}, err
	}
	outcomes, err := v.vault.RunOutcomes(v.ctx(), r.ID, engine.Paging{Limit: 50, Cursor: cursor})
	if err != nil {
		return answer{}, err
	}
	if outcomes.NextCursor != "" {
		body.Next = v.With("cursor", outcomes.NextCursor)
	}
	names := map[string]string{"": ""}
	for _, o := range outcomes.Items {
		body.Outcomes = append(body.Outcomes, outcomeShown{o, v.documentName(o.DocumentID), v.policyName(names, o.PolicyID), outcomeBadge(o.Outcome)})
	}
	return page("run", "A run of retention", body), nil
}

// outcomeBadge is what has become of a document.
func outcomeBadge(r engine.Result) badge {
	switch r {
	case engine.ResultArchived:
		return badge{"active", "box", "Archived", ""}
	case engine.ResultDeleted:
		return badge{"active", "check", "Deleted", ""}
	case engine.ResultErased:
		return badge{"active", "check", "Erased", "for an erasure that waited"}
	case engine.ResultHeld:
		return badge{"hold", "lock", "Held", "a legal hold keeps it"}
	case engine.ResultLocked:
		return badge{"due", "pen", "Locked", "somebody is editing it"}
	case engine.ResultProtected:
		return badge{"idle", "clock", "Protected", "a policy forbids its deletion"}
	case engine.ResultDue:
		return badge{"due", "clock", "Due", ""}
	}
	return badge{"due", "gone", "Failed", "it was not as planned any more, or could not be dealt with"}
}
