package witness_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/audit"
	"strongroom/httpapi/witness"
)

// testLog is a log of lines that say nothing, with its key.
type testLog struct {
	testing.TB
	key  audit.Key
	edge audit.Edge
	tree tree
}

// tree keeps the hashes of a tree in memory.
type tree []audit.TreeHash

func (t tree) ReadHashes(at []int64) ([]audit.TreeHash, error) {
	hashes := make([]audit.TreeHash, len(at))
	for i, n := range at {
		hashes[i] = t[n]
	}
	return hashes, nil
}

func newLog(t testing.TB, origin string) *testLog {
	t.Helper()
	key, err := audit.NewKey(origin, rand.Reader)
	must(t, err)
	return &testLog{TB: t, key: key}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// grow appends lines; what is different makes another history.
func (l *testLog) grow(n int, what string) *testLog {
	for range n {
		l.tree = l.edge.Append(l.tree, fmt.Appendf(nil, "%s %d", what, l.edge.Size()))
	}
	return l
}

// policy is that of who believes the log.
func (l *testLog) policy() audit.Policy {
	p, err := audit.PolicyOf(l.key.Verifier())
	must(l, err)
	return p
}

// request asks a witness that has seen the first old lines to sign the first size.
func (l *testLog) request(old, size int64) []byte {
	l.Helper()
	root, err := audit.TreeRoot(size, l.tree)
	must(l, err)
	signed, err := l.key.Sign(audit.Checkpoint{Origin: l.key.Name(), Size: size, Root: root})
	must(l, err)
	proof, err := audit.ProveConsistency(old, size, l.tree)
	must(l, err)
	return audit.AddRequest{Old: old, Proof: proof, Checkpoint: signed}.Marshal()
}

// signedBy checks that line is the signature of the witness over the request's
// checkpoint, made now.
func signedBy(t testing.TB, w *witness.Witness, request, line []byte) {
	t.Helper()
	r, err := audit.ParseAddRequest(request)
	must(t, err)
	signed, err := audit.AddSignatures(r.Checkpoint, line)
	must(t, err)
	if _, at, err := audit.OpenCosigned(signed, w.Verifier()); err != nil || time.Since(at) > time.Hour || time.Since(at) < 0 {
		t.Errorf("the answer %q is none of the witness, signed at %s: %v", line, at, err)
	}
}

func open(t testing.TB, data string, l *testLog) *witness.Witness {
	t.Helper()
	w, err := witness.Open(data, l.policy())
	must(t, err)
	return w
}

func TestWitnessSignsWhatGrew(t *testing.T) {
	data, l := t.TempDir(), newLog(t, "example.com/log").grow(20, "a")
	w := open(t, data, l)
	for _, step := range [][2]int64{{0, 3}, {3, 3}, {3, 4}, {4, 16}, {16, 20}, {20, 20}} {
		request := l.request(step[0], step[1])
		line, err := w.Sign(request)
		must(t, err)
		signedBy(t, w, request, line)
		// It is on disk: a witness that is started now knows it.
		again := open(t, data, l)
		if again.Verifier() != w.Verifier() {
			t.Fatal("the witness has another key after a restart")
		}
		w = again
		var old *witness.OldSizeError
		if _, err := w.Sign(l.request(1, 20)); !errors.As(err, &old) || old.Size != step[1] {
			t.Fatalf("after %d lines it says %v", step[1], err)
		}
	}
}

func TestTwoHistoriesAreNotSigned(t *testing.T) {
	data, l := t.TempDir(), newLog(t, "example.com/log").grow(10, "a")
	fork := &testLog{TB: t, key: l.key}
	fork.grow(12, "b")
	w := open(t, data, l)
	_, err := w.Sign(l.request(0, 10))
	must(t, err)
	for _, request := range [][]byte{fork.request(10, 10), fork.request(10, 12)} {
		if line, err := w.Sign(request); !errors.Is(err, audit.ErrProof) {
			t.Errorf("another history is signed: %s, %v", line, err)
		}
	}
	for _, request := range [][]byte{fork.request(0, 12), fork.request(5, 12), l.request(0, 5), l.request(5, 5)} {
		if line, err := w.Sign(request); !errors.Is(err, audit.ErrOldSize) {
			t.Errorf("a history from before is signed: %s, %v", line, err)
		}
	}
	_, err = w.Sign(l.grow(1, "a").request(10, 11))
	must(t, err)
}

// Whoever asks, in whatever order, in one process or in two, what is signed of a log
// is one history, and the last of it is what is kept.
func TestManyAskAtOnce(t *testing.T) {
	data, l := t.TempDir(), newLog(t, "example.com/log").grow(40, "a")
	witnesses := []*witness.Witness{open(t, data, l), open(t, data, l)}
	var asking sync.WaitGroup
	for i := range 8 {
		asking.Go(func() {
			w, old := witnesses[i%2], int64(0)
			for size := int64(i + 1); size <= 40; size += 8 {
				for old <= size {
					_, err := w.Sign(l.request(old, size))
					is, behind := errors.AsType[*witness.OldSizeError](err)
					if !behind {
						if err != nil {
							t.Error(err)
						}
						old = size
						break
					}
					old = is.Size
				}
			}
		})
	}
	asking.Wait()
	if _, err := witnesses[0].Sign(l.request(40, 40)); err != nil {
		t.Errorf("the last of it is not what is kept: %v", err)
	}
}

func TestNothingIsMadeAnewSilently(t *testing.T) {
	data, l := t.TempDir(), newLog(t, "example.com/log").grow(5, "a")
	w := open(t, data, l)
	_, err := w.Sign(l.request(0, 5))
	must(t, err)
	sum := sha256.Sum256([]byte("example.com/log"))
	state := filepath.Join(data, witness.StateName, hex.EncodeToString(sum[:])+".checkpoint")
	good, err := os.ReadFile(state)
	must(t, err)
	for what, bad := range map[string][]byte{
		"torn": good[:len(good)/2], "zeros": make([]byte, len(good)), "empty": {}, "another size": bytes.Replace(good, []byte("\n5\n"), []byte("\n4\n"), 1),
	} {
		must(t, os.WriteFile(state, bad, 0o600))
		for _, request := range [][]byte{l.request(0, 5), l.request(5, 5)} {
			if line, err := w.Sign(request); err == nil || !strings.Contains(err.Error(), state) {
				t.Errorf("with a state that is %s it signs %s, %v", what, line, err)
			}
		}
	}
	must(t, os.WriteFile(state, good, 0o600))
	_, err = w.Sign(l.request(5, 5))
	must(t, err)

	key := filepath.Join(data, witness.KeyName)
	if info, err := os.Stat(key); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the key can be read by others: %v, %v", info.Mode(), err)
	}
	must(t, os.Rename(key, key+".away"))
	if _, err := witness.Open(data, l.policy()); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("a key that was lost is made anew: %v", err)
	}
	must(t, os.WriteFile(key, []byte("PRIVATE+KEY+"), 0o600))
	if _, err := witness.Open(data, l.policy()); err == nil || !strings.Contains(err.Error(), key) {
		t.Errorf("a damaged key is taken: %v", err)
	}
	must(t, os.Remove(key))
	must(t, os.RemoveAll(filepath.Join(data, witness.StateName)))
	if open(t, data, l).Verifier() == w.Verifier() {
		t.Error("another witness has the same key")
	}
	if _, err := witness.Open(data, audit.Policy{}); err == nil {
		t.Error("a witness of no log is opened")
	}
	dir := filepath.Join(data, witness.StateName)
	must(t, os.Rename(dir, dir+".away"))
	if _, err := witness.Open(data, l.policy()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("all that was signed is forgotten: %v", err)
	}
}

// Whoever has a checkpoint of a log, which are open to all, cannot fill the witness's
// own log: of what does not follow it tells the checkpoint, as its log signed it.
func TestWhatIsLoggedOfARequest(t *testing.T) {
	l := newLog(t, "example.com/log").grow(9, "a")
	var said bytes.Buffer
	s := witness.NewServer(open(t, t.TempDir(), l), zerolog.New(&said))
	if code, _, answer := ask(t, s, "POST", witness.RouteAdd, l.request(0, 5)); code != 200 {
		t.Fatal(code, answer)
	}
	r, err := audit.ParseAddRequest(l.request(5, 9))
	must(t, err)
	r.Proof = r.Proof[1:]
	of := r.Checkpoint
	r.Checkpoint, err = audit.AddSignatures(of, []byte("\u2014 noise "+strings.Repeat("Tm9p", 9000)+"\n"))
	must(t, err)
	said.Reset()
	if code, _, answer := ask(t, s, "POST", witness.RouteAdd, r.Marshal()); code != 422 {
		t.Fatal(code, answer)
	}
	var told struct{ Checkpoint string }
	if err := json.Unmarshal(said.Bytes(), &told); err != nil || told.Checkpoint != string(of) || said.Len() > 2000 {
		t.Errorf("%d bytes: %.300s", said.Len(), said.String())
	}
}

// ask sends a request over HTTP.
func ask(t testing.TB, s *witness.Server, method, path string, body []byte) (int, http.Header, string) {
	t.Helper()
	if !s.Serves(path) {
		t.Fatalf("%s is not served", path)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest(method, path, bytes.NewReader(body)))
	answer, err := io.ReadAll(w.Result().Body)
	must(t, err)
	return w.Code, w.Header(), string(answer)
}

func TestServer(t *testing.T) {
	data, l, stranger := t.TempDir(), newLog(t, "example.com/log").grow(9, "a"), newLog(t, "example.com/stranger").grow(3, "a")
	impostor := newLog(t, "example.com/log").grow(9, "a")
	fork := &testLog{TB: t, key: l.key}
	fork.grow(9, "b")
	w := open(t, data, l)
	s := witness.NewServer(w, zerolog.Nop())
	sum := sha256.Sum256([]byte("example.com/log"))
	last := "/witness/" + hex.EncodeToString(sum[:]) + "/checkpoint"
	if code, _, answer := ask(t, s, "GET", witness.RouteKey, nil); code != 200 || answer != w.Verifier()+"\n" {
		t.Errorf("the key: %d %s", code, answer)
	}
	if code, _, answer := ask(t, s, "GET", last, nil); code != 404 {
		t.Errorf("what was signed before anything was: %d %s", code, answer)
	}
	code, _, answer := ask(t, s, "POST", witness.RouteAdd, l.request(0, 5))
	if code != 200 {
		t.Fatalf("%d %s", code, answer)
	}
	signedBy(t, w, l.request(0, 5), []byte(answer))
	code, _, answer = ask(t, s, "GET", last, nil)
	if c, _, err := audit.OpenCosigned([]byte(answer), w.Verifier()); code != 200 || err != nil || c.Size != 5 {
		t.Errorf("what was signed last: %d %s, %v", code, answer, err)
	}
	if o, err := l.policy().Open([]byte(answer)); err != nil || len(o.Logs) != 1 {
		t.Errorf("what was signed last lacks the signature of its log: %v", err)
	}
	code, header, answer := ask(t, s, "POST", witness.RouteAdd, l.request(0, 9))
	if code != 409 || header.Get("Content-Type") != "text/x.tlog.size" || answer != "5\n" {
		t.Errorf("the old size is wrong: %d %v %q", code, header, answer)
	}
	tooOld := l.request(5, 9)
	for what, test := range map[string]struct {
		method, path string
		body         []byte
		want         int
	}{
		"a stranger":             {"POST", witness.RouteAdd, stranger.request(0, 3), 404},
		"an impostor":            {"POST", witness.RouteAdd, impostor.request(5, 9), 403},
		"another history":        {"POST", witness.RouteAdd, fork.request(5, 9), 422},
		"another of that size":   {"POST", witness.RouteAdd, fork.request(5, 5), 422},
		"an old size beyond":     {"POST", witness.RouteAdd, bytes.Replace(tooOld, []byte("old 5"), []byte("old 10"), 1), 400},
		"no body":                {"POST", witness.RouteAdd, nil, 400},
		"a body that is no text": {"POST", witness.RouteAdd, []byte("\xff\x00"), 400},
		"a line ending of DOS":   {"POST", witness.RouteAdd, bytes.Replace(tooOld, []byte("\n"), []byte("\r\n"), 1), 400},
		"too much":               {"POST", witness.RouteAdd, make([]byte, 1<<20), 413},
		"reading the add":        {"GET", witness.RouteAdd, nil, 405},
		"writing the key":        {"POST", witness.RouteKey, nil, 405},
		"something else":         {"GET", "/witness/else", nil, 404},
		"a checkpoint elsewhere": {"GET", "/witness/../witness.key/checkpoint", nil, 404},
		"a hash in capitals":     {"GET", "/witness/" + strings.ToUpper(hex.EncodeToString(sum[:])) + "/checkpoint", nil, 404},
	} {
		if code, _, answer := ask(t, s, test.method, test.path, test.body); code != test.want {
			t.Errorf("%s: %d %s, want %d", what, code, answer, test.want)
		}
	}
	if code, _, answer := ask(t, s, "POST", witness.RouteAdd, l.request(5, 9)); code != 200 {
		t.Errorf("after all that: %d %s", code, answer)
	}
	// A signature of somebody else on the checkpoint changes nothing, and is not kept.
	other, err := audit.NewWitnessKey("other", rand.Reader)
	must(t, err)
	r, err := audit.ParseAddRequest(l.grow(1, "a").request(9, 10))
	must(t, err)
	c, err := audit.ReadCheckpoint(r.Checkpoint)
	must(t, err)
	line, err := other.Cosign(c, time.Now())
	must(t, err)
	r.Checkpoint, err = audit.AddSignatures(r.Checkpoint, line)
	must(t, err)
	if code, _, answer := ask(t, s, "POST", witness.RouteAdd, r.Marshal()); code != 200 {
		t.Errorf("with another signature: %d %s", code, answer)
	}
	if _, _, answer := ask(t, s, "GET", last, nil); strings.Contains(answer, "\u2014 other ") || !strings.Contains(answer, "\n10\n") {
		t.Errorf("what was signed last:\n%s", answer)
	}
	// What cannot be kept is not signed.
	dir := filepath.Join(data, witness.StateName)
	must(t, os.Rename(dir, dir+".away"))
	if code, _, answer := ask(t, s, "POST", witness.RouteAdd, l.grow(1, "a").request(10, 11)); code != 500 || strings.Contains(answer, "\u2014") {
		t.Errorf("without its directory: %d %s", code, answer)
	}
}
