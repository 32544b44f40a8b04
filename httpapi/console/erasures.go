package console

import (
	"errors"
	"net/url"
	"slices"
	"strings"

	"strongroom/engine"
)

// caseRow is an erasure in a list.
type caseRow struct {
	engine.Erasure
	By, User string
	At       When
	Badge    badge
}

// caseList is the page of erasures.
type caseList struct {
	Cases []caseRow
	Next  string
}

// listErasures shows the newest first as long as one page has them all.
func listErasures(v *visit) (answer, error) {
	cursor := v.r.URL.Query().Get("cursor")
	found, err := v.vault.Erasures(v.ctx(), engine.Paging{Limit: 200, Cursor: cursor})
	if err != nil {
		return answer{}, err
	}
	var body caseList
	for _, e := range found.Items {
		row, err := v.caseRow(e)
		if err != nil {
			return answer{}, err
		}
		body.Cases = append(body.Cases, row)
	}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	} else if cursor == "" {
		slices.Reverse(body.Cases)
	}
	return page("erasures", "Erasure", body), nil
}

func (v *visit) caseRow(e engine.Erasure) (row caseRow, err error) {
	row = caseRow{Erasure: e, At: v.When(e.RequestedAt), Badge: caseBadge(e.Status)}
	if row.By, err = v.name(e.RequestedBy); err == nil {
		row.User, err = v.name(e.UserID)
	}
	return row, err
}

func caseBadge(s engine.ErasureStatus) badge {
	switch s {
	case engine.ErasureRunning:
		return badge{"due", "clock", "Running", "it is being erased"}
	case engine.ErasureDeferred:
		return badge{"hold", "lock", "Deferred", "it waits for holds or protection to end"}
	}
	return badge{"active", "check", "Completed", ""}
}

// asking is the page on which an erasure is asked for.
type asking struct {
	chooser
	Closed             []engine.User
	UserID, Law, Asked string
	Wrong              []engine.FieldError
}

func askErasure(v *visit) (answer, error) { return v.askingPage(nil, v.returned()) }

func (v *visit) askingPage(wrong []engine.FieldError, typed url.Values) (answer, error) {
	if typed == nil {
		typed = v.r.URL.Query()
		if !typed.Has("f.status") {
			typed.Set("f.status", "all") // what is archived is to go too
		}
	}
	c, err := v.chooser(typed.Get)
	if err != nil {
		return answer{}, err
	}
	body := asking{chooser: c, UserID: typed.Get("userId"), Law: typed.Get("legalBasis"), Asked: typed.Get("requester"), Wrong: wrong}
	if body.Closed, err = v.closed(); err != nil {
		return answer{}, err
	}
	status := 0
	if wrong != nil {
		status = 400
	}
	return answer{page: "asking", title: "A new erasure", body: body, status: status}, nil
}

// taking is the page of what an erasure would take.
type taking struct {
	engine.Erasure
	IDs     string
	User    string
	Now     uint64 // documents that would be erased at once
	Rows    []erasedRow
	More    int
	Deleted int // of the documents shown, that are deleted already
}

// erasedRow is how a document of an erasure stands, or would.
type erasedRow struct {
	engine.ErasedDocument
	Name  string
	Until When
	Gone  bool // it was deleted before
}

func tryErasure(v *visit) (answer, error) {
	typed := v.r.PostForm
	n := engine.NewErasure{UserID: v.form("userId"), LegalBasis: v.form("legalBasis"), Requester: v.form("requester")}
	c, err := v.chooser(typed.Get)
	if err != nil {
		return answer{}, err
	}
	if n.UserID == "" {
		n.DocumentIDs, err = v.choose(&c)
	} else if c.IDs != "" || slices.ContainsFunc(filters, func(name string) bool { return name != "status" && c.Filter[name] != "" }) {
		err = wrongField("person", "is chosen, and documents are too: ask for two erasures")
	}
	return v.take(n, err, typed)
}

// backToErasure shows again what was asked for in a session that had ended.
func backToErasure(v *visit) (answer, error) {
	if v.returned() == nil {
		return answer{to: v.Path("erasures", "new")}, nil
	}
	return v.take(newErasure(v.returned()), nil, v.returned())
}

func newErasure(typed url.Values) engine.NewErasure {
	n := engine.NewErasure{UserID: typed.Get("userId"), LegalBasis: typed.Get("legalBasis"), Requester: typed.Get("requester")}
	if n.UserID == "" {
		n.DocumentIDs = strings.Fields(typed.Get("ids"))
	}
	return n
}

func (v *visit) take(n engine.NewErasure, err error, typed url.Values) (answer, error) {
	var would engine.Erasure
	if err == nil {
		would, err = v.vault.PreviewErasure(v.ctx(), v.actor, n)
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.askingPage(invalid.Fields, typed)
	}
	if err != nil {
		return answer{}, err
	}
	body := taking{Erasure: would, IDs: strings.Join(n.DocumentIDs, " "), Now: would.Total - would.Deferred}
	if body.User, err = v.name(would.UserID); err != nil {
		return answer{}, err
	}
	body.Rows = v.erasedRows(would.Documents)
	body.More = len(would.Documents) - len(body.Rows)
	for _, row := range body.Rows {
		if row.Gone {
			body.Deleted++
		}
	}
	return page("taking", "What it would take", body), nil
}

// erasedRows are the first of many, those that wait before all others.
func (v *visit) erasedRows(all []engine.ErasedDocument) (rows []erasedRow) {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b engine.ErasedDocument) int { return order(a.Status) - order(b.Status) })
	for _, d := range sorted[:min(len(sorted), shownOutcomes)] {
		rows = append(rows, v.erasedRow(d))
	}
	return rows
}

func order(s engine.ErasureStatus) int {
	return slices.Index([]engine.ErasureStatus{engine.ErasureDeferred, engine.ErasureRunning, engine.ErasureCompleted}, s)
}

func (v *visit) erasedRow(d engine.ErasedDocument) erasedRow {
	row := erasedRow{ErasedDocument: d, Name: d.DocumentID, Until: v.When(d.Until)}
	is, err := v.vault.Document(v.ctx(), d.DocumentID)
	switch {
	case errors.Is(err, engine.ErrDocumentDeleted) || err == nil && is.Status == engine.StatusDeleted:
		row.Gone = true
	case err == nil && is.Name != "":
		row.Name = is.Name
	}
	return row
}

func requestErasure(v *visit) (answer, error) {
	n := newErasure(v.r.PostForm)
	e, _, err := v.vault.RequestErasure(v.ctx(), v.actor, n)
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.askingPage(invalid.Fields, v.r.PostForm)
	}
	if err != nil {
		return answer{}, err
	}
	return see(v.Path("erasures", e.ID), "The erasure is noted. It is carried out now, but for what must wait."), nil
}

// caseSheet is the page of an erasure.
type caseSheet struct {
	caseRow
	Rows []erasedRow
	More int
	Left uint64
}

func showErasure(v *visit) (answer, error) {
	e, err := v.vault.Erasure(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	body := caseSheet{Rows: v.erasedRows(e.Documents), Left: e.Total - e.Completed - e.Deferred}
	body.More = len(e.Documents) - len(body.Rows)
	body.caseRow, err = v.caseRow(e)
	return page("case", "An erasure", body), err
}

// proof is the certificate of an erasure, to print.
type proof struct {
	caseRow
	Vault  string
	Gone   []certified
	Left   []erasedRow
	Head   string
	HeadAt When
}

// certified is a document that is gone, and the entry that proves it.
type certified struct {
	engine.Certificate
	At   When
	Hash string
}

func printErasure(v *visit) (answer, error) {
	e, err := v.vault.Erasure(v.ctx(), v.id("id"))
	if err != nil {
		return answer{}, err
	}
	head := v.vault.Head()
	body := proof{Vault: v.vault.ID(), Head: head.Text(), HeadAt: v.When(head.Time)}
	if body.caseRow, err = v.caseRow(e); err != nil {
		return answer{}, err
	}
	for _, d := range e.Documents {
		c, err := v.vault.Certificate(v.ctx(), d.DocumentID)
		if d.Status == engine.ErasureCompleted && err == nil {
			body.Gone = append(body.Gone, certified{c, v.When(c.DeletedAt), c.AuditHash.String()})
		} else if d.Status == engine.ErasureCompleted {
			return answer{}, err
		} else {
			body.Left = append(body.Left, v.erasedRow(d))
		}
	}
	return page("certificate", "Certificate of erasure", body), nil
}
