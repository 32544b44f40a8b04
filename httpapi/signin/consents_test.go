package signin

import (
	"strings"
	"testing"
	"time"

	"strongroom/engine"
)

// What a person said yes to stands on her page, hers alone, and ends there at once.
func TestConsentsAreSeenAndEnded(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	c, secret := k.app(engine.GrantRefreshToken)
	grace, key := k.main.Person("Grace", engine.AccessUpload)
	_, others := k.main.Person("Otto", engine.AccessUpload)
	b := k.browser()
	ask := "/oauth/auth?response_type=code&scope=upload&client_id=" + c.ID
	exchange := func(code string) (access, refresh string) {
		t.Helper()
		return k.token("grant_type", "authorization_code", "code", code, "client_id", c.ID, "client_secret", secret).tokens()
	}
	access, refresh := exchange(b.consent(ask, key).Get("code"))
	again, _ := exchange(b.say(b.get(ask), "yes").at.Query().Get("code"))
	his, _ := exchange(k.browser().consent(ask, others).Get("code"))
	page := b.get("/console/main/me")
	if strings.Count(page.html, "<b>Contract &lt;editor&gt;</b>") != 1 || !strings.Contains(page.html, "/console/main/me/consents/end") {
		t.Fatalf("%s", page.html)
	}
	if list, err := k.signIn.Consents(t.Context(), k.main.Vault, grace.UserID); err != nil || len(list) != 1 || list[0].Access != engine.AccessUpload || time.Until(list[0].Until) < 24*time.Hour {
		t.Errorf("%+v, %v", list, err)
	}
	if p := b.do("POST", "/console/main/me/consents/end", pairs("client", c.ID)); p.status != 200 || strings.Contains(p.html, "<b>Contract") || !strings.Contains(p.html, "no more") {
		t.Errorf("%d %s", p.status, p.html)
	}
	k.works(access, 401, "AUTHORIZATION_TOKEN_REVOKED")
	k.works(again, 401, "AUTHORIZATION_TOKEN_REVOKED")
	k.works(his, 200, "")
	k.token("grant_type", "refresh_token", "refresh_token", refresh, "client_id", c.ID, "client_secret", secret).refused(400, invalidGrant)
	if list, err := k.signIn.Consents(t.Context(), k.main.Vault, grace.UserID); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	access, _ = exchange(b.say(b.get(ask), "yes").at.Query().Get("code")) // it may ask again
	k.works(access, 200, "")
	k.passes(60 * 24 * time.Hour)
	if list, err := k.signIn.Consents(t.Context(), k.main.Vault, grace.UserID); err != nil || len(list) != 0 {
		t.Errorf("long after: %+v, %v", list, err)
	}
}
