package engine_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/engine"
)

// query makes one up.
func (m *model) query() engine.DocumentQuery {
	q := engine.DocumentQuery{Status: pick[engine.Status](m, "", "", "all", "active", "archived", "deleted", "legal_hold"), Sort: pick[engine.Sort](m, "", "createdAt", "-createdAt", "name", "-name", "updatedAt", "-updatedAt")}
	if m.random.IntN(4) == 0 {
		archived := m.random.IntN(2) == 0
		q.Archived = &archived
	}
	if m.random.IntN(4) == 0 {
		q.Category = pick(m, modelCategories...)
	}
	if m.random.IntN(4) == 0 {
		q.OwnerID = pick(m, pick(m, m.actors...).UserID, "x", engine.NewID())
	}
	if m.random.IntN(8) == 0 {
		q.ExternalID = fmt.Sprint("ext-", m.random.IntN(20))
	}
	if m.random.IntN(6) == 0 {
		q.Product = pick(m, "cpq", "clm", "none")
	}
	if m.random.IntN(8) == 0 {
		q.TemplateID = "t-1"
	}
	if m.random.IntN(8) == 0 {
		q.AgreementID = pick(m, "a-1", "a")
	}
	if m.random.IntN(6) == 0 {
		q.Matter = pick(m, append(modelMatters, "none")...)
	}
	q.Fields = m.filters()
	for range m.random.IntN(3) {
		q.Tags = append(q.Tags, pick(m, pick(m, modelTags...), "client:*", "client: *", "year:*", " urgent "))
	}
	instant := func() time.Time {
		return m.k.Head().Time.Add(-time.Duration(m.random.IntN(m.n+1)) * time.Millisecond).Add(time.Duration(m.random.IntN(3)) * 400 * time.Microsecond)
	}
	for _, at := range []*time.Time{&q.CreatedFrom, &q.CreatedTo, &q.UpdatedFrom, &q.UpdatedTo} {
		if m.random.IntN(8) == 0 {
			*at = instant()
		}
	}
	return q
}

// matches says whether a document is in a list.
func (m *model) matches(q engine.DocumentQuery, d engine.Document) bool {
	in := func(at, from, to time.Time) bool {
		return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
	}
	deleted := d.Status == engine.StatusDeleted
	switch q.Status {
	case "":
		if deleted || d.Archived && q.Archived == nil {
			return false
		}
	case "active", "archived", "deleted", "legal_hold":
		if d.Status != q.Status {
			return false
		}
	}
	if q.Matter != "" && m.bears(d.ID, q.Matter) == 0 || q.Archived != nil && d.Archived != *q.Archived || q.Category != "" && d.Category != q.Category ||
		q.Product != "" && d.Product != q.Product || q.TemplateID != "" && d.TemplateID != q.TemplateID || q.AgreementID != "" && d.AgreementID != q.AgreementID ||
		q.OwnerID != "" && d.OwnerID != q.OwnerID || q.ExternalID != "" && d.ExternalID != q.ExternalID {
		return false
	}
	for _, f := range q.Fields {
		if !within(f, d.CustomFields[f.Key]) {
			return false
		}
	}
	for _, wanted := range q.Tags {
		wanted = strings.ReplaceAll(strings.TrimSpace(wanted), ": ", ":")
		key, any := strings.CutSuffix(wanted, "*")
		if !slices.ContainsFunc(d.Tags, func(tag string) bool { return tag == wanted || any && strings.HasPrefix(tag, key) }) {
			return false
		}
	}
	return in(d.CreatedAt, q.CreatedFrom, q.CreatedTo) && in(d.UpdatedAt, q.UpdatedFrom, q.UpdatedTo)
}

// order compares by the query's sort, then by id.
func order(q engine.DocumentQuery, a, b engine.Document) (c int) {
	field, desc := strings.CutPrefix(string(cmp.Or(q.Sort, "-createdAt")), "-")
	switch field {
	case "name":
		c = cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	case "updatedAt":
		c = a.UpdatedAt.Compare(b.UpdatedAt)
	}
	if c = cmp.Or(c, cmp.Compare(a.ID, b.ID)); desc {
		return -c
	}
	return c
}

func (m *model) matching(q engine.DocumentQuery) (list []engine.Document) {
	for _, d := range m.documents {
		if m.matches(q, d) {
			list = append(list, d)
		}
	}
	slices.SortFunc(list, func(a, b engine.Document) int { return order(q, a, b) })
	return list
}

// list reads a whole list and compares it with a scan.
func (m *model) list() {
	q := m.query()
	want := m.matching(q)
	q.Limit = 1 + m.random.IntN(20)
	var got []engine.Document
	for {
		page, err := m.k.Documents(m.ctx(), q)
		must(m.t, err)
		if len(page.Items) > q.Limit {
			m.t.Fatalf("call %d: a page of %d, the limit is %d", m.n, len(page.Items), q.Limit)
		}
		got = append(got, page.Items...)
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
		q.Limit = 1 + m.random.IntN(20)
	}
	if !slices.EqualFunc(got, want, equal) {
		m.t.Fatalf("call %d: %+v\ngot  %s\nwant %s", m.n, q, brief(got), brief(want))
	}
}

func brief(list []engine.Document) string {
	var b strings.Builder
	for _, d := range list {
		fmt.Fprintf(&b, "\n%s %q %s %v %s r%d", d.ID, d.Name, d.Status, d.Tags, d.UpdatedAt.Format("05.000"), d.Revision)
	}
	return b.String()
}

// walk reads a list page by page while others write.
type walk struct {
	m       *model
	q       engine.DocumentQuery
	start   []engine.Document
	touched map[string]bool // changed since the walk began
	seen    map[string]int
}

func (m *model) newWalk() *walk {
	w := &walk{m: m, q: m.query(), touched: map[string]bool{}, seen: map[string]int{}}
	w.start = m.matching(w.q)
	return w
}

// step reads a page, and at the end judges all of them: what stayed as it was
// came exactly once.
func (w *walk) step() (done bool) {
	w.q.Limit = 1 + w.m.random.IntN(5)
	page, err := w.m.k.Documents(w.m.ctx(), w.q)
	must(w.m.t, err)
	for _, d := range page.Items {
		w.seen[d.ID]++
	}
	if w.q.Cursor = page.NextCursor; w.q.Cursor != "" {
		return false
	}
	in := map[string]bool{}
	for _, d := range w.start {
		if in[d.ID] = true; !w.touched[d.ID] && w.seen[d.ID] != 1 {
			w.m.t.Fatalf("call %d: %+v: %s stayed as it was and came %d times", w.m.n, w.q, d.ID, w.seen[d.ID])
		}
	}
	for id := range w.seen {
		if !w.touched[id] && !in[id] {
			w.m.t.Fatalf("call %d: %+v: %s came and does not match", w.m.n, w.q, id)
		}
	}
	return true
}
