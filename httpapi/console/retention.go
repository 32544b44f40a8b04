package console

import (
	"slices"

	"strongroom/engine"
)

// overview is the page of retention.
type overview struct {
	Policies []policyShown
	Settings engine.Settings
	Runs     []runRow
	Doubt    engine.Doubt
	Next     string
}

// policyShown is a policy with the names of what it names.
type policyShown struct {
	engine.Policy
	TargetName string            // of the document it is for
	Fields     map[string]string // the labels of date fields, by "field:" and the key
	Changed    When
}

func showRetention(v *visit) (answer, error) {
	var body overview
	var err error
	if body.Settings, err = v.vault.Settings(v.ctx()); err != nil {
		return answer{}, err
	}
	if body.Doubt, err = v.vault.Doubt(v.ctx()); err != nil {
		return answer{}, err
	}
	fields, err := v.dateFields()
	if err != nil {
		return answer{}, err
	}
	policies, err := v.vault.Policies(v.ctx(), engine.Paging{Limit: 100, Cursor: v.r.URL.Query().Get("cursor")})
	if err != nil {
		return answer{}, err
	}
	for _, p := range policies.Items {
		body.Policies = append(body.Policies, v.policyShown(p, fields))
	}
	if policies.NextCursor != "" {
		body.Next = v.With("cursor", policies.NextCursor)
	}
	runs, err := v.vault.Runs(v.ctx(), engine.Paging{Limit: 5})
	if err != nil {
		return answer{}, err
	}
	body.Runs, err = v.runRows(runs.Items)
	return page("retention", "Retention", body), err
}

func (v *visit) policyShown(p engine.Policy, fields []engine.Field) policyShown {
	shown := policyShown{Policy: p, Fields: labels(fields), Changed: v.When(p.UpdatedAt)}
	if p.Scope == engine.ScopeDocument {
		shown.TargetName = v.documentName(p.Target)
	}
	return shown
}

func labels(fields []engine.Field) map[string]string {
	out := map[string]string{}
	for _, f := range fields {
		out[string(engine.StartField(f.Key))] = f.Label
	}
	return out
}

// dateFields are the fields a policy can count from.
func (v *visit) dateFields() ([]engine.Field, error) {
	fields, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	return slices.DeleteFunc(fields.Items, func(f engine.Field) bool { return f.Type != engine.DateField }), err
}

// resuming is the page before a vault that stands still goes on.
type resuming struct {
	Settings engine.Settings
	Counts   engine.RunCounts
	Webhooks int // that are active
	Erasures int // that have something to do
	Moved    bool
}

func askResume(v *visit) (answer, error) { return v.resumePage(false) }

func (v *visit) resumePage(moved bool) (answer, error) {
	body := resuming{Moved: moved}
	var err error
	if body.Settings, err = v.vault.Settings(v.ctx()); err != nil {
		return answer{}, err
	}
	would, err := v.vault.Preview(v.ctx(), v.actor, engine.PreviewQuery{Paging: engine.Paging{Limit: 1}})
	if err != nil {
		return answer{}, err
	}
	body.Counts = would.Counts
	for p := (engine.Paging{Limit: 500}); ; {
		hooks, err := v.vault.Webhooks(v.ctx(), p)
		if err != nil {
			return answer{}, err
		}
		for _, w := range hooks.Items {
			if w.Active {
				body.Webhooks++
			}
		}
		if p.Cursor = hooks.NextCursor; p.Cursor == "" {
			break
		}
	}
	for p := (engine.Paging{Limit: 500}); ; {
		cases, err := v.vault.Erasures(v.ctx(), p)
		if err != nil {
			return answer{}, err
		}
		for _, e := range cases.Items {
			if e.Status != engine.ErasureCompleted {
				body.Erasures++
			}
		}
		if p.Cursor = cases.NextCursor; p.Cursor == "" {
			break
		}
	}
	status := 200
	if moved {
		status = 409
	}
	return answer{page: "resume", title: "Let the vault go on", body: body, status: status}, nil
}

func resume(v *visit) (answer, error) {
	off := false
	_, _, err := v.vault.UpdateSettings(v.ctx(), v.actor, v.revision(), engine.SettingsPatch{Paused: &off})
	if isConflict(err) {
		return v.resumePage(true)
	} else if err != nil {
		return answer{}, err
	}
	return see(v.Path("retention"), "The vault goes on: webhooks, erasures and the daily run of retention have started again."), nil
}
