package search

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
)

const (
	attemptsName = "attempts"
	// A reading is noted as begun when it has taken this long: what ends the whole
	// program takes longer than most files do.
	attemptNoted = 20 * time.Millisecond
	// maxInterrupted is how often the program may have ended while a file was read
	// until the file is taken for the reason.
	maxInterrupted = 2
	// maxAttempts is how many failures are remembered; older ones are tried again.
	maxAttempts = 100_000
	// The file is made anew when it is this large, and twice what is in it.
	attemptsBytes = 1 << 20
)

// errInterrupted is the reason of a file during which the program ended again.
const errInterrupted = "the program ended while it was read"

// attempt is a line of the file attempts in the index's directory. It is what is
// remembered of files that could not be read, so that each costs one attempt, also
// when the index is made anew. It may be deleted at any time.
type attempt struct {
	Digest  string       `json:"digest"`
	Kind    extract.Kind `json:"kind"`
	Version int          `json:"version"`
	// State is begun, ended, or failed for Reason.
	State  string `json:"state"`
	Reason string `json:"reason,omitempty"`
	Times  int    `json:"times,omitempty"` // it was begun and not ended
}

type attempts struct {
	path string

	mu    sync.Mutex
	known map[string]attempt // by digest: failed, or begun
	order []string           // the digests, the oldest first
	bytes int
}

// openAttempts reads what is remembered. A line that cannot be read is what a crash
// left of it.
func openAttempts(dir string) *attempts {
	a := &attempts{path: filepath.Join(dir, attemptsName), known: map[string]attempt{}}
	b, err := os.ReadFile(a.path)
	if err != nil {
		return a
	}
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		var line attempt
		if json.Unmarshal(lines.Bytes(), &line) == nil {
			a.take(line)
		}
	}
	a.bytes = len(b)
	for digest, line := range a.known {
		if line.State == "begun" && line.Times >= maxInterrupted {
			line.State, line.Reason = "failed", errInterrupted
			a.known[digest] = line
		}
	}
	return a
}

// take applies a line.
func (a *attempts) take(line attempt) {
	before, known := a.known[line.Digest]
	if line.State == "ended" {
		delete(a.known, line.Digest)
		return
	}
	if line.State == "begun" && line.Times == 0 {
		line.Times = 1
		if before.Kind == line.Kind && before.Version == line.Version {
			line.Times = before.Times + 1
		}
	}
	if !known {
		a.order = append(a.order, line.Digest)
	}
	a.known[line.Digest] = line
}

// failure is what became of a file the last time, with a reader of this version.
func (a *attempts) failure(d engine.Digest, kind extract.Kind, version int) (reason string, failed bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line, known := a.known[d.String()]
	if !known || line.State != "failed" || line.Kind != kind || line.Version != version {
		return "", false
	}
	return line.Reason, true
}

// begin notes a reading that takes its time. end is to be called with its result,
// or nil if nothing is known of the file.
func (a *attempts) begin(d engine.Digest, kind extract.Kind, version int) (end func(*extract.Result)) {
	line := attempt{Digest: d.String(), Kind: kind, Version: version, State: "begun"}
	var once sync.Mutex
	noted, over := false, false
	timer := time.AfterFunc(attemptNoted, func() {
		once.Lock()
		defer once.Unlock()
		if !over {
			noted = true
			a.write(line)
		}
	})
	return func(r *extract.Result) {
		timer.Stop()
		once.Lock()
		defer once.Unlock()
		over = true
		switch {
		case r != nil && r.State == extract.Failed:
			line.State, line.Reason = "failed", r.Reason
			a.write(line)
		case noted:
			line.State = "ended"
			a.write(line)
		}
	}
}

// write appends a line. It is not synced, and a failure to write costs one attempt
// more at the most: the index says itself when its disk is full.
func (a *attempts) write(line attempt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.take(line)
	if a.bytes > attemptsBytes && a.bytes > 400*len(a.known) {
		a.rewrite()
		return
	}
	f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	n, _ := f.Write(encodeAttempt(line))
	a.bytes += n
}

func encodeAttempt(line attempt) []byte {
	b, err := json.Marshal(line)
	if err != nil {
		panic(err) // there is nothing in it that could fail
	}
	return append(b, '\n')
}

// rewrite leaves out what is over. It is called with mu held.
func (a *attempts) rewrite() {
	a.order = slices.DeleteFunc(a.order, func(digest string) bool { _, known := a.known[digest]; return !known })
	for _, digest := range a.order[:max(0, len(a.order)-maxAttempts)] {
		delete(a.known, digest)
	}
	a.order = a.order[max(0, len(a.order)-maxAttempts):]
	var all bytes.Buffer
	for _, digest := range a.order {
		all.Write(encodeAttempt(a.known[digest]))
	}
	aside := a.path + ".new"
	if os.WriteFile(aside, all.Bytes(), 0o600) == nil && os.Rename(aside, a.path) == nil {
		a.bytes = all.Len()
	}
}
