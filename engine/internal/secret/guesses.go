package secret

import (
	"maps"
	"sync"
	"time"
)

const (
	maxWrong    = 5           // so many wrong guesses
	throttleFor = time.Minute // before no more are taken for so long
)

// Guesses counts the wrong passwords that each guesser gave for each thing; who
// and what that is, K says. It is derived state that a restart forgets. The zero
// value is ready to use, by many goroutines.
type Guesses[K comparable] struct {
	mu    sync.Mutex // leaf lock
	wrong map[K]guess
}

type guess struct {
	count int
	last  time.Time
}

// Wait is how long this guesser is not asked any more; 0: go on.
func (g *Guesses[K]) Wait(who K, now time.Time) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if was := g.wrong[who]; was.count >= maxWrong {
		return throttleFor - now.Sub(was.last)
	}
	return 0
}

// Note counts a wrong guess, or forgets those before a right one.
func (g *Guesses[K]) Note(who K, now time.Time, right bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.wrong == nil {
		g.wrong = map[K]guess{}
	}
	maps.DeleteFunc(g.wrong, func(_ K, was guess) bool { return now.Sub(was.last) >= throttleFor })
	if right {
		delete(g.wrong, who)
		return
	}
	g.wrong[who] = guess{g.wrong[who].count + 1, now}
}
