package console

import (
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

	once    []spent // forms that were sent, the oldest first
	flashes []flash
	sending sync.Mutex // one form at a time
}

// spent is a form that was sent, and where its answer leads.
type spent struct{ number, to string }

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

// sessions are all there are. One lock, and nothing is called under it.
type sessions struct {
	mu     sync.Mutex
	file   string
	now    func() time.Time
	byHash map[string]*session
	unsent map[string]unsent
}

func openSessions(file string, now func() time.Time) *sessions {
	s := &sessions{file: file, now: now, byHash: map[string]*session{}, unsent: map[string]unsent{}}
	if b, err := os.ReadFile(file); file != "" && err == nil {
		if json.Unmarshal(b, &s.byHash) != nil || s.byHash == nil { // damaged: everybody signs in again
			s.byHash = map[string]*session{}
		}
	}
	return s
}

// save writes the sessions that still count.
func (s *sessions) save() error {
	s.mu.Lock()
	s.forget()
	b, err := json.Marshal(s.byHash)
	s.mu.Unlock()
	if err != nil || s.file == "" {
		return err
	}
	temporary := s.file + ".new"
	if err := os.WriteFile(temporary, b, 0o600); err != nil {
		return err
	}
	return os.Rename(temporary, s.file)
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

// start opens a session, and returns its token. The sessions of this user beyond
// those that one may have are returned, ended.
func (s *sessions) start(one *session) (token string, ended []*session) {
	token = randomText()
	s.mu.Lock()
	defer s.mu.Unlock()
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

// sent returns where a form led that was sent before, "" for one that is new.
func (s *sessions) sent(one *session, number string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range one.once {
		if f.number == number {
			return f.to
		}
	}
	return ""
}

func (s *sessions) spend(one *session, number, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if one.once = append(one.once, spent{number, to}); len(one.once) > maxOnce {
		one.once = one.once[1:]
	}
}
