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
	OpVaultCreated    Op = "vault.created"
	OpVaultMigrated   Op = "vault.migrated"
	OpVaultRestored   Op = "vault.restored"
	OpClockCorrected  Op = "clock.corrected"
	OpBackupCompleted Op = "backup.completed"
	OpAuditExported   Op = "audit.exported"

	OpDocumentCreated      Op = "document.created"
	OpDocumentUpdated      Op = "document.updated"
	OpDocumentVersionAdded Op = "document.version_added"
	OpDocumentReverted     Op = "document.reverted"
	OpDocumentArchived     Op = "document.archived"
	OpDocumentUnarchived   Op = "document.unarchived"
	OpDocumentDeleted      Op = "document.deleted"
	OpDocumentDownloaded   Op = "document.downloaded"

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

	OpUserCreated Op = "user.created"
	OpUserUpdated Op = "user.updated"
	OpKeyCreated  Op = "key.created"
	OpKeyRotated  Op = "key.rotated"
	OpKeyRevoked  Op = "key.revoked"

	OpWebhookCreated  Op = "webhook.created"
	OpWebhookUpdated  Op = "webhook.updated"
	OpWebhookDeleted  Op = "webhook.deleted"
	OpWebhookDisabled Op = "webhook.disabled"

	OpSettingsUpdated Op = "settings.updated"

	OpErasureRequested Op = "erasure.requested"
	OpErasureDeferred  Op = "erasure.deferred"
	OpErasureCompleted Op = "erasure.completed"
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
	word    kind = "word"    // a string, not empty: an id, a name of ours, a state
	text    kind = "text"    // a string
	flag    kind = "flag"    // "true" or "false"
	instant kind = "time"    // a time, or "" for never
	hash    kind = "hash"    // 64 lower-case hexadecimal digits
	digest  kind = "digest"  // "sha256:" and 64 lower-case hexadecimal digits
	number  kind = "number"  // a number
	strings kind = "strings" // an array of strings
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
	{OpVaultCreated, noDocument, []fact{must("format", number), must("vault", word)}, "name"},
	{OpVaultMigrated, noDocument, []fact{must("format", number), must("from", number)}, ""},
	{OpVaultRestored, noDocument, []fact{must("erasures", number), must("head", hash), must("log", flag), must("seq", number)}, ""},
	{OpClockCorrected, noDocument, []fact{must("last", instant), must("wall", instant)}, ""},
	{OpBackupCompleted, noDocument, []fact{must("blobs", number), must("bytes", number), must("head", hash), must("seq", number)}, "to"},
	{OpAuditExported, noDocument, []fact{must("after", number), must("through", number)}, ""},

	{OpDocumentCreated, firstVersion, []fact{must("chain", hash), must("digest", digest), must("mediaType", word), must("owner", word), must("size", number)},
		"name category description tags customFields externalId product templateId agreementId fileName comment label"},
	{OpDocumentUpdated, oneDocument, []fact{may("owner", word), must("revision", number)}, "{member: {old, new}}"},
	{OpDocumentVersionAdded, oneVersion, []fact{must("chain", hash), must("digest", digest), must("mediaType", word), may("restored", number), must("size", number)},
		"fileName comment label"},
	{OpDocumentReverted, oneVersion, []fact{must("discarded", strings), may("owner", word), must("revision", number)}, "{member: {old, new}}"},
	{OpDocumentArchived, oneDocument, []fact{must("revision", number)}, ""},
	{OpDocumentUnarchived, oneDocument, []fact{must("revision", number)}, ""},
	{OpDocumentDeleted, oneVersion, []fact{must("certificate", hash), must("chain", hash), must("right", word), must("versions", number)}, ""},
	{OpDocumentDownloaded, oneVersion, []fact{must("digest", digest)}, ""},

	{OpLockAcquired, oneDocument, []fact{must("fence", number), must("scratchpad", flag), must("seconds", number)}, "lockedByApp"},
	{OpLockRenewed, oneDocument, []fact{may("draft", number), may("fence", number), may("seconds", number)}, "lockedByApp"},
	{OpLockReleased, oneDocument, []fact{may("draft", word), may("fence", number)}, ""},
	{OpLockBroken, oneDocument, []fact{must("fence", number), must("user", word)}, "reason"},

	{OpHoldPlaced, oneDocument, []fact{must("hold", word)}, "reason matter"},
	{OpHoldReleased, oneDocument, []fact{must("hold", word)}, "reason"},

	{OpPolicyCreated, maybeDocument, policyFacts, "name target"},
	{OpPolicyUpdated, maybeDocument, policyFacts, "{member: {old, new}}"},
	{OpPolicyDeleted, maybeDocument, []fact{must("policy", word)}, ""},
	{OpRetentionStarted, noDocument, []fact{must("plan", hash), must("run", word), must("trigger", word)}, "reason"},
	{OpRetentionCompleted, noDocument, []fact{must("archived", number), must("deleted", number), must("erased", number), must("failed", number), must("held", number),
		must("locked", number), must("plan", hash), must("protected", number), must("run", word), must("status", word)}, ""},

	{OpObligationCreated, maybeDocument, obligationFacts, "title description"},
	{OpObligationUpdated, maybeDocument, obligationFacts, "{member: {old, new}}"},
	{OpObligationCompleted, maybeDocument, []fact{may("evidence", word), may("evidenceVersion", number), may("next", word), must("obligation", word)}, "note"},
	{OpObligationReopened, maybeDocument, []fact{must("obligation", word)}, ""},
	{OpObligationDeleted, maybeDocument, []fact{must("obligation", word)}, ""},
	{OpObligationDueSoon, maybeDocument, []fact{must("days", number), must("due", word), must("obligation", word)}, ""},
	{OpObligationOverdue, maybeDocument, []fact{must("due", word), must("obligation", word)}, ""},

	{OpFieldCreated, noDocument, []fact{must("field", word), must("required", flag), must("type", word)}, "label choices description"},
	{OpFieldUpdated, noDocument, []fact{must("field", word), must("required", flag), must("type", word)}, "{member: {old, new}}"},
	{OpFieldDeleted, noDocument, []fact{must("cleared", number), must("field", word)}, ""},

	{OpUserCreated, noDocument, userFacts, "name email"},
	{OpUserUpdated, noDocument, userFacts, "{member: {old, new}}"},
	{OpKeyCreated, noDocument, []fact{must("access", word), must("expires", instant), must("key", word), must("user", word)}, "name"},
	{OpKeyRotated, noDocument, []fact{must("access", word), must("expires", instant), must("key", word), must("successor", word), must("until", instant), must("user", word)}, ""},
	{OpKeyRevoked, noDocument, []fact{must("key", word), must("user", word)}, ""},

	{OpWebhookCreated, noDocument, webhookFacts, "url description"},
	{OpWebhookUpdated, noDocument, webhookFacts, "{member: {old, new}}"},
	{OpWebhookDeleted, noDocument, []fact{must("webhook", word)}, ""},
	{OpWebhookDisabled, noDocument, []fact{must("reason", word), must("webhook", word)}, ""},

	{OpSettingsUpdated, noDocument, []fact{must("changed", strings)}, "{member: {old, new}}"},

	{OpErasureRequested, noDocument, []fact{must("documents", number), must("erasure", word), may("user", word)}, "legalBasis requester"},
	{OpErasureDeferred, oneDocument, []fact{must("erasure", word), must("until", instant), must("why", word)}, ""},
	{OpErasureCompleted, maybeDocument, []fact{must("erasure", word), may("user", word)}, ""},
}

// The facts that the creation and the change of a thing have in common: after
// either, they say what holds from then on.
var (
	policyFacts = []fact{must("action", word), must("days", number), must("enabled", flag), must("policy", word),
		must("protect", word), must("scope", word), must("startFrom", word)}
	obligationFacts = []fact{must("due", word), must("obligation", word), must("owner", word), must("recurrence", text)}
	userFacts       = []fact{must("access", word), must("canLock", flag), must("status", word), must("user", word)}
	webhookFacts    = []fact{must("active", flag), must("events", strings), must("webhook", word)}
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
	case number:
		return v.kind == isNumber
	case strings:
		return v.kind == isTexts
	}
	if v.kind != isText {
		return false
	}
	switch k {
	case word:
		return v.text != ""
	case flag:
		return v.text == "true" || v.text == "false"
	case instant:
		_, err := ParseTime(v.text)
		return v.text == "" || err == nil
	case hash:
		_, err := ParseHash(v.text)
		return err == nil
	case digest:
		return isDigest(v.text)
	}
	return true
}
