package httpapi

import (
	"strongroom/audit"
	"strongroom/engine"
)

// Document is a document and its current version.
type Document struct {
	ID             string         `json:"id"`
	ExternalID     string         `json:"externalId" doc:"The id it has elsewhere, unique among documents not deleted."`
	Name           string         `json:"name" doc:"Of a deleted document too, until it is erased."`
	Category       string         `json:"category"`
	Description    string         `json:"description"`
	OwnerID        string         `json:"ownerId"`
	Tags           []string       `json:"tags" doc:"Words, or key:value."`
	CustomFields   map[string]any `json:"customFields" doc:"Values of the fields that are defined, by key: strings, numbers and booleans."`
	Status         string         `json:"status" enum:"active|archived|legal_hold|deleted" doc:"What people see: deleted, else legal_hold, else archived, else active."`
	Archived       bool           `json:"archived" doc:"What lies under a hold."`
	Product        string         `json:"product"`
	TemplateID     string         `json:"templateId"`
	AgreementID    string         `json:"agreementId"`
	CurrentVersion *Version       `json:"currentVersion,omitempty"`
	VersionCount   uint64         `json:"versionCount"`
	HoldCount      uint64         `json:"holdCount"`
	Lock           *Lock          `json:"lock,omitempty" doc:"The lock there is, without its token."`
	Text           *TextState     `json:"text,omitempty" doc:"Whether the text of the current version is found; absent without full-text search, and in a scratchpad."`
	EditProtected  bool           `json:"editProtected" doc:"Whether it takes a password to lock it."`
	Path           string         `json:"path" doc:"The folder it lies in; empty if none was given."`
	Restricted     bool           `json:"restricted" doc:"Only admins and auditors see it: by hand, or while its erasure is deferred and the setting restrictDeferred is on."`
	CreatedAt      Time           `json:"createdAt"`
	CreatedBy      string         `json:"createdBy"`
	UpdatedAt      Time           `json:"updatedAt"`
	UpdatedBy      string         `json:"updatedBy"`
	Revision       uint64         `json:"revision" doc:"Counts changes of metadata, versions and archived state; it is the ETag."`
	AuditSeq       uint64         `json:"auditSeq" doc:"The last audit entry about the document, of any kind."`
}

func documentOf(vault *engine.Vault, d engine.Document) Document {
	out := Document{
		ID: d.ID, ExternalID: d.ExternalID, Name: d.Name, Category: d.Category, Description: d.Description,
		OwnerID: d.OwnerID, Tags: orEmpty(d.Tags), CustomFields: d.CustomFields,
		Status: string(d.Status), Archived: d.Archived,
		Product: d.Product, TemplateID: d.TemplateID, AgreementID: d.AgreementID,
		VersionCount: d.VersionCount, HoldCount: d.HoldCount, EditProtected: d.EditProtected, Path: d.Path, Restricted: d.Restricted,
		CreatedAt: Time(d.CreatedAt), CreatedBy: d.CreatedBy, UpdatedAt: Time(d.UpdatedAt), UpdatedBy: d.UpdatedBy,
		Revision: d.Revision, AuditSeq: d.AuditSeq,
	}
	if out.CustomFields == nil {
		out.CustomFields = map[string]any{}
	}
	if d.Lock != nil {
		l := lockOf(vault, *d.Lock)
		out.Lock = &l
	}
	if d.Current != nil {
		v := versionOf(*d.Current)
		out.CurrentVersion = &v
	}
	return out
}

// Version is one version of a document; its bytes are at …/content.
type Version struct {
	DocumentID    string        `json:"documentId"`
	Number        uint64        `json:"number" doc:"From 1; 0 in a scratchpad."`
	Digest        engine.Digest `json:"digest" doc:"sha256: and the SHA-256 of the bytes."`
	Size          int64         `json:"size" doc:"Bytes."`
	MediaType     string        `json:"mediaType"`
	FileName      string        `json:"fileName"`
	Comment       string        `json:"comment"`
	Label         string        `json:"label"`
	CreatedAt     Time          `json:"createdAt"`
	CreatedBy     string        `json:"createdBy"`
	PreviousChain audit.Hash    `json:"previousChain" doc:"The chain of the version before; 64 zeros for the first."`
	Chain         audit.Hash    `json:"chain" doc:"SHA-256 over previousChain, documentId, number, digest, size, mediaType, createdAt and createdBy, each followed by a newline."`
	Current       bool          `json:"current"`
	Discarded     bool          `json:"discarded" doc:"Taken back when the lock it was added under was released."`
	Draft         uint64        `json:"draft,omitempty" doc:"From 1: a version in a scratchpad. Its number is 0 until it is saved."`
	SuppliedText  *SuppliedText `json:"suppliedText,omitempty" doc:"The text that was given for it, if one was."`
}

// SuppliedText is a text that was given for a version, by OCR mostly.
type SuppliedText struct {
	Digest engine.Digest `json:"digest" doc:"sha256: and the SHA-256 of the text."`
	Size   int64         `json:"size" doc:"Bytes."`
}

func versionOf(v engine.Version) Version {
	var supplied *SuppliedText
	if v.TextSize > 0 {
		supplied = &SuppliedText{v.TextDigest, v.TextSize}
	}
	return Version{
		SuppliedText: supplied,
		DocumentID:   v.DocumentID, Number: v.Number, Digest: v.Digest, Size: v.Size,
		MediaType: v.MediaType, FileName: v.FileName, Comment: v.Comment, Label: v.Label,
		CreatedAt: Time(v.CreatedAt), CreatedBy: v.CreatedBy,
		PreviousChain: v.PreviousChain, Chain: v.Chain, Current: v.Current, Discarded: v.Discarded, Draft: v.Draft,
	}
}

// Certificate is what is left of a deleted document: ids, digests, numbers and
// states, which name nobody and nothing.
type Certificate struct {
	DocumentID string             `json:"documentId"`
	Versions   []CertifiedVersion `json:"versions"`
	DeletedAt  Time               `json:"deletedAt"`
	DeletedBy  string             `json:"deletedBy"`
	Right      string             `json:"right" enum:"manual|retention|erasure"`
	PolicyID   string             `json:"policyId,omitempty"`
	ErasureID  string             `json:"erasureId,omitempty"`
	AuditSeq   uint64             `json:"auditSeq" doc:"The audit entry of the deletion, which carries the same facts."`
	AuditHash  audit.Hash         `json:"auditHash"`
}

// CertifiedVersion is a version in a certificate.
type CertifiedVersion struct {
	Number uint64        `json:"number"`
	Digest engine.Digest `json:"digest"`
	Size   int64         `json:"size"`
	Chain  audit.Hash    `json:"chain"`
}

func certificateOf(c engine.Certificate) Certificate {
	return Certificate{
		DocumentID: c.DocumentID,
		Versions:   mapped(c.Versions, func(v engine.CertifiedVersion) CertifiedVersion { return CertifiedVersion(v) }),
		DeletedAt:  Time(c.DeletedAt), DeletedBy: c.DeletedBy, Right: string(c.Right),
		PolicyID: c.PolicyID, ErasureID: c.ErasureID, AuditSeq: c.AuditSeq, AuditHash: c.AuditHash,
	}
}

// Tombstone is what those are told who ask for a deleted document: its certificate
// but for its older versions.
type Tombstone struct {
	Certificate
	VersionCount uint64 `json:"versionCount"`
}

// tombstoneVersions is how many versions a tombstone names. The chain of the last
// binds all of them.
const tombstoneVersions = 10

func tombstoneOf(c engine.Certificate) Tombstone {
	count := len(c.Versions)
	c.Versions = c.Versions[max(0, count-tombstoneVersions):]
	return Tombstone{certificateOf(c), uint64(count)}
}

// Field is the definition of a custom field.
type Field struct {
	Key         string   `json:"key"`
	Label       string   `json:"label"`
	Type        string   `json:"type" enum:"text|number|boolean|date|choice|user"`
	Choices     []string `json:"choices"`
	Required    bool     `json:"required"`
	Description string   `json:"description"`
	CreatedAt   Time     `json:"createdAt"`
	UpdatedAt   Time     `json:"updatedAt"`
	Revision    uint64   `json:"revision" doc:"It is the ETag."`
}

func fieldOf(f engine.Field) Field {
	return Field{
		Key: f.Key, Label: f.Label, Type: string(f.Type), Choices: orEmpty(f.Choices), Required: f.Required,
		Description: f.Description, CreatedAt: Time(f.CreatedAt), UpdatedAt: Time(f.UpdatedAt), Revision: f.Revision,
	}
}

// BulkCounts are the counts of a bulk change.
type BulkCounts struct {
	Matched   uint64 `json:"matched" doc:"Documents that were chosen, or lines."`
	Changed   uint64 `json:"changed"`
	Unchanged uint64 `json:"unchanged" doc:"What was asked for held already."`
	Failed    uint64 `json:"failed"`
}

// BulkAnswer is what became of a bulk change. If the results are many, they are
// sent while the request is still read: whoever sends very many lines reads
// meanwhile.
type BulkAnswer struct {
	Results []BulkResult `json:"results" doc:"Sent while the work goes on once they are more than 8 MiB, about 80,000: a client that sends more lines than that must read while it sends."`
	BulkCounts
}

// BulkResult is what became of one document.
type BulkResult struct {
	ID         string `json:"id" doc:"Empty if no document was found."`
	ExternalID string `json:"externalId,omitempty" doc:"If the line named the document so."`
	Line       uint64 `json:"line,omitempty" doc:"Of the request, from 1."`
	HoldID     string `json:"holdId,omitempty" doc:"The hold that was placed or released, or stood already."`
	Result     string `json:"result" enum:"changed|unchanged|failed"`
	Revision   uint64 `json:"revision,omitempty" doc:"The document's, if it is known."`
	ErrorCode  string `json:"errorCode,omitempty" doc:"Of a failure, as if the document had been changed by itself."`
	Message    string `json:"message,omitempty"`
}
