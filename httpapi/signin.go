package httpapi

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"strongroom/engine"
)

// Who signs in with keys that are wrong is slowed: a few refusals are answered at
// once, then one a second for each address, and for each key that is named. The
// others wait for their answer, a second at most, and if too many wait already
// they are told to come again. A key that is right is never slowed, whoever
// guesses beside it: nobody is kept out so.
//
// Whether there is such a vault or key makes no difference. What is noted costs as
// much for one as for the other, and is written down later, by Sweep.
const (
	failuresAtOnce  = 20
	failuresSecond  = 1 // afterwards
	slowedEach      = 4 // answers that wait, of one address
	slowedAll       = 64
	failuresTracked = 16_384 // addresses and keys that were used lately
)

// failures are the refusals of a server.
type failures struct {
	buckets *rateLimit

	mu     sync.Mutex // leaf lock
	all    int        // answers that wait
	slowed map[string]int

	invalid, expired, revoked atomic.Uint64 // since the start
}

func newFailures() *failures {
	buckets := newRateLimit(failuresSecond, failuresAtOnce)
	buckets.most = failuresTracked
	return &failures{buckets: buckets, slowed: map[string]int{}}
}

// errWrongKeys is what those are told with whom no answer can wait.
var errWrongKeys = &limitedError{after: time.Second, message: "too many wrong API keys have come from your address, or named this key; check the key, and wait as long as Retry-After says"}

// refused notes a request that was refused with an error of Authenticate, and
// returns what it is answered with, later if there were many.
func (s *Server) refused(r *http.Request, err error) error {
	token, none := bearer(r.Header)
	if s.failures == nil || none != nil {
		return err
	}
	if _, given := errors.AsType[accessTokenError](err); given && !errors.Is(err, engine.ErrInvalidToken) {
		return err // it was given out: an end of it is met in the usual course of things
	}
	f := s.failures
	switch {
	case errors.Is(err, engine.ErrInvalidToken):
		f.invalid.Add(1)
	case errors.Is(err, engine.ErrTokenExpired):
		f.expired.Add(1)
	case errors.Is(err, engine.ErrTokenRevoked):
		f.revoked.Add(1)
	default:
		return err // it is not the key
	}
	source := Source(r.RemoteAddr)
	if v := s.vaults[engine.TokenVault(token)]; v != nil {
		v.NoteFailedSignIn(token, source, err)
	}
	wait := f.take(source, token)
	if wait > 0 && !f.slow(r.Context(), s.running, source, min(wait, time.Second)) {
		s.metrics.limitedSignIns.Add(1)
		return errWrongKeys
	}
	if wait > 0 {
		f.take(source, token) // that for which it has waited
	}
	return err
}

// ErrTooManyRefusals is what those are told with whom no answer can wait.
var ErrTooManyRefusals error = errWrongKeys

// Refusals slow down who signs in with wrong keys elsewhere than at the API, by
// the rules of the API.
type Refusals struct{ failures *failures }

// NewRefusals has seen none.
func NewRefusals() *Refusals { return &Refusals{newFailures()} }

// Refuse notes a sign-in that was refused with an error of Authenticate, in the
// vault too if there is one, and returns what it is answered with: the same error,
// later if there were many, or [ErrTooManyRefusals].
func (f *Refusals) Refuse(r *http.Request, v *engine.Vault, token string, err error) error {
	if !errors.Is(err, engine.ErrInvalidToken) && !errors.Is(err, engine.ErrTokenExpired) && !errors.Is(err, engine.ErrTokenRevoked) {
		return err // it is not the key
	}
	source := Source(r.RemoteAddr)
	if v != nil {
		v.NoteFailedSignIn(token, source, err)
	}
	wait := f.failures.take(source, token)
	if wait == 0 {
		return err
	}
	if !f.failures.slow(r.Context(), context.Background(), source, min(wait, time.Second)) {
		return ErrTooManyRefusals
	}
	f.failures.take(source, token) // that for which it has waited
	return err
}

// take takes a token for a refusal from the bucket of an address and that of the
// key that is named, and says how long until there is one in both.
func (f *failures) take(source, token string) (wait time.Duration) {
	now := time.Now()
	wait = f.buckets.take(spender{id: source}, now).wait
	if key := engine.TokenKey(token); key != "" && len(key) <= maxShown { // a longer one names nothing
		wait = max(wait, f.buckets.take(spender{id: "_" + key}, now).wait)
	}
	return wait
}

// slow holds an answer up, if there is room for one more that waits.
func (f *failures) slow(ctx, stop context.Context, source string, wait time.Duration) bool {
	f.mu.Lock()
	if f.all >= slowedAll || f.slowed[source] >= slowedEach {
		f.mu.Unlock()
		return false
	}
	f.all++
	f.slowed[source]++
	f.mu.Unlock()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-stop.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all--
	if f.slowed[source]--; f.slowed[source] == 0 {
		delete(f.slowed, source)
	}
	return true
}

// Source is whom a connection comes from, by its remote address: one host has a
// whole /64 of IPv6. "" for a socket on this machine.
func Source(remote string) string {
	from, err := netip.ParseAddrPort(remote)
	if err != nil {
		return ""
	}
	addr := from.Addr().Unmap()
	if addr.Is4() {
		return addr.String()
	}
	network, _ := addr.WithZone("").Prefix(64)
	return network.String()
}

// expose writes the failures of all kinds.
func (f *failures) expose(e *Exposition) {
	e.Family("strongroom_signin_failures_total", "counter", "Requests refused because of their API key: invalid is unknown or wrong.")
	if f == nil {
		return
	}
	e.Sample(float64(f.expired.Load()), "reason", "expired")
	e.Sample(float64(f.invalid.Load()), "reason", "invalid")
	e.Sample(float64(f.revoked.Load()), "reason", "revoked")
}
