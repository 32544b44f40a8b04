package audit

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"
)

// Checkpoint is a state of a log: so many lines, and the root of their tree.
// Whoever knows it knows all of them.
type Checkpoint struct {
	Origin string   // names the log
	Size   int64    // how many lines, below 2^53
	Root   TreeHash // of their tree
	// Extension is what other logs write after these three, lines that are not
	// empty, each with its newline. A log of this package writes none, and a
	// [Proof] admits none.
	Extension string
}

// Text returns what is signed: origin, size and root in base64, a line each
// (C2SP tlog-checkpoint). [ParseCheckpoint] is its inverse.
func (c Checkpoint) Text() string {
	b := append([]byte(c.Origin), '\n')
	b = append(appendUint(b, uint64(c.Size)), '\n')
	b = append(base64.StdEncoding.AppendEncode(b, c.Root[:]), '\n')
	return string(b) + c.Extension
}

// ParseCheckpoint reads what [Checkpoint.Text] returned, and nothing else: any
// other text, an empty origin, a size of 2^53 and more is [ErrSyntax].
func ParseCheckpoint(text string) (c Checkpoint, err error) {
	var origin, root []byte
	var size uint64
	cur := cursor{b: []byte(text)}
	if !(cur.upTo('\n', &origin) && cur.number(&size) && cur.lit("\n") && cur.upTo('\n', &root)) {
		return c, fmt.Errorf("checkpoint: %w", cur.err())
	}
	c = Checkpoint{Origin: string(origin), Size: int64(size), Extension: text[cur.i:]}
	hash, ok := parseHash64(root)
	if !ok || !isOrigin(c.Origin) || !isExtension(c.Extension) {
		return Checkpoint{}, fmt.Errorf("%w: checkpoint: want an origin, a size and a root of 32 bytes in base64, a line each", ErrSyntax)
	}
	c.Root = hash
	return c, nil
}

// isOrigin reports whether s may name a log. Blanks are allowed: C2SP advises
// against them, and forbids them not.
func isOrigin(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' })
}

func isExtension(s string) bool {
	for line := range strings.Lines(s) {
		if line == "\n" || !strings.HasSuffix(line, "\n") {
			return false
		}
	}
	return utf8.ValidString(s)
}

// ReadCheckpoint reads the text of a signed checkpoint and how it is spelled
// throughout. It checks no signature: what it returns is a claim. See
// [Policy.Open].
func ReadCheckpoint(signed []byte) (Checkpoint, error) {
	text, _, err := splitNote(signed)
	if err != nil {
		return Checkpoint{}, err
	}
	return ParseCheckpoint(string(text))
}

// OpenCheckpoint returns what the log with this verifier key signed. The error
// is that of [Policy.Open] with [PolicyOf] the key.
func OpenCheckpoint(signed []byte, vkey string) (Checkpoint, error) {
	p, err := PolicyOf(vkey)
	if err != nil {
		return Checkpoint{}, err
	}
	o, err := p.Open(signed)
	return o.Checkpoint, err
}

// OpenCosigned returns what the witness with this verifier key cosigned, and when.
// It asks for no signature of the log.
func OpenCosigned(signed []byte, vkey string) (Checkpoint, time.Time, error) {
	key, err := ParseVerifier(vkey)
	if err != nil {
		return Checkpoint{}, time.Time{}, err
	}
	c, err := ReadCheckpoint(signed)
	if err != nil {
		return c, time.Time{}, err
	}
	n, err := note.Open(signed, note.VerifierList(trusted{Verifier: key}))
	by := Policy{Witnesses: []PolicyWitness{{Key: key}}}.cosignings(n)
	if err != nil || key.kind != typeCosignature || len(by) != 1 {
		return Checkpoint{}, time.Time{}, fmt.Errorf("%w: %s", ErrSignature, key.Name)
	}
	return c, by[0].Time, nil
}

// joinNote writes a text and its signature lines.
func joinNote(text string, lines ...[]byte) []byte {
	return append([]byte(text+"\n"), bytes.Join(lines, nil)...)
}
