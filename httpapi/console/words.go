package console

import (
	"errors"
	"net/http"

	"strongroom/engine"
)

// Errors of the pages themselves.
var (
	errNoPage   = errors.New("no such page")
	errForm     = errors.New("the form cannot be read")
	errPlain    = errors.New("sign-in over a network that can be read")
	errTooLarge = errors.New("the file is too large")
	errSilent   = errors.New("nothing is delivered")
)

// refusal is what a person is told who is refused: what is so, and what to do next.
type refusal struct {
	is     error
	status int
	title  string
	next   string
}

// refusals are looked through from the first; what is in none of them is the
// server's own fault, and its text goes to the log.
var refusals = []refusal{
	{errNoPage, 404, "There is no such page", "Begin at Documents; an address that somebody sent may be of another vault."},
	{errForm, 400, "The form did not arrive whole", "Go back and send it again."},
	{errPlain, 403, "Signing in is not possible here", "This address is not encrypted, so your key could be read on the way. Open the console on the machine itself, or have TLS set up: strongroom tls init makes a certificate."},
	{errTooLarge, 413, "The file is too large", "This server takes smaller ones; whoever runs it can raise --max-upload."},
	{errSilent, 503, "This server delivers nothing now", "Settings, Health, says why; starting the server anew may mend it."},

	{engine.ErrInvalidToken, 401, "The key is not valid", "Check that you copied it whole, or ask an admin for a new one."},
	{engine.ErrTokenExpired, 401, "The key has expired", "Ask an admin for a new one."},
	{engine.ErrTokenRevoked, 401, "The key was revoked", "Ask an admin for a new one."},
	{engine.ErrLacksPermission, 403, "You may not do this", "Ask an admin to do it, or for more access."},

	{engine.ErrDocumentNotFound, 404, "There is no such document", "It may be of another vault. Search for it by its name."},
	{engine.ErrVersionNotFound, 404, "The document has no such version", "Its page lists the versions it has."},
	{engine.ErrUserNotFound, 404, "There is no such person", "Settings lists everybody."},
	{engine.ErrKeyNotFound, 404, "There is no such API key", "Settings, API keys, lists all of them."},
	{engine.ErrFieldNotFound, 404, "There is no such field", "Somebody may have deleted it. Settings, Fields, lists all of them."},
	{engine.ErrWebhookNotFound, 404, "There is no such webhook", "Somebody may have deleted it. Settings, Webhooks, lists all of them."},
	{engine.ErrDeliveryNotFound, 404, "There is no such delivery", "Only the last thousand are kept."},
	{engine.ErrNotLocked, 409, "The lock has ended", "Nobody changed the document for too long, or an admin broke the lock. Lock it again and go on."},

	{engine.ErrOnHold, 409, "The document is on legal hold", "Nobody can archive or delete it until its holds are released."},
	{engine.ErrRetained, 409, "The document must be kept", "What will become of it, on its page, says until when and by which policy."},
	{engine.ErrPolicyLocked, 409, "The policy is locked", "It protects by compliance: only its name can be changed, and its period made longer."},
	{engine.ErrPlanChanged, 409, "The plan has changed", "Something became due, or is no longer, since you saw it. Look at the preview again."},
	{engine.ErrDocumentArchived, 409, "The document is archived", "Unarchive it first."},
	{engine.ErrLockState, 409, "The lock is in another state", "Look at the document again."},
	{engine.ErrExists, 409, "There is one already", "Use that one, or choose another value."},
	{engine.ErrFieldInUse, 409, "The field is in use", "Documents have values of it, so its type stays, and deleting it clears them all; or a policy of retention counts from it, and has to be changed first."},
	{engine.ErrLastAdmin, 409, "This is the last admin", "Give somebody else admin access first."},
	{engine.ErrDocumentDeleted, 410, "The document was deleted", "Its certificate says what it was and when it went."},
	{engine.ErrPrecondition, 412, "Somebody else changed it meanwhile", "Look at how it is now, and make your change again if it still holds."},
	{engine.ErrTooLarge, 413, "The file is too large", "This server takes smaller ones; whoever runs it can raise --max-upload."},
	{engine.ErrLocked, 423, "Somebody is editing the document", "Wait until the lock is released or ends, or ask an admin to break it."},
	{engine.ErrThrottled, 429, "Too many attempts", "Wait a little, then try again."},
	{engine.ErrUnavailable, 503, "The vault is not available now", "Try again in a moment, and tell whoever runs it if this goes on."},
	{engine.ErrNoSpace, 507, "The disk is full", "Reading goes on. Whoever runs the vault has to make space."},
}

// trouble is what a page of an error has on it.
type trouble struct {
	Next    string
	Fields  []engine.FieldError
	Detail  string
	Request string
}

// wrong is the page that tells of an error.
func (v *visit) wrong(err error) answer {
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return answer{page: "wrong", title: "This cannot be", status: http.StatusBadRequest, body: trouble{Next: "Go back and change what is named here.", Fields: invalid.Fields}}
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) {
			detail := ""
			if r.is == engine.ErrRetained || r.is == engine.ErrExists || r.is == engine.ErrLocked || r.is == engine.ErrLockState || r.is == engine.ErrFieldInUse {
				detail = err.Error()
			}
			return answer{page: "wrong", title: r.title, status: r.status, body: trouble{Next: r.next, Detail: detail}}
		}
	}
	if v.ctx().Err() == nil {
		v.console.options.Logger.Error().Err(err).Str("path", v.r.URL.Path).Msg("a page failed")
	}
	return answer{page: "wrong", title: "Something went wrong", status: http.StatusInternalServerError,
		body: trouble{Next: "Try again. If it goes on, tell whoever runs this server; its log says more."}}
}
