package httpapi

import (
	"net/http"
	"strings"
	"testing"
)

// An admin links a user to whom a provider knows, and ends that; half a link is refused.
func TestIdentityOfAUser(t *testing.T) {
	k := newKit(t, Options{})
	_, text := k.do("admin", http.MethodPost, "/v1/users", strings.NewReader(`{"name": "Zoe", "access": "view"}`), "Content-Type", "application/json")
	_, rest, _ := strings.Cut(text, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	for _, c := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"identity": {"issuer": "https://id.example.com", "subject": "zoe"}}`, 200, `"identity":{"issuer":"https://id.example.com","subject":"zoe"}`},
		{`{"identity": {}}`, 400, "identity"},
		{`{"identity": {"issuer": "https://id.example.com"}}`, 400, "identity.subject"},
		{`{"name": "Zoë"}`, 200, `"subject":"zoe"`},
		{`{"identity": null}`, 200, `"identity":null`},
	} {
		answer, text := k.do("admin", http.MethodPatch, "/v1/users/"+id, strings.NewReader(c.body), "Content-Type", "application/json")
		if answer.StatusCode != c.status || !strings.Contains(text, c.want) {
			t.Errorf("%s: %d %s", c.body, answer.StatusCode, text)
		}
	}
}
