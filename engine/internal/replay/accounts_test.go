package replay

import (
	"testing"

	"strongroom/audit"
)

// teller follows entries that must be possible, one after the other.
type teller struct {
	*testing.T
	*Accounts
	n uint64
}

func newTeller(t *testing.T) *teller { return &teller{T: t, Accounts: NewAccounts()} }

func (a *teller) try(op audit.Op, detail string, facts ...any) error {
	a.n++
	return a.Follow(said(a.n, op, "", 0, detail, facts...))
}

func (a *teller) tell(op audit.Op, detail string, facts ...any) {
	a.Helper()
	if err := a.try(op, detail, facts...); err != nil {
		a.Fatalf("%s: %v", op, err)
	}
}

func (a *teller) stands(kind Kind, name, facts, texts string) {
	a.Helper()
	thing := a.Things(kind)[name]
	if thing == nil {
		a.Fatalf("there is no %s %s", kind, name)
	}
	want(a.T, string(kind)+" "+name, shown(thing.Facts), facts)
	want(a.T, string(kind)+" "+name, shown(thing.Texts), texts)
}

func TestVaultAndSettings(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpVaultCreated, `{"name":"main"}`, "vault", "V", "format", 1)
	want(t, "the vault", shown(a.Vault.Facts), "created at: 2026-11-21T17:36:02.123Z; its format: 1; its id: V; its name: main")
	a.tell(audit.OpSettingsUpdated, `{"timeZone":{"old":"UTC","new":"Europe/Berlin"},"reminderDays":{"old":[30,7,1],"new":[14]},"paused":{"old":false,"new":true}}`)
	want(t, "the revision", a.Settings.Facts["the revision"], Number(2))
	want(t, "the settings", shown(a.Settings.Texts), `maxClockGapDays: 30; maxVersions: 10000; paused: true; reminderDays: "14" ; `+
		`retentionConflict: longest; retentionRunAt: 02:00; searchLanguage: en; signInByKey: true; timeZone: Europe/Berlin`)
	if a.Settings.Erased {
		t.Error("nothing was erased")
	}
	a.tell(audit.OpSettingsUpdated, "gone")
	if !a.Settings.Erased || a.Settings.Facts["the revision"] != Number(3) {
		t.Errorf("a detail is gone: %v", a.Settings)
	}
	a.tell("no.operation", "") // of a later release
}

// What a setting is, and what a policy is for, are facts: they count whatever the
// detail says, or when it says nothing.
func TestFactsOfSettingsAndPolicies(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpSettingsUpdated, `{"timeZone":{"old":"UTC","new":"UTC"}}`, "timeZone", "Europe/Berlin", "auditReads", "true", "maxClockGapDays", 5,
		"reminderDays", []string{"14", "7"}, "retentionConflict", "shortest", "paused", "false")
	want(t, "the settings", shown(a.Settings.Texts), `auditReads: true; maxClockGapDays: 5; maxVersions: 10000; reminderDays: "14" "7" ; `+
		`retentionConflict: shortest; retentionRunAt: 02:00; searchLanguage: en; signInByKey: true; timeZone: Europe/Berlin`)
	a.tell(audit.OpPolicyCreated, `{"name":"P"}`, "policy", "P", "scope", "category", "target", "a%20b", "days", 1)
	want(t, "the target", a.Things(Policies)["P"].Texts["the target"], Text("a b"))
}

func TestUsersAndKeys(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpUserCreated, `{"name":"Ulla","email":"u@example.com"}`, "user", "U", "access", "upload", "canLock", "true", "status", "active")
	a.tell(audit.OpUserUpdated, `{"name":{"old":"Ulla","new":"Ursula"}}`, "user", "U", "access", "view", "canLock", "false", "status", "closed")
	a.stands(Users, "U", "access: view; created at: 2026-11-21T17:36:02.123Z; status: closed; the revision: 2; updated at: 2026-11-21T17:36:03.123Z",
		"the e-mail address: u@example.com; the name: Ursula")
	a.tell(audit.OpKeyCreated, `{"name":"scanner"}`, "key", "K", "user", "U", "access", "view", "expires", "")
	a.tell(audit.OpKeyRotated, "", "key", "K", "user", "U", "access", "view", "expires", "2027-01-01T00:00:00.000Z", "successor", "L", "until", "2026-12-01T00:00:00.000Z")
	a.tell(audit.OpKeyRevoked, "", "key", "L", "user", "U")
	a.stands(Keys, "K", "access: view; created at: 2026-11-21T17:36:04.123Z; its successors: \"L\" ; its user: U; the expiry: 2026-12-01T00:00:00.000Z", "the name: scanner")
	a.stands(Keys, "L", "access: view; created at: 2026-11-21T17:36:05.123Z; its user: U; revoked at: 2026-11-21T17:36:06.123Z; the expiry: 2027-01-01T00:00:00.000Z",
		"the name: scanner")
	a.tell(audit.OpErasureRequested, `{"legalBasis":"Art. 17","requester":"case 7"}`, "erasure", "E", "user", "U", "documents", 0)
	a.tell(audit.OpErasureCompleted, "", "erasure", "E", "user", "U")
	a.stands(Users, "U", "access: view; created at: 2026-11-21T17:36:02.123Z; status: closed; the revision: 3; updated at: 2026-11-21T17:36:08.123Z", "the name: erased user")
	a.stands(Keys, "L", "access: view; created at: 2026-11-21T17:36:05.123Z; its user: U; revoked at: 2026-11-21T17:36:06.123Z; the expiry: 2027-01-01T00:00:00.000Z",
		"the name: erased key")
	a.stands(Erasures, "E", "asked for at: 2026-11-21T17:36:07.123Z; asked for by: ada; its entry: 6; its last completion: 7; the user: U", "the legal basis: Art. 17; the requester: case 7")

	fails(t, a.try(audit.OpUserCreated, "", "user", "U"), "was made before")
	fails(t, a.try(audit.OpUserCreated, ""), "no name")
	fails(t, a.try(audit.OpUserUpdated, "", "user", "X"), "never made")
	fails(t, a.try(audit.OpKeyRevoked, "", "key", "X"), "never made")
	fails(t, a.try(audit.OpKeyRotated, "", "key", "K", "successor", "L"), "was made before")
	fails(t, a.try(audit.OpErasureCompleted, "", "erasure", "E", "user", "X"), "erases nobody")
	fails(t, a.try(audit.OpErasureRequested, "", "erasure", "E"), "was made before")
	fails(t, a.try(audit.OpUserUpdated, `["no object"]`, "user", "U"), "its detail")
	fails(t, a.Follow(said(3, audit.OpUserUpdated, "", 0, "", "user", "U")), "comes after entry")
}

// TestSuccessors: what revokes a key says how many of its line that still worked
// were revoked with it. An entry of before that rule says nothing and revokes
// one.
func TestSuccessors(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpKeyCreated, "", "key", "K", "user", "U", "access", "view", "expires", "")
	rotate := func(key, successor, until string) {
		a.tell(audit.OpKeyRotated, "", "key", key, "user", "U", "access", "view", "expires", "", "successor", successor, "until", until)
	}
	rotate("K", "L", "2026-12-01T00:00:00.000Z")
	rotate("K", "M", "2026-12-01T00:00:00.000Z")
	rotate("L", "N", "2026-11-21T17:36:01.000Z")
	want(t, "its successors", a.Things(Keys)["K"].Facts["its successors"], List([]string{"L", "M"}))
	a.tell(audit.OpKeyRevoked, "", "key", "M", "user", "U")
	a.tell(audit.OpKeyRevoked, "", "key", "K", "user", "U", "successors", 1)
	for name, revoked := range map[string]int64{"K": 7, "L": 0, "M": 6, "N": 7} {
		got := a.Things(Keys)[name].Facts["revoked at"]
		if (got == Value{}) != (revoked == 0) {
			t.Errorf("%s is revoked at %s", name, got)
		}
	}
	a.tell(audit.OpKeyCreated, "", "key", "X", "user", "U", "access", "view", "expires", "")
	rotate("X", "Y", "2026-12-01T00:00:00.000Z")
	a.tell(audit.OpKeyRevoked, "", "key", "X", "user", "U")
	if at := a.Things(Keys)["Y"].Facts["revoked at"]; at != (Value{}) {
		t.Errorf("by an entry of before: %s", at)
	}
	fails(t, a.try(audit.OpKeyRevoked, "", "key", "X", "user", "U", "successors", 7), "it says 7")
}

// What was said by details that are gone is not known, until it is said anew
// that nothing is left of it.
func TestErasedDetails(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpUserCreated, "gone", "user", "U", "access", "upload", "canLock", "true", "status", "closed")
	a.tell(audit.OpKeyCreated, "gone", "key", "K", "user", "U", "access", "view", "expires", "")
	a.tell(audit.OpKeyRotated, "", "key", "K", "user", "U", "access", "view", "expires", "", "successor", "L", "until", "")
	for _, thing := range []*Thing{a.Things(Users)["U"], a.Things(Keys)["K"], a.Things(Keys)["L"]} {
		if !thing.Erased || len(thing.Differences(Thing{Facts: thing.Facts, Texts: Members{"the name": Text("anything")}})) > 0 {
			t.Errorf("the name is known: %v", thing)
		}
	}
	a.tell(audit.OpErasureCompleted, "", "erasure", "E", "user", "U")
	for _, thing := range []*Thing{a.Things(Users)["U"], a.Things(Keys)["K"], a.Things(Keys)["L"]} {
		if thing.Erased || len(thing.Differences(Thing{Facts: thing.Facts, Texts: Members{"the name": Text("anything")}})) != 1 {
			t.Errorf("the name is not known: %v", thing)
		}
	}
}

func TestFieldsAndWebhooks(t *testing.T) {
	a := newTeller(t)
	a.tell(audit.OpFieldCreated, `{"label":"Stage","choices":["draft","signed"]}`, "field", "stage", "type", "choice", "required", "true")
	a.tell(audit.OpFieldUpdated, `{"choices":{"old":["draft","signed"],"new":["signed"]}}`, "field", "stage", "type", "choice", "required", "false")
	a.stands(Fields, "stage", "created at: 2026-11-21T17:36:02.123Z; the revision: 2; the type: choice; updated at: 2026-11-21T17:36:03.123Z", `the choices: "signed" ; the label: Stage`)
	a.tell(audit.OpFieldDeleted, "", "field", "stage", "cleared", 0)
	want(t, "fields", len(a.Things(Fields)), 0)
	fails(t, a.try(audit.OpFieldDeleted, "", "field", "stage"), "deleted before")

	a.tell(audit.OpWebhookCreated, `{"url":"https://example.com"}`, "webhook", "W", "active", "true", "events", []string{"hold.*"})
	a.tell(audit.OpWebhookDisabled, "", "webhook", "W", "reason", "gone")
	a.stands(Webhooks, "W", `created at: 2026-11-21T17:36:06.123Z; its events: "hold.*" ; the entry of its creation: 5; the revision: 2; why it is disabled: gone`,
		"the URL: https://example.com")
	a.tell(audit.OpWebhookUpdated, "", "webhook", "W", "active", "true", "events", []string{}, "until", "2026-12-01T00:00:00.000Z")
	a.stands(Webhooks, "W", "active: true; created at: 2026-11-21T17:36:06.123Z; the end of its former secret: 2026-12-01T00:00:00.000Z; "+
		"the entry of its creation: 5; the revision: 3", "the URL: https://example.com")
	a.tell(audit.OpWebhookDeleted, "", "webhook", "W")
	want(t, "webhooks", len(a.Things(Webhooks)), 0)
}

func TestPoliciesAndRuns(t *testing.T) {
	a := newTeller(t)
	policy := func(days int, protect string) []any {
		return []any{"policy", "P", "days", days, "action", "delete", "scope", "category", "startFrom", "createdAt", "protect", protect, "enabled", "true"}
	}
	a.tell(audit.OpPolicyCreated, `{"name":"Law","target":"receipt"}`, policy(10, "none")...)
	a.tell(audit.OpPolicyUpdated, "", policy(20, "compliance")...)
	a.stands(Policies, "P", "created at: 2026-11-21T17:36:02.123Z; enabled: true; protect: compliance; the action: delete; the period: P20D; the revision: 2; "+
		"the scope: category; the start: createdAt; updated at: 2026-11-21T17:36:03.123Z; where it starts: day", "the name: Law; the target: receipt")
	fails(t, a.try(audit.OpPolicyUpdated, "", policy(19, "compliance")...), "weakens")
	fails(t, a.try(audit.OpPolicyDeleted, "", "policy", "P"), "weakens")
	rule := func(period, startAt string) []any {
		return []any{"policy", "Q", "period", period, "startAt", startAt, "action", "delete", "scope", "organization", "startFrom", "createdAt", "protect", "compliance", "enabled", "true"}
	}
	b := newTeller(t)
	b.tell(audit.OpPolicyCreated, `{"name":"Law"}`, rule("P1Y6M", "endOfYear")...)
	b.stands(Policies, "Q", "created at: 2026-11-21T17:36:02.123Z; enabled: true; protect: compliance; the action: delete; the period: P1Y6M; the revision: 1; "+
		"the scope: organization; the start: createdAt; updated at: 2026-11-21T17:36:02.123Z; where it starts: endOfYear", "the name: Law")
	for _, shorter := range []string{"P1Y", "P17M", "P70W", "P400D", "", "ten years", "P9", "P99999999999D"} {
		fails(t, b.try(audit.OpPolicyUpdated, "", rule(shorter, "endOfYear")...), "weakens")
	}
	for _, longer := range []string{"P18M", "P80W", "P600D", "P2Y"} {
		b.tell(audit.OpPolicyUpdated, "", rule(longer, "endOfYear")...)
	}

	a.tell(audit.OpRetentionStarted, "", "run", "R", "plan", "p", "trigger", "manual")
	a.stands(Runs, "R", "its first entry: 5; started at: 2026-11-21T17:36:06.123Z; started by: ada; the plan: p; the status: running; the trigger: manual", "")
	did := func(op audit.Op, facts ...any) error {
		a.n++
		return a.Follow(said(a.n, op, "D", 0, "", facts...))
	}
	want(t, "archived", did(audit.OpDocumentArchived, "run", "R"), nil)
	want(t, "deleted", did(audit.OpDocumentDeleted, "run", "R", "right", "retention"), nil)
	want(t, "erased", did(audit.OpDocumentDeleted, "run", "R", "right", "erasure"), nil)
	want(t, "by hand", did(audit.OpDocumentDeleted, "right", "manual"), nil)
	fails(t, did(audit.OpDocumentArchived, "run", "X"), "did not run then")
	ended := []any{"run", "R", "status", "completed", "archived", 1, "deleted", 1, "erased", 1, "failed", 0, "held", 2, "locked", 0, "protected", 0}
	a.tell(audit.OpRetentionCompleted, "", ended...)
	a.stands(Runs, "R", "archived: 1; deleted: 1; erased: 1; finished at: 2026-11-21T17:36:12.123Z; held: 2; its first entry: 5; its last entry: 11; "+
		"started at: 2026-11-21T17:36:06.123Z; started by: ada; the plan: p; the status: completed; the trigger: manual", "")
	fails(t, a.try(audit.OpRetentionCompleted, "", ended...), "did not run then")
	fails(t, did(audit.OpDocumentArchived, "run", "R"), "did not run then")
	a.tell(audit.OpRetentionStarted, "", "run", "S", "plan", "p", "trigger", "manual")
	fails(t, a.try(audit.OpRetentionCompleted, "", "run", "S", "archived", 1), "it says 1")
}
