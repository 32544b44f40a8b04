package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"strongroom/engine"
)

// errorCode is what clients branch on.
type errorCode string

const (
	codeInvalidBody      errorCode = "INVALID_REQUEST_BODY"
	codeInvalidParameter errorCode = "INVALID_REQUEST_PARAMETER"
	codeInternal         errorCode = "INTERNAL_ERROR"
	codeInvalidToken     errorCode = "AUTHORIZATION_INVALID_TOKEN"
)

// Errors of HTTP itself, which the engine knows nothing of.
var (
	errNotFound         = errors.New("no such route")
	errMethodNotAllowed = errors.New("no such method on this route")
	errNoAccount        = errors.New("no such account")
	errNoToken          = errors.New("no token")
	errDigestMismatch   = errors.New("digest mismatch")
	errPrecondition     = errors.New("precondition of a download")
	errMediaType        = errors.New("unsupported media type")
	errRange            = errors.New("range not satisfiable")
	errSlowBody         = errors.New("the body made no progress")
	errUnverified       = errors.New("a vault cannot be asked, so no token is called wrong")
	errTooLarge         = errors.New("body too large")
	errVerifying        = errors.New("a verification is running")
	// ErrLimited: more than is allowed at a time, or of one user. It is answered by 429.
	ErrLimited   = errors.New("more than is allowed at a time")
	errUnmatched = errors.New("If-Match on what has no revision")
)

// errorTable decides every error, the first row that fits. A message says what
// to do next; %s is the error's own text, where that was written for clients.
var errorTable = []errorRow{
	{errNotFound, 404, "NOT_FOUND", "there is nothing at this path; /openapi.json lists the routes"},
	{errMethodNotAllowed, 405, "METHOD_NOT_ALLOWED", "this path does not take this method; the header Allow lists those it takes"},
	{errNoAccount, 404, "NOT_FOUND", "the API key has no such account; GET /oauth/userinfo names the one it has"},
	{errNoToken, 401, codeInvalidToken, "%s"},
	{errDigestMismatch, 400, "DIGEST_MISMATCH", "%s"},
	{errMediaType, 415, "UNSUPPORTED_MEDIA_TYPE", "%s"},
	{ErrNoPages, 415, "UNSUPPORTED_MEDIA_TYPE", "only a PDF has pages that can be shown; download the file"},
	{errPrecondition, 412, "PRECONDITION_FAILED", "the content is not the one the request asks for; the header ETag says which it is"},
	{errUnmatched, 412, "PRECONDITION_FAILED", "what this request changes has no ETag, so none can match; leave out the header If-Match"},
	{errRange, 416, "RANGE_NOT_SATISFIABLE", "the range lies outside the content; the header Content-Range says how long it is"},
	{errSlowBody, 408, "REQUEST_TIMEOUT", "the body made no progress for too long and nothing of it was kept; send the request again"},
	{errTooLarge, 413, "PAYLOAD_TOO_LARGE", "%s"},
	{engine.ErrTooLarge, 413, "PAYLOAD_TOO_LARGE", "the file is larger than this server takes; nothing of it was kept"},

	{engine.ErrInvalidToken, 401, codeInvalidToken, "the API key is not valid; check that it was copied whole, or ask an admin for a new one"},
	{engine.ErrTokenExpired, 401, "AUTHORIZATION_TOKEN_EXPIRED", "the API key has expired; ask an admin for a new one"},
	{engine.ErrTokenRevoked, 401, "AUTHORIZATION_TOKEN_REVOKED", "the API key was revoked; ask an admin for a new one"},
	{engine.ErrSignInAgain, 401, "AUTHORIZATION_TOKEN_EXPIRED", "it is too long since this user came through the identity provider; once they have signed in there again, all works as before"},
	{engine.ErrNoGroup, 403, "USER_LACKS_PERMISSIONS", "no group of this account gives access to this vault; ask an admin of the identity provider"},
	{engine.ErrLacksPermission, 403, "USER_LACKS_PERMISSIONS", "this needs more access than the API key has; use a key with the access that details.required names"},

	{engine.ErrDocumentNotFound, 404, "DOCUMENT_NOT_FOUND", "there is no document with this id; GET /v1/documents lists those there are"},
	{engine.ErrVersionNotFound, 404, "VERSION_NOT_FOUND", "the document has no version with this number; GET its versions to see those it has"},
	{ErrPageNotFound, 404, "PAGE_NOT_FOUND", "the version has no page with this number; the header Page-Count of its first page says how many it has"},
	{engine.ErrUserNotFound, 404, "USER_NOT_FOUND", "there is no user with this id; GET /v1/users lists those there are"},
	{engine.ErrKeyNotFound, 404, "KEY_NOT_FOUND", "there is no API key with this id; GET /v1/api-keys lists those there are"},
	{engine.ErrObligationNotFound, 404, "OBLIGATION_NOT_FOUND", "there is no obligation with this id; GET /v1/obligations lists those there are"},
	{engine.ErrCalendarNotFound, 404, "CALENDAR_NOT_FOUND", "this is the address of no calendar, or not any more; its user makes a new one by POST /v1/me/calendar"},
	{engine.ErrCertificateNotFound, 404, "CERTIFICATE_NOT_FOUND", "there is no deletion certificate for this id; only a deleted document has one"},
	{engine.ErrFieldNotFound, 404, "FIELD_NOT_FOUND", "there is no field with this key; GET /v1/fields lists those there are"},
	{engine.ErrHoldNotFound, 404, "HOLD_NOT_FOUND", "there is no legal hold with this id; GET /v1/holds lists those there are"},
	{engine.ErrMatterNotFound, 404, "MATTER_NOT_FOUND", "no legal hold was ever placed for this matter; GET /v1/matters lists those there are"},
	{engine.ErrPolicyNotFound, 404, "POLICY_NOT_FOUND", "there is no retention policy with this id; GET /v1/retention/policies lists those there are"},
	{engine.ErrRunNotFound, 404, "RUN_NOT_FOUND", "there is no run of retention with this id; GET /v1/retention/runs lists those there are"},
	{engine.ErrApprovalNotFound, 404, "APPROVAL_NOT_FOUND", "there is no request for approval with this id; GET /v1/approvals lists those there are"},
	{engine.ErrErasureNotFound, 404, "ERASURE_NOT_FOUND", "there is no erasure with this id; GET /v1/erasures lists those there are"},
	{engine.ErrWebhookNotFound, 404, "WEBHOOK_NOT_FOUND", "there is no webhook with this id; GET /v1/webhooks lists those there are"},
	{engine.ErrClientNotFound, 404, "CLIENT_NOT_FOUND", "there is no client with this id; GET /v1/clients lists those there are"},
	{engine.ErrDeliveryNotFound, 404, "DELIVERY_NOT_FOUND", "the webhook has no delivery with this number, or not any more; GET its deliveries to see those it has"},
	{engine.ErrNotLocked, 404, "EDIT_LOCK_ENVELOPE_NOT_LOCKED", "the document is not locked, or not any more; leave the token out, or POST its lock to lock it"},
	{engine.ErrEntryNotFound, 404, "ENTRY_NOT_FOUND", "there is no audit entry with this number; GET /v1/audit/head says which is the last"},

	{engine.ErrNoCheckpoint, 404, "CHECKPOINT_NOT_FOUND", "the vault has signed no such checkpoint; GET /v1/log/checkpoint signs one where anything but checkpoints was written since the last"},
	{engine.ErrTileNotFound, 404, "TILE_NOT_FOUND", "the last checkpoint covers no such tile; GET /v1/log/checkpoint signs what was written since, and its size says which tiles there are"},

	{engine.ErrContradicted, 409, "LOG_CONTRADICTED", "%s"},
	{engine.ErrSignKey, 409, "SIGN_KEY_MISMATCH", "the file sign.key, or mldsa.key, is not the key that the log names, so nothing is signed; its operator finds what to do in GET /readyz"},
	{engine.ErrOnHold, 409, "DOCUMENT_ON_LEGAL_HOLD", "the document is on legal hold; GET its holds to see why, and release them when the matter is closed"},
	{engine.ErrRetained, 409, "DOCUMENT_RETAINED", "%s; GET its disposition to see why"},
	{engine.ErrPolicyLocked, 409, "POLICY_LOCKED", "%s; only its name can be changed, and its period prolonged"},
	{engine.ErrPreviewRequired, 409, "PREVIEW_REQUIRED", "%s; POST /v1/retention/preview with exactly this change to see which, and send its planDigest along with the change; a policy that is to be deleted is disabled so first"},
	{engine.ErrPlanChanged, 409, "PLAN_CHANGED", "the run would not do what was previewed; preview again, and run with the new planDigest"},
	{engine.ErrApprovalStale, 409, "APPROVAL_STALE", "%s"},
	{engine.ErrNeedsTwo, 403, "USER_LACKS_PERMISSIONS", "this needs two persons since just now; send the request again, and have another admin approve it"},
	{engine.ErrDocumentArchived, 409, "DOCUMENT_ARCHIVED", "the document is archived; unarchive it first"},
	{engine.ErrLockState, 409, "EDIT_LOCK_INVALID_STATE_FOR_LOCK", "%s"},
	{engine.ErrExists, 409, "ALREADY_EXISTS", "%s; use that one, or give another value"},
	{engine.ErrFieldInUse, 409, "FIELD_IN_USE", "%s"},
	{engine.ErrLogBehind, 409, "LOG_BEHIND", "%s; read on after its last entry, and look at what you did since"},
	{engine.ErrLastAdmin, 409, "LAST_ADMIN", "this is the last active admin; give somebody else admin access first"},
	{engine.ErrDocumentDeleted, 410, "DOCUMENT_DELETED", "the document was deleted; details says when and by whom, and its certificate names every version"},
	{engine.ErrPrecondition, 412, "PRECONDITION_FAILED", "it was changed in the meantime; read it again and repeat the change with the ETag it has now"},
	{errUnreadable, 422, "FILE_UNREADABLE", "no picture of the page can be made, for %s; download the file"},
	{engine.ErrLocked, 423, "EDIT_LOCK_NOT_LOCK_OWNER", "%s; GET the lock to see it, and PUT it to prolong your own"},
	{engine.ErrThrottled, 429, "RATE_LIMITED", "%s"},
	{ErrLimited, 429, "RATE_LIMITED", "%s"},
	{errVerifying, 429, "RATE_LIMITED", "the vault is being verified already; try again when that has ended"},
	{errUnverified, 503, "VAULT_UNAVAILABLE", "the API key cannot be checked now; keep it and try again, and tell its operator if this goes on"},
	{engine.ErrReplaced, 503, "VAULT_UNAVAILABLE", "another server owns the vault since just now, and nothing was changed; send the request again"},
	{engine.ErrFollower, 503, "VAULT_UNAVAILABLE", "this server follows the vault, and the one that owns it was not asked; send the request again, or to that one"},
	{engine.ErrUnavailable, 503, "VAULT_UNAVAILABLE", "the vault is not available now; try again, and tell its operator if this goes on"},
	{engine.ErrNoSpace, 507, "INSUFFICIENT_STORAGE", "there is no space left to write; reading goes on, and writing will when its operator has made space"},

	// Errors of opening a vault: this server is given open ones, so meeting one
	// here is a defect.
	{engine.ErrVaultExists, 500, codeInternal, neutral},
	{engine.ErrNoBackup, 500, codeInternal, neutral},
	{engine.ErrVaultNotFound, 500, codeInternal, neutral},
	{engine.ErrVaultInUse, 500, codeInternal, neutral},
	{engine.ErrNetworkFS, 500, codeInternal, neutral},
	{engine.ErrFormat, 500, codeInternal, neutral},
	{engine.ErrRecord, 500, codeInternal, neutral}, // of following, which nobody asks for
}

type errorRow struct {
	is      error
	status  int
	code    errorCode
	message string
}

// neutral is all a client is told of what should not have happened.
const neutral = "something went wrong in the server; try again, and give the requestId to its operator if it goes on"

// retryAfter is in seconds.
const retryAfter = "5"

// statusClientGone is in the log for a request whose client went away before it
// was answered. Nobody is sent it.
const statusClientGone = 499

// refusal is an error of this package with a text for its one case.
type refusal struct {
	kind    error
	message string
}

func (e *refusal) Error() string { return e.message }
func (e *refusal) Unwrap() error { return e.kind }

func refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

// invalidError names what is wrong with a request, and whether in its body or
// in what stands before the body.
type invalidError struct {
	code   errorCode
	fields []engine.FieldError
}

func (e *invalidError) Error() string {
	return printable(e.fields[0].Field) + ": " + e.fields[0].Message
}

const (
	maxShown = 80 // characters of a name that is sent back
	maxWrong = 50 // values that are refused by name; more help nobody
)

// printable makes a name that a client sent fit to be sent back.
func printable(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	seen := 0
	for i := range name {
		if seen++; seen > maxShown {
			return name[:i] + "…"
		}
	}
	return name
}

// inBody refuses a part of the body by name; "body" stands for all of it.
func inBody(field, format string, args ...any) error {
	return &invalidError{codeInvalidBody, []engine.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}}}
}

// inParameter refuses a part of the path, the query or the header by name.
func inParameter(field, format string, args ...any) error {
	return &invalidError{codeInvalidParameter, []engine.FieldError{{Field: field, Message: fmt.Sprintf(format, args...)}}}
}

// describe decides what an error is to the client. known is false for an error
// that should not have happened.
func (x *exchange) describe(err error) (status int, body Error, known bool) {
	if e, ok := errors.AsType[*engine.InvalidError](err); ok {
		err = &invalidError{x.fields, e.Fields}
	}
	if e, ok := errors.AsType[*invalidError](err); ok {
		return http.StatusBadRequest, Error{
			ErrorCode: string(e.code),
			Message:   e.Error(),
			Details:   map[string]any{"fields": fieldErrors(e.fields)},
		}, true
	}
	for _, row := range errorTable {
		if errors.Is(err, row.is) {
			message := strings.Replace(row.message, "%s", err.Error(), 1)
			if e, ok := errors.AsType[*engine.PermissionError](err); ok && e.Reason != "" {
				message = e.Reason // it is not the access that lacks
			}
			if _, ok := errors.AsType[accessTokenError](err); ok && accessTokenMessages[row.code] != "" {
				message = accessTokenMessages[row.code]
			}
			return row.status, Error{ErrorCode: string(row.code), Message: message, Details: x.details(err)}, row.code != codeInternal
		}
	}
	return http.StatusInternalServerError, Error{ErrorCode: string(codeInternal), Message: neutral}, false
}

// details are the facts an error of the engine carries.
func (x *exchange) details(err error) any {
	if e, ok := errors.AsType[*engine.PermissionError](err); ok {
		facts := map[string]any{"required": e.Required, "actual": e.Actual}
		if e.Reason != "" {
			facts["reason"] = e.Reason
		}
		return facts
	}
	if e, ok := errors.AsType[*engine.LockedError](err); ok {
		l := lockOf(x.vault, e.Lock)
		return map[string]any{"lockedByUser": l.LockedByUser, "lockedByApp": l.LockedByApp, "lockedUntilDateTime": l.LockedUntilDateTime}
	}
	if e, ok := errors.AsType[*engine.ExistsError](err); ok {
		if e.ID == "" {
			return nil
		}
		return map[string]any{string(e.What) + "Id": e.ID}
	}
	if e, ok := errors.AsType[*engine.DeletedError](err); ok {
		return tombstoneOf(e.Certificate)
	}
	if e, ok := errors.AsType[*engine.HeldError](err); ok {
		return map[string]any{"holds": e.Holds}
	}
	if e, ok := errors.AsType[*engine.PreviewRequiredError](err); ok {
		return map[string]any{"counts": RunCounts(e.Counts)}
	}
	if e, ok := errors.AsType[*engine.RetainedError](err); ok {
		facts := map[string]any{"protect": string(e.Protect)}
		if !e.Until.IsZero() {
			facts["until"] = Time(e.Until)
		}
		if e.PolicyID != "" {
			facts["policyId"] = e.PolicyID
		}
		return facts
	}
	if e, ok := errors.AsType[*pageError](err); ok {
		return map[string]any{"pages": e.pages}
	}
	if e, ok := errors.AsType[*UnreadableError](err); ok {
		return map[string]any{"reason": e.Reason}
	}
	if e, ok := errors.AsType[*engine.LogBehindError](err); ok {
		facts := map[string]any{"head": e.Head.Seq}
		if !e.RestoredAt.IsZero() {
			facts["restoredAt"] = Time(e.RestoredAt)
		}
		return facts
	}
	if errors.Is(err, errUnverified) {
		return map[string]any{"reason": "unverified"}
	}
	switch {
	case errors.Is(err, engine.ErrReplaced):
		return map[string]any{"reason": "replaced"}
	case errors.Is(err, engine.ErrFollower):
		return map[string]any{"reason": "follower"}
	}
	if e, ok := errors.AsType[*engine.UnavailableError](err); ok {
		return map[string]any{"reason": e.Reason}
	}
	return nil
}

// fail answers an error. Nothing of the answer may be written before, or the
// connection is dropped: a client must not take half an answer for a whole one.
func (s *Server) fail(x *exchange, r *http.Request, err error) {
	if x.gone || errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		if x.status == 0 {
			x.status = statusClientGone
		}
		panic(http.ErrAbortHandler)
	}
	if errors.Is(err, engine.ErrFollower) && s.elsewhere(x, r) {
		return
	}
	status, body, known := x.describe(err)
	switch {
	case !known:
		s.options.Logger.Error().Str("request", x.id).Err(err).Msg("internal error")
	case status >= http.StatusInternalServerError: // the operator's to mend, who needs the cause
		s.options.Logger.Warn().Str("request", x.id).Err(err).Msg("unavailable")
	}
	if x.status != 0 {
		panic(http.ErrAbortHandler)
	}
	h := x.Header()
	for _, name := range []string{"Content-Disposition", "Content-Security-Policy", "Last-Modified", "Repr-Digest"} {
		h.Del(name)
	}
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
		if !errors.Is(err, errNoToken) {
			h.Set("WWW-Authenticate", `Bearer error="invalid_token"`) // RFC 6750 section 3: there was one
		}
	case http.StatusRequestTimeout:
		h.Set("Connection", "close")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		h.Set("Retry-After", retryAfter)
		if e, ok := errors.AsType[*engine.ThrottledError](err); ok {
			h.Set("Retry-After", strconv.Itoa(wholeSeconds(e.After)))
		}
		if e, ok := errors.AsType[*limitedError](err); ok {
			h.Set("Retry-After", strconv.Itoa(max(1, wholeSeconds(e.after))))
		}
	case http.StatusPreconditionFailed:
		if e, ok := errors.AsType[*engine.PreconditionError](err); ok {
			h.Set("ETag", etag(e.Revision))
		}
	}
	body.RequestID, x.code = x.id, body.ErrorCode
	var answer any = body
	if x.dress != nil {
		var dressed ErrorDetails
		status, dressed = x.dress.refusal(err, status, body)
		answer, x.code = dressed, dressed.ErrorCode
	}
	if err := x.answer(status, answer); err != nil {
		s.options.Logger.Error().Str("request", x.id).Err(err).Msg("internal error")
		panic(http.ErrAbortHandler)
	}
}
