package console

import (
	"cmp"
	"errors"
	"net/url"
	"regexp"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

// drafting is the page of a policy: as it is, and as it is to be.
type drafting struct {
	ID         string // "": it is a new one
	Is         *policyShown
	Typed      url.Values
	Categories []string
	Fields     []engine.Field
	Wrong      []engine.FieldError
	Moved      bool // somebody else changed it meanwhile
}

// Show is what a field of the form has in it: what was typed, else what is there.
func (d *drafting) Show(name string) string {
	if d.Typed.Has(name) || d.Is == nil {
		return d.Typed.Get(name)
	}
	count, unit := plainPeriod(d.Is.Period)
	switch name {
	case "name":
		return d.Is.Name
	case "scope":
		return string(d.Is.Scope)
	case "target":
		return d.Is.Target
	case "action":
		return string(d.Is.Action)
	case "count":
		return count
	case "unit":
		return unit
	case "period":
		if count == "" {
			return string(d.Is.Period)
		}
	case "startFrom":
		return string(d.Is.StartFrom)
	case "startAt":
		return string(d.Is.StartAt)
	case "protect":
		return string(d.Is.Protect)
	case "enabled":
		return map[bool]string{true: "true", false: "false"}[d.Is.Enabled]
	}
	return ""
}

// Binding says that it protects by compliance: little of it can change.
func (d *drafting) Binding() bool { return d.Is != nil && d.Is.Protect == engine.ProtectCompliance }

var onePart = regexp.MustCompile(`^P([0-9]+)([YMWD])$`)

// plainPeriod is a period of one unit, as the form has it; "" for any other.
func plainPeriod(p engine.Period) (count, unit string) {
	if parts := onePart.FindStringSubmatch(string(p)); parts != nil {
		return parts[1], parts[2]
	}
	return "", ""
}

func newPolicyPage(v *visit) (answer, error) { return v.policyForm(drafting{Typed: v.returned()}, 0) }

func policyPage(v *visit) (answer, error) {
	return v.policyForm(drafting{ID: v.id("id"), Typed: v.returned()}, 0)
}

func (v *visit) policyForm(d drafting, status int) (answer, error) {
	var err error
	if d.Categories, err = v.categories(); err != nil {
		return answer{}, err
	}
	if d.Fields, err = v.dateFields(); err != nil {
		return answer{}, err
	}
	title := "A new policy"
	if d.ID != "" {
		p, err := v.vault.Policy(v.ctx(), d.ID)
		if err != nil {
			return answer{}, err
		}
		shown := v.policyShown(p, d.Fields)
		d.Is, title = &shown, p.Name
	}
	return answer{page: "policy", title: title, body: &d, status: status}, nil
}

// foresight is the page of what a policy would do, before it is saved.
type foresight struct {
	ID       string
	Is       *policyShown // nil: a new one
	Would    policyShown
	Deletes  bool // the policy is to go
	Binds    bool // it becomes one of compliance
	Counts   engine.RunCounts
	Now      engine.RunCounts // without the change
	Rows     []plannedRow
	Next     string
	Digest   string
	Revision uint64
	Typed    url.Values // what is sent again
	Differ   bool       // what was typed is not its name
	Same     bool       // nothing would change
}

// Due says that there is something to count.
func (f *foresight) Due() bool { return f.Now != engine.RunCounts{} || f.Counts != engine.RunCounts{} }

// Worse says that more would be deleted than is now.
func (f *foresight) Worse() bool { return f.Counts.Deleted > f.Now.Deleted }

type plannedRow struct {
	engine.PlannedOutcome
	Policy string
}

// lookAtPolicy shows what would be: the form comes here first, and what is here can
// be saved. Looking is a GET, so it can be repeated, paged and gone back to.
func lookAtPolicy(v *visit) (answer, error) {
	typed := v.r.URL.Query()
	if v.returned() != nil {
		typed = v.returned()
	}
	return v.look(typed, false)
}

func (v *visit) look(typed url.Values, differ bool) (answer, error) {
	id := typed.Get("id")
	patch, err := policyPatch(typed)
	if err == nil && id == "" && patch.Name != nil && *patch.Name == "" {
		err = wrongField("name", "must not be empty")
	}
	var f *foresight
	if err == nil {
		f, err = v.foresee(id, typed, patch)
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.policyForm(drafting{ID: id, Typed: typed, Wrong: invalid.Fields}, 400)
	}
	if err != nil {
		return answer{}, err
	}
	f.Differ = differ
	status := 200
	if differ {
		status = 400
	}
	title := "What the policy would do"
	if f.Deletes {
		title = "Delete this policy?"
	}
	return answer{page: "foresight", title: title, body: f, status: status}, nil
}

// foresee makes the preview of a change.
func (v *visit) foresee(id string, typed url.Values, patch engine.PolicyPatch) (*foresight, error) {
	f := &foresight{ID: id, Deletes: typed.Get("delete") != "", Typed: url.Values{}}
	for name, values := range typed {
		if name != "cursor" && name != "once" && name != "confirm" && name != "revision" && name != "planDigest" && name != "unsent" {
			f.Typed[name] = values
		}
	}
	fields, err := v.dateFields()
	if err != nil {
		return nil, err
	}
	is := engine.Policy{StartFrom: engine.StartCreated, StartAt: engine.StartAtDay, Protect: engine.ProtectNone, Enabled: true}
	if id != "" {
		if is, err = v.vault.Policy(v.ctx(), id); err != nil {
			return nil, err
		}
		shown := v.policyShown(is, fields)
		f.Is, f.Revision = &shown, is.Revision
	}
	off := false
	if f.Deletes {
		patch = engine.PolicyPatch{Enabled: &off}
	}
	would, err := v.vault.Preview(v.ctx(), v.actor, engine.PreviewQuery{Policy: &patch, PolicyID: id, Paging: engine.Paging{Limit: 50, Cursor: v.r.URL.Query().Get("cursor")}})
	if err != nil {
		return nil, err
	}
	now, err := v.vault.Preview(v.ctx(), v.actor, engine.PreviewQuery{Paging: engine.Paging{Limit: 1}})
	if err != nil {
		return nil, err
	}
	f.Now, f.Counts, f.Digest = now.Counts, would.Counts, would.PlanDigest.String()
	as := applied(is, patch)
	f.Would = v.policyShown(as, fields)
	f.Binds = as.Protect == engine.ProtectCompliance && is.Protect != engine.ProtectCompliance
	f.Same = id != "" && !f.Deletes && as == is
	if f.Rows, err = v.planned(would.Page.Items, cmp.Or(f.Would.Name, "this policy")); err != nil {
		return nil, err
	}
	if would.Page.NextCursor != "" {
		f.Next = v.With("cursor", would.Page.NextCursor)
	}
	return f, nil
}

// applied is how the page shows a policy that is to be; what it would do is the
// engine's to say.
func applied(p engine.Policy, patch engine.PolicyPatch) engine.Policy {
	given(&p.Name, patch.Name)
	given(&p.Scope, patch.Scope)
	given(&p.Target, patch.Target)
	given(&p.Period, patch.Period)
	given(&p.Action, patch.Action)
	given(&p.StartFrom, patch.StartFrom)
	given(&p.StartAt, patch.StartAt)
	given(&p.Protect, patch.Protect)
	given(&p.Enabled, patch.Enabled)
	return p
}

func given[T any](member, value *T) {
	if value != nil {
		*member = *value
	}
}

// planned are the lines of a plan, with the names of policies.
func (v *visit) planned(items []engine.PlannedOutcome, added string) ([]plannedRow, error) {
	names := map[string]string{engine.NewPolicyID: added, "": ""}
	var rows []plannedRow
	for _, o := range items {
		rows = append(rows, plannedRow{o, v.policyName(names, o.PolicyID)})
	}
	return rows, nil
}

// policyName is what a policy is called, which may be deleted since.
func (v *visit) policyName(names map[string]string, id string) string {
	name, ok := names[id]
	if !ok {
		if p, err := v.vault.Policy(v.ctx(), id); err == nil {
			name = p.Name
		} else {
			name = "a policy deleted since"
		}
		names[id] = name
	}
	return name
}

// policyPatch reads a form: what is not in it stays as it is.
func policyPatch(typed url.Values) (p engine.PolicyPatch, err error) {
	text := func(name string) *string {
		if !typed.Has(name) {
			return nil
		}
		s := strings.TrimSpace(typed.Get(name))
		return &s
	}
	p.Name, p.Target = text("name"), text("target")
	p.Scope, p.Action = (*engine.Scope)(text("scope")), (*engine.Action)(text("action"))
	p.StartFrom, p.StartAt = (*engine.Start)(text("startFrom")), (*engine.StartAt)(text("startAt"))
	p.Protect = (*engine.Protect)(text("protect"))
	if p.Scope != nil && *p.Scope == engine.ScopeOrganization && p.Target == nil {
		p.Target = new(string)
	}
	if typed.Has("enabled") {
		on := typed.Get("enabled") == "true"
		p.Enabled = &on
	}
	if typed.Has("count") || typed.Has("period") {
		period, err := typedPeriod(strings.TrimSpace(typed.Get("count")), typed.Get("unit"), strings.TrimSpace(typed.Get("period")))
		if err != nil {
			return p, err
		}
		p.Period = &period
	}
	return p, nil
}

func typedPeriod(count, unit, iso string) (engine.Period, error) {
	switch {
	case count == "" && iso == "":
		return "", wrongField("how long", "must be given, such as 10 years")
	case count != "" && iso != "" && "P"+count+unit != iso:
		return "", wrongField("how long", "is given twice: as a number and as a duration; leave one of them empty")
	case iso != "":
		return engine.Period(iso), nil
	}
	period := engine.Period("P" + count + unit)
	if onePart.FindString(string(period)) == "" {
		return "", wrongField("how long", "must be a whole number of years, months, weeks or days")
	}
	return period, nil
}

// savePolicy saves what was looked at: the digest of the preview is in the form.
func savePolicy(v *visit) (answer, error) {
	typed := v.r.PostForm
	id := typed.Get("id")
	if typed.Get("delete") != "" {
		return v.deletePolicy(id, typed)
	}
	patch, err := policyPatch(typed)
	if err != nil {
		return answer{}, err
	}
	digest, err := audit.ParseHash(typed.Get("planDigest"))
	if err != nil {
		return v.look(typed, false)
	}
	if patch.PlanDigest = &digest; id == "" {
		p := applied(engine.Policy{Enabled: true}, patch)
		made, _, err := v.vault.CreatePolicy(v.ctx(), v.actor, engine.NewPolicy{
			Name: p.Name, Scope: p.Scope, Target: p.Target, Period: p.Period, Action: p.Action, StartFrom: p.StartFrom, StartAt: p.StartAt,
			Protect: p.Protect, Disabled: !p.Enabled, PlanDigest: &digest,
		})
		if a, err := v.unsaved(id, typed, err); err != nil || a.page != "" {
			return a, err
		}
		return see(v.Path("retention"), "%s is a policy now.", made.Name), nil
	}
	is, err := v.vault.Policy(v.ctx(), id)
	if err != nil {
		return answer{}, err
	}
	patch.Confirm = v.form("confirm")
	if patch.Protect != nil && *patch.Protect == engine.ProtectCompliance && is.Protect != engine.ProtectCompliance && patch.Confirm != is.Name {
		return v.look(typed, true)
	}
	saved, _, err := v.vault.UpdatePolicy(v.ctx(), v.actor, id, v.revision(), patch)
	if a, err := v.unsaved(id, typed, err); err != nil || a.page != "" {
		return a, err
	}
	return see(v.Path("retention"), "%s is saved.", saved.Name), nil
}

// unsaved is the page after a refusal that the form can mend.
func (v *visit) unsaved(id string, typed url.Values, err error) (answer, error) {
	switch {
	case err == nil:
		return answer{}, nil
	case isConflict(err):
		return v.policyForm(drafting{ID: id, Typed: typed, Moved: true}, 409)
	case errors.Is(err, engine.ErrPreviewRequired): // the form was not made from a preview of this
		return v.look(typed, false)
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.policyForm(drafting{ID: id, Typed: typed, Wrong: invalid.Fields}, 400)
	}
	return answer{}, err
}

func isConflict(err error) bool { return errors.Is(err, engine.ErrPrecondition) }

// deletePolicy disables first what would make documents due by others that it has won
// over: that is what the preview was of.
func (v *visit) deletePolicy(id string, typed url.Values) (answer, error) {
	p, _, err := v.vault.DeletePolicy(v.ctx(), v.actor, id, v.revision())
	if errors.Is(err, engine.ErrPreviewRequired) {
		digest, _ := audit.ParseHash(typed.Get("planDigest"))
		off := false
		if p, _, err = v.vault.UpdatePolicy(v.ctx(), v.actor, id, v.revision(), engine.PolicyPatch{Enabled: &off, PlanDigest: &digest}); err == nil {
			p, _, err = v.vault.DeletePolicy(v.ctx(), v.actor, id, engine.Condition{IfMatch: engine.Match{p.Revision}})
		}
	}
	if isConflict(err) || errors.Is(err, engine.ErrPreviewRequired) {
		a, err := v.look(url.Values{"id": {id}, "delete": {"1"}}, false)
		if f, ok := a.body.(*foresight); ok && err == nil {
			a.status, f.Typed["moved"] = 409, []string{"1"}
		}
		return a, err
	}
	if err != nil {
		return answer{}, err
	}
	return see(v.Path("retention"), "%s is deleted. What it has done stays done.", p.Name), nil
}
