package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"time"

	"go.etcd.io/bbolt"

	"strongroom/engine"
)

// A token is sa_<vault>_<32 random bytes, base64url>: it tells which vault to ask
// and nothing else. A refresh token begins with sf_, a code with so_.

const (
	secretSize = 32
	codeLife   = 2 * time.Minute
	// known is how long after its end a token is told apart from one that never was.
	stillKnown = 24 * time.Hour
)

func newToken(k kind, vault string) (text string, of hash) {
	b := make([]byte, secretSize)
	rand.Read(b) // never fails: crypto/rand
	text = string(k) + "_" + vault + "_" + base64.RawURLEncoding.EncodeToString(b)
	return text, hashOf(text)
}

// vaultOf returns the vault a token says it is for, "" if it is none of these kinds.
func vaultOf(text string, kinds ...kind) string {
	is, rest, _ := strings.Cut(text, "_")
	vault, secret, ok := strings.Cut(rest, "_")
	if !ok || len(secret) != base64.RawURLEncoding.EncodedLen(secretSize) || len(vault) > 40 || !slices.Contains(kinds, kind(is)) {
		return ""
	}
	return vault
}

// Vault returns the name of the vault an access token says it is for, "" for what is
// none. It proves nothing.
func (s *Server) Vault(text string) string { return vaultOf(text, kindAccess) }

// Check returns who presents an access token, and with what access now. An unknown
// token is engine.ErrInvalidToken; who has one that was given out learns
// engine.ErrTokenExpired, or engine.ErrTokenRevoked if it, its client or its user
// has ended, or may this no more.
func (s *Server) Check(ctx context.Context, text string) (*engine.Vault, engine.Actor, error) {
	of, t := hashOf(text), s.tokens[vaultOf(text, kindAccess)]
	if t == nil {
		return nil, engine.Actor{}, engine.ErrInvalidToken
	}
	k, err := t.find(of)
	if err != nil {
		return nil, engine.Actor{}, err
	}
	if k == nil || k.Kind != kindAccess {
		return nil, engine.Actor{}, engine.ErrInvalidToken
	}
	actor, err := t.admit(ctx, k)
	if err == nil && !s.now().Before(k.Expires) {
		err = engine.ErrTokenExpired
	}
	if err != nil {
		return nil, engine.Actor{}, err
	}
	return t.vault, actor, nil
}

// admit asks the vault whether the client and the user of a token may act still.
func (t *tokens) admit(ctx context.Context, k *known) (engine.Actor, error) {
	if k.family.Revoked {
		return engine.Actor{}, engine.ErrTokenRevoked
	}
	actor, err := t.vault.AdmitClient(ctx, engine.Actor{
		UserID: k.family.User, ClientID: k.family.Client, Grant: k.family.Grant, Access: engine.Meet(k.Access, k.family.Access),
	})
	if errors.Is(err, engine.ErrUserNotFound) { // the vault is an earlier state of itself
		err = engine.ErrInvalidToken
	}
	return actor, err
}

// hashOf is what is kept of a token.
func hashOf(text string) hash { return sha256.Sum256([]byte(text)) }

// ended says that an error is about a client or a user that may not act so any more.
func ended(err error) bool {
	return errors.Is(err, engine.ErrTokenRevoked) || errors.Is(err, engine.ErrInvalidToken) || errors.Is(err, engine.ErrSignInAgain)
}

// issued are the tokens of one answer.
type issued struct {
	access, refresh string
	token           token  // the access token's
	scope           string // as it is told
	family          *family
}

// give makes an access token, and a refresh token if there is to be one, in a
// transaction of the caller's.
func (s *Server) give(b *bbolt.Tx, t *tokens, f *family, access engine.Access, scope string, refresh bool) (issued, error) {
	now := s.now()
	one := token{Kind: kindAccess, Family: f.ID, Issued: now, Expires: now.Add(s.options.TokenLifetime), Access: access, Scope: scope}
	keep := one.Expires.Add(stillKnown)
	f.Forget = keep
	if refresh {
		f.Forget = now.Add(max(s.options.TokenLifetime, s.options.RefreshLifetime) + stillKnown)
	}
	if err := putFamily(b, f); err != nil {
		return issued{}, err
	}
	out := issued{family: f}
	var of hash
	out.access, of = newToken(kindAccess, t.vault.Name())
	out.token = one
	if err := putToken(b, of, &one, keep); err != nil || !refresh {
		return out, err
	}
	out.refresh, of = newToken(kindRefresh, t.vault.Name())
	next := token{Kind: kindRefresh, Family: f.ID, Issued: now, Expires: now.Add(s.options.RefreshLifetime), Access: f.Access, Scope: f.Scope}
	return out, putToken(b, of, &next, next.Expires.Add(stillKnown))
}

// end ends a family with all its tokens.
func (t *tokens) end(now time.Time, f *family) error {
	return t.change(now, func(b *bbolt.Tx) ([]string, error) { return []string{f.ID}, revoke(b, f) })
}

func revoke(b *bbolt.Tx, f *family) error {
	ended := *f // what is cached is not changed in place
	ended.Revoked = true
	return putFamily(b, &ended)
}
