package engine

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/secret"
	"strongroom/engine/internal/store"
)

// DocumentPatch: nil leaves a member alone, "" empties it. AddTags and
// RemoveTags apply after Tags. A nil value in CustomFields removes that field;
// ClearCustomFields removes all before CustomFields applies. ExternalID can be
// set only while it is empty.
type DocumentPatch struct {
	Name              *string
	Category          *string
	Description       *string
	OwnerID           *string
	ExternalID        *string
	Path              *string
	Tags              *[]string
	AddTags           []string
	RemoveTags        []string
	CustomFields      map[string]any
	ClearCustomFields bool
	// EditPassword sets or removes what it takes to lock the document. It
	// needs admin access, and is never told again.
	EditPassword *EditPassword
	passwordHash secret.Password
}

// UpdateDocument changes metadata, and returns the document as it is then. It
// needs upload access, and admin access for an edit password. A patch that
// changes nothing writes nothing. With the token of a lock that has a scratchpad
// the change waits in that. *ExistsError if the external id is taken.
func (v *Vault) UpdateDocument(ctx context.Context, actor Actor, documentID string, cond Condition, p DocumentPatch) (Document, Receipt, error) {
	if err := p.check(); err != nil {
		return Document{}, Receipt{}, err
	}
	var err error
	if p.passwordHash, err = v.newPassword(ctx, actor, p.EditPassword); err != nil {
		return Document{}, Receipt{}, err
	}
	return update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
		old, g, err := t.writable(documentID, AccessUpload, cond)
		if err != nil {
			return Document{}, audit.Event{}, err
		}
		if t.inScratchpad(old) {
			if p.EditPassword != nil {
				return Document{}, audit.Event{}, invalid("editPassword", "cannot be set in a scratchpad")
			}
			return t.pend(old, pendingChange{Patch: &p}, g)
		}
		return t.patchDocument(old, p, g)
	})
}

func (t *tx) patchDocument(old *document, p DocumentPatch, g grant) (Document, audit.Event, error) {
	d := old.clone()
	if err := t.patch(d, p); err != nil {
		return Document{}, audit.Event{}, err
	}
	detail := differences(old, d)
	if p.EditPassword != nil {
		if err := t.may(AccessAdmin); err != nil {
			return Document{}, audit.Event{}, err
		}
		d.password, d.EditProtected = p.passwordHash, p.passwordHash != ""
		if old.EditProtected || d.EditProtected {
			detail["editProtected"] = changed{old.EditProtected, d.EditProtected}
		}
	}
	if len(detail) == 0 && slices.Equal(old.confirmed, d.confirmed) {
		return old.Document, audit.Event{}, nil
	}
	if err := t.mayLeave(old, d); err != nil {
		return Document{}, audit.Event{}, err
	}
	t.changes(d)
	if d.ExternalID != old.ExternalID {
		t.Put(bucketExternals, externalKey(d.ExternalID), d.id[:])
	}
	facts := audit.Facts{"revision": audit.Number(d.Revision)}
	t.store(old, d, g).tell(facts)
	if d.OwnerID != old.OwnerID {
		facts["owner"] = audit.Text(d.OwnerID)
	}
	if d.password != old.password {
		facts["password"] = digestOfPassword(d.password)
	}
	return d.Document, audit.Event{
		Op: audit.OpDocumentUpdated, Document: d.ID, Facts: facts, Detail: encodeDetail(detail),
	}, nil
}

// check looks at what can be checked without the document, and spells it.
func (p *DocumentPatch) check() error {
	var c checks
	if p.Name != nil {
		name := check.NFC(check.Trim(*p.Name))
		p.Name = &name
		c.Required("name", name, check.MaxName)
	}
	if p.Description != nil {
		c.Prose("description", *p.Description, check.MaxDescription)
	}
	if p.ExternalID != nil {
		externalID := check.NFC(*p.ExternalID)
		p.ExternalID = &externalID
		c.Line("externalId", externalID, check.MaxShort)
	}
	if p.Path != nil {
		path := c.Path("path", *p.Path)
		p.Path = &path
	}
	if p.Tags != nil {
		tags := c.Tags("tags", *p.Tags)
		p.Tags = &tags
	}
	p.AddTags = c.Tags("addTags", p.AddTags)
	p.RemoveTags = c.Tags("removeTags", p.RemoveTags)
	p.CustomFields = c.CustomFields(p.CustomFields)
	if p.EditPassword != nil {
		p.EditPassword.check(&c)
	}
	return c.err()
}

// patch applies p to d, asking what only the vault knows.
func (t *tx) patch(d *document, p DocumentPatch) (err error) {
	if p.Name != nil {
		d.Name = *p.Name
	}
	if p.Description != nil {
		d.Description = *p.Description
	}
	if p.Path != nil {
		d.Path = *p.Path
	}
	if p.Category != nil {
		category := cmp.Or(*p.Category, defaultCategory)
		if category != d.Category { // it may keep one that was removed
			if err := t.knownCategory(category); err != nil {
				return err
			}
		}
		d.Category = category
	}
	if p.OwnerID != nil {
		if d.OwnerID, err = t.owner(*p.OwnerID); err != nil {
			return err
		}
	}
	if p.ExternalID != nil && *p.ExternalID != check.NFC(d.ExternalID) {
		if d.ExternalID != "" {
			return invalid("externalId", "is set and cannot be changed")
		}
		if err := t.externalFree(*p.ExternalID); err != nil {
			return err
		}
		d.ExternalID = *p.ExternalID
	}
	if len(p.CustomFields) == 0 && !p.ClearCustomFields {
		return d.patchLists(p)
	}
	was := maps.Clone(d.CustomFields)
	if err := d.patchLists(p); err != nil {
		return err
	}
	if err := t.checkFields(was, d.CustomFields, p.CustomFields, false); err != nil {
		return err
	}
	return t.confirm(was, d, p.CustomFields)
}

func (d *document) patchLists(p DocumentPatch) error {
	if p.Tags != nil {
		d.Tags = slices.Clone(*p.Tags)
	}
	if len(p.AddTags)+len(p.RemoveTags) > 0 { // those of before may be spelled otherwise
		for i, tag := range d.Tags {
			d.Tags[i] = check.NFC(tag)
		}
	}
	d.Tags = append(d.Tags, p.AddTags...)
	d.Tags = slices.DeleteFunc(d.Tags, func(tag string) bool { return slices.Contains(p.RemoveTags, tag) })
	slices.Sort(d.Tags)
	d.Tags = slices.Compact(d.Tags)
	if len(d.Tags) > check.MaxTags {
		return invalid("tags", "must be at most %d", check.MaxTags)
	}
	if p.ClearCustomFields {
		d.CustomFields = nil
	}
	for name, value := range p.CustomFields {
		if value == nil {
			delete(d.CustomFields, name)
			continue
		}
		if d.CustomFields == nil {
			d.CustomFields = map[string]any{}
		}
		d.CustomFields[name] = value
	}
	if len(d.CustomFields) > check.MaxFields {
		return invalid("customFields", "must be at most %d", check.MaxFields)
	}
	return d.checkSize()
}

// differences tells, member by member, what was and what is.
func differences(old, d *document) map[string]any {
	m := map[string]any{}
	note := func(name, was, is string) {
		if was != is {
			m[name] = changed{was, is}
		}
	}
	note("name", old.Name, d.Name)
	note("category", old.Category, d.Category)
	note("description", old.Description, d.Description)
	note("ownerId", old.OwnerID, d.OwnerID)
	note("externalId", old.ExternalID, d.ExternalID)
	note("path", old.Path, d.Path)
	if !slices.Equal(old.Tags, d.Tags) {
		m["tags"] = changed{append([]string{}, old.Tags...), append([]string{}, d.Tags...)}
	}
	for name, was := range old.CustomFields { // a value is a string, a json.Number or a bool
		if is := d.CustomFields[name]; was != is {
			m["customFields."+name] = changed{was, is}
		}
	}
	for name, is := range d.CustomFields {
		if was := old.CustomFields[name]; was != is {
			m["customFields."+name] = changed{was, is}
		}
	}
	return m
}

// MaxBulk is how many changes one call of UpdateDocuments takes.
const MaxBulk = store.MaxGroup

// DocumentChange is one of several changes. The document is named by DocumentID
// or, if that is "", by ExternalID.
type DocumentChange struct {
	DocumentID string
	ExternalID string
	Condition  Condition
	Patch      DocumentPatch // without an EditPassword
}

// DocumentOutcome is what became of a change. DocumentID is as it was given, or
// found; Revision is that of the document afterwards, as far as it is known.
type DocumentOutcome struct {
	DocumentID string
	Revision   uint64
	Changed    bool // or, in a dry run, would be; Revision is then still that of today
	Err        error
}

// UpdateDocuments changes the metadata of at most MaxBulk documents, in order.
// It needs upload access. Each change stands alone, as if it were made by
// UpdateDocument: it has an entry of its own, and if it fails,
// DocumentOutcome.Err says why and the others go on. They share commits, as
// callers do who come at the same time. When ctx ends, those whose turn has not
// come fail with its error. A dry run writes nothing, and says of each what would
// become of it after those before it: the same is done, and rolled back. The outcomes are as many as the changes, in their
// order. *InvalidError for too many.
func (v *Vault) UpdateDocuments(ctx context.Context, actor Actor, changes []DocumentChange, dryRun bool) ([]DocumentOutcome, error) {
	if len(changes) > MaxBulk {
		return nil, invalid("changes", "must be at most %d", MaxBulk)
	}
	outcomes := make([]DocumentOutcome, len(changes))
	fns := make([]func(*tx) (audit.Event, error), len(changes))
	for i, change := range changes {
		out := &outcomes[i]
		out.DocumentID = change.DocumentID
		err := change.Patch.check()
		if change.Patch.EditPassword != nil {
			err = invalid("editPassword", "cannot be set for several documents at once")
		}
		fns[i] = func(t *tx) (event audit.Event, failed error) {
			if err != nil {
				return audit.Event{}, err
			}
			*out, event, failed = t.changeOne(change, dryRun)
			return event, failed
		}
	}
	return v.changeDocuments(ctx, actor, outcomes, fns, dryRun)
}

// changeDocuments runs what fills in the outcomes, and adds what is known only
// when it has landed.
func (v *Vault) changeDocuments(ctx context.Context, actor Actor, outcomes []DocumentOutcome, fns []func(*tx) (audit.Event, error), dryRun bool) ([]DocumentOutcome, error) {
	errs, err := v.updateEach(ctx, actor, fns, dryRun)
	for i := range errs {
		outcomes[i].Err, outcomes[i].Changed = errs[i], outcomes[i].Changed && errs[i] == nil
	}
	return outcomes, err
}

func (t *tx) changeOne(change DocumentChange, dryRun bool) (DocumentOutcome, audit.Event, error) {
	out := DocumentOutcome{DocumentID: change.DocumentID}
	if out.DocumentID == "" {
		key := t.lookUp(bucketExternals, externalKeys(change.ExternalID))
		if key == nil || t.partial() && !t.seen(id(key).String()) { // its id is not told either
			return out, audit.Event{}, ErrDocumentNotFound
		}
		out.DocumentID = id(key).String()
	}
	old, g, err := t.writable(out.DocumentID, AccessUpload, change.Condition)
	if err != nil {
		return out, audit.Event{}, err
	}
	out.DocumentID, out.Revision = old.ID, old.Revision
	if t.inScratchpad(old) {
		return out, audit.Event{}, fmt.Errorf("%w: its scratchpad is open; save or drop it first", ErrLockState)
	}
	d, event, err := t.patchDocument(old, change.Patch, g)
	out.landed(d, event, err, dryRun)
	return out, event, err
}

func (out *DocumentOutcome) landed(d Document, event audit.Event, err error, dryRun bool) {
	out.Changed = err == nil && !event.IsZero()
	if err == nil && !dryRun {
		out.Revision = d.Revision
	}
}
