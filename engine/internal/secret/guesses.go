package secret

import (
	"context"
	"maps"
	"sync"
	"time"
)

const (
	maxWrong    = 5           // so many wrong guesses
	throttleFor = time.Minute // before no more are taken for so long
)

// Guesses counts the wrong passwords that each guesser gave for each thing; who
// and what that is, K says. A guess counts as wrong before it is hashed. It is
// derived state that a restart forgets. The zero value is ready to use, by many
// goroutines.
type Guesses[K comparable] struct {
	mu    sync.Mutex // leaf lock
	wrong map[K]guess
}

type guess struct {
	count int
	last  time.Time
}

// Try says whether a password is the one that was kept, if this guesser may
// guess: wait says how long they are not asked any more, 0 that they were. It
// has the hasher's turn from the question to the count, so guesses that wait
// are judged as if they had come one after another. ErrMalformed, or the error
// of ctx, and then nothing was guessed.
func (g *Guesses[K]) Try(ctx context.Context, h Hasher, who K, now func() time.Time, password string, kept Password) (right bool, wait time.Duration, err error) {
	s, err := kept.parts()
	if err != nil {
		return false, 0, err
	}
	end, err := h.begin(ctx)
	if err != nil {
		return false, 0, err
	}
	defer end()
	if wait := g.begin(who, now()); wait > 0 {
		return false, wait, nil
	}
	if right = s.fits(password); right {
		g.right(who)
	}
	return right, 0, nil
}

// begin counts a guess as wrong and returns 0; or else how long this guesser is
// not asked any more.
func (g *Guesses[K]) begin(who K, now time.Time) (wait time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	maps.DeleteFunc(g.wrong, func(_ K, was guess) bool { return now.Sub(was.last) >= throttleFor })
	was := g.wrong[who]
	if was.count >= maxWrong {
		return throttleFor - now.Sub(was.last)
	}
	if g.wrong == nil {
		g.wrong = map[K]guess{}
	}
	g.wrong[who] = guess{was.count + 1, now}
	return 0
}

// right forgets the guesses of who guessed right.
func (g *Guesses[K]) right(who K) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.wrong, who)
}
