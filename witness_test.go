package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
	"strongroom/httpapi/witness"
)

// atRest opens the vault main of a data directory for as long as fn runs.
func atRest(t *testing.T, data string, fn func(*engine.Vault)) {
	t.Helper()
	v, err := datadir.Open(datadir.Place{Data: data, Vault: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}()
	fn(v)
}

// logKey is the verifier key of the vault main.
func logKey(t *testing.T, data string) (vkey string) {
	t.Helper()
	atRest(t, data, func(v *engine.Vault) {
		key, err := v.LogKey(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		vkey = key.Verifier
	})
	return vkey
}

func writeText(t *testing.T, text string, words ...string) (path string) {
	t.Helper()
	path = filepath.Join(words...)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort is an address that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// party is an organization with a server, a witness of the other one.
type party struct {
	data, log, witness, address, logs, policy string
}

func (p *party) start(t *testing.T) *server {
	t.Helper()
	return startServer(t, p.data, "--listen", p.address, "--witness-for", p.logs, "--witness-policy", p.policy, "--scrub-rate", "0", "--search=false")
}

// admin makes a second administrator, and returns the address.
func (p *party) admin(t *testing.T) string {
	t.Helper()
	mustRun(t, "user", "add", "--data", p.data, "--name", "Ada", "--email", "ada@example.com", "--access", "admin")
	return "ada@example.com"
}

// parties are two that witness each other.
func parties(t *testing.T) (a, b *party) {
	t.Helper()
	both := []*party{{}, {}}
	for _, p := range both {
		p.data, p.address = t.TempDir(), freePort(t)
		mustRun(t, "init", "--data", p.data)
		p.log = logKey(t, p.data)
		logs, err := audit.PolicyOf(p.log)
		if err != nil {
			t.Fatal(err)
		}
		w, err := witness.Open(p.data, logs) // makes the key; which logs, the server is told
		if err != nil {
			t.Fatal(err)
		}
		p.witness = w.Verifier()
	}
	for i, p := range both {
		other := both[1-i]
		p.logs = writeText(t, "log "+other.log+"\nquorum none\n", p.data, "logs.txt")
		p.policy = writeText(t, "witness other "+other.witness+" http://"+other.address+"/witness\nquorum other\n", p.data, "witnesses.txt")
	}
	return both[0], both[1]
}

// proves checks that the first entry of the vault is proved as the policy of its
// witnesses wants it.
func proves(t *testing.T, data, vkey, policy string) (size int64) {
	t.Helper()
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	p, err := audit.ParsePolicy(string(text))
	if err == nil {
		p, err = p.For(vkey)
	}
	if err != nil {
		t.Fatal(err)
	}
	atRest(t, data, func(v *engine.Vault) {
		made, err := v.ProveEntry(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		proved, err := made.Proof.Verify(p)
		if err != nil || proved.Entry.Op != audit.OpVaultCreated || len(proved.Witnesses) == 0 {
			t.Errorf("proved is %+v, %v", proved, err)
		}
		size = proved.Checkpoint.Size
	})
	return size
}

const witnessed = `"size":\d+[^\n]*"message":"checkpoint witnessed"`

func TestServersWitnessEachOther(t *testing.T) {
	a, b := parties(t)
	first := a.start(t)
	first.stderr.await(t, first.ended, "checkpoint not witnessed") // the other one is not there yet
	second := b.start(t)
	second.stderr.await(t, second.ended, `"vault":"main",`+witnessed)
	if key, err := http.Get(second.url + witness.RouteKey); err != nil || key.StatusCode != http.StatusOK {
		t.Errorf("the key of the witness: %v, %v", key, err)
	}
	admin := strings.TrimSpace(mustRun(t, "key", "add", "--data", a.data, "--name", "test", "--user", a.admin(t)))
	if resp, said := first.do(t, admin, "GET", "/readyz", nil); !bytes.Contains(said, []byte("not witnessed")) {
		t.Errorf("readyz does not tell of a witness that is away: %s %s", resp.Status, said)
	}
	first.end()
	first = a.start(t)
	first.stderr.await(t, first.ended, `"vault":"main",`+witnessed)
	var now httpapi.WitnessedLog
	resp, said := first.do(t, admin, "POST", "/v1/log/witnesses", nil)
	if err := json.Unmarshal(said, &now); err != nil || resp.StatusCode != http.StatusOK || !now.Enough || len(now.Witnesses) != 1 {
		t.Errorf("on request: %s %s", resp.Status, said)
	}
	first.end()
	second.end()
	proves(t, a.data, a.log, a.policy)
	proves(t, b.data, b.log, b.policy)
}

// A directory that is brought back to an earlier state would sign a second history.
// Its witness knows the first one.
func TestBroughtBackVaultSignsNoMore(t *testing.T) {
	if testing.Short() {
		t.Skip("servers are started four times; the witness's own tests have this too")
	}
	a, b := parties(t)
	other := a.start(t)
	early, err := os.MkdirTemp(t.TempDir(), "early")
	if err != nil {
		t.Fatal(err)
	}
	atRest(t, b.data, func(v *engine.Vault) { // something is signed that no witness has seen
		if _, err := v.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	vault := datadir.Place{Data: b.data, Vault: "main"}.Dir()
	if err := os.CopyFS(filepath.Join(early, "main"), os.DirFS(vault)); err != nil {
		t.Fatal(err)
	}
	mustRun(t, "user", "add", "--data", b.data, "--name", "Grace", "--email", "grace@example.com")
	s := b.start(t)
	s.stderr.await(t, s.ended, `"vault":"main",`+witnessed)
	s.end()

	if err := errors.Join(os.Rename(vault, vault+".Late"), os.Rename(filepath.Join(early, "main"), vault)); err != nil {
		t.Fatal(err)
	}
	admin := b.admin(t)
	s = b.start(t)
	s.stderr.await(t, s.ended, "the vault signs no more")
	key := strings.TrimSpace(mustRun(t, "key", "add", "--data", b.data, "--name", "test", "--user", admin))
	if resp, said := s.do(t, key, "GET", "/readyz", nil); !bytes.Contains(said, []byte("witness")) {
		t.Errorf("readyz does not tell of it: %s %s", resp.Status, said)
	}
	s.end()
	atRest(t, b.data, func(v *engine.Vault) {
		if _, err := v.Checkpoint(t.Context()); !errors.Is(err, engine.ErrContradicted) {
			t.Errorf("it signs: %v", err)
		}
	})
	other.end()
}

// TestWitnessByFile carries a file there and back.
func TestWitnessByFile(t *testing.T) {
	ours, theirs, usb := t.TempDir(), t.TempDir(), t.TempDir()
	mustRun(t, "init", "--data", ours)
	file := filepath.Join(usb, "witness.txt")
	logs := writeText(t, "log "+logKey(t, ours)+"\nquorum none\n", usb, "logs.txt")
	ask := func(args ...string) {
		t.Helper()
		mustRun(t, append([]string{"witness", "request", "--data", ours, file}, args...)...)
	}
	sign := func(data string) result {
		t.Helper()
		return run(t, "witness", "sign", "--data", data, "--witness-for", logs, file)
	}
	ask()
	signed := sign(theirs)
	signed.expect(t, 0, "carry")
	policy := writeText(t, "witness notary "+strings.TrimSpace(signed.stdout)+"\nquorum notary\n", usb, "policy.txt")
	add := func() result {
		t.Helper()
		return run(t, "witness", "add", "--data", ours, "--witness-policy", policy, file)
	}
	done := add()
	if done.expect(t, 0, "enough"); !strings.Contains(done.stdout, "notary") {
		t.Errorf("who has signed: %s", done.stdout)
	}
	size := proves(t, ours, logKey(t, ours), policy)

	// The next time it grew out of that, whatever was signed between.
	mustRun(t, "user", "add", "--data", ours, "--name", "Grace", "--email", "grace@example.com")
	atRest(t, ours, func(v *engine.Vault) {
		if _, err := v.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	mustRun(t, "user", "add", "--data", ours, "--name", "Ada", "--email", "ada@example.com")
	ask()
	sign(theirs).expect(t, 0)
	done = run(t, "witness", "add", "--json", "--data", ours, "--witness-policy", policy, file)
	if done.expect(t, 0); !strings.Contains(done.stdout, `"enough":true`) {
		t.Errorf("as JSON: %s", done.stdout)
	}
	if again := proves(t, ours, logKey(t, ours), policy); again <= size {
		t.Errorf("what is witnessed went from %d to %d entries", size, again)
	}

	// A witness that is new says so, and so does one that has seen more.
	another := t.TempDir()
	sign(another).expect(t, 1, "--old 0")
	ask("--old", "0")
	sign(another).expect(t, 0)
	add().expect(t, 0, "enough") // of the first one; the policy does not know the other
	ask("--old", "1")
	sign(theirs).expect(t, 1, "--old")
	ask("--old", "0")
	sign(theirs).expect(t, 1, "--old")

	for what, text := range map[string]string{"nothing": "", "text": "hello\n", "a policy": "quorum none\n"} {
		writeText(t, text, usb, "witness.txt")
		if r := sign(theirs); r.code != 2 {
			t.Errorf("%s is signed: %+v", what, r)
		}
		if r := add(); r.code != 2 {
			t.Errorf("%s is added: %+v", what, r)
		}
	}
	for _, args := range [][]string{{"request"}, {"sign"}, {"add"}, {"sign", "a", "b"}, {"sign", file}, {"add", file}, {"sign", "--witness-for", file, file}} {
		if r := run(t, append([]string{"witness"}, args...)...); r.code != 2 {
			t.Errorf("witness %v: %+v", args, r)
		}
	}
}

// A copy of a vault that went on beside it has the same key, and signs another
// history of the same log. The witness has evidence.
func TestEquivocationIsCaught(t *testing.T) {
	ours, theirs, usb := t.TempDir(), t.TempDir(), t.TempDir()
	mustRun(t, "init", "--data", ours)
	logs := writeText(t, "log "+logKey(t, ours)+"\nquorum none\n", usb, "logs.txt")
	twin := filepath.Join(t.TempDir(), "twin")
	if err := os.CopyFS(twin, os.DirFS(ours)); err != nil {
		t.Fatal(err)
	}
	for i, data := range []string{ours, twin} {
		mustRun(t, "user", "add", "--data", data, "--name", "Grace", "--email", fmt.Sprintf("grace%d@example.com", i))
		file := filepath.Join(usb, fmt.Sprint(i))
		if mustRun(t, "witness", "request", "--data", data, file); i == 0 {
			run(t, "witness", "sign", "--data", theirs, "--witness-for", logs, file).expect(t, 0)
			continue
		}
		// It is asked about the same number of entries. However old the state is that it
		// claims to have grown out of, it is not signed.
		c, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		run(t, "witness", "sign", "--data", theirs, "--witness-for", logs, file).expect(t, 1, "--old")
		r, err := audit.ParseAddRequest(c)
		if err != nil {
			t.Fatal(err)
		}
		claimed, err := audit.ReadCheckpoint(r.Checkpoint)
		if err != nil {
			t.Fatal(err)
		}
		mustRun(t, "witness", "request", "--data", data, "--old", fmt.Sprint(claimed.Size), file)
		run(t, "witness", "sign", "--data", theirs, "--witness-for", logs, file).expect(t, 1, "another history", "evidence")
	}
}

func TestServeRefusesWitnessFiles(t *testing.T) {
	dir := t.TempDir()
	none := writeText(t, "quorum none\n", dir, "none.txt")
	bad := writeText(t, "log what\nquorum none\n", dir, "bad.txt")
	data := filepath.Join(dir, "data")
	for _, args := range [][]string{
		{"--witness-for", none}, {"--witness-for", bad}, {"--witness-policy", none}, {"--witness-policy", bad}, {"--witness-ca", none},
	} {
		r := run(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, args...)...)
		r.expect(t, 2, args[0])
	}
	run(t, "serve", "--data", data, "--listen", "127.0.0.1:0", "--witness-for", filepath.Join(dir, "missing")).expect(t, 1, "missing")
	if _, err := os.Stat(data); err == nil {
		t.Error("a data directory was made all the same")
	}
}
