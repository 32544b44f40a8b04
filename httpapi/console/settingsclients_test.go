package console

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"regexp"
	"strings"
	"testing"

	"strongroom/engine"
)

var shownSecret = regexp.MustCompile(`class="secret"[^>]*>([^<]+)<`)

func TestClientsAreRegisteredChangedAndClosed(t *testing.T) {
	k := newKit(t)
	robot, _ := k.Person("Scan Robot", engine.AccessUpload)
	const clients = "/console/main/settings/clients"
	b := k.admin()
	b.get(clients).ok(clients).says("No program signs in here", "gives out no tokens")
	b.submit(clients+"/add", "name", "Scanner").is(400).says("How it signs in", "must name one at least")
	made := b.submit(clients+"/add", "name", "Scanner", "grant.client_credentials", "on", "userId", robot.UserID).is(200).says("The secret of the client", "Scanner", "shown once")
	secret := shownSecret.FindStringSubmatch(made.HTML)
	found, err := k.Clients(t.Context(), engine.Paging{})
	if err != nil || len(found.Items) != 1 || secret == nil {
		t.Fatalf("%+v, %v, the secret %q", found.Items, err, secret)
	}
	c := found.Items[0]
	if _, err := k.AuthenticateClient(t.Context(), c.ID, secret[1]); err != nil || c.Access != engine.AccessUpload {
		t.Errorf("%v, access %s", err, c.Access)
	}
	made.says(c.ID)
	at := clients + "/" + c.ID
	b.get(clients).says("Scanner", "Scan Robot", "Works").lacks(secret[1])
	b.get(at).says("It acts as Scan Robot", "/oauth/token").lacks(secret[1], "/oauth2/authorize")

	old := b.get(at)
	b.get(at)
	b.submit(at+"/change", "name", "Scanner of the mail room", "grant.authorization_code", "on", "redirectUris", "https://a.example/back\r\nhttps://b.example/back").ok(at).says("is changed", "/oauth2/authorize")
	if c, err = k.Client(t.Context(), c.ID); err != nil || len(c.RedirectURIs) != 2 || len(c.Grants) != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	b.last = old
	b.submit(at+"/change", "name", "Mine").is(409).says("Somebody else changed this meanwhile", "Now: Scanner of the mail room")
	b.get(at)
	b.submit(at+"/change", "redirectUris", "http://a.example/back").is(400).says("Where people come back to", "https://")

	b.get(at)
	another := shownSecret.FindStringSubmatch(b.submit(at + "/rotate").is(200).HTML)
	if _, err := k.AuthenticateClient(t.Context(), c.ID, secret[1]); err == nil || another == nil {
		t.Error("the old secret works on")
	}
	b.get(at)
	b.submit(at+"/close").ok(clients).says("is closed", "Closed")
	b.get(at).says("Closed for good").withholds(at+"/close", at+"/rotate")
	if _, err := k.AuthenticateClient(t.Context(), c.ID, another[1]); err == nil {
		t.Error("a closed client signs in")
	}
	b.get(clients + "/nothing").is(404).says("There is no such client")
}

// One that only signs has no secret to show, and is told by its key.
func TestAClientThatSignsHasNoSecret(t *testing.T) {
	k := newKit(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	b := k.admin()
	b.get("/console/main/settings/clients")
	b.submit("/console/main/settings/clients/add", "name", "Signer", "grant."+string(engine.GrantJWTBearer), "on", "userId", k.Admin.UserID,
		"publicKey", strings.ReplaceAll(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "\n", "\r\n")).is(200).says("needs no secret", "BEGIN PUBLIC KEY").lacks("Another secret")
}

// A client that acts as another admin is asked for, and its secret is shown to who
// approves it.
func TestAClientThatActsAsAnotherAdminNeedsTwo(t *testing.T) {
	k := newKit(t)
	other, token := k.Person("Bert Both", engine.AccessAdmin)
	two := []engine.Covered{engine.CoveredErasure}
	if _, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{TwoPersons: &two}); err != nil {
		t.Fatal(err)
	}
	b := k.admin()
	b.get("/console/main/settings/clients").says("needs two persons")
	asked := b.submit("/console/main/settings/clients/add", "name", "Robot", "grant.client_credentials", "on", "userId", other.UserID).is(200).says("Make a client that acts as others", "Bert Both")
	if found, _ := k.Clients(t.Context(), engine.Paging{}); len(found.Items) != 0 {
		t.Fatal("it is there already")
	}
	bert := k.signedIn(token)
	bert.get(asked.Path)
	approved := bert.submit(asked.Path+"/approve").is(200).says("The secret of the client", "Robot")
	found, _ := k.Clients(t.Context(), engine.Paging{})
	if secret := shownSecret.FindStringSubmatch(approved.HTML); len(found.Items) != 1 || secret == nil {
		t.Errorf("%+v, %q", found.Items, secret)
	} else if _, err := k.AuthenticateClient(t.Context(), found.Items[0].ID, secret[1]); err != nil {
		t.Error(err)
	}
}
