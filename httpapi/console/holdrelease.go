package console

import (
	"strings"

	"strongroom/engine"
)

// askRelease shows what a release would end: of one hold, or of all that are active
// for a matter.
func askRelease(v *visit) (answer, error) {
	q := v.r.URL.Query()
	if v.returned() != nil {
		q = v.returned()
	}
	matter, one := strings.TrimSpace(q.Get("matter")), q.Get("hold")
	if ids := strings.Fields(q.Get("ids")); len(ids) > 0 {
		return v.releaseThem(ids, matter, q.Get("reason"))
	}
	if one != "" {
		h, err := v.vault.Hold(v.ctx(), one)
		if err != nil {
			return answer{}, err
		}
		return v.releaseThem([]string{h.ID}, h.Matter, q.Get("reason"))
	}
	if matter == "" {
		return answer{to: v.Path("holds")}, nil
	}
	ids, err := v.activeHolds(matter)
	if err != nil {
		return answer{}, err
	}
	if len(ids) == 0 {
		return see(v.Path("holds"), "No hold is active for %s any more.", matter), nil
	}
	return v.releaseThem(ids, matter, q.Get("reason"))
}

// activeHolds are those of a matter, up to as many as one form releases.
func (v *visit) activeHolds(matter string) (ids []string, err error) {
	q := engine.HoldQuery{Status: engine.HoldActive, Matter: matter, Paging: engine.Paging{Limit: 500}}
	for {
		found, err := v.vault.Holds(v.ctx(), q)
		if err != nil {
			return nil, err
		}
		for _, h := range found.Items {
			ids = append(ids, h.ID)
		}
		if q.Cursor = found.NextCursor; q.Cursor == "" || len(ids) >= engine.MaxErased {
			return ids[:min(len(ids), engine.MaxErased)], nil
		}
	}
}

// releasing is a trial, with the holds that documents go on bearing.
type releasing struct {
	trial
	Others int // of the documents shown, how many other holds keep
}

// releaseThem shows what would become of each.
func (v *visit) releaseThem(ids []string, matter, reason string) (answer, error) {
	body := releasing{trial: trial{Matter: matter, Reason: reason, IDs: strings.Join(ids, " ")}}
	err := v.inSteps(ids, &body.trial, func(some []string) ([]engine.HoldOutcome, error) {
		return v.vault.ReleaseHolds(v.ctx(), v.actor, some, reason, true)
	})
	if err != nil {
		return answer{}, err
	}
	mine := map[string]uint64{} // how many of the holds of a document are released here
	for _, row := range body.Rows {
		mine[row.ID]++
	}
	for i := range body.Rows {
		row := &body.Rows[i]
		if row.Kind != "changed" {
			continue
		}
		if d, err := v.vault.Document(v.ctx(), row.ID); err == nil {
			if left := d.HoldCount - min(d.HoldCount, mine[row.ID]); left > 0 {
				row.What = "still kept by " + counted(int(left), "other hold")
				body.Others++
			}
		}
	}
	return page("released", "Before they are released", body), nil
}
