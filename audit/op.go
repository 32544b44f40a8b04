package audit

import (
	"fmt"
	"slices"
)

// Op is an operation, the kind of an entry: noun.verb. The same names are the
// types of webhook events.
type Op string

// The operations. What each carries stands in the table of the package doc.
const (
	OpVaultCreated     Op = "vault.created"
	OpVaultMigrated    Op = "vault.migrated"
	OpVaultRestored    Op = "vault.restored"
	OpVaultSigner      Op = "vault.signer"
	OpCheckpointSigned Op = "checkpoint.signed"
	OpClockCorrected   Op = "clock.corrected"
	OpBackupCompleted  Op = "backup.completed"
	OpAuditExported    Op = "audit.exported"
	OpMatterExported   Op = "matter.exported"

	OpSessionStarted Op = "session.started"
	OpSessionEnded   Op = "session.ended"

	OpDocumentCreated      Op = "document.created"
	OpDocumentUpdated      Op = "document.updated"
	OpDocumentVersionAdded Op = "document.version_added"
	OpDocumentReverted     Op = "document.reverted"
	OpDocumentArchived     Op = "document.archived"
	OpDocumentUnarchived   Op = "document.unarchived"
	OpDocumentDeleted      Op = "document.deleted"
	OpDocumentDownloaded   Op = "document.downloaded"
	OpDocumentRestricted   Op = "document.restricted"
	OpDocumentUnrestricted Op = "document.unrestricted"
	OpDocumentTextSet      Op = "document.text_set"

	OpLockAcquired Op = "lock.acquired"
	OpLockRenewed  Op = "lock.renewed"
	OpLockReleased Op = "lock.released"
	OpLockBroken   Op = "lock.broken"

	OpHoldPlaced   Op = "hold.placed"
	OpHoldReleased Op = "hold.released"

	OpPolicyCreated      Op = "policy.created"
	OpPolicyUpdated      Op = "policy.updated"
	OpPolicyDeleted      Op = "policy.deleted"
	OpRetentionStarted   Op = "retention.started"
	OpRetentionCompleted Op = "retention.completed"

	OpObligationCreated   Op = "obligation.created"
	OpObligationUpdated   Op = "obligation.updated"
	OpObligationCompleted Op = "obligation.completed"
	OpObligationReopened  Op = "obligation.reopened"
	OpObligationDeleted   Op = "obligation.deleted"
	OpObligationDueSoon   Op = "obligation.due_soon"
	OpObligationOverdue   Op = "obligation.overdue"

	OpFieldCreated Op = "field.created"
	OpFieldUpdated Op = "field.updated"
	OpFieldDeleted Op = "field.deleted"

	OpUserCreated    Op = "user.created"
	OpUserUpdated    Op = "user.updated"
	OpUserIdentified Op = "user.identified"
	OpKeyCreated     Op = "key.created"
	OpKeyRotated     Op = "key.rotated"
	OpKeyRevoked     Op = "key.revoked"

	OpCalendarStarted Op = "calendar.started"
	OpCalendarEnded   Op = "calendar.ended"
	OpClientCreated   Op = "client.created"
	OpClientUpdated   Op = "client.updated"
	OpClientClosed    Op = "client.closed"

	OpSigninFailed Op = "signin.failed"

	OpWebhookCreated  Op = "webhook.created"
	OpWebhookUpdated  Op = "webhook.updated"
	OpWebhookDeleted  Op = "webhook.deleted"
	OpWebhookDisabled Op = "webhook.disabled"

	OpSettingsUpdated Op = "settings.updated"

	OpErasureRequested Op = "erasure.requested"
	OpErasureDeferred  Op = "erasure.deferred"
	OpErasureCompleted Op = "erasure.completed"

	OpApprovalRequested Op = "approval.requested"
	OpApprovalGranted   Op = "approval.granted"
	OpApprovalRejected  Op = "approval.rejected"
	OpApprovalExpired   Op = "approval.expired"
)

// subject says what the members document and version of an operation hold.
type subject string

const (
	noDocument    subject = "none"
	maybeDocument subject = "document?" // version 0
	oneDocument   subject = "document"  // version 0
	firstVersion  subject = "version 1"
	oneVersion    subject = "version"
)

// kind is what a fact's value looks like.
type kind string

const (
	aWord   kind = "word"   // a string, not empty: an id, a name of ours, a state
	aText   kind = "text"   // a string
	aFlag   kind = "flag"   // "true" or "false"
	aTime   kind = "time"   // a time, or "" for never
	aHash   kind = "hash"   // 64 lower-case hexadecimal digits
	aDigest kind = "digest" // "sha256:" and 64 lower-case hexadecimal digits
	aNumber kind = "number" // a number
	aList   kind = "list"   // an array of strings
)

// fact is one fact of an operation.
type fact struct {
	name     string
	kind     kind
	optional bool
}

func must(name string, k kind) fact { return fact{name, k, false} }
func may(name string, k kind) fact  { return fact{name, k, true} }

// rule is what an operation carries. The names in detail document the members
// of its detail object, all optional; empty means that it never has one.
type rule struct {
	op      Op
	subject subject
	facts   []fact
	detail  string
}

// rules is the table of the package doc, in its order.
var rules = []rule{
	{OpVaultCreated, noDocument, []fact{must("format", aNumber), must("vault", aWord)}, "name"},
	{OpVaultMigrated, noDocument, []fact{must("format", aNumber), must("from", aNumber), may("part", aNumber), may("state", aList)}, ""},
	{OpVaultRestored, noDocument, []fact{must("erasures", aNumber), must("head", aHash), must("log", aFlag), must("seq", aNumber)}, ""},
	{OpVaultSigner, noDocument, []fact{may("mldsa", aWord), must("vkey", aWord)}, ""},
	{OpCheckpointSigned, noDocument, []fact{must("root", aHash), must("size", aNumber)}, ""},
	{OpClockCorrected, noDocument, []fact{must("last", aTime), may("repeats", aNumber), must("wall", aTime)}, ""},
	{OpBackupCompleted, noDocument, []fact{must("blobs", aNumber), must("bytes", aNumber), must("head", aHash), may("missing", aNumber), must("seq", aNumber)}, "to"},
	{OpAuditExported, noDocument, []fact{must("after", aNumber), must("through", aNumber)}, ""},
	{OpMatterExported, noDocument, []fact{must("documents", aNumber), must("list", aHash), must("seq", aNumber)}, "matter"},

	{OpSessionStarted, noDocument, []fact{must("session", aWord), must("user", aWord)}, ""},
	{OpSessionEnded, noDocument, []fact{must("session", aWord), must("user", aWord)}, ""},

	{OpDocumentCreated, firstVersion, []fact{must("chain", aHash), may("confirmed", aList), must("digest", aDigest), must("mediaType", aWord), must("owner", aWord), must("size", aNumber)},
		"name category description tags customFields externalId product templateId agreementId path fileName comment label"},
	{OpDocumentUpdated, oneDocument, []fact{may("confirmed", aList), may("owner", aWord), may("password", aText), may("repeats", aNumber), may("retainUntil", aTime), must("revision", aNumber), may("seconds", aNumber)}, "{member: {old, new}}"},
	{OpDocumentVersionAdded, oneVersion, []fact{must("chain", aHash), must("digest", aDigest), must("mediaType", aWord), may("restored", aNumber), may("seconds", aNumber), must("size", aNumber)},
		"fileName comment label"},
	{OpDocumentReverted, oneVersion, []fact{may("confirmed", aList), may("discardedFrom", aNumber), may("discardedTo", aNumber), may("owner", aWord), may("retainUntil", aTime), must("revision", aNumber), may("seconds", aNumber)},
		"{member: {old, new}}"},
	{OpDocumentArchived, oneDocument, []fact{may("policy", aWord), may("repeats", aNumber), must("revision", aNumber), may("run", aWord), may("seconds", aNumber)}, ""},
	{OpDocumentUnarchived, oneDocument, []fact{may("repeats", aNumber), must("revision", aNumber), may("seconds", aNumber)}, ""},
	{OpDocumentDeleted, oneVersion, []fact{may("bypass", aFlag), must("certificate", aHash), must("chain", aHash), may("erasure", aWord), may("obligations", aNumber),
		may("policy", aWord), must("right", aWord), may("run", aWord), must("versions", aNumber)}, "name reason"},
	{OpDocumentDownloaded, oneVersion, []fact{must("digest", aDigest), may("part", aWord)}, ""},
	{OpDocumentRestricted, oneDocument, []fact{may("repeats", aNumber)}, "reason"},
	{OpDocumentUnrestricted, oneDocument, []fact{may("repeats", aNumber)}, "reason"},
	{OpDocumentTextSet, oneVersion, []fact{may("digest", aDigest), may("seconds", aNumber), must("size", aNumber)}, ""},

	{OpLockAcquired, oneDocument, []fact{may("drafts", aHash), must("fence", aNumber), may("password", aText), must("scratchpad", aFlag), must("seconds", aNumber), may("snapshot", aHash)},
		"lockedByApp"},
	{OpLockRenewed, oneDocument, []fact{may("draft", aNumber), may("drafts", aHash), may("fence", aNumber), may("seconds", aNumber)}, "lockedByApp"},
	{OpLockReleased, oneDocument, []fact{may("draft", aWord), may("fence", aNumber), may("user", aWord)}, ""},
	{OpLockBroken, oneDocument, []fact{may("drafts", aHash), must("fence", aNumber), must("user", aWord)}, "reason"},

	{OpHoldPlaced, oneDocument, []fact{must("hold", aWord), may("repeats", aNumber)}, "reason matter"},
	{OpHoldReleased, oneDocument, []fact{must("hold", aWord), may("repeats", aNumber)}, "reason"},

	{OpPolicyCreated, maybeDocument, policyFacts, "name target"},
	{OpPolicyUpdated, maybeDocument, policyFacts, "{member: {old, new}}"},
	{OpPolicyDeleted, maybeDocument, []fact{must("policy", aWord), may("repeats", aNumber)}, ""},
	{OpRetentionStarted, noDocument, []fact{must("at", aTime), may("clock", aTime), must("plan", aHash), must("run", aWord), must("trigger", aWord)}, "reason"},
	{OpRetentionCompleted, noDocument, []fact{must("archived", aNumber), must("deleted", aNumber), must("erased", aNumber), must("failed", aNumber), must("held", aNumber),
		must("locked", aNumber), must("plan", aHash), must("protected", aNumber), must("run", aWord), must("status", aWord), may("why", aWord)}, ""},

	{OpObligationCreated, maybeDocument, obligationFacts, "title description"},
	{OpObligationUpdated, maybeDocument, obligationFacts, "{member: {old, new}}"},
	{OpObligationCompleted, maybeDocument, []fact{may("evidence", aWord), may("evidenceVersion", aNumber), may("next", aWord), must("obligation", aWord)}, "note"},
	{OpObligationReopened, maybeDocument, []fact{must("obligation", aWord)}, ""},
	{OpObligationDeleted, maybeDocument, []fact{must("obligation", aWord)}, ""},
	{OpObligationDueSoon, maybeDocument, []fact{must("days", aNumber), must("due", aWord), must("obligation", aWord)}, ""},
	{OpObligationOverdue, maybeDocument, []fact{must("due", aWord), must("obligation", aWord)}, ""},

	{OpFieldCreated, noDocument, []fact{must("field", aWord), may("repeats", aNumber), must("required", aFlag), must("type", aWord)}, "label choices description"},
	{OpFieldUpdated, noDocument, []fact{must("field", aWord), may("repeats", aNumber), must("required", aFlag), must("type", aWord)}, "{member: {old, new}}"},
	{OpFieldDeleted, noDocument, []fact{must("cleared", aNumber), must("field", aWord)}, ""},

	{OpUserCreated, noDocument, userFacts, "name email"},
	{OpUserUpdated, noDocument, []fact{must("access", aWord), must("canLock", aFlag), may("issuer", aText), may("left", aFlag), may("repeats", aNumber), must("status", aWord), may("subject", aText), must("user", aWord)}, "{member: {old, new}}"},
	{OpUserIdentified, noDocument, []fact{must("user", aWord)}, ""},
	{OpKeyCreated, noDocument, []fact{must("access", aWord), must("expires", aTime), must("key", aWord), must("secret", aHash), must("user", aWord)}, "name"},
	{OpKeyRotated, noDocument, []fact{must("access", aWord), must("expires", aTime), must("key", aWord), must("secret", aHash), must("successor", aWord), must("until", aTime),
		must("user", aWord)}, ""},
	{OpKeyRevoked, noDocument, []fact{must("key", aWord), may("repeats", aNumber), may("successors", aNumber), must("user", aWord)}, ""},
	{OpCalendarStarted, noDocument, []fact{must("secret", aHash), must("user", aWord)}, ""},
	{OpCalendarEnded, noDocument, []fact{may("repeats", aNumber), must("user", aWord)}, ""},
	{OpClientCreated, noDocument, clientFacts, "name redirectUris"},
	{OpClientUpdated, noDocument, []fact{must("access", aWord), may("actsAs", aWord), must("client", aWord), must("grants", aList), must("impersonates", aFlag), may("publicKey", aHash),
		may("repeats", aNumber), may("secret", aHash)}, "{member: {old, new}}"},
	{OpClientClosed, noDocument, []fact{must("client", aWord), may("repeats", aNumber)}, ""},
	{OpSigninFailed, noDocument, []fact{may("client", aWord), must("count", aNumber), may("key", aWord), must("reason", aWord), may("sources", aNumber)}, "source"},

	{OpWebhookCreated, noDocument, []fact{must("active", aFlag), must("events", aList), must("secret", aHash), must("webhook", aWord)}, "url description"},
	{OpWebhookUpdated, noDocument, []fact{must("active", aFlag), must("events", aList), may("repeats", aNumber), may("secret", aHash), may("until", aTime), must("webhook", aWord)}, "{member: {old, new}}"},
	{OpWebhookDeleted, noDocument, []fact{may("repeats", aNumber), must("webhook", aWord)}, ""},
	{OpWebhookDisabled, noDocument, []fact{must("reason", aWord), must("webhook", aWord)}, ""},

	{OpSettingsUpdated, noDocument, []fact{may("auditReads", aFlag), must("changed", aList), may("formerZones", aList), may("maxClockGapDays", aNumber), may("maxVersions", aNumber), may("paused", aFlag), may("reminderDays", aList),
		may("repeats", aNumber), may("restrictDeferred", aFlag), may("retentionConflict", aWord), may("retentionRunAt", aWord), may("searchLanguage", aWord), may("signInByKey", aFlag), may("timeZone", aWord), may("twoPersons", aList)}, "{member: {old, new}}"},

	{OpErasureRequested, noDocument, []fact{must("documents", aNumber), must("erasure", aWord), must("subjects", aHash), may("user", aWord)}, "legalBasis requester"},
	{OpErasureDeferred, oneDocument, []fact{must("erasure", aWord), must("until", aTime), must("why", aWord)}, ""},
	{OpErasureCompleted, maybeDocument, []fact{must("erasure", aWord), may("resume", aNumber), may("user", aWord)}, ""},

	{OpApprovalRequested, noDocument, []fact{must("approval", aWord), must("call", aWord), must("expires", aTime), must("plan", aHash), must("what", aWord)}, ""},
	{OpApprovalGranted, noDocument, []fact{must("approval", aWord), must("plan", aHash)}, ""},
	{OpApprovalRejected, noDocument, []fact{must("approval", aWord), must("plan", aHash), may("repeats", aNumber)}, ""},
	{OpApprovalExpired, noDocument, []fact{must("approval", aWord), must("plan", aHash)}, ""},
}

// The facts that the creation and the change of a thing have in common: after
// either, they say what holds from then on.
var (
	policyFacts = []fact{must("action", aWord), may("days", aNumber), must("enabled", aFlag), may("period", aWord), must("policy", aWord),
		must("protect", aWord), may("repeats", aNumber), must("scope", aWord), may("startAt", aWord), must("startFrom", aWord), may("target", aText)}
	obligationFacts = []fact{may("anchor", aWord), must("due", aWord), must("obligation", aWord), must("owner", aWord), must("recurrence", aText)}
	userFacts       = []fact{must("access", aWord), must("canLock", aFlag), may("issuer", aText), must("status", aWord), may("subject", aText), must("user", aWord)}
	clientFacts     = []fact{must("access", aWord), may("actsAs", aWord), must("client", aWord), must("grants", aList), must("impersonates", aFlag), may("publicKey", aHash), may("secret", aHash)}
)

var ruleOf = func() map[Op]rule {
	m := make(map[Op]rule, len(rules))
	for _, r := range rules {
		m[r.op] = r
	}
	return m
}()

// Ops returns every operation this package can write, in the order of the
// package doc.
func Ops() []Op {
	ops := make([]Op, len(rules))
	for i, r := range rules {
		ops[i] = r.op
	}
	return ops
}

// Kept reports whether the detail of an entry outlives the erasure of its
// document and its user. It is not about them: a hold's says why and for what
// matter something was held, a policy's what a rule is called, and an erasure's
// why it was asked for.
func (op Op) Kept() bool {
	switch op {
	case OpHoldPlaced, OpHoldReleased, OpPolicyCreated, OpPolicyUpdated, OpErasureRequested:
		return true
	}
	return false
}

// Known reports whether op is one of [Ops].
func (op Op) Known() bool {
	_, ok := ruleOf[op]
	return ok
}

// check reports the first thing about document, version and facts that the
// rule does not allow.
func (r rule) check(e Event) error {
	if err := r.subject.check(e.Document, e.Version); err != nil {
		return err
	}
	known := 0
	for _, f := range r.facts {
		v, ok := e.Facts[f.name]
		if !ok && f.optional {
			continue
		}
		if !ok {
			return fmt.Errorf("the fact %s is missing", f.name)
		}
		if !f.kind.admits(v) {
			return fmt.Errorf("the fact %s is no %s", f.name, f.kind)
		}
		known++
	}
	if known < len(e.Facts) {
		for name := range e.Facts {
			if !slices.ContainsFunc(r.facts, func(f fact) bool { return f.name == name }) {
				return fmt.Errorf("the fact %.80q is not one of its facts", name)
			}
		}
	}
	if r.detail == "" && e.Detail != nil {
		return fmt.Errorf("it carries no detail")
	}
	return nil
}

func (s subject) check(document string, version uint64) error {
	hasDocument, hasVersion := document != "", version != 0
	var ok bool
	switch s {
	case noDocument:
		ok = !hasDocument && !hasVersion
	case maybeDocument:
		ok = !hasVersion
	case oneDocument:
		ok = hasDocument && !hasVersion
	case firstVersion:
		ok = hasDocument && version == 1
	case oneVersion:
		ok = hasDocument && hasVersion
	}
	if !ok {
		return fmt.Errorf("document %.80q version %d, want %s", document, version, s)
	}
	return nil
}

// admits reports whether v is of kind k.
func (k kind) admits(v Value) bool {
	switch k {
	case aNumber:
		return v.kind == isNumber
	case aList:
		return v.kind == isTexts
	}
	if v.kind != isText {
		return false
	}
	switch k {
	case aWord:
		return v.text != ""
	case aFlag:
		return v.text == "true" || v.text == "false"
	case aTime:
		_, err := ParseTime(v.text)
		return v.text == "" || err == nil
	case aHash:
		_, err := ParseHash(v.text)
		return err == nil
	case aDigest:
		return isDigest(v.text)
	}
	return true
}
