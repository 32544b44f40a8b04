package httpapi

import (
	"context"
	"sync"
	"time"
)

// turns bound how much of one kind of work is done at a time. Whoever comes while
// all places are taken waits a while, and is told to come again after that. One
// user never has more than half of the places, and as long as somebody waits who
// has fewer, nobody else gets the next one: whoever asks much waits for those who
// ask little.
type turns struct {
	most     int           // places; 0: any number
	patience time.Duration // how long to wait
	full     error         // what those are told who waited in vain, or whom nobody can wait with

	mu     sync.Mutex // leaf lock
	taken  int
	of     map[spender]int // places by user
	queue  []*turn         // who wait, the first first
	waited map[spender]int // how many of a user wait
}

// turn is one who waits.
type turn struct {
	who spender
	now chan struct{} // closed when the place is theirs
}

// waitEach is how many of one user may wait for a place, for each place, and
// waitAll how many of all.
const (
	waitEach = 1
	waitAll  = 8
)

func newTurns(most int, patience time.Duration, full error) *turns {
	return &turns{most: most, patience: patience, full: full, of: map[spender]int{}, waited: map[spender]int{}}
}

// begin takes a place. Whoever has it calls end. The error of ctx, or t.full.
func (t *turns) begin(ctx context.Context, who spender) (end func(), err error) {
	if t.most <= 0 {
		return func() {}, nil
	}
	t.mu.Lock()
	if t.taken < t.most && t.of[who] < t.share() {
		t.take(who)
		t.mu.Unlock()
		return func() { t.end(who) }, nil
	}
	if len(t.queue) >= waitAll*t.most || t.waited[who] >= waitEach*t.most {
		t.mu.Unlock()
		return nil, t.full
	}
	mine := &turn{who, make(chan struct{})}
	t.queue = append(t.queue, mine)
	t.waited[who]++
	t.mu.Unlock()

	timer := time.NewTimer(t.patience)
	defer timer.Stop()
	select {
	case <-mine.now:
		return func() { t.end(who) }, nil
	case <-timer.C:
		err = t.full
	case <-ctx.Done():
		err = ctx.Err()
	}
	if t.leave(mine) {
		return nil, err
	}
	return func() { t.end(who) }, nil // it came at the last moment
}

// share is how many places one user may have. Called under t.mu.
func (t *turns) share() int { return max(1, t.most/2) }

func (t *turns) take(who spender) {
	t.taken++
	t.of[who]++
}

func (t *turns) end(who spender) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.taken--
	if t.of[who]--; t.of[who] == 0 {
		delete(t.of, who)
	}
	for t.taken < t.most && t.next() {
	}
}

// next gives a place to the first of those who have the fewest, if they may have
// another, and says whether it did. Called under t.mu.
func (t *turns) next() bool {
	best := -1
	for i, waiting := range t.queue {
		if n := t.of[waiting.who]; n < t.share() && (best < 0 || n < t.of[t.queue[best].who]) {
			best = i
		}
	}
	if best < 0 {
		return false
	}
	turn := t.queue[best]
	t.remove(best)
	t.take(turn.who)
	close(turn.now)
	return true
}

// leave gives up waiting, and says whether it was still waiting.
func (t *turns) leave(mine *turn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, waiting := range t.queue {
		if waiting == mine {
			t.remove(i)
			return true
		}
	}
	return false
}

func (t *turns) remove(i int) {
	who := t.queue[i].who
	t.queue = append(t.queue[:i:i], t.queue[i+1:]...)
	if t.waited[who]--; t.waited[who] == 0 {
		delete(t.waited, who)
	}
}

// searchPatience is how long a search waits for its turn.
const searchPatience = 5 * time.Second

var errSearches = &limitedError{after: time.Second, message: "as many searches are running as this server takes at a time, or of one user; try again in a moment"}

// searching takes a place for a search.
func (s *Server) searching(ctx context.Context, c caller) (end func(), err error) {
	end, err = s.searches.begin(ctx, c.spender())
	if err == errSearches {
		s.metrics.limitedSearches.Add(1)
	}
	return end, err
}
