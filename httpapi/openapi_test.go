package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
)

// TestOpenAPI prints openapi.json from the route table and the wire types, and
// refuses to let it say anything else. -update writes it.
func TestOpenAPI(t *testing.T) {
	var own, dress []route
	for _, rt := range New(nil, Options{PublicLogs: []string{"main"}, Search: indexes{}, Pages: pictures{}, Witnesses: twoWitnesses{}, Deliveries: map[string]Deliverer{}}).table {
		switch {
		case strings.HasPrefix(rt.pattern, "/v2.1/"): // the same as below /restapi
		case strings.HasPrefix(rt.pattern, "/restapi"), strings.HasPrefix(rt.pattern, "/oauth/userinfo"):
			dress = append(dress, rt)
		default:
			own = append(own, rt)
		}
	}
	describe(t, "openapi.json", openAPI, own, info{
		"Strongroom", "A document vault. What DocuSign's clients speak is described in openapi-docusign.json. Each GET answers HEAD too. Every answer carries X-Request-Id. " +
			"Bodies are decoded strictly: what is unknown, given twice or of a wrong type is refused by name. " +
			"Ids are ULIDs and may be written as UUIDs. " +
			"RATE_LIMITED and VAULT_UNAVAILABLE say in Retry-After when to try again; if API keys have a limit of requests, every answer says in RateLimit how many are left.",
	})
	describe(t, "openapi-docusign.json", openAPIDocuSign, dress, info{
		"Strongroom for DocuSign's clients", "The edit locks of DocuSign's API, over the documents of a vault: an envelope, or a template, is a document. All of it is below /v2.1 too. " +
			"Bodies are JSON or XML by Accept and Content-Type (text/xml as application/xml); members that are not known are ignored. The access token is an API key.",
	})
}

type info struct{ title, description string }

// describe prints a description and compares it with what is served.
func describe(t *testing.T, file string, served []byte, table []route, about info) {
	t.Helper()
	p := &printer{object{}, object{}, object{}, nil, map[string]string{}}
	var is bytes.Buffer
	e := json.NewEncoder(&is)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	document := p.document(table, about)
	p.explain(t)
	if err := e.Encode(document); err != nil {
		t.Fatal(err)
	}
	for _, ref := range regexp.MustCompile(`"\$ref": "#/components/([^"]*)"`).FindAllStringSubmatch(is.String(), -1) {
		kind, name, _ := strings.Cut(ref[1], "/")
		if all := map[string]object{"schemas": p.schemas, "responses": p.refusals, "headers": p.named, "parameters": atLeast}; all[kind][name] == nil {
			t.Errorf("there is no %s", ref[1])
		}
	}
	if *update {
		if err := os.WriteFile(file, is.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(is.Bytes(), served) {
		t.Errorf("%s is not what the table says: run go test -update\n%s", file, firstDifference(string(served), is.String()))
	}
}

type object = map[string]any

// printer prints routes and collects what they refer to.
type printer struct {
	schemas, refusals, named object
	inline                   map[string]object // schemas that stand where they are used
	bodies                   map[string]string // what a body is for, by its schema
}

func (p *printer) document(table []route, about info) object {
	paths := object{}
	for _, rt := range table {
		path := regexp.MustCompile(`[:*](\w+)`).ReplaceAllString(rt.pattern, "{$1}")
		if paths[path] == nil {
			paths[path] = object{}
		}
		paths[path].(object)[strings.ToLower(rt.method)] = p.operation(rt)
	}
	p.schemas["Error"] = p.structSchema(typeOf[Error]())
	var codes []string
	for _, row := range errorTable {
		if !slices.Contains(codes, string(row.code)) {
			codes = append(codes, string(row.code))
		}
	}
	for _, code := range []errorCode{codeInvalidBody, codeInvalidParameter, codeInternal} {
		if !slices.Contains(codes, string(code)) {
			codes = append(codes, string(code))
		}
	}
	slices.Sort(codes)
	p.schemas["Error"].(object)["properties"].(object)["errorCode"].(object)["enum"] = codes
	out := p.head(about, paths)
	if slices.ContainsFunc(table, func(rt route) bool { return rt.operation == "createWebhook" }) {
		out["webhooks"] = p.webhooks()
	}
	return out
}

// webhooks are the messages an organization has sent to it.
func (p *printer) webhooks() object {
	event := p.structSchema(typeOf[Event]())
	properties := event["properties"].(object)
	properties["type"].(object)["enum"] = audit.Ops()
	data := p.structSchema(typeOf[EventData]())
	delete(p.schemas, "EventData") // in its place: some generators leave out what only webhooks refer to
	properties["data"] = data
	p.inline = map[string]object{"Event": event, "EventData": data}
	return object{"event": object{"post": object{
		"operationId": "receiveEvent",
		"summary":     "What happened in the vault",
		"description": "Sent as Standard Webhooks has it: webhook-id stays the same over retries, webhook-signature is v1 over id, time and body. It carries ids, not contents: read what changed through the API.",
		"requestBody": object{"required": true, "content": object{jsonMedia: object{"schema": event}}},
		"responses":   object{"200": object{"description": "Any 2xx within 15 s: it is delivered."}},
	}}}
}

// Event is what a webhook is sent: an entry of the audit log without its detail.
type Event struct {
	ID        string    `json:"id" doc:"The vault, the entry and the beginning of its hash; stays the same over retries."`
	Type      string    `json:"type" doc:"The entry's op."`
	Timestamp Time      `json:"timestamp"`
	Data      EventData `json:"data"`
}

// EventData is the entry.
type EventData struct {
	Seq        uint64          `json:"seq"`
	Hash       audit.Hash      `json:"hash"`
	ActorID    string          `json:"actorId"`
	DocumentID string          `json:"documentId"`
	Version    uint64          `json:"version" doc:"The version it is about; 0: none."`
	Facts      json.RawMessage `json:"facts"`
}

// atLeast is the parameter of every route that any server of a cluster may answer.
var atLeast = object{HeaderAtLeast: object{
	"name": HeaderAtLeast, "in": "header", "schema": object{"type": "integer", "format": "int64", "minimum": 0}, "example": 42,
	"description": "In a cluster: an entry of the log, X-Audit-Seq of a receipt, that the answer must know. It waits for it up to 2 seconds, or comes from the server that owns the vault.",
}}

// head is all of a description but what is in it.
func (p *printer) head(about info, paths object) object {
	return object{
		"openapi":  "3.1.0",
		"info":     object{"title": about.title, "version": "1", "description": about.description},
		"servers":  []any{object{"url": ".", "description": "Wherever this description is served from."}},
		"security": []any{object{"token": []any{}}},
		"paths":    paths,
		"components": object{
			"schemas":         p.schemas,
			"responses":       p.refusals,
			"headers":         p.named,
			"parameters":      atLeast,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "An API key."}},
		},
	}
}

func (p *printer) operation(rt route) object {
	op := object{
		"operationId": rt.operation,
		"summary":     rt.summary,
		"responses":   p.responses(rt),
	}
	if rt.access == engine.AccessNone {
		op["security"] = []any{}
		op["description"] = "Open to all."
	} else {
		op["description"] = "Access: " + rt.access.String() + "."
		if rt.access == engine.AccessAuditor {
			op["description"] = "Access: admin or auditor."
		}
	}
	var parameters []any
	for _, f := range rt.input.fields {
		parameters = append(parameters, p.parameter(f, f.doc))
	}
	for _, f := range rt.input.form {
		f.in = "query"
		parameters = append(parameters, p.parameter(f, strings.TrimSpace("If the body is the file. "+f.doc)))
	}
	if rt.ofCluster() {
		parameters = append(parameters, object{"$ref": "#/components/parameters/" + HeaderAtLeast})
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if body := p.requestBody(rt); body != nil {
		op["requestBody"] = body
	}
	return op
}

func (p *printer) parameter(f field, doc string) object {
	out := object{"name": f.name, "in": f.in}
	if n, ok := reflect.New(f.typ).Interface().(named); ok { // its properties are parameters
		prefix := regexp.QuoteMeta(strings.TrimSuffix(f.name, "*"))
		out["style"], out["explode"] = "form", true
		out["schema"] = object{"type": "object", "patternProperties": object{"^" + prefix + n.pattern() + "$": object{"type": "string"}}, "additionalProperties": false}
		out["description"] = doc
		return out
	}
	if f.typ.Kind() == reflect.Map {
		out["content"] = object{"application/json": object{"schema": p.fieldSchema(f)}}
	} else {
		out["schema"] = p.fieldSchema(f)
	}
	if f.in == "path" || f.required {
		out["required"] = true
	}
	if doc == "" {
		doc = words[f.name].doc
	}
	if doc != "" {
		out["description"] = doc
	}
	if f.name == "If-Match" {
		out["description"] = "The ETag the change is meant for, or several; without it any will do."
	}
	return out
}

func (p *printer) fieldSchema(f field) object {
	s := p.schema(f.typ)
	if f.enum != "" {
		oneOf(s, f.enum)
	}
	f.describe(s)
	if f.absent != "" {
		s["default"] = f.absent
		var value any // a number or a truth
		if f.typ.Kind() != reflect.String && json.Unmarshal([]byte(f.absent), &value) == nil {
			s["default"] = value
		}
	}
	return s
}

func (p *printer) requestBody(rt route) object {
	body := rt.input.body
	switch {
	case rt.input.form != nil:
		return object{"required": true, "content": p.uploadForms(rt)}
	case body == nil || body.index == nil:
		return nil
	}
	content := object{"application/json": object{"schema": p.schema(body.typ)}}
	p.bodies[schemaName(body.typ)] = "What goes with: " + rt.summary + "."
	if body.name == "docusign" {
		content["application/xml"] = content["application/json"]
	}
	if body.name == "text" {
		return object{"required": false, "content": object{"text/plain": object{"schema": object{"type": "string", "description": body.doc}}}}
	}
	if body.name == "lines" {
		content[ndjson] = object{"schema": p.schema(typeOf[bulkLine]())}
	}
	if body.name == "merge" {
		content["application/merge-patch+json"] = object{"schema": p.schema(body.typ)}
	}
	return object{"required": body.name != "optional" && body.name != "docusign", "content": content}
}

// uploadForms are the three forms of an upload.
func (p *printer) uploadForms(rt route) object {
	properties := object{"file": object{"type": "string", "format": "binary", "description": "Its filename and its Content-Type count; its Repr-Digest is checked."}}
	for _, f := range rt.input.form {
		if f.name != "fileName" {
			s := p.fieldSchema(f)
			if f.doc != "" {
				s["description"] = f.doc
			}
			properties[f.name] = s
		}
	}
	name := strings.ToUpper(rt.operation[:1]) + rt.operation[1:]
	p.schemas[name] = p.structSchema(rt.input.typ)
	p.bodies[name] = "What goes with: " + rt.summary + "."
	return object{
		"multipart/form-data": object{"schema": object{"type": "object", "properties": properties, "required": []string{"file"}}},
		"application/json":    object{"schema": ref(name)},
		"*/*":                 object{"schema": object{"type": "string", "format": "binary", "description": "The file itself; the fields are query parameters. With a query parameter fileName the Content-Type may be any."}},
	}
}

// responses are the success and, by status, all codes of failure.
func (p *printer) responses(rt route) object {
	success := object{"description": http.StatusText(rt.status), "headers": p.headers(rt)}
	if rt.output != nil {
		success["content"] = p.content(rt.output)
	} else {
		success["content"] = object{rt.media: object{}}
	}
	out := object{strconv.Itoa(rt.status): success}
	if rt.media == anyMedia || rt.operation == "versionPage" {
		out["206"] = object{"description": "The part that Range asks for"}
		out["304"] = object{"description": "The client has these bytes already"}
	}
	if rt.operation == "readyz" {
		state := object{"application/json": object{"schema": p.schema(typeOf[State]())}}
		success["content"] = state
		out["503"] = object{"description": http.StatusText(http.StatusServiceUnavailable), "content": state}
	}
	if rt.bulk() {
		success["content"] = object{jsonMedia: object{"schema": p.schema(typeOf[BulkAnswer]())},
			ndjson: object{"schema": object{"oneOf": []any{p.schema(typeOf[BulkResult]()), p.schema(typeOf[BulkCounts]())}}}}
	}
	if rt.approval {
		two := p.schema(typeOf[Approval]())
		description := "It needs two persons: the request for approval, in place of the usual answer."
		if rt.status == http.StatusAccepted {
			two, description = object{"anyOf": []any{p.schema(rt.output), two}}, "Accepted; or it needs two persons, and the answer is the request for approval."
		}
		out["202"] = object{"description": description, "headers": success["headers"], "content": object{jsonMedia: object{"schema": two}}}
	}
	if rt.operation == "approve" {
		out = object{}
		for _, status := range []int{http.StatusOK, http.StatusCreated, http.StatusAccepted} {
			out[strconv.Itoa(status)] = object{"description": "As the request would have been answered.", "headers": success["headers"], "content": object{jsonMedia: object{}}}
		}
	}
	codes := map[int][]string{}
	for _, e := range rt.failures() {
		if !slices.Contains(codes[e.status], string(e.code)) {
			codes[e.status] = append(codes[e.status], string(e.code))
		}
	}
	for status, list := range codes {
		name, body := strings.Join(list, "."), typeOf[Error]()
		if dressOf(rt.pattern, nil) != nil {
			name, body = "DocuSign."+name, typeOf[ErrorDetails]()
		}
		p.refusals[name] = object{"description": strings.Join(list, ", "), "content": p.content(body)}
		out[strconv.Itoa(status)] = object{"$ref": "#/components/responses/" + name}
	}
	return out
}

// content is a body, in XML too if it has a root element there.
func (p *printer) content(t reflect.Type) object {
	schema := object{"schema": p.schema(t)}
	out := object{"application/json": schema}
	if _, ok := reflect.Zero(t).Interface().(dressed); ok {
		out["application/xml"] = schema
	}
	return out
}

func (p *printer) headers(rt route) object {
	h := object{}
	set := func(name, doc string) {
		kind := map[string]string{"The digest of the bytes.": "ContentETag", "Of the file, the page and the width.": "PageETag"}[doc]
		if kind == "" {
			kind = name
		}
		p.named[kind] = object{"schema": object{"type": "string"}, "description": doc}
		h[name] = object{"$ref": "#/components/headers/" + kind}
	}
	set("X-Request-Id", "The caller's, if it sent a sane one, or a new ULID.")
	if rt.ofCluster() {
		set(HeaderAsOf, "In a cluster: the entry of the log up to which the answer knows everything, at least.")
	}
	if rt.method != http.MethodGet && rt.changes() && !rt.bulk() || rt.media == zipMedia {
		set("X-Audit-Seq", "The audit entry that records the change; absent if nothing had to be changed.")
		set("X-Audit-Hash", "Its hash: keep both, they are the receipt.")
	}
	if rt.status == http.StatusCreated && !strings.Contains(rt.pattern, "api-keys") && !strings.HasSuffix(rt.pattern, "/lock") {
		set("Location", "Where it is.")
	}
	switch {
	case rt.media == anyMedia:
		set("ETag", "The digest of the bytes.")
		set("Repr-Digest", "The same as in RFC 9530.")
	case rt.operation == "versionPage":
		set("ETag", "Of the file, the page and the width.")
		set("Page-Count", "How many pages the file has.")
	case rt.media == ndjson:
		set("X-Audit-Head", "seq:hash of the head up to which is exported.")
	case rt.operation == "getEnvelopeLock" || rt.operation == "getTemplateLock":
		set("X-DocuSign-Edit", "In XML, with the token: only for the API key that took the lock.")
		fallthrough
	case rt.editable():
		set("ETag", "The revision; of the document, on a version, a hold and a certificate.")
	}
	return h
}

// ofCluster reports whether any server of a cluster may answer a route, and so how
// far it knows the vault.
func (rt route) ofCluster() bool {
	return rt.method == http.MethodGet && rt.access != engine.AccessNone
}

// bulk reports whether a success tells of many changes.
func (rt route) bulk() bool { return strings.HasPrefix(rt.pattern, "/v1/bulk/") }

// changes reports whether a success may be a change, for a method that can be one.
func (rt route) changes() bool {
	return !slices.Contains([]string{"verify", "testWebhook", "redeliver"}, rt.operation)
}

// editable reports whether a success carries the revision of what it is about.
func (rt route) editable() bool {
	if rt.output == nil {
		return false
	}
	switch rt.output.Name() {
	case "Field", "Webhook":
		return rt.method != http.MethodDelete
	case "Document", "User", "WebhookWithSecret", "Settings", "Lock", "LockInformation", "Envelope", "EnvelopeUpdateSummary":
		return true
	case "Version", "Certificate", "Hold":
		return rt.method != http.MethodGet
	}
	return false
}

type failure struct {
	status int
	code   errorCode
}

// failures are all the errors a route may answer with: its own, and those that
// follow from its method, its access and its input.
func (rt route) failures() []failure {
	out := []failure{{400, codeInvalidParameter}, {500, codeInternal}}
	errs := slices.Clone(rt.errors)
	if strings.Contains(rt.pattern, ":accountId") {
		errs = append(errs, errNoAccount)
	}
	if rt.access > engine.AccessNone {
		errs = append(errs, engine.ErrInvalidToken, engine.ErrTokenExpired, engine.ErrTokenRevoked, engine.ErrUnavailable, ErrLimited)
	}
	if rt.access > engine.AccessView || rt.operation == "rotateKey" {
		errs = append(errs, engine.ErrLacksPermission)
	}
	if rt.method != http.MethodGet {
		out = append(out, failure{400, codeInvalidBody})
		errs = append(errs, errSlowBody, errTooLarge, errMediaType, engine.ErrPrecondition)
		if rt.changes() {
			errs = append(errs, engine.ErrNoSpace)
		}
	}
	if rt.input.form != nil {
		errs = append(errs, errDigestMismatch)
	}
	if slices.ContainsFunc(rt.input.fields, func(f field) bool { return f.typ == reflect.TypeFor[lockToken]() }) {
		errs = append(errs, engine.ErrLocked, engine.ErrNotLocked, engine.ErrLockState)
	}
	for _, err := range errs {
		i := slices.IndexFunc(errorTable, func(row errorRow) bool { return row.is == err })
		if i < 0 {
			panic(fmt.Sprint("no row for ", err))
		}
		out = append(out, failure{errorTable[i].status, errorTable[i].code})
	}
	if d := dressOf(rt.pattern, nil); d != nil {
		for i, f := range out {
			out[i].status = d.status(f.status)
			out[i].code, _ = d.code(f.code)
		}
	}
	slices.SortStableFunc(out, func(a, b failure) int { return strings.Compare(string(a.code), string(b.code)) })
	return out
}
