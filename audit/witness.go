package audit

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// What a witness answers with, beside [ErrSyntax], [ErrSignature] and
// [ErrProof].
var (
	// ErrUnknownLog: the witness was not told of a log with this origin.
	ErrUnknownLog = errors.New("the log is not known here")
	// ErrOldSize: the request is not about the checkpoint that the witness
	// cosigned last.
	ErrOldSize = errors.New("another size was cosigned last")
)

// cosignedAt reads the time of a cosignature. Second 0 says nothing, and times
// after the year 9999 are no times.
func cosignedAt(seconds uint64) (time.Time, bool) {
	if seconds == 0 || seconds > 253402300799 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0).UTC(), true
}

// ReadCosignatures reads who says to have cosigned a signed checkpoint, and when, in
// the order in which the lines stand; signatures of the log, and of kinds that are not
// known here, are left out. It checks no signature and knows no key: what it returns
// are claims. See [Policy.Open].
func ReadCosignatures(signed []byte) ([]Cosigning, error) {
	c, err := ReadCheckpoint(signed)
	if err != nil {
		return nil, err
	}
	_, lines, err := splitNote(signed)
	if err != nil {
		return nil, err
	}
	const ofEd25519, ofMLDSA = 8 + 64, 8 + 2420
	var all []Cosigning
	for _, s := range lines {
		if s.name == c.Origin || len(s.sig) != ofEd25519 && len(s.sig) != ofMLDSA {
			continue
		}
		if at, ok := cosignedAt(binary.BigEndian.Uint64(s.sig)); ok {
			all = append(all, Cosigning{Name: s.name, Time: at})
		}
	}
	return all, nil
}

// cosignedText is what an Ed25519 witness signs.
func cosignedText(seconds uint64, text string) []byte {
	return fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", seconds, text)
}

// cosignedTree is what ML-DSA-44 signs, for a log or a witness: the structure
// cosigned_message of C2SP tlog-cosignature. It does not cover the extension.
func cosignedTree(name string, seconds uint64, c Checkpoint) []byte {
	b := append([]byte("subtree/v1\n\x00"), byte(len(name)))
	b = binary.BigEndian.AppendUint64(append(b, name...), seconds)
	b = append(append(b, byte(len(c.Origin))), c.Origin...)
	b = binary.BigEndian.AppendUint64(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(c.Size))
	return append(b, c.Root[:]...)
}

// VerifierMLDSA returns the verifier of an ML-DSA-44 key, given by the 1312 bytes
// of its public half. A log may sign by such a key beside its own: see
// [CosignMLDSA]. Another name or size than a key may have is [ErrSyntax].
func VerifierMLDSA(name string, publicKey []byte) (Verifier, error) {
	if !isKeyName(name) || len(publicKey) != publicSize(typeMLDSA) {
		return Verifier{}, fmt.Errorf("%w: %.80q with %d bytes is no ML-DSA-44 key", ErrSyntax, name, len(publicKey))
	}
	return Verifier{name, typeMLDSA, string(publicKey)}, nil
}

// CosignMLDSA returns the signature line of an ML-DSA-44 key over a checkpoint,
// to be added by [AddSignatures]. This package knows nothing of ML-DSA: sign
// signs a message, with an empty context.
func CosignMLDSA(v Verifier, c Checkpoint, at time.Time, sign func(message []byte) ([]byte, error)) ([]byte, error) {
	seconds := uint64(at.Unix())
	if _, ok := cosignedAt(seconds); !ok || v.kind != typeMLDSA {
		return nil, fmt.Errorf("%w: an ML-DSA-44 key signs at a time from 1970 to 9999", ErrSyntax)
	}
	sig, err := sign(cosignedTree(v.Name, seconds, c))
	if err != nil {
		return nil, err
	}
	return signatureLine(v, append(binary.BigEndian.AppendUint64(nil, seconds), sig...)), nil
}

// maxProof is how many hashes the proof of a tree of 2^63 lines has.
const maxProof = 63

// AddRequest asks a witness to cosign a checkpoint: the body of add-checkpoint
// in C2SP tlog-witness.
type AddRequest struct {
	Old        int64      // the size that the witness cosigned last, 0 if it has none
	Proof      []TreeHash // see [ProveConsistency]
	Checkpoint []byte     // signed
}

// Marshal returns the body of the request.
func (r AddRequest) Marshal() []byte {
	b := append(appendUint([]byte("old "), uint64(r.Old)), '\n')
	b = append(appendHashes(b, r.Proof), '\n')
	return append(b, r.Checkpoint...)
}

// ParseAddRequest reads the body of a request in its one spelling, which is
// that of C2SP tlog-witness, or [ErrSyntax].
func ParseAddRequest(body []byte) (r AddRequest, err error) {
	var old uint64
	c := cursor{b: body}
	if !(c.lit("old ") && c.number(&old) && c.lit("\n")) {
		return r, fmt.Errorf("request to a witness: %w", c.err())
	}
	proof, rest, err := parseHashes(body[c.i:])
	if err != nil {
		return r, fmt.Errorf("request to a witness: %w", err)
	}
	if _, err := ReadCheckpoint(rest); err != nil {
		return r, err
	}
	return AddRequest{int64(old), proof, bytes.Clone(rest)}, nil
}

// WitnessState is the last checkpoint of a log that a witness cosigned. The zero
// WitnessState is that of a log it has not seen.
type WitnessState struct {
	Size int64
	Root TreeHash
}

// Check says whether a witness that knows these logs and cosigned last may
// cosign now, and returns the checkpoint then. It follows C2SP tlog-witness:
//
//   - [ErrUnknownLog] (404): no log of that origin is in the policy;
//   - [ErrSignature] (403): none of its keys signed, or a signature is false;
//   - [ErrSyntax] (400): the old size is larger than the checkpoint's;
//   - [ErrOldSize] (409): the old size is not that of last;
//   - [ErrProof] (422): the tree did not grow out of the one before.
//
// The answer to it depends on last, so whoever keeps last calls Check and keeps
// the new state under one lock, and has it on disk before a cosignature leaves.
func (r AddRequest) Check(logs Policy, last WitnessState) (Checkpoint, error) {
	claimed, err := ReadCheckpoint(r.Checkpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	if !logs.knows(claimed.Origin) {
		return Checkpoint{}, fmt.Errorf("%w: %q", ErrUnknownLog, claimed.Origin)
	}
	opened, err := logs.signed(r.Checkpoint)
	if err != nil {
		return Checkpoint{}, err
	}
	c := opened.Checkpoint
	switch {
	case r.Old < 0 || r.Old > c.Size:
		return Checkpoint{}, fmt.Errorf("%w: old size %d of a checkpoint with size %d", ErrSyntax, r.Old, c.Size)
	case r.Old != last.Size:
		return Checkpoint{}, fmt.Errorf("%w: %d, not %d", ErrOldSize, last.Size, r.Old)
	}
	if last.Size == 0 {
		last.Root = emptyRoot
	}
	return c, CheckConsistency(last.Size, last.Root, c.Size, c.Root, r.Proof)
}

func appendHashes(b []byte, hashes []TreeHash) []byte {
	for _, h := range hashes {
		b = append(base64.StdEncoding.AppendEncode(b, h[:]), '\n')
	}
	return b
}

// parseHashes reads hashes, a line each, up to the empty line after them.
func parseHashes(b []byte) (hashes []TreeHash, rest []byte, err error) {
	c := cursor{b: b}
	for {
		var line []byte
		if !c.upTo('\n', &line) {
			return nil, nil, c.err()
		}
		if len(line) == 0 {
			return hashes, b[c.i:], nil
		}
		h, ok := parseHash64(line)
		if !ok || len(hashes) == maxProof {
			return nil, nil, fmt.Errorf("%w: want at most %d hashes of 32 bytes in base64, a line each, and an empty line", ErrSyntax, maxProof)
		}
		hashes = append(hashes, h)
	}
}
