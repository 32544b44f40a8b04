package console

import (
	"errors"
	"net/http"

	"strongroom/engine"
	"strongroom/httpapi"
)

// Errors of the pages themselves.
var (
	errNoPage   = errors.New("no such page")
	errForm     = errors.New("the form cannot be read")
	errPlain    = errors.New("sign-in over a network that can be read")
	errTooLarge = errors.New("the file is too large")
	errForeign  = errors.New("a form of another site")
	errPassword = errors.New("wrong edit password")
	errNoLocks  = errors.New("this person may not lock documents")
	errNoKeys   = errors.New("no sign-in by key here")
	errClosed   = errors.New("an admin has closed this account")
	errNoJob    = errors.New("no such work")
	errBusy     = errors.New("too much work at once")
	errTooMany  = errors.New("too many documents")
	errIndexing = errors.New("the search index is behind")

	errTooManyErased = errors.New("too many documents for an erasure")
	errSilent        = errors.New("nothing is delivered")
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
	{errPlain, 403, "Signing in is not possible here", "This address is not encrypted, so your key could be read on the way. Open the console on the machine itself, or have TLS set up: strongroom tls init makes a certificate. Behind a proxy that has it, --public-url says so."},
	{errNoKeys, 403, "Keys do not open this vault's console", "Sign in with your account at the identity provider. Keys work for programs as before."},
	{errClosed, 403, "An admin has closed your account here", "Ask an admin to make it active again."},
	{ErrMixedUp, 400, "This sign-in was not begun in this browser, or took too long", "Begin again at the sign-in page."},
	{ErrProviderRefused, 403, "The identity provider did not say who you are", "Sign in again. If it goes on, tell whoever runs this server; its log says more."},
	{ErrProviderAway, 502, "The identity provider does not answer", "Try again in a moment. If it goes on, tell whoever runs this server; its log says more."},
	{ErrNoClaim, 403, "The identity provider does not say which groups you are in", "Nothing is lost: tell whoever runs the provider that its tokens need the claim of groups."},
	{engine.ErrNoGroup, 403, "None of your groups gives access here", "Ask whoever runs the identity provider to put you into one that does."},
	{engine.ErrSignInAgain, 401, "It is long since you came through the identity provider", "Sign in there again, and all works as before."},
	{httpapi.ErrPageNotFound, 404, "It has no such page", "Begin at its first page."},
	{httpapi.ErrNoPages, 404, "This file has no pages", "Only a PDF is shown page by page. The download has the file as it is."},
	{httpapi.ErrLimited, 429, "Too much is under way", "Wait a moment, and ask again."},
	{errForeign, 403, "The form came from another site", "Nothing was done. If you sent it yourself, open the console in this browser and do it there."},
	{errPassword, 403, "That is not the edit password", "Ask whoever set it; an admin can set another."},
	{errNoLocks, 403, "You may not lock documents", "An admin can allow it, on your page in Settings."},
	{errBusy, 429, "You have much under way already", "Wait until some of it is done, or stop it."},
	{errTooMany, 413, "The filter matches more than 100,000 documents", "Narrow it, and do one part after the other."},
	{errTooManyErased, 413, "An erasure takes 10,000 documents at most", "Narrow the filter, and open one case after the other."},
	{errIndexing, 409, "The search is still catching up", "Wait a moment, and look again: what was changed last would be missing."},
	{errNoJob, 404, "There is no such work here", "Its result is kept for a while only, and shown to whoever began it. Look at the documents themselves."},
	{httpapi.ErrTooManyRefusals, 429, "Too many keys from your address were wrong", "Check your key, wait a little, and try again."},
	{errTooLarge, 413, "The file is too large", "This server takes smaller ones; whoever runs it can raise --max-upload."},
	{errSilent, 503, "This server delivers nothing now", "Settings, Health, says why; starting the server anew may mend it."},

	{engine.ErrInvalidToken, 401, "The key is not valid", "Check that you copied it whole, or ask an admin for a new one."},
	{engine.ErrTokenExpired, 401, "The key has expired", "Ask an admin for a new one."},
	{engine.ErrTokenRevoked, 401, "The key was revoked", "Ask an admin for a new one."},
	{engine.ErrLacksPermission, 403, "You may not do this", "Ask an admin to do it, or for more access."},

	{engine.ErrDocumentNotFound, 404, "There is no such document", "It may be of another vault. Search for it by its name."},
	{engine.ErrVersionNotFound, 404, "The document has no such version", "Its page lists the versions it has."},
	{engine.ErrUserNotFound, 404, "There is no such person", "Settings lists everybody."},
	{engine.ErrKeyNotFound, 404, "There is no such key", "Settings lists all keys, and your own are under Me."},
	{engine.ErrClientNotFound, 404, "There is no such client", "Settings lists all clients, closed ones too."},
	{engine.ErrFieldNotFound, 404, "There is no such field", "Settings lists those there are."},
	{engine.ErrCertificateNotFound, 404, "There is no such certificate", "Only a document that was deleted has one."},
	{engine.ErrEntryNotFound, 404, "There is no such entry", "The audit log lists those there are."},
	{engine.ErrNoCheckpoint, 404, "The log has signed nothing yet", "Audit log, Checkpoint, has a button that signs it."},
	{engine.ErrObligationNotFound, 404, "There is no such obligation", "Somebody may have deleted it. Obligations lists those there are."},
	{engine.ErrMatterNotFound, 404, "There is no such matter", "The page of legal holds lists those there are."},
	{engine.ErrHoldNotFound, 404, "There is no such hold", "The page of a document lists those it bears."},
	{engine.ErrPolicyNotFound, 404, "There is no such policy", "Retention lists those there are."},
	{engine.ErrRunNotFound, 404, "There is no such run", "Retention lists those there were."},
	{engine.ErrApprovalNotFound, 404, "There is no such request", "Approvals lists those there are."},
	{engine.ErrErasureNotFound, 404, "There is no such erasure", "Erasure lists all cases."},
	{engine.ErrWebhookNotFound, 404, "There is no such webhook", "Settings lists those there are."},
	{engine.ErrDeliveryNotFound, 404, "There is no such delivery, or not any more", "The webhook's page lists those it has."},
	{engine.ErrLogBehind, 409, "The log does not reach so far", "The vault may have been restored from a backup. Begin at its newest entry."},
	{engine.ErrPreviewRequired, 409, "Documents would be due for deletion at once", "Look first at what the change would do; it can be saved from there."},
	{engine.ErrNotLocked, 409, "The lock has ended", "Nobody changed the document for too long, or an admin broke the lock. Lock it again and go on."},

	{engine.ErrOnHold, 409, "The document is on legal hold", "Nobody can archive or delete it until its holds are released."},
	{engine.ErrRetained, 409, "The document must be kept", "What will become of it, on its page, says until when and by which policy."},
	{engine.ErrPolicyLocked, 409, "The policy is locked", "It protects by compliance: only its name can be changed, and its period made longer."},
	{engine.ErrPreviewRequired, 409, "Documents would be due for deletion at once", "Look at the preview of exactly this change, and confirm it there."},
	{engine.ErrLogBehind, 409, "The log does not reach so far", "It was restored from an older backup. Begin at its last entry."},
	{engine.ErrPlanChanged, 409, "The plan has changed", "Something became due, or is no longer, since you saw it. Look at the preview again."},
	{engine.ErrApprovalStale, 409, "This cannot be approved any more", "It was decided or has expired, or what it was about has changed since. Whoever still wants it asks again."},
	{engine.ErrNeedsTwo, 403, "This needs two persons since just now", "Send it again, and have another admin approve it."},
	{engine.ErrDocumentArchived, 409, "The document is archived", "Unarchive it first."},
	{engine.ErrLockState, 409, "The lock is in another state", "Look at the document again."},
	{engine.ErrExists, 409, "There is one already", "Use that one, or choose another value."},
	{engine.ErrFieldInUse, 409, "The field is in use", "Documents have values of it, so its type stays, and deleting it clears them all; or a policy of retention counts from it, and has to be changed first."},
	{engine.ErrLastAdmin, 409, "This is the last admin", "Give somebody else admin access first."},
	{engine.ErrDocumentDeleted, 410, "The document was deleted", "Its certificate says what it was and when it went."},
	{engine.ErrContradicted, 409, "The vault signs no more", "Its directory was brought back to an earlier state, or changed, and it would contradict what it has signed. Tell whoever runs this server: Health, in Settings, says more."},
	{engine.ErrSignKey, 409, "The key of the log is not the one that the log names", "Nothing is signed with another. Tell whoever runs this server: Health, in Settings, says more."},
	{engine.ErrPrecondition, 412, "Somebody else changed it meanwhile", "Look at how it is now, and make your change again if it still holds."},
	{engine.ErrTooLarge, 413, "The file is too large", "This server takes smaller ones; whoever runs it can raise --max-upload."},
	{engine.ErrLocked, 423, "Somebody is editing the document", "Wait until the lock is released or ends, or ask an admin to break it."},
	{engine.ErrThrottled, 429, "Too many attempts", "Wait a little, then try again."},
	{engine.ErrUnavailable, 503, "The vault is not available now", "Try again in a moment, and tell whoever runs it if this goes on."},
	{engine.ErrNoSpace, 507, "The disk is full", "Reading goes on. Whoever runs the vault has to make space."},
}

// trouble is what a page of an error has on it.
type trouble struct {
	Next   string
	Fields []engine.FieldError
	Detail string
	Back   string // the page of what it is about; "": it is about nothing
}

// wrong is the page that tells of an error.
func (v *visit) wrong(err error) answer {
	if invalid, ok := errors.AsType[*engine.InvalidError](err); ok {
		return answer{page: "wrong", title: "This cannot be", status: http.StatusBadRequest, body: trouble{Next: "Go back and change what is named here.", Fields: invalid.Fields, Back: v.about(http.StatusBadRequest)}}
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) {
			detail := ""
			if r.is == engine.ErrRetained || r.is == engine.ErrExists || r.is == engine.ErrLocked || r.is == engine.ErrLockState || r.is == engine.ErrFieldInUse {
				detail = err.Error()
			}
			return answer{page: "wrong", title: r.title, status: r.status, body: trouble{Next: r.next, Detail: detail, Back: v.about(r.status)}}
		}
	}
	if v.ctx().Err() == nil {
		v.console.options.Logger.Error().Err(err).Str("request", v.number).Str("path", v.r.URL.Path).Msg("a page failed")
	}
	return answer{page: "wrong", title: "Something went wrong", status: http.StatusInternalServerError,
		body: trouble{Next: "Try again. If it goes on, tell whoever runs this server, with the number of the request, " + v.number + ": its log says more."}}
}

// about is the page of the document that a form was about: how it is now is seen
// there. "" where there is none.
func (v *visit) about(status int) string {
	id := v.id("id")
	if v.Vault == "" || id == "" || status == http.StatusNotFound || !v.In("documents") {
		return ""
	}
	return v.Path("documents", id)
}
