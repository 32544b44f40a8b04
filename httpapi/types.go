package httpapi

import (
	"encoding/json"
	"errors"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// Time is a time as the API prints it, in UTC with three fraction digits. The
// zero Time is null.
type Time time.Time

// MarshalJSON prints t.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	b := append(make([]byte, 0, 26), '"')
	return append(audit.AppendTime(b, time.Time(t)), '"'), nil
}

var errTime = errors.New("must be a time as in RFC 3339, like 2026-11-21T17:36:01.123Z")

// UnmarshalText reads any time of RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || parsed.IsZero() {
		return errTime
	}
	*t = Time(parsed.UTC())
	return nil
}

func (t *Time) bind(s string) error { return t.UnmarshalText([]byte(s)) }

// Error is the body of every answer that is no success.
type Error struct {
	ErrorCode string `json:"errorCode" doc:"What to branch on."`
	Message   string `json:"message" doc:"For people: what is wrong and what to do next."`
	RequestID string `json:"requestId" doc:"The same as the header X-Request-Id; it finds the request in the server's log."`
	Details   any    `json:"details,omitempty" doc:"Facts that go with the code: fields (50 of them at most), required and actual, documentId, reason, holds, protect with until and policyId, lockedByUser with lockedByApp and lockedUntilDateTime, or a Certificate."`
}

// FieldError names a value that was refused.
type FieldError struct {
	Field   string `json:"field" doc:"Its name, like tags[3] or customFields.amount."`
	Message string `json:"message"`
}

func fieldErrors(fields []engine.FieldError) []FieldError {
	return mapped(fields[:min(len(fields), maxWrong)], func(f engine.FieldError) FieldError {
		return FieldError{printable(f.Field), f.Message}
	})
}

// List is one page.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty" doc:"Give it back as cursor for the next page; absent on the last."`
}

// listOf prints a page of the engine.
func listOf[E, T any](p engine.Page[E], one func(E) T) List[T] {
	return List[T]{mapped(p.Items, one), p.NextCursor}
}

func mapped[E, T any](in []E, one func(E) T) []T {
	out := make([]T, len(in))
	for i, e := range in {
		out[i] = one(e)
	}
	return out
}

// orEmpty prints a list that is not there as the empty list it is.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Document is a document and its current version.
type Document struct {
	ID             string         `json:"id"`
	ExternalID     string         `json:"externalId" doc:"The id it has elsewhere, unique among documents not deleted."`
	Name           string         `json:"name"`
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
	EditProtected  bool           `json:"editProtected" doc:"Whether it takes a password to lock it."`
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
		VersionCount: d.VersionCount, HoldCount: d.HoldCount, EditProtected: d.EditProtected,
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
}

func versionOf(v engine.Version) Version {
	return Version{
		DocumentID: v.DocumentID, Number: v.Number, Digest: v.Digest, Size: v.Size,
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

// User is a person of the vault.
type User struct {
	ID               string        `json:"id"`
	Name             string        `json:"name"`
	Email            string        `json:"email"`
	Access           engine.Access `json:"access"`
	Status           string        `json:"status" enum:"active|closed"`
	CanLockEnvelopes bool          `json:"canLockEnvelopes"`
	CreatedAt        Time          `json:"createdAt"`
	UpdatedAt        Time          `json:"updatedAt"`
	Revision         uint64        `json:"revision" doc:"It is the ETag."`
}

func userOf(u engine.User) User {
	return User{
		ID: u.ID, Name: u.Name, Email: u.Email, Access: u.Access, Status: string(u.Status),
		CanLockEnvelopes: u.CanLockEnvelopes, CreatedAt: Time(u.CreatedAt), UpdatedAt: Time(u.UpdatedAt), Revision: u.Revision,
	}
}

// Key is an API key without its secret, which the vault does not know.
type Key struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Prefix     string        `json:"prefix" doc:"What its token begins with, to tell keys apart."`
	UserID     string        `json:"userId"`
	Access     engine.Access `json:"access" doc:"May be narrower than its user's; the lower of the two counts."`
	CreatedAt  Time          `json:"createdAt"`
	ExpiresAt  Time          `json:"expiresAt" null:"never"`
	LastUsedAt Time          `json:"lastUsedAt" null:"never"`
	RevokedAt  Time          `json:"revokedAt" null:"never"`
}

func keyOf(k engine.Key) Key {
	return Key{
		ID: k.ID, Name: k.Name, Prefix: k.Prefix, UserID: k.UserID, Access: k.Access, CreatedAt: Time(k.CreatedAt),
		ExpiresAt: Time(k.ExpiresAt), LastUsedAt: Time(k.LastUsedAt), RevokedAt: Time(k.RevokedAt),
	}
}

// KeyWithSecret is a key with its secret, which is shown this once.
type KeyWithSecret struct {
	Key
	Secret string `json:"secret" doc:"The token: send it as Authorization: Bearer. It is not shown again."`
}

// Me is who asks.
type Me struct {
	User         *User         `json:"user,omitempty" doc:"Absent for the operator, who is no user."`
	Key          *Key          `json:"key,omitempty" doc:"Absent if no API key was used."`
	Access       engine.Access `json:"access" doc:"What this caller may do: the lower of the user's and the key's."`
	Organization Organization  `json:"organization"`
}

// Organization is the vault.
type Organization struct {
	ID   string `json:"id"`
	Name string `json:"name"`
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

// Settings are those of the vault.
type Settings struct {
	Categories        []string `json:"categories" doc:"Beyond the built-in ones."`
	RetentionConflict string   `json:"retentionConflict" enum:"longest|shortest" doc:"Which policy counts if several apply to a document."`
	RetentionRunAt    string   `json:"retentionRunAt" doc:"When the daily run of retention starts, HH:MM in timeZone."`
	TimeZone          string   `json:"timeZone" doc:"An IANA name: where the days of the organization begin and end."`
	ReminderDays      []uint64 `json:"reminderDays" doc:"How many days before an obligation is due to remind of it, falling; 10 at most, each from 1 to 365."`
	AuditReads        bool     `json:"auditReads" doc:"Whether each download and each export is an audit entry of its own."`
	MaxClockGapDays   uint64   `json:"maxClockGapDays" doc:"After a longer silence in the audit log a run of retention waits for an admin."`
	Paused            bool     `json:"paused" doc:"Whether webhooks, scheduled retention and erasures wait."`
	SearchLanguage    string   `json:"searchLanguage" doc:"How words are stemmed for search: de, en, es, fr, it, nl or pt."`
}

// Obligation is something that somebody is to do because of a document.
type Obligation struct {
	ID           string     `json:"id"`
	Title        string     `json:"title"`
	Description  string     `json:"description"`
	DueDate      engine.Due `json:"dueDate" doc:"A date, until its end in the settings' timeZone, or a time."`
	Status       string     `json:"status" enum:"pending|overdue|completed" doc:"As of now."`
	OwnerID      string     `json:"ownerId"`
	OwnerName    string     `json:"ownerName"`
	DocumentID   string     `json:"documentId"`
	DocumentName string     `json:"documentName"`
	Recurrence   string     `json:"recurrence" enum:"|monthly|quarterly|yearly" doc:"Empty: once."`
	CompletedAt  Time       `json:"completedAt" null:"not completed"`
	CompletedBy  string     `json:"completedBy" doc:"A user's id; empty if it is not completed."`
	Note         string     `json:"note" doc:"Given on completion."`
	Evidence     *Evidence  `json:"evidence,omitempty" doc:"What proves the completion, if anything was named."`
	CreatedAt    Time       `json:"createdAt"`
	UpdatedAt    Time       `json:"updatedAt"`
	Revision     uint64     `json:"revision" doc:"It is the ETag."`
}

// Evidence names a version of a document.
type Evidence struct {
	DocumentID string `json:"documentId"`
	Version    uint64 `json:"version"`
}

func obligationOf(o engine.Obligation) Obligation {
	return Obligation{
		ID: o.ID, Title: o.Title, Description: o.Description, DueDate: o.DueDate, Status: string(o.Status),
		OwnerID: o.OwnerID, OwnerName: o.OwnerName, DocumentID: o.DocumentID, DocumentName: o.DocumentName,
		Recurrence: string(o.Recurrence), CompletedAt: Time(o.CompletedAt), CompletedBy: o.CompletedBy, Note: o.Note,
		Evidence: (*Evidence)(o.Evidence), CreatedAt: Time(o.CreatedAt), UpdatedAt: Time(o.UpdatedAt), Revision: o.Revision,
	}
}

// ObligationSummary tells how the obligations stand.
type ObligationSummary struct {
	ByStatus ObligationCounts `json:"byStatus"`
	ByMonth  []MonthCounts    `json:"byMonth" doc:"By the month in which they are due: this one, 12 before it and 24 after it, those with some."`
	ByOwner  []OwnerCounts    `json:"byOwner" doc:"Most open obligations first, 100 owners at most."`
	Next     []Obligation     `json:"next" doc:"The 10 pending ones that are due next."`
	Partial  bool             `json:"partial" doc:"Whether there are more than were counted: 100,000 open and 100,000 completed ones are."`
}

// ObligationCounts are numbers of obligations.
type ObligationCounts struct {
	Pending   uint64 `json:"pending"`
	Overdue   uint64 `json:"overdue"`
	Completed uint64 `json:"completed"`
}

// MonthCounts are those due in a month.
type MonthCounts struct {
	Month string `json:"month" doc:"Like 2026-11, in the settings' timeZone."`
	ObligationCounts
}

// OwnerCounts are those of a user.
type OwnerCounts struct {
	OwnerID   string `json:"ownerId"`
	OwnerName string `json:"ownerName"`
	ObligationCounts
}

// Entry is an entry of the audit log: the members of its line, the hash of the
// line, and the detail while it is there. The line's own detail member, a hash,
// is called detailDigest here.
type Entry struct {
	Seq          uint64          `json:"seq"`
	Prev         audit.Hash      `json:"prev" doc:"The hash of the entry before."`
	Time         Time            `json:"time"`
	Actor        string          `json:"actor" doc:"A user's id, or system, or operator."`
	Key          string          `json:"key" doc:"The API key that was used, if one was."`
	Op           string          `json:"op"`
	Document     string          `json:"document"`
	Version      uint64          `json:"version"`
	Facts        json.RawMessage `json:"facts" type:"object"`
	DetailDigest string          `json:"detailDigest" doc:"The member detail of the line: SHA-256 of salt and detail; empty if there was none."`
	Hash         audit.Hash      `json:"hash" doc:"SHA-256 of the line with its newline."`
	Detail       json.RawMessage `json:"detail,omitempty" type:"object" doc:"Personal and free text. Absent if there was none, or it was erased, or it is for admins only."`
	Salt         string          `json:"salt,omitempty" doc:"32 hexadecimal digits; there whenever detail is."`
}

// Head is the end of the log.
type Head struct {
	Seq  uint64     `json:"seq"`
	Hash audit.Hash `json:"hash"`
	Time Time       `json:"time"`
	Text string     `json:"text" doc:"Three lines to print, sign and compare."`
}

func headOf(h audit.Head) Head { return Head{h.Seq, h.Hash, Time(h.Time), h.Text()} }

// VerifyReport is what a verification found.
type VerifyReport struct {
	OK       bool      `json:"ok" doc:"Whether there is no finding."`
	Head     Head      `json:"head"`
	Entries  uint64    `json:"entries"`
	Versions uint64    `json:"versions"`
	Blobs    uint64    `json:"blobs" doc:"Those whose bytes were read; 0 unless bytes was asked for."`
	Findings []Finding `json:"findings"`
}

// Finding is something wrong in the log or the vault.
type Finding struct {
	Seq     uint64 `json:"seq" doc:"Of the entry it is about."`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func findingOf(f audit.Finding) Finding { return Finding{f.Seq, string(f.Code), f.Message} }

// State is how the server is.
type State struct {
	Status  string   `json:"status" enum:"ok|degraded|unavailable" doc:"degraded: it serves, and its operator should see to something."`
	Reasons []string `json:"reasons,omitempty" doc:"Why it is not ok, for callers with a valid API key."`
}

// Build is which program this is.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go" doc:"The version of Go it was built with."`
	Platform string `json:"platform" doc:"Operating system and architecture."`
}
