package audit

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"
)

// VerifyOptions says what [Verify] checks beside the log itself. The zero
// VerifyOptions asks for nothing more.
type VerifyOptions struct {
	// Heads are heads kept elsewhere. Each must be an entry of the log.
	Heads []Head
	// Receipts are receipts kept elsewhere. Each must be an entry of the log.
	Receipts []Receipt
	// Details are the rows of [DetailRow], in the order of the log. Every
	// entry with a detail must have its row, unless a later
	// erasure.completed names its document or its user. Nil: not checked.
	Details io.Reader
	// File is the digest of a file, sha256:<hex>, to be found in the log.
	File string
}

// Code is the kind of a finding. Codes are stable; messages are not.
type Code string

const (
	CodeEmpty          Code = "empty"           // the log has no entry
	CodeLine           Code = "line"            // a line is no entry, or does not follow; nothing after it is proved
	CodeTruncated      Code = "truncated"       // the last line has no newline
	CodeCutTail        Code = "cut_tail"        // a given head or receipt is beyond the end of the log
	CodeUnreached      Code = "unreached"       // a given head or receipt is beyond the line where the chain stops
	CodeOtherVault     Code = "other_vault"     // a given head is another vault's
	CodeHead           Code = "head"            // a given head is not the entry of its seq
	CodeReceipt        Code = "receipt"         // a given receipt is not the entry of its seq
	CodeRoot           Code = "root"            // what was signed is not the tree of the lines before it
	CodeVersion        Code = "version"         // a version does not follow from the one before, or a deletion not from the versions
	CodeDetailMissing  Code = "detail_missing"  // a detail is gone, and no erasure says why
	CodeDetailMismatch Code = "detail_mismatch" // a detail is not the one that was hashed
	CodeDetailUnknown  Code = "detail_unknown"  // a detail belongs to no entry, or stands in the wrong place
	CodeDetailRow      Code = "detail_row"      // a detail row cannot be read; no detail after it is checked
)

// Finding is something wrong.
type Finding struct {
	Seq     uint64 // of the entry it is about, or that should be there; 0: of none
	Code    Code
	Message string
}

// Match is an entry whose facts carry the digest of [VerifyOptions].File.
type Match struct {
	Seq      uint64
	Time     time.Time
	Op       Op // a version made, or one read
	Document string
	Version  uint64
}

// Report is what [Verify] found.
type Report struct {
	Head     Head      // of the last entry that follows
	Entries  uint64    // that follow one another, from the first
	Versions uint64    // of documents, among them
	Findings []Finding // by seq; none: everything asked for is proved
	Matches  []Match   // in order
}

// Verify reads an exported log from its first line and checks that it is one
// chain, that the versions and deletions in it follow from one another, and
// what o asks for. What is wrong is a finding; at a line that does not follow
// the chain stops, and what the report says of the entries before it stands.
// An error means that the log or the details could not be read, that ctx
// ended, or that o makes no sense ([ErrSyntax]).
//
// It reads both streams once. It keeps some 300 bytes for each document that
// is not deleted, and for each detail that is missing; no more.
func Verify(ctx context.Context, log io.Reader, o VerifyOptions) (Report, error) {
	v, err := newVerifier(o)
	if err != nil {
		return Report{}, err
	}
	// A reader of this size returns every line that may be one whole.
	for r := bufio.NewReaderSize(log, MaxLine); ; {
		if v.head.Seq%1024 == 0 && ctx.Err() != nil {
			return v.report(), ctx.Err()
		}
		line, err := r.ReadSlice('\n')
		var going bool
		switch {
		case err == nil:
			going, err = v.line(line)
		case err == io.EOF && len(line) == 0:
			err = v.end()
		case err == io.EOF:
			v.stop(CodeTruncated, "has no newline: it was cut, or is still being written")
			err = nil
		case errors.Is(err, bufio.ErrBufferFull):
			v.stop(CodeLine, fmt.Sprintf("is longer than %d bytes", MaxLine))
			err = nil
		default:
			err = fmt.Errorf("read the log after entry %d: %w", v.head.Seq, err)
		}
		if err != nil || !going {
			return v.report(), err
		}
	}
}

// verifier is a verification under way.
type verifier struct {
	head     Head
	claims   []claim // by seq, those still to be met
	details  *detailCheck
	lineages *lineages
	roots    roots
	file     string
	findings []Finding
	matches  []Match
}

// claim is a head or a receipt: an entry somebody says is in the log.
type claim struct {
	Head
	receipt bool
}

func (c claim) String() string {
	if c.receipt {
		return "the receipt " + Receipt{c.Seq, c.Hash}.String()
	}
	return fmt.Sprintf("the head of vault %s at %d, %s", c.Vault, c.Seq, c.Hash)
}

func newVerifier(o VerifyOptions) (*verifier, error) {
	v := &verifier{lineages: newLineages(), file: o.File}
	if o.File != "" && !isDigest(o.File) {
		return nil, fmt.Errorf("%w: digest %.90q: want sha256: and 64 lower-case hexadecimal digits", ErrSyntax, o.File)
	}
	for _, h := range o.Heads {
		v.claims = append(v.claims, claim{h, false})
	}
	for _, r := range o.Receipts {
		v.claims = append(v.claims, claim{Head{Seq: r.Seq, Hash: r.Hash}, true})
	}
	slices.SortStableFunc(v.claims, func(a, b claim) int { return cmp.Compare(a.Seq, b.Seq) })
	if len(v.claims) > 0 && v.claims[0].Seq == 0 {
		return nil, fmt.Errorf("%w: a head or receipt with seq 0 is of no entry", ErrSyntax)
	}
	if o.Details != nil {
		v.details = newDetailCheck(o.Details, v.find)
	}
	return v, nil
}

func (v *verifier) find(seq uint64, code Code, format string, args ...any) {
	v.findings = append(v.findings, Finding{seq, code, fmt.Sprintf(format, args...)})
}

func (v *verifier) report() Report {
	slices.SortStableFunc(v.findings, func(a, b Finding) int { return cmp.Compare(a.Seq, b.Seq) })
	return Report{v.head, v.head.Seq, v.lineages.count, v.findings, v.matches}
}

// line takes the next line. It returns false when the chain stops there.
func (v *verifier) line(line []byte) (going bool, err error) {
	var f fields
	err = f.parse(line)
	var next Head
	if err == nil {
		next, err = v.head.follow(&f, line)
	}
	if err != nil {
		v.stop(CodeLine, err.Error())
		return false, nil
	}
	v.head = next
	for len(v.claims) > 0 && v.claims[0].Seq == next.Seq {
		v.meet(v.claims[0])
		v.claims = v.claims[1:]
	}
	if wrong := v.roots.entry(&f); wrong != "" {
		v.find(f.seq, CodeRoot, "entry %d: %s", f.seq, wrong)
	}
	v.roots.add(line)
	if wrong := v.lineages.entry(&f); wrong != "" {
		v.find(f.seq, CodeVersion, "%s", wrong)
	}
	if v.file != "" && string(factText(f.facts, "digest")) == v.file {
		v.matches = append(v.matches, Match{f.seq, f.time(), Op(f.op), string(f.document), f.version})
	}
	if v.details != nil {
		return true, v.details.entry(&f)
	}
	return true, nil
}

// meet checks a claim against the entry that the head stands at.
func (v *verifier) meet(c claim) {
	switch {
	case c.receipt && c.Hash != v.head.Hash:
		v.find(c.Seq, CodeReceipt, "%s is not of this log: its entry %d has the hash %s", c, c.Seq, v.head.Hash)
	case c.receipt:
	case c.Vault != v.head.Vault:
		v.find(c.Seq, CodeOtherVault, "%s is another vault's: this is the log of %s", c, v.head.Vault)
	case c.Hash != v.head.Hash:
		v.find(c.Seq, CodeHead, "%s is not of this log: its entry %d has the hash %s; one of the two was rewritten", c, c.Seq, v.head.Hash)
	case !c.Time.Equal(v.head.Time):
		v.find(c.Seq, CodeHead, "%s says %s, but its entry is of %s", c, FormatTime(c.Time), FormatTime(v.head.Time))
	}
}

// stop ends the chain before the line that comes after the head.
func (v *verifier) stop(code Code, why string) {
	v.find(v.head.Seq+1, code, "line %d: %s. The entries before it stand, %d of them; nothing is proved of this line and what follows, "+
		"nor whether details that are missing were erased", v.head.Seq+1, why, v.head.Seq)
	v.unmet(CodeUnreached, "cannot be looked for: the chain stops before it")
}

// end is reached when the last line was an entry.
func (v *verifier) end() error {
	if v.head.Seq == 0 {
		v.find(0, CodeEmpty, "the log has no entry")
	}
	v.unmet(CodeCutTail, fmt.Sprintf("is beyond the end of the log, which has %d entries: its tail was cut", v.head.Seq))
	if v.details != nil {
		return v.details.end(v.head.Seq)
	}
	return nil
}

// unmet reports the claims that no entry was reached for.
func (v *verifier) unmet(code Code, why string) {
	for _, c := range v.claims {
		if !c.receipt && v.head.Seq > 0 && c.Vault != v.head.Vault {
			v.find(c.Seq, CodeOtherVault, "%s is another vault's: this is the log of %s", c, v.head.Vault)
			continue
		}
		v.find(c.Seq, code, "%s %s", c, why)
	}
	v.claims = nil
}
