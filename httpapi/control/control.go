// Package control is the way into a vault for the operator of the machine: who can
// read the vault's files may do with it what an administrator may, and needs no key.
//
// A vault that a server holds open cannot be opened a second time. So the server
// listens at a unix socket in the data directory beside its public address, and
// serves the same API there (package httpapi), with the operator as the caller and
// the vault named in a header. Who may connect is decided by the socket's mode,
// 0600, and on Linux by the process's user as well: the same persons who could read
// the vault's files. Some routes are the socket's alone, for they are about files of
// this machine: a backup, the doctor's look, how far an import has come, and what is
// carried to a witness and back.
//
// Open is the other end. It finds the server of a data directory or, where none
// serves the vault, opens the vault at rest and serves it in process to this client
// alone, so that a command is written once and does not know which it was.
//
// The package knows no command and no flag, and no rule about documents.
package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
)

const (
	// SocketName is the control socket's, in the data directory.
	SocketName = "control.sock"
	// vaultHeader names the vault a request to the control socket is about.
	vaultHeader = "X-Strongroom-Vault"
	// bulkHeader marks the requests of an import, which tells of itself.
	bulkHeader = "X-Strongroom-Bulk"
)

// Server serves the API to the operator.
type Server struct {
	vaults map[string]*engine.Vault
	api    *httpapi.Server
	bulk   *httpapi.Server // the same, without a line of the log for each request
	own    *http.ServeMux  // routes that no other listener has
	log    zerolog.Logger
	// running ends when stop is called.
	running context.Context
	stop    context.CancelFunc
}

// The routes that the control socket alone has: they are about files of this
// machine. No other listener may have them.
const (
	RouteBackup = "/control/backup"
	RouteDoctor = "/control/doctor"
	RouteImport = "/control/import"
	// RouteWitness is not about a file here, but about one that is carried away.
	RouteWitness = "/control/witness"
)

// New returns what serves the vaults, by their names, to the operator; o is as for
// anybody else, but for who asks. It closes no vault.
func New(vaults map[string]*engine.Vault, o httpapi.Options) *Server {
	o.Authenticate = func(r *http.Request) (*engine.Vault, engine.Actor, error) {
		return vaults[r.Header.Get(vaultHeader)], engine.Operator(), nil
	}
	if o.Metrics == nil {
		o.Metrics = httpapi.NewMetrics()
	}
	quiet := o
	if o.Logger.GetLevel() == zerolog.InfoLevel { // at debug, each request is wanted
		quiet.Logger = o.Logger.Level(zerolog.WarnLevel)
	}
	s := &Server{vaults: vaults, api: httpapi.New(vaults, o), bulk: httpapi.New(vaults, quiet), own: http.NewServeMux(), log: o.Logger}
	s.running, s.stop = context.WithCancel(context.Background())
	s.own.HandleFunc("POST "+RouteBackup, s.backup)
	s.own.HandleFunc("GET "+RouteDoctor, s.doctor)
	s.own.HandleFunc("POST "+RouteImport, s.imported)
	s.own.HandleFunc("GET "+RouteWitness, s.witnessRequest)
	s.own.HandleFunc("POST "+RouteWitness, s.witnessAdd)
	return s
}

// Stop ends what the control socket alone does, and tells the API to hurry.
func (s *Server) Stop() {
	s.stop()
	s.api.Stop()
	s.bulk.Stop()
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(Refusal{Code: code, Message: message})
}

// ServeHTTP answers 421 Misdirected Request about a vault that is not among
// those served, so that the caller can look for it at rest.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(vaultHeader)
	if _, served := s.vaults[name]; !served {
		refuse(w, http.StatusMisdirectedRequest, "NOT_FOUND", fmt.Sprintf("no vault %q is served", name))
		return
	}
	if strings.HasPrefix(r.URL.Path, "/control/") {
		s.own.ServeHTTP(w, r)
		return
	}
	if r.Header.Get(bulkHeader) != "" {
		s.bulk.ServeHTTP(w, r)
		return
	}
	s.api.ServeHTTP(w, r)
}
