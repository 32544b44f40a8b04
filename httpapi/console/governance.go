package console

import (
	"cmp"
	"errors"
	"net/url"
	"strings"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

// governanceRoutes are those of retention, legal holds and erasure.
// An address that a form is sent to can also be got: a form sent into a session that
// had ended comes back there.
func governanceRoutes() []route {
	return []route{
		{"GET", "/{vault}/retention", readAll, showRetention},
		{"GET", "/{vault}/retention/policies/new", admin, newPolicyPage},
		{"GET", "/{vault}/retention/policies/{id}", readAll, policyPage},
		{"GET", "/{vault}/retention/policies/look", admin, lookAtPolicy},
		{"POST", "/{vault}/retention/policies/look", admin, savePolicy},
		{"GET", "/{vault}/retention/preview", readAll, previewRun},
		{"POST", "/{vault}/retention/preview", admin, startRun},
		{"GET", "/{vault}/retention/runs", readAll, listRuns},
		{"GET", "/{vault}/retention/runs/{id}", readAll, showRun},
		{"GET", "/{vault}/retention/resume", admin, askResume},
		{"POST", "/{vault}/retention/resume", admin, resume},

		{"GET", "/{vault}/holds", readAll, listHolds},
		{"GET", "/{vault}/holds/new", admin, askHolds},
		{"POST", "/{vault}/holds/new", admin, tryHolds},
		{"GET", "/{vault}/holds/place", admin, backToHolds},
		{"POST", "/{vault}/holds/place", admin, placeHolds},
		{"GET", "/{vault}/holds/release", admin, askRelease},
		{"POST", "/{vault}/holds/release", admin, releaseHolds},

		{"GET", "/{vault}/erasures", readAll, listErasures},
		{"GET", "/{vault}/erasures/new", admin, askErasure},
		{"POST", "/{vault}/erasures/new", admin, tryErasure},
		{"GET", "/{vault}/erasures/request", admin, backToErasure},
		{"POST", "/{vault}/erasures/request", admin, requestErasure},
		{"GET", "/{vault}/erasures/{id}", readAll, showErasure},
		{"GET", "/{vault}/erasures/{id}/certificate", readAll, printErasure},
	}
}

// returned are the fields of a form that was sent into a session that had ended, for
// pages that are made of what was typed; nil if there is none.
func (v *visit) returned() url.Values {
	if v.unsent == nil {
		return nil
	}
	return v.unsent.fields
}

// documentName is what a document is called; of one that is deleted, its id.
func (v *visit) documentName(id string) string {
	d, err := v.vault.Document(v.ctx(), id)
	if err != nil {
		return id
	}
	return cmp.Or(d.Name, id)
}

// chooser is how a page chooses documents: by ids, or by a filter as that of the list.
type chooser struct {
	IDs        string
	Filter     map[string]string
	Categories kinds
	People     people
	Shell      *shell // for the parts it is made of
	CanSearch  bool
}

// filters are the fields of a chooser; those behind the first two are times, by the day.
var filters = []string{"q", "status", "category", "ownerId", "tag", "name", "path", "matter", "product", "createdFrom", "createdTo", "updatedFrom", "updatedTo"}

// chooser reads the fields of one from the form or, on the way to it, the address. A
// filter's fields begin with "f.".
func (v *visit) chooser(get func(string) string) (c chooser, err error) {
	c = chooser{Shell: v.shell, IDs: get("ids"), Filter: map[string]string{}, CanSearch: v.console.options.Search != nil}
	for _, name := range filters {
		c.Filter[name] = strings.TrimSpace(get("f." + name))
	}
	if c.Categories, err = v.kinds(); err != nil {
		return c, err
	}
	c.People, err = v.people(true)
	return c, err
}

// choose returns the documents that were chosen. It is asked once: what matches later
// is not chosen.
func (v *visit) choose(c *chooser) ([]string, error) {
	ids := strings.FieldsFunc(c.IDs, func(r rune) bool { return strings.ContainsRune(" ,;\t\r\n", r) })
	values, err := v.filterValues(c.Filter)
	if err != nil {
		return nil, err
	}
	chosen := len(values)
	if values.Has("status") { // it stands in the form before anybody chooses, and chooses nothing by itself
		chosen--
	}
	switch {
	case len(ids) > 0 && chosen > 0:
		return nil, wrongField("documents", "choose by ids or by a filter, not by both")
	case len(ids) == 0:
		if ids, err = httpapi.MatchDocuments(v.ctx(), v.vault, v.console.options.Search, values); err != nil {
			return nil, inChooser(err)
		}
	}
	switch {
	case len(ids) == 0:
		return nil, wrongField("documents", "there is none that fits; without a status, archived ones are left out")
	case len(ids) > engine.MaxErased:
		return nil, wrongField("documents", "these are "+thousands(len(ids))+", and it can be 10,000 at a time: choose more closely")
	}
	return ids, nil
}

// inChooser says what is wrong with a filter in the words of its fields.
func inChooser(err error) error {
	invalid, ok := errors.AsType[*engine.InvalidError](err)
	if !ok {
		return err
	}
	var fields []engine.FieldError
	for _, f := range invalid.Fields {
		if f.Field == "filter" {
			return wrongField("documents", "choose by something; to mean all there are, by a day they were made on or before")
		}
		fields = append(fields, engine.FieldError{Field: strings.TrimPrefix(f.Field, "filter."), Message: f.Message})
	}
	return &engine.InvalidError{Fields: fields}
}

func wrongField(field, message string) error {
	return &engine.InvalidError{Fields: []engine.FieldError{{Field: field, Message: message}}}
}

// filterValues are a filter as the query of a list: days become the instants at which
// they begin and end in the vault's zone.
func (v *visit) filterValues(filter map[string]string) (url.Values, error) {
	values := url.Values{}
	for name, value := range filter {
		if value == "" {
			continue
		}
		if strings.HasSuffix(name, "From") || strings.HasSuffix(name, "To") {
			day, err := v.day(name, value, strings.HasSuffix(name, "To"))
			if err != nil {
				return nil, err
			}
			value = day.UTC().Format(time.RFC3339)
		}
		if name == "ownerId" {
			owner, err := v.person(name, value)
			if err != nil {
				return nil, err
			}
			value = owner
		}
		values.Set(name, value)
	}
	return values, nil
}

// day is when a day begins in the vault's zone, or when the next one does.
func (v *visit) day(field, value string, next bool) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, value, v.zone)
	if err != nil {
		return day, wrongField(field, "must be a day, such as 2026-12-31")
	}
	if next {
		day = day.AddDate(0, 0, 1)
	}
	return day, nil
}
