package console

import (
	"errors"
	"net/url"
	"strings"

	"strongroom/engine"
)

// holdings is the page of legal holds.
type holdings struct {
	Matters     []matterRow
	MoreMatters string
	Holds       []heldRow
	Status      string
	Matter      string
	Next        string
	None        bool // there was never a hold
}

type matterRow struct {
	engine.Matter
	First, Last When
}

// heldRow is a hold in a list.
type heldRow struct {
	engine.Hold
	Name           string // of its document
	By, ReleasedBy string
	Placed, Ended  When
}

func listHolds(v *visit) (answer, error) {
	q := v.r.URL.Query()
	body := holdings{Status: q.Get("status"), Matter: strings.TrimSpace(q.Get("matter"))}
	matters, err := v.vault.Matters(v.ctx(), engine.Paging{Limit: 20, Cursor: q.Get("matters")})
	if err != nil {
		return answer{}, err
	}
	for _, m := range matters.Items {
		body.Matters = append(body.Matters, matterRow{m, v.When(m.FirstPlacedAt), v.When(m.LastReleasedAt)})
	}
	if matters.NextCursor != "" {
		body.MoreMatters = v.With("matters", matters.NextCursor)
	}
	query := engine.HoldQuery{Status: engine.HoldStatus(body.Status), Matter: body.Matter, Paging: engine.Paging{Limit: 50, Cursor: q.Get("cursor")}}
	holds, err := v.vault.Holds(v.ctx(), query)
	if err != nil {
		return answer{}, err
	}
	for _, h := range holds.Items {
		row, err := v.heldRow(h)
		if err != nil {
			return answer{}, err
		}
		body.Holds = append(body.Holds, row)
	}
	if holds.NextCursor != "" {
		body.Next = v.With("cursor", holds.NextCursor)
	}
	body.None = len(body.Holds) == 0 && body.Status == "" && body.Matter == "" && q.Get("cursor") == ""
	return page("holds", "Legal holds", body), nil
}

func (v *visit) heldRow(h engine.Hold) (row heldRow, err error) {
	row = heldRow{Hold: h, Name: v.documentName(h.DocumentID), Placed: v.When(h.PlacedAt), Ended: v.When(h.ReleasedAt)}
	if row.By, err = v.name(h.PlacedBy); err == nil {
		row.ReleasedBy, err = v.name(h.ReleasedBy)
	}
	return row, err
}

// placing is the page on which holds are placed: first what is chosen, then what
// would be, then what became of it.
type placing struct {
	chooser
	Matter, Reason string
	Matters        []engine.Matter
	Wrong          []engine.FieldError
}

func askHolds(v *visit) (answer, error) { return v.placingPage(nil, v.returned()) }

func (v *visit) placingPage(wrong []engine.FieldError, typed url.Values) (answer, error) {
	get := typed.Get
	if typed == nil {
		get = v.r.URL.Query().Get
	}
	c, err := v.chooser(get)
	if err != nil {
		return answer{}, err
	}
	matters, err := v.vault.Matters(v.ctx(), engine.Paging{Limit: 500})
	if err != nil {
		return answer{}, err
	}
	status := 0
	if wrong != nil {
		status = 400
	}
	body := placing{chooser: c, Matter: get("matter"), Reason: get("reason"), Matters: matters.Items, Wrong: wrong}
	return answer{page: "placing", title: "Place legal holds", body: body, status: status}, nil
}

// trial is a page of what would become of many, or has.
type trial struct {
	Matter, Reason string
	IDs            string // of documents or, to be released, of holds
	Rows           []outcomeRow
	More           int // that are not shown
	Would          int
	Unchanged      int
	Fails          int
}

// shownOutcomes is how many a page of outcomes lists; failures come first.
const shownOutcomes = 500

func tryHolds(v *visit) (answer, error) {
	typed := v.r.PostForm
	c, err := v.chooser(typed.Get)
	if err != nil {
		return answer{}, err
	}
	ids, err := v.choose(&c)
	if err == nil {
		var a answer
		if a, err = v.holdThem(ids, v.form("matter"), v.form("reason")); err == nil {
			return a, nil
		}
	}
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return v.placingPage(invalid.Fields, typed)
	}
	return answer{}, err
}

// backToHolds is where a form comes back to that was sent into a session that had
// ended: what it would do is shown again.
func backToHolds(v *visit) (answer, error) {
	if v.returned() == nil {
		return answer{to: v.Path("holds", "new")}, nil
	}
	return v.holdThem(strings.Fields(v.returned().Get("ids")), v.returned().Get("matter"), v.returned().Get("reason"))
}

// holdThem shows what would become of each.
func (v *visit) holdThem(ids []string, matter, reason string) (answer, error) {
	body := trial{Matter: matter, Reason: reason, IDs: strings.Join(ids, " ")}
	err := v.inSteps(ids, &body, func(some []string) ([]engine.HoldOutcome, error) {
		return v.vault.PlaceHolds(v.ctx(), v.actor, some, engine.NewHold{Reason: reason, Matter: matter}, true)
	})
	return page("placed", "Before they are held", body), err
}

// inSteps does some at a time, and gathers what became of each.
func (v *visit) inSteps(ids []string, body *trial, some func([]string) ([]engine.HoldOutcome, error)) error {
	if len(ids) == 0 || len(ids) > engine.MaxErased {
		return wrongField("documents", "choose from 1 to 10,000")
	}
	var failed, rest []outcomeRow
	for len(ids) > 0 {
		step := ids[:min(len(ids), engine.MaxBulk)]
		ids = ids[len(step):]
		outcomes, err := some(step)
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			switch {
			case o.Err != nil:
				words := refusalWords(o.Err)
				if words == "" {
					return o.Err
				}
				body.Fails++
				failed = append(failed, outcomeRow{ID: o.DocumentID, What: words, Kind: "failed"})
			case !o.Changed:
				body.Unchanged++
				rest = append(rest, outcomeRow{ID: o.DocumentID, Kind: "unchanged"})
			default:
				body.Would++
				rest = append(rest, outcomeRow{ID: o.DocumentID, Kind: "changed"})
			}
		}
	}
	all := append(failed, rest...)
	body.Rows = all[:min(len(all), shownOutcomes)]
	body.More = len(all) - len(body.Rows)
	for i := range body.Rows {
		body.Rows[i].Name = v.documentName(body.Rows[i].ID)
	}
	return nil
}
