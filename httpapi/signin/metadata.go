package signin

import (
	"net/http"
	"slices"
	"strings"

	"strongroom/engine"
)

// issuer is what this server is called, as far as that can be believed; "": nobody
// has said.
func (s *Server) issuer(r *http.Request) string {
	if base := s.options.Address.Base(r); strings.Contains(base, "://") {
		return base
	}
	return ""
}

// serverMetadata is RFC 8414.
func (s *Server) serverMetadata(w http.ResponseWriter, r *http.Request) {
	s.describe(w, r, func(issuer string) any {
		proofs := []string{"client_secret_basic", "client_secret_post"}
		about := map[string]any{
			"issuer":                                         issuer,
			"token_endpoint":                                 issuer + "/oauth2/token",
			"revocation_endpoint":                            issuer + "/oauth2/revoke",
			"introspection_endpoint":                         issuer + "/oauth2/introspect",
			"scopes_supported":                               scopeNames,
			"response_types_supported":                       []string{},
			"grant_types_supported":                          []engine.Grant{engine.GrantClientCredentials, engine.GrantRefreshToken, engine.GrantJWTBearer},
			"token_endpoint_auth_methods_supported":          proofs,
			"revocation_endpoint_auth_methods_supported":     append(slices.Clone(proofs), "none"), // who has no secret
			"introspection_endpoint_auth_methods_supported":  proofs,
			"authorization_response_iss_parameter_supported": true,
		}
		if s.options.Consent != "" {
			about["authorization_endpoint"] = issuer + "/oauth2/authorize"
			about["response_types_supported"] = []string{"code"}
			about["response_modes_supported"] = []string{"query"}
			about["code_challenge_methods_supported"] = []string{"S256"}
			about["grant_types_supported"] = append(about["grant_types_supported"].([]engine.Grant), engine.GrantAuthorizationCode)
		}
		return about
	})
}

// resourceMetadata is RFC 9728.
func (s *Server) resourceMetadata(w http.ResponseWriter, r *http.Request) {
	s.describe(w, r, func(issuer string) any {
		return map[string]any{
			"resource": issuer, "authorization_servers": []string{issuer}, "scopes_supported": scopeNames,
			"bearer_methods_supported": []string{"header"},
		}
	})
}

func (s *Server) describe(w http.ResponseWriter, r *http.Request, about func(issuer string) any) {
	issuer := s.issuer(r)
	if issuer == "" {
		write(w, http.StatusNotFound, map[string]string{
			"error": string(invalidRequest), "error_description": "this server is not told its own address; start it with --public-url",
		})
		return
	}
	write(w, http.StatusOK, about(issuer))
}
