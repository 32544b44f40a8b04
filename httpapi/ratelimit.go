package httpapi

import (
	"fmt"
	"math"
	"sync"
	"time"

	"strongroom/engine"
)

// rateLimit bounds the requests of each user, whose API keys count together, so
// that another key is no more requests. It is a bucket of so many
// tokens that fills at so many a second, kept as one instant: that at which the
// bucket would be full again if nobody came (the generic cell rate algorithm).
// A bucket that is full needs no memory, so only those are kept that were used
// a moment ago.
type rateLimit struct {
	every time.Duration // a token
	burst int           // tokens in a full bucket

	mu      sync.Mutex // leaf lock
	full    map[spender]time.Time
	most    int       // buckets that are kept; whoever comes beyond has an empty one; 0: any number
	dropped time.Time // when those that were full were
	sweep   int       // how many buckets there may be before the full ones are dropped
}

// spender is whose bucket it is. Two vaults share none.
type spender struct {
	vault *engine.Vault
	id    string
}

// spender is the caller. A person with keys of several accesses is one.
func (c *caller) spender() spender { return spender{c.vault.As(engine.System()), c.actor.UserID} }

const (
	fewBuckets = 1024
	// longestRefill bounds how long a bucket takes to fill: a time.Duration holds
	// three times as much.
	longestRefill = 100 * 365 * 24 * time.Hour
)

// newRateLimit returns nil, no limit, if there is no rate. A burst of 0 is the
// tokens of two seconds.
func newRateLimit(perSecond float64, burst int) *rateLimit {
	if perSecond <= 0 {
		return nil
	}
	if burst <= 0 {
		burst = int(math.Ceil(2 * perSecond))
	}
	every := max(time.Duration(min(float64(time.Second)/perSecond, float64(longestRefill))), 1)
	return &rateLimit{
		every: every,
		burst: int(min(int64(burst), int64(longestRefill/every))),
		full:  map[spender]time.Time{},
		sweep: fewBuckets,
	}
}

// allowance is how a spender stands.
type allowance struct {
	left  int           // tokens
	reset time.Duration // until the bucket is full
	wait  time.Duration // until there is a token; 0: one was taken
}

// take takes a token from the bucket of a spender, if there is one.
func (l *rateLimit) take(who spender, now time.Time) allowance {
	l.mu.Lock()
	defer l.mu.Unlock()
	full, known := l.full[who]
	if !known && l.most > 0 && len(l.full) >= l.most {
		if now.Sub(l.dropped) >= l.every { // to look at all of them takes a while
			l.drop(now)
		}
		if len(l.full) >= l.most {
			return allowance{wait: l.every, reset: l.every}
		}
	}
	if full.Before(now) {
		full = now
	}
	size := time.Duration(l.burst) * l.every
	next := full.Add(l.every)
	if over := next.Sub(now) - size; over > 0 {
		return allowance{wait: over, reset: full.Sub(now)}
	}
	l.full[who] = next
	if len(l.full) > l.sweep {
		l.drop(now)
	}
	return allowance{left: int((size - next.Sub(now)) / l.every), reset: next.Sub(now)}
}

// drop forgets the buckets that are full again. The next time comes when there
// are twice as many as are left, so that a request pays for one bucket on
// average.
func (l *rateLimit) drop(now time.Time) {
	l.dropped = now
	for who, full := range l.full {
		if !full.After(now) {
			delete(l.full, who)
		}
	}
	l.sweep = max(fewBuckets, 2*len(l.full))
}

// spend takes a token for a request and says in its answer what is left, as in
// draft-ietf-httpapi-ratelimit-headers. The operator has no limit.
func (s *Server) spend(x *exchange, c caller) error {
	l := s.limit
	if l == nil || c.actor == engine.Operator() {
		return nil
	}
	now := l.take(c.spender(), time.Now())
	h := x.Header()
	h.Set("RateLimit-Policy", fmt.Sprintf(`"key";q=%d;w=%d`, l.burst, wholeSeconds(time.Duration(l.burst)*l.every)))
	h.Set("RateLimit", fmt.Sprintf(`"key";r=%d;t=%d`, now.left, wholeSeconds(now.reset)))
	if now.wait > 0 {
		s.metrics.limitedRate.Add(1)
		return &limitedError{
			after:   now.wait,
			message: "the API keys of this user have made more requests than they may; wait as long as Retry-After says, and spread them out",
		}
	}
	return nil
}

func wholeSeconds(d time.Duration) int { return int(math.Ceil(d.Seconds())) }

// limitedError refuses what would be too much now, and says when to come again.
type limitedError struct {
	after   time.Duration
	message string
}

func (e *limitedError) Error() string { return e.message }
func (e *limitedError) Unwrap() error { return ErrLimited }

// errUploads is what clients are told who come while as many upload as may.
var errUploads = &limitedError{after: time.Second, message: "as many uploads are running as this server takes at a time; try again in a moment"}

// errShare is what they are told who have their share of the places already.
var errShare = &limitedError{after: time.Second, message: "you have as many uploads running as this server takes of one user at a time; try again when one of them is over"}

// places are those for uploads that are taken, by user. One user's keys count
// together, for a key can make others that replace it.
type places struct {
	mu    sync.Mutex // leaf lock
	taken map[spender]int
}

// beginUpload takes one of the places for uploads. Whoever has it calls end.
//
// Nobody gets them all: of those who upload, with one more who may come, each has
// an equal share, so that slow uploads of one leave room for the others.
func (s *Server) beginUpload(c caller) (end func(), err error) {
	most := s.options.MaxUploads
	if most <= 0 {
		s.uploads.Add(1)
		return func() { s.uploads.Add(-1) }, nil
	}
	p, who := &s.places, c.spender()
	p.mu.Lock()
	defer p.mu.Unlock()
	others := len(p.taken)
	if p.taken[who] > 0 {
		others--
	}
	switch {
	case s.uploads.Load() >= int64(most):
		err = errUploads
	case p.taken[who] >= max(1, most/(others+2)):
		err = errShare
	}
	if err != nil {
		s.metrics.limitedUploads.Add(1)
		return nil, err
	}
	s.uploads.Add(1)
	p.taken[who]++
	return func() { s.endUpload(who) }, nil
}

func (s *Server) endUpload(who spender) {
	p := &s.places
	p.mu.Lock()
	defer p.mu.Unlock()
	s.uploads.Add(-1)
	if p.taken[who]--; p.taken[who] == 0 {
		delete(p.taken, who)
	}
}
