package control

import (
	"bytes"
	"errors"
	"net/http"
	"path/filepath"
	"testing"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// TestEitherWay holds that a line to a server and one to a vault at rest come to the
// same: answers, refusals, and the routes that no other listener has.
func TestEitherWay(t *testing.T) {
	at := datadir.Place{Data: t.TempDir(), Vault: "main"}
	if _, err := datadir.Create(t.Context(), at, engine.NewUser{Name: "Ada", Access: engine.AccessAdmin}); err != nil {
		t.Fatal(err)
	}
	atRest := askAll(t, at)

	v, err := datadir.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	socket, err := Listen(at.Data)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: New(map[string]*engine.Vault{"main": v}, httpapi.Options{})}
	ended := make(chan struct{})
	go func() { defer close(ended); server.Serve(socket) }()
	if served := askAll(t, at); !bytes.Equal(served, atRest) {
		t.Errorf("at rest\n%s\nserved\n%s", atRest, served)
	}

	// A vault that the server has not got is looked for at rest.
	other := datadir.Place{Data: at.Data, Vault: "legal"}
	if _, err := datadir.Create(t.Context(), other, engine.NewUser{Name: "Grace", Access: engine.AccessAdmin}); err != nil {
		t.Fatal(err)
	}
	askAll(t, other)
	server.Close()
	<-ended

	// Somebody has the vault, and nobody answers.
	if _, err := Open(t.Context(), at, httpapi.Build{}); !errors.Is(err, engine.ErrVaultInUse) {
		t.Error(err)
	}
	if err := v.Close(); err != nil {
		t.Error(err)
	}
}

// askAll uses a line in every way, and returns what the vault's users are.
func askAll(t *testing.T, at datadir.Place) []byte {
	t.Helper()
	line, err := Open(t.Context(), at, httpapi.Build{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := line.Close(); err != nil {
			t.Error(err)
		}
	}()
	users, err := line.List(t.Context(), "/v1/users")
	if err != nil || len(users) != 1 {
		t.Fatalf("%s, %v", users, err)
	}
	err = line.Call(t.Context(), "GET", "/v1/users/nobody", nil, nil)
	if refused, ok := errors.AsType[*Refusal](err); !ok || refused.Status != http.StatusNotFound || refused.Code == "" {
		t.Errorf("a user who is not there: %v", err)
	}
	log, err := line.Stream(t.Context(), "/v1/audit/export")
	if err != nil {
		t.Fatal(err)
	}
	log.Close()
	if list, err := line.Examine(t.Context()); err != nil || len(list) == 0 {
		t.Errorf("%v, %v", list, err)
	}
	to := filepath.Join(t.TempDir(), "medium")
	if made, err := line.Backup(t.Context(), to, 0, false, func(int64, int64) {}); err != nil || made == nil || made.Documents != 0 {
		t.Errorf("%+v, %v", made, err)
	}
	if _, err := line.Backup(t.Context(), "relative", 0, false, func(int64, int64) {}); err == nil {
		t.Error("a backup to a relative path")
	}
	return users[0]
}
