package engine_test

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
)

// loadEnv makes the test binary the process that TestReorderedPowerCuts and TestKills
// load and kill.
const loadEnv = "STRONGROOM_TEST_LOAD"

// loadOrder is what that process is told on standard input, before it opens the vault.
type loadOrder struct {
	Dir      string
	Seed     uint64
	Receipts []string // all that were acknowledged
	Key      string   // of the user it works as; "": it makes one
	Docs     map[string]loadedDoc
}

// loadedDoc is what is known of a document. Each is written by one goroutine, so it is
// in one of few states.
type loadedDoc struct {
	ID     string        // "": not acknowledged yet
	Token  string        // of its lock; "": not known
	Hold   string        // the id of its hold
	States []loadedState // the last one acknowledged, and what was asked for since
}

// loadedState of a document. The zero one is that it is not there yet.
type loadedState struct {
	Name                 string
	Contents             []loadedBytes // of its versions
	Locked, Held, Erased bool
}

func (s loadedState) with(fn func(*loadedState)) loadedState {
	s.Contents = slices.Clone(s.Contents)
	fn(&s)
	return s
}

func (s loadedState) equal(o loadedState) bool {
	return s.Erased && o.Erased || s.Name == o.Name && s.Locked == o.Locked && s.Held == o.Held && s.Erased == o.Erased && slices.Equal(s.Contents, o.Contents)
}

// settled says that nothing was asked for that may have happened or not.
func (d loadedDoc) settled() bool { return len(d.States) == 1 }

// loadedBytes are bytes, made of two numbers.
type loadedBytes struct {
	Seed uint64
	Size int
}

func (c loadedBytes) bytes() []byte {
	b, random := make([]byte, c.Size), rand.NewChaCha8([32]byte{byte(c.Seed), byte(c.Seed >> 8), byte(c.Seed >> 16), byte(c.Seed >> 24), byte(c.Size)})
	random.Read(b)
	return b
}

// loadWord is one line of that process.
type loadWord struct {
	Key     string // of the document that is as Doc says from now on
	Doc     loadedDoc
	Receipt string // of a change that was acknowledged; "": none was
	Secret  string // of the key that was made
	Opened  string // the vault is open and as it has to be: what was seen of it
	Fault   string // what was found wrong with the vault
	Stopped string // why a goroutine changes nothing any more
}

const loadWordPrefix = "told: "

// loadProcess is the process, and what it said.
type loadProcess struct {
	cmd   *exec.Cmd
	stdin io.Closer     // closed, it is asked to end in order
	lines chan loadWord // closed when the process has ended
	err   error         // how it ended; read it after lines is closed
	other string        // what else it printed; likewise
}

// startLoad starts it; which is the name of the test that does its work.
func startLoad(t *testing.T, which string, o loadOrder) *loadProcess {
	t.Helper()
	p := &loadProcess{cmd: exec.Command(os.Args[0], "-test.run=^"+which+"$", "-test.v"), lines: make(chan loadWord, 64)}
	p.cmd.Env = append(os.Environ(), loadEnv+"=1")
	stdin, err := p.cmd.StdinPipe()
	must(t, err)
	p.stdin = stdin
	stdout, err := p.cmd.StdoutPipe()
	must(t, err)
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	must(t, p.cmd.Start())
	go func() {
		json.NewEncoder(stdin).Encode(o) // it may be killed before it has read all
		defer close(p.lines)
		lines := bufio.NewReader(stdout)
		for {
			line, err := lines.ReadString('\n')
			if text, ok := strings.CutPrefix(line, loadWordPrefix); ok && err == nil {
				var s loadWord
				if json.Unmarshal([]byte(text), &s) == nil {
					p.lines <- s
				}
			} else {
				p.other += line
			}
			if err != nil {
				p.err = p.cmd.Wait()
				p.other += stderr.String()
				return
			}
		}
	}()
	return p
}

// loadLog is what a process under load told before it was killed.
type loadLog struct {
	receipts []string
	key      string
	docs     map[string]loadedDoc
	changes  int // that were acknowledged, in all vaults
}

func (l *loadLog) note(s loadWord) {
	if s.Key != "" {
		l.docs[s.Key] = s.Doc
	}
	if s.Secret != "" {
		l.key = s.Secret
	}
	if s.Receipt != "" {
		l.receipts = append(l.receipts, s.Receipt)
		l.changes++
	}
}

// anew forgets what was told: a new vault comes.
func (l *loadLog) anew() { l.receipts, l.key, l.docs = nil, "", map[string]loadedDoc{} }

func (l *loadLog) order(dir string, seed uint64) loadOrder {
	return loadOrder{Dir: dir, Seed: seed, Receipts: l.receipts, Key: l.key, Docs: maps.Clone(l.docs)}
}

// reopened has a process open the vault and close it again, and returns what was wrong.
func (l *loadLog) reopened(t *testing.T, dir, which string, random *rand.Rand) (fault string) {
	p := startLoad(t, which, l.order(dir, random.Uint64()))
	opened := false
	for s := range p.lines {
		l.note(s)
		fault = cmp.Or(fault, s.Fault, s.Stopped)
		if s.Opened != "" {
			opened = true
			p.stdin.Close()
		}
	}
	if fault == "" && (!opened || p.err != nil) {
		fault = fmt.Sprintf("the process ended with %v\n%s", p.err, p.other)
	}
	return fault
}

// loader changes a vault and tells of each change before it asks for it and when it is
// answered.
type loader struct {
	v     *engine.Vault
	actor engine.Actor
	ended atomic.Bool

	mu    sync.Mutex // of all below
	docs  map[string]loadedDoc
	lines *json.Encoder
}

func (l *loader) say(s loadWord) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.Key != "" {
		l.docs[s.Key] = s.Doc
	}
	io.WriteString(os.Stdout, loadWordPrefix)
	l.lines.Encode(s)
}

// TestLoad is that process.
func TestLoad(t *testing.T) {
	if os.Getenv(loadEnv) == "" {
		t.Skip("not asked for by another test")
	}
	load(t, nil)
}

// load is what it does. If beside is not nil, that runs as long, in a goroutine.
func load(t *testing.T, beside func(o loadOrder)) {
	var o loadOrder
	stdin := json.NewDecoder(os.Stdin)
	must(t, stdin.Decode(&o))
	if beside != nil {
		go beside(o)
	}
	l := &loader{docs: o.Docs, lines: json.NewEncoder(os.Stdout)}
	if l.docs == nil {
		l.docs = map[string]loadedDoc{}
	}
	v, err := engine.Open(o.Dir, engine.Options{Name: "main", Create: len(o.Receipts) == 0, ReserveBytes: -1})
	if err != nil {
		l.say(loadWord{Fault: fmt.Sprintf("the vault does not open: %v", err)})
		return
	}
	l.v = v
	seen, err := l.check(t.Context(), o.Receipts)
	if err != nil {
		l.say(loadWord{Fault: err.Error()})
		return
	}
	l.say(loadWord{Opened: seen})
	go func() {
		stdin.Decode(new(struct{})) // to the end
		l.ended.Store(true)
	}()
	l.actor, err = l.signIn(t.Context(), o.Key)
	if err != nil {
		l.say(loadWord{Stopped: err.Error()})
		return
	}
	l.work(t.Context(), o.Seed)
	if err := v.Close(); err != nil {
		l.say(loadWord{Stopped: err.Error()})
	}
}

// check holds the vault to what was acknowledged, and settles what was only asked for.
func (l *loader) check(ctx context.Context, receipts []string) (string, error) {
	for _, text := range receipts {
		r, err := audit.ParseReceipt(text)
		if err != nil {
			return "", err
		}
		if e, err := l.v.Entry(ctx, r.Seq); err != nil || e.Hash != r.Hash {
			return "", fmt.Errorf("entry %d of %d acknowledged ones is lost or another; the log ends at %d: %w", r.Seq, len(receipts), l.v.Head().Seq, err)
		}
	}
	report, err := l.v.Verify(ctx, engine.VerifyOptions{Bytes: true})
	if err != nil {
		return "", fmt.Errorf("verify: %w", err)
	}
	if len(report.Findings) > 0 {
		return "", fmt.Errorf("%d acknowledged changes, %d entries: %.2000s", len(receipts), report.Entries, fmt.Sprint(report.Findings))
	}
	there := map[string]string{} // ids by key
	for page := (engine.Page[engine.Document]{}); ; {
		page, err = l.v.Documents(ctx, engine.DocumentQuery{Paging: engine.Paging{Limit: 500, Cursor: page.NextCursor}})
		if err != nil {
			return "", fmt.Errorf("list: %w", err)
		}
		for _, d := range page.Items {
			if _, known := l.docs[d.ExternalID]; !known {
				return "", fmt.Errorf("nobody asked for document %s (%s)", d.ID, d.ExternalID)
			}
			there[d.ExternalID] = d.ID
		}
		if page.NextCursor == "" {
			break
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.docs)) {
		d := l.docs[key]
		if d.ID == "" {
			d.ID = there[key]
		}
		found, err := l.look(ctx, &d)
		if err != nil {
			return "", fmt.Errorf("document %s: %w", key, err)
		}
		if !slices.ContainsFunc(d.States, found.equal) {
			return "", fmt.Errorf("document %s is %+v, and may be one of %+v", key, found, d.States)
		}
		switch {
		case d.Token == erasing && !found.Erased:
			d.States = []loadedState{found, {Erased: true}}
		case !d.settled():
			d.States = []loadedState{found}
			if !found.Locked && d.Token != erasing {
				d.Token = ""
			}
			if !found.Held {
				d.Hold = ""
			}
			l.say(loadWord{Key: key, Doc: d})
		}
	}
	return fmt.Sprintf("%d entries, %d documents of which %d are there, %d blobs", report.Entries, report.Documents, len(there), report.Blobs), nil
}

// look returns the state a document is in, every byte of its current version read.
func (l *loader) look(ctx context.Context, d *loadedDoc) (s loadedState, err error) {
	if d.ID == "" {
		return s, nil
	}
	got, err := l.v.Document(ctx, d.ID)
	if errors.Is(err, engine.ErrDocumentDeleted) {
		return loadedState{Erased: true}, nil
	}
	if err != nil {
		return s, err
	}
	s.Name, s.Locked, s.Held = got.Name, got.Lock != nil, got.HoldCount > 0
	s.Contents = d.longest()
	if int(got.VersionCount) > len(s.Contents) {
		return s, fmt.Errorf("%d versions, at most %d were asked for", got.VersionCount, len(s.Contents))
	}
	s.Contents = s.Contents[:got.VersionCount]
	for i, c := range s.Contents {
		v, err := l.v.Version(ctx, d.ID, uint64(i)+1)
		if err != nil {
			return s, err
		}
		if v.Size != int64(c.Size) {
			return s, fmt.Errorf("version %d has %d bytes, want %d", i+1, v.Size, c.Size)
		}
	}
	_, f, _, err := l.v.OpenContent(ctx, engine.Operator(), d.ID, 0)
	if err != nil {
		return s, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err == nil && !bytes.Equal(b, s.Contents[len(s.Contents)-1].bytes()) {
		err = fmt.Errorf("the bytes of version %d are others than those given", len(s.Contents))
	}
	return s, err
}

// longest are the versions of the state with the most of them, which the others begin like.
func (d loadedDoc) longest() (c []loadedBytes) {
	for _, s := range d.States {
		if len(s.Contents) > len(c) {
			c = s.Contents
		}
	}
	return slices.Clone(c)
}
