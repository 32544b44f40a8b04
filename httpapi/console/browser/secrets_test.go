package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/engine"
	"strongroom/engine/webhook"
	"strongroom/httpapi"
	"strongroom/httpapi/console"
)

// TestASecretIsShownOnceAndADoubleClickMakesOne makes a key, which opens the console,
// and a client.
func TestASecretIsShownOnceAndADoubleClickMakesOne(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	ada := h.tab(t, false).signIn(h.Token)
	ada.follow("Settings")
	ada.follow("API keys")
	ada.fill("Name", "scanner in the mail room")
	ada.follow("Make it")
	secret := ada.secret()
	ada.follow("I have copied it")
	ada.says("scanner in the mail room")
	ada.hides(secret)
	h.tab(t, false).signIn(secret)

	ada.fill("Name", "made twice")
	ada.leads(func() { ada.clicks("Make it", 2) })
	ada.open("settings/keys")
	if n := strings.Count(ada.text(), "made twice"); n != 1 {
		t.Errorf("%d keys of a double click", n)
	}

	ada.follow("Clients")
	ada.fill("Name", "Robot")
	ada.tick("By itself, with its secret")
	ada.choose("Acts as", "Ada Admin")
	ada.follow("Register it")
	secret = ada.secret()
	ada.follow("I have copied it")
	ada.says("Robot", "It acts as Ada Admin")
	ada.hides(secret)
	ada.follow("Make another secret")
	if another := ada.secret(); another == secret {
		t.Error("it is the same secret")
	}
	ada.follow("I have copied it")
	ada.follow("Close Robot")
	ada.says("is closed", "Closed")
}

// TestAWebhookIsTriedAndTold makes one for a program that is there, and for one that
// refuses what it is sent.
func TestAWebhookIsTriedAndTold(t *testing.T) {
	kit := vault(t)
	loopback := netip.MustParsePrefix("127.0.0.0/8")
	deliverer, err := webhook.Open(kit.Vault, t.TempDir(), webhook.Options{Allow: []netip.Prefix{loopback}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { deliverer.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait(); deliverer.Close() })
	h := openHouse(t, kit, console.Options{Deliveries: map[string]httpapi.Deliverer{"main": deliverer}})
	var refuses atomic.Bool
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if refuses.Load() {
			w.WriteHeader(http.StatusTeapot)
		}
	}))
	t.Cleanup(receiver.Close)

	ada := h.tab(t, false).signIn(h.Token)
	ada.open("settings/webhooks")
	ada.says("Nobody is told")
	ada.fill("Address", receiver.URL+"/events")
	ada.fill("Events", "document.created")
	ada.follow("Make it")
	secret := ada.secret()
	ada.follow("I have copied it")
	ada.hides(secret)
	ada.follow("Send a test")
	ada.says("The test was delivered: the endpoint answered 200 OK")
	refuses.Store(true)
	ada.follow("Send a test")
	ada.says("The test was not delivered", "418")
	refuses.Store(false)
	h.Create("lease.txt", "the lease")
	for range 200 {
		if strings.Contains(ada.text(), "document.created entry") {
			break
		}
		ada.reload()
	}
	ada.says("document.created", "Delivered")
	ada.follow("Send again")
	ada.says("was delivered")
	ada.follow("Rotate the secret")
	if another := ada.secret(); another == secret {
		t.Error("it is the same secret")
	}
	ada.follow("I have copied it")
	ada.follow("Delete the webhook")
	ada.says("is deleted", "Nobody is told")
}

// TestMeHasSessionsKeysAndACalendar as an uploader.
func TestMeHasSessionsKeysAndACalendar(t *testing.T) {
	thorough(t)
	h := newHouse(t)
	_, token := h.Person("Ulla Uploader", engine.AccessUpload)
	ulla, elsewhere := h.tab(t, false).signIn(token), h.tab(t, false).signIn(token)
	ulla.follow("Ulla Uploader")
	ulla.says("My sessions", "this one", "My keys", "My calendar", "access: upload")
	ulla.follow("End all but this one")
	elsewhere.open("documents")
	elsewhere.says("Sign in")
	ulla.follow("Make an address")
	calendar := ulla.secret()
	if !strings.Contains(calendar, "/v1/obligations/calendar.ics?token=") {
		t.Errorf("the address is %s", calendar)
	}
	ulla.open("me")
	ulla.hides(calendar)
	ulla.click("Rotate…")
	ulla.follow("Make the new key")
	another := ulla.secret()
	h.tab(t, false).signIn(another)
	ulla.follow("I have copied it")
	ulla.hides(another)
	ulla.follow("Sign out")
	ulla.open("me")
	ulla.says("Sign in")
}
