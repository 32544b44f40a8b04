package audit

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

// secretPrefix begins a key with its secret, as sumdb/note writes it.
const secretPrefix = "PRIVATE+KEY+"

// Key is the Ed25519 key of a log, with the log's origin for its name. The zero
// Key signs nothing.
type Key struct{ secret }

// WitnessKey is the Ed25519 key of a witness. It is never that of a log: what a
// witness signs says something else.
type WitnessKey struct{ secret }

// secret is a name with the private half of a key.
type secret struct {
	name string
	kind byte
	key  ed25519.PrivateKey
}

// NewKey makes the key of a log from 32 bytes of random. The origin
// is printable ASCII without blanks and " \ < > & +, at most 255 bytes, so that
// the verifier key can be a fact; or the error is [ErrSyntax].
func NewKey(origin string, random io.Reader) (Key, error) {
	s, err := newSecret(origin, typeEd25519, random)
	return Key{s}, err
}

// NewWitnessKey is [NewKey] for a witness.
func NewWitnessKey(name string, random io.Reader) (WitnessKey, error) {
	s, err := newSecret(name, typeCosignature, random)
	return WitnessKey{s}, err
}

func newSecret(name string, kind byte, random io.Reader) (secret, error) {
	if !isKeyName(name) || !isPlain([]byte(name)) {
		return secret{}, fmt.Errorf("%w: %.80q cannot name a key: printable ASCII without blanks and \" \\ < > & +, at most %d bytes", ErrSyntax, name, maxName)
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return secret{}, err
	}
	return secret{name, kind, ed25519.NewKeyFromSeed(seed)}, nil
}

// Renamed returns the same key for the log of another origin, or the error of
// [NewKey]. Its verifier key is another one, and what either signs is not signed by
// the other.
func (k Key) Renamed(origin string) (Key, error) {
	return NewKey(origin, bytes.NewReader(k.key.Seed()))
}

// ParseKey reads what Marshal returned. Any other text, the key of a witness
// included, is [ErrSyntax]; the error does not show it.
func ParseKey(text []byte) (Key, error) {
	s, err := parseSecret(text, typeEd25519)
	return Key{s}, err
}

// ParseWitnessKey is [ParseKey] for a witness.
func ParseWitnessKey(text []byte) (WitnessKey, error) {
	s, err := parseSecret(text, typeCosignature)
	return WitnessKey{s}, err
}

func parseSecret(text []byte, kind byte) (secret, error) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(string(text), secretPrefix), "+")
	_, key64, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), "+")
	key, ok := decode64(key64)
	if ok && len(key) == 1+ed25519.SeedSize && key[0] == kind && isKeyName(name) {
		s := secret{name, kind, ed25519.NewKeyFromSeed(key[1:])}
		if string(s.Marshal()) == string(text) {
			return s, nil
		}
	}
	return secret{}, fmt.Errorf("%w: this is not a private key of type %d: want one line, %sNAME+ID+KEY", ErrSyntax, kind, secretPrefix)
}

// Name returns the name of the key: of a log, the origin.
func (s secret) Name() string { return s.name }

// Verifier returns the verifier key, to be given away.
func (s secret) Verifier() string { return s.public().String() }

// Marshal returns the key with its secret, one line: the form of
// sumdb/note's signer keys, with the type of the key before the seed.
func (s secret) Marshal() []byte {
	return fmt.Appendf(nil, "%s%s+%s+%s\n", secretPrefix, s.name, hexID(s.public().ID()),
		base64.StdEncoding.EncodeToString(append([]byte{s.kind}, s.key.Seed()...)))
}

func (s secret) public() Verifier {
	return Verifier{s.name, s.kind, string(s.key.Public().(ed25519.PublicKey))}
}

// Sign returns the checkpoint signed. Its origin must be the name of the key,
// it has no extension, and its size is below 2^53, or the error is
// [ErrSyntax]. Whoever signs must know that the tree grew out of the one signed
// before: the key does not.
func (k Key) Sign(c Checkpoint) ([]byte, error) {
	if c.Origin != k.name || c.Extension != "" || c.Size < 0 || c.Size > maxNumber || len(k.key) == 0 {
		return nil, fmt.Errorf("%w: the key of %q signs no checkpoint of %q with size %d", ErrSyntax, k.name, c.Origin, c.Size)
	}
	text := c.Text()
	return joinNote(text, signatureLine(k.public(), ed25519.Sign(k.key, []byte(text)))), nil
}

// Cosign returns the signature line, newline included, by which the witness
// says that at this second the tree was the largest it had seen of that log,
// and that it grew out of those it saw before (C2SP tlog-cosignature). Whoever
// calls it knows that it is so: see [AddRequest.Check].
func (k WitnessKey) Cosign(c Checkpoint, at time.Time) ([]byte, error) {
	seconds := at.Unix()
	if _, ok := cosignedAt(uint64(seconds)); !ok || len(k.key) == 0 {
		return nil, fmt.Errorf("%w: a witness signs at a time from 1970 to 9999, not at %s", ErrSyntax, at)
	}
	sig := binary.BigEndian.AppendUint64(nil, uint64(seconds))
	sig = append(sig, ed25519.Sign(k.key, cosignedText(uint64(seconds), c.Text()))...)
	return signatureLine(k.public(), sig), nil
}
