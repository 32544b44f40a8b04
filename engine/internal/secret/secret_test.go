package secret

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The vectors are those of the reference implementation of Argon2 (its file
// src/test.c), which spells them in PHC form.
func TestPublishedVectors(t *testing.T) {
	h := NewHasher()
	for _, v := range []struct{ password, kept string }{
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		{"password", "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"},
	} {
		p, err := Parse(v.kept)
		if err != nil {
			t.Fatal(v.kept, err)
		}
		if fits, err := h.Fits(t.Context(), v.password, p); !fits || err != nil {
			t.Errorf("%s: %v, %v", v.kept, fits, err)
		}
		if fits, err := h.Fits(t.Context(), v.password+" ", p); fits || err != nil {
			t.Errorf("%s fits another password: %v, %v", v.kept, fits, err)
		}
	}
}

func TestANewPassword(t *testing.T) {
	h := NewHasher()
	p, err := h.New(t.Context(), "open sesame")
	if err != nil || !strings.HasPrefix(string(p), "$argon2id$v=19$m=19456,t=2,p=1$") || p.Weak() {
		t.Fatal(p, err)
	}
	again, err := h.New(t.Context(), "open sesame")
	if err != nil || again == p {
		t.Error("two have one salt", err)
	}
	if parsed, err := Parse(string(p)); err != nil || parsed != p {
		t.Error(parsed, err)
	}
	for password, want := range map[string]bool{"open sesame": true, "open sesam": false, "": false} {
		if fits, err := h.Fits(t.Context(), password, p); fits != want || err != nil {
			t.Errorf("%q fits: %v, %v", password, fits, err)
		}
	}
	if _, err := h.Fits(t.Context(), "", ""); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestHashingWaitsItsTurn(t *testing.T) {
	h := NewHasher()
	h.turn <- struct{}{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.New(ctx, "x"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWeak(t *testing.T) {
	salt, hash, today := make([]byte, saltSize), make([]byte, hashSize), Today()
	for _, c := range []struct {
		cost       Cost
		salt, hash []byte
		weak       bool
	}{
		{today, salt, hash, false},
		{Cost{today.Memory + 1, today.Passes + 1, 4}, salt, hash, false},
		{Cost{today.Memory - 1, today.Passes, 1}, salt, hash, true},
		{Cost{today.Memory, today.Passes - 1, 1}, salt, hash, true},
		{today, salt[:15], hash, true},
		{today, salt, hash[:31], true},
	} {
		if p, err := Of(c.cost, c.salt, c.hash); err != nil || p.Weak() != c.weak {
			t.Errorf("%s: weak %v, %v", p, p.Weak(), err)
		}
	}
}

const good = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzYWx0$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

func TestMalformed(t *testing.T) {
	if _, err := Parse(good); err != nil {
		t.Fatal(err)
	}
	texts := []string{"", "$", "$$$$$", "x", good[1:], " " + good, good + "$", good + " ", good + "=", good + "\n", good[:len(good)-30], strings.Repeat("A", 48)}
	for _, change := range [][2]string{
		{"argon2id", "argon2i"}, {"argon2id", "argon2d"}, {"argon2id", "Argon2id"}, {"v=19", "v=16"}, {"$v=19", ""},
		{"m=19456", "m=019456"}, {"m=19456", "m=+19456"}, {"m=19456", "m=-1"}, {"m=19456", "m=0"}, {"m=19456", "m=7"}, {"m=19456", "m= 19456"}, {"m=19456", "m=0x20"},
		{"m=19456", "m=262145"}, {"m=19456", "m=4294967296"}, {"m=19456,t=2", "t=2,m=19456"},
		{"t=2", "t=0"}, {"t=2", "t=17"}, {"t=2", "t=99999999999"}, {"p=1", "p=0"}, {"p=1", "p=5"}, {"p=1", "p=257"}, {"p=1", "p=1,keyid=x"},
		{"c29tZXNhbHRzYWx0", ""}, {"c29tZXNhbHRzYWx0", "c29tZXNhbA"}, {"c29tZXNhbHRzYWx0", "c29tZXNhbHRzYWx0$"}, {"c29tZXNhbHRzYWx0", "c29tZXNh\nbHRzYWx0"},
		{"c29tZXNhbHRzYWx0", strings.Repeat("A", 87)}, {"PPc", "PPd"}, {"PPc", "PP-"}, {"CTFh", strings.Repeat("CTFh", 30)},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%q changes nothing", change)
		}
		texts = append(texts, text)
	}
	for _, text := range texts {
		if p, err := Parse(text); !errors.Is(err, ErrMalformed) || p != "" || Password(text).Weak() {
			t.Errorf("%q is %q, %v", text, p, err)
		}
	}
	if _, err := Of(Today(), make([]byte, 7), make([]byte, hashSize)); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestGuesses(t *testing.T) {
	var g Guesses[string]
	at := time.Unix(1_000_000, 0)
	for range maxWrong {
		if wait := g.begin("a", at); wait != 0 {
			t.Fatal(wait)
		}
	}
	if wait := g.begin("a", at.Add(time.Second)); wait != throttleFor-time.Second {
		t.Error(wait)
	}
	if wait := g.begin("b", at); wait != 0 {
		t.Error("another has to wait", wait)
	}
	if wait := g.begin("a", at.Add(throttleFor)); wait != 0 {
		t.Error(wait)
	}
	if wait := g.begin("a", at.Add(throttleFor)); wait != 0 {
		t.Error("what was over still counts", wait)
	}
	g.right("a")
	for range maxWrong {
		if wait := g.begin("a", at); wait != 0 {
			t.Fatal("a right one forgets nothing", wait)
		}
	}
	if wait := g.begin("a", at); wait != throttleFor {
		t.Error(wait)
	}
}

// TestGuessesInParallel: however many guess at once, no more wrong ones are
// hashed than one after another, and no right one is refused.
func TestGuessesInParallel(t *testing.T) {
	cheap := parts{cost: Cost{Memory: 8, Passes: 1, Lanes: 1}, salt: make([]byte, saltSize), hash: make([]byte, hashSize)}
	cheap.hash = cheap.derive("right")
	kept, h := Password(cheap.spell()), NewHasher()
	now := func() time.Time { return time.Unix(1_000_000, 0) }
	for password, want := range map[string]int64{"wrong": maxWrong, "right": 200} {
		var g Guesses[string]
		var hashed atomic.Int64
		var all sync.WaitGroup
		for range 200 {
			all.Go(func() {
				right, wait, err := g.Try(t.Context(), h, "a", now, password, kept)
				if err != nil || wait == 0 && right != (password == "right") {
					t.Error(right, wait, err)
				}
				if wait == 0 {
					hashed.Add(1)
				}
			})
		}
		all.Wait()
		if n := hashed.Load(); n != want {
			t.Errorf("%s: %d guesses are hashed", password, n)
		}
	}
	var g Guesses[string]
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range maxWrong + 1 {
		if _, wait, err := g.Try(gone, h, "a", now, "wrong", kept); wait != 0 || !errors.Is(err, context.Canceled) {
			t.Error("one that was never tried counts", wait, err)
		}
	}
	if _, _, err := g.Try(t.Context(), h, "a", now, "", ""); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// FuzzParse: no text makes Parse panic, and what it accepts is spelled as it
// was, at a cost that can be borne.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "$", good, strings.Repeat("$", 9), "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			return
		}
		s, err := p.parts()
		if err != nil || s.spell() != text || s.cost.Memory > maxMemory || s.cost.Passes > maxPasses || s.cost.Lanes > maxLanes {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
		if again, err := Of(s.cost, s.salt, s.hash); err != nil || again != p {
			t.Errorf("%q is spelled %q, %v", text, again, err)
		}
	})
}
