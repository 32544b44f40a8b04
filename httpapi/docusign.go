package httpapi

import (
	"context"
	"errors"
	"strings"
	"time"

	"strongroom/engine"
)

// The routes of DocuSign's eSignature REST API v2.1 that its EnvelopeLocks need:
// the calls of the engine that the native routes make, in the dress that
// DocuSign's own SDKs know (docusign_dress.go). An envelope, and a template, is
// a document; an account is the vault.

// docusign are the routes below base, which is where DocuSign's clients were
// told the API is: with /restapi, as their SDKs have it, and without.
func docusign(base string) []route {
	account := base + "/accounts/:accountId"
	routes := []route{
		endpoint("GET", account+"/envelopes/:id", 200, view, "Read a document as an envelope", getEnvelope, noDocument, deleted),
		endpoint("PUT", account+"/envelopes/:id", 200, write, "Change the name and the description of a document, as those of an envelope", putEnvelope, noDocument, deleted),
	}
	for _, noun := range []string{"Envelope", "Template"} {
		path := account + "/" + strings.ToLower(noun) + "s/:id/lock"
		locks := []route{
			endpoint("POST", path, 201, write, "Lock a document for editing", createEnvelopeLock, noDocument, deleted, engine.ErrLocked, engine.ErrLockState, engine.ErrThrottled),
			endpoint("GET", path, 200, view, "Read the lock of a document", getEnvelopeLock, noDocument, deleted, engine.ErrNotLocked),
			endpoint("PUT", path, 200, write, "Prolong one's lock", updateEnvelopeLock, noDocument, deleted),
			endpoint("DELETE", path, 200, write, "Release one's lock, and save or drop what was done under it", deleteEnvelopeLock, noDocument, deleted, onHold, retained, engine.ErrExists),
		}
		for i := range locks {
			locks[i].operation = strings.Replace(locks[i].operation, "Envelope", noun, 1)
		}
		routes = append(routes, locks...)
	}
	return routes
}

// account is the path below which an account has everything. Whose it is, is
// decided where the caller is (see server.go).
type account struct {
	AccountID string `path:"accountId" doc:"The organization's id, or its name."`
}

type createEnvelopeLockInput struct {
	account
	ID      string      `path:"id"`
	IfMatch ifMatch     `header:"If-Match"`
	Lock    lockRequest `body:"docusign" unknown:"ignored"`
}

// lockRequest is what DocuSign calls the members a lock is taken with.
type lockRequest struct{ newLock }

func createEnvelopeLock(ctx context.Context, c caller, in createEnvelopeLockInput) (reply[LockInformation], error) {
	if err := in.Lock.check(); err != nil {
		return reply[LockInformation]{}, err
	}
	l, receipt, err := c.vault.AcquireLock(ctx, c.actor, in.ID, in.IfMatch.condition(), in.Lock.engine())
	return changedEnvelopeLock(c, l, receipt, err)
}

func changedEnvelopeLock(c caller, l engine.Lock, r engine.Receipt, err error) (reply[LockInformation], error) {
	if err != nil {
		return reply[LockInformation]{}, err
	}
	return reply[LockInformation]{body: lockInformationOf(c.vault, l), revision: l.Revision, receipt: r}, nil
}

type envelopeInput struct {
	account
	ID string `path:"id"`
}

func getEnvelopeLock(ctx context.Context, c caller, in envelopeInput) (reply[LockInformation], error) {
	l, err := c.vault.Lock(ctx, c.actor, in.ID)
	out, err := changedEnvelopeLock(c, l, engine.Receipt{}, err)
	if l.Token != "" {
		out.edit = "<DocuSignEdit><LockToken>" + l.Token + "</LockToken><LockDurationInSeconds>" + inSeconds(l.Duration) + "</LockDurationInSeconds></DocuSignEdit>"
	}
	return out, err
}

type updateEnvelopeLockInput struct {
	account
	change
	Lock lockRequest `body:"docusign" unknown:"ignored"`
}

// updateEnvelopeLock takes a whole lockRequest, as clients send it, and changes
// of it what can be changed: the answer says what holds.
func updateEnvelopeLock(ctx context.Context, c caller, in updateEnvelopeLockInput) (reply[LockInformation], error) {
	if err := in.Lock.check(); err != nil {
		return reply[LockInformation]{}, err
	}
	l, receipt, err := c.vault.RenewLock(ctx, c.actor, in.ID, in.condition(), in.Lock.lockPatch.engine())
	return changedEnvelopeLock(c, l, receipt, err)
}

type deleteEnvelopeLockInput struct {
	account
	releaseLockInput
	Lock lockRequest `body:"docusign" unknown:"ignored"`
}

func deleteEnvelopeLock(ctx context.Context, c caller, in deleteEnvelopeLockInput) (reply[LockInformation], error) {
	l, receipt, err := c.vault.ReleaseLock(ctx, c.actor, in.ID, in.condition(), in.save())
	return changedEnvelopeLock(c, l, receipt, err)
}

type getEnvelopeInput struct {
	account
	ID string `path:"id"`
	reading
	Include        string `query:"include" doc:"Without effect: there is nothing to include."`
	AdvancedUpdate bool   `query:"advanced_update" doc:"Without effect."`
}

func getEnvelope(ctx context.Context, c caller, in getEnvelopeInput) (reply[Envelope], error) {
	d, err := c.document(ctx, in.ID, in.reading)
	if err != nil {
		return reply[Envelope]{}, err
	}
	out := envelopeOf(d)
	out.LockInformation, err = envelopeLockOf(ctx, c, d)
	return reply[Envelope]{body: out, revision: d.Revision}, err
}

// envelopeLockOf is the lock within an envelope, with its token for whoever
// would get it from the lock itself.
func envelopeLockOf(ctx context.Context, c caller, d engine.Document) (*LockInformation, error) {
	if d.Lock == nil {
		return nil, nil
	}
	l, err := c.vault.Lock(ctx, c.actor, d.ID)
	if errors.Is(err, engine.ErrNotLocked) { // its time was over in between
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := lockInformationOf(c.vault, l)
	return &out, nil
}

// envelopePatch is what can be changed of an envelope. Another member is
// refused by its name.
type envelopePatch struct {
	EmailBlurb   *string `json:"emailBlurb" doc:"The description."`
	EmailSubject *string `json:"emailSubject" doc:"The name."`
	EnvelopeID   *string `json:"envelopeId" doc:"That of the path, if it is given."`
}

type putEnvelopeInput struct {
	account
	change
	AdvancedUpdate bool          `query:"advanced_update" doc:"Must not be true."`
	ResendEnvelope bool          `query:"resend_envelope" doc:"Must not be true."`
	Envelope       envelopePatch `body:"docusign"`
}

func (in putEnvelopeInput) check() error {
	for name, asked := range map[string]bool{"advanced_update": in.AdvancedUpdate, "resend_envelope": in.ResendEnvelope} {
		if asked {
			return inParameter(name, "cannot be honoured here; leave it out")
		}
	}
	return in.change.check()
}

func putEnvelope(ctx context.Context, c caller, in putEnvelopeInput) (reply[EnvelopeUpdateSummary], error) {
	if id := in.Envelope.EnvelopeID; id != nil && uuid(*id) != uuid(in.ID) {
		return reply[EnvelopeUpdateSummary]{}, inBody("envelopeId", "is not that of the path; an envelope keeps its id")
	}
	d, receipt, err := c.vault.UpdateDocument(ctx, c.actor, in.ID, in.condition(),
		engine.DocumentPatch{Name: in.Envelope.EmailSubject, Description: in.Envelope.EmailBlurb})
	if err != nil {
		return reply[EnvelopeUpdateSummary]{}, inDress(err)
	}
	out := EnvelopeUpdateSummary{EnvelopeID: uuid(d.ID)}
	out.LockInformation, err = envelopeLockOf(ctx, c, d)
	return reply[EnvelopeUpdateSummary]{body: out, revision: d.Revision, receipt: receipt}, err
}

// inDress gives the members that are refused the names they were sent under.
func inDress(err error) error {
	e, ok := errors.AsType[*engine.InvalidError](err)
	if !ok {
		return err
	}
	names := map[string]string{"name": "emailSubject", "description": "emailBlurb"}
	out := &engine.InvalidError{}
	for _, f := range e.Fields {
		if name, ok := names[f.Field]; ok {
			f.Field = name
		}
		out.Fields = append(out.Fields, f)
	}
	return out
}

// getUserInfo is who asks, in the words of OpenID Connect that DocuSign's
// clients ask for before anything else.
func getUserInfo(ctx context.Context, c caller, _ struct{}) (reply[UserInfo], error) {
	me, err := getMe(ctx, c, struct{}{})
	if err != nil {
		return reply[UserInfo]{}, err
	}
	out := UserInfo{Sub: c.actor.UserID, Name: c.actor.UserID, Accounts: []UserAccount{{
		AccountID: uuid(c.vault.ID()), IsDefault: true, AccountName: c.vault.Name(), BaseURI: c.base,
	}}}
	if u := me.body.User; u != nil {
		out.Sub, out.Name, out.Email, out.Created = uuid(u.ID), u.Name, u.Email, dressTime(time.Time(u.CreatedAt))
	}
	out.GivenName = out.Name
	if at := strings.LastIndexByte(out.Name, ' '); at > 0 {
		out.GivenName, out.FamilyName = out.Name[:at], out.Name[at+1:]
	}
	return answer(out), nil
}

func (s *Server) serviceInformation(context.Context, caller, struct{}) (reply[ServiceInformation], error) {
	return answer(ServiceInformation{
		BuildSHA: s.options.Build.Commit, BuildVersion: s.options.Build.Version,
		ServiceVersions: []ServiceVersion{{Version: "v2.1", VersionURL: "v2.1"}},
	}), nil
}

func listResources(context.Context, caller, struct{}) (reply[ResourceInformation], error) {
	return answer(ResourceInformation{Resources: []NameValue{{Name: "accounts", Value: "v2.1/accounts"}}}), nil
}
