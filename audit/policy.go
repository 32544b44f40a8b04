package audit

import (
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// Policy says whom to believe: the logs, the witnesses, and which of these
// must have signed. The zero Policy believes nobody. It is read by
// [ParsePolicy], or made by [PolicyOf].
type Policy struct {
	Logs      []PolicyLog
	Witnesses []PolicyWitness
	// VerifyMLDSA checks ML-DSA-44 signatures, with an empty context. Where it
	// is nil, the keys of that type are as if they were not in the policy.
	VerifyMLDSA func(publicKey, message, signature []byte) bool

	groups []group
	quorum string
}

// PolicyLog is a log that is believed.
type PolicyLog struct {
	Key Verifier // its name is the origin
	URL string   // "" if none is given
}

// PolicyWitness is a witness that is believed.
type PolicyWitness struct {
	Name string // in the policy alone
	Key  Verifier
	URL  string // of its submissions, "" if none is given
}

// PolicyOf returns the policy that believes the log with this verifier key
// without a witness. The key is one of a log, or the error is [ErrSyntax].
func PolicyOf(vkey string) (Policy, error) {
	return Policy{quorum: quorumNone}.For(vkey)
}

// For returns the policy with this log in the place of those it has, and its
// witnesses as they are: for who knows from elsewhere which log it is about.
func (p Policy) For(vkey string) (Policy, error) {
	key, err := ParseVerifier(vkey)
	if err == nil && key.kind == typeCosignature {
		err = fmt.Errorf("%w: %.120q is the key of a witness, not of a log", ErrSyntax, vkey)
	}
	p.Logs = []PolicyLog{{Key: key}}
	return p, err
}

// Opened is what is known of a signed checkpoint whose signatures were checked.
type Opened struct {
	Checkpoint Checkpoint
	Logs       []Verifier  // the keys of the log that signed
	Witnesses  []Cosigning // in the order of the policy
	Unknown    []string    // the names on signatures of keys that are not in the policy: they count for nothing
}

// Cosigning is the signature of a witness.
type Cosigning struct {
	Name string // in the policy
	Key  Verifier
	Time time.Time // UTC, whole seconds: when the witness says it signed
}

// Open checks what is signed: how it is spelled ([ErrSyntax]), that a log of
// the policy signed a checkpoint of its own origin and that no signature of a
// key in the policy is false ([ErrSignature]), and that enough witnesses signed
// ([ErrQuorum], with what is known nevertheless).
func (p Policy) Open(signed []byte) (Opened, error) {
	o, err := p.signed(signed)
	if err != nil {
		return Opened{}, err
	}
	if !p.enough(o.Witnesses) {
		return o, fmt.Errorf("%w: %d of the policy's %d did, and its quorum %s is not met", ErrQuorum, len(o.Witnesses), len(p.Witnesses), p.quorum)
	}
	return o, nil
}

// signed is Open without the quorum.
func (p Policy) signed(signed []byte) (o Opened, err error) {
	text, _, err := splitNote(signed)
	if err != nil {
		return o, err
	}
	if o.Checkpoint, err = ParseCheckpoint(string(text)); err != nil {
		return o, err
	}
	n, err := note.Open(signed, p.verifiers())
	if n == nil {
		return o, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	for _, s := range n.Sigs {
		for _, l := range p.Logs {
			if l.Key.Name == s.Name && l.Key.ID() == s.Hash && s.Name == o.Checkpoint.Origin {
				o.Logs = append(o.Logs, l.Key)
			}
		}
	}
	if len(o.Logs) == 0 {
		return Opened{}, fmt.Errorf("%w: no log that is trusted signed the checkpoint of %q", ErrSignature, o.Checkpoint.Origin)
	}
	o.Witnesses = p.cosignings(n)
	for _, s := range n.UnverifiedSigs {
		o.Unknown = append(o.Unknown, s.Name)
	}
	return o, nil
}

// Cosigned adds to a signed checkpoint the signature lines that a witness
// answered with: those of the policy's witnesses, which are checked; others are
// left out. Of two by one witness the new one stays. It returns who signed, in
// the order of the policy; a false signature is [ErrSignature], and so is an
// answer without one of a witness of the policy.
func (p Policy) Cosigned(signed, lines []byte) ([]byte, []Cosigning, error) {
	all, err := parseSignatures(lines)
	if err != nil {
		return nil, nil, err
	}
	var known [][]byte
	for _, s := range all {
		for _, w := range p.Witnesses {
			if s.of(w.Key) {
				known = append(known, s.line)
			}
		}
	}
	if len(known) == 0 {
		return nil, nil, fmt.Errorf("%w: the answer has no signature of a witness of the policy", ErrSignature)
	}
	text, _, err := splitNote(signed)
	if err != nil {
		return nil, nil, err
	}
	// What is new is looked at alone: who signed before says nothing of it.
	fresh, err := note.Open(joinNote(string(text), known...), p.verifiers())
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrSignature, err)
	}
	whole, err := AddSignatures(signed, known...)
	if err != nil {
		return nil, nil, err
	}
	return whole, p.cosignings(fresh), nil
}

// cosignings are the signatures of witnesses on a note that was opened; of none, nil.
func (p Policy) cosignings(n *note.Note) (by []Cosigning) {
	if n == nil {
		return nil
	}
	for _, w := range p.Witnesses {
		for _, s := range n.Sigs {
			if w.Key.Name == s.Name && w.Key.ID() == s.Hash {
				raw, _ := decode64(s.Base64) // it was checked
				at, _ := cosignedAt(binary.BigEndian.Uint64(raw[4:]))
				by = append(by, Cosigning{w.Name, w.Key, at})
			}
		}
	}
	return by
}

// knows reports whether a log of the policy has this origin.
func (p Policy) knows(origin string) bool {
	for _, l := range p.Logs {
		if l.Key.Name == origin {
			return true
		}
	}
	return false
}

// trusted is a key of a policy as sumdb/note wants it.
type trusted struct {
	Verifier
	mldsa func(publicKey, message, signature []byte) bool
}

var _ note.Verifier = trusted{}

func (t trusted) Name() string    { return t.Verifier.Name }
func (t trusted) KeyHash() uint32 { return t.ID() }

// Verify reports whether sig is the signature of the key over a checkpoint with
// this text.
func (t trusted) Verify(text, sig []byte) bool {
	if t.kind == typeEd25519 {
		return ed25519.Verify(t.PublicKey(), text, sig)
	}
	if len(sig) < 8 {
		return false
	}
	seconds, sig := binary.BigEndian.Uint64(sig), sig[8:]
	if _, ok := cosignedAt(seconds); !ok {
		return false
	}
	if t.kind == typeCosignature {
		return ed25519.Verify(t.PublicKey(), cosignedText(seconds, string(text)), sig)
	}
	c, err := ParseCheckpoint(string(text))
	return err == nil && t.mldsa != nil && t.mldsa(t.PublicKey(), cosignedTree(t.Verifier.Name, seconds, c), sig)
}

// verifiers are the keys of the policy whose signatures can be checked.
func (p Policy) verifiers() note.Verifiers {
	var all []note.Verifier
	add := func(v Verifier) {
		if v.kind != typeMLDSA || p.VerifyMLDSA != nil {
			all = append(all, trusted{v, p.VerifyMLDSA})
		}
	}
	for _, l := range p.Logs {
		add(l.Key)
	}
	for _, w := range p.Witnesses {
		add(w.Key)
	}
	return note.VerifierList(all...)
}

// quorumNone is the quorum that asks for no witness.
const quorumNone = "none"

// group is a number of witnesses, or of groups before it, of which enough must
// have signed.
type group struct {
	name    string
	enough  int
	members []string
}

// enough reports whether these are enough.
func (p Policy) enough(by []Cosigning) bool {
	signed := map[string]bool{quorumNone: true}
	for _, c := range by {
		signed[c.Name] = true
	}
	for _, g := range p.groups {
		n := 0
		for _, m := range g.members {
			if signed[m] {
				n++
			}
		}
		signed[g.name] = n >= g.enough
	}
	return signed[p.quorum]
}

// Quorum returns the name of the witness or the group that must have signed,
// none if none must.
func (p Policy) Quorum() string { return p.quorum }
