// The program oidc is an identity provider for tests: zitadel/oidc's example server,
// with people whose groups a test changes while it runs.
//
//	oidc -redirect URL [-cert FILE -key FILE]
//
// It prints its issuer, and serves until its standard input ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// person is what a test says of somebody: PUT /test/people/{id}. Who stays out has no
// claim of groups, which is another thing than none of them.
type person struct {
	Name, Email string
	Groups      []string // null: the claim is missing
	Userinfo    bool     // the groups stand at the userinfo endpoint alone
}

// people are the users of the example server, whose passwords are "verysecure".
type people struct {
	*storage.Storage
	mu   sync.Mutex
	said map[string]person
}

func (p *people) of(id string) person {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said[id]
}

// GetUserByID and the two after it are the example server's store of users.
func (p *people) GetUserByID(id string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	who, ok := p.said[id]
	if !ok {
		return nil
	}
	return &storage.User{ID: id, Username: id, Password: "verysecure", FirstName: who.Name, LastName: "Doe", Email: who.Email, EmailVerified: true}
}

func (p *people) GetUserByUsername(name string) *storage.User { return p.GetUserByID(name) }

func (p *people) ExampleClientID() string { return storage.ServiceUserID }

// SetUserinfoFromRequest says what stands in an ID token.
func (p *people) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, r op.IDTokenRequest, scopes []string) error {
	who := p.of(r.GetSubject())
	if who.Groups != nil && !who.Userinfo {
		info.AppendClaims("groups", who.Groups)
	}
	return p.Storage.SetUserinfoFromRequest(ctx, info, r, scopes)
}

// SetUserinfoFromToken says what the userinfo endpoint tells.
func (p *people) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, tokenID, subject, origin string) error {
	if who := p.of(subject); who.Groups != nil {
		info.AppendClaims("groups", who.Groups)
	}
	return p.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin)
}

func (p *people) change(w http.ResponseWriter, r *http.Request) {
	var who person
	if err := json.NewDecoder(r.Body).Decode(&who); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said[r.PathValue("id")] = who
}

func main() {
	redirect := flag.String("redirect", "", "where people are led back to")
	cert := flag.String("cert", "", "a certificate; none: plain http")
	key := flag.String("key", "", "its key")
	flag.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	scheme := "http"
	if *cert != "" {
		scheme = "https"
	}
	issuer := fmt.Sprintf("%s://%s", scheme, listener.Addr())
	storage.RegisterClients(storage.WebClient("strongroom", "secret", *redirect))
	p := &people{said: map[string]person{}}
	p.Storage = storage.NewStorage(p)
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /test/people/{id}", p.change)
	mux.Handle("/", exampleop.SetupServer(issuer, p, slog.New(slog.NewTextHandler(os.Stderr, nil)), false))
	go func() {
		if *cert == "" {
			log.Fatal(http.Serve(listener, mux))
		}
		log.Fatal(http.ServeTLS(listener, mux, *cert, *key))
	}()
	fmt.Println(issuer)
	io.Copy(io.Discard, os.Stdin)
}
