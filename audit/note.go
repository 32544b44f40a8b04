package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of what is signed. They leave room for a signature of each of 32
// witnesses, ML-DSA-44 included.
const (
	// MaxSignatures is how many signature lines a checkpoint may have.
	MaxSignatures = 64
	// MaxNote is the size a checkpoint may have with its signatures.
	MaxNote = 256 << 10
	// maxName is the size the name of a key may have.
	maxName = 255
)

// The types of keys, as C2SP signed-note numbers them.
const (
	typeEd25519     = 0x01 // of a log: signs the text
	typeCosignature = 0x04 // of a witness: Ed25519 over the time and the text
	typeMLDSA       = 0x06 // of either: ML-DSA-44 over the time and the tree
)

// publicSize is how long the public key of a type is; 0: a type not known here.
func publicSize(kind byte) int {
	switch kind {
	case typeEd25519, typeCosignature:
		return 32
	case typeMLDSA:
		return 1312
	}
	return 0
}

// Verifier is the public key of a log or a witness, with its name. It is
// comparable, and the zero Verifier is nobody's.
type Verifier struct {
	Name string // of a log, the origin
	kind byte
	key  string // the bytes of the public key
}

// ParseVerifier reads a verifier key, which C2SP signed-note calls a vkey:
// NAME+ID+KEY, eight lower-case hexadecimal digits and base64. It has one
// spelling; any other, and an ID that is not that of name and key, is
// [ErrSyntax].
func ParseVerifier(vkey string) (Verifier, error) {
	name, rest, _ := strings.Cut(vkey, "+")
	_, key64, _ := strings.Cut(rest, "+")
	key, ok := decode64(key64)
	if !ok || len(key) < 2 || !isKeyName(name) {
		return Verifier{}, fmt.Errorf("%w: verifier key %.120q: want NAME+ID+KEY, eight hexadecimal digits and base64", ErrSyntax, vkey)
	}
	v := Verifier{name, key[0], string(key[1:])}
	if size := publicSize(v.kind); size == 0 || size != len(v.key) {
		return Verifier{}, fmt.Errorf("%w: verifier key %.120q: a key of type %d and %d bytes is not known here", ErrSyntax, vkey, v.kind, len(v.key))
	}
	if v.String() != vkey {
		return Verifier{}, fmt.Errorf("%w: verifier key %.120q: the ID should be %08x", ErrSyntax, vkey, v.ID())
	}
	return v, nil
}

// String returns the verifier key, which [ParseVerifier] reads.
func (v Verifier) String() string {
	return fmt.Sprintf("%s+%08x+%s", v.Name, v.ID(), base64.StdEncoding.EncodeToString(append([]byte{v.kind}, v.key...)))
}

// ID returns the number that, beside the name, stands in each signature of the
// key: the first four bytes of SHA-256(name LF type key).
func (v Verifier) ID() uint32 {
	sum := HashLine(append([]byte(v.Name+"\n"), append([]byte{v.kind}, v.key...)...))
	return binary.BigEndian.Uint32(sum[:4])
}

// PublicKey returns a copy of the bytes of the public key.
func (v Verifier) PublicKey() []byte { return []byte(v.key) }

// isKeyName reports whether s may be the name of a key: text without spaces,
// plus signs and control characters.
func isKeyName(s string) bool {
	return s != "" && len(s) <= maxName && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '+' || r < ' '
	})
}

// decode64 reads base64 in its one spelling: padded, without line breaks, the
// bits that mean nothing zero.
func decode64(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	return b, err == nil && base64.StdEncoding.EncodeToString(b) == s
}

// signaturePrefix begins each signature line: an em dash and a blank.
const signaturePrefix = "\u2014 "

// signature is a signature line, read.
type signature struct {
	name string
	id   uint32
	sig  []byte // what follows the ID
	line []byte // with its newline
}

func (s signature) of(v Verifier) bool { return s.name == v.Name && s.id == v.ID() }

// signatureLine spells the signature line of v.
func signatureLine(v Verifier, sig []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, v.ID())
	return []byte(signaturePrefix + v.Name + " " + base64.StdEncoding.EncodeToString(append(b, sig...)) + "\n")
}

// parseSignatures reads signature lines. Two of one key are refused: which of
// them counts would be a matter of opinion.
func parseSignatures(lines []byte) (all []signature, err error) {
	for rest := lines; len(rest) > 0; {
		n := bytes.IndexByte(rest, '\n') + 1
		name, sum64, cut := strings.Cut(strings.TrimPrefix(string(rest[:max(n-1, 0)]), signaturePrefix), " ")
		sum, ok := decode64(sum64)
		if n == 0 || !bytes.HasPrefix(rest, []byte(signaturePrefix)) || !cut || !ok || len(sum) < 5 || !isKeyName(name) {
			return nil, fmt.Errorf("%w: signature line %d: want an em dash, a blank, a name, a blank, base64 and a newline", ErrSyntax, len(all)+1)
		}
		s := signature{name, binary.BigEndian.Uint32(sum), sum[4:], rest[:n:n]}
		for _, other := range all {
			if other.name == s.name && other.id == s.id {
				return nil, fmt.Errorf("%w: two signature lines of one key of %q", ErrSyntax, s.name)
			}
		}
		if all = append(all, s); len(all) > MaxSignatures {
			return nil, fmt.Errorf("%w: more than %d signature lines", ErrSyntax, MaxSignatures)
		}
		rest = rest[n:]
	}
	return all, nil
}

// splitNote divides a signed checkpoint into its text, last newline included,
// and its signature lines, of which there is at least one.
func splitNote(signed []byte) (text []byte, all []signature, err error) {
	at := bytes.LastIndex(signed, []byte("\n\n"))
	if len(signed) > MaxNote || at < 0 || !utf8.Valid(signed) || bytes.ContainsFunc(signed, func(r rune) bool { return r < ' ' && r != '\n' }) {
		return nil, nil, fmt.Errorf("%w: a signed checkpoint is text, an empty line and signature lines, at most %d bytes", ErrSyntax, MaxNote)
	}
	if all, err = parseSignatures(signed[at+2:]); err == nil && len(all) == 0 {
		err = fmt.Errorf("%w: a checkpoint without a signature line", ErrSyntax)
	}
	return signed[: at+1 : at+1], all, err
}

// AddSignatures returns the signed checkpoint with more signature lines at its
// end, each with its newline. One of a key that has signed takes the place of
// the one before. It checks how they are spelled, not what they sign: see
// [Policy.Cosigned].
func AddSignatures(signed []byte, lines ...[]byte) ([]byte, error) {
	text, old, err := splitNote(signed)
	if err != nil {
		return nil, err
	}
	more, err := parseSignatures(bytes.Join(lines, nil))
	if err != nil {
		return nil, err
	}
	b := append(bytes.Clone(text), '\n')
	for _, s := range old {
		if !slices.ContainsFunc(more, func(m signature) bool { return m.name == s.name && m.id == s.id }) {
			b = append(b, s.line...)
		}
	}
	for _, m := range more {
		b = append(b, m.line...)
	}
	_, _, err = splitNote(b)
	return b, err
}

// KeepSignatures returns the signed checkpoint with the signature lines of these
// keys alone, which it does not check.
func KeepSignatures(signed []byte, of ...Verifier) ([]byte, error) {
	text, all, err := splitNote(signed)
	if err != nil {
		return nil, err
	}
	b := append(bytes.Clone(text), '\n')
	for _, s := range all {
		if slices.ContainsFunc(of, s.of) {
			b = append(b, s.line...)
		}
	}
	return b, nil
}

// parseHash64 reads a hash as the formats of C2SP write it, in base64.
func parseHash64(s []byte) (h TreeHash, ok bool) {
	b, ok := decode64(string(s))
	if !ok || len(b) != len(h) {
		return h, false
	}
	return TreeHash(b), true
}

// hexID is the ID of a key as it is printed.
func hexID(id uint32) string { return hex.EncodeToString(binary.BigEndian.AppendUint32(nil, id)) }
