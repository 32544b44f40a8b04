package httpapi

import (
	"strconv"
	"time"

	"strongroom/engine"
)

// The answers in DocuSign's dress. Their members stand in the order of their
// names, as its XML has them; all of them are text; ids are UUIDs, and times
// have seven fraction digits.

// dressed is a type that has a root element of its own in XML.
type dressed interface{ xmlRoot() string }

const xmlNamespace = "http://www.docusign.com/restapi"

// LockInformation is a lock.
type LockInformation struct {
	LockDurationInSeconds string       `json:"lockDurationInSeconds" xml:"lockDurationInSeconds"`
	LockToken             string       `json:"lockToken,omitempty" xml:"lockToken,omitempty" doc:"Only for the API key that took the lock."`
	LockType              string       `json:"lockType" xml:"lockType" enum:"edit"`
	LockedByApp           string       `json:"lockedByApp" xml:"lockedByApp"`
	LockedByUser          LockedByUser `json:"lockedByUser" xml:"lockedByUser"`
	LockedUntilDateTime   string       `json:"lockedUntilDateTime" xml:"lockedUntilDateTime"`
	UseScratchPad         string       `json:"useScratchPad" xml:"useScratchPad" enum:"true|false"`
}

// LockedByUser is who holds it.
type LockedByUser struct {
	AccountID   string `json:"accountId" xml:"accountId"`
	AccountName string `json:"accountName" xml:"accountName"`
	Email       string `json:"email" xml:"email"`
	UserID      string `json:"userId" xml:"userId"`
	UserName    string `json:"userName" xml:"userName"`
	UserStatus  string `json:"userStatus" xml:"userStatus" enum:"Active|Closed"`
}

// Envelope is a document.
type Envelope struct {
	CreatedDateTime      string           `json:"createdDateTime" xml:"createdDateTime"`
	EmailBlurb           string           `json:"emailBlurb" xml:"emailBlurb" doc:"The description."`
	EmailSubject         string           `json:"emailSubject" xml:"emailSubject" doc:"The name."`
	EnvelopeID           string           `json:"envelopeId" xml:"envelopeId"`
	LastModifiedDateTime string           `json:"lastModifiedDateTime" xml:"lastModifiedDateTime"`
	LockInformation      *LockInformation `json:"lockInformation,omitempty" xml:"lockInformation,omitempty"`
	Status               string           `json:"status" xml:"status" enum:"created|completed" doc:"completed: the document is archived, and cannot be locked."`
}

// EnvelopeUpdateSummary is the answer to a change of an envelope.
type EnvelopeUpdateSummary struct {
	EnvelopeID      string           `json:"envelopeId" xml:"envelopeId"`
	LockInformation *LockInformation `json:"lockInformation,omitempty" xml:"lockInformation,omitempty"`
}

// ErrorDetails is the body of every answer in this dress that is no success.
type ErrorDetails struct {
	ErrorCode string `json:"errorCode" xml:"errorCode" doc:"What to branch on."`
	Message   string `json:"message" xml:"message" doc:"For people: what is wrong and what to do next."`
}

// ServiceInformation is which service this is.
type ServiceInformation struct {
	BuildSHA        string           `json:"buildSHA" xml:"buildSHA"`
	BuildVersion    string           `json:"buildVersion" xml:"buildVersion"`
	ServiceVersions []ServiceVersion `json:"serviceVersions" xml:"serviceVersions>serviceVersion"`
}

// ServiceVersion is a version of the API.
type ServiceVersion struct {
	Version    string `json:"version" xml:"version"`
	VersionURL string `json:"versionUrl" xml:"versionUrl" doc:"Relative to this path."`
}

// ResourceInformation is what there is in a version of the API.
type ResourceInformation struct {
	Resources []NameValue `json:"resources" xml:"resources>nameValue"`
}

// NameValue is a resource and its path, relative to this one.
type NameValue struct {
	Name  string `json:"name" xml:"name"`
	Value string `json:"value" xml:"value"`
}

func (LockInformation) xmlRoot() string       { return "lockInformation" }
func (Envelope) xmlRoot() string              { return "envelope" }
func (EnvelopeUpdateSummary) xmlRoot() string { return "envelopeUpdateSummary" }
func (ErrorDetails) xmlRoot() string          { return "errorDetails" }
func (ServiceInformation) xmlRoot() string    { return "serviceInformation" }
func (ResourceInformation) xmlRoot() string   { return "resourceInformation" }
func (lockRequest) xmlRoot() string           { return "lockRequest" }
func (envelopePatch) xmlRoot() string         { return "envelope" }

// UserInfo is who asks. It is JSON only.
type UserInfo struct {
	Sub        string        `json:"sub" doc:"The user's id."`
	Name       string        `json:"name"`
	GivenName  string        `json:"given_name"`
	FamilyName string        `json:"family_name"`
	Created    string        `json:"created"`
	Email      string        `json:"email"`
	Accounts   []UserAccount `json:"accounts"`
}

// UserAccount is the organization as the account of a user.
type UserAccount struct {
	AccountID   string `json:"account_id"`
	IsDefault   bool   `json:"is_default"`
	AccountName string `json:"account_name"`
	BaseURI     string `json:"base_uri" doc:"What /restapi is appended to."`
}

func lockInformationOf(v *engine.Vault, l engine.Lock) LockInformation {
	u := lockUserOf(v, l.User)
	status := "Active"
	if l.User.Status == engine.UserClosed {
		status = "Closed"
	}
	return LockInformation{
		LockDurationInSeconds: inSeconds(l.Duration), LockToken: l.Token, LockType: editLock, LockedByApp: l.LockedByApp,
		LockedByUser: LockedByUser{
			AccountID: uuid(u.AccountID), AccountName: u.AccountName, Email: u.Email,
			UserID: uuid(u.UserID), UserName: u.UserName, UserStatus: status,
		},
		LockedUntilDateTime: dressTime(l.Until), UseScratchPad: strconv.FormatBool(l.UseScratchPad),
	}
}

// envelopeOf prints a document as an envelope. What can be locked and changed
// is a draft to DocuSign's clients, and what is archived is done.
func envelopeOf(d engine.Document) Envelope {
	status := "created"
	if d.Archived {
		status = "completed"
	}
	return Envelope{
		CreatedDateTime: dressTime(d.CreatedAt), EmailBlurb: d.Description, EmailSubject: d.Name, EnvelopeID: uuid(d.ID),
		LastModifiedDateTime: dressTime(d.UpdatedAt), Status: status,
	}
}

func dressTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// uuid is an id as this dress spells it; what is none stays as it is.
func uuid(id string) string {
	if u, ok := engine.UUID(id); ok {
		return u
	}
	return id
}
