package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/retention"
)

// The step that gives a document of the backup the metadata and the end of its
// retention that a log tells of. Metadata decides which policy is for a document,
// and is text of people: it is in the details alone.

// documentUpdated repeats a change of metadata, as far as there is a detail.
func (e pastEntry) documentUpdated() (pastStep, error) {
	until, err := e.time("retainUntil")
	if err != nil {
		return nil, err
	}
	p, whole := e.patch()
	lost := ""
	if !whole {
		lost = fmt.Sprintf("document %s has not all the metadata it had", e.Document)
	}
	if _, told := e.Facts["password"]; told {
		lost = fmt.Sprintf("the edit password of document %s is what it was before, or none: set it anew", e.Document)
	}
	if from := e.number("discardedFrom"); from > 0 {
		lost = fmt.Sprintf("versions %d to %d of document %s count again, as far as the backup has them: they had been taken back", from, e.number("discardedTo"), e.Document)
	}
	confirmed, _ := e.Facts["confirmed"].AsTexts()
	e.members = nil
	return func(t *tx) (pastOutcome, audit.Event, error) {
		old, err := t.document(e.Document)
		if errors.Is(err, ErrDocumentNotFound) || err == nil && old.deleted {
			return nothingRepeated("") // its versions, or its deletion, are said
		}
		if err != nil {
			return pastOutcome{}, audit.Event{}, err
		}
		return t.patchAgain(old, p, confirmed, until, lost)
	}, nil
}

// patch is what an entry says of metadata, and whether that is all it changed.
func (e *pastEntry) patch() (p DocumentPatch, whole bool) {
	whole = e.Detail.IsZero() || e.members != nil
	for name, value := range e.members {
		given, _ := value.(string)
		switch key, isField := strings.CutPrefix(name, "customFields."); {
		case isField:
			if p.CustomFields == nil {
				p.CustomFields = map[string]any{}
			}
			p.CustomFields[key] = value
		case name == "name":
			p.Name = &given
		case name == "category":
			p.Category = &given
		case name == "description":
			p.Description = &given
		case name == "externalId":
			p.ExternalID = &given
		case name == "path":
			p.Path = &given
		case name == "tags":
			tags, _ := e.strings(name)
			p.Tags = &tags
		case name != "ownerId": // which is a fact
			whole = false
		}
	}
	if owner := e.word("owner"); owner != "" {
		p.OwnerID = &owner
	}
	if p.check() != nil {
		return DocumentPatch{}, false
	}
	return p, whole
}

func (t *tx) patchAgain(old *document, p DocumentPatch, confirmed []string, until time.Time, lost string) (pastOutcome, audit.Event, error) {
	out, d := pastOutcome{lost: lost}, old.clone()
	if err := t.patch(d, p); err != nil {
		_, invalid := errors.AsType[*InvalidError](err)
		_, exists := errors.AsType[*ExistsError](err)
		if !invalid && !exists {
			return out, audit.Event{}, err
		}
		// It names what is not there again: a user, a field, a category.
		out.lost, d = fmt.Sprintf("document %s has not all the metadata it had", old.ID), old.clone()
	}
	d.confirmed = confirmedAgain(old, d, p, confirmed)
	detail := differences(old, d)
	if until.After(d.retainUntil) {
		d.retainUntil = until
	}
	stamped := d.retainUntil != old.retainUntil
	if len(detail) == 0 && !stamped && slices.Equal(old.confirmed, d.confirmed) {
		return out, audit.Event{}, nil
	}
	looser, err := t.looser(old, d)
	if err != nil {
		return out, audit.Event{}, err
	}
	out.loosens = looser
	t.changes(d)
	if d.ExternalID != old.ExternalID {
		t.Put(bucketExternals, externalKey(d.ExternalID), d.id[:])
	}
	facts := audit.Facts{"revision": audit.Number(d.Revision)}
	t.store(old, d, grant{}).tell(facts)
	if stamped {
		facts["retainUntil"] = audit.Text(audit.FormatTime(d.retainUntil))
	}
	if d.OwnerID != old.OwnerID {
		facts["owner"] = audit.Text(d.OwnerID)
	}
	return out, audit.Event{Op: audit.OpDocumentUpdated, Document: d.ID, Facts: facts, Detail: encodeDetail(detail)}, nil
}

// confirmedAgain lists the dates that are confirmed after a change is repeated: those
// that stay as they were, and, of those the change gives, the ones that the log says
// an admin had confirmed. The operator who repeats it confirms nothing.
func confirmedAgain(old, d *document, p DocumentPatch, confirmed []string) []string {
	list := stillConfirmed(old, d)
	for key := range p.CustomFields {
		if _, has := d.CustomFields[key]; has && slices.Contains(confirmed, key) && !slices.Contains(list, key) {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// stillConfirmed lists the dates that were confirmed and are as they were, sorted.
func stillConfirmed(old, d *document) (list []string) {
	for _, key := range old.confirmed {
		if value, has := d.CustomFields[key]; has && value == old.CustomFields[key] {
			list = append(list, key)
		}
	}
	return list
}

// looser says what a change of metadata has no policy keep any more, or not for so
// long, since it confirms a date, or has one delete at once; "" if none of these.
func (t *tx) looser(old, d *document) (string, error) {
	policies, err := t.policiesOf(old)
	if err != nil {
		return "", err
	}
	is, err := t.policiesOf(d)
	if err != nil || len(policies)+len(is) == 0 {
		return "", err
	}
	shortest, err := t.shortestWins()
	if err != nil {
		return "", err
	}
	calendar, err := t.calendar()
	if err != nil {
		return "", err
	}
	kept := func(d *document, policies []Policy) bool {
		facts := d.forRules()
		facts.Held = false // that is asked elsewhere
		o := retention.ObstacleTo(retention.Right(RightRetention), facts, rulesOf(policies, calendar), t.Now())
		return o != nil && o.Because == retention.Protected
	}
	due := func(d *document, policies []Policy) bool {
		_, due := t.judge(d, retention.ActionDelete, rulesOf(policies, calendar), shortest, t.Now(), "")
		return due
	}
	unconfirmed, rules := d.forRules(), rulesOf(is, calendar)
	unconfirmed.Confirmed = stillConfirmed(old, d)
	bound := retention.ComplianceOf(unconfirmed, rules, t.Now())
	switch {
	case retention.ComplianceOf(d.forRules(), rules, t.Now()).Until.Before(bound.Until):
		return fmt.Sprintf("brings the end nearer of what protects document %s, by a date that is confirmed", d.ID), nil
	case kept(old, policies) && !kept(d, is):
		return fmt.Sprintf("takes document %s out of what a policy protects", d.ID), nil
	case !due(old, policies) && due(d, is):
		return fmt.Sprintf("has a policy delete document %s at once", d.ID), nil
	}
	return "", nil
}
