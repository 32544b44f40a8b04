package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// elsewhere is an identity provider of another site, at which Iris has signed in.
type elsewhere struct {
	at, back string
}

func (*elsewhere) Name() string { return "id.example" }

func (e *elsewhere) Begin(context.Context) (to, keep string, err error) {
	return e.at + "/authorize?state=" + "s1", "s1", nil
}

func (*elsewhere) Finish(_ context.Context, keep string, query url.Values) (console.Proven, error) {
	if keep == "" || query.Get("state") != keep {
		return console.Proven{}, console.ErrMixedUp
	}
	return console.Proven{Identity: engine.Identity{Issuer: "https://id.example", Subject: "0815"}, Name: "Iris", Email: "iris@example.com",
		Access: map[string]engine.Access{"main": engine.AccessAdmin}}, nil
}

// TestPeopleComeThroughAnIdentityProvider of another site, and from then on an admin can
// close the pages to keys.
func TestPeopleComeThroughAnIdentityProvider(t *testing.T) {
	e := &elsewhere{}
	h := openHouse(t, vault(t), console.Options{Provider: e})
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/authorize") { // what a browser asks for by itself
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<title>id.example</title><a href="` + e.back + `?code=1&amp;state=` + url.QueryEscape(r.FormValue("state")) + `">I am Iris</a>`))
	}))
	t.Cleanup(provider.Close)
	e.at, e.back = strings.Replace(provider.URL, "127.0.0.1", "localhost", 1), h.url+console.Callback

	iris := h.tab(t, false)
	iris.open("retention")
	iris.says("Sign in with id.example", "or with an API key")
	iris.follow("Sign in with id.example")
	iris.follow("I am Iris")
	if at := iris.path(); at != "retention" {
		t.Errorf("she comes to %s:\n%s", at, iris.text())
	}
	iris.says("Every document is kept for ever", "Iris")
	iris.open("settings")
	iris.tick("People sign in to the console with an API key too")
	iris.follow("Save")
	iris.says("The settings are saved.")
	key := h.tab(t, false)
	key.open("/console/sign-in")
	key.fill("API key", h.Token)
	key.follow("Sign in")
	key.says("Keys do not open this vault's console")
	iris.follow("Users")
	iris.follow("Iris")
	iris.says("They come in through https://id.example", "0815")
	iris.follow("Sign out")
	iris.open("documents")
	iris.says("Sign in with id.example")
}
