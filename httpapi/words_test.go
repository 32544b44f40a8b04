package httpapi

import (
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What a member is called tells what it is, wherever it stands: its description
// unless its tag has another, and an example.
type word struct {
	doc     string
	example any
}

const (
	exampleID   = "01JDE6Z5T3W5M9K2V7Q4X8R1NB"
	exampleTime = "2026-11-21T17:36:01.123Z"
	exampleHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
)

var words = map[string]word{
	"behindSeconds":         {"", 0.4},
	"concern":               {"", "the clock of this machine differs from the store's by over 5 s"},
	"epoch":                 {"", 3},
	"owner":                 {"", "server-a"},
	"completed":             {"How many are completed.", 2},
	"deferred":              {"How many wait for a hold or a protection to end.", 1},
	"path":                  {"The folder it lies in; of a filter, with all below it.", "contracts/2024"},
	"pending":               {"How many wait.", 3},
	"overdue":               {"How many are overdue.", 0},
	"changed":               {"How many were changed.", 2},
	"failed":                {"How many were refused.", 0},
	"archived":              {"How many were archived.", 1},
	"deleted":               {"How many were deleted.", 1},
	"buildSHA":              {"The commit it was built from.", "c0ffee"},
	"buildVersion":          {"The version of the program.", "1.0.0"},
	"serviceVersions":       {"The versions of the API there are.", nil},
	"lastModifiedDateTime":  {"When the document was changed last.", "2026-11-21T17:36:01.1230000Z"},
	"createdDateTime":       {"When the document was made.", "2026-11-21T17:36:01.1230000Z"},
	"lockedUntilDateTime":   {"When the lock ends, unless a change with its token comes before.", "2026-11-21T17:41:01.1230000Z"},
	"useScratchPad":         {"Whether changes wait in a scratchpad until the lock is released.", "true"},
	"lockDurationInSeconds": {"How long the lock lasts after each change.", "300"},
	"lockToken":             {"The secret that proves who holds the lock.", "Q0hBTkdFLU1F"},
	"resources":             {"What there is, by name and path.", nil},
	"value":                 {"Its path.", "accounts/{accountId}/envelopes"},
	"accounts":              {"The accounts of the user: always one.", nil},
	"given_name":            {"The first of the user's names.", "Grace"},
	"family_name":           {"The rest of the user's names.", "Hopper"},
	"created":               {"When the user was made.", "2026-11-21T17:36:01.1230000Z"},
	"account_id":            {"The id of the organization, as a UUID.", "0193b467-fcba-1e0b-49cc-5b3e4a4c06ab"},
	"is_default":            {"Whether it is the one to use.", true},
	"account_name":          {"The name of the organization.", "main"},
	"base_uri":              {"What /restapi is appended to.", "https://vault.example.com"},
	"versionUrl":            {"Relative to this path.", "v2.1"},
	"templatePassword":      {"The edit password of the document.", "correct horse"},
	"editPassword":          {"What it takes to lock the document.", "correct horse"},
	"content":               {"The file, in base64.", "SGVsbG8="},
	"go":                    {"The version of Go.", "go1.26"},
	"platform":              {"The system it runs on.", "linux/amd64"},
	"ifMatch":               {"The revision the change is meant for.", "7"},
	"holdIds":               {"The ids of the holds.", exampleID},
	"holdId":                {"The id of the hold.", exampleID},
	"customFields":          {"Values of fields, by key.", map[string]any{"renewalDate": "2027-03-31"}},
	"error":                 {"What went wrong.", "connection refused"},
	"nextCursor":            {"Give it back as cursor for the next page.", "eyJhIjoxfQ"},
	"next":                  {"What happens next, in one sentence.", "Nothing: no policy is about this document."},
	"createdFrom":           {"At this time or later.", "2026-01-01"},
	"createdTo":             {"Before this time.", "2027-01-01"},
	"updatedFrom":           {"At this time or later.", "2026-01-01"},
	"updatedTo":             {"Before this time.", "2027-01-01"},
	"tag":                   {"Repeated: all must match.", "lease"},
	"actor":                 {"Who did it.", exampleID},
	"detail":                {"What may be erased one day: names and texts.", nil},
	"detailDigest":          {"The SHA-256 of salt and detail.", exampleHash},
	"prev":                  {"The hash of the entry before.", exampleHash},
	"salt":                  {"What detailDigest is salted with.", "bm90IGEgcmVhbCBzYWx0"},
	"requestedBy":           {"The id of the user who asked.", exampleID},
	"placedBy":              {"The id of the user who placed it.", exampleID},
	"releasedBy":            {"The id of the user who released it.", exampleID},
	"releaseReason":         {"Why it was released.", "Settled"},
	"startedBy":             {"The id of the user who began it.", exampleID},
	"completedBy":           {"The id of the user who completed it.", exampleID},
	"details":               {"Facts that go with the code.", nil},
	"snippets":              {"Passages, as HTML.", "The <mark>lease</mark> of the north building"},
	"text":                  {"In three lines, to print.", "strongroom vault head"},
	"fence":                 {"Rises with every acquisition, and never falls.", "4"},
	"month":                 {"A month.", "2027-03"},
	"planDigest":            {"The digest of a plan.", exampleHash},
	"events":                {"Which events: names, or document.* for all that begin so.", "hold.*"},
	"recurrence":            {"How often it comes again.", "yearly"},
	"confirm":               {"The name of the policy, once more.", "Tax records"},
	"reasons":               {"What has to be looked after.", "the last backup is 9 days old"},
	"previousChain":         {"The chain of the version before.", exampleHash},
	"timestamp":             {"When it happened.", exampleTime},
	"data":                  {"What happened.", nil},
	"access":                {"What a user or a key may do; the lower of the two counts.", "upload"},
	"accountId":             {"The organization: its id or its name.", "main"},
	"accountName":           {"The name of the organization.", "main"},
	"action":                {"What is done when the period is over.", "delete"},
	"actorId":               {"Who did it: the id of a user, system or operator.", exampleID},
	"actual":                {"What the caller may.", "view"},
	"addTags":               {"Tags to add; those that are there already stay.", "lease"},
	"after":                 {"What comes after this entry.", 41},
	"agreementId":           {"The id of the agreement it belongs to.", "A-2026-17"},
	"amount":                {"How many.", 1},
	"at":                    {"When it was.", exampleTime},
	"auditHash":             {"The hash of the entry that records it.", exampleHash},
	"auditReads":            {"Whether reading content is an entry of the audit log too.", false},
	"canLockEnvelopes":      {"Whether the user may lock documents.", true},
	"categories":            {"The categories of the organization, beside those there always are.", "lease"},
	"category":              {"What kind of document it is, by a name from the settings.", "contract"},
	"chain":                 {"The hash that binds the version to those before it.", exampleHash},
	"choices":               {"The values there are, for a field of choices.", "north"},
	"code":                  {"What kind it is, for programs.", "blob-damaged"},
	"comment":               {"What is new in a version, for people.", "Signed by both parties"},
	"commit":                {"The commit it was built from.", "c0ffee"},
	"completedAt":           {"When it was completed.", exampleTime},
	"createdAt":             {"When it was made.", exampleTime},
	"createdBy":             {"The id of the user who made it.", exampleID},
	"current":               {"Whether it is the one that counts.", true},
	"cursor":                {"The nextCursor of the page before.", "eyJhIjoxfQ"},
	"deletedAt":             {"When it was deleted.", exampleTime},
	"deletedBy":             {"The id of the user who deleted it, or system.", exampleID},
	"description":           {"What it is about, for people.", "The lease of the north building"},
	"digest":                {"The SHA-256 of the bytes.", "sha256:" + exampleHash},
	"document":              {"The document it is about.", exampleID},
	"documentId":            {"The id of the document it is about.", exampleID},
	"documentIds":           {"The ids of the documents.", exampleID},
	"documentName":          {"The name of that document.", "Lease North.pdf"},
	"documents":             {"The documents it is about.", 1},
	"dueAt":                 {"When its period is over.", exampleTime},
	"dueDate":               {"A date, due until its end, or a time.", "2027-03-31"},
	"eligibleAt":            {"From when on it may happen.", exampleTime},
	"email":                 {"An e-mail address, unique in the organization.", "grace@example.com"},
	"emailBlurb":            {"The description of the document.", "The lease of the north building"},
	"emailSubject":          {"The name of the document.", "Lease North.pdf"},
	"enabled":               {"Whether it counts.", true},
	"entries":               {"How many entries were checked.", 42},
	"envelopeId":            {"The document, as a UUID.", "0193b467-fcba-1e0b-49cc-5b3e4a4c06ab"},
	"erasureId":             {"The id of the erasure that deleted it.", exampleID},
	"errorCode":             {"What to branch on.", "DOCUMENT_NOT_FOUND"},
	"expiresAt":             {"When it ends by itself.", exampleTime},
	"externalId":            {"The id it has elsewhere.", "crm:4711"},
	"facts":                 {"What stays readable for ever, and names no person.", map[string]any{"revision": 7}},
	"fileName":              {"The name of the file, as it was sent.", "lease.pdf"},
	"findings":              {"What is wrong; empty if nothing is.", nil},
	"finishedAt":            {"When it ended.", exampleTime},
	"firstPlacedAt":         {"When the first hold for it was placed.", exampleTime},
	"hash":                  {"The SHA-256 of the exact line.", exampleHash},
	"head":                  {"The last entry, as seq:hash.", "42:" + exampleHash},
	"holdCount":             {"How many holds it bears now.", 0},
	"id":                    {"What it is called in the API: a ULID.", exampleID},
	"ids":                   {"The ids of the documents.", exampleID},
	"items":                 {"The things on this page.", nil},
	"key":                   {"What it is called in customFields and filters.", "renewalDate"},
	"label":                 {"A name for people.", "Renewal date"},
	"lastReleasedAt":        {"When the last hold for it was released.", exampleTime},
	"lastUsedAt":            {"When it was used last.", exampleTime},
	"legalBasis":            {"The law the request rests on.", "GDPR Art. 17"},
	"limit":                 {"How many items a page has at most.", 50},
	"lockType":              {"What is locked: always edit.", "edit"},
	"lockedByApp":           {"The name of the application that holds it.", "Word add-in"},
	"matter":                {"The case or audit a hold is for.", "Smith v. Jones"},
	"maxClockGapDays":       {"After so many days without an entry the clock is doubted.", 30},
	"mediaType":             {"What kind of bytes they are.", "application/pdf"},
	"message":               {"What it is, for people.", "there is no such document"},
	"n":                     {"The number.", 1},
	"name":                  {"A name for people.", "Lease North.pdf"},
	"nextAttemptAt":         {"When it is tried again.", exampleTime},
	"note":                  {"What is to be said about it.", "Paid on Monday"},
	"number":                {"Its number, from 1 on.", 3},
	"op":                    {"What was done.", "document.updated"},
	"outcome":               {"What became of it.", "deleted"},
	"ownerId":               {"The id of the user who answers for it.", exampleID},
	"ownerName":             {"The name of that user.", "Grace Hopper"},
	"paused":                {"Whether retention on schedule and webhooks stand still.", false},
	"period":                {"How long it is: P, and years and months, weeks or days.", "P10Y"},
	"twoPersons":            {"What needs two persons.", "hold.release"},
	"what":                  {"What needs two persons.", "hold.release"},
	"call":                  {"Which call was asked for.", "hold.release"},
	"arguments":             {"What is done if it is approved, exactly.", nil},
	"decidedBy":             {"The id of the user who decided.", exampleID},
	"decidedAt":             {"When it was decided on.", exampleTime},
	"restriction":           {"Why it is restricted, or no more.", nil},
	"restrictDeferred":      {"Whether a document is restricted as long as its erasure is deferred.", false},
	"signInByKey":           {"Whether people may sign in to the console with an API key.", true},
	"identity":              {"By which an identity provider knows the user.", nil},
	"issuer":                {"The URL of the identity provider.", "https://id.example.com"},
	"subject":               {"The person, as the provider names her.", "248289761001"},
	"seenAt":                {"When the user last came through the identity provider.", exampleTime},
	"restricted":            {"Whether only admins and auditors see it.", false},
	"maxVersions":           {"How many versions a document may have.", 10000},
	"periodDays":            {"How long the period is, in days.", 3650},
	"placedAt":              {"When it was placed.", exampleTime},
	"policyId":              {"The id of the policy that decided it.", exampleID},
	"prefix":                {"How its token begins.", "sr_main_"},
	"product":               {"The product it belongs to.", "signing"},
	"protect":               {"Whom the policy keeps from deleting before the period is over.", "governance"},
	"protectedUntil":        {"Until when nobody may delete it.", exampleTime},
	"witness":               {"The name of a witness in the policy.", "notary"},
	"checkpoint":            {"A checkpoint of the log (C2SP tlog-checkpoint), signed.", "vault.example.com/log/main\n4\nq8akVGNqZWIUvps9Agq/SyharCGne6ecRwk7v+23Fuo=\n\n\u2014 vault.example.com/log/main pNs6…\n"},
	"origin":                {"The name of the log, the first line of its checkpoints.", "vault.example.com/log/main"},
	"signature":             {"A signed note of the log's key.", "strongroom integrity report\n01JD6QGZ3MZ4Y8T6V1E9B7K2RW\n2026-11-29T12:00:00.000Z\nsha256:…\n\n\u2014 vault.example.com/log/main …\n"},
	"mldsa":                 {"The verifier key of the second signature, of ML-DSA-44.", "vault.example.com/log/main+9c1d20ab+BvHqk0m7i3c2v0Qy8JbZ"},
	"vkey":                  {"The verifier key of the log, as C2SP signed-note has it.", "vault.example.com/log/main+3a5f1c0e+AVJ3kXy0dEi3HnfE5tV4YHTM3j0yFGmmCcGBfTnmr1kd"},
	"publicKey":             {"The RSA key that its assertions are checked with, in PEM.", "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A…\n-----END PUBLIC KEY-----\n"},
	"impersonates":          {"Whether its assertions may name any user as sub.", false},
	"clientId":              {"The id of a client.", exampleID},
	"redirectUris":          {"Where codes may be sent, each compared as it is.", "https://app.example.com/callback"},
	"grants":                {"The ways by which it gets tokens.", "client_credentials"},
	"q":                     {"As in GET /v1/search.", "lease north"},
	"reason":                {"Why, for people and for the audit log.", "Litigation"},
	"reference":             {"A reference.", "1"},
	"releasedAt":            {"When it was released.", exampleTime},
	"reminderDays":          {"So many days before an obligation is due, it is an event.", 7},
	"removeTags":            {"Tags to take away; those that are not there do not matter.", "draft"},
	"requestId":             {"The same as the header X-Request-Id.", exampleID},
	"requestedAt":           {"When it was asked for.", exampleTime},
	"requester":             {"Who asked for it, for the record.", "Alan Turing"},
	"required":              {"Whether a document must have a value.", false},
	"result":                {"What became of it.", "changed"},
	"retentionConflict":     {"Which of two periods of one scope wins.", "longest"},
	"retentionRunAt":        {"At what time of day retention runs.", "02:00"},
	"revision":              {"Counts its changes; it is the ETag.", 7},
	"revokedAt":             {"When it was revoked.", exampleTime},
	"right":                 {"By what right it was deleted.", "manual"},
	"scope":                 {"What the policy is about.", "category"},
	"searchLanguage":        {"The language words are compared in.", "en"},
	"secret":                {"The secret, shown this once.", "sr_main_…"},
	"seq":                   {"The number of an entry.", 42},
	"size":                  {"How many bytes.", 48213},
	"startAt":               {"When its period begins.", exampleTime},
	"startFrom":             {"What the period counts from: createdAt, updatedAt, currentVersion or field:<key>.", "createdAt"},
	"startedAt":             {"When it began.", exampleTime},
	"status":                {"What state it is in.", "active"},
	"sub":                   {"The id of the user.", exampleID},
	"tags":                  {"Words, or key:value.", "lease"},
	"target":                {"Which one of its scope.", "contract"},
	"templateId":            {"The id of the template it was made from.", "T-4"},
	"time":                  {"When it was written.", exampleTime},
	"timeZone":              {"The zone of days, by its name.", "Europe/Berlin"},
	"title":                 {"What is to be done.", "Renew the lease"},
	"trigger":               {"What began it.", "schedule"},
	"type":                  {"What kind it is.", "date"},
	"until":                 {"Until when.", exampleTime},
	"updatedAt":             {"When it was changed last.", exampleTime},
	"updatedBy":             {"The id of the user who changed it last.", exampleID},
	"url":                   {"Where events are sent to.", "https://example.com/events"},
	"userId":                {"The id of the user.", exampleID},
	"userName":              {"The name of the user.", "Grace Hopper"},
	"userStatus":            {"Whether the user is active or closed.", "active"},
	"version":               {"The number of a version.", 3},
	"versionCount":          {"How many versions there are.", 3},
	"versions":              {"The versions.", 3},
	"says":                  {"What a policy does, and when.", "delete it 10 years after the end of the year of its creation, 2026-12-31"},
	"why":                   {"Why, in one sentence.", "held"},
	"would":                 {"What a run would do with it.", "delete"},
}

// explain gives each schema the words of its type, and each of its members a
// description and an example.
func (p *printer) explain(t *testing.T) {
	docs := typeDocs(t)
	all := maps.Clone(p.schemas)
	for name, s := range p.inline {
		all[name] = s
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		s := all[name].(object)
		if one, ok := strings.CutSuffix(name, "List"); ok && docs[name] == "" {
			docs[name] = "A page: each item is one " + one + "."
		}
		if docs[name] == "" {
			docs[name] = p.bodies[name]
		}
		if s["description"] == nil {
			s["description"] = docs[name]
		}
		properties, _ := s["properties"].(object)
		for member, value := range properties {
			explainMember(t, name, member, value.(object))
		}
	}
}

func explainMember(t *testing.T, of, member string, s object) {
	w, known := words[member]
	if s["description"] == nil && (known || s["$ref"] == nil) {
		if !known {
			t.Errorf("%s.%s has no description: give it a doc tag, or its name a word", of, member)
		}
		s["description"] = w.doc
	}
	if example := exampleOf(s, w.example); example != nil {
		s["examples"] = []any{example}
	} else if s["type"] == "string" {
		t.Errorf("%s.%s has no example: give its name a word", of, member)
	}
}

// exampleOf is an example that the schema allows; nil if none is known.
func exampleOf(s object, of any) any {
	if list, ok := s["enum"].([]string); ok {
		if is, ok := of.(string); ok && slices.Contains(list, is) {
			return is
		}
		return list[0]
	}
	if items, ok := s["items"].(object); ok {
		if one := exampleOf(items, of); one != nil {
			return []any{one}
		}
		return nil
	}
	kind, _ := s["type"].(string)
	if kinds, ok := s["type"].([]string); ok {
		kind = kinds[0]
	}
	switch is := reflect.ValueOf(of).Kind(); {
	case of == nil || s["$ref"] != nil:
	case kind == "string" && is == reflect.String, kind == "boolean" && is == reflect.Bool, kind == "integer" && is == reflect.Int, kind == "object" && is == reflect.Map:
		return of
	}
	if n, ok := of.(int); ok && kind == "string" {
		return strconv.Itoa(n)
	}
	switch {
	case s["format"] == "date-time":
		return exampleTime
	case kind == "boolean":
		return false
	case kind == "integer", kind == "number":
		return 1
	}
	return nil
}

// typeDocs are the first paragraphs of the comments of the types, by the names
// of their schemas.
func typeDocs(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if d, ok := decl.(*ast.GenDecl); ok && d.Doc != nil && d.Tok == token.TYPE {
				name := d.Specs[0].(*ast.TypeSpec).Name.Name
				schema := strings.ToUpper(name[:1]) + name[1:]
				if docs[schema] == "" || schema == name {
					docs[schema] = sentence(d.Doc.Text(), name)
				}
			}
		}
	}
	return docs
}

// sentence turns "Hold is a legal hold." into "A legal hold."
func sentence(text, name string) string {
	var p comment.Parser
	d := p.Parse(text)
	if len(d.Content) == 0 {
		return ""
	}
	first := strings.Join(strings.Fields(string((&comment.Printer{TextWidth: -1}).Text(&comment.Doc{Content: d.Content[:1]}))), " ")
	for _, begin := range []string{name + " is ", name + " are "} {
		if rest, ok := strings.CutPrefix(first, begin); ok {
			return strings.ToUpper(rest[:1]) + rest[1:]
		}
	}
	return first
}
