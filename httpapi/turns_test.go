package httpapi

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurns: places are bounded in all and for each user, those who have fewer come
// first, and nobody waits for ever.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(4, 5*time.Second, errSearches)
		greedy, modest := spender{id: "greedy"}, spender{id: "modest"}
		var (
			mu    sync.Mutex
			order []string
		)
		take := func() []string { // what there is so far
			mu.Lock()
			defer mu.Unlock()
			said := order
			order = nil
			return said
		}
		say := func(who string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, who)
		}
		hold := func(who spender, long time.Duration) {
			go func() {
				end, err := turns.begin(t.Context(), who)
				if err != nil {
					say(who.id + " is refused")
					return
				}
				say(who.id)
				time.Sleep(long)
				end()
			}()
			synctest.Wait()
		}
		for range 7 { // two at a time, four wait, one is refused
			hold(greedy, time.Second)
		}
		hold(modest, 10*time.Second)
		hold(modest, 10*time.Second)
		said := take()
		if want := []string{"greedy", "greedy", "greedy is refused", "modest", "modest"}; !slices.Equal(said, want) {
			t.Errorf("%q", said)
		}
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		said = take()
		if want := []string{"greedy", "greedy"}; !slices.Equal(said, want) {
			t.Errorf("%q", said)
		}
		hold(modest, time.Second)          // has its share
		hold(spender{id: "third"}, 0)      // waits for one of greedy's, who has two waiting
		time.Sleep(600 * time.Millisecond) // two places are free
		synctest.Wait()
		if said = take(); !slices.Contains(said[:2], "third") {
			t.Errorf("%q", said)
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if said = take(); !slices.Contains(said, "modest is refused") {
			t.Errorf("%q", said)
		}
		time.Sleep(time.Minute)
		synctest.Wait() // orders what the others wrote before what is read here
		if turns.taken != 0 || len(turns.of)+len(turns.queue)+len(turns.waited) != 0 {
			t.Errorf("%+v", turns)
		}
		ctx, cancel := context.WithCancel(t.Context())
		first, err := turns.begin(ctx, greedy)
		if err != nil {
			t.Fatal(err)
		}
		second, _ := turns.begin(ctx, greedy)
		cancel()
		if _, err := turns.begin(ctx, greedy); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		first()
		second()
	})
}
