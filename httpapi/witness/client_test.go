package witness_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/httpapi/witness"
)

var errNoMore = errors.New("it signs no more")

// told is a log as a Client sees it, which keeps what it is told.
type told struct {
	*testLog
	mu          sync.Mutex
	kept        []byte // the checkpoint with what witnesses signed
	saw, denied []int64
}

func (l *told) Prove(_ context.Context, of witness.Signed, old int64) ([]audit.TreeHash, error) {
	return audit.ProveConsistency(old, of.Size, l.tree)
}

func (l *told) Add(_ context.Context, to witness.Signed, lines []byte, by audit.Policy) ([]audit.Cosigning, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !strings.HasPrefix(string(l.kept), to.Text()) {
		l.kept = to.Note
	}
	whole, signed, err := by.Cosigned(l.kept, lines)
	if err == nil {
		l.kept = whole
	}
	return signed, err
}

func (l *told) Saw(_ context.Context, _ string, size int64) error {
	l.saw = append(l.saw, size)
	return errNoMore
}

func (l *told) Refuses(_ context.Context, _ string, size int64) error {
	l.denied = append(l.denied, size)
	return errNoMore
}

// signed is the checkpoint of all lines.
func (l *told) signed() witness.Signed {
	root, err := audit.TreeRoot(l.edge.Size(), l.tree)
	must(l, err)
	c := audit.Checkpoint{Origin: l.key.Name(), Size: l.edge.Size(), Root: root}
	note, err := l.key.Sign(c)
	must(l, err)
	return witness.Signed{Checkpoint: c, Note: note}
}

// listen serves a witness of a log, and returns its line in a policy.
func listen(t testing.TB, name string, l *testLog) (w *witness.Witness, line string) {
	t.Helper()
	w = open(t, t.TempDir(), l)
	server := httptest.NewServer(witness.NewServer(w, zerolog.Nop()))
	t.Cleanup(server.Close)
	return w, "witness " + name + " " + w.Verifier() + " " + server.URL + "/witness\n"
}

func client(t testing.TB, policy string) *witness.Client {
	t.Helper()
	p, err := audit.ParsePolicy(policy)
	must(t, err)
	c, err := witness.NewClient(p, nil)
	must(t, err)
	return c
}

func TestClientHasWitnessesSign(t *testing.T) {
	l := &told{testLog: newLog(t, "example.com/log").grow(5, "a")}
	_, one := listen(t, "one", l.testLog)
	_, two := listen(t, "two", l.testLog)
	stranger, _ := listen(t, "stranger", newLog(t, "example.com/another"))
	policy := one + two + "witness far " + stranger.Verifier() + "\ngroup both all one two\nquorum both\n"
	c := client(t, policy)
	believing, err := c.Policy().For(l.key.Verifier())
	must(t, err)
	for range 3 {
		for _, a := range c.Ask(t.Context(), l, l.signed()) {
			if a.Err != nil || a.Time.IsZero() {
				t.Errorf("%+v", a)
			}
		}
		if o, err := believing.Open(l.kept); err != nil || len(o.Witnesses) != 2 || o.Checkpoint.Size != l.edge.Size() {
			t.Errorf("%d entries: %+v, %v", l.edge.Size(), o, err)
		}
		l.grow(7, "a")
	}
	// After a restart it knows nothing, and finds out.
	for _, a := range client(t, policy).Ask(t.Context(), l, l.signed()) {
		if a.Err != nil {
			t.Errorf("%+v", a)
		}
	}
	if l.saw != nil || l.denied != nil {
		t.Errorf("the log is told %v, %v", l.saw, l.denied)
	}
}

// A copy of a vault that went on, beside the vault itself, and one that was brought
// back to an earlier state: the witness catches both.
func TestClientTellsOfContradiction(t *testing.T) {
	l := &told{testLog: newLog(t, "example.com/log").grow(5, "a")}
	fork := &told{testLog: &testLog{TB: t, key: l.key}}
	fork.grow(5, "a")
	_, line := listen(t, "one", l.testLog)
	policy := line + "quorum one\n"
	c, before := client(t, policy), l.signed()
	c.Ask(t.Context(), l, before)
	l.grow(5, "a")
	c.Ask(t.Context(), l, l.signed())

	late := client(t, policy)
	if a := late.Ask(t.Context(), fork, before); !errors.Is(a[0].Err, errNoMore) || len(fork.saw) != 1 || fork.saw[0] != 10 {
		t.Errorf("one that was brought back: %+v, told %v", a, fork.saw)
	}
	for _, n := range []int{5, 1} { // as many entries as the other one, and more
		fork.grow(n, "b")
		fork.denied = nil
		if a := late.Ask(t.Context(), fork, fork.signed()); !errors.Is(a[0].Err, errNoMore) || len(fork.denied) != 1 || fork.denied[0] != 10 {
			t.Errorf("a copy with %d entries: %+v, told %v", fork.edge.Size(), a, fork.denied)
		}
	}
	if l.saw != nil || l.denied != nil {
		t.Errorf("the log itself is told %v, %v", l.saw, l.denied)
	}
}

// What a witness answers that is none stops nothing.
func TestClientDoubtsAnswers(t *testing.T) {
	l := &told{testLog: newLog(t, "example.com/log").grow(5, "a")}
	real, _ := listen(t, "one", l.testLog)
	other, _ := listen(t, "two", l.testLog)
	foreign, err := other.Sign(l.request(0, 5))
	must(t, err)
	for what, answer := range map[string]struct {
		status int
		body   string
	}{
		"nothing": {200, ""}, "text": {200, "thank you\n"}, "another's signature": {200, string(foreign)},
		"no size": {409, "more\n"}, "a size below 0": {409, "-1\n"}, "the size asked about": {409, "5\n"}, "ever another size": {409, "4\n"},
		"unknown": {404, ""}, "forbidden": {403, ""}, "failed": {500, ""}, "elsewhere": {307, ""},
	} {
		answers := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/prefix/add-checkpoint" {
				t.Errorf("asked is %s", r.URL)
			}
			if answer.status == 307 {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(answer.status)
			w.Write([]byte(answer.body))
			answers++
		}))
		c := client(t, "witness one "+real.Verifier()+" "+server.URL+"/prefix/\nquorum one\n")
		if a := c.Ask(t.Context(), l, l.signed()); a[0].Err == nil || answers == 0 || answers > 4 {
			t.Errorf("%s: %+v after %d answers", what, a, answers)
		}
		server.Close()
		if a := c.Ask(t.Context(), l, l.signed()); a[0].Err == nil {
			t.Errorf("nobody is there: %+v", a)
		}
	}
	if l.saw != nil || l.denied != nil || l.kept != nil && strings.Contains(string(l.kept), "\u2014 strongroom/witness") {
		t.Errorf("the log is told %v, %v, and keeps\n%s", l.saw, l.denied, l.kept)
	}
}

func TestPolicyOfAClient(t *testing.T) {
	w := open(t, t.TempDir(), newLog(t, "x"))
	for url, good := range map[string]bool{
		"": false, "https://w.example.com": true, "https://w.example.com/a/b/": true, "http://127.0.0.1:80": true, "http://localhost": true, "http://[::1]:8080/witness": true,
		"http://w.example.com": false, "http://10.0.0.1": false, "w.example.com": false, "https://": false, "https://a:b@w.example.com": false, "https://w.example.com?a": false,
		"https://w.example.com#a": false, "ftp://w.example.com": false, "http://127.0.0.1.example.com": false,
	} {
		p, err := audit.ParsePolicy("witness w " + w.Verifier() + " " + url + "\nquorum w\n")
		must(t, err)
		if _, err := witness.NewClient(p, nil); (err == nil) != good {
			t.Errorf("%q: %v", url, err)
		}
	}
}
