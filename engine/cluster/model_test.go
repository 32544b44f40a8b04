package cluster

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
)

var (
	modelSeed = flag.Uint64("modelseed", 0, "a seed for TestModel to try alone; 0 takes the fixed ones")
	moreSeeds = flag.Int("random", 0, "how many more random seeds to try beside the fixed ones")
)

// Whatever becomes of requests and machines, what was acknowledged is one history: each
// line is in it once, after all that were acknowledged before it was written; who was told
// that it did not happen finds nothing of it; and an owner that is current has all there is.
func TestModel(t *testing.T) {
	seeds := []uint64{1, 2, 3, 4}
	if testing.Short() {
		seeds = seeds[:1]
	}
	for range *moreSeeds {
		seeds = append(seeds, rand.Uint64())
	}
	if *modelSeed != 0 {
		seeds = []uint64{*modelSeed}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
		})
	}
}

// model is what clients of three servers were told.
type model struct {
	*town
	base place
	ctx  context.Context // ends the trouble

	mu      sync.Mutex
	acked   []ack
	refused []string
	owners  int
}

type ack struct {
	line string
	seen int // how many were acknowledged before it was begun
}

func runModel(t *testing.T, seed uint64) {
	base := place{Commit: 2, Mark: newMark()}
	w := newTown(t)
	w.snapshot(base, w.base)
	m := &model{town: w, base: base}
	ctx, calm := context.WithCancel(t.Context())
	m.ctx = ctx
	var lives sync.WaitGroup
	var all []*server
	for i := range 3 {
		s := w.server(string(rune('a' + i)))
		all = append(all, s)
		draw := rand.New(rand.NewPCG(seed, uint64(i)))
		lives.Go(func() { m.lives(s, draw) })
	}
	time.Sleep(10 * time.Minute)
	calm()
	lives.Wait()
	time.Sleep(time.Minute) // what was late has come
	for _, s := range all {
		s.w.set(func(w *weather) { w.draw = nil })
	}
	m.check(all)
}

// lives has the server join again and again, each time in another weather, and end each
// time in another way.
func (m *model) lives(s *server, draw *rand.Rand) {
	for life := 0; m.ctx.Err() == nil; life++ {
		s.mu.Lock()
		s.w = over(s.mem)
		s.w.draw = rand.New(rand.NewPCG(draw.Uint64(), 0))
		s.w.faults = []float64{0, 0.02, 0.2, 0.5}[draw.IntN(4)]
		s.w.delay = []time.Duration{0, 20 * time.Millisecond, time.Second}[draw.IntN(3)]
		s.mu.Unlock()
		ctx, end := context.WithTimeout(m.ctx, time.Duration(1+draw.IntN(60))*time.Second)
		var beside sync.WaitGroup
		w, ills := s.w, rand.New(rand.NewPCG(draw.Uint64(), 1))
		beside.Go(func() { trouble(ctx, w, ills) })
		m.life(ctx, s, life, &beside, draw.IntN(2) == 0)
		end()
		beside.Wait()
		select {
		case <-m.ctx.Done():
		case <-time.After(time.Duration(draw.IntN(10_000)) * time.Millisecond):
		}
	}
}

// trouble stops the server and cuts it off, at times.
func trouble(ctx context.Context, w *weather, draw *rand.Rand) {
	for ctx.Err() == nil {
		after(ctx, draw, 40)
		if draw.IntN(2) == 0 {
			w.pause()
			after(ctx, draw, 30)
			w.resume()
			continue
		}
		w.set(func(w *weather) { w.cut = true })
		after(ctx, draw, 30)
		w.set(func(w *weather) { w.cut = false })
	}
}

func after(ctx context.Context, draw *rand.Rand, seconds int) {
	select {
	case <-ctx.Done():
	case <-time.After(time.Duration(draw.IntN(seconds*1000)) * time.Millisecond):
	}
}

// life is one membership, until ctx ends or the role is over.
func (m *model) life(ctx context.Context, s *server, life int, beside *sync.WaitGroup, crashes bool) {
	member, err := Join(ctx, s.config())
	for _, never := range []error{ErrStoreBehind, ErrForked, ErrDamaged, engine.ErrRecord, engine.ErrVaultInUse} {
		if errors.Is(err, never) {
			m.t.Errorf("%s joins: %v", s.name, err)
		}
	}
	if err != nil {
		return
	}
	s.m = member
	if member.Role() == Owner {
		m.mu.Lock()
		m.owners++
		m.mu.Unlock()
		beside.Go(func() { m.writes(s, member, life) })
		beside.Go(func() { m.reads(s, member) })
	}
	select {
	case <-ctx.Done():
	case <-member.Done():
	}
	for _, never := range []error{ErrStoreBehind, ErrForked, ErrDamaged, engine.ErrRecord} {
		if err := member.Err(); errors.Is(err, never) {
			m.t.Errorf("%s, %v, is over: %v", s.name, member.Role(), err)
		}
	}
	if crashes && m.ctx.Err() == nil {
		s.kill()
		return
	}
	closing, done := context.WithTimeout(context.Background(), 5*time.Second)
	defer done()
	s.w.resume()
	if err := member.Close(closing); err != nil {
		m.t.Errorf("%s is closed: %v", s.name, err)
	}
}

func (m *model) writes(s *server, member *Member, life int) {
	p := member.v.(*pages)
	for i := 0; ; i++ {
		line := fmt.Sprintf("%s/%d/%d", s.name, life, i)
		m.mu.Lock()
		seen := len(m.acked)
		m.mu.Unlock()
		err := p.Write(line)
		m.mu.Lock()
		if err == nil {
			m.acked = append(m.acked, ack{line, seen})
		} else if errors.Is(err, engine.ErrReplaced) {
			m.refused = append(m.refused, line)
		}
		m.mu.Unlock()
		if err != nil {
			return
		}
		time.Sleep(300 * time.Millisecond)
	}
}

func (m *model) reads(s *server, member *Member) {
	for member.Err() == nil {
		m.mu.Lock()
		seen := slices.Clone(m.acked)
		m.mu.Unlock()
		if member.Current() == nil {
			have := map[string]bool{}
			for _, line := range s.b.read() {
				have[line] = true
			}
			for _, a := range seen {
				if !have[a.line] && member.Current() == nil {
					m.t.Errorf("%s is current, and lacks %s", s.name, a.line)
				}
			}
		}
		time.Sleep(700 * time.Millisecond)
	}
}

func (m *model) check(all []*server) {
	history, last := m.history(m.base)
	at := map[string]int{}
	for i, line := range history {
		if was, twice := at[line]; twice {
			m.t.Errorf("%s is line %d and %d", line, was, i)
		}
		at[line] = i
	}
	upTo := make([]int, len(m.acked)+1) // the last line of those that were acknowledged first
	for i, a := range m.acked {
		n, there := at[a.line]
		if !there {
			m.t.Errorf("%s was acknowledged, and is lost", a.line)
		}
		if n < upTo[a.seen] {
			m.t.Errorf("%s is line %d, before one that was acknowledged before it was begun", a.line, n)
		}
		upTo[i+1] = max(upTo[i], n)
	}
	for _, line := range m.refused {
		if _, there := at[line]; there {
			m.t.Errorf("%s was said not to have happened", line)
		}
	}
	whole := append(slices.Clone(m.town.base), history...)
	for _, s := range all {
		if lines := s.lines(); len(lines) > len(whole) || !slices.Equal(lines, whole[:len(lines)]) {
			m.t.Errorf("%s has another history:\n%s\n\n%s", s.name, strings.Join(lines, " "), strings.Join(whole, " "))
		}
	}
	m.t.Logf("%d owners, %d commits, %d lines acknowledged, %d refused", m.owners, last.Commit, len(m.acked), len(m.refused))
}
