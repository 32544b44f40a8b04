package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// MaxLine is the size a line may have, its newline included.
const MaxLine = 64 << 10

// Hash is a SHA-256. The zero Hash stands for none: no entry before the
// first, no detail, no version before the first.
type Hash [sha256.Size]byte

// HashLine returns the hash of an entry: the SHA-256 of its exact line, the
// newline included.
func HashLine(line []byte) Hash { return sha256.Sum256(line) }

// ParseHash reads 64 lower-case hexadecimal digits. Anything else is
// [ErrSyntax].
func ParseHash(s string) (Hash, error) {
	var h Hash
	if !decodeHex(h[:], []byte(s)) {
		return Hash{}, fmt.Errorf("%w: hash %.80q: want 64 lower-case hexadecimal digits", ErrSyntax, s)
	}
	return h, nil
}

// IsZero reports whether h is the zero Hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns h as 64 lower-case hexadecimal digits.
func (h Hash) String() string {
	var digits [2 * len(h)]byte
	hex.Encode(digits[:], h[:])
	return string(digits[:])
}

// MarshalText returns what String returns.
func (h Hash) MarshalText() ([]byte, error) { return h.append(nil), nil }

// UnmarshalText is [ParseHash].
func (h *Hash) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHash(string(text))
	return err
}

func (h Hash) append(b []byte) []byte { return hex.AppendEncode(b, h[:]) }

func appendUint(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) }

// Head is the end of a log: all that is needed to go on writing it, or
// checking it. Two logs with the same Head are the same log. The zero Head is
// the head of an empty log.
type Head struct {
	Vault string    // the id of the vault, from the first entry
	Seq   uint64    // of the last entry
	Hash  Hash      // of the last entry's line
	Time  time.Time // of the last entry, UTC
}

// Next spells the entry that records e after h, and returns its line, newline
// included, and the head after it. The detail hash is [DetailHash] of
// e.Detail, or zero if there is none.
//
// It refuses with [ErrEvent] an event that [Event.Check] refuses, and a
// detail without its hash or a hash without its detail; with [ErrSyntax] what
// has no spelling (a string beyond printable ASCII, a time that is no whole
// millisecond, a line over [MaxLine]); with [ErrChain] what may not follow h:
// a time earlier than h.Time, a first entry that is not vault.created, a
// vault.created that is not the first.
func (h Head) Next(s Stamp, e Event, detail Hash) (line []byte, next Head, err error) {
	if err := e.Check(); err != nil {
		return nil, h, err
	}
	if (e.Detail == nil) != detail.IsZero() {
		return nil, h, fmt.Errorf("%w: %s: a detail needs its hash, and a hash its detail", ErrEvent, e.Op)
	}
	// Without its location and monotonic reading the time in the new head
	// equals the one that Follow reads.
	at := s.Time.Round(0).UTC()
	if err := h.admits(e.Op == OpVaultCreated, at); err != nil {
		return nil, h, err
	}
	entry := Entry{
		Seq: h.Seq + 1, Prev: h.Hash, Time: at, Actor: s.Actor, Key: s.Key,
		Op: e.Op, Document: e.Document, Version: e.Version, Facts: e.Facts, Detail: detail,
	}
	line, err = entry.appendLine(make([]byte, 0, 512))
	if err != nil {
		return nil, h, fmt.Errorf("%s: %w", e.Op, err)
	}
	next = Head{Vault: h.Vault, Seq: entry.Seq, Hash: HashLine(line), Time: at}
	if h.Seq == 0 {
		next.Vault, _ = e.Facts["vault"].AsText()
	}
	return line, next, nil
}

// Follow checks that line, newline included, is the entry after h: that it is
// spelled in the one way, has the next seq, carries the hash of h as prev and
// is not earlier. It returns the head after it; with an error, h itself.
// After the zero Head only vault.created follows, and names the vault.
//
// A line that is no entry is [ErrSyntax], an entry that does not follow is
// [ErrChain]. Operations and facts this package does not know are accepted as
// long as they are well-formed, so that a verifier can check the log of a
// later release.
func (h Head) Follow(line []byte) (Head, error) {
	var f fields
	if err := f.parse(line); err != nil {
		return h, err
	}
	return h.follow(&f, line)
}

// follow is Follow for a line that is parsed already.
func (h Head) follow(f *fields, line []byte) (Head, error) {
	if f.seq != h.Seq+1 {
		return h, fmt.Errorf("%w: seq %d, want %d", ErrChain, f.seq, h.Seq+1)
	}
	if f.prev != h.Hash {
		return h, fmt.Errorf("%w: seq %d: prev is %s, but the hash of the entry before is %s",
			ErrChain, f.seq, f.prev, h.Hash)
	}
	at := f.time()
	if err := h.admits(string(f.op) == string(OpVaultCreated), at); err != nil {
		return h, err
	}
	next := Head{Vault: h.Vault, Seq: f.seq, Hash: HashLine(line), Time: at}
	if h.Seq == 0 {
		vault := factText(f.facts, "vault")
		if len(vault) == 0 {
			return h, fmt.Errorf("%w: seq 1: vault.created names no vault", ErrChain)
		}
		next.Vault = string(vault)
	}
	return next, nil
}

// admits holds the rules of order that writing and checking share.
func (h Head) admits(created bool, at time.Time) error {
	switch {
	case created != (h.Seq == 0):
		return fmt.Errorf("%w: seq %d: vault.created is the first entry and no other", ErrChain, h.Seq+1)
	case h.Seq > 0 && at.Before(h.Time):
		return fmt.Errorf("%w: seq %d: time %s is before %s, that of the entry before",
			ErrChain, h.Seq+1, FormatTime(at), FormatTime(h.Time))
	}
	return nil
}

// ParseEntry reads a line, newline included, as [Head.Follow] does, but looks
// at nothing beyond it. A line that is no entry is [ErrSyntax].
func ParseEntry(line []byte) (Entry, error) {
	var f fields
	if err := f.parse(line); err != nil {
		return Entry{}, err
	}
	texts := textsOf(line)
	return Entry{
		Seq: f.seq, Prev: f.prev, Time: f.time(), Actor: texts.of(f.actor), Key: texts.of(f.key),
		Op: Op(texts.of(f.op)), Document: texts.of(f.document), Version: f.version,
		Facts: texts.decodeFacts(f.facts), Detail: f.detail,
	}, nil
}

// texts are a line as one string, of which all texts of an entry are parts: a line is
// short, and a dozen strings of their own take longer than all the rest.
type texts struct {
	line     string
	capacity int // of the line
}

func textsOf(line []byte) texts { return texts{string(line), cap(line)} }

// of returns a part of the line, which must have been sliced from it without a
// capacity of its own: so where it begins is told by what capacity it has left.
func (t texts) of(part []byte) string {
	if len(part) == 0 {
		return ""
	}
	at := t.capacity - cap(part)
	return t.line[at : at+len(part)]
}

// appendLine appends the line that ParseEntry reads back into e.
func (e Entry) appendLine(b []byte) ([]byte, error) {
	s := speller{b: b}
	s.raw(`{"seq":`)
	s.number("seq", e.Seq)
	s.raw(`,"prev":`)
	s.hash(e.Prev)
	s.raw(`,"time":"`)
	if !spellable(e.Time) {
		s.refuse("time %v is no whole millisecond of the years 1 to 9999", e.Time)
	}
	s.b = AppendTime(s.b, e.Time)
	s.raw(`","actor":`)
	s.text("actor", e.Actor)
	s.raw(`,"key":`)
	s.text("key", e.Key)
	s.raw(`,"op":`)
	s.text("op", string(e.Op))
	s.raw(`,"document":`)
	s.text("document", e.Document)
	s.raw(`,"version":`)
	s.number("version", e.Version)
	s.raw(`,"facts":`)
	s.facts(e.Facts)
	s.raw(`,"detail":`)
	s.hash(e.Detail)
	s.raw("}\n")
	if size := len(s.b) - len(b); size > MaxLine {
		s.refuse("a line of %d bytes, more than %d", size, MaxLine)
	}
	return s.b, s.err
}
