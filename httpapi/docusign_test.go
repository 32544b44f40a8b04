package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"strongroom/engine"
)

// TestDocuSignMounted: below a prefix, and with the host's own people, DocuSign's
// clients find all they need from userinfo on.
func TestDocuSignMounted(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	main := k.vaults["main"]
	grace, _ := main.Person("Grace", engine.AccessUpload)
	doc := main.Create("lease.txt", "The lease.")
	for _, public := range []string{"", "https://documents.example.com"} {
		s := New(map[string]*engine.Vault{"main": main.Vault}, Options{
			Prefix: "/vault", PublicURL: public, AllowedHosts: []string{"example.com"},
			Authenticate: func(r *http.Request) (*engine.Vault, engine.Actor, error) {
				if r.Header.Get("Cookie") != "session=grace" {
					return nil, engine.Actor{}, engine.ErrInvalidToken
				}
				return main.Vault, engine.Actor{UserID: grace.UserID, Access: engine.AccessAdmin}, nil
			},
		})
		send := func(method, path, cookie string, header ...string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Cookie", cookie)
			for i := 0; i < len(header); i += 2 {
				r.Header.Set(header[i], header[i+1])
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			return w
		}
		var who UserInfo
		if err := json.Unmarshal(send("GET", "/vault/oauth/userinfo", "session=grace").Body.Bytes(), &who); err != nil || len(who.Accounts) != 1 {
			t.Fatal(err, who)
		}
		want := public
		if want == "" {
			want = "http://example.com"
		}
		if who.Name != "Grace" || who.Accounts[0].BaseURI != want+"/vault" {
			t.Errorf("%+v", who)
		}
		path := "/vault/restapi/v2.1/accounts/" + who.Accounts[0].AccountID + "/envelopes/" + uuid(doc.ID) + "/lock"
		var lock LockInformation
		w := send("POST", path, "session=grace")
		if err := json.Unmarshal(w.Body.Bytes(), &lock); err != nil || w.Code != 201 || lock.LockToken == "" || strings.Contains(w.Body.String(), "://") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := send("DELETE", path, "session=grace", "X-DocuSign-Edit", `{"LockToken":"`+lock.LockToken+`"}`); w.Code != 200 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := send("GET", path, "session=alan", "Accept", "application/xml"); w.Code != 401 || !strings.Contains(w.Body.String(), "<errorCode>AUTHORIZATION_INVALID_TOKEN</errorCode>") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		// What is not below the prefix is not this server's, in no dress.
		if w := send("GET", strings.TrimPrefix(path, "/vault"), "session=grace"); w.Code != 404 || !strings.Contains(w.Body.String(), `"requestId"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		if w := send("GET", "/vault/restapi/v2.1/accounts//envelopes", "session=grace"); w.Code != 404 || strings.Contains(w.Body.String(), `"requestId"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	}
}

// TestDocuSignStatuses: no status DocuSign's API does not know, whatever went
// wrong, and no body but a code and a message.
func TestDocuSignStatuses(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/restapi/v2.1/accounts/main/envelopes/x/lock", "/v2.1/accounts/main/templates/x/lock"} {
		for _, row := range errorTable {
			s := New(nil, Options{})
			w := httptest.NewRecorder()
			x := &exchange{ResponseWriter: w, server: s, id: "the-request", dress: dressOf(path, nil)}
			s.fail(x, httptest.NewRequest("GET", path, nil), row.is)
			switch w.Code {
			case 403, 409, 410, 412, 422, 423:
				t.Errorf("%v: %d", row.is, w.Code)
			}
			var body map[string]string
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || len(body) != 2 || body["errorCode"] == "" || body["message"] == "" {
				t.Errorf("%v: %s", row.is, w.Body)
			}
			if strings.Contains(body["message"], "details") {
				t.Errorf("%v: there are no details: %s", row.is, body["message"])
			}
		}
	}
}
