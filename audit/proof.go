package audit

import (
	"bytes"
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// proofTitle is the first line of a proof.
const proofTitle = "c2sp.org/tlog-proof@v1\n"

// MaxProof is the size a proof may have.
const MaxProof = MaxNote + 2*MaxLine

// Proof shows that a line is in a log: a file of type .tlog-proof (C2SP
// tlog-proof).
type Proof struct {
	Line       []byte     // the entry, without its newline
	Index      int64      // of the leaf: seq - 1
	Path       []TreeHash // from the leaf's sibling up to the child of the root
	Checkpoint []byte     // signed
}

// MakeProof proves that line, with its newline or without, is in the log whose
// signed checkpoint is given. r reads the tree. The path is checked against the
// root that was signed: where the line is another, or r does not read the tree
// that was signed, the error is [ErrProof], and nothing leaves.
func MakeProof(line, signed []byte, r HashReader) (Proof, error) {
	e, err := parseLeaf(leafOf(line))
	if err != nil {
		return Proof{}, err
	}
	c, err := ReadCheckpoint(signed)
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Line: bytes.Clone(leafOf(line)), Index: int64(e.Seq) - 1, Checkpoint: bytes.Clone(signed)}
	if p.Index < 0 || p.Index >= c.Size {
		return Proof{}, fmt.Errorf("%w: entry %d in a checkpoint of %d", ErrProof, e.Seq, c.Size)
	}
	if p.Path, err = tlog.ProveRecord(c.Size, p.Index, r); err != nil {
		return Proof{}, err
	}
	return p, p.leadsTo(c)
}

// parseLeaf reads the entry that a leaf is.
func parseLeaf(leaf []byte) (Entry, error) { return ParseEntry(append(bytes.Clone(leaf), '\n')) }

// leadsTo checks the path from the line to the root.
func (p Proof) leadsTo(c Checkpoint) error {
	if p.Index < 0 || p.Index >= c.Size || c.Size > maxNumber {
		return fmt.Errorf("%w: leaf %d of a tree of %d", ErrProof, p.Index, c.Size)
	}
	if err := tlog.CheckRecord(p.Path, c.Size, c.Root, p.Index, tlog.RecordHash(p.Line)); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}

// Marshal returns the text of the proof.
func (p Proof) Marshal() []byte {
	b := append([]byte(proofTitle), "extra "...)
	b = append(base64.StdEncoding.AppendEncode(b, p.Line), '\n')
	b = append(appendUint(append(b, "index "...), uint64(p.Index)), '\n')
	b = append(appendHashes(b, p.Path), '\n')
	return append(b, p.Checkpoint...)
}

// ParseProof reads what [Proof.Marshal] returned, and nothing else: any other
// spelling is [ErrSyntax]. It says nothing about whether the proof holds.
func ParseProof(text []byte) (p Proof, err error) {
	if len(text) > MaxProof {
		return p, fmt.Errorf("%w: a proof of more than %d bytes", ErrSyntax, MaxProof)
	}
	var extra []byte
	var index uint64
	c := cursor{b: text}
	if !(c.lit(proofTitle) && c.lit("extra ") && c.upTo('\n', &extra) && c.lit("index ") && c.number(&index) && c.lit("\n")) {
		return p, fmt.Errorf("proof: %w", c.err())
	}
	line, ok := decode64(string(extra))
	if !ok {
		return p, fmt.Errorf("%w: proof: the extra data is not base64 in its one spelling", ErrSyntax)
	}
	path, rest, err := parseHashes(text[c.i:])
	if err != nil {
		return p, fmt.Errorf("proof: %w", err)
	}
	checkpoint, err := ReadCheckpoint(rest)
	if err != nil {
		return p, fmt.Errorf("proof: %w", err)
	}
	if checkpoint.Extension != "" {
		return p, fmt.Errorf("%w: proof: a checkpoint of more than three lines", ErrSyntax)
	}
	if _, err := parseLeaf(line); err != nil {
		return p, fmt.Errorf("proof: the entry: %w", err)
	}
	return Proof{line, int64(index), path, bytes.Clone(rest)}, nil
}

// Proved is what a proof shows.
type Proved struct {
	Entry Entry
	Hash  Hash // of the entry's line: what the next entry carries as prev, and a receipt shows
	Opened
}

// Verify checks the proof: that log and witnesses of the policy signed the
// checkpoint (the errors of [Policy.Open]; with [ErrQuorum] what is proved
// without witnesses is returned too), that the path leads from the line to its root
// ([ErrProof]), and that the line is the entry which stands there.
func (p Proof) Verify(policy Policy) (Proved, error) {
	entry, err := parseLeaf(p.Line)
	if err != nil {
		return Proved{}, err
	}
	opened, quorum := policy.Open(p.Checkpoint)
	if opened.Logs == nil {
		return Proved{}, quorum
	}
	if opened.Checkpoint.Extension != "" {
		return Proved{}, fmt.Errorf("%w: proof: a checkpoint of more than three lines", ErrSyntax)
	}
	if err := p.leadsTo(opened.Checkpoint); err != nil {
		return Proved{}, err
	}
	if entry.Seq != uint64(p.Index)+1 {
		return Proved{}, fmt.Errorf("%w: entry %d stands at the place of entry %d", ErrProof, entry.Seq, p.Index+1)
	}
	return Proved{entry, HashLine(append(bytes.Clone(p.Line), '\n')), opened}, quorum
}
