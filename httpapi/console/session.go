package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"strongroom/engine"
)

const (
	idleAfter    = 30 * time.Minute // without a page being asked for
	longestSince = 12 * time.Hour   // from signing in, whatever is done
	// keptAfter is how long an ended session is remembered, so that a form sent
	// into it comes back after signing in.
	keptAfter = 24 * time.Hour
	// maxSessions of one user: the oldest ends for the next.
	maxSessions = 20
	maxOnce     = 200
	maxFlashes  = 8
)

// session is somebody who has signed in. The cookie has the token; here is its
// hash, and an id that is no secret.
type session struct {
	ID       string    `json:"id"`
	Vault    string    `json:"vault"`
	UserID   string    `json:"user"`
	KeyID    string    `json:"key"` // that it was opened with; "": by other means
	Started  time.Time `json:"started"`
	Used     time.Time `json:"used"`
	Ended    time.Time `json:"ended,omitzero"`
	Agent    string    `json:"agent"` // the browser, as it calls itself
	Address  string    `json:"address"`
	recorded bool      // that it ended is in the audit log, or about to be

	once    []*spent // forms that were sent, the oldest first
	flashes []flash
}

// spent is a form that was sent, and where its answer leads; "": it is at work.
type spent struct {
	number, to string
	done       chan struct{} // closed when it is not at work any more
}

// flash is a message for the next page.
type flash struct{ Kind, Text string }

func (s *session) actor() engine.Actor {
	return engine.Actor{UserID: s.UserID, KeyID: s.KeyID, Access: engine.AccessAdmin} // narrowed by the engine
}

func (s *session) over(now time.Time) bool {
	return !s.Ended.IsZero() || now.Sub(s.Used) > idleAfter || now.Sub(s.Started) > longestSince
}

// unsent is a form that was sent into a session that had ended.
type unsent struct {
	user   string // whose it is: nobody else is shown it
	vault  string
	path   string
	fields url.Values
	at     time.Time
}

// sessions are all there are. Nothing is called under mu; writing comes before it.
type sessions struct {
	kept    func(file string) error // see Options.Kept
	writing sync.Mutex              // of the file
	mu      sync.Mutex
	file    string
	now     func() time.Time
	byHash  map[string]*session
	hosted  map[string]*session // of people whom the host knows, by vault and user
	unsent  map[string]unsent
}

func openSessions(file string, now func() time.Time) *sessions {
	s := &sessions{file: file, now: now, byHash: map[string]*session{}, hosted: map[string]*session{}, unsent: map[string]unsent{}}
	if b, err := os.ReadFile(file); file != "" && err == nil {
		if json.Unmarshal(b, &s.byHash) != nil || s.byHash == nil { // damaged: everybody signs in again
			s.byHash = map[string]*session{}
		}
	}
	for hash, one := range s.byHash {
		if one == nil {
			delete(s.byHash, hash)
			continue
		}
		one.recorded = !one.Ended.IsZero()
	}
	return s
}

// save writes the sessions that still count.
func (s *sessions) save() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	s.forget()
	b, err := json.Marshal(s.byHash)
	s.mu.Unlock()
	if err != nil || s.file == "" {
		return err
	}
	return keptFile(s.file, b, s.kept)
}

// forget drops what nobody can come back for. Called under mu.
func (s *sessions) forget() {
	now := s.now()
	for hash, one := range s.byHash {
		if one.over(now) && now.Sub(one.Used) > keptAfter {
			delete(s.byHash, hash)
		}
	}
	for key, form := range s.unsent {
		if now.Sub(form.at) > keptAfter {
			delete(s.unsent, key)
		}
	}
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func randomText() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// start opens a session, and returns its token. Returned too are the sessions whose
// time ran out with nobody there to notice, and those of this user beyond what one
// may have, ended.
func (s *sessions) start(one *session) (token string, ended []*session) {
	token = randomText()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, old := range s.byHash {
		if old.over(s.now()) && !old.recorded {
			ended = append(ended, old)
		}
	}
	s.forget()
	one.ID, one.Started = engine.NewID(), s.now()
	one.Used = one.Started
	s.byHash[hashOf(token)] = one
	mine := s.of(one.Vault, one.UserID)
	for _, old := range mine[:max(0, len(mine)-maxSessions)] {
		old.Ended = s.now()
		ended = append(ended, old)
	}
	return token, ended
}

// of lists the sessions of a user that count, the oldest first. Called under mu.
func (s *sessions) of(vault, userID string) (mine []*session) {
	for _, one := range s.byHash {
		if one.Vault == vault && one.UserID == userID && !one.over(s.now()) {
			mine = append(mine, one)
		}
	}
	slices.SortFunc(mine, func(a, b *session) int { return a.Started.Compare(b.Started) })
	return mine
}

// mine are copies of the sessions of a user that count, the newest first.
func (s *sessions) mine(vault, userID string) (list []session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range slices.Backward(s.of(vault, userID)) {
		list = append(list, session{ID: one.ID, Started: one.Started, Used: one.Used, Agent: one.Agent, Address: one.Address})
	}
	return list
}

// named finds a session by its id; nil if there is none.
func (s *sessions) named(id string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.byHash {
		if one.ID == id {
			return one
		}
	}
	return nil
}

// find returns the session of a token; nil if there is none. over says that it
// has ended: then it is nobody's any more, but a form may come back to its owner.
// active says that a person did something, which a page that asks by itself is not.
func (s *sessions) find(token string, active bool) (one *session, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one = s.byHash[hashOf(token)]
	if one == nil {
		return nil, false
	}
	if one.over(s.now()) {
		return one, true
	}
	if active {
		one.Used = s.now()
	}
	return one, false
}

// end ends a session by its id, and reports whether it did.
func (s *sessions) end(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := one.recorded
	one.recorded = true
	if one.Ended.IsZero() {
		one.Ended = s.now()
	}
	return !was
}

// keep remembers a form for its owner, and returns the key it is found by.
func (s *sessions) keep(form unsent) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.unsent) >= 1000 { // whoever waits for more than these has lost a form, not a document
		for key := range s.unsent {
			delete(s.unsent, key)
			break
		}
	}
	key := randomText()
	form.at = s.now()
	s.unsent[key] = form
	return key
}

// recall returns a form to its owner.
func (s *sessions) recall(key, vault, userID string) (unsent, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	form, ok := s.unsent[key]
	return form, ok && form.vault == vault && form.user == userID
}

func (s *sessions) flash(one *session, f flash) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.flashes = append(one.flashes, f); len(one.flashes) > maxFlashes {
		one.flashes = one.flashes[1:]
	}
}

func (s *sessions) takeFlashes(one *session) []flash {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := one.flashes
	one.flashes = nil
	return out
}

// begin takes the number of a form. Whoever comes with it first calls done, with
// where the answer leads, or "" if nothing came of it. Another waits for that, and
// is led there too.
func (s *sessions) begin(ctx context.Context, one *session, number string) (to string, done func(to string), err error) {
	for {
		s.mu.Lock()
		i := slices.IndexFunc(one.once, func(f *spent) bool { return f.number == number })
		if i < 0 {
			f := &spent{number: number, done: make(chan struct{})}
			one.once = append(one.once, f)
			s.mu.Unlock()
			return "", func(to string) { s.finish(one, f, to) }, nil
		}
		f := one.once[i]
		to := f.to
		s.mu.Unlock()
		if to != "" {
			return to, nil, nil
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return "", nil, ctx.Err()
		}
	}
}

func (s *sessions) finish(one *session, f *spent, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.to = to; to == "" || len(one.once) > maxOnce {
		i := slices.IndexFunc(one.once, func(old *spent) bool { return old == f || to != "" && old.to != "" })
		one.once = slices.Delete(one.once, i, i+1)
	}
	close(f.done)
}

// live reports whether a session has not ended.
func (s *sessions) live(one *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !one.over(s.now()) || s.hosted[one.Vault+"/"+one.UserID] == one
}

// host is the session of somebody whom the host knows: it has what the pages
// remember from one form to the next, and neither token nor end.
func (s *sessions) host(vault, userID string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := vault + "/" + userID
	if one := s.hosted[key]; one != nil {
		return one
	}
	for other := range s.hosted {
		if len(s.hosted) < 10_000 {
			break
		}
		delete(s.hosted, other)
	}
	s.hosted[key] = &session{Vault: vault, UserID: userID}
	return s.hosted[key]
}
