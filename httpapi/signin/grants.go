package signin

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"slices"

	"go.etcd.io/bbolt"

	"strongroom/engine"
	"strongroom/httpapi"
)

// begin gives the first token of a sign-in that takes no code: as a user, by a
// client that has shown who it is. first is what else has to hold in the same
// transaction; nil: nothing.
func (s *Server) begin(r *http.Request, p proven, by engine.Grant, user, scope string, first func(*bbolt.Tx) error) (issued, error) {
	access, scope, err := parseScope(scope)
	if err != nil {
		return issued{}, err
	}
	f := &family{ID: engine.NewID(), Client: p.client.ID, User: user, Grant: by, Access: access, Scope: scope}
	actor, err := p.tokens.admit(r.Context(), &known{token: token{Access: access}, family: f})
	if err != nil {
		return issued{}, notAs(err)
	}
	f.User = actor.UserID
	var out issued
	err = p.tokens.change(s.now(), func(b *bbolt.Tx) ([]string, error) {
		if first != nil {
			if err := first(b); err != nil {
				return nil, err
			}
		}
		out, err = s.give(b, p.tokens, f, access, scope, false)
		return nil, err
	})
	if err != nil {
		return issued{}, err
	}
	p.tokens.vault.NoteClientUse(p.client.ID)
	out.scope = granted(scope, actor.Access)
	return out, nil
}

// notAs is what a client is told that may not act as somebody, whoever that is and
// whether there is such a user.
func notAs(err error) error {
	if ended(err) {
		return refuse(invalidGrant, "the client may not act as this user, or the user is closed; an admin can change that")
	}
	return err
}

// byItself is the grant client_credentials.
func (s *Server) byItself(r *http.Request) (issued, error) {
	p, err := s.authenticate(r, "")
	if err == nil {
		err = p.may(engine.GrantClientCredentials)
	}
	if err != nil {
		return issued{}, err
	}
	return s.begin(r, p, engine.GrantClientCredentials, p.client.UserID, r.PostForm.Get("scope"), nil)
}

// exchange looks a code or a refresh token up for the client that presents it.
func (s *Server) exchange(r *http.Request, kind kind, by engine.Grant, text string) (*known, proven, error) {
	vault := vaultOf(text, kind)
	p, err := s.authenticate(r, vault)
	if err == nil {
		err = p.may(by)
	}
	if err != nil {
		return nil, p, err
	}
	if p.tokens.vault.Name() != vault {
		return nil, p, errNotThis(kind)
	}
	k, err := p.tokens.find(hashOf(text))
	if err == nil && (k == nil || k.Kind != kind || k.family.Client != p.client.ID || k.family.Revoked) {
		err = errNotThis(kind)
	}
	return k, p, err
}

func errNotThis(k kind) error {
	if k == kindCode {
		return refuse(invalidGrant, "the code is not known, was used, has expired, or is another client's; send the person to sign in again")
	}
	return refuse(invalidGrant, "the refresh token is not known, was used, has expired, or is another client's; sign in again")
}

// spend exchanges a code or a refresh token. One that was exchanged before ends all
// that has come of it, and is a failed sign-in: it was in two hands.
func (s *Server) spend(r *http.Request, p proven, text string, k *known, give func(*bbolt.Tx, *family) (issued, error)) (out issued, err error) {
	of := hashOf(text)
	err = p.tokens.change(s.now(), func(b *bbolt.Tx) ([]string, error) {
		touched := []string{k.Family}
		now, err := read(b, of) // as it is in this transaction: another may have been here
		if err != nil {
			return nil, err
		}
		switch {
		case now == nil || now.family.Revoked:
			return nil, errNotThis(k.Kind)
		case now.Used:
			return touched, revoke(b, now.family)
		case !s.now().Before(now.Expires):
			return nil, errNotThis(k.Kind)
		}
		now.Used = true
		if err := putUsed(b, of, &now.token); err != nil {
			return nil, err
		}
		out, err = give(b, now.family)
		return touched, err
	})
	if err == nil && out.access == "" {
		s.options.Logger.Warn().Str("client", p.client.ID).Str("user", k.family.User).Msg("a code or refresh token was used twice: its tokens have ended")
		p.tokens.vault.NoteFailedSignIn(engine.ClientName(p.tokens.vault.Name(), p.client.ID), httpapi.Source(r.RemoteAddr), engine.ErrTokenRevoked)
		err = errNotThis(k.Kind)
	}
	if err == nil {
		p.tokens.vault.NoteClientUse(p.client.ID)
	}
	return out, err
}

// byCode is the grant authorization_code.
func (s *Server) byCode(r *http.Request) (issued, error) {
	form := r.PostForm
	text := form.Get("code")
	if text == "" {
		return issued{}, refuse(invalidRequest, "code is missing")
	}
	k, p, err := s.exchange(r, kindCode, engine.GrantAuthorizationCode, text)
	if err == nil && !k.Used { // of one that was used, nothing else is of interest
		err = k.Code.fit(form.Get("redirect_uri"), form.Has("redirect_uri"), form.Get("code_verifier"))
	}
	if err != nil {
		return issued{}, err
	}
	actor, err := p.tokens.admit(r.Context(), k)
	if err != nil {
		return issued{}, notAs(err)
	}
	refresh := slices.Contains(p.client.Grants, engine.GrantRefreshToken)
	out, err := s.spend(r, p, text, k, func(b *bbolt.Tx, f *family) (issued, error) {
		return s.give(b, p.tokens, f, f.Access, f.Scope, refresh)
	})
	out.scope = granted(k.family.Scope, actor.Access)
	return out, err
}

// fit says whether an exchange has what the code was asked for with. Whoever did
// not name the redirect URI there need not here, nor need DocuSign's clients; a
// verifier without a challenge is of somebody else's code (RFC 9700 section 2.1.1).
func (t *codeTerms) fit(redirectURI string, named bool, verifier string) error {
	if named && redirectURI != t.RedirectURI || !named && t.Sent {
		return refuse(invalidGrant, "redirect_uri is not the one that the code was asked for with")
	}
	sum := sha256.Sum256([]byte(verifier))
	given := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case t.Challenge == "" && verifier == "":
		return nil
	case verifier == "":
		return refuse(invalidGrant, "code_verifier is missing")
	case t.Challenge == "" || !isVerifier(verifier) || subtle.ConstantTimeCompare([]byte(given), []byte(t.Challenge)) != 1:
		return refuse(invalidGrant, "code_verifier does not fit the code_challenge")
	}
	return nil
}

// isVerifier holds RFC 7636 section 4.1.
func isVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}

// byRefresh is the grant refresh_token. The next refresh token is for all that the
// sign-in was for, whatever this access token is narrowed to.
func (s *Server) byRefresh(r *http.Request) (issued, error) {
	text := r.PostForm.Get("refresh_token")
	if text == "" {
		return issued{}, refuse(invalidRequest, "refresh_token is missing")
	}
	k, p, err := s.exchange(r, kindRefresh, engine.GrantRefreshToken, text)
	if err != nil {
		return issued{}, err
	}
	access, scope := k.family.Access, k.family.Scope
	if asked := r.PostForm.Get("scope"); asked != "" {
		if access, scope, err = parseScope(asked); err != nil {
			return issued{}, err
		}
		if engine.Meet(access, k.family.Access) != access {
			return issued{}, refuse(invalidScope, "the scope is wider than the one that was consented to")
		}
	}
	narrowed := *k
	narrowed.Access = access
	actor, err := p.tokens.admit(r.Context(), &narrowed)
	if err != nil {
		return issued{}, notAs(err)
	}
	out, err := s.spend(r, p, text, k, func(b *bbolt.Tx, f *family) (issued, error) { return s.give(b, p.tokens, f, access, scope, true) })
	out.scope = granted(scope, actor.Access)
	return out, err
}
