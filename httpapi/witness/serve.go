package witness

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
)

// The routes of a witness, open to all: what is asked is signed by a log that it
// knows, and what it answers is for everybody to see.
const (
	RouteAdd = "/witness/add-checkpoint" // POST
	RouteKey = "/witness/key"            // GET: the verifier key
	routes   = "/witness/"               // and below it, {SHA-256 of the origin}/checkpoint: what was signed last
)

// maxRequest is the size of the largest request: the old size, 63 hashes and a
// checkpoint.
const maxRequest = audit.MaxNote + 4<<10

// requestTimeout is for the body of a request, which is small.
const requestTimeout = 30 * time.Second

// Server answers for a witness over HTTP.
type Server struct {
	witness *Witness
	log     zerolog.Logger
}

// NewServer returns what serves the witness.
func NewServer(w *Witness, log zerolog.Logger) *Server { return &Server{w, log} }

// Serves reports whether a path is one of the witness's.
func (s *Server) Serves(path string) bool { return s != nil && strings.HasPrefix(path, routes) }

// ServeHTTP answers in plain text, as C2SP tlog-witness has it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	want, answer := http.MethodGet, s.checkpoint
	switch r.URL.Path {
	case RouteAdd:
		want, answer = http.MethodPost, s.add
	case RouteKey:
		answer = s.key
	}
	if r.Method != want && !(want == http.MethodGet && r.Method == http.MethodHead) {
		h.Set("Allow", want)
		refuse(w, http.StatusMethodNotAllowed, "this takes "+want)
		return
	}
	answer(w, r)
}

func refuse(w http.ResponseWriter, status int, why string) {
	w.WriteHeader(status)
	fmt.Fprintln(w, why)
}

func (s *Server) key(w http.ResponseWriter, _ *http.Request) {
	fmt.Fprintln(w, s.witness.Verifier())
}

// checkpoint serves what was signed last, so that whoever watches a log sees what
// its witnesses have seen.
func (s *Server) checkpoint(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, routes), "/checkpoint")
	sum, err := hex.DecodeString(name)
	if !ok || err != nil || len(sum) != 32 || hex.EncodeToString(sum) != name {
		refuse(w, http.StatusNotFound, "there is nothing here")
		return
	}
	signed, err := s.witness.read(filepath.Join(s.witness.dir, name+checkpointType))
	switch {
	case err != nil:
		s.log.Error().Err(err).Msg("what the witness signed last cannot be read")
		refuse(w, http.StatusInternalServerError, "the witness cannot read what it signed")
	case signed == nil:
		refuse(w, http.StatusNotFound, "the witness has signed nothing of that log")
	default:
		w.Write(signed)
	}
}

func (s *Server) add(w http.ResponseWriter, r *http.Request) {
	// It fails where a test has no connection, and then nobody is slow.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(requestTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		refuse(w, status, "the request could not be read: "+err.Error())
		return
	}
	line, err := s.witness.Sign(body)
	s.tell(body, err)
	if err == nil {
		w.Write(line)
		return
	}
	if old := (*OldSizeError)(nil); errors.As(err, &old) {
		w.Header().Set("Content-Type", "text/x.tlog.size")
		w.WriteHeader(http.StatusConflict)
		fmt.Fprintln(w, old.Size)
		return
	}
	for _, known := range []struct {
		err    error
		status int
	}{
		{audit.ErrSyntax, http.StatusBadRequest},
		{audit.ErrUnknownLog, http.StatusNotFound},
		{audit.ErrSignature, http.StatusForbidden},
		{audit.ErrProof, http.StatusUnprocessableEntity},
	} {
		if errors.Is(err, known.err) {
			refuse(w, known.status, err.Error())
			return
		}
	}
	refuse(w, http.StatusInternalServerError, "the witness cannot keep what it would sign; its log says why")
}

// tell logs what became of a request. A checkpoint that its log signed, and that does
// not follow, may be evidence, and is logged; the rest of the request is anybody's.
func (s *Server) tell(body []byte, err error) {
	switch {
	case err == nil:
		if r, err := audit.ParseAddRequest(body); err == nil {
			c, _ := audit.ReadCheckpoint(r.Checkpoint)
			s.log.Info().Str("origin", c.Origin).Int64("size", c.Size).Msg("checkpoint witnessed")
		}
	case errors.Is(err, audit.ErrProof):
		r, _ := audit.ParseAddRequest(body) // it was read before
		signed, _ := s.witness.ofLogs(r.Checkpoint)
		s.log.Warn().Err(err).Int64("old", r.Old).Str("checkpoint", string(signed)).Msg("a checkpoint was not shown to grow out of what was witnessed")
	case errors.Is(err, audit.ErrSyntax), errors.Is(err, audit.ErrUnknownLog), errors.Is(err, audit.ErrSignature), errors.Is(err, audit.ErrOldSize):
		s.log.Debug().Err(err).Msg("checkpoint not witnessed")
	default:
		s.log.Error().Err(err).Msg("checkpoint not witnessed")
	}
}
