// Package oidc brings people from an identity provider into the console: it is a
// relying party of OpenID Connect, with the flow of a code, PKCE, state and nonce.
//
// It proves who somebody is and what her groups give, and nothing more: the console
// has the pages, the cookie and the session, and engine decides whom that makes her.
// The provider is asked when somebody comes, so one that is down keeps no server from
// starting and nobody out who is in.
package oidc

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	relying "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"strongroom/engine"
	"strongroom/httpapi/console"
)

// Config says who the provider is, and who we are to it.
type Config struct {
	Issuer           string // exactly as the provider names itself
	ClientID, Secret string
	CAs              *x509.CertPool // that are trusted for the provider; nil: the system's
	Claim            string         // that has the groups; "": groups
	Map              Map
	Redirect         string // the console's address of [console.Callback], as the provider knows it
}

// timeout is for each request to the provider.
const timeout = 10 * time.Second

// Provider is the provider, as the console asks it. It is safe for concurrent use.
type Provider struct {
	config Config
	client *http.Client

	mu    sync.Mutex
	found *discovered // nil: not yet
}

// discovered is what the provider says of itself.
type discovered struct {
	*relying.Provider
	says struct {
		Scopes []string `json:"scopes_supported"`
		Names  bool     `json:"authorization_response_iss_parameter_supported"`
	}
}

// New asks nobody. An error is about the Config.
func New(c Config) (*Provider, error) {
	u, err := url.Parse(c.Issuer)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("the issuer %q must be an https URL, exactly as the provider names itself", c.Issuer)
	}
	if c.ClientID == "" {
		return nil, errors.New("the client id that the provider gave is missing")
	}
	if c.Claim == "" {
		c.Claim = "groups"
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.CAs}, TLSHandshakeTimeout: timeout, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	return &Provider{config: c, client: &http.Client{Transport: transport, Timeout: timeout}}, nil
}

func isLoopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }

// Name is the provider's host, for people.
func (p *Provider) Name() string {
	u, _ := url.Parse(p.config.Issuer)
	return u.Host
}

// discover asks the provider about itself until it has answered once.
func (p *Provider) discover(ctx context.Context) (*discovered, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.found != nil {
		return p.found, nil
	}
	// The keys are fetched later, in requests of their own.
	is, err := relying.NewProvider(relying.ClientContext(ctx, p.client), p.config.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", console.ErrProviderAway, err)
	}
	found := &discovered{Provider: is}
	if err := is.Claims(&found.says); err != nil {
		return nil, fmt.Errorf("%w: %w", console.ErrProviderAway, err)
	}
	p.found = found
	return found, nil
}

func (p *Provider) oauth(d *discovered) *oauth2.Config {
	scopes := []string{relying.ScopeOpenID, "profile", "email"}
	if slices.Contains(d.says.Scopes, p.config.Claim) {
		scopes = append(scopes, p.config.Claim)
	}
	return &oauth2.Config{ClientID: p.config.ClientID, ClientSecret: p.config.Secret, Endpoint: d.Endpoint(), RedirectURL: p.config.Redirect, Scopes: scopes}
}

// kept is what the browser keeps until it comes back.
type kept struct{ State, Nonce, Verifier string }

// Begin returns where the browser goes, and what it has to bring along to Finish.
func (p *Provider) Begin(ctx context.Context) (to, keep string, err error) {
	d, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	k := kept{rand.Text(), rand.Text(), oauth2.GenerateVerifier()}
	b, err := json.Marshal(k)
	if err != nil {
		return "", "", err
	}
	to = p.oauth(d).AuthCodeURL(k.State, relying.Nonce(k.Nonce), oauth2.S256ChallengeOption(k.Verifier))
	return to, base64.RawURLEncoding.EncodeToString(b), nil
}

// mixedUp is an answer that is not to the question of this browser.
func mixedUp(format string, args ...any) error {
	return fmt.Errorf("%w: %s", console.ErrMixedUp, fmt.Sprintf(format, args...))
}

// Finish returns who has come back, and what her groups give.
func (p *Provider) Finish(ctx context.Context, keep string, q url.Values) (console.Proven, error) {
	var k kept
	if b, err := base64.RawURLEncoding.DecodeString(keep); err != nil || json.Unmarshal(b, &k) != nil || k.State == "" || k.Nonce == "" || k.Verifier == "" {
		return console.Proven{}, mixedUp("nothing was begun in this browser, or it took too long")
	}
	if !same(q.Get("state"), k.State) || len(q["state"]) > 1 || len(q["code"]) > 1 || len(q["iss"]) > 1 {
		return console.Proven{}, mixedUp("the state is not that of this browser")
	}
	d, err := p.discover(ctx)
	if err != nil {
		return console.Proven{}, err
	}
	if iss := q.Get("iss"); iss != "" && iss != p.config.Issuer || iss == "" && d.says.Names { // RFC 9207
		return console.Proven{}, mixedUp("another issuer answers: %q", iss)
	}
	if said := q.Get("error"); said != "" {
		return console.Proven{}, fmt.Errorf("%w: it says %q", console.ErrProviderRefused, said)
	}
	if q.Get("code") == "" {
		return console.Proven{}, mixedUp("there is no code")
	}
	ctx = relying.ClientContext(ctx, p.client)
	token, err := p.oauth(d).Exchange(ctx, q.Get("code"), oauth2.VerifierOption(k.Verifier))
	if _, answered := errors.AsType[*oauth2.RetrieveError](err); answered {
		return console.Proven{}, fmt.Errorf("%w: %w", console.ErrProviderRefused, err)
	} else if err != nil {
		return console.Proven{}, fmt.Errorf("%w: %w", console.ErrProviderAway, err)
	}
	return p.proven(ctx, d, token, k.Nonce)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// proven reads the ID token, and asks the provider for what is not in it.
func (p *Provider) proven(ctx context.Context, d *discovered, token *oauth2.Token, nonce string) (console.Proven, error) {
	raw, _ := token.Extra("id_token").(string)
	is, err := d.Verifier(&relying.Config{ClientID: p.config.ClientID}).Verify(ctx, raw)
	if err != nil {
		return console.Proven{}, fmt.Errorf("%w: %w", console.ErrProviderRefused, err)
	}
	claims := map[string]json.RawMessage{}
	if err := is.Claims(&claims); err != nil {
		return console.Proven{}, fmt.Errorf("%w: %w", console.ErrProviderRefused, err)
	}
	if !same(is.Nonce, nonce) {
		return console.Proven{}, mixedUp("the nonce is not that of this browser")
	}
	if azp := text(claims["azp"]); azp != "" && azp != p.config.ClientID || azp == "" && len(is.Audience) > 1 {
		return console.Proven{}, fmt.Errorf("%w: the ID token was made for somebody else", console.ErrProviderRefused)
	}
	p.complete(ctx, d, token, is.Subject, claims)
	groups, err := groupsOf(claims[p.config.Claim])
	if err != nil {
		return console.Proven{}, fmt.Errorf("%w: the claim %s %w", console.ErrNoClaim, p.config.Claim, err)
	}
	who := console.Proven{Identity: engine.Identity{Issuer: is.Issuer, Subject: is.Subject}, Name: text(claims["name"]), Email: text(claims["email"]), Access: p.config.Map.access(groups)}
	if verified := strings.Trim(string(claims["email_verified"]), `"`); verified == "false" {
		who.Email = ""
	}
	return who, nil
}

// complete adds the claims that the userinfo endpoint alone tells: many providers keep
// the ID token short. What the ID token says stands; an endpoint that does not answer,
// or that speaks of somebody else, adds nothing.
func (p *Provider) complete(ctx context.Context, d *discovered, token *oauth2.Token, subject string, claims map[string]json.RawMessage) {
	whole := claims[p.config.Claim] != nil && claims["name"] != nil && claims["email"] != nil
	if whole || d.UserInfoEndpoint() == "" {
		return
	}
	more, err := d.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil || more.Subject != subject {
		return
	}
	told := map[string]json.RawMessage{}
	if more.Claims(&told) != nil {
		return
	}
	for name, value := range told {
		if claims[name] == nil {
			claims[name] = value
		}
	}
}

// text is a claim that is a text, "" if it is none.
func text(raw json.RawMessage) (s string) {
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// groupsOf reads the claim of groups: a list, or one. A claim that is not there is no
// empty list: a provider that forgot it must not put everybody out.
func groupsOf(raw json.RawMessage) ([]string, error) {
	var one *string
	var many []string
	switch {
	case raw == nil || string(raw) == "null":
		return nil, errors.New("is missing")
	case json.Unmarshal(raw, &many) == nil:
		return many, nil
	case json.Unmarshal(raw, &one) == nil && one != nil:
		return []string{*one}, nil
	}
	return nil, errors.New("is no list of texts")
}
