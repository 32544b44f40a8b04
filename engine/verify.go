package engine

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"

	"strongroom/audit"
	"strongroom/engine/internal/replay"
	"strongroom/engine/internal/store"
)

// VerifyOptions of Verify. The zero value checks everything but the contents
// of the blobs.
type VerifyOptions struct {
	Bytes    bool         // read every blob and compare it with its digest
	Heads    []audit.Head // heads kept elsewhere: each must be an entry of the log
	Progress func(done, total uint64)
}

// VerifyReport is what Verify looked at and what it found. Without findings
// everything held.
type VerifyReport struct {
	Head      audit.Head
	Entries   uint64
	Documents uint64 // tombstones too
	Versions  uint64
	Blobs     uint64 // read, with VerifyOptions.Bytes
	Findings  []audit.Finding
}

// Codes of findings beyond those of the log, which package audit has.
const (
	CodeState audit.Code = "state" // what the vault holds is not what the log says
	CodeIndex audit.Code = "index" // an index row is missing, or says what is not so
	CodeBlob  audit.Code = "blob"  // bytes are missing or not those of their digest
)

// maxFindings is how many are listed; more would say nothing new.
const maxFindings = 1_000

// Verify checks the vault against itself while it is in use: that the log is
// one chain and its details are those hashed; that every record is what the
// entries about it say, and every entry about a document is in its chain; that
// every index row and reference says what is so, and none is missing; and that
// the bytes of every version are there. An error means that it could not be
// carried out.
//
// It reads a page in each transaction, so it stalls nobody. Beside what
// audit.Verify does it keeps in memory what the log says of users, keys and the
// like, and of one document at a time.
func (v *Vault) Verify(ctx context.Context, o VerifyOptions) (report VerifyReport, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	c := &checker{v: v, ctx: ctx, o: o, e: &Export{v: v, Head: v.Head()}, matters: replay.Matters{}}
	log, err := audit.Verify(ctx, c.e.log(ctx), audit.VerifyOptions{Heads: o.Heads, Details: c.details()})
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verify the log: %w", err)
	}
	c.report.Head, c.report.Entries = log.Head, log.Entries
	c.report.Findings = append(c.report.Findings, log.Findings...)
	if log.Entries != c.e.Head.Seq {
		// The chain stops before its end: there is nothing to compare with.
		return c.report, nil
	}
	for _, check := range []func() error{c.accounts, c.documents, c.scratchpads, c.snapshots, c.obligations, c.holds, c.compareMatters,
		c.erasures, c.missingBytes, c.indexes, c.certificates, c.bytes} {
		if err := check(); err != nil {
			return VerifyReport{}, err
		}
	}
	return c.report, nil
}

// details are those of an export, but a row that cannot be read is a finding.
func (c *checker) details() io.Reader {
	r := c.e.details(c.ctx)
	spell := r.spell
	r.spell = func(b []byte, seq uint64, value []byte) ([]byte, error) {
		page, err := spell(b, seq, value)
		if err != nil {
			c.find(seq, audit.CodeDetailRow, "the detail of entry %d cannot be read: %v", seq, err)
			return b, nil
		}
		return page, nil
	}
	return r
}

// checker is one verification.
type checker struct {
	v        *Vault
	ctx      context.Context
	o        VerifyOptions
	e        *Export // fixes the head: entries behind it are not looked at
	report   VerifyReport
	said     *replay.Accounts // what the log says of all but documents
	followed uint64           // the last entry that said has followed
	matters  replay.Matters   // what the holds up to the head add up to
	entries  uint64           // about documents, in the log
	chained  uint64           // about documents, in their chains
	absent   []absent
}

func (c *checker) find(seq uint64, code audit.Code, format string, args ...any) {
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, audit.Finding{Seq: seq, Code: code, Message: fmt.Sprintf(format, args...)})
	}
}

func (c *checker) progress(done, total uint64) {
	if c.o.Progress != nil {
		c.o.Progress(done, total)
	}
}
