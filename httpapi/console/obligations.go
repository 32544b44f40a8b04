package console

import (
	"net/http"
	"net/url"

	"strongroom/engine"
)

func obligationRoutes() []route {
	return []route{
		{"GET", "/{vault}/obligations", view, showObligations},
		{"GET", "/{vault}/obligations/list", view, listObligations},
		{"GET", "/{vault}/obligations/new", write, askObligation},
		{"POST", "/{vault}/obligations/new", write, makeObligation},
		{"GET", "/{vault}/obligations/{id}", view, showObligation},
		{"POST", "/{vault}/obligations/{id}/change", write, changeObligation},
		{"POST", "/{vault}/obligations/{id}/complete", write, completeObligation},
		{"POST", "/{vault}/obligations/{id}/reopen", write, reopenObligation},
		{"POST", "/{vault}/obligations/{id}/remove", write, removeObligation},
	}
}

// obligationRow is an obligation in a list.
type obligationRow struct {
	engine.Obligation
	Due   dueShown
	Badge badge
}

func (v *visit) obligationRow(o engine.Obligation) obligationRow {
	row := obligationRow{Obligation: o, Due: v.due(o.DueDate)}
	switch o.Status {
	case engine.ObligationOverdue:
		row.Badge = badge{"due", "clock", "Overdue", row.Due.Text}
	case engine.ObligationCompleted:
		row.Badge = badge{"active", "check", "Completed", v.When(o.CompletedAt).Title}
	default:
		row.Badge = badge{"idle", "clock", "Pending", ""}
	}
	return row
}

func (v *visit) obligationRows(list []engine.Obligation) []obligationRow {
	rows := make([]obligationRow, len(list))
	for i, o := range list {
		rows[i] = v.obligationRow(o)
	}
	return rows
}

// duties is the dashboard of obligations.
type duties struct {
	engine.ObligationSummary
	Overdue  []obligationRow
	Upcoming []obligationRow
	Mine     []obligationRow
	MoreMine bool
	Month    *month
	None     bool // there was never one
}

const (
	shownDuties = 8   // of each kind
	inAMonth    = 500 // that a calendar looks at
)

func showObligations(v *visit) (answer, error) {
	body := duties{Month: v.monthOf(v.r.URL.Query().Get("month"))}
	var err error
	if body.ObligationSummary, err = v.vault.ObligationSummary(v.ctx()); err != nil {
		return answer{}, err
	}
	c := body.ByStatus
	if body.None = c.Pending+c.Overdue+c.Completed == 0; body.None {
		return page("obligations", "Obligations", body), nil
	}
	if body.Overdue, _, err = v.duties(engine.ObligationQuery{Status: engine.ObligationOverdue}, shownDuties); err != nil {
		return answer{}, err
	}
	body.Upcoming = v.obligationRows(body.Next[:min(len(body.Next), shownDuties)])
	for _, status := range []engine.ObligationStatus{engine.ObligationOverdue, engine.ObligationPending} {
		mine, more, err := v.duties(engine.ObligationQuery{Status: status, OwnerID: v.user.ID}, shownDuties)
		if err != nil {
			return answer{}, err
		}
		body.Mine, body.MoreMine = append(body.Mine, mine...), body.MoreMine || more
	}
	return page("obligations", "Obligations", body), v.fillMonth(body.Month)
}

// duties reads the first of those chosen, as they are due.
func (v *visit) duties(q engine.ObligationQuery, limit int) (rows []obligationRow, more bool, err error) {
	q.Limit = limit
	found, err := v.vault.Obligations(v.ctx(), q)
	return v.obligationRows(found.Items), found.NextCursor != "", err
}

func (v *visit) fillMonth(m *month) error {
	from, err := engine.ParseDue(m.first.Format("2006-01-02"))
	if err != nil {
		return err
	}
	to, err := engine.ParseDue(m.nextOne.AddDate(0, 0, -1).Format("2006-01-02"))
	if err != nil {
		return err
	}
	rows, more, err := v.duties(engine.ObligationQuery{DueFrom: from, DueTo: to}, inAMonth)
	for _, row := range rows {
		m.put(row)
	}
	if more {
		m.More = v.Path("obligations", "list") + "?" + url.Values{"dueFrom": {from.String()}, "dueTo": {to.String()}}.Encode()
	}
	return err
}

// dutyList is the list of obligations, by filters in the address.
type dutyList struct {
	Status, Sort    string
	DueFrom, DueTo  string
	Owner           string
	Document        string // its name; "": of all
	People          people
	Items           []obligationRow
	Next            string
	Filtered        bool
	Wrong           []engine.FieldError
	WithoutDocument string // this list, of all documents
}

func listObligations(v *visit) (answer, error) {
	q := v.r.URL.Query()
	body := dutyList{Status: q.Get("status"), Sort: q.Get("sort"), DueFrom: q.Get("dueFrom"), DueTo: q.Get("dueTo"), WithoutDocument: v.With("documentId", "")}
	var err error
	if body.People, err = v.people(true); err != nil {
		return answer{}, err
	}
	query, err := v.dutyQuery(q)
	if err == nil {
		body.Owner = query.OwnerID
		err = v.readDuties(&body, query)
	}
	if invalid, ok := err.(*engine.InvalidError); ok {
		body.Wrong = invalid.Fields
		return answer{page: "duties", title: "Obligations", body: body, status: http.StatusBadRequest}, nil
	}
	return page("duties", "Obligations", body), err
}

func (v *visit) dutyQuery(values url.Values) (q engine.ObligationQuery, err error) {
	q = engine.ObligationQuery{Status: engine.ObligationStatus(values.Get("status")), DocumentID: values.Get("documentId"),
		Sort: engine.Sort(values.Get("sort")), Paging: engine.Paging{Limit: 50, Cursor: values.Get("cursor")}}
	if q.OwnerID, err = v.person("ownerId", values.Get("ownerId")); err != nil {
		return q, err
	}
	for name, due := range map[string]*engine.Due{"dueFrom": &q.DueFrom, "dueTo": &q.DueTo} {
		if values.Get(name) == "" {
			continue
		}
		if *due, err = v.dueFrom(name, values.Get(name), ""); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (v *visit) readDuties(body *dutyList, q engine.ObligationQuery) error {
	found, err := v.vault.Obligations(v.ctx(), q)
	if err != nil {
		return err
	}
	body.Items = v.obligationRows(found.Items)
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	if q.DocumentID != "" {
		body.Document = v.documentName(q.DocumentID)
	}
	body.Filtered = q.Status != "" || q.OwnerID != "" || q.DocumentID != "" || !q.DueFrom.IsZero() || !q.DueTo.IsZero()
	return nil
}
