package main

import (
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"strongroom/blobstore/s3/s3test"
)

// TestCutOff cuts the networks between servers and store while clients write, and
// holds all to what was acknowledged.
func TestCutOff(t *testing.T) {
	onlySoaking(t)
	f := newFleet(t, 3)
	s := f.startSoak(1)
	settle := func() { wait(t.Context(), 300*time.Millisecond) }
	settle()

	// From the store, in both ways: another takes over, and this one answers no change.
	for name, rules := range map[string]s3test.Rules{"silent": {Silent: true}, "refusing": {Refuse: true}} {
		owner := f.owner()
		owner.toStore.Set(rules)
		cut := time.Now()
		took := f.awaitChange(owner.others()...).Sub(cut)
		t.Logf("a store that is %s to its owner: no write for %v", name, took.Round(time.Millisecond))
		if f.owner() == owner {
			t.Errorf("%s: the server that is cut off owns the vault", name)
		}
		settle()
		owner.toStore.Set(s3test.Rules{})
		f.level(owner)
	}

	// From the others: they cannot pass changes on, and nobody takes over, for the
	// vault has an owner that answers.
	owner := f.owner()
	owner.toPeer.Set(s3test.Rules{Refuse: true})
	for range 10 {
		settle()
		f.awaitChange(owner)
	}
	code, answer, err := f.try(t.Context(), http.DefaultClient, "POST", owner.others()[0].where()+"/v1/documents?fileName=a", "a")
	if err != nil || code < http.StatusBadGateway || !strings.Contains(string(answer), `"errorCode"`) {
		t.Errorf("a change that cannot be passed on: %d, %v\n%s", code, err, answer)
	}
	if now := f.owner(); now != owner {
		t.Errorf("%s took over from %s, which answers", now.name, owner.name)
	}
	owner.toPeer.Set(s3test.Rules{})
	f.awaitChange(owner.others()...)

	// One that follows, from the store: clients do not notice.
	follower := f.owner().others()[0]
	follower.toStore.Set(s3test.Rules{Refuse: true})
	settle()
	f.awaitChange(follower)
	follower.toStore.Set(s3test.Rules{})
	f.level(follower)
	s.end()
}

// level waits until a server has all that the owner has.
func (f *fleet) level(m *member) {
	f.t.Helper()
	head, err := headOf(f.t.Context(), f.key, f.owner().where())
	if err != nil {
		f.t.Fatal(err)
	}
	m.catchUp(head.Seq)
}

// TestBadNetwork has a store that is late, answers nothing of what it did, does things
// twice and later than it says, before all servers; and an owner killed in the middle.
func TestBadNetwork(t *testing.T) {
	onlySoaking(t)
	f := newFleet(t, 2)
	s := f.startSoak(1)
	changes := func(r *http.Request) bool { return r.Method == "PUT" || r.Method == "DELETE" }
	for _, rules := range []s3test.Rules{
		{Delay: 5 * time.Millisecond, Reorder: 50 * time.Millisecond},
		{OneIn: 5, LoseAnswer: true},
		{OneIn: 3, Repeat: true, Only: changes},
		{OneIn: 10, Late: 300 * time.Millisecond, Only: changes},
	} {
		for _, m := range f.members {
			m.toStore.Set(rules)
		}
		f.awaitChange(f.members...)
		wait(t.Context(), time.Second)
		owner := f.owner()
		owner.kill()
		f.awaitChange(owner.others()...)
		owner.toStore.Set(s3test.Rules{}) // at its start a server tries the store, and leaves it if it does not answer
		owner.start()
	}
	for _, m := range f.members {
		m.toStore.Set(s3test.Rules{})
	}
	t.Logf("%d changes acknowledged", s.end())
	f.fromTheStoreAlone(s)
}

// TestStoreThatLies holds that no vault is kept in a store that breaks its word, and
// that the message says how it does.
func TestStoreThatLies(t *testing.T) {
	f := newFleet(t, 0)
	for _, test := range []struct {
		name  string
		rules s3test.Rules
		says  string
	}{
		{"conditions", s3test.Rules{IgnoreConditions: true}, "accepts If-None-Match: * and ignores it"},
		{"forgets", s3test.Rules{Forget: true}, "loses what it has acknowledged"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := f.add()
			m.toStore.Set(test.rules)
			for _, args := range [][]string{m.serving(), append([]string{"doctor"}, m.home()...)} {
				out, err := m.command(executable(t), args...).CombinedOutput()
				if _, refused := err.(*exec.ExitError); !refused || !strings.Contains(string(out), test.says) {
					t.Errorf("%s: %v\n%s", args[0], err, out)
				}
			}
		})
	}
}
