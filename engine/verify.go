package engine

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"

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
	lost     map[Digest]bool // bytes that are known to be missing, and no finding
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

	hidden struct{ documents, versions uint64 } // of those, what only admins and auditors see
}

// Told returns a report as it is told to those for whom this view of the vault is
// (see [Vault.As]). Who may not see all is told of the vault as if what is
// restricted were not there: no number of blobs, and of a finding beyond those of the
// log itself that there is one, and not what the vault holds instead.
func (v *Vault) Told(r VerifyReport) VerifyReport {
	if !v.partial {
		return r
	}
	r.Documents -= min(r.Documents, r.hidden.documents)
	r.Versions -= min(r.Versions, r.hidden.versions)
	r.Blobs = 0
	r.Findings = slices.Clone(r.Findings)
	for i, f := range r.Findings {
		switch f.Code {
		case CodeState, CodeIndex, CodeBlob:
			r.Findings[i].Message = "what the vault holds is not what the log says; an admin or auditor who has it verified is told what it is"
		}
	}
	return r
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
// It reads a page in each transaction, so it stalls nobody, and it uses all cores,
// unless the vault is small. Beside what audit.Verify does it keeps in memory what the
// log says of users, keys and the like, of one document on each core, and half a
// megabyte in which it tallies the rows of indexes.
//
// It reads all there is, for whomever: what is told to others than admins and
// auditors is as Told says.
func (v *Vault) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	report, err := v.whole.verify(ctx, o)
	return v.Told(report), err
}

func (v *Vault) verify(ctx context.Context, o VerifyOptions) (report VerifyReport, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	c := &checker{v: v, ctx: ctx, o: o, e: &Export{v: v, Head: v.Head()}, tally: newTally(),
		following: &following{said: replay.NewAccounts(), matters: replay.Matters{}}}
	var log audit.Report
	replayed := c.fork()
	err = c.beside(func() (err error) {
		log, err = audit.Verify(ctx, c.e.log(ctx), audit.VerifyOptions{Heads: o.Heads, Details: c.details()})
		return err
	}, replayed.replay)
	if err != nil {
		return VerifyReport{}, fmt.Errorf("verify the log: %w", err)
	}
	c.report.Head, c.report.Entries = log.Head, log.Entries
	c.report.Findings = append(c.report.Findings, log.Findings...)
	if log.Entries != c.e.Head.Seq {
		// The chain stops before its end: there is nothing to compare with.
		return c.report, nil
	}
	if log.Head.Hash != c.e.Head.Hash {
		c.find(log.Head.Seq, audit.CodeHead, "entry %d is not the one that the vault has written, or has read when it was opened", log.Head.Seq)
	}
	c.join(replayed)
	for _, check := range []func() error{c.accounts, c.documents, c.scratchpads, c.snapshots, c.obligations, c.holds, c.compareMatters,
		c.erasures, c.missingBytes, c.indexes, c.tallied, c.lookAgain, c.certificates, c.bytes} {
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

// checker is one verification, or the part of it that one goroutine does.
type checker struct {
	v      *Vault
	ctx    context.Context
	o      VerifyOptions
	e      *Export // fixes the head: entries behind it are not looked at
	report VerifyReport
	*following
	tally    *tally
	suspects *[tallyCells]bool // whose rows are looked at one by one; nil: all are tallied
	entries  uint64            // about documents, in the log
	chained  uint64            // about documents, in their chains
	absent   []absent

	document replay.Document // as the log tells it: the one that is compared

	logRows, detailRows, versionRows getter // what it is compared by

	kindsOf   *tx // a transaction, and what it sees of the kinds of starts
	kindsSeen []kind
	kindsErr  error
}

func (c *checker) find(seq uint64, code audit.Code, format string, args ...any) {
	c.note(audit.Finding{Seq: seq, Code: code, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) note(f audit.Finding) {
	if len(c.report.Findings) < maxFindings {
		c.report.Findings = append(c.report.Findings, f)
	}
}

func (c *checker) progress(done, total uint64) {
	if c.o.Progress != nil {
		c.o.Progress(done, total)
	}
}

// comparison is how the rows of one bucket, which decode to T, are compared with
// what the log says.
type comparison[T any] struct {
	bucket []byte
	size   int // of a key; 0: any
	kind   replay.Kind
	decode func(k, value []byte) (T, error)
	// record spells a row as the log's things are spelled. What is bound by
	// an entry has its member here, and one of the same name in package replay.
	record func(T) replay.Thing
	// also looks at what else must hold of a row, if it is not nil.
	also func(c *checker, t *tx, row T)
}

// run compares every row, and finds what the log has and the bucket lacks. A
// transaction's rows are compared with exactly the entries it sees. Those of a
// bucket whose keys do not rise must be few enough for one transaction, or one
// made meanwhile would be missed.
func (of comparison[T]) run(c *checker) error {
	met := map[string]bool{}
	err := c.eachOf(span{}, (*checker).viewFollowed, of.bucket, CodeState, of.size, func(t *tx, k, value []byte) error {
		name := keyText(k, of.size)
		met[name] = true
		row, err := of.decode(k, value)
		if err != nil {
			c.find(0, CodeState, "%v", err)
			return nil
		}
		if of.also != nil {
			of.also(c, t, row)
		}
		if said := c.said.Things(of.kind)[name]; said != nil {
			c.differ(0, fmt.Sprintf("%s %s", of.kind, name), of.record(row), *said)
		} else {
			c.find(0, CodeState, "%s %q is not in the log", of.kind, name)
		}
		return nil
	})
	for _, name := range sortedKeys(c.said.Things(of.kind)) {
		if !met[name] {
			c.find(0, CodeState, "%s %s of the log is missing", of.kind, name)
		}
	}
	return err
}

// keyText spells a key of a size: ids as they are spelled everywhere.
func keyText(k []byte, size int) string {
	if size == len(id{}) {
		return id(k).String()
	}
	return string(k)
}

// byID adapts a function that decodes a row by its id.
func byID[T any](decode func(at id, b []byte) (T, error)) func(k, value []byte) (T, error) {
	return func(k, value []byte) (T, error) { return decode(id(k), value) }
}

// differ is a finding for each member that is not what the log says.
func (c *checker) differ(seq uint64, what string, is, said replay.Thing) {
	c.findAll(seq, what, said.Differences(is))
}

func (c *checker) findAll(seq uint64, what any, differences []replay.Difference) {
	for _, d := range differences {
		c.find(seq, CodeState, "%s: %v", what, d)
	}
}

// replay follows the log, and counts its entries about documents.
func (c *checker) replay() error {
	return c.each(bucketLog, CodeState, 8, func(t *tx, k, line []byte) error {
		c.read(t, k, line)
		return nil
	})
}

// catchUp follows what was written since.
func (c *checker) catchUp(t *tx) {
	rows := t.Cursor(bucketLog)
	for k, line := rows.Seek(store.SeqKey(c.followed + 1)); len(k) == 8 && store.SeqOf(k) > c.followed; k, line = rows.Next() {
		c.read(t, k, line)
	}
}

// read follows one more entry.
func (c *checker) read(t *tx, k, line []byte) {
	c.followed = store.SeqOf(k)
	e, err := audit.ParseEntry(line)
	var row store.DetailRow
	if err == nil && e.Document == "" {
		row, _ = store.DecodeDetail(t.Get(bucketDetail, k)) // a damaged one is a finding already, and like one that is gone
	}
	if err == nil {
		err = c.said.Follow(e, row.Detail)
	}
	switch {
	case err != nil:
		c.find(c.followed, CodeState, "entry %d: %v", c.followed, err)
	case row.Prev != 0:
		c.find(c.followed, CodeState, "entry %d is about no document, and linked to an earlier one", c.followed)
	case e.Document != "" && e.Seq <= c.e.Head.Seq:
		c.entries++
	}
}
