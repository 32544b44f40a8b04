package fixity

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// state is what a scrub remembers. Times are kept by the first byte of digests:
// 256 of them say as much as anybody needs, and a restart reads at most one
// shelf twice.
type state struct {
	read     [256]time.Time // when reading the shelf began the last time it came to its end; zero: never
	findings []Finding      // by digest
}

// stateFile is the state as it is stored, in JSON. Its form stays as it is.
type stateFile struct {
	Checked map[string]time.Time // by the first byte of digests, in two hexadecimal digits
	Damaged []storedFinding
}

type storedFinding struct {
	Digest   string
	Versions []string
	Problem  string
	Found    time.Time
	Denied   bool `json:",omitempty"`
}

// parseState reads what encode wrote. Of anything else it is as if nothing was
// read yet: all that is lost is the time it takes to read it again.
func parseState(text []byte) state {
	var f stateFile
	var s state
	if json.Unmarshal(text, &f) != nil {
		return state{}
	}
	for i := range s.read {
		s.read[i] = f.Checked[shelfName(i)]
	}
	if f.Checked == nil {
		return state{}
	}
	for _, d := range f.Damaged {
		digest, ok := parseDigest(d.Digest)
		if !ok {
			return state{}
		}
		s.findings = append(s.findings, Finding{digest, d.Versions, d.Problem, d.Found, d.Denied})
	}
	return s
}

func (s *state) encode() ([]byte, error) {
	f := stateFile{Checked: map[string]time.Time{}}
	for i, at := range s.read {
		if !at.IsZero() {
			f.Checked[shelfName(i)] = at
		}
	}
	for _, d := range s.findings {
		f.Damaged = append(f.Damaged, storedFinding{d.Digest.String(), d.Owners, d.Problem, d.Found, d.Denied})
	}
	return json.Marshal(f)
}

// due is the shelf that is to be read next, and when. One that something is wrong in
// is due sooner.
func (s *state) due(now time.Time) (first byte, at time.Time) {
	var wrong [256]bool
	for _, f := range s.findings {
		wrong[f.Digest[0]] = true
	}
	for i, read := range s.read {
		if read.After(now) {
			read = time.Time{}
		}
		due := read.Add(every)
		if wrong[i] {
			due = read.Add(again)
		}
		if i == 0 || due.Before(at) {
			first, at = byte(i), due
		}
	}
	return first, at
}

func shelfName(first int) string { return fmt.Sprintf("%02x", first) }

// oldest is the shelf that was read longest ago. A time in the future cannot be
// true, so such a shelf counts as never read.
func (s *state) oldest(now time.Time) (first byte, at time.Time) {
	for i, read := range s.read {
		if read.After(now) {
			read = time.Time{}
		}
		if i == 0 || read.Before(at) {
			first, at = byte(i), read
		}
	}
	return first, at
}

// Digest names content by its SHA-256.
type Digest [32]byte

const digestPrefix = "sha256:"

// String is "sha256:" and 64 lower-case hexadecimal digits.
func (d Digest) String() string { return digestPrefix + hex.EncodeToString(d[:]) }

// parseDigest reads the one spelling that String prints.
func parseDigest(s string) (d Digest, ok bool) {
	b, err := hex.DecodeString(strings.TrimPrefix(s, digestPrefix))
	if err != nil || len(b) != len(d) {
		return d, false
	}
	d = Digest(b)
	return d, d.String() == s
}

// after is the digest that follows d; false: d is the last one of its shelf.
func (d Digest) after() (Digest, bool) {
	for i := len(d) - 1; i > 0; i-- {
		if d[i]++; d[i] != 0 {
			return d, true
		}
	}
	return d, false
}
