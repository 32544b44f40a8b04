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
	"time"

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

const loadWriters = 5

// signIn returns who has the key, which is made if there is none. Locks are for users
// alone, not for the operator.
func (l *loader) signIn(ctx context.Context, key string) (engine.Actor, error) {
	if key != "" {
		return l.v.Authenticate(ctx, key)
	}
	user, _, err := l.v.EnsureUser(ctx, engine.Operator(), engine.NewUser{Name: "Ada", Email: "ada@example.com", Access: engine.AccessAdmin})
	if err != nil {
		return engine.Actor{}, err
	}
	_, secret, r, err := l.v.CreateKey(ctx, engine.Operator(), engine.NewKey{Name: "load", UserID: user.ID})
	if err != nil {
		return engine.Actor{}, err
	}
	l.say(loadWord{Secret: secret.Reveal(), Receipt: r.String()})
	return l.v.Authenticate(ctx, secret.Reveal())
}

// work changes the vault until it is asked to end, or nothing is answered any more.
func (l *loader) work(ctx context.Context, seed uint64) {
	var running sync.WaitGroup
	for w := range loadWriters {
		running.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(w)))
			for n := 0; !l.ended.Load(); n++ {
				if err := l.change(ctx, random, w, fmt.Sprintf("%d-%x-%d", w, seed, n)); err != nil {
					l.say(loadWord{Stopped: err.Error()})
					return
				}
			}
		})
	}
	running.Go(func() {
		for !l.ended.Load() {
			if err := l.sweep(ctx); err != nil {
				l.say(loadWord{Stopped: err.Error()})
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	running.Wait()
}

// sweep sweeps, and settles what was asked to be erased and is gone then.
func (l *loader) sweep(ctx context.Context) error {
	if _, err := l.v.Sweep(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	docs := maps.Clone(l.docs)
	l.mu.Unlock()
	for key, d := range docs {
		if d.Token != erasing || d.settled() {
			continue
		}
		if _, err := l.v.Document(ctx, d.ID); errors.Is(err, engine.ErrDocumentDeleted) {
			d.States = d.States[1:]
			l.say(loadWord{Key: key, Doc: d})
		} else if err != nil {
			return err
		}
	}
	return nil
}

// erasing stands for the token of a document that somebody asked to be erased: nobody
// locks it any more.
const erasing = "erasing"

// change makes one change that may be made to a document of a writer, or a new one
// under the key.
func (l *loader) change(ctx context.Context, random *rand.Rand, w int, key string) error {
	var mine []string
	l.mu.Lock()
	for k, d := range l.docs {
		if strings.HasPrefix(k, fmt.Sprint(w, "-")) && d.settled() && d.ID != "" && !d.States[0].Erased && d.Token != erasing {
			mine = append(mine, k)
		}
	}
	l.mu.Unlock()
	slices.Sort(mine)
	if len(mine) < 3 || len(mine) < 10 && random.IntN(3) == 0 {
		return l.create(ctx, random, key)
	}
	c := l.begin(mine[random.IntN(len(mine))])
	switch what := random.IntN(20); {
	case what < 5:
		return l.rename(ctx, random, c)
	case what < 8:
		return l.version(ctx, random, c)
	case what < 12:
		return l.lock(ctx, c)
	case what < 14:
		return l.hold(ctx, c)
	case c.old.Held || c.old.Locked:
		return l.renew(ctx, c)
	case what < 19:
		return l.remove(ctx, c)
	default:
		return l.erase(ctx, c)
	}
}

// loadedChange is one that is being made.
type loadedChange struct {
	l    *loader
	key  string
	d    loadedDoc
	old  loadedState
	cond engine.Condition
}

func (l *loader) begin(key string) *loadedChange {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.docs[key]
	return &loadedChange{l: l, key: key, d: d, old: d.States[0], cond: engine.Condition{LockToken: d.Token}}
}

// ask tells what the document may be from now on.
func (c *loadedChange) ask(fn func(*loadedState)) {
	c.d.States = []loadedState{c.old, c.old.with(fn)}
	c.l.say(loadWord{Key: c.key, Doc: c.d})
}

// answered tells that the change happened.
func (c *loadedChange) answered(r engine.Receipt, err error) error {
	if err != nil {
		return err
	}
	c.d.States = c.d.States[len(c.d.States)-1:]
	c.l.say(loadWord{Key: c.key, Doc: c.d, Receipt: r.String()})
	return nil
}

func someContent(random *rand.Rand) loadedBytes {
	switch random.IntN(12) {
	case 0:
		return loadedBytes{random.Uint64N(1 << 30), 300<<10 + random.IntN(300<<10)}
	case 1, 2:
		return loadedBytes{7, 20_000} // others have it, or had it
	case 3, 4, 5:
		return loadedBytes{random.Uint64N(1 << 30), 1<<10 + random.IntN(100<<10)}
	}
	return loadedBytes{random.Uint64N(1 << 30), 1 + random.IntN(6<<10)}
}

func (l *loader) create(ctx context.Context, random *rand.Rand, key string) error {
	c := &loadedChange{l: l, key: key}
	bytesOf := someContent(random)
	c.ask(func(s *loadedState) { s.Name, s.Contents = "new "+key, []loadedBytes{bytesOf} })
	u, err := l.v.Stage(ctx, bytes.NewReader(bytesOf.bytes()), 0)
	if err != nil {
		return err
	}
	defer u.Discard()
	d, r, err := l.v.CreateDocument(ctx, l.actor, engine.NewDocument{Name: "new " + key, ExternalID: key}, u)
	c.d.ID = d.ID
	return c.answered(r, err)
}

func (l *loader) rename(ctx context.Context, random *rand.Rand, c *loadedChange) error {
	if c.old.Locked && c.d.Token == "" {
		return l.lock(ctx, c)
	}
	name := fmt.Sprintf("%x %s", random.Uint64(), strings.Repeat("x", random.IntN(200)))
	name = strings.TrimSpace(name)
	c.ask(func(s *loadedState) { s.Name = name })
	_, r, err := l.v.UpdateDocument(ctx, l.actor, c.d.ID, c.cond, engine.DocumentPatch{Name: &name})
	return c.answered(r, err)
}

func (l *loader) version(ctx context.Context, random *rand.Rand, c *loadedChange) error {
	if c.old.Locked && c.d.Token == "" {
		return l.lock(ctx, c)
	}
	bytesOf := someContent(random)
	c.ask(func(s *loadedState) { s.Contents = append(s.Contents, bytesOf) })
	u, err := l.v.Stage(ctx, bytes.NewReader(bytesOf.bytes()), 0)
	if err != nil {
		return err
	}
	defer u.Discard()
	_, r, err := l.v.AddVersion(ctx, l.actor, c.d.ID, c.cond, engine.NewVersion{}, u)
	return c.answered(r, err)
}

// lock takes the lock, or ends it: one whose token was never told is broken.
func (l *loader) lock(ctx context.Context, c *loadedChange) error {
	c.ask(func(s *loadedState) { s.Locked = !s.Locked })
	var lock engine.Lock
	var r engine.Receipt
	var err error
	switch {
	case !c.old.Locked:
		lock, r, err = l.v.AcquireLock(ctx, l.actor, c.d.ID, engine.Condition{}, engine.NewLock{Duration: 30 * time.Minute})
	case c.d.Token == "":
		_, r, err = l.v.BreakLock(ctx, l.actor, c.d.ID, engine.Condition{}, "forgotten")
	default:
		_, r, err = l.v.ReleaseLock(ctx, l.actor, c.d.ID, c.cond, true)
	}
	c.d.Token = lock.Token
	return c.answered(r, err)
}

// renew moves the deadline of a lock on, and ends a hold where there is none.
func (l *loader) renew(ctx context.Context, c *loadedChange) error {
	if !c.old.Locked || c.d.Token == "" {
		return l.hold(ctx, c)
	}
	_, r, err := l.v.RenewLock(ctx, l.actor, c.d.ID, c.cond, engine.LockPatch{})
	return c.answered(r, err)
}

// hold places a hold, or ends it.
func (l *loader) hold(ctx context.Context, c *loadedChange) error {
	c.ask(func(s *loadedState) { s.Held = !s.Held })
	if !c.old.Held {
		h, r, err := l.v.PlaceHold(ctx, l.actor, c.d.ID, engine.Condition{}, engine.NewHold{Reason: "a case"})
		c.d.Hold = h.ID
		return c.answered(r, err)
	}
	if c.d.Hold == "" {
		page, err := l.v.DocumentHolds(ctx, c.d.ID, engine.HoldActive, engine.Paging{})
		if err != nil || len(page.Items) != 1 {
			return fmt.Errorf("%d holds: %w", len(page.Items), err)
		}
		c.d.Hold = page.Items[0].ID
	}
	_, r, err := l.v.ReleaseHold(ctx, l.actor, c.d.Hold, engine.Condition{}, "it is over")
	c.d.Hold = ""
	return c.answered(r, err)
}

func (l *loader) remove(ctx context.Context, c *loadedChange) error {
	c.ask(func(s *loadedState) { s.Erased = true })
	_, r, err := l.v.DeleteDocument(ctx, l.actor, c.d.ID, engine.Condition{})
	return c.answered(r, err)
}

// erase asks for it. Whether it has happened is seen by who sweeps.
func (l *loader) erase(ctx context.Context, c *loadedChange) error {
	c.d.Token = erasing
	c.ask(func(s *loadedState) { s.Erased = true })
	_, r, err := l.v.RequestErasure(ctx, l.actor, engine.NewErasure{DocumentIDs: []string{c.d.ID}, LegalBasis: "a law", Requester: "case 7"})
	if err == nil {
		l.say(loadWord{Receipt: r.String()})
	}
	return err
}
