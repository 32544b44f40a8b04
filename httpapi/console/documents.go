package console

import (
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"strongroom/engine"
	"strongroom/httpapi"
)

// listing is the page of documents.
type listing struct {
	Query      string
	Status     string
	Category   string
	Owner      string
	Chips      []chip // filters that have no field of their own
	Crumbs     []crumb
	Filtered   bool
	Filter     string // the filters, as they choose for a change of all that match
	Archives   bool   // the list is of what is archived
	Fields     []engine.Field
	Categories kinds
	People     people
	Items      []listed
	Total      uint64 // of a search
	Took       string
	Behind     bool // the index has not caught up
	Next       string
	Sort       string
	Searching  bool
	CanSearch  bool
	Empty      bool // there is no document at all
	Steps      *firstSteps
	Wrong      []engine.FieldError
}

// chip is a filter that is on, and the address without it.
type chip struct{ Text, Without string }

// listed is a row.
type listed struct {
	engine.Document
	Owner    string
	Badges   []badge
	Snippets []string
	Changed  When
}

// badge is a state, by a word, a picture and a colour.
type badge struct{ Kind, Icon, Text, Title string }

func (v *visit) badges(d *engine.Document) []badge {
	var out []badge
	switch {
	case d.Status == engine.StatusDeleted:
		return []badge{{"idle", "gone", "Deleted", ""}}
	case d.HoldCount > 0:
		out = append(out, badge{"hold", "lock", "Legal Hold", counted(int(d.HoldCount), "hold")})
	}
	if d.Archived {
		out = append(out, badge{"idle", "box", "Archived", ""})
	} else if d.HoldCount == 0 {
		out = append(out, badge{"active", "check", "Active", ""})
	}
	if d.Restricted {
		out = append(out, badge{"idle", "eye", "Restricted", "only admins and auditors see it"})
	}
	if d.Lock != nil {
		until := v.When(d.Lock.Until)
		out = append(out, badge{"due", "pen", "Locked by " + d.Lock.User.Name, "until " + until.Minute})
	}
	return out
}

func listDocuments(v *visit) (answer, error) {
	values := v.r.URL.Query()
	values.Del("unsent")
	body := listing{Query: values.Get("q"), Status: values.Get("status"), Category: values.Get("category"), Owner: values.Get("ownerId"),
		Sort: values.Get("sort"), CanSearch: v.console.options.Search != nil}
	if err := v.fillChoices(&body, values); err != nil {
		return answer{}, err
	}
	text, q, err := v.parseQuery(values)
	if err == nil {
		body.Owner = q.OwnerID
		body.Filter = chosenBy(values, q.OwnerID)
		if body.Searching = text != "" && body.CanSearch; body.Searching {
			err = v.search(&body, text, q)
		} else {
			err = v.list(&body, q)
		}
	}
	if invalid, ok := err.(*engine.InvalidError); ok {
		body.Wrong = invalid.Fields
		return answer{page: "documents", title: "Documents", body: body, status: http.StatusBadRequest}, nil
	}
	if err == nil && !body.Filtered && values.Get("cursor") == "" {
		body.Steps, err = v.firstSteps(&body)
	}
	return page("documents", "Documents", body), err
}

// parseQuery reads filters as the API does, with people by what they are called too.
func (v *visit) parseQuery(values url.Values) (text string, q engine.DocumentQuery, err error) {
	if owner := values.Get("ownerId"); owner != "" {
		if owner, err = v.person("ownerId", owner); err != nil {
			return "", q, err
		}
		values = maps.Clone(values)
		values.Set("ownerId", owner)
	}
	return httpapi.ParseDocumentQuery(values)
}

func (v *visit) list(body *listing, q engine.DocumentQuery) error {
	began := q
	found, err := v.vault.Documents(v.ctx(), q)
	if err != nil {
		return err
	}
	body.Items = make([]listed, 0, len(found.Items))
	for i := range found.Items {
		row, err := v.row(&found.Items[i])
		if err != nil {
			return err
		}
		body.Items = append(body.Items, row)
	}
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	body.Empty = len(body.Items) == 0 && !body.Filtered && began.Cursor == ""
	return nil
}

func (v *visit) search(body *listing, text string, q engine.DocumentQuery) error {
	began := time.Now()
	paging := q.Paging
	q.Paging, q.Sort = engine.Paging{}, ""
	found, err := v.console.options.Search.Search(v.ctx(), v.vault, httpapi.SearchQuery{Text: text, Filter: q, Paging: paging})
	if err != nil {
		return err
	}
	var shown []engine.Document
	for i := range found.Hits {
		hit := &found.Hits[i]
		row, err := v.row(&hit.Document)
		if err != nil {
			return err
		}
		row.Snippets = hit.Snippets
		if hit.Content {
			shown = append(shown, hit.Document)
		}
		body.Items = append(body.Items, row)
	}
	if err := v.vault.RecordShown(v.ctx(), v.actor, shown); err != nil {
		return err
	}
	body.Total, body.Behind = uint64(found.Total), !found.Complete
	body.Took = time.Since(began).Round(time.Millisecond).String()
	if found.NextCursor != "" {
		body.Next = v.With("cursor", found.NextCursor)
	}
	return nil
}

func (v *visit) row(d *engine.Document) (listed, error) {
	owner, err := v.name(d.OwnerID)
	return listed{Document: *d, Owner: owner, Badges: v.badges(d), Changed: v.When(d.UpdatedAt)}, err
}

// name is what a user is called; the actors that are no users have their own.
func (v *visit) name(userID string) (string, error) {
	switch userID {
	case "":
		return "", nil
	case "system":
		return "the vault itself", nil
	case "operator":
		return "the operator", nil
	}
	if v.names == nil {
		v.names = map[string]string{}
	}
	if name, ok := v.names[userID]; ok {
		return name, nil
	}
	u, err := v.vault.User(v.ctx(), userID)
	if err == engine.ErrUserNotFound {
		return "somebody unknown", nil
	}
	if u.Name == "" && err == nil {
		u.Name = "somebody erased"
	}
	v.names[userID] = u.Name
	return u.Name, err
}

// fillChoices fills what the filters offer, and names those that are on.
func (v *visit) fillChoices(body *listing, values url.Values) error {
	var err error
	if body.Categories, err = v.kinds(); err != nil {
		return err
	}
	if body.People, err = v.people(true); err != nil {
		return err
	}
	fields, err := v.vault.Fields(v.ctx(), engine.Paging{Limit: 500})
	if err != nil {
		return err
	}
	body.Fields = fields.Items
	body.Archives = body.Status == string(engine.StatusArchived) || values.Get("archived") == "true"
	body.Crumbs = crumbsOf(values.Get("path"))
	for name, list := range values {
		if slices.Contains([]string{"q", "status", "category", "ownerId", "sort", "cursor", "limit"}, name) {
			body.Filtered = body.Filtered || list[0] != "" && !slices.Contains([]string{"sort", "cursor", "limit"}, name)
			continue
		}
		for _, value := range list {
			if value == "" {
				continue
			}
			body.Filtered = true
			body.Chips = append(body.Chips, chip{filterWords(name, value), v.withoutOne(name, value)})
		}
	}
	slices.SortFunc(body.Chips, func(a, b chip) int { return strings.Compare(a.Text, b.Text) })
	return nil
}

// chosenBy is what of a query chooses documents.
func chosenBy(values url.Values, ownerID string) string {
	q := url.Values{}
	for name, list := range values {
		if !slices.Contains([]string{"sort", "cursor", "limit"}, name) && !(len(list) == 1 && list[0] == "") {
			q[name] = list
		}
	}
	if ownerID != "" {
		q.Set("ownerId", ownerID)
	}
	return q.Encode()
}

// withoutOne is the address of this page without one value of a parameter.
func (v *visit) withoutOne(name, value string) string {
	q := v.r.URL.Query()
	q.Del("cursor")
	q[name] = slices.DeleteFunc(q[name], func(s string) bool { return s == value })
	return v.r.URL.Path + "?" + q.Encode()
}

func filterWords(name, value string) string {
	switch field, end, _ := strings.Cut(strings.TrimPrefix(name, "field."), "."); {
	case name == "tag":
		return value
	case strings.HasPrefix(name, "field.") && end == "from":
		return field + " from " + value
	case strings.HasPrefix(name, "field.") && end == "to":
		return field + " before " + value
	case strings.HasPrefix(name, "field."):
		return field + ": " + value
	}
	words := map[string]string{"createdFrom": "made from", "createdTo": "made before", "updatedFrom": "changed from", "updatedTo": "changed before",
		"externalId": "external id", "templateId": "template", "agreementId": "agreement", "matter": "held for"}
	if w := words[name]; w != "" {
		return w + " " + value
	}
	return name + ": " + value
}

func (v *visit) categories() ([]string, error) {
	s, err := v.vault.Settings(v.ctx())
	all := append(engine.BuiltinCategories(), s.Categories...)
	slices.Sort(all)
	return slices.Compact(all), err
}

// register is the list as a CSV, all of it, as it is while it is read. A cell that a
// spreadsheet would take for a formula begins with an apostrophe.
func register(v *visit) (answer, error) {
	text, q, err := v.parseQuery(v.r.URL.Query())
	if err != nil {
		return answer{}, err
	}
	if text != "" {
		return answer{}, &engine.InvalidError{Fields: []engine.FieldError{{Field: "q", Message: "a search has no register; choose by filters"}}}
	}
	q.Limit, q.Cursor = 500, ""
	first, err := v.vault.Documents(v.ctx(), q)
	if err != nil {
		return answer{}, err
	}
	return answer{raw: func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		w.Header().Set("Content-Disposition", `attachment; filename="documents.csv"`)
		out := csv.NewWriter(w)
		out.Write([]string{"id", "name", "status", "category", "owner", "tags", "versions", "holds", "created", "updated", "externalId"})
		for page := first; ; {
			for _, d := range page.Items {
				owner, _ := v.name(d.OwnerID)
				out.Write(plainCells(d.ID, d.Name, string(d.Status), d.Category, owner, strings.Join(d.Tags, " "), fmt.Sprint(d.VersionCount), fmt.Sprint(d.HoldCount),
					v.When(d.CreatedAt).Exact, v.When(d.UpdatedAt).Exact, d.ExternalID))
			}
			if out.Flush(); page.NextCursor == "" || out.Error() != nil {
				return
			}
			if q.Cursor = page.NextCursor; v.ctx().Err() != nil {
				return
			}
			if page, err = v.vault.Documents(v.ctx(), q); err != nil {
				panic(http.ErrAbortHandler) // half a register must not look like a whole one
			}
		}
	}}, nil
}

// plainCells puts ' before what would be a formula: a cell, and each part of one,
// since many spreadsheets divide at semicolons, or at tabs, by their language. Some
// take the wide spellings too, and skip blanks and quotes before them.
func plainCells(cells ...string) []string {
	for i, rest := range cells {
		var b strings.Builder
		if rest != "" && strings.ContainsRune("\t\r\n", rune(rest[0])) {
			b.WriteByte('\'')
		}
		for rest != "" {
			end := strings.IndexAny(rest, ";\t\r\n") + 1
			if end == 0 {
				end = len(rest)
			}
			first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(rest[:end], func(r rune) bool { return unicode.IsSpace(r) || r == 0 || r == '"' }))
			if strings.ContainsRune("=+-@＝＋－＠", first) {
				b.WriteByte('\'')
			}
			b.WriteString(rest[:end])
			rest = rest[end:]
		}
		cells[i] = b.String()
	}
	return cells
}
