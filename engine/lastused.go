package engine

import (
	"encoding/json"
	"os"
	"sync"
	"time"

	"strongroom/blobstore"
)

// lastUsed is when keys were last used: derived, disposable, and so not in
// vault.db but in a file of its own, written by Sweep and Close. A file that
// is missing or damaged means nothing is known.
type lastUsed struct {
	mu    sync.Mutex // leaf lock
	path  string
	times map[string]time.Time
	dirty bool
}

func (l *lastUsed) load(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.path, l.times = path, map[string]time.Time{}
	if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, &l.times) != nil {
		l.times = map[string]time.Time{}
	}
	if l.times == nil { // the file said null
		l.times = map[string]time.Time{}
	}
}

func (l *lastUsed) note(keyID string, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.times[keyID], l.dirty = at, true
}

func (l *lastUsed) at(keyID string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.times[keyID]
}

// save writes outside the lock: whoever authenticates does not wait for a disk.
// Sweep and Close do not run at the same time.
func (l *lastUsed) save() error {
	l.mu.Lock()
	b, err := json.Marshal(l.times)
	dirty := l.dirty
	l.dirty = false
	l.mu.Unlock()
	if err != nil || !dirty {
		return err
	}
	if err := blobstore.WriteFile(l.path, b); err != nil {
		l.mu.Lock()
		l.dirty = true
		l.mu.Unlock()
		return err
	}
	return nil
}
