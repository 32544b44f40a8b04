package httpapi

import (
	"net/http"
	"strings"
	"time"
)

// In a cluster a vault is owned by one server, and others follow what it does. A
// request that only the owner can answer is passed on to it: the host does that before
// it asks the API wherever it can tell, and in Options.Elsewhere where only the vault
// could tell, as with a download that is to be written down.

const (
	// HeaderAsOf says of an answer up to which entry of the log it knows, at least.
	HeaderAsOf = "Strongroom-As-Of"
	// HeaderAtLeast asks for an answer that knows an entry, from a receipt.
	HeaderAtLeast = "Strongroom-At-Least"
)

// Refuse answers a request of the API with an error, as the API would: for a host that
// finds that a request cannot be served before the API is asked.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	x := &exchange{ResponseWriter: w, server: s, id: RequestID(r), began: time.Now(), fields: codeInvalidParameter}
	x.say("X-Request-Id", x.id)
	guard(x, r)
	if path, ok := strings.CutPrefix(r.URL.Path, s.options.Prefix); ok {
		x.dress = dressOf(path, r.Header)
	}
	s.metrics.running.Add(1)
	defer s.finish(x, r)
	s.fail(x, r, err)
}

// elsewhere has the host answer what a vault that follows cannot, if nothing was
// answered yet. A body has been read by now, so that only what has none is passed on.
func (s *Server) elsewhere(x *exchange, r *http.Request) bool {
	if s.options.Elsewhere == nil || x.status != 0 || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	clear(x.Header())
	x.who = nil // who asks is for the other server to say
	return s.options.Elsewhere(x, r)
}
