package httpapi_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi"
)

// A program that has people of its own mounts a vault below one of its paths
// and says itself who asks.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "vault")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	vault, err := engine.Create(dir, engine.Options{Name: "acme"})
	if err != nil {
		log.Fatal(err)
	}
	defer vault.Close()

	// Whoever the program has let in is a user of the vault from then on.
	authenticate := func(r *http.Request) (*engine.Vault, engine.Actor, error) {
		email := r.Header.Get("X-Signed-In-As") // in earnest: from the session
		if email == "" {
			return nil, engine.Actor{}, engine.ErrInvalidToken
		}
		user, _, err := vault.EnsureUser(r.Context(), engine.System(), engine.NewUser{Name: email, Email: email, Access: engine.AccessUpload})
		return vault, engine.Actor{UserID: user.ID, Access: user.Access}, err
	}
	mux := http.NewServeMux()
	mux.Handle("/vault/", httpapi.New(map[string]*engine.Vault{"acme": vault}, httpapi.Options{
		Prefix:       "/vault",
		Authenticate: authenticate,
	}))
	server := httptest.NewServer(mux)
	defer server.Close()

	upload, err := http.NewRequest("POST", server.URL+"/vault/v1/documents?fileName=lease.txt", strings.NewReader("Between the landlord and the tenant."))
	if err != nil {
		log.Fatal(err)
	}
	upload.Header.Set("X-Signed-In-As", "ada@example.com")
	answer, err := http.DefaultClient.Do(upload)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	fmt.Println(answer.Status)
	fmt.Println(strings.HasPrefix(answer.Header.Get("Location"), server.URL+"/vault/v1/documents/"))
	fmt.Println(vault.Head().Seq, answer.Header.Get("X-Audit-Seq"))
	// Output:
	// 201 Created
	// true
	// 4 4
}
