package browser

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
	"strongroom/httpapi/signin"
)

// TestWhatIsOnesOwn ends an obligation, an address and a consent of one's own: what was
// given to programs works before, and does not after.
func TestWhatIsOnesOwn(t *testing.T) {
	thorough(t)
	kit := vault(t)
	vaults := map[string]*engine.Vault{"main": kit.Vault}
	signIn := signin.New(vaults, signin.Options{Dir: func(string) string { return kit.Dir }, Consent: console.Consent, Logger: zerolog.Nop()})
	t.Cleanup(func() {
		if err := signIn.Close(); err != nil {
			t.Error(err)
		}
	})
	h := openHouse(t, kit, console.Options{Programs: signIn})
	api := httpapi.New(vaults, httpapi.Options{Tokens: signIn, Logger: zerolog.Nop()})
	h.rest = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if signIn.Serves(r.URL.Path) {
			signIn.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
	d := h.Create("lease.txt", "the lease")
	ulla := h.as(t, "Ulla Uploader", engine.AccessUpload, false)

	today := time.Now().UTC()
	for _, title := range []string{"Renew the lease", "Visit the tenant"} {
		ulla.open("obligations/new?document=" + d.ID)
		ulla.fill("What is to be done", title)
		ulla.puts("Due on", today.Format(time.DateOnly))
		ulla.follow("Make it")
		ulla.says(title)
	}
	ulla.open("obligations")
	if on := get[string](ulla, "[...document.querySelectorAll('.calendar td')].filter(e => e.innerText.includes('Renew the lease')).map(e => e.querySelector('.heard').textContent).join()"); !strings.Contains(on, ", today") {
		t.Errorf("in the month's calendar it stands on %q", on)
	}
	ulla.follow("Next month")
	ulla.says("Nothing is due in this month.")
	ulla.open("me")
	ulla.follow("Make an address")
	address := ulla.secret()
	reads := func(status int) string {
		t.Helper()
		answer, err := http.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != status {
			t.Fatalf("%s: %s %s %v", address, answer.Status, text, err)
		}
		return string(text)
	}
	if feed := reads(200); strings.Count(feed, "BEGIN:VEVENT") != 2 || !strings.Contains(feed, "Renew the lease") || !strings.Contains(feed, today.Format("20060102")) {
		t.Errorf("the calendar is\n%s", feed)
	}
	ulla.open("obligations/list")
	ulla.follow("Visit the tenant")
	ulla.click("Delete…")
	ulla.says("Was it done? Then complete it instead.")
	ulla.follow("Delete the obligation")
	ulla.says("“Visit the tenant” is deleted")
	ulla.open("obligations/list")
	ulla.says("Renew the lease")
	ulla.lacks("Visit the tenant")
	if feed := reads(200); strings.Contains(feed, "Visit") || !strings.Contains(feed, "Renew the lease") {
		t.Errorf("the calendar is\n%s", feed)
	}
	ulla.open("me")
	ulla.click("End it")
	ulla.until("the end of the address", "document.body.innerText.includes('The address of your calendar is ended')")
	reads(404)
	ulla.endsConsent()
}

// endsConsent lets a program act for her, and then no more.
func (b *tab) endsConsent() {
	b.Helper()
	p := newProgram(b.T, b.h)
	b.open(p.asks)
	b.says("Let Scanner act for you?", "read documents, and change nothing")
	b.follow("Let it")
	b.says("Scanner can begin")
	if status := p.works(b.T); status != 200 {
		b.Fatalf("the program is answered %d", status)
	}
	b.open("me")
	b.says("Programs that act for me", "Scanner", "view")
	b.leads(func() { b.clicksOn(heard, "End it: Scanner", 1) })
	b.says("It can act for you no more")
	b.lacks("Programs that act for me")
	if status := p.works(b.T); status != 401 {
		b.Errorf("the program is answered %d after its end", status)
	}
}

// program is one of another site, which asks people to let it act for them.
type program struct {
	h     *house
	asks  string // the address below the house's with which it begins
	token string
}

func newProgram(t *testing.T, h *house) *program {
	t.Helper()
	p := &program{h: h}
	verifier := strings.Repeat("v", 43)
	var client engine.Client
	var secret engine.Secret
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/back" { // what a browser asks for by itself
			http.NotFound(w, r)
			return
		}
		form := url.Values{"grant_type": {"authorization_code"}, "code": {r.FormValue("code")}, "redirect_uri": client.RedirectURIs, "code_verifier": {verifier}, "client_id": {client.ID}, "client_secret": {secret.Reveal()}}
		answer, err := http.PostForm(h.url+"/oauth/token", form)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
		var got struct {
			AccessToken string `json:"access_token"`
		}
		err = json.NewDecoder(answer.Body).Decode(&got)
		p.token = got.AccessToken
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<title>Scanner</title><p>Scanner can begin: %s %v", answer.Status, err)
	}))
	t.Cleanup(server.Close)
	var err error
	if client, secret, _, err = h.CreateClient(t.Context(), h.Admin, engine.NewClient{Name: "Scanner", Grants: []engine.Grant{engine.GrantAuthorizationCode}, RedirectURIs: []string{server.URL + "/back"}, Access: engine.AccessView}); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(verifier))
	p.asks = "/oauth2/authorize?" + url.Values{"response_type": {"code"}, "client_id": {client.ID}, "redirect_uri": client.RedirectURIs, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}.Encode()
	return p
}

// works asks for who it is, with its token.
func (p *program) works(t *testing.T) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.h.url+"/v1/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+p.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}
