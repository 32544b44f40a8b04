package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"strongroom/audit"
	"strongroom/engine"
)

func approvalsRoutes() []route {
	return []route{
		{"GET", "/{vault}/approvals", engine.AccessAuditor, listApprovals},
		{"GET", "/{vault}/approvals/{id}", engine.AccessAuditor, showApproval},
		{"POST", "/{vault}/approvals/{id}/approve", admin, approve},
		{"POST", "/{vault}/approvals/{id}/reject", admin, reject},
	}
}

// run makes the page of a route. What needs two persons is asked for, and the page is
// that of the request.
func (rt route) run(v *visit) (answer, error) {
	a, err := rt.serve(v)
	needs, is := errors.AsType[*engine.NeedsTwoError](err)
	if !is {
		return a, err
	}
	asked, _, err := v.vault.RequestApproval(v.ctx(), v.actor, needs)
	if err != nil {
		return answer{}, err
	}
	return see(v.Path("approvals", asked.ID), "This needs two persons, and nothing is done yet. Another admin can approve it here until it expires."), nil
}

// approvalRow is a request for approval in a list.
type approvalRow struct {
	engine.Approval
	Does    string // what it does, in a few words
	By      string
	Decider string
	At      When
	Expires When
	Decided When
	Badge   badge
}

// approvalList is the page of requests for approval.
type approvalList struct {
	Rows    []approvalRow
	Next    string
	Covered []string // what needs two persons, in words
}

// listApprovals shows the newest first as long as one page has them all.
func listApprovals(v *visit) (answer, error) {
	cursor := v.r.URL.Query().Get("cursor")
	found, err := v.vault.Approvals(v.ctx(), "", engine.Paging{Limit: 200, Cursor: cursor})
	if err != nil {
		return answer{}, err
	}
	var body approvalList
	for _, what := range v.shell.two {
		body.Covered = append(body.Covered, coveredWords(what))
	}
	for _, a := range found.Items {
		row, err := v.approvalRow(a)
		if err != nil {
			return answer{}, err
		}
		body.Rows = append(body.Rows, row)
	}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	} else if cursor == "" {
		slices.Reverse(body.Rows)
	}
	return page("approvals", "Approvals", body), nil
}

func (v *visit) approvalRow(a engine.Approval) (row approvalRow, err error) {
	row = approvalRow{Approval: a, Does: callWords(a.Call), At: v.When(a.RequestedAt), Expires: v.When(a.ExpiresAt), Decided: v.When(a.DecidedAt), Badge: approvalBadge(a.Status)}
	if row.By, err = v.name(a.RequestedBy); err == nil {
		row.Decider, err = v.name(a.DecidedBy)
	}
	return row, err
}

func approvalBadge(s engine.ApprovalStatus) badge {
	switch s {
	case engine.ApprovalWaiting:
		return badge{"due", "clock", "Waiting", "another admin decides"}
	case engine.ApprovalGranted:
		return badge{"active", "check", "Approved", "it was done"}
	case engine.ApprovalRejected:
		return badge{"idle", "gone", "Rejected", ""}
	}
	return badge{"idle", "clock", "Expired", "nobody decided in time"}
}

// approvalPage is one request for approval.
type approvalPage struct {
	approvalRow
	Plan []argument // exactly what is done, member by member
	Own  bool       // whoever looks asked for it
}

// argument is one member of what was asked for.
type argument struct {
	Name, Value, Link string
}

func showApproval(v *visit) (answer, error) {
	a, err := v.vault.Approval(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	body := approvalPage{Own: a.RequestedBy == v.actor.UserID}
	if body.approvalRow, err = v.approvalRow(a); err != nil {
		return answer{}, err
	}
	if a.Arguments != nil {
		var members map[string]any
		if err := json.Unmarshal(a.Arguments, &members); err != nil {
			return answer{}, err
		}
		body.Plan = v.arguments("", members)
	}
	return page("approval", body.Does, body), nil
}

// arguments spells the members of a plan, those of its change without its name.
func (v *visit) arguments(at string, members map[string]any) (list []argument) {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if below, is := members[name].(map[string]any); is {
			list = append(list, v.arguments(name+" ", below)...)
			continue
		}
		list = append(list, v.member(at, name, members[name]))
	}
	return list
}

// member spells one member; what has a page is a link to it.
func (v *visit) member(at, name string, value any) argument {
	p := argument{Name: strings.TrimPrefix(at, "change ") + name, Value: fmt.Sprint(value)}
	if items, is := value.([]any); is {
		words := make([]string, len(items))
		for i, item := range items {
			words[i] = fmt.Sprint(item)
		}
		p.Value = strings.Join(words, ", ")
		if p.Value == "" {
			p.Value = "nothing"
		}
	}
	switch name {
	case "documentId":
		p.Link, p.Value = v.Path("documents", p.Value), v.documentName(p.Value)
	case "holdId":
		if h, err := v.vault.Hold(v.ctx(), p.Value); err == nil {
			p.Link, p.Value = v.Path("documents", h.DocumentID), strings.TrimSpace(v.documentName(h.DocumentID)+", held: "+h.Reason+" "+h.Matter)
		}
	case "userId":
		if who, err := v.name(p.Value); err == nil {
			p.Link, p.Value = v.Path("settings", "users", p.Value), who
		}
	case "clientId":
		if c, err := v.vault.Client(v.ctx(), p.Value); err == nil {
			p.Link, p.Value = v.Path("settings", "clients", c.ID), c.Name
		}
	case "keyId":
		p.Link = v.Path("settings", "keys", p.Value)
	case "policyId":
		if is, err := v.vault.Policy(v.ctx(), p.Value); err == nil {
			p.Link, p.Value = v.Path("retention", "policies", p.Value), is.Name
		}
	}
	return p
}

func approve(v *visit) (answer, error) {
	plan, err := audit.ParseHash(v.form("planDigest"))
	if err != nil {
		return answer{}, wrongField("planDigest", "is that of the page; load it again")
	}
	granted, _, err := v.vault.Approve(v.ctx(), v.actor, v.id("id"), plan)
	if err != nil {
		return answer{}, err
	}
	if issued, is := granted.Result.(engine.Issued); is {
		return v.keySecret(issued.Key, issued.Secret), nil
	}
	if issued, is := granted.Result.(engine.IssuedClient); is && issued.Secret.Reveal() != "" {
		return v.clientSecret(issued.Client, issued.Secret, v.Path("settings", "clients", issued.Client.ID)), nil
	}
	if b, is := granted.Result.(*engine.Bag); is {
		return v.bag(b), nil
	}
	return see(v.Path("approvals", granted.Approval.ID), "It is approved, and done."), nil
}

func reject(v *visit) (answer, error) {
	a, _, err := v.vault.RejectApproval(v.ctx(), v.actor, v.id("id"))
	if err != nil {
		return answer{}, err
	}
	return see(v.Path("approvals", a.ID), "It is rejected. Nothing was done."), nil
}

// Two reports whether two persons are needed for something; for "" whether for
// anything.
func (s *shell) Two(what string) bool {
	if what == "" || what == string(engine.CoveredAdmin) || what == string(engine.CoveredSettings) {
		return len(s.two) > 0
	}
	return slices.Contains(s.two, engine.Covered(what))
}

// Coverable are what two persons can be needed for, in words.
func (general) Coverable() (list []option) {
	for _, what := range engine.Coverable() {
		list = append(list, option{string(what), coveredWords(what)})
	}
	return list
}

// Covers reports whether a setting is on as it stands in the form.
func (g general) Covers(what string) bool {
	return g.Checked("two."+what, slices.Contains(g.TwoPersons, engine.Covered(what)))
}

// coveredWords is what two persons are needed for, in words.
func coveredWords(what engine.Covered) string {
	switch what {
	case engine.CoveredHoldRelease:
		return "releasing legal holds"
	case engine.CoveredErasure:
		return "erasing documents and people"
	case engine.CoveredGovernanceBypass:
		return "deleting what a policy of governance protects"
	case engine.CoveredPolicyWeaken:
		return "weakening retention: policies that come to delete, sooner or more, protect less, or go; and accepting a doubted clock"
	case engine.CoveredLockBreak:
		return "breaking somebody's lock"
	case engine.CoveredDocumentDelete:
		return "deleting documents by hand"
	case engine.CoveredExport:
		return "exporting documents"
	}
	return string(what)
}

// callWords is what a request asks for, in a few words.
func callWords(call string) string {
	words := map[string]string{
		"hold.release": "Release a legal hold", "holds.release": "Release legal holds", "erasure.request": "Erase",
		"document.delete": "Delete a document", "lock.break": "Break a lock", "policy.create": "Make a policy of retention",
		"policy.update": "Change a policy of retention", "policy.delete": "Delete a policy of retention", "run.start": "Start a run, and accept the clock",
		"settings.update": "Change the settings", "user.create": "Make an admin", "user.update": "Make, let in or link an admin",
		"client.create": "Make a client that acts as others", "client.update": "Change a client that acts as others", "client.rotate": "Give a client that acts as others another secret",
		"export.make": "Export documents", "key.create": "Make a key of an admin", "key.rotate": "Rotate a key of an admin",
	}[call]
	if words == "" {
		return call
	}
	return words
}
