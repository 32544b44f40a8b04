package engine_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// publicKey makes a key pair and returns the public one, in PEM.
func publicKey(t testing.TB) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// Public keys of pairs whose private ones are nowhere, for where they are only kept.
const (
	keyOfClients = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA22DNsa6aUFYVGn0s183W
qm8CWRJq+yjcDAFMvqDEBaxInJL0GLOWUTFUTlWeO0D9ZMCbyHxqM+Q5E29xwO05
4xL8y5Fm3jK4OXxVklZELKvEjoLtUO4NlUk+FoZ5jnyLVtbIEfOpIep6vAW4YcbG
BOQqehWRjK6Ma4Q5MdjmfvOpwAkZpKiG3oly19XQpoXd1aE1OH4NHQiZ9Vb08fAx
qeMf3N5i/b4BkrDBiyEoMFFekhEgkfreLIA0UnaL899K0UNANQULI7d5x+dTqrfN
9qlOwhJ5kBhi62ezxJAbiWoEKIGzaGKghCMGd+J74uU8oZIfG+7qEIL4vLHdXKi5
mwIDAQAB
-----END PUBLIC KEY-----
`
	otherKeyOfClients = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr294oZxabkF83Ful3eWd
h2MlZv1uEvUelHGw7SMRtKsFBZWlq+K4M7JhaeZ4GgIb87BV6M1FBTEBQJLM0ZDy
Tn1z94F3lI/zMNP4HW1XxXUAAFgTkUSPH1RT6U6zdiw80LosyumVMs4yc0qTgH0n
IKfPpMxTolnad9iwsi7BP5YKl+n7AnV4UEJXbpAEriKSmecBEBAbANk4TzQo3RnM
abR40RTb3L+xC0YMmlVQPQr0/1nWa1xd1uSssri5jgPZ7KdOAEwOTwuLrGk8EwKK
3/dkYMdiwSfH/WBl3VE41v8mjCxMqpkz/2IOtd+XqFoRHr4ZhM0XcSp3DL10k1zf
JQIDAQAB
-----END PUBLIC KEY-----
`
)

func makeClient(k *enginetest.Kit, n engine.NewClient) (engine.Client, string) {
	k.TB.Helper()
	c, secret, _, err := k.CreateClient(k.TB.Context(), k.Admin, n)
	must(k.TB, err)
	return c, secret.Reveal()
}

// clientOf makes clients of all kinds, and returns the one that is tampered with.
func clientOf(t *testing.T, k *enginetest.Kit, userID string) engine.Client {
	t.Helper()
	ctx := t.Context()
	closed, _ := makeClient(k, engine.NewClient{Name: "gone", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: userID})
	_, _, err := k.CloseClient(ctx, k.Admin, closed.ID, engine.Condition{})
	must(t, err)
	c, _ := makeClient(k, engine.NewClient{
		Name: "before", Grants: []engine.Grant{engine.GrantAuthorizationCode, engine.GrantJWTBearer, engine.GrantRefreshToken},
		UserID: userID, Impersonates: true, RedirectURIs: []string{"https://app.example.com/cb"}, PublicKey: publicKey(t),
	})
	name, narrower := "ERP", engine.AccessView
	_, _, err = k.UpdateClient(ctx, k.Admin, c.ID, engine.Condition{}, engine.ClientPatch{Name: &name, Access: &narrower})
	must(t, err)
	c, _, _, err = k.RotateClient(ctx, k.Admin, c.ID, engine.Condition{})
	must(t, err)
	return c
}

// clients tampers with each member of a record.
func (e *evidence) clients(t *testing.T) (list []tamper) {
	const state = engine.CodeState
	key := engine.KeyOf(e.client.ID)
	for name, change := range map[string]func(*engine.StoredClient){
		"another name":        func(c *engine.StoredClient) { c.Name = "CRM" },
		"another grant":       func(c *engine.StoredClient) { c.Grants[0] = engine.GrantClientCredentials },
		"a grant less":        func(c *engine.StoredClient) { c.Grants = c.Grants[1:] },
		"wider access":        func(c *engine.StoredClient) { c.Access = engine.AccessAdmin },
		"another user":        func(c *engine.StoredClient) { c.UserID = engine.NewID() },
		"impersonating":       func(c *engine.StoredClient) { c.Impersonates = false },
		"another redirect":    func(c *engine.StoredClient) { c.RedirectURIs = []string{"https://evil.example.com/"} },
		"another public key":  func(c *engine.StoredClient) { c.SetKey(publicKey(t)) },
		"no public key":       func(c *engine.StoredClient) { c.SetKey("") },
		"another secret":      func(c *engine.StoredClient) { c.SetSecret() },
		"no secret":           func(c *engine.StoredClient) { c.HasSecret = false },
		"closed":              func(c *engine.StoredClient) { c.Status = engine.ClientClosed },
		"another time":        func(c *engine.StoredClient) { c.CreatedAt = c.CreatedAt.Add(1e6) },
		"another revision":    func(c *engine.StoredClient) { c.Revision++ },
		"a status of its own": func(c *engine.StoredClient) { c.Status = "open" },
	} {
		list = append(list, tamper{name: "client: " + name, code: state, db: edit("clients", key, func(_, value []byte) []byte {
			return engine.ChangeClient(e.client.ID, value, change)
		})})
	}
	return append(list,
		tamper{name: "no client", code: state, db: drop("clients", key)},
		tamper{name: "a client nobody made", code: state, db: func(b *bbolt.Tx) error {
			rows := b.Bucket([]byte("clients"))
			return rows.Put(engine.KeyOf(engine.NewID()), append([]byte(nil), rows.Get(key)...))
		}},
		tamper{name: "a client that cannot be read", code: state, db: put("clients", key, []byte{9})},
	)
}

func TestClientsAreChecked(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	code := []engine.Grant{engine.GrantAuthorizationCode}
	for field, n := range map[string]engine.NewClient{
		"name":            {Grants: code, RedirectURIs: []string{"https://a.example/"}},
		"grants":          {Name: "a"},
		"grants[0]":       {Name: "a", Grants: []engine.Grant{"password"}},
		"userId":          {Name: "a", Grants: []engine.Grant{engine.GrantClientCredentials}},
		"redirectUris":    {Name: "a", Grants: code},
		"redirectUris[0]": {Name: "a", Grants: code, RedirectURIs: []string{"http://app.example.com/cb"}},
		"publicKey":       {Name: "a", Grants: []engine.Grant{"jwt-bearer"}, UserID: k.Admin.UserID},
		"impersonates":    {Name: "a", Grants: code, RedirectURIs: []string{"https://a.example/"}, Impersonates: true},
	} {
		_, _, _, err := k.CreateClient(ctx, k.Admin, n)
		wantField(t, err, field)
	}
	for _, uri := range []string{"https://a.example/#x", "https://u:p@a.example/", "javascript:alert(1)", "data:text/html,x", "/cb", "", "https://", "http://localhost.evil.example/", "https://a.example/*", "https://a.example/;x", "file:///etc/passwd"} {
		_, _, _, err := k.CreateClient(ctx, k.Admin, engine.NewClient{Name: "a", Grants: code, RedirectURIs: []string{uri}})
		wantField(t, err, "redirectUris[0]")
	}
	for _, uri := range []string{"https://a.example/cb?x=1", "http://127.0.0.1:8400/cb", "http://[::1]/cb", "http://localhost:3000/", "com.example.app:/cb"} {
		makeClient(k, engine.NewClient{Name: "a", Grants: code, RedirectURIs: []string{uri}})
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		_, _, _, err = k.CreateClient(ctx, k.Admin, engine.NewClient{Name: "a", Grants: []engine.Grant{"jwt-bearer"}, UserID: k.Admin.UserID,
			PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&small.PublicKey)}))})
		wantField(t, err, "publicKey")
	}
	c, secret := makeClient(k, engine.NewClient{Name: "a", Grants: []engine.Grant{"jwt-bearer"}, UserID: k.Admin.UserID, PublicKey: publicKey(t)})
	if secret != "" || c.HasSecret || c.Grants[0] != engine.GrantJWTBearer {
		t.Errorf("a client that signs: %+v, %q", c, secret)
	}
}

// TestWhoActsByAClientIsJudgedAnew: whatever ends or narrows a client, or its user,
// holds in the transaction of the next change.
func TestWhoActsByAClientIsJudgedAnew(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	her, _ := k.Person("Grace", engine.AccessUpload)
	other, _ := k.Person("Alan", engine.AccessUpload)
	c, secret := makeClient(k, engine.NewClient{
		Name: "ERP", Grants: []engine.Grant{engine.GrantClientCredentials, engine.GrantJWTBearer}, UserID: her.UserID,
		Impersonates: true, PublicKey: publicKey(t),
	})
	if _, err := k.AuthenticateClient(ctx, c.ID, secret); err != nil {
		t.Error(err)
	}
	for id, s := range map[string]string{c.ID: secret + "x", engine.NewID(): secret, "": secret, c.ID + " ": ""} {
		if _, err := k.AuthenticateClient(ctx, id, s); !errors.Is(err, engine.ErrInvalidToken) {
			t.Errorf("%q: %v", s, err)
		}
	}
	doc := k.Create("d", "t")
	act := func(user string, by engine.Grant) error {
		_, _, err := k.CreateObligation(ctx, engine.Actor{UserID: user, ClientID: c.ID, Grant: by, Access: engine.AccessAdmin},
			engine.NewObligation{Title: "x", DocumentID: doc.ID, OwnerID: user, DueDate: due(t, "2099-01-01")})
		return err
	}
	must(t, act(her.UserID, engine.GrantClientCredentials))
	page, err := k.Entries(ctx, engine.EntryQuery{Op: audit.OpObligationCreated})
	must(t, err)
	if e := page.Items[0]; e.Key != c.ID || e.Actor != her.UserID {
		t.Errorf("the entry has actor %s and key %s", e.Actor, e.Key)
	}
	must(t, act(other.UserID, engine.GrantJWTBearer))
	refused := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another user by client_credentials", act(other.UserID, engine.GrantClientCredentials), engine.ErrTokenRevoked)
	for _, nobody := range []string{"operator", "system"} {
		refused("as "+nobody, act(nobody, engine.GrantJWTBearer), engine.ErrInvalidToken)
	}
	k.NoteFailedSignIn(engine.ClientName(k.Name(), c.ID), "192.0.2.1", engine.ErrInvalidToken)
	must(t, k.RecordFailedSignIns(ctx))
	page, err = k.Entries(ctx, engine.EntryQuery{Op: audit.OpSigninFailed})
	must(t, err)
	of, _ := page.Items[0].Facts["client"].AsText()
	if why, _ := page.Items[0].Facts["reason"].AsText(); of != c.ID || why != "wrong" {
		t.Errorf("the entry of a wrong secret is about %q, %q", of, why)
	}
	refused("a code", act(her.UserID, engine.GrantAuthorizationCode), engine.ErrTokenRevoked)
	change := func(p engine.ClientPatch) {
		t.Helper()
		_, _, err := k.UpdateClient(ctx, k.Admin, c.ID, engine.Condition{}, p)
		must(t, err)
	}
	off, view, upload := false, engine.AccessView, engine.AccessUpload
	change(engine.ClientPatch{Impersonates: &off})
	refused("impersonating no more", act(other.UserID, engine.GrantJWTBearer), engine.ErrTokenRevoked)
	change(engine.ClientPatch{Access: &view})
	refused("narrowed", act(her.UserID, engine.GrantClientCredentials), engine.ErrLacksPermission)
	change(engine.ClientPatch{Access: &upload})
	_, fresh, _, err := k.RotateClient(ctx, k.Admin, c.ID, engine.Condition{})
	must(t, err)
	_, err = k.AuthenticateClient(ctx, c.ID, secret)
	refused("the secret of before", err, engine.ErrInvalidToken)
	_, _, err = k.CloseClient(ctx, k.Admin, c.ID, engine.Condition{})
	must(t, err)
	refused("closed", act(her.UserID, engine.GrantClientCredentials), engine.ErrTokenRevoked)
	_, err = k.AuthenticateClient(ctx, c.ID, fresh.Reveal())
	refused("the secret of a closed one", err, engine.ErrTokenRevoked)
	_, receipt, err := k.CloseClient(ctx, k.Admin, c.ID, engine.Condition{})
	if err != nil || receipt.Seq != 0 {
		t.Errorf("closed again: %v, %v", receipt, err)
	}
	active := engine.ClientActive
	_, _, err = k.UpdateClient(ctx, k.Admin, c.ID, engine.Condition{}, engine.ClientPatch{Status: &active})
	wantField(t, err, "status")
	_, _, err = k.UpdateClient(ctx, k.Admin, c.ID, engine.Condition{}, engine.ClientPatch{Impersonates: new(true)})
	wantField(t, err, "id")
}

// An auditor who acts by a client stays one: neither of the two makes an admin of
// the other, and a client for uploads leaves an auditor the view.
func TestAuditorsByAClient(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	auditor, _ := k.Person("Ada", engine.AccessAuditor)
	for _, c := range []struct{ user, client, want engine.Access }{
		{engine.AccessAuditor, engine.AccessNone, engine.AccessAuditor},
		{engine.AccessAuditor, engine.AccessAdmin, engine.AccessAuditor},
		{engine.AccessAuditor, engine.AccessUpload, engine.AccessView},
		{engine.AccessAdmin, engine.AccessAuditor, engine.AccessAuditor},
	} {
		as := k.Admin
		if c.user == engine.AccessAuditor {
			as = auditor
		}
		made, _ := makeClient(k, engine.NewClient{Name: "a", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: as.UserID, Access: c.client})
		_, actor, err := k.Admit(t.Context(), engine.Actor{UserID: as.UserID, ClientID: made.ID, Access: engine.AccessAdmin})
		if err != nil || actor.Access != c.want {
			t.Errorf("%s by a client with %s: %s, %v, not %s", c.user, c.client, actor.Access, err, c.want)
		}
	}
	_, _, _, err := k.CreateClient(t.Context(), k.Admin, engine.NewClient{Name: "a", Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: k.Admin.UserID, Access: 5})
	wantField(t, err, "access")
}

// A client that was closed since, or has another secret, works no more after a
// restore; one that was narrowed stays so.
func TestRestoreEndsClients(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	of := func(name string) engine.Client {
		c, _ := makeClient(k, engine.NewClient{Name: name, Grants: []engine.Grant{engine.GrantClientCredentials}, UserID: k.Admin.UserID})
		return c
	}
	closed, rotated, narrowed := of("closed"), of("rotated"), of("narrowed")
	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)
	_, _, err := k.CloseClient(ctx, k.Admin, closed.ID, engine.Condition{})
	must(t, err)
	_, _, _, err = k.RotateClient(ctx, k.Admin, rotated.ID, engine.Condition{})
	must(t, err)
	view, name := engine.AccessView, "renamed"
	_, _, err = k.UpdateClient(ctx, k.Admin, narrowed.ID, engine.Condition{}, engine.ClientPatch{Access: &view, Name: &name})
	must(t, err)
	made := of("made since")
	r, told := restoredWith(t, k, to, exportSince(t, k, 0))
	for id, want := range map[string]engine.ClientStatus{closed.ID: engine.ClientClosed, rotated.ID: engine.ClientClosed, narrowed.ID: engine.ClientActive} {
		if c, err := r.Client(ctx, id); err != nil || c.Status != want {
			t.Errorf("%s: %s, %v", c.Name, c.Status, err)
		}
	}
	if c, _ := r.Client(ctx, narrowed.ID); c.Access != engine.AccessView || c.Name != "narrowed" {
		t.Errorf("narrowed: %+v", c)
	}
	lost := lostOf(told)
	for _, id := range []string{rotated.ID, narrowed.ID, made.ID} {
		if !strings.Contains(lost, id) {
			t.Errorf("not said of %s:\n%s", id, lost)
		}
	}
}
