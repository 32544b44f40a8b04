package replay

import (
	"fmt"
	"slices"
	"time"

	"strongroom/audit"
)

// Kind is a kind of things that are not of a document. It is the name of the
// fact with a thing's id, and what findings call one.
type Kind string

// The kinds of things that [Accounts] keeps.
const (
	Users     Kind = "user"
	Keys      Kind = "key"
	Clients   Kind = "client"
	Fields    Kind = "field"
	Webhooks  Kind = "webhook"
	Policies  Kind = "policy"
	Runs      Kind = "run"
	Erasures  Kind = "erasure"
	Approvals Kind = "approval"
)

// What stands for the names of an erased user and of their keys.
const (
	erasedUser = "erased user"
	erasedKey  = "erased key"
)

// ClockDoubted is the member of the vault with the time of the last entry before
// its clock was doubted; none if it is not.
const ClockDoubted = "the last entry before its clock was doubted"

// Accounts is what a log says of all but documents. Documents it only counts,
// for the runs that dealt with them.
type Accounts struct {
	Vault      Thing // the vault itself
	Settings   Thing
	things     map[Kind]map[string]*Thing
	running    map[string]*done
	migrations []*Migration
	subjects   map[string]string // by erasure: the digest of what it erases
	erasing    map[string]Left   // by erasure and what it erases; what is begun or deferred
	// successors are the keys that each key was rotated to.
	successors map[string][]string
	seq        uint64 // the last entry that was followed
}

// NewAccounts returns what an empty log says: the settings that a vault begins
// with, and nothing else.
func NewAccounts() *Accounts {
	a := &Accounts{Vault: *newThing(), Settings: *newThing(), things: map[Kind]map[string]*Thing{}, running: map[string]*done{}, subjects: map[string]string{}, erasing: map[string]Left{}, successors: map[string][]string{}}
	for _, kind := range []Kind{Users, Keys, Clients, Fields, Webhooks, Policies, Runs, Erasures, Approvals} {
		a.things[kind] = map[string]*Thing{}
	}
	a.Settings.Facts["the revision"] = Number(1)
	a.Settings.Texts = Members{
		"retentionConflict": Text("longest"), "retentionRunAt": Text("02:00"), "timeZone": Text("UTC"),
		"reminderDays": List([]int{30, 7, 1}), "maxClockGapDays": Number(30), "searchLanguage": Text("en"), "signInByKey": Flag(true),
		"maxVersions": Number(10_000),
	}
	return a
}

// Things returns the things of a kind that are there now, by id; fields by key.
// They must not be changed, and change when another entry is followed.
func (a *Accounts) Things(kind Kind) map[string]*Thing { return a.things[kind] }

// Follow takes the next entry, with the exact bytes of its detail; nil if it has
// none, or has it no more. An error says that the entry cannot be: it does not
// come after the one before, or tells of what is not there.
func (a *Accounts) Follow(e audit.Entry, detail []byte) error {
	if e.Seq <= a.seq {
		return fmt.Errorf("comes after entry %d", a.seq)
	}
	a.seq = e.Seq
	switch e.Op {
	case audit.OpErasureDeferred, audit.OpErasureCompleted:
		a.progress(e)
	}
	if e.Document != "" {
		return a.count(e)
	}
	r, err := read(e, detail)
	if err != nil {
		return err
	}
	return a.take(e, r)
}

// take follows an entry that is about no document.
func (a *Accounts) take(e audit.Entry, r *entry) error {
	switch e.Op {
	case audit.OpVaultCreated:
		a.Vault.Facts["its id"] = Text(r.word("vault"))
		a.Vault.Facts["its name"] = Text(r.text("name"))
		a.Vault.Facts["created at"] = Text(audit.FormatTime(e.Time))
		a.Vault.Facts[Format] = Number(r.number("format"))
	case audit.OpVaultMigrated:
		return a.migrated(r)
	case audit.OpVaultRestored:
		delete(a.Vault.Facts, Signer)
		delete(a.Vault.Facts, Second)
	case audit.OpVaultSigner:
		a.signer(r)
	case audit.OpCheckpointSigned:
		return a.signed(r)
	case audit.OpClockCorrected:
		a.corrected(r)
	case audit.OpSettingsUpdated:
		a.settings(r)
	case audit.OpUserCreated, audit.OpUserUpdated:
		return a.user(r)
	case audit.OpUserIdentified:
		return a.identified(r)
	case audit.OpKeyCreated, audit.OpKeyRotated, audit.OpKeyRevoked:
		return a.key(r)
	case audit.OpCalendarStarted, audit.OpCalendarEnded:
		return a.calendar(r)
	case audit.OpClientCreated, audit.OpClientUpdated, audit.OpClientClosed:
		return a.client(r)
	case audit.OpFieldCreated, audit.OpFieldUpdated, audit.OpFieldDeleted:
		return a.field(r)
	case audit.OpWebhookCreated, audit.OpWebhookUpdated, audit.OpWebhookDeleted, audit.OpWebhookDisabled:
		return a.webhook(r)
	case audit.OpPolicyCreated, audit.OpPolicyUpdated, audit.OpPolicyDeleted:
		return a.policy(r)
	case audit.OpRetentionStarted:
		return a.started(r)
	case audit.OpRetentionCompleted:
		return a.completed(r)
	case audit.OpErasureRequested:
		return a.requested(r)
	case audit.OpErasureCompleted:
		return a.erased(r)
	case audit.OpApprovalRequested, audit.OpApprovalGranted, audit.OpApprovalRejected, audit.OpApprovalExpired:
		return a.approval(r)
	}
	return nil
}

func (a *Accounts) settings(e *entry) {
	revise(&a.Settings)
	for name := range e.members {
		e.tell(&a.Settings, name, name)
	}
	for _, name := range []string{"auditReads", "formerZones", "maxClockGapDays", "maxVersions", "paused", "reminderDays", "restrictDeferred", "retentionConflict", "retentionRunAt", "searchLanguage", "signInByKey", "timeZone", "twoPersons"} {
		if told, is := e.setting(name); is {
			a.Settings.Texts[name] = told
		}
	}
	a.Settings.Erased = a.Settings.Erased || e.erased
}

// identified: somebody came through the identity provider.
func (a *Accounts) identified(e *entry) error {
	u, err := a.known(Users, e)
	if err == nil {
		u.Facts["seen at"] = Time(e.Time)
	}
	return err
}

// shortestSilence is the least that the setting maxClockGapDays can be.
const shortestSilence = 24 * time.Hour

// corrected tells a doubt, for which the time has leapt forward, from a clock that
// was accepted although the log is ahead of it.
func (a *Accounts) corrected(e *entry) {
	last, err := time.Parse(time.RFC3339Nano, e.word("last"))
	wall, failed := time.Parse(time.RFC3339Nano, e.word("wall"))
	if err == nil && failed == nil && wall.Sub(last) > shortestSilence && a.Vault.Facts[ClockDoubted] == (Value{}) {
		a.Vault.Facts[ClockDoubted] = Text(e.word("last"))
	}
}

// made returns the new thing that an entry tells of.
func (a *Accounts) made(kind Kind, e *entry) (*Thing, error) {
	name := e.word(string(kind))
	if name == "" || a.things[kind][name] != nil {
		return nil, fmt.Errorf("makes the %s %q, which has no name or was made before", kind, name)
	}
	t := newThing()
	a.things[kind][name] = t
	return t, nil
}

// known returns the thing that an entry tells more of.
func (a *Accounts) known(kind Kind, e *entry) (*Thing, error) {
	name := e.word(string(kind))
	t := a.things[kind][name]
	if t == nil {
		return nil, fmt.Errorf("is about the %s %q, which was never made, or was deleted before", kind, name)
	}
	return t, nil
}

// subject is made or known, as the entry has it.
func (a *Accounts) subject(kind Kind, e *entry, making audit.Op) (*Thing, error) {
	if e.Op != making {
		return a.known(kind, e)
	}
	t, err := a.made(kind, e)
	if err == nil {
		e.made(t)
	}
	return t, err
}

func (a *Accounts) remove(kind Kind, e *entry) { delete(a.things[kind], e.word(string(kind))) }

func (a *Accounts) user(e *entry) error {
	u, err := a.subject(Users, e, audit.OpUserCreated)
	if err != nil {
		return err
	}
	u.Facts["access"] = Text(e.word("access"))
	u.Facts["status"] = Text(e.word("status"))
	u.Facts["locking"] = Flag(e.flag("canLock"))
	for name, fact := range map[string]string{"the issuer": "issuer", "the subject": "subject"} {
		if _, told := e.Facts[fact]; told {
			u.Facts[name] = Text(e.word(fact))
		}
	}
	if u.Facts["left"] = Flag(e.flag("left")); e.Op == audit.OpUserCreated && e.word("issuer") != "" {
		u.Facts["provided"], u.Facts["seen at"] = Flag(true), Time(e.Time)
	}
	e.tell(u, "name", "the name", "email", "the e-mail address")
	e.changed(u)
	return nil
}

func (a *Accounts) key(e *entry) error {
	k, err := a.subject(Keys, e, audit.OpKeyCreated)
	if err != nil {
		return err
	}
	switch e.Op {
	case audit.OpKeyCreated:
		e.tell(k, "name", "the name")
		grant(k, e)
	case audit.OpKeyRotated:
		next, name := k.clone(), e.word("successor")
		if name == "" || a.things[Keys][name] != nil {
			return fmt.Errorf("rotates to the key %q, which has no name or was made before", name)
		}
		k.Facts["the expiry"] = e.time("until")
		line := append(a.successors[e.word("key")], name)
		a.successors[e.word("key")] = line
		k.Facts["its successors"] = List(line)
		a.things[Keys][name] = next
		next.Facts = Members{}
		e.made(next)
		grant(next, e)
	case audit.OpKeyRevoked:
		k.Facts["revoked at"] = Time(e.Time)
		if _, told := e.Facts["successors"]; told {
			return a.revokeLine(e)
		}
	}
	return nil
}

// revokeLine revokes the successors of a key, theirs too, that still work.
func (a *Accounts) revokeLine(e *entry) error {
	var revoked uint64
	line := slices.Clone(a.successors[e.word("key")])
	for len(line) > 0 {
		name := line[0]
		line = append(line[1:], a.successors[name]...)
		k := a.things[Keys][name]
		expiry := k.Facts["the expiry"]
		if k.Facts["revoked at"] != (Value{}) || expiry.kind == isTime && expiry.number <= e.Time.UnixMilli() {
			continue
		}
		k.Facts["revoked at"] = Time(e.Time)
		revoked++
	}
	if n := e.number("successors"); n != revoked {
		return fmt.Errorf("revokes %d successors, it says %d", revoked, n)
	}
	return nil
}

func grant(k *Thing, e *entry) {
	k.Facts["its user"] = Text(e.word("user"))
	k.Facts["access"] = Text(e.word("access"))
	k.Facts["the expiry"] = e.time("expires")
	k.Facts[Secret] = Text(e.word("secret"))
}

func (a *Accounts) client(e *entry) error {
	c, err := a.subject(Clients, e, audit.OpClientCreated)
	if err != nil {
		return err
	}
	revise(c)
	if e.Op == audit.OpClientClosed {
		c.Facts["the status"] = Text("closed")
		return nil
	}
	if e.Op == audit.OpClientCreated {
		c.Facts["the status"] = Text("active")
	}
	grants, _ := e.Facts["grants"].AsTexts()
	c.Facts["access"] = Text(e.word("access"))
	c.Facts["its grants"] = List(grants)
	c.Facts["whom it is"] = Text(e.word("actsAs"))
	c.Facts["impersonates"] = Flag(e.flag("impersonates"))
	c.Facts["its public key"] = Text(e.word("publicKey"))
	c.Facts[Secret] = Text(e.word("secret"))
	e.tell(c, "name", "the name", "redirectUris", "its redirect URIs")
	return nil
}

func (a *Accounts) field(e *entry) error {
	f, err := a.subject(Fields, e, audit.OpFieldCreated)
	if err != nil {
		return err
	}
	if e.Op == audit.OpFieldDeleted {
		a.remove(Fields, e)
		return nil
	}
	f.Facts["the type"] = Text(e.word("type"))
	f.Facts["required"] = Flag(e.flag("required"))
	e.tell(f, "label", "the label", "description", "the description", "choices", "the choices")
	e.changed(f)
	return nil
}

func (a *Accounts) webhook(e *entry) error {
	w, err := a.subject(Webhooks, e, audit.OpWebhookCreated)
	if err != nil {
		return err
	}
	revise(w)
	switch e.Op {
	case audit.OpWebhookDeleted:
		a.remove(Webhooks, e)
		return nil
	case audit.OpWebhookDisabled:
		w.Facts["active"] = Value{}
		w.Facts["why it is disabled"] = Text(e.word("reason"))
		return nil
	case audit.OpWebhookCreated:
		w.Facts["the entry of its creation"] = Number(e.Seq)
	}
	if w.Facts["active"] = Flag(e.flag("active")); e.flag("active") {
		w.Facts["why it is disabled"] = Value{}
	}
	events, _ := e.Facts["events"].AsTexts()
	w.Facts["its events"] = List(events)
	if _, told := e.Facts["until"]; told {
		w.Facts["the end of its former secret"] = e.time("until")
		w.Facts[FormerSecret] = w.Facts[Secret]
	}
	if _, told := e.Facts["secret"]; told {
		w.Facts[Secret] = Text(e.word("secret"))
	}
	e.tell(w, "url", "the URL", "description", "the description")
	return nil
}

func (a *Accounts) requested(e *entry) error {
	t, err := a.made(Erasures, e)
	if err != nil {
		return err
	}
	t.Facts["the number of documents"] = Number(e.number("documents"))
	t.Facts["the user"] = Text(e.word("user"))
	t.Facts["asked for at"] = Time(e.Time)
	t.Facts["asked for by"] = Text(e.Actor)
	t.Facts["its entry"] = Number(e.Seq)
	a.subjects[e.word("erasure")] = e.word("subjects")
	e.tell(t, "legalBasis", "the legal basis", "requester", "the requester")
	return nil
}

// erased forgets what the entries before said of a user and of their keys.
func (a *Accounts) erased(e *entry) error {
	u, err := a.known(Users, e)
	if err != nil {
		return fmt.Errorf("erases nobody: %w", err)
	}
	u.Texts, u.Erased = Members{"the name": Text(erasedUser)}, false
	delete(u.Facts, "the issuer")
	delete(u.Facts, "the subject")
	e.changed(u)
	of := Text(e.word("user"))
	for _, k := range a.things[Keys] {
		if k.Facts["its user"] == of {
			k.Texts, k.Erased = Members{"the name": Text(erasedKey)}, false
		}
	}
	return nil
}
