package httpapi

import (
	"context"
	"strconv"
	"time"

	"strongroom/engine"
)

type paging struct {
	Limit  uint64 `query:"limit" min:"1" max:"500" default:"50" doc:"How many items at most."`
	Cursor string `query:"cursor" doc:"The nextCursor of the page before."`
}

func (p paging) engine() engine.Paging { return engine.Paging{Limit: int(p.Limit), Cursor: p.Cursor} }

// documentFields are what a document is created with beside its file.
type documentFields struct {
	Name         string         `form:"name" json:"name" doc:"Absent: the name of the file."`
	Category     string         `form:"category" json:"category" doc:"Absent: other."`
	Description  string         `form:"description" json:"description"`
	OwnerID      string         `form:"ownerId" json:"ownerId" doc:"A user. Absent: the caller."`
	Tags         []string       `form:"tags" json:"tags" doc:"Words, or key:value. As text: repeated, or with commas between."`
	CustomFields map[string]any `form:"customFields" json:"customFields" doc:"Values of the fields that are defined, by key. As text: a JSON object."`
	ExternalID   string         `form:"externalId" json:"externalId" doc:"The id it has elsewhere; unique among documents not deleted."`
	Product      string         `form:"product" json:"product"`
	TemplateID   string         `form:"templateId" json:"templateId"`
	AgreementID  string         `form:"agreementId" json:"agreementId"`
	Path         string         `form:"path" json:"path" doc:"The folder it lies in, such as 2024/contracts: with / between, none at the ends, 500 characters at most."`
}

// versionFields are what a version is made with beside its file.
type versionFields struct {
	Comment string `form:"comment" json:"comment"`
	Label   string `form:"label" json:"label"`
}

type createDocumentInput struct {
	upload
	documentFields
	versionFields
}

func createDocument(ctx context.Context, c caller, in createDocumentInput) (reply[Document], error) {
	d, receipt, err := c.vault.CreateDocument(ctx, c.actor, engine.NewDocument{
		Name: in.Name, Category: in.Category, Description: in.Description, OwnerID: in.OwnerID,
		Tags: in.Tags, CustomFields: in.CustomFields,
		ExternalID: in.ExternalID, Product: in.Product, TemplateID: in.TemplateID, AgreementID: in.AgreementID, Path: in.Path,
		Version: in.version(in.versionFields),
	}, in.staged)
	out := changedDocument(c, d, receipt)
	out.location = "/v1/documents/" + d.ID
	return out, err
}

func (u *upload) version(f versionFields) engine.NewVersion {
	return engine.NewVersion{MediaType: u.MediaType, FileName: u.FileName, Comment: f.Comment, Label: f.Label}
}

func changedDocument(c caller, d engine.Document, r engine.Receipt) reply[Document] {
	return reply[Document]{body: c.shown([]engine.Document{d})[0], revision: d.Revision, receipt: r}
}

// documentFilter is what chooses documents, in a list and in a bulk change.
type documentFilter struct {
	Status      engine.Status `query:"status" enum:"active|archived|legal_hold|deleted|all" doc:"Absent: what is neither archived nor deleted."`
	Archived    *bool         `query:"archived" doc:"Whether it is archived, under a hold or not."`
	Category    string        `query:"category"`
	OwnerID     string        `query:"ownerId"`
	ExternalID  string        `query:"externalId"`
	Product     string        `query:"product"`
	TemplateID  string        `query:"templateId"`
	AgreementID string        `query:"agreementId"`
	Matter      string        `query:"matter" doc:"On hold for it now."`
	Path        string        `query:"path" doc:"The folder it lies in, or one that this lies in: 2024/contracts is also 2024/contracts/acme, and not 2024/contracts-x."`
	Name        string        `query:"name" doc:"How the name begins, in any case."`
	Tags        []string      `query:"tag" doc:"Repeated: all must match. key:* is any value of the key."`
	Fields      fieldFilters  `query:"field.*" doc:"By custom fields: field.<key>= a value, and for numbers and dates field.<key>.from= at it or above, field.<key>.to= below it. All must match."`
	CreatedFrom Time          `query:"createdFrom" doc:"At this time or later."`
	CreatedTo   Time          `query:"createdTo" doc:"Before this time."`
	UpdatedFrom Time          `query:"updatedFrom" doc:"At this time or later."`
	UpdatedTo   Time          `query:"updatedTo" doc:"Before this time."`
}

type documentQuery struct {
	documentFilter
	Text string      `query:"text" enum:"indexed|none|failed|waiting" doc:"By whether the text is known, the newest first. A page may be short."`
	Sort engine.Sort `query:"sort" enum:"createdAt|-createdAt|updatedAt|-updatedAt|name|-name" default:"-createdAt" doc:"With - in front: descending."`
	paging
}

func listDocuments(ctx context.Context, c caller, in documentQuery) (reply[List[Document]], error) {
	if in.Text != "" {
		return listByText(ctx, c, in)
	}
	q := in.documentFilter.engine()
	q.Sort, q.Paging = in.Sort, in.paging.engine()
	page, err := c.vault.Documents(ctx, q)
	return answer(List[Document]{c.shown(page.Items), page.NextCursor}), err
}

func (in documentFilter) engine() engine.DocumentQuery {
	return engine.DocumentQuery{
		Status: in.Status, Archived: in.Archived, Category: in.Category, OwnerID: in.OwnerID, ExternalID: in.ExternalID,
		Product: in.Product, TemplateID: in.TemplateID, AgreementID: in.AgreementID, Matter: in.Matter,
		Path: in.Path, Name: in.Name, Tags: in.Tags, Fields: in.Fields,
		CreatedFrom: time.Time(in.CreatedFrom), CreatedTo: time.Time(in.CreatedTo),
		UpdatedFrom: time.Time(in.UpdatedFrom), UpdatedTo: time.Time(in.UpdatedTo),
	}
}

type documentInput struct {
	ID string `path:"id"`
}

type getDocumentInput struct {
	ID string `path:"id"`
	reading
}

func getDocument(ctx context.Context, c caller, in getDocumentInput) (reply[Document], error) {
	d, err := c.document(ctx, in.ID, in.reading)
	return changedDocument(c, d, engine.Receipt{}), err
}

// documentPatch is a merge patch (RFC 7396).
type documentPatch struct {
	Name         member[string]         `json:"name"`
	Category     member[string]         `json:"category"`
	Description  member[string]         `json:"description"`
	OwnerID      member[string]         `json:"ownerId"`
	ExternalID   member[string]         `json:"externalId" doc:"Can be set while it is empty."`
	Path         member[string]         `json:"path" doc:"The folder it lies in; null takes it out."`
	Tags         member[[]string]       `json:"tags" doc:"Replaces all tags."`
	AddTags      []string               `json:"addTags"`
	RemoveTags   []string               `json:"removeTags"`
	CustomFields member[map[string]any] `json:"customFields" doc:"Changes the fields it names; null removes one, and null for all of them removes all."`
	EditPassword member[string]         `json:"editPassword" doc:"What it takes to lock the document, as templatePassword; null removes it. For admins, and never told again."`
}

func (p documentPatch) engine() engine.DocumentPatch {
	out := engine.DocumentPatch{
		Name: orZero(p.Name), Category: orZero(p.Category), Description: orZero(p.Description),
		OwnerID: orZero(p.OwnerID), ExternalID: orZero(p.ExternalID), Path: orZero(p.Path),
		Tags: orZero(p.Tags), AddTags: p.AddTags, RemoveTags: p.RemoveTags,
		ClearCustomFields: p.CustomFields.present && p.CustomFields.value == nil,
	}
	if p.CustomFields.value != nil {
		out.CustomFields = *p.CustomFields.value
	}
	if password := orZero(p.EditPassword); password != nil {
		out.EditPassword = &engine.EditPassword{Password: *password}
	}
	return out
}

// orZero is nil for what is absent, and the zero value for null: whether a
// member may be empty is for the engine to say.
func orZero[T any](m member[T]) *T {
	if m.present && m.value == nil {
		return new(T)
	}
	return m.value
}

type updateDocumentInput struct {
	change
	Patch documentPatch `body:"merge"`
}

func updateDocument(ctx context.Context, c caller, in updateDocumentInput) (reply[Document], error) {
	d, receipt, err := c.vault.UpdateDocument(ctx, c.actor, in.ID, in.condition(), in.Patch.engine())
	return changedDocument(c, d, receipt), err
}

func archiveDocument(ctx context.Context, c caller, in change) (reply[Document], error) {
	d, receipt, err := c.vault.ArchiveDocument(ctx, c.actor, in.ID, in.condition())
	return changedDocument(c, d, receipt), err
}

func unarchiveDocument(ctx context.Context, c caller, in change) (reply[Document], error) {
	d, receipt, err := c.vault.UnarchiveDocument(ctx, c.actor, in.ID, in.condition())
	return changedDocument(c, d, receipt), err
}

type restriction struct {
	Reason string `json:"reason" required:"true" doc:"Why; it is the detail of the audit entry."`
}

type restrictInput struct {
	ID          string      `path:"id"`
	IfMatch     ifMatch     `header:"If-Match"`
	Restriction restriction `body:"json"`
}

func restrictDocument(ctx context.Context, c caller, in restrictInput) (reply[Document], error) {
	d, receipt, err := c.vault.RestrictDocument(ctx, c.actor, in.ID, in.IfMatch.condition(), in.Restriction.Reason)
	return changedDocument(c, d, receipt), err
}

func unrestrictDocument(ctx context.Context, c caller, in restrictInput) (reply[Document], error) {
	d, receipt, err := c.vault.UnrestrictDocument(ctx, c.actor, in.ID, in.IfMatch.condition(), in.Restriction.Reason)
	return changedDocument(c, d, receipt), err
}

type deletion struct {
	BypassGovernance bool   `json:"bypassGovernance" doc:"Delete it although a policy of governance protects it; needs a reason."`
	Reason           string `json:"reason" doc:"Why; it is the detail of the audit entry."`
}

type deleteDocumentInput struct {
	change
	Deletion deletion `body:"optional"`
}

func deleteDocument(ctx context.Context, c caller, in deleteDocumentInput) (reply[Certificate], error) {
	cond := in.condition()
	cond.BypassGovernance, cond.Reason = in.Deletion.BypassGovernance, in.Deletion.Reason
	certificate, receipt, err := c.vault.DeleteDocument(ctx, c.actor, in.ID, cond)
	return issuedCertificate(certificate, receipt), err
}

func issuedCertificate(c engine.Certificate, r engine.Receipt) reply[Certificate] {
	return reply[Certificate]{body: certificateOf(c), revision: c.Revision, receipt: r}
}

type certificateInput struct {
	DocumentID string `path:"documentId"`
}

func getCertificate(ctx context.Context, c caller, in certificateInput) (reply[Certificate], error) {
	certificate, err := c.vault.Certificate(ctx, in.DocumentID)
	return answer(certificateOf(certificate)), err
}

func versionPath(v engine.Version) string {
	return "/v1/documents/" + v.DocumentID + "/versions/" + strconv.FormatUint(v.Number, 10)
}
