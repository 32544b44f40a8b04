package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync/atomic"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

type verifyOptions struct {
	datadir.Place
	proofOptions
	heads    listValue
	bytes    bool
	log      string
	from     string
	details  string
	receipts listValue
	file     string
	json     bool
}

func (p *Program) verifyCommand() command {
	return command{
		name:    "verify",
		summary: "check a vault, or an exported audit log, and print its head; or check a proof",
		about: `Checks that the audit log is one unbroken chain, that the vault's state is what
the log says, that the indexes are complete and, with --bytes, that every file
kept has the SHA-256 it is kept under. Prints each finding on a line of its own,
then the head of the log, or all of that as one JSON object with --json. Exit status
1 says that there are findings.

With --log it checks an exported log instead and needs no vault: the chain, the
versions in it, the details if there are any (--details), and what you kept:
heads (--head), receipts of single changes (--receipt, from the X-Audit-Seq and
X-Audit-Hash of an answer) and files (--file, which names the document, version
and time of those bytes).

With --from it checks a backup in the same way, where it lies: DIR/<vault>, or DIR
itself. Nothing is restored, and nothing written there. A database in parts is put
together in the system's temporary directory meanwhile (TMPDIR).

A log alone cannot show that its end was cut off or that all of it was rewritten.
A head kept elsewhere can: each given head must be an entry of this log. A file
may hold many heads, such as the one that serve --head-log writes; heads of other
vaults in it are passed over if there are any of this one.

Works on a vault at rest, or through the control socket of the server that
serves it.` + aboutProof,
		example: `strongroom verify --bytes
strongroom backup --to ./backup
strongroom verify --from ./backup --bytes
strongroom export --log audit.jsonl --details details.jsonl
strongroom verify --log audit.jsonl --details details.jsonl`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o verifyOptions
			f.place(&o.Place)
			o.flags(f)
			f.set.Var(&o.heads, "head", "`FILE` with heads kept elsewhere, - for standard input; may be given again")
			f.set.BoolVar(&o.bytes, "bytes", false, "read every file kept and check its digest")
			f.set.StringVar(&o.log, "log", "", "exported log `FILE` to check instead of a vault")
			f.set.StringVar(&o.from, "from", "", "`DIR` of a backup to check instead of a vault")
			f.set.StringVar(&o.details, "details", "", "exported details `FILE` that belongs to --log")
			f.set.Var(&o.receipts, "receipt", "`SEQ:HASH` of a change that must be in --log; may be given again")
			f.set.StringVar(&o.file, "file", "", "`FILE` whose bytes to look up in --log, or to hold against --proof")
			f.set.BoolVar(&o.json, "json", false, usageJSON)
			return func(ctx context.Context, _ []string) error { return p.verify(ctx, o) }
		},
	}
}

// verdict is what either way of verifying came to.
type verdict struct {
	head                     audit.Head
	entries, versions, files uint64
	ofVault                  bool   // and so of files
	what                     string // is verified, "" for what is usual
	findings                 []audit.Finding
	matches                  []audit.Match
}

func (v verdict) counts() string {
	counts := fmt.Sprintf("%d entries, %d versions", v.entries, v.versions)
	if v.ofVault {
		counts += fmt.Sprintf(", %d files", v.files)
	}
	return counts
}

func (p *Program) verify(ctx context.Context, o verifyOptions) error {
	if err := o.refuseProof(); err != nil {
		return err
	}
	verify := p.verifyVault
	switch {
	case o.proof != "":
		return p.verifyProof(ctx, o)
	case o.log != "" && o.from != "":
		return usagef("--log and --from contradict each other: give one, and then the other")
	case o.log != "" && o.bytes:
		return usagef("--bytes is about a vault: there are no bytes beside an exported log")
	case o.log != "":
		verify = p.verifyLog
	case o.details != "" || len(o.receipts) > 0 || o.file != "":
		return usagef("--details, --receipt and --file are about an exported log: give it with --log (or --file with --proof)")
	case o.from != "":
		verify = p.verifyBackup
	}
	v, err := verify(ctx, o)
	if err != nil {
		return err
	}
	tell := p.tellVerdict
	if o.json {
		tell = p.tellVerdictJSON
	}
	if err := tell(v, o.file); err != nil {
		return err
	}
	switch n := len(v.findings); {
	case n == 1:
		return errors.New("1 finding: something is wrong")
	case n > 1:
		return fmt.Errorf("%d findings: something is wrong", n)
	case o.file != "" && len(v.matches) == 0:
		return fmt.Errorf("%s is not in this log", o.file)
	}
	return nil
}

// tellVerdict tells a person. File is what was looked up, if anything was.
func (p *Program) tellVerdict(v verdict, file string) error {
	for _, found := range v.findings {
		fmt.Fprintln(p.Stdout, describe(found))
	}
	for _, m := range v.matches {
		fmt.Fprintf(p.Stdout, "%s: document %s version %d, %s at %s, entry %d\n",
			file, m.Document, m.Version, m.Op, audit.FormatTime(m.Time), m.Seq)
	}
	if file != "" && len(v.matches) == 0 {
		fmt.Fprintf(p.Stdout, "%s: no version in this log has these bytes\n", file)
	}
	if _, err := io.WriteString(p.Stdout, v.head.Text()); err != nil {
		return err
	}
	fmt.Fprintf(p.Stderr, "checked%s: %s\n", v.what, v.counts())
	return nil
}

// tellVerdictJSON tells a program, in the names that the API has.
func (p *Program) tellVerdictJSON(v verdict, file string) error {
	type finding struct {
		Seq     uint64     `json:"seq,omitzero"`
		Code    audit.Code `json:"code"`
		Message string     `json:"message"`
	}
	type match struct {
		DocumentID string   `json:"documentId"`
		Version    uint64   `json:"version"`
		Op         audit.Op `json:"op"`
		Time       string   `json:"time"`
		Seq        uint64   `json:"seq"`
	}
	out := struct {
		Head     headRow   `json:"head"`
		Entries  uint64    `json:"entries"`
		Versions uint64    `json:"versions"`
		Blobs    *uint64   `json:"blobs,omitempty"`
		Findings []finding `json:"findings"`
		Matches  []match   `json:"matches,omitempty"`
	}{Head: rowOfHead(v.head), Entries: v.entries, Versions: v.versions, Findings: []finding{}}
	if v.ofVault {
		out.Blobs = &v.files
	}
	for _, f := range v.findings {
		out.Findings = append(out.Findings, finding{f.Seq, f.Code, f.Message})
	}
	for _, m := range v.matches {
		out.Matches = append(out.Matches, match{m.Document, m.Version, m.Op, audit.FormatTime(m.Time), m.Seq})
	}
	return p.writeJSON(out)
}

func describe(f audit.Finding) string {
	if f.Seq == 0 {
		return fmt.Sprintf("%s: %s", f.Code, plain(f.Message))
	}
	return fmt.Sprintf("entry %d: %s: %s", f.Seq, f.Code, plain(f.Message))
}

// verifyVault verifies a vault, wherever it is.
func (p *Program) verifyVault(ctx context.Context, o verifyOptions) (verdict, error) {
	var v verdict
	err := withVault(ctx, o.Place, func(line *control.Client) error {
		var now struct {
			Text string `json:"text"`
		}
		if err := line.Call(ctx, "GET", "/v1/audit/head", nil, &now); err != nil {
			return err
		}
		head, err := audit.ParseHead(now.Text)
		if err != nil {
			return fmt.Errorf("the head: %w", err)
		}
		heads, err := p.readHeads(o.heads, head.Vault)
		if err != nil {
			return err
		}
		stop := p.showProgress(func() string { return "verifying" })
		defer stop()
		v, err = verifyThrough(ctx, line, o.bytes, heads)
		return err
	})
	return v, err
}

// verifyBackup verifies the backup of a vault.
func (p *Program) verifyBackup(ctx context.Context, o verifyOptions) (verdict, error) {
	from, made, err := findBackup(o.from, o.Vault)
	if err != nil {
		return verdict{}, err
	}
	heads, err := p.readHeads(o.heads, made.VaultID)
	if err != nil {
		return verdict{}, err
	}
	var done, total atomic.Uint64
	stop := p.showProgress(func() string { return fmt.Sprintf("verifying: %d of %d files", done.Load(), total.Load()) })
	defer stop()
	r, made, err := engine.VerifyBackup(ctx, from, engine.VerifyOptions{
		Bytes: o.bytes, Heads: heads, Progress: func(d, t uint64) { done.Store(d); total.Store(t) },
	})
	if err != nil {
		return verdict{}, err
	}
	return verdict{
		head: r.Head, entries: r.Entries, versions: r.Versions, files: r.Blobs, ofVault: true, findings: r.Findings,
		what: fmt.Sprintf(" the backup of %s of the vault %q", audit.FormatTime(made.Made), made.Vault),
	}, nil
}

// verifyThrough asks the other end of a line to verify its vault.
func verifyThrough(ctx context.Context, line *control.Client, bytes bool, heads []audit.Head) (verdict, error) {
	in := struct {
		Bytes bool   `json:"bytes"`
		Head  string `json:"head,omitzero"`
	}{Bytes: bytes}
	for _, head := range heads {
		in.Head += head.Text()
	}
	var out struct {
		Head struct {
			Text string `json:"text"`
		} `json:"head"`
		Entries  uint64 `json:"entries"`
		Versions uint64 `json:"versions"`
		Blobs    uint64 `json:"blobs"`
		Findings []struct {
			Seq     uint64 `json:"seq"`
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"findings"`
	}
	if err := line.Call(ctx, "POST", "/v1/audit/verify", in, &out); err != nil {
		return verdict{}, err
	}
	head, err := audit.ParseHead(out.Head.Text)
	if err != nil {
		return verdict{}, fmt.Errorf("the head: %w", err)
	}
	v := verdict{head: head, entries: out.Entries, versions: out.Versions, files: out.Blobs, ofVault: true}
	for _, f := range out.Findings {
		v.findings = append(v.findings, audit.Finding{Seq: f.Seq, Code: audit.Code(f.Code), Message: f.Message})
	}
	return v, nil
}

// verifyLog verifies an exported log.
func (p *Program) verifyLog(ctx context.Context, o verifyOptions) (verdict, error) {
	log, err := os.Open(o.log)
	if err != nil {
		return verdict{}, err
	}
	defer log.Close()
	counted := &countingReader{from: log}
	lines := bufio.NewReaderSize(counted, audit.MaxLine)
	asked := audit.VerifyOptions{}
	if asked.Heads, err = p.readHeads(o.heads, vaultOf(lines)); err != nil {
		return verdict{}, err
	}
	for _, s := range o.receipts {
		receipt, err := audit.ParseReceipt(s)
		if err != nil {
			return verdict{}, usagef("--receipt: %v", err)
		}
		asked.Receipts = append(asked.Receipts, receipt)
	}
	if o.details != "" {
		details, err := os.Open(o.details)
		if err != nil {
			return verdict{}, err
		}
		defer details.Close()
		asked.Details = details
	}
	if o.file != "" {
		file, err := p.lookAt(ctx, o.file)
		if err != nil {
			return verdict{}, err
		}
		asked.File = file.Digest
	}
	stop := p.showProgress(func() string { return fmt.Sprintf("verifying: %d MiB", counted.n.Load()>>20) })
	defer stop()
	r, err := audit.Verify(ctx, lines, asked)
	if err != nil {
		return verdict{}, err
	}
	return verdict{
		head: r.Head, findings: r.Findings, matches: r.Matches, entries: r.Entries, versions: r.Versions,
	}, nil
}

// vaultOf looks at the first line of a log, without taking it, for the vault
// that the log is of; "" if it does not say.
func vaultOf(lines *bufio.Reader) string {
	start, _ := lines.Peek(audit.MaxLine)
	end := slices.Index(start, '\n') + 1
	entry, err := audit.ParseEntry(start[:end])
	if err != nil {
		return ""
	}
	vault, _ := entry.Facts["vault"].AsText()
	return vault
}

// readHeads reads files of printed heads. Of a file that has heads of the
// vault, only those count: the head log of a server has all its vaults'. A
// file with nothing but others' counts whole, and will be found wrong.
func (p *Program) readHeads(files []string, vault string) ([]audit.Head, error) {
	var heads []audit.Head
	for _, name := range files {
		text, err := p.readInput(name)
		if err != nil {
			return nil, fmt.Errorf("--head: %w", err)
		}
		found, err := audit.ParseHeads(string(text))
		if err != nil {
			return nil, fmt.Errorf("--head %s: %w", name, err)
		}
		foreign := func(h audit.Head) bool { return h.Vault != vault }
		if own := slices.DeleteFunc(slices.Clone(found), foreign); len(own) > 0 {
			found = own
		}
		heads = append(heads, found...)
	}
	return heads, nil
}

// readInput reads a file, or standard input if its name is -.
func (p *Program) readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(p.Stdin)
	}
	return os.ReadFile(name)
}

// countingReader tells, while it is read, how far that has come.
type countingReader struct {
	from io.Reader
	n    atomic.Int64
}

func (r *countingReader) Read(b []byte) (int, error) {
	n, err := r.from.Read(b)
	r.n.Add(int64(n))
	return n, err
}
