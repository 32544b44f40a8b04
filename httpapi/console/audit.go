package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
)

func auditRoutes() []route {
	return []route{
		{"GET", "/{vault}/audit", view, listEntries},
		{"GET", "/{vault}/audit/{seq}", view, showEntry},
		{"GET", "/{vault}/audit/head", view, printHead},
		{"GET", "/{vault}/audit/verify", view, askVerify},
		{"POST", "/{vault}/audit/verify", view, verify},
		{"GET", "/{vault}/audit/export", readAll, backToLog},
		{"POST", "/{vault}/audit/export", readAll, exportLog},
	}
}

// logPage is the page of the audit log.
type logPage struct {
	Op, ActorID, DocumentID, From, To, Order string

	Document string // its name
	Ops      []option
	People   people
	Rows     []entryRow
	Next     string // later or earlier ones
	Head     audit.Head
	HeadAt   When
	Filtered bool
	Reached  string // as far as it was looked
	Wrong    []engine.FieldError
}

type entryRow struct {
	event
	Document, Name string
	Version        uint64
	Provable       bool // to whom this is shown
}

// Actors are those in the log who are no users.
func (logPage) Actors() []option {
	return []option{{"system", "the vault itself"}, {"operator", "the operator"}}
}

const pageOfLog = 50

func listEntries(v *visit) (answer, error) {
	q := v.r.URL.Query()
	body := logPage{Op: q.Get("op"), ActorID: q.Get("actorId"), DocumentID: strings.TrimSpace(q.Get("documentId")), From: q.Get("from"), To: q.Get("to"), Order: q.Get("order"),
		Head: v.vault.Head()}
	body.Filtered = body.Op+body.ActorID+body.DocumentID+body.From+body.To != ""
	body.HeadAt = v.When(body.Head.Time)
	for _, op := range audit.Ops() {
		body.Ops = append(body.Ops, option{string(op), opWords(op)})
	}
	var err error
	if body.People, err = v.people(true); err != nil {
		return answer{}, err
	}
	err = v.readLog(&body)
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		body.Wrong = invalid.Fields
		return answer{page: "log", title: "Audit log", body: body, status: 400}, nil
	} else if errors.Is(err, engine.ErrDocumentNotFound) {
		body.Wrong = []engine.FieldError{{Field: "document", Message: "there is none with this id"}}
		return answer{page: "log", title: "Audit log", body: body, status: 400}, nil
	}
	return page("log", "Audit log", body), err
}

func (v *visit) readLog(body *logPage) error {
	q := engine.EntryQuery{Op: audit.Op(body.Op), ActorID: body.ActorID, DocumentID: body.DocumentID}
	var err error
	if q.ActorID != "system" && q.ActorID != "operator" { // who are no users
		if q.ActorID, err = v.person("actorId", q.ActorID); err != nil {
			return err
		}
	}
	if body.From != "" {
		if q.From, err = v.day("from", body.From, false); err != nil {
			return err
		}
	}
	if body.To != "" {
		if q.To, err = v.day("to", body.To, true); err != nil {
			return err
		}
	}
	at, err := strconv.ParseUint(v.r.URL.Query().Get("cursor"), 10, 63)
	if err != nil {
		at = 0
	}
	if body.DocumentID != "" {
		body.Document = v.documentName(body.DocumentID)
	}
	var found []engine.Entry
	var next uint64
	if body.Order == "oldest" {
		q.After, q.Limit = at, pageOfLog
		page, err := v.vault.Entries(v.ctx(), q)
		if err != nil {
			return err
		}
		found, next = page.Items, page.NextAfter
	} else if found, next, err = v.newest(q, at); err != nil {
		return err
	}
	if next > 0 {
		body.Next, body.Reached = v.With("cursor", fmt.Sprint(next)), thousands(int(next))
	}
	for i := range found {
		e := &found[i]
		row := entryRow{Document: e.Document, Version: e.Version, Provable: v.mayProve(e.Document)}
		if row.event, err = v.event(e); err != nil {
			return err
		}
		if e.Document != "" {
			row.Name = v.documentName(e.Document)
		}
		body.Rows = append(body.Rows, row)
	}
	return nil
}

const (
	// stretch is how many entries one step backwards looks at.
	stretch = 500
	// maxStretches is how many steps one page takes, so that a filter that fits
	// little costs as much as the API's.
	maxStretches = 20
)

// newest returns the last entries before one, the last first: before is 0 for the end
// of the log. The log is read forwards, so it goes back by stretches. earlier is
// where to go on; 0 if that was all.
func (v *visit) newest(q engine.EntryQuery, before uint64) (found []engine.Entry, earlier uint64, err error) {
	first, end, err := v.span(q, before)
	if err != nil {
		return nil, 0, err
	}
	size := uint64(stretch)
	if q.DocumentID != "" { // whose entries are chained: there is nothing else to look at
		size = end
	}
	for step := 0; end > first && step < maxStretches; step++ {
		from := max(first, end-min(end, size))
		some, err := v.between(q, from, end)
		if err != nil {
			return nil, 0, err
		}
		slices.Reverse(some)
		if found = append(found, some...); len(found) > pageOfLog {
			found = found[:pageOfLog]
		}
		if len(found) == pageOfLog {
			if end = found[pageOfLog-1].Seq; end > first {
				return found, end, nil
			}
			return found, 0, nil
		}
		end = from
	}
	if end <= first {
		end = 0
	}
	return found, end, nil
}

// span is where a query can find anything: at first or later, before end.
func (v *visit) span(q engine.EntryQuery, before uint64) (first, end uint64, err error) {
	first, end = 1, v.vault.Head().Seq+1
	if before > 0 {
		end = min(end, before)
	}
	for _, bound := range []struct {
		at time.Time
		is *uint64
	}{{q.From, &first}, {q.To, &end}} {
		if bound.at.IsZero() {
			continue
		}
		page, err := v.vault.Entries(v.ctx(), engine.EntryQuery{From: bound.at, Limit: 1})
		if err != nil {
			return 0, 0, err
		}
		seq := v.vault.Head().Seq + 1
		if len(page.Items) > 0 {
			seq = page.Items[0].Seq
		}
		if bound.is == &first {
			first = seq
		} else {
			end = min(end, seq)
		}
	}
	return first, end, nil
}

// between are the last entries of a stretch that match, in order.
func (v *visit) between(q engine.EntryQuery, from, end uint64) (found []engine.Entry, err error) {
	q.After, q.Limit, q.From, q.To = from-min(from, 1), 500, time.Time{}, time.Time{}
	for {
		page, err := v.vault.Entries(v.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, e := range page.Items {
			if e.Seq >= end {
				return found, nil
			}
			if found = append(found, e); len(found) > 2*pageOfLog {
				found = slices.Clone(found[pageOfLog:])
			}
		}
		if q.After = page.NextAfter; q.After == 0 || q.After+1 >= end {
			return found, nil
		}
	}
}

// entrySheet is the page of an entry.
type entrySheet struct {
	entryRow
	Entry     engine.Entry
	Key       string
	Facts     []factRow
	Detail    string // as JSON, indented
	Salt      string
	HasOne    bool // a detail was hashed
	Kept      bool // it is still there
	MaySee    bool
	Line      string
	Previous  uint64
	Following uint64
}

type factRow struct{ Name, Value, Words string }

func showEntry(v *visit) (answer, error) {
	seq, err := strconv.ParseUint(v.id("seq"), 10, 64)
	if err != nil {
		return answer{}, engine.ErrEntryNotFound
	}
	e, err := v.vault.Entry(v.ctx(), seq)
	if err != nil {
		return answer{}, err
	}
	body := entrySheet{Entry: e, HasOne: !e.Entry.Detail.IsZero(), Kept: e.Detail != nil, MaySee: httpapi.ShowsDetail(e.Op, v.actor.Access), Line: strings.TrimSuffix(string(e.Line), "\n")}
	body.entryRow = entryRow{Document: e.Document, Version: e.Version, Provable: v.mayProve(e.Document)}
	if body.event, err = v.event(&e); err != nil {
		return answer{}, err
	}
	if e.Document != "" {
		body.Name = v.documentName(e.Document)
	}
	if body.MaySee && body.Kept {
		var pretty bytes.Buffer
		if json.Indent(&pretty, e.Detail, "", "  ") != nil {
			pretty.Reset()
			pretty.Write(e.Detail)
		}
		body.Detail, body.Salt = pretty.String(), fmt.Sprintf("%x", e.Salt)
	}
	for name, value := range e.Facts {
		body.Facts = append(body.Facts, v.fact(name, value))
	}
	slices.SortFunc(body.Facts, func(a, b factRow) int { return strings.Compare(a.Name, b.Name) })
	if body.Previous = seq - 1; seq < v.vault.Head().Seq {
		body.Following = seq + 1
	}
	return page("entry", "Entry "+thousands(int(seq)), body), nil
}

// fact is a fact with, for ids of people, their names.
func (v *visit) fact(name string, value audit.Value) factRow {
	row := factRow{Name: name}
	if text, ok := value.AsText(); ok {
		row.Value = text
		if name == "user" || name == "owner" {
			row.Words, _ = v.name(text)
		}
	} else if n, ok := value.AsNumber(); ok {
		row.Value = fmt.Sprint(n)
	} else if list, ok := value.AsTexts(); ok {
		row.Value = strings.Join(list, ", ")
	}
	return row
}

// headSheet is the head of the log, to print.
type headSheet struct {
	audit.Head
	Text string
	At   When
}

func printHead(v *visit) (answer, error) {
	head := v.vault.Head()
	return page("head", "The head of the audit log", headSheet{head, head.Text(), v.When(head.Time)}), nil
}

func backToLog(v *visit) (answer, error) { return answer{to: v.Path("audit")}, nil }

// exportLog streams the log, or its details, up to a head that is fixed when it
// begins. It is a form, for where reading is logged it writes an entry.
func exportLog(v *visit) (answer, error) {
	what := v.form("what")
	write := (*engine.Export).WriteLog
	if what == "details" {
		write = (*engine.Export).WriteDetails
	} else if what != "log" {
		return answer{}, errForm
	}
	e, err := v.vault.Export(v.ctx(), v.actor, 0)
	if err != nil {
		return answer{}, err
	}
	return answer{raw: func(w http.ResponseWriter) {
		h := w.Header()
		h.Set("Content-Type", "application/x-ndjson")
		h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s-%d.jsonl"`, v.vault.Name(), what, e.Head.Seq))
		h.Set("X-Audit-Head", fmt.Sprintf("%d:%s", e.Head.Seq, e.Head.Hash))
		if write(e, v.ctx(), w) != nil {
			panic(http.ErrAbortHandler) // half a log must not look like a whole one
		}
	}}, nil
}
