package httpapi

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/engine"
)

// TestEveryErrorHasARow reads the names of the engine's errors from its source
// and looks for each in the source of the table.
func TestEveryErrorHasARow(t *testing.T) {
	t.Parallel()
	table, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	exported := errorNames(t)
	if len(exported) < 20 {
		t.Fatalf("only %d errors found: %v", len(exported), exported)
	}
	for _, name := range exported {
		if name != "ErrInvalid" && !bytes.Contains(table, []byte("{engine."+name+", ")) {
			t.Errorf("engine.%s has no row in the error table", name)
		}
	}
	// This one depends on where the value came from, so it has no row.
	x := &exchange{fields: codeInvalidParameter}
	status, body, known := x.describe(&engine.InvalidError{Fields: []engine.FieldError{{Field: "tags[3]", Message: "is too long"}}})
	if status != 400 || body.ErrorCode != "INVALID_REQUEST_PARAMETER" || body.Message != "tags[3]: is too long" || !known {
		t.Error(status, body, known)
	}
}

func errorNames(t *testing.T) (names []string) {
	paths, err := filepath.Glob("../engine/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if vars, ok := decl.(*ast.GenDecl); ok && vars.Tok == token.VAR {
				for _, spec := range vars.Specs {
					for _, name := range spec.(*ast.ValueSpec).Names {
						if strings.HasPrefix(name.Name, "Err") {
							names = append(names, name.Name)
						}
					}
				}
			}
		}
	}
	return names
}

func TestErrorsCarryTheirFacts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		code   string
		header string
		want   string // in the body
	}{
		{&engine.PermissionError{Required: engine.AccessAdmin, Actual: engine.AccessView}, 403, "USER_LACKS_PERMISSIONS", "", `"details":{"actual":"view","required":"admin"}`},
		{&engine.ExistsError{What: "document", ID: "D"}, 409, "ALREADY_EXISTS", "", `"details":{"documentId":"D"}`},
		{&engine.ExistsError{What: "user", ID: "U"}, 409, "ALREADY_EXISTS", "", `"details":{"userId":"U"}`},
		{&engine.DeletedError{Certificate: engine.Certificate{DocumentID: "D"}}, 410, "DOCUMENT_DELETED", "", `"details":{"documentId":"D","versions":[]`},
		{&engine.HeldError{Holds: 2}, 409, "DOCUMENT_ON_LEGAL_HOLD", "", `"details":{"holds":2}`},
		{&engine.RetainedError{Until: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), PolicyID: "P", Protect: "governance"}, 409, "DOCUMENT_RETAINED", "", `"details":{"policyId":"P","protect":"governance","until":"2030-01-02T03:04:05.000Z"}`},
		{&engine.RetainedError{Protect: "compliance"}, 409, "DOCUMENT_RETAINED", "", `"details":{"protect":"compliance"}`},
		{&engine.LogBehindError{After: 9, Head: audit.Head{Seq: 7}, RestoredAt: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}, 409, "LOG_BEHIND", "", `"details":{"head":7,"restoredAt":"2030-01-02T03:04:05.000Z"}`},
		{&engine.LogBehindError{After: 9, Head: audit.Head{Seq: 7}}, 409, "LOG_BEHIND", "", `"details":{"head":7}`},
		{&engine.PreconditionError{Revision: 7}, 412, "PRECONDITION_FAILED", `ETag: "7"`, ""},
		{&engine.UnavailableError{Reason: "closed"}, 503, "VAULT_UNAVAILABLE", "Retry-After: 5", `"details":{"reason":"closed"}`},
		{&engine.PermissionError{Required: engine.AccessUpload, Actual: engine.AccessUpload, Reason: "why"}, 403, "USER_LACKS_PERMISSIONS", "", `"details":{"actual":"upload","reason":"why","required":"upload"}`},
		{&engine.ThrottledError{After: 59*time.Second + time.Millisecond}, 429, "RATE_LIMITED", "Retry-After: 60", ""},
		{engine.ErrNotLocked, 404, "EDIT_LOCK_ENVELOPE_NOT_LOCKED", "", ""},
		{fmt.Errorf("%w: it is archived", engine.ErrLockState), 409, "EDIT_LOCK_INVALID_STATE_FOR_LOCK", "", "it is archived"},
		{fmt.Errorf("%w: /secret/path", errUnverified), 503, "VAULT_UNAVAILABLE", "Retry-After: 5", `"details":{"reason":"unverified"}`},
		{engine.ErrTokenExpired, 401, "AUTHORIZATION_TOKEN_EXPIRED", `Www-Authenticate: Bearer error="invalid_token"`, ""},
		{fmt.Errorf("staging: %w", engine.ErrNoSpace), 507, "INSUFFICIENT_STORAGE", "", ""},
		{engine.ErrFormat, 500, "INTERNAL_ERROR", "", neutral},
		{errors.New("open /secret/path: denied"), 500, "INTERNAL_ERROR", "", neutral},
	} {
		var log bytes.Buffer
		s := New(nil, Options{Logger: zerolog.New(&log)})
		w := httptest.NewRecorder()
		x := &exchange{ResponseWriter: w, server: s, id: "the-request"}
		s.fail(x, httptest.NewRequest("GET", "/", nil), c.err)
		body := w.Body.String()
		if w.Code != c.status || !strings.Contains(body, `{"errorCode":"`+c.code+`","message":"`) ||
			!strings.Contains(body, `"requestId":"the-request"`) || !strings.Contains(body, c.want) {
			t.Errorf("%v: %d %s", c.err, w.Code, body)
		}
		name, value, _ := strings.Cut(c.header, ": ")
		if w.Header().Get(name) != value {
			t.Errorf("%v: %s is %q", c.err, name, w.Header().Get(name))
		}
		// What a client is not told, the log is, under the same id.
		if logged := strings.Contains(log.String(), "the-request"); logged != (c.status >= 500) {
			t.Errorf("%v: logged: %s", c.err, &log)
		}
		if strings.Contains(body, "/secret/path") {
			t.Errorf("the client is told: %s", body)
		}
	}
}

func TestPanicsAreAnswered(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{Authenticate: func(*http.Request) (*engine.Vault, engine.Actor, error) { panic("a defect") }})
	answer, body := k.do("", "GET", "/v1/me", nil, "X-Request-Id", "abc")
	if answer.StatusCode != 500 || !strings.Contains(body, neutral) || strings.Contains(body, "defect") {
		t.Error(answer.StatusCode, body)
	}
	log := k.log.String()
	for _, want := range []string{`"request":"abc"`, "a defect", "goroutine", `"status":500`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
}

// TestMessagesSayWhatToDoNext holds the texts of the table to a minimum.
func TestMessagesSayWhatToDoNext(t *testing.T) {
	t.Parallel()
	for _, row := range errorTable {
		if row.message != "%s" && !strings.Contains(row.message, ";") {
			t.Errorf("%s: %q does not say what to do next", row.code, row.message)
		}
	}
}
