package console

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"strongroom/engine"
)

// recurrences are how often an obligation comes back.
func (draft) Recurrences() []option {
	return []option{{"", "Once"}, {"monthly", "Every month"}, {"quarterly", "Every three months"}, {"yearly", "Every year"}}
}

// dutyAsked is the page on which an obligation is made.
type dutyAsked struct {
	draft
	Document string            // that it is about, by its id
	Name     string            // of it
	Found    []engine.Document // of which one is meant
	People   people
}

// matchedDocuments is how many documents a name may find.
const matchedDocuments = 20

func askObligation(v *visit) (answer, error) {
	document := v.r.URL.Query().Get("document")
	if typed := v.returned(); typed != nil {
		document = typed.Get("documentId")
	}
	return v.dutyPage(dutyAsked{draft: v.draft(), Document: document}, 0)
}

func (v *visit) dutyPage(body dutyAsked, status int) (answer, error) {
	var err error
	if body.Document != "" {
		d, err := v.vault.Document(v.ctx(), body.Document)
		if err == nil && d.Status != engine.StatusDeleted {
			body.Name = d.Name
		} else {
			body.Document = ""
		}
	}
	body.People, err = v.people(false)
	return answer{page: "duty-new", title: "New obligation", body: body, status: status}, err
}

func makeObligation(v *visit) (answer, error) {
	n := engine.NewObligation{Title: v.form("title"), Description: v.form("description"), Recurrence: engine.Recurrence(v.form("recurrence")), DocumentID: v.form("documentId")}
	due, dueErr := v.dueFrom("dueDate", v.form("dueDate"), v.form("dueTime"))
	owner, ownerErr := v.person("ownerId", v.form("ownerId"))
	n.DueDate, n.OwnerID = due, owner
	found, err := v.namedDocument(&n)
	err = joinedInvalid(err, dueErr, ownerErr)
	if err == nil && n.DocumentID == "" {
		return v.dutyPage(dutyAsked{draft: draft{Typed: v.r.PostForm}, Found: found}, http.StatusConflict)
	}
	if err == nil {
		var o engine.Obligation
		if o, _, err = v.vault.CreateObligation(v.ctx(), v.actor, n); err == nil {
			return see(v.Path("obligations", o.ID), "The obligation is made. %s is reminded before it is due.", o.OwnerName), nil
		}
	}
	if d, status := v.again(err); status != 0 {
		return v.dutyPage(dutyAsked{draft: d, Document: n.DocumentID, Found: found}, status)
	}
	return answer{}, err
}

// namedDocument finds the document that was typed: by its id, or by how its name
// begins. Several are for the person to choose from.
func (v *visit) namedDocument(n *engine.NewObligation) (found []engine.Document, err error) {
	typed := v.form("document")
	if n.DocumentID != "" || typed == "" {
		if n.DocumentID == "" {
			err = wrongField("document", "write how its name begins, or its id")
		}
		return nil, err
	}
	d, err := v.vault.Document(v.ctx(), typed)
	if err == nil && d.Status != engine.StatusDeleted {
		n.DocumentID = d.ID
		return nil, nil
	}
	named, err := v.vault.Documents(v.ctx(), engine.DocumentQuery{Name: typed, Sort: engine.SortName, Paging: engine.Paging{Limit: matchedDocuments}})
	switch {
	case err != nil:
		return nil, err
	case len(named.Items) == 0:
		return nil, wrongField("document", "is found by no name that begins so")
	case len(named.Items) == 1:
		n.DocumentID = named.Items[0].ID
	}
	return named.Items, nil
}

// joinedInvalid is all that is wrong with a form, said at once; another error counts
// before it.
func joinedInvalid(errs ...error) error {
	var all engine.InvalidError
	for _, err := range errs {
		if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
			all.Fields = append(all.Fields, invalid.Fields...)
		} else if err != nil {
			return err
		}
	}
	if all.Fields == nil {
		return nil
	}
	return &all
}

// duty is the page of an obligation.
type duty struct {
	draft
	obligationRow
	People     people
	Made       event
	Updated    When
	By         string // who completed it
	At         When
	EvidenceOf string // the document, by its name
	Versions   []versionRow
	Repeats    string
}

func showObligation(v *visit) (answer, error) { return v.obligationPage(v.draft(), 0) }

func (v *visit) obligationPage(d draft, status int) (answer, error) {
	o, err := v.vault.Obligation(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	body := duty{draft: d, obligationRow: v.obligationRow(o), Updated: v.When(o.UpdatedAt), At: v.When(o.CompletedAt), Made: event{At: v.When(o.CreatedAt)}}
	body.Repeats = map[engine.Recurrence]string{engine.RecurMonthly: "a month", engine.RecurQuarterly: "three months", engine.RecurYearly: "a year"}[o.Recurrence]
	if body.By, err = v.name(o.CompletedBy); err != nil {
		return answer{}, err
	}
	if o.Evidence != nil {
		body.EvidenceOf = v.documentName(o.Evidence.DocumentID)
	}
	if body.People, err = v.people(false); err != nil {
		return answer{}, err
	}
	versions, err := v.vault.Versions(v.ctx(), o.DocumentID, engine.Paging{Limit: 20})
	for _, ver := range versions.Items {
		body.Versions = append(body.Versions, versionRow{Version: ver, At: v.When(ver.CreatedAt)})
	}
	return answer{page: "duty", title: o.Title, body: body, status: status}, err
}

func changeObligation(v *visit) (answer, error) {
	title, description, recurrence := v.form("title"), v.form("description"), engine.Recurrence(v.form("recurrence"))
	due, dueErr := v.dueFrom("dueDate", v.form("dueDate"), v.form("dueTime"))
	owner, ownerErr := v.person("ownerId", v.form("ownerId"))
	err := joinedInvalid(dueErr, ownerErr)
	if err == nil {
		_, _, err = v.vault.UpdateObligation(v.ctx(), v.actor, v.id("id"), v.revision(),
			engine.ObligationPatch{Title: &title, Description: &description, DueDate: &due, OwnerID: &owner, Recurrence: &recurrence})
	}
	return v.obligationDeed(err, "The obligation is changed.")
}

func completeObligation(v *visit) (answer, error) {
	evidence, err := v.evidence()
	var o engine.Obligation
	if err == nil {
		o, _, err = v.vault.CompleteObligation(v.ctx(), v.actor, v.id("id"), v.revision(), engine.Completion{Note: v.form("note"), Evidence: evidence})
	}
	if o.Recurrence != "" {
		return v.obligationDeed(err, "The obligation is completed, and the next one is made.")
	}
	return v.obligationDeed(err, "The obligation is completed.")
}

// evidence is the version that a form names: one of its document, or another that is
// typed.
func (v *visit) evidence() (*engine.Evidence, error) {
	document, number := v.form("evidenceDocument"), v.form("evidenceVersion")
	if document == "" {
		var ok bool
		if document, number, ok = strings.Cut(v.form("evidence"), " "); !ok {
			return nil, nil
		}
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return nil, wrongField("evidence.version", "must be the number of a version of that document")
	}
	return &engine.Evidence{DocumentID: document, Version: n}, nil
}

func reopenObligation(v *visit) (answer, error) {
	_, _, err := v.vault.ReopenObligation(v.ctx(), v.actor, v.id("id"), v.revision())
	return v.obligationDeed(err, "The obligation is open again.")
}

func removeObligation(v *visit) (answer, error) {
	o, _, err := v.vault.DeleteObligation(v.ctx(), v.actor, v.id("id"), v.revision())
	if err != nil {
		return v.obligationDeed(err, "")
	}
	return see(v.Path("obligations"), "“%s” is deleted. The audit log keeps that it was there.", o.Title), nil
}

// obligationDeed goes back to the page of the obligation, with what is wrong.
func (v *visit) obligationDeed(err error, done string) (answer, error) {
	if err == nil {
		return see(v.Path("obligations", v.id("id")), "%s", done), nil
	}
	if d, status := v.again(err); status != 0 {
		return v.obligationPage(d, status)
	}
	return answer{}, err
}
