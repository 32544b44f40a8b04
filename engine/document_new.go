package engine

import (
	"context"
	"errors"
	"maps"

	"strongroom/audit"
	"strongroom/engine/internal/check"
)

// NewDocument describes a document to be made.
type NewDocument struct {
	Name         string // "": the file name
	Category     string // "": other
	Description  string
	OwnerID      string // "": the actor
	Tags         []string
	CustomFields map[string]any // string, number or bool, as the fields' definitions have it
	ExternalID   string         // unique among documents not deleted
	Product      string
	TemplateID   string
	AgreementID  string
	Path         string // the folder it lies in, such as 2024/contracts; "": none
	Version      NewVersion
}

// CreateDocument makes a document whose first version are the staged bytes. It
// needs upload access. *ExistsError if the external id is taken.
func (v *Vault) CreateDocument(ctx context.Context, actor Actor, n NewDocument, u *Upload) (Document, Receipt, error) {
	if err := n.Check(); err != nil {
		return Document{}, Receipt{}, err
	}
	return keep(v, ctx, u, func() (Document, Receipt, error) {
		return update(v, ctx, actor, func(t *tx) (Document, audit.Event, error) {
			t.upload = u
			d, event, err := t.createDocument(n, u)
			if err != nil {
				return Document{}, audit.Event{}, err
			}
			return d.Document, event, nil
		})
	})
}

// Check fills in the defaults, spells the values and judges what can be judged
// without a vault. *InvalidError names all that cannot be accepted. CreateDocument
// does the same: this is for who wants to know before.
func (n *NewDocument) Check() error {
	n.Version.setDefaults()
	if n.Name == "" {
		n.Name = n.Version.FileName
	}
	if n.Category == "" {
		n.Category = defaultCategory
	}
	var c checks
	if n.Name == "" {
		c.Fail("name", "is missing, and so is the fileName that would stand for it; give one of the two")
	} else {
		n.Name = check.NFC(check.Trim(n.Name))
		c.Required("name", n.Name, check.MaxName)
	}
	c.Prose("description", n.Description, check.MaxDescription)
	n.ExternalID = check.NFC(n.ExternalID)
	c.Line("externalId", n.ExternalID, check.MaxShort)
	c.Line("product", n.Product, check.MaxShort)
	c.Line("templateId", n.TemplateID, check.MaxShort)
	c.Line("agreementId", n.AgreementID, check.MaxShort)
	n.Path = c.Path("path", n.Path)
	n.Tags = c.Tags("tags", n.Tags)
	n.CustomFields = c.CustomFields(n.CustomFields)
	maps.DeleteFunc(n.CustomFields, func(_ string, value any) bool { return value == nil })
	if len(n.CustomFields) > check.MaxFields {
		c.Fail("customFields", "must be at most %d", check.MaxFields)
	}
	n.Version.check(&c)
	return c.err()
}

func (t *tx) createDocument(n NewDocument, u *Upload) (*document, audit.Event, error) {
	if err := t.may(AccessUpload); err != nil {
		return nil, audit.Event{}, err
	}
	owner, err := t.owner(n.OwnerID)
	if err != nil {
		return nil, audit.Event{}, err
	}
	if err := t.knownCategory(n.Category); err != nil {
		return nil, audit.Event{}, err
	}
	if err := t.externalFree(n.ExternalID); err != nil {
		return nil, audit.Event{}, err
	}
	key, err := t.NewID()
	if err != nil {
		return nil, audit.Event{}, err
	}
	d := &document{id: key, Document: Document{
		ID: key.String(), ExternalID: n.ExternalID, Name: n.Name, Category: n.Category, Description: n.Description,
		OwnerID: owner, Tags: n.Tags, CustomFields: maps.Clone(n.CustomFields), Product: n.Product, TemplateID: n.TemplateID,
		AgreementID: n.AgreementID, Path: n.Path, CreatedAt: t.Now(), CreatedBy: t.actor.UserID,
	}}
	if err := t.checkFields(nil, d.CustomFields, n.CustomFields, true); err != nil {
		return nil, audit.Event{}, err
	}
	if err := t.confirm(nil, d, d.CustomFields); err != nil {
		return nil, audit.Event{}, err
	}
	if err := d.checkSize(); err != nil {
		return nil, audit.Event{}, err
	}
	if err := t.addVersion(d, n.Version, u.Digest(), u.Size()); err != nil {
		return nil, audit.Event{}, err
	}
	t.changes(d)
	if d.ExternalID != "" {
		t.Put(bucketExternals, externalKey(d.ExternalID), key[:])
	}
	facts := d.Current.facts()
	t.store(nil, d, grant{}).tell(facts)
	facts["owner"] = audit.Text(owner)
	return d, audit.Event{
		Op: audit.OpDocumentCreated, Document: d.ID, Version: 1, Facts: facts, Detail: encodeDetail(d.detail()),
	}, nil
}

// detail is what a document says of itself when it is made.
func (d *document) detail() map[string]any {
	m := detailMembers(d.Current.detail())
	m.text("name", d.Name)
	m.text("category", d.Category)
	m.text("description", d.Description)
	m.text("externalId", d.ExternalID)
	m.text("product", d.Product)
	m.text("templateId", d.TemplateID)
	m.text("agreementId", d.AgreementID)
	m.text("path", d.Path)
	if d.EditProtected { // never when it is made
		m["editProtected"] = true
	}
	if len(d.Tags) > 0 {
		m["tags"] = d.Tags
	}
	if len(d.CustomFields) > 0 {
		m["customFields"] = d.CustomFields
	}
	return m
}

// maxMetadata bounds all that describes one document, in bytes.
const maxMetadata = 256 << 10

// checkSize bounds what describes a document as a whole. Each part has a bound
// of its own, but all parts together would make lists and entries too large.
func (d *document) checkSize() error {
	size := len(d.Name) + len(d.Description) + len(d.Path)
	for _, tag := range d.Tags {
		size += len(tag)
	}
	for name, value := range d.CustomFields {
		size += len(name)
		if text, ok := value.(string); ok {
			size += len(text)
		}
	}
	if size > maxMetadata {
		return invalid("customFields", "and all else that describes the document must be at most %d bytes together", maxMetadata)
	}
	return nil
}

// owner returns the id, in its one spelling, of the user who is to own a
// document: the actor if none is named.
func (t *tx) owner(userID string) (string, error) {
	if userID == "" {
		userID = t.actor.UserID
	}
	u, err := t.user(userID)
	if errors.Is(err, ErrUserNotFound) {
		return "", invalid("ownerId", "must be the id of a user of this vault")
	}
	return u.ID, err
}

func (t *tx) externalFree(externalID string) error {
	if externalID == "" {
		return nil
	}
	if key := t.lookUp(bucketExternals, externalKeys(externalID)); key != nil {
		of := id(key).String()
		if _, err := t.document(of); err != nil { // who asks may not see it
			of = ""
		}
		return &ExistsError{What: NounDocument, ID: of, Field: "externalId"}
	}
	return nil
}
