package signin

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"strongroom/engine"
	"strongroom/httpapi"
)

// code is an error of RFC 6749, sections 4.1.2.1 and 5.2.
type code string

const (
	invalidRequest       code = "invalid_request"
	invalidClient        code = "invalid_client"
	invalidGrant         code = "invalid_grant"
	unauthorizedClient   code = "unauthorized_client"
	unsupportedGrantType code = "unsupported_grant_type"
	invalidScope         code = "invalid_scope"

	accessDenied            code = "access_denied"
	unsupportedResponseType code = "unsupported_response_type"
	interactionRequired     code = "interaction_required" // OpenID Connect's, for prompt=none
	unavailable             code = "temporarily_unavailable"
	serverError             code = "server_error"
)

// refusal is an error that a client is told.
type refusal struct {
	code    code
	message string
}

func (e *refusal) Error() string { return string(e.code) + ": " + e.message }

func refuse(c code, format string, args ...any) error {
	return &refusal{code: c, message: fmt.Sprintf(format, args...)}
}

// decide says what an error is to a client.
func decide(err error) (*refusal, int) {
	if e, ok := errors.AsType[*refusal](err); ok {
		if e.code == invalidClient {
			return e, http.StatusUnauthorized
		}
		return e, http.StatusBadRequest
	}
	if errors.Is(err, httpapi.ErrTooManyRefusals) {
		return &refusal{code: invalidClient, message: "too many wrong credentials have come from your address, or for this client; check them, and wait"}, http.StatusTooManyRequests
	}
	if errors.Is(err, engine.ErrUnavailable) || errors.Is(err, engine.ErrNoSpace) {
		return &refusal{code: unavailable, message: "the vault is not available now; try again"}, http.StatusServiceUnavailable
	}
	return &refusal{code: serverError, message: "something went wrong in the server; try again"}, http.StatusInternalServerError
}

func (s *Server) fail(w http.ResponseWriter, err error) {
	e, status := decide(err)
	if to, ok := w.(*noted); ok {
		to.refused = e.code
	}
	if status == http.StatusInternalServerError {
		s.options.Logger.Error().Err(err).Msg("sign-in")
	}
	switch {
	case status == http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "5")
	case status == http.StatusTooManyRequests:
		w.Header().Set("Retry-After", "1")
	case e.code == invalidClient:
		w.Header().Set("WWW-Authenticate", `Basic realm="strongroom"`)
	}
	write(w, status, map[string]string{"error": string(e.code), "error_description": quotable(e.message)})
}

// quotable keeps to the characters that section 5.2 allows.
func quotable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' || r == '"' || r == '\\' {
			return '\''
		}
		return r
	}, s)
}

func write(w http.ResponseWriter, status int, body any) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // a client that is gone is told nothing
}
