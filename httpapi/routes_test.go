package httpapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"strongroom/engine"
)

// someID is the id of nothing.
const someID = "01JD6QGZ3MZ4Y8T6V1E9B7K2RW"

// path is the pattern of a route with something in its parameters.
func (rt route) path() string {
	path := strings.NewReplacer(":id", someID, ":documentId", someID, ":accountId", "main", "*tile", "0/000").Replace(rt.pattern)
	return regexp.MustCompile(`:\w+`).ReplaceAllString(path, "1")
}

// tripwire is a body that must not be read.
type tripwire struct{ *testing.T }

func (w tripwire) Read([]byte) (int, error) {
	w.Error("the body was read")
	return 0, io.EOF
}

// TestAccessOfEveryRoute walks the table with no key and with keys of each
// level: whoever may not is refused before the body is read.
func TestAccessOfEveryRoute(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	_, k.tokens["auditor"] = k.vaults["main"].Person("auditor", engine.AccessAuditor)
	may := map[string][]engine.Access{
		"view": {view}, "upload": {view, write}, "auditor": {view, readAll},
	}
	for _, rt := range k.server.table {
		request := func(key string, body io.Reader) *httptest.ResponseRecorder {
			r := httptest.NewRequest(rt.method, rt.path(), body)
			if key != "" {
				r.Header.Set("Authorization", "Bearer "+k.tokens[key])
			}
			w := httptest.NewRecorder()
			k.server.ServeHTTP(w, r)
			return w
		}
		// An auditor reads all there is, and nothing else: what takes no more than to
		// view and is no GET is bound to what one is oneself, or changes nothing.
		reads := rt.method == http.MethodGet || slices.Contains([]string{"previewRun", "verify", "rotateKey", "exportDocuments", "startCalendar", "endCalendar"}, rt.operation)
		if rt.access != engine.AccessNone && slices.Contains(may["auditor"], rt.access) != reads {
			t.Errorf("%s %s takes %s access: that is not what an auditor reads", rt.method, rt.pattern, rt.access)
		}
		if rt.access == engine.AccessNone {
			if w := request("", nil); w.Code != 200 && rt.operation != "getCalendar" { // whose key is in its address
				t.Errorf("%s %s: %d without a key", rt.method, rt.pattern, w.Code)
			}
			continue
		}
		if w := request("", tripwire{t}); w.Code != 401 || w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s %s: %d without a key", rt.method, rt.pattern, w.Code)
		}
		for key, enough := range may {
			if slices.Contains(enough, rt.access) {
				continue
			}
			want := 403
			if dressOf(rt.pattern, nil) != nil {
				want = 400
			}
			if w := request(key, tripwire{t}); w.Code != want || !strings.Contains(w.Body.String(), "USER_LACKS_PERMISSIONS") {
				t.Errorf("%s %s: %d with %s access: %s", rt.method, rt.pattern, w.Code, key, w.Body)
			}
		}
	}
}

// TestRefusalsOfEveryRoute: nothing that every route refuses depends on the
// route, and each GET answers HEAD as GET without a body.
func TestRefusalsOfEveryRoute(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	for _, rt := range k.server.table {
		if a, body := k.do("admin", rt.method, rt.path()+"?surely=unknown", nil); a.StatusCode != 400 ||
			!strings.Contains(body, `surely: is not a `) {
			t.Errorf("%s %s takes any parameter: %d %s", rt.method, rt.pattern, a.StatusCode, body)
		}
		if a, _ := k.do("admin", "OPTIONS", rt.path(), nil); a.StatusCode != 405 || !strings.Contains(a.Header.Get("Allow"), rt.method) {
			t.Errorf("OPTIONS %s: %d, Allow: %s", rt.pattern, a.StatusCode, a.Header.Get("Allow"))
		}
		if a, _ := k.do("admin", rt.method, rt.path()+"/", nil); a.StatusCode != 404 {
			t.Errorf("%s %s/: %d", rt.method, rt.pattern, a.StatusCode)
		}
		if rt.method != http.MethodGet {
			continue
		}
		get, body := k.do("admin", "GET", rt.path(), nil)
		head, nothing := k.do("admin", "HEAD", rt.path(), nil)
		if head.StatusCode != get.StatusCode || nothing != "" || head.Header.Get("Content-Type") != get.Header.Get("Content-Type") {
			t.Errorf("HEAD %s: %d %v, GET: %d %s", rt.pattern, head.StatusCode, head.Header, get.StatusCode, body)
		}
	}
}

// TestEngineFieldsAreOnTheWire: a field the engine gets must be printed, or be
// named here with where it went.
func TestEngineFieldsAreOnTheWire(t *testing.T) {
	t.Parallel()
	elsewhere := map[string]string{
		"User.Provided":                   "how the engine applies SignInAgain",
		"User.Left":                       "how the engine tells a closing by groups from one by an admin",
		"Document.Current":                "CurrentVersion",
		"Version.TextDigest":              "SuppliedText",
		"Version.TextSize":                "SuppliedText",
		"Lock.Token":                      "LockToken",
		"Lock.Duration":                   "LockDurationInSeconds",
		"Lock.Until":                      "LockedUntilDateTime",
		"Lock.User":                       "LockedByUser",
		"Lock.Revision":                   "the ETag",
		"NewLock.Duration":                "LockDurationInSeconds",
		"NewLock.Password":                "TemplatePassword",
		"NewLock.IfMatch":                 "If-Match",
		"LockPatch.Duration":              "LockDurationInSeconds",
		"DocumentPatch.passwordHash":      "EditPassword",
		"Settings.Revision":               "the ETag",
		"Webhook.CreatedSeq":              "createdAt says it",
		"NewWebhook.Inactive":             "Active",
		"DeliveryQuery.Paging":            "paging",
		"Certificate.Revision":            "the ETag",
		"VerifyReport.Documents":          "the answer of the contract has no such member",
		"Entry.Entry":                     "its fields are members",
		"Entry.Line":                      "its members are members",
		"NewDocument.Version":             "upload, versionFields",
		"NewVersion.MediaType":            "upload",
		"NewVersion.FileName":             "upload",
		"NewUser.CannotLockEnvelopes":     "CanLockEnvelopes",
		"DocumentPatch.ClearCustomFields": "null",
		"DocumentQuery.Paging":            "paging",
		"ObligationQuery.Paging":          "paging",
	}
	for _, pair := range []struct{ engine, wire reflect.Type }{
		{typeOf[engine.Document](), typeOf[Document]()},
		{typeOf[engine.Version](), typeOf[Version]()},
		{typeOf[engine.Certificate](), typeOf[Certificate]()},
		{typeOf[engine.User](), typeOf[User]()},
		{typeOf[engine.Key](), typeOf[Key]()},
		{typeOf[engine.Settings](), typeOf[Settings]()},
		{typeOf[engine.Field](), typeOf[Field]()},
		{typeOf[engine.NewField](), typeOf[newField]()},
		{typeOf[engine.FieldPatch](), typeOf[fieldPatch]()},
		{typeOf[engine.Entry](), typeOf[Entry]()},
		{typeOf[engine.VerifyReport](), typeOf[VerifyReport]()},
		{typeOf[engine.NewDocument](), typeOf[createDocumentInput]()},
		{typeOf[engine.NewVersion](), typeOf[addVersionInput]()},
		{typeOf[engine.DocumentPatch](), typeOf[documentPatch]()},
		{typeOf[engine.DocumentQuery](), typeOf[documentQuery]()},
		{typeOf[engine.Lock](), typeOf[Lock]()},
		{typeOf[engine.NewLock](), typeOf[newLock]()},
		{typeOf[engine.LockPatch](), typeOf[lockPatch]()},
		{typeOf[engine.NewUser](), typeOf[newUser]()},
		{typeOf[engine.UserPatch](), typeOf[userPatch]()},
		{typeOf[engine.NewKey](), typeOf[newKey]()},
		{typeOf[engine.SettingsPatch](), typeOf[settingsPatch]()},
		{typeOf[engine.EntryQuery](), typeOf[entriesQuery]()},
		{typeOf[engine.Obligation](), typeOf[Obligation]()},
		{typeOf[engine.NewObligation](), typeOf[newObligation]()},
		{typeOf[engine.ObligationPatch](), typeOf[obligationPatch]()},
		{typeOf[engine.ObligationQuery](), typeOf[obligationQuery]()},
		{typeOf[engine.Webhook](), typeOf[Webhook]()},
		{typeOf[engine.NewWebhook](), typeOf[newWebhook]()},
		{typeOf[engine.WebhookPatch](), typeOf[webhookPatch]()},
		{typeOf[engine.Delivery](), typeOf[Delivery]()},
		{typeOf[engine.DeliveryQuery](), typeOf[deliveriesQuery]()},
		{typeOf[engine.Completion](), typeOf[completion]()},
		{typeOf[engine.ObligationSummary](), typeOf[ObligationSummary]()},
	} {
		for f := range pair.engine.Fields() {
			name := pair.engine.Name() + "." + f.Name
			if _, ok := pair.wire.FieldByName(f.Name); !ok && f.IsExported() && elsewhere[name] == "" {
				t.Errorf("%s is not in %s", name, pair.wire)
			}
		}
	}
}

// TestMountedUnderAPrefix: nothing but a Location knows where the server is.
func TestMountedUnderAPrefix(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{
		{Prefix: "/vault"},
		{Prefix: "/a/b", PublicURL: "https://documents.example.com/"},
	} {
		k := newKit(t, o)
		mux := http.NewServeMux()
		mux.Handle(o.Prefix+"/", k.server)
		host := httptest.NewServer(mux)
		t.Cleanup(host.Close)
		send := func(method, path string, body string) (*http.Response, string) {
			r, err := http.NewRequest(method, host.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+k.tokens["admin"])
			answer, err := host.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			data, _ := io.ReadAll(answer.Body)
			return answer, string(data)
		}
		answer, body := send("POST", o.Prefix+"/v1/documents?fileName=a.txt", "a")
		location := answer.Header.Get("Location")
		base := o.PublicURL
		if base == "" {
			base = host.URL
		}
		path, ok := strings.CutPrefix(location, strings.TrimSuffix(base, "/"))
		if answer.StatusCode != 201 || !ok || !strings.HasPrefix(path, o.Prefix+"/v1/documents/") {
			t.Errorf("%d, Location: %s", answer.StatusCode, location)
		}
		if strings.Contains(body, "://") || strings.Contains(body, o.Prefix) {
			t.Errorf("the body has a link: %s", body)
		}
		if a, body := send("GET", path, ""); a.StatusCode != 200 || strings.Contains(body, "://") {
			t.Errorf("%s: %d %s", path, a.StatusCode, body)
		}
		if a, body := send("GET", o.Prefix+"/openapi.json", ""); a.StatusCode != 200 || strings.Contains(body, o.Prefix+"/v1") {
			t.Error("openapi.json knows the prefix", a.StatusCode)
		}
		for _, outside := range []string{"/v1/version", o.Prefix + "x/v1/version", o.Prefix + "/v1/documents/"} {
			if a, _ := k.do("admin", "GET", outside, nil); a.StatusCode != 404 {
				t.Errorf("%s: %d", outside, a.StatusCode)
			}
		}
	}
}
