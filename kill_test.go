package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/audit"
)

var killFor = flag.Duration("kill", 6*time.Second, "how long TestKill loads and kills the server")

const killClients = 8

// TestKill kills a server under load at random moments, again and again on the
// same data, and holds it to its word: what it acknowledged is there, bytes,
// metadata and audit entries, what it signed is what it has, and the whole vault
// verifies.
func TestKill(t *testing.T) { eachSeed(t, testKill) }

func testKill(t *testing.T, seed uint64) {
	duration := *killFor
	if testing.Short() {
		duration = time.Second
	}
	dice := rand.New(rand.NewPCG(seed, 0))
	data := t.TempDir()
	key := strings.TrimSpace(mustRun(t, "init", "--data", data))
	loaders := make([]*loader, killClients)
	for i := range loaders {
		loaders[i] = &loader{key: key, dice: rand.New(rand.NewPCG(seed, uint64(i)+1)), kept: map[string]*killedDocument{}}
	}
	signer := &signer{key: key, dice: rand.New(rand.NewPCG(seed, killClients+1))}
	workers := []worker{signer}
	for _, l := range loaders {
		workers = append(workers, l)
	}
	rounds := 0
	for end := time.Now().Add(duration); time.Now().Before(end); rounds++ {
		s := spawn(t, data, "--log-level", "error")
		loadAndKill(t, s, workers, time.Duration(dice.Int64N(int64(900*time.Millisecond))))
		for _, l := range loaders {
			if l.err != nil {
				t.Fatal(l.err)
			}
		}
		if signer.err != nil {
			t.Fatal(signer.err)
		}
	}
	s := spawn(t, data)
	checkKept(t, s, loaders)
	signer.check(t, s)
	s.stop()
	<-s.ended
	mustRun(t, "verify", "--data", data, "--bytes")
	log := checkReceipts(t, data, loaders)
	signer.checkRoots(t, log)
	changes, documents := 0, 0
	for _, l := range loaders {
		changes += len(l.receipts)
		documents += len(l.kept)
	}
	t.Logf("%d kills, %d acknowledged changes of %d documents, %d checkpoints", rounds, changes, documents, len(signer.kept))
	if changes == 0 || len(signer.kept) == 0 {
		t.Error("nothing was acknowledged: the test says nothing")
	}
}

// worker works until the server is gone.
type worker interface {
	work(client *http.Client, url string)
}

// loadAndKill lets the workers work for d, kills the server, and waits for
// them to notice.
func loadAndKill(t *testing.T, s *server, workers []worker, d time.Duration) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: len(workers)}
	defer transport.CloseIdleConnections()
	var working sync.WaitGroup
	for _, w := range workers {
		working.Go(func() { w.work(&http.Client{Transport: transport}, s.url) })
	}
	wait(t.Context(), d)
	s.kill(t)
	working.Wait()
}

// killedDocument is what its one writer knows of a document. A change that was
// sent and not answered may have happened or not.
type killedDocument struct {
	versions     []audit.Hash // digests of those acknowledged
	maybeVersion audit.Hash   // sent after them; zero: none
	names        []string     // the last acknowledged, then those sent since
}

// loader is one client. It is the only writer of its documents.
type loader struct {
	key      string
	dice     *rand.Rand
	kept     map[string]*killedDocument
	ids      []string
	receipts []audit.Receipt
	patient  bool // a server that says that it cannot answer now is one that is gone
	err      error
}

// work changes documents until the server is gone.
func (l *loader) work(client *http.Client, url string) {
	for l.err == nil {
		var gone bool
		switch what := l.dice.IntN(10); {
		case len(l.ids) == 0 || what < 5:
			gone = l.create(client, url)
		case what < 8:
			gone = l.version(client, url, l.ids[l.dice.IntN(len(l.ids))])
		default:
			gone = l.rename(client, url, l.ids[l.dice.IntN(len(l.ids))])
		}
		if gone {
			return
		}
	}
}

func (l *loader) content() ([]byte, audit.Hash) {
	b := make([]byte, l.dice.IntN(96<<10))
	for i := 0; i+8 <= len(b); i += 8 {
		for j, n := 0, l.dice.Uint64(); j < 8; j, n = j+1, n>>8 {
			b[i+j] = byte(n)
		}
	}
	return b, sha256.Sum256(b)
}

func (l *loader) create(client *http.Client, url string) (gone bool) {
	content, digest := l.content()
	var created struct{ ID, Name string }
	if gone = l.send(client, "POST", url+"/v1/documents?fileName=a.bin", content, http.StatusCreated, &created); gone || l.err != nil {
		return gone
	}
	l.kept[created.ID] = &killedDocument{names: []string{created.Name}, versions: []audit.Hash{digest}}
	l.ids = append(l.ids, created.ID)
	return false
}

func (l *loader) version(client *http.Client, url, id string) (gone bool) {
	content, digest := l.content()
	d := l.kept[id]
	if d.maybeVersion != (audit.Hash{}) {
		return false // its number is not known
	}
	d.maybeVersion = digest
	if gone = l.send(client, "POST", url+"/v1/documents/"+id+"/versions?fileName=b.bin", content, http.StatusCreated, nil); gone || l.err != nil {
		return gone
	}
	d.versions, d.maybeVersion = append(d.versions, digest), audit.Hash{}
	return false
}

func (l *loader) rename(client *http.Client, url, id string) (gone bool) {
	d := l.kept[id]
	name := strconv.FormatUint(l.dice.Uint64(), 36)
	d.names = append(d.names, name)
	patch := fmt.Appendf(nil, `{"name":%q}`, name)
	if gone = l.send(client, "PATCH", url+"/v1/documents/"+id, patch, http.StatusOK, nil); gone || l.err != nil {
		return gone
	}
	d.names = []string{name}
	return false
}

// send makes a change and keeps its receipt. It reports whether the server is
// gone; an answer other than the one wanted is an error.
func (l *loader) send(client *http.Client, method, url string, body []byte, want int, out any, header ...string) (gone bool) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		l.err = err
		return false
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	req.Header.Set("Content-Type", "application/octet-stream")
	if method == "PATCH" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		return true
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return true
	}
	if l.patient && resp.StatusCode >= http.StatusBadGateway {
		return true
	}
	if resp.StatusCode != want {
		l.err = fmt.Errorf("%s %s: %s\n%s", method, url, resp.Status, answer)
		return false
	}
	receipt, err := audit.ParseReceipt(resp.Header.Get("X-Audit-Seq") + ":" + resp.Header.Get("X-Audit-Hash"))
	if err == nil && out != nil {
		err = json.Unmarshal(answer, out)
	}
	l.receipts, l.err = append(l.receipts, receipt), err
	return false
}

// checkKept reads everything back that was acknowledged.
func checkKept(t *testing.T, s *server, loaders []*loader) {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: len(loaders)}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	var checking sync.WaitGroup
	for _, l := range loaders {
		checking.Go(func() {
			for id, d := range l.kept {
				if err := l.check(t.Context(), client, s.url, id, d); err != nil {
					t.Error(err)
				}
			}
		})
	}
	checking.Wait()
}

func (l *loader) check(ctx context.Context, client *http.Client, url, id string, d *killedDocument) error {
	body, err := l.get(ctx, client, url+"/v1/documents/"+id)
	if err != nil {
		return err
	}
	var got struct {
		Name         string
		VersionCount int
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return err
	}
	if !slices.Contains(d.names, got.Name) {
		return fmt.Errorf("%s: the name is %q, acknowledged was %q", id, got.Name, d.names[0])
	}
	digests := d.versions
	if d.maybeVersion != (audit.Hash{}) && got.VersionCount == len(digests)+1 {
		digests = append(digests, d.maybeVersion)
	}
	if got.VersionCount != len(digests) {
		return fmt.Errorf("%s: %d versions, acknowledged were %d", id, got.VersionCount, len(d.versions))
	}
	for i, want := range digests {
		content, err := l.get(ctx, client, fmt.Sprintf("%s/v1/documents/%s/versions/%d/content", url, id, i+1))
		if err != nil {
			return err
		}
		if audit.Hash(sha256.Sum256(content)) != want {
			return fmt.Errorf("%s version %d: the bytes are others than those acknowledged", id, i+1)
		}
	}
	return nil
}

func (l *loader) get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+l.key)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s\n%s", url, resp.Status, body)
	}
	return body, err
}

// checkReceipts looks for every receipt in the exported log, and returns its path.
func checkReceipts(t *testing.T, data string, loaders []*loader) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	mustRun(t, "export", "--data", data, "--log", path)
	log, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	var receipts []audit.Receipt
	for _, l := range loaders {
		receipts = append(receipts, l.receipts...)
	}
	report, err := audit.Verify(t.Context(), log, audit.VerifyOptions{Receipts: receipts})
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range report.Findings {
		t.Errorf("%+v", found)
	}
	return path
}
