package engine

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// Errors of opening a vault. They never come from an open one.
var (
	// ErrVaultExists: Create found a vault in the directory already.
	ErrVaultExists = errors.New("a vault exists there already")
	// ErrVaultNotFound: Open found no vault in the directory.
	ErrVaultNotFound = errors.New("there is no vault there")
	// ErrVaultInUse: another process, or another Vault of this one, has it open. Facts: *InUseError.
	ErrVaultInUse = store.ErrInUse
	// ErrNetworkFS: the directory is on a network file system, where neither
	// locks nor fsync can be relied on. Options.AllowNetworkFS overrides.
	ErrNetworkFS = errors.New("the vault is on a network file system")
	// ErrFormat: the vault was written by a newer version, or it is not a vault.
	ErrFormat = store.ErrFormat
	// ErrNoBackup: the directory holds no backup that counts.
	ErrNoBackup = errors.New("there is no backup there")
)

// Errors of what was asked. The caller can mend them.
var (
	// ErrInvalid: a value cannot be accepted. Facts: *InvalidError.
	ErrInvalid = errors.New("invalid value")
	// ErrTooLarge: an upload passed its limit. Nothing of it is kept.
	ErrTooLarge = errors.New("the upload is larger than allowed")
	// ErrPrecondition: the revision is not one of those in Condition.IfMatch.
	// Facts: *PreconditionError.
	ErrPrecondition = errors.New("the revision has moved on")
	// ErrExists: what must be unique is taken. Facts: *ExistsError.
	ErrExists = errors.New("it exists already")
	// ErrDocumentArchived: archived documents take no versions and are not deleted by hand.
	ErrDocumentArchived = errors.New("the document is archived")
	// ErrLocked: somebody else holds the document's lock, or the token is not
	// that of the live lock. Facts: *LockedError.
	ErrLocked = errors.New("the document is locked")
	// ErrLockState: the document cannot be locked, or the change not be made,
	// in the state the document and its lock are in.
	ErrLockState = errors.New("the document's state does not allow it")
	// ErrThrottled: too many wrong edit passwords. Facts: *ThrottledError.
	ErrThrottled = errors.New("too many wrong passwords")
	// ErrFieldInUse: documents have values of the field, or policies of retention
	// count from it.
	ErrFieldInUse = errors.New("the field is in use")
	// ErrOnHold: a legal hold keeps the document from being archived or
	// disposed of, by anyone. Facts: *HeldError.
	ErrOnHold = errors.New("the document is on legal hold")
	// ErrRetained: a policy protects the document from deletion. Facts: *RetainedError.
	ErrRetained = errors.New("the document is retained")
	// ErrPolicyLocked: a policy of compliance can only be renamed and prolonged.
	ErrPolicyLocked = errors.New("the policy protects by compliance")
	// ErrPreviewRequired: the change would make documents due for deletion at once,
	// and does not carry the digest of its preview.
	ErrPreviewRequired = errors.New("documents would be due for deletion at once")
	// ErrPlanChanged: a run of retention would not do what its preview said.
	ErrPlanChanged = errors.New("the plan has changed")
	// ErrLogBehind: entries were asked for after one that the log does not have.
	// Facts: *LogBehindError.
	ErrLogBehind = errors.New("the log does not reach so far")
	// ErrContradicted: what the vault would sign contradicts what was signed with its key.
	// Facts: *ContradictedError.
	ErrContradicted = errors.New("the log is not the one that was signed")
	// ErrSignKey: the file sign.key is not the key that the log names. Facts: *SignKeyError.
	ErrSignKey = errors.New("the key of the log is not the one that it names")
	// ErrNoGroup: no group of the person's, as her provider tells them, gives access here.
	ErrNoGroup = errors.New("no group of this account gives access to this vault")
	// ErrSignInAgain: who was made a user by a provider has to come through it again.
	ErrSignInAgain = errors.New("it is too long since this user came through the identity provider")
	// ErrLastAdmin: the vault would be left without an active administrator.
	ErrLastAdmin = errors.New("the last active admin cannot be closed or demoted")
	// ErrNeedsTwo: the setting TwoPersons has two persons needed for it. Facts: *NeedsTwoError.
	ErrNeedsTwo = errors.New("this needs two persons")
	// ErrApprovalStale: the request was decided or has expired, or the state it was
	// judged on has changed. Facts: *StaleError.
	ErrApprovalStale = errors.New("the approval is stale")
)

// Errors of who asked.
var (
	// ErrInvalidToken: no such vault, no such key, or a wrong secret; which, is not told.
	ErrInvalidToken = errors.New("the API key is not valid")
	// ErrTokenExpired: the secret is right, the key's time is over.
	ErrTokenExpired = errors.New("the API key has expired")
	// ErrTokenRevoked: the secret is right, but the key was revoked or its user closed.
	ErrTokenRevoked = errors.New("the API key was revoked")
	// ErrLacksPermission: the actor's access is too low. Facts: *PermissionError.
	ErrLacksPermission = errors.New("the access level does not suffice")
)

// Errors of what is not there. Each noun has its own, so that a caller knows
// which of the ids it gave was wrong.
var (
	ErrDocumentNotFound    = errors.New("no such document")
	ErrVersionNotFound     = errors.New("no such version")
	ErrUserNotFound        = errors.New("no such user")
	ErrKeyNotFound         = errors.New("no such API key")
	ErrCalendarNotFound    = errors.New("no such calendar")
	ErrFieldNotFound       = errors.New("no such field")
	ErrCertificateNotFound = errors.New("no such deletion certificate")
	ErrEntryNotFound       = errors.New("no such audit entry")
	ErrNoCheckpoint        = errors.New("the vault has signed no such checkpoint")
	ErrTileNotFound        = errors.New("the last checkpoint covers no such tile of the log")
	ErrObligationNotFound  = errors.New("no such obligation")
	ErrHoldNotFound        = errors.New("no such legal hold")
	ErrMatterNotFound      = errors.New("no such matter")
	ErrPolicyNotFound      = errors.New("no such retention policy")
	ErrRunNotFound         = errors.New("no such run of retention")
	ErrErasureNotFound     = errors.New("no such erasure")
	ErrApprovalNotFound    = errors.New("no such approval")
	ErrWebhookNotFound     = errors.New("no such webhook")
	ErrClientNotFound      = errors.New("no such client")
	ErrDeliveryNotFound    = errors.New("no such delivery")
	// ErrNotLocked: there is no live lock; the one whose token was given has ended.
	ErrNotLocked = errors.New("the document is not locked")
	// ErrDocumentDeleted: the document was there once. Facts: *DeletedError, with its certificate.
	ErrDocumentDeleted = errors.New("the document was deleted")
)

// Errors of the machine. The caller can only wait or call an operator.
var (
	// ErrNoSpace: free space is below the reserve, or ran out. Nothing was
	// written; reads go on, and writing resumes by itself when space returns.
	ErrNoSpace = store.ErrNoSpace
	// ErrUnavailable: the vault is closed, or a commit's outcome is unknown and
	// it must be opened again, or the clock cannot be right. Facts: *UnavailableError.
	ErrUnavailable = store.ErrUnavailable
)

// errDamaged says that rows.db does not hold what this package wrote.
var errDamaged = store.ErrDamaged

// FieldError names one value that cannot be accepted, in the API's spelling
// ("tags[3]", "customFields.amount"), and says what would be.
type FieldError struct {
	Field   string
	Message string
}

// InvalidError lists every value of a call that cannot be accepted.
type InvalidError struct{ Fields []FieldError }

func (e *InvalidError) Error() string {
	parts := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		parts[i] = f.Field + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

// checks gathers the mistakes of one call.
type checks struct{ check.Mistakes }

// err is nil, or the *InvalidError of all mistakes.
func (c *checks) err() error {
	if c.All() == nil {
		return nil
	}
	fields := make([]FieldError, len(c.All()))
	for i, m := range c.All() {
		fields[i] = FieldError(m)
	}
	return &InvalidError{fields}
}

// invalid is the *InvalidError of one mistake.
func invalid(field, format string, args ...any) error {
	var c checks
	c.Fail(field, format, args...)
	return c.err()
}

// PermissionError says which access was needed and which there was.
// Reason says what else was missing, "" for nothing else.
type PermissionError struct {
	Required, Actual Access
	Reason           string
}

func (e *PermissionError) Error() string {
	if e.Reason != "" {
		return e.Reason
	}
	return fmt.Sprintf("this needs %s access; this key has %s", e.Required, e.Actual)
}

func (e *PermissionError) Is(target error) bool { return target == ErrLacksPermission }

// LockedError says who holds the document, and until when if nothing happens.
// The token is not in it.
type LockedError struct{ Lock Lock }

func (e *LockedError) Error() string {
	return fmt.Sprintf("%s holds the lock of this document until %s; the holder sends its token, everybody else waits",
		e.Lock.User.Name, e.Lock.Until.Format("15:04:05Z"))
}

func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// HeldError says how many legal holds the document bears.
type HeldError struct{ Holds uint64 }

func (e *HeldError) Error() string {
	return fmt.Sprintf("%d active legal holds keep this document", e.Holds)
}

func (e *HeldError) Is(target error) bool { return target == ErrOnHold }

// RetainedError says until when a policy protects the document, and how. Until
// is zero if it cannot be told: the fact from which the period counts is
// missing. It is in the zone of the vault.
type RetainedError struct {
	Until    time.Time
	PolicyID string // "": it was stamped when the document left the policy
	Protect  Protect
}

func (e *RetainedError) Error() string {
	if e.Until.IsZero() {
		return fmt.Sprintf("a policy of %s protects this document, and the date its period counts from is not set", e.Protect)
	}
	return fmt.Sprintf("a policy of %s protects this document until %s", e.Protect, e.Until.Format(time.DateOnly))
}

func (e *RetainedError) Is(target error) bool { return target == ErrRetained }

// ThrottledError says how long to wait.
type ThrottledError struct{ After time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many wrong passwords; try again in %d seconds", int(e.After.Seconds())+1)
}

func (e *ThrottledError) Is(target error) bool { return target == ErrThrottled }

// ExistsError names what holds the unique value. ID is "" if whoever asked may not
// see it.
type ExistsError struct {
	What  Noun
	ID    string // or the key, of a field
	Field string // the member that must be unique, in the API's spelling
}

// UnboundError: somebody whom a provider knows has the e-mail address of a user who
// is not linked to her. An address proves nothing: an admin links the two, by the
// Identity, or gives the user another address.
type UnboundError struct{ Identity Identity }

func (e *UnboundError) Error() string {
	return fmt.Sprintf("the e-mail address is that of a user who is not linked to subject %q of %s", e.Identity.Subject, e.Identity.Issuer)
}

// Noun is what an ExistsError is about.
type Noun string

const (
	NounDocument Noun = "document" // has the external id
	NounUser     Noun = "user"     // has the e-mail address
	NounField    Noun = "field"    // has the key
)

func (e *ExistsError) Error() string {
	if e.ID == "" {
		return fmt.Sprintf("another %s has this %s already", e.What, e.Field)
	}
	return fmt.Sprintf("the %s %s has this %s already", e.What, e.ID, e.Field)
}

func (e *ExistsError) Is(target error) bool { return target == ErrExists }

// DeletedError carries what is left of a deleted document.
type DeletedError struct{ Certificate Certificate }

func (e *DeletedError) Error() string {
	return fmt.Sprintf("document %s was deleted at %s", e.Certificate.DocumentID, e.Certificate.DeletedAt.Format("2006-01-02T15:04:05.000Z"))
}

func (e *DeletedError) Is(target error) bool { return target == ErrDocumentDeleted }

// PreconditionError carries the revision the object has now.
type PreconditionError struct{ Revision uint64 }

func (e *PreconditionError) Error() string {
	return fmt.Sprintf("the current revision is %d; read the object again and repeat the change on it", e.Revision)
}

func (e *PreconditionError) Is(target error) bool { return target == ErrPrecondition }

// UnavailableReason is why a vault is unavailable.
type UnavailableReason = store.Reason

const (
	ReasonClosed         = store.ReasonClosed         // Close was called
	ReasonOutcomeUnknown = store.ReasonOutcomeUnknown // a commit failed in a way that may or may not have reached the disk
	ReasonReplaced       = store.ReasonReplaced       // another server owns the vault now
	ReasonDamaged        = store.ReasonDamaged        // rows.db cannot be read
	ReasonBlobs          = store.ReasonBlobs          // the store of the bytes, beyond this machine, gives no answer; the rest goes on
	ReasonClock          = store.ReasonClock          // the clock is behind the log, and writes are refused; or it is doubted, and destroys nothing
)

// UnavailableError says why the vault refuses reads and writes: Reason is one of
// the reasons above, Err the cause, nil when it was closed.
type UnavailableError = store.UnavailableError

// InUseError names the process that holds the vault: Path is the directory, PID
// is 0 when it did not say.
type InUseError = store.InUseError

// DamagedError names the files, or what is in them, that are not what they must
// be. It comes from Restore and Compact, which have then done nothing, and from
// Backup, which has if its report has a head.
type DamagedError struct {
	Files []string
	More  uint64 // that are not named
	// Bytes says that it is all about the bytes of versions, so that a restore that
	// skips what is damaged would do.
	Bytes bool
}

func (e *DamagedError) Error() string {
	const most = 10
	all := uint64(len(e.Files)) + e.More
	text := fmt.Sprintf("%d damaged: %s", all, strings.Join(e.Files[:min(most, len(e.Files))], "; "))
	if more := all - uint64(min(most, len(e.Files))); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}

// findingsError is what Verify found, as an error.
func findingsError(findings []audit.Finding) error {
	e := &DamagedError{}
	for _, f := range findings {
		e.Files = append(e.Files, fmt.Sprintf("%s: %s", f.Code, f.Message))
	}
	return e
}
