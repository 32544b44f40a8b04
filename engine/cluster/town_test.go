package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore/object"
)

// town is a store and the servers that share a book in it.
type town struct {
	t    testing.TB
	mem  *object.Memory
	base []string // the book as the last snapshot has it
	born time.Time
}

func newTown(t testing.TB) *town {
	w := &town{t: t, mem: object.NewMemory(), born: time.Now()}
	w.snapshot(place{Commit: 2, Mark: newMark()}, []string{"made", "ready"})
	return w
}

// snapshot has the pointer name a snapshot of lines.
func (w *town) snapshot(at place, lines []string) {
	w.t.Helper()
	w.base = lines
	p := pointer{Vault: "book", snapshot: snapshot{place: at, Seq: at.Commit, Size: 4, Key: "snapshots/one", Time: time.Now()}}
	b, err := json.Marshal(p)
	must(w.t, err)
	w.put(keySnapshot, b)
	w.put(p.Key, []byte("rows"))
}

func (w *town) put(key string, b []byte) {
	w.t.Helper()
	_, err := w.mem.Put(context.Background(), key, b, object.Condition{})
	must(w.t, err)
}

func (w *town) drop(key string) { must(w.t, w.mem.Delete(context.Background(), key)) }

// history is what the store has from the first commit after the base on, each checked
// against the one before it.
func (w *town) history(from place) (lines []string, last place) {
	w.t.Helper()
	c := &Config{Objects: w.mem}
	for {
		cm, err := c.readCommit(context.Background(), from.Commit+1)
		if errors.Is(err, object.ErrNotFound) {
			return lines, from
		}
		must(w.t, err)
		must(w.t, cm.follows(from))
		if line := string(cm.Record[40:]); cm.Kind == kindGroup {
			lines = append(lines, line)
		} else if line != "" {
			w.t.Errorf("takeover %d does %q", cm.Commit, line)
		}
		from = cm.place
	}
}

// server is a machine of the town.
type server struct {
	*town
	name string
	dir  string
	b    *book
	m    *Member

	patience time.Duration

	mu   sync.Mutex
	w    *weather
	jump time.Duration // of its clock that runs on in a sleep
	said []string
}

func (w *town) server(name string) *server {
	return &server{town: w, name: name, dir: w.t.TempDir(), b: &book{}, w: over(w.mem)}
}

func (s *server) config() Config {
	return Config{
		Objects: s.w, Dir: s.dir, Server: s.name, URL: "https://" + s.name, Patience: s.patience,
		open: s.b.Open,
		place: func(string, pointer) error {
			s.b.mu.Lock()
			defer s.b.mu.Unlock()
			s.b.lines, s.b.head = nil, [32]byte{}
			for _, line := range s.base {
				s.b.put(line)
			}
			return nil
		},
		boot: func() time.Duration {
			s.mu.Lock()
			defer s.mu.Unlock()
			return time.Since(s.born) + s.jump
		},
		Log: func(format string, args ...any) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said = append(s.said, fmt.Sprintf(format, args...))
		},
	}
}

func (s *server) join(want Role) *Member {
	s.t.Helper()
	m, err := Join(context.Background(), s.config())
	must(s.t, err)
	s.m = m
	if m.Role() != want {
		s.t.Fatalf("%s is %v, want %v", s.name, m.Role(), want)
	}
	return m
}

func (s *server) write(line string) error { return s.m.v.(*pages).Write(line) }

func (s *server) close() {
	s.t.Helper()
	must(s.t, s.m.Close(context.Background()))
}

// kill ends the member as a machine ends that loses its power.
func (s *server) kill() {
	s.b.crash()
	old := s.w
	s.w = over(s.mem)
	old.set(func(w *weather) { w.cut = true })
	old.resume()
	m := s.m
	m.stop(errCut)
	if m.role == Owner {
		m.house()
		m.letGo(errCut)
		m.keeper.Wait()
	}
	m.runs.Wait()
	m.end(errCut)
}

// over waits until the member's role is over, and returns why.
func (s *server) over(within time.Duration) error {
	s.t.Helper()
	select {
	case <-s.m.Done():
		return s.m.Err()
	case <-time.After(within):
		s.t.Fatalf("%s is %v still after %v: %q", s.name, s.m.Role(), within, s.said)
		return nil
	}
}

// succeeds waits until the follower has claimed the vault, and makes it the owner.
func (s *server) succeeds(within time.Duration) {
	s.t.Helper()
	wantIs(s.t, s.over(within), ErrOwnerGone)
	s.close()
	s.join(Owner)
}

// has waits until the server's book has these lines; "" are takeovers.
func (s *server) has(want ...string) {
	s.t.Helper()
	for range 50 {
		if slices.Equal(s.lines(), want) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Errorf("%s has %q, want %q", s.name, s.lines(), want)
}

// lines are the book's without takeovers.
func (s *server) lines() []string {
	return slices.DeleteFunc(s.b.read(), func(line string) bool { return line == "" })
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantIs(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("it returns %v, want %v", err, want)
	}
}
