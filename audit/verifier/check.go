package verifier

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"strongroom/audit"
)

// The errors of a check, beside those of audit: ErrSyntax, ErrSignature, ErrProof and
// ErrQuorum.
var (
	// ErrTrust: the key or the policy is none, or together they trust no log. Nothing
	// was checked.
	ErrTrust = errors.New("nothing to trust")
	// ErrFile: the entry is proved, but it is not about these bytes.
	ErrFile = errors.New("not about this file")
)

// Trust is who is believed: the log with a verifier key, the logs and witnesses of a
// policy, or the one log with the witnesses of the policy. "" is none.
type Trust struct {
	Key    string // a verifier key, NAME+ID+KEY
	Policy string // in the format of C2SP tlog-policy
	// VerifyMLDSA is that of audit.Policy. The page has none.
	VerifyMLDSA func(publicKey, message, signature []byte) bool
}

// Rules returns what the proof is checked against. The error is [ErrTrust].
func (t Trust) Rules() (rules audit.Policy, err error) {
	if t.Policy != "" {
		if rules, err = audit.ParsePolicy(t.Policy); err != nil {
			return rules, fmt.Errorf("%w: %w", ErrTrust, err)
		}
	}
	switch {
	case t.Key != "" && t.Policy != "":
		rules, err = rules.For(t.Key)
	case t.Key != "":
		rules, err = audit.PolicyOf(t.Key)
	case len(rules.Logs) == 0:
		err = errors.New("the policy names no log: give the key of one too")
	}
	rules.VerifyMLDSA = t.VerifyMLDSA
	checked := func(l audit.PolicyLog) bool {
		return t.VerifyMLDSA != nil || len(l.Key.PublicKey()) == ed25519.PublicKeySize
	}
	if err == nil && !slices.ContainsFunc(rules.Logs, checked) {
		err = errors.New("signatures by ML-DSA-44 are not checked here: give the Ed25519 key of the log")
	}
	if err != nil {
		return rules, fmt.Errorf("%w: %w", ErrTrust, err)
	}
	return rules, nil
}

// File is a file that is held against what a proof says.
type File struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`   // in bytes
	Digest string `json:"digest"` // sha256: and 64 hexadecimal digits
}

// Answer is what is proved. Its JSON is that of the page.
type Answer struct {
	Proved    bool            `json:"proved"` // always: the JSON of a refusal has false
	Line      json.RawMessage `json:"entry"`  // the line of the log
	Log       Log             `json:"log"`
	SignedBy  []string        `json:"signedBy"` // the keys of the log, of those trusted
	Witnesses []Witness       `json:"witnesses"`
	File      *File           `json:"file,omitempty"` // nil: none was given

	entry audit.Entry
}

// Log is the state of a log that was signed.
type Log struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"` // how many entries
	Root   string `json:"root"` // in base64
}

// Witness is a witness that signed.
type Witness struct {
	Name string `json:"name"` // in the policy
	Key  string `json:"key"`
	Time string `json:"time"`
}

// Check checks a proof, and what it says of a file unless that is nil. An error is
// [ErrTrust], [ErrFile] or one of audit's: then nothing is proved, but with ErrFile the
// entry.
func Check(proof []byte, trust Trust, file *File) (Answer, error) {
	rules, err := trust.Rules()
	if err != nil {
		return Answer{}, err
	}
	parsed, err := audit.ParseProof(proof)
	if err != nil {
		return Answer{}, err
	}
	p, err := parsed.Verify(rules)
	if err != nil {
		return Answer{}, err
	}
	if err := compare(p.Entry, file); err != nil {
		return Answer{}, err
	}
	a := Answer{
		Proved: true, Line: parsed.Line, SignedBy: []string{}, Witnesses: []Witness{}, File: file, entry: p.Entry,
		Log: Log{p.Checkpoint.Origin, p.Checkpoint.Size, base64.StdEncoding.EncodeToString(p.Checkpoint.Root[:])},
	}
	for _, key := range p.Logs {
		a.SignedBy = append(a.SignedBy, key.String())
	}
	for _, w := range p.Witnesses {
		a.Witnesses = append(a.Witnesses, Witness{w.Name, w.Key.String(), audit.FormatTime(w.Time)})
	}
	return a, nil
}

func compare(entry audit.Entry, file *File) error {
	digest, ok := entry.Facts["digest"].AsText()
	switch {
	case file == nil || ok && digest == file.Digest:
		return nil
	case !ok:
		return fmt.Errorf("%w: entry %d is proved, but it is about no file: it is %s", ErrFile, entry.Seq, entry.Op)
	}
	return fmt.Errorf("%w: entry %d is proved, but it is about other bytes: its digest is %s, that of %s is %s",
		ErrFile, entry.Seq, digest, file.Name, file.Digest)
}

// Code names the kind of an error of [Check], as the page and JSON do; "" if it is
// none.
func Code(err error) string {
	for _, c := range []struct {
		err  error
		code string
	}{
		{ErrTrust, "trust"}, {ErrFile, "file"}, {audit.ErrSignature, "signature"}, {audit.ErrProof, "proof"},
		{audit.ErrQuorum, "quorum"}, {audit.ErrSyntax, "syntax"},
	} {
		if errors.Is(err, c.err) {
			return c.code
		}
	}
	return ""
}
