package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

type restoreOptions struct {
	datadir.Place
	store      storeFlags
	at         instantValue
	from       string
	log        string
	details    string
	heads      listValue
	withoutLog bool
	skip       bool
	json       bool
}

func (p *Program) restoreCommand() command {
	return command{
		name:    "restore",
		summary: "make a vault of a backup, where there is none",
		about: `Makes the vault of the backup in DIR/<vault>, or in DIR itself, under the data
directory, which must not have a vault of that name. Everything is checked while it
is copied, and the state against the audit log at the end; every damaged file is
named, and nothing is left if anything is wrong. With --skip-damaged the rest is
restored: what is missing is listed, by document and version, and the vault says so
where it is asked for those bytes, until somebody uploads them again.

--log is the audit log exported since, whole or from any entry up to the backup's
last. Everything in it that governs is put in force again before anybody can come
in: holds placed and released, policies, until when documents are kept, settings,
keys revoked, users closed or changed, and what was erased is erased again.
--details, exported with it, gives holds their reasons and policies their names
back. What cannot be is said, one by one: each version that has to be uploaded
again, by document, number and digest, users and keys made since, other metadata.
Without a log nobody knows what was erased, held or revoked since, and it takes
--without-log to go on.

A log that loosens something, such as one with the release of a hold, is taken
only with a head of it that was kept elsewhere (--head), at or behind the entry
that does: whoever wrote the file could have made its end up. That the end of a
log was cut off shows only by such a head, too.

With --store in the place of --from, makes the vault as it was in that store, now or
at the instant --at, of those that serve --store-history keeps; an erasure ends what
came before it. Every change is checked against the audit log, and the files are
fetched; those of documents that were deleted since are not in the store any more. The
vault in the store goes on beside the restored one, which is of this disk.

The restored vault is paused: no webhooks are sent and no retention runs until
` + "`strongroom resume`" + `. Edit locks that were live are broken. A running server serves
it after its next start.`,
		example: `strongroom export --log since.jsonl --details details.jsonl
strongroom restore --from ./backup --log since.jsonl --details details.jsonl --data ./restored`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o restoreOptions
			f.place(&o.Place)
			f.set.StringVar(&o.from, "from", "", "`DIR` that the backup command wrote to")
			f.store(&o.store)
			f.set.Var(&o.at, "at", "`TIME` of which the vault in the store is wanted: 2026-11-29T17:45:00Z; without\nit, now")
			f.set.StringVar(&o.log, "log", "", "`FILE` with the audit log exported since the backup")
			f.set.StringVar(&o.details, "details", "", "`FILE` with the details exported with that log")
			f.set.Var(&o.heads, "head", "`FILE` with heads of that log kept elsewhere, - for standard input; may be given again")
			f.set.BoolVar(&o.withoutLog, "without-log", false, "restore although what was erased, held or revoked since is not known")
			f.set.BoolVar(&o.skip, "skip-damaged", false, "restore the rest if files of the backup are damaged or missing")
			f.set.BoolVar(&o.json, "json", false, usageJSON)
			return func(ctx context.Context, _ []string) error { return p.restore(ctx, o) }
		},
	}
}

func (p *Program) restore(ctx context.Context, o restoreOptions) error {
	if o.store.address != "" {
		return p.restoreFromStore(ctx, o)
	}
	if o.from == "" {
		return usagef("--from is missing: give the directory of the backup, or the --store that the vault lives in")
	}
	if !time.Time(o.at).IsZero() {
		return usagef("--at is about a --store: a backup is of one instant")
	}
	if o.log != "" && o.withoutLog {
		return usagef("--log and --without-log contradict each other")
	}
	if o.log == "" && (o.details != "" || len(o.heads) > 0) {
		return usagef("--details and --head are about an exported log: give it with --log")
	}
	from, made, err := findBackup(o.from, o.Vault)
	if err != nil {
		return err
	}
	if made.Vault != o.Vault {
		return fmt.Errorf("%s is a backup of the vault %q: give --vault %[2]s", from, made.Vault)
	}
	if o.log == "" && !o.withoutLog {
		return usagef("the backup is of %s and ends at entry %d; what was erased, held or revoked since is not known: give --log with the audit log exported since, or --without-log",
			audit.FormatTime(made.Made), made.Head.Seq)
	}
	report, err := p.restoreVault(ctx, o, from, made)
	if damaged, ok := errors.AsType[*engine.DamagedError](err); ok && damaged.Bytes {
		return fmt.Errorf("%w; nothing was restored: find another backup, or give --skip-damaged to restore the rest and have listed what is missing", err)
	}
	if err != nil {
		return err
	}
	return p.tellRestored(report, o)
}

// findBackup reads the manifest of the backup of a vault in dir, or of the one
// that dir is.
func findBackup(dir, vault string) (string, engine.Backup, error) {
	below := filepath.Join(dir, vault)
	made, err := engine.ReadBackup(below)
	if !errors.Is(err, engine.ErrNoBackup) {
		return below, made, err
	}
	made, err = engine.ReadBackup(dir)
	if errors.Is(err, engine.ErrNoBackup) {
		err = fmt.Errorf("there is no backup of the vault %q in %s", vault, dir)
	}
	return dir, made, err
}

// openSince opens what is given of the log since; the caller closes it.
func (p *Program) openSince(o restoreOptions, vaultID string, into *engine.RestoreOptions) (opened []io.Closer, err error) {
	if into.Heads, err = p.readHeads(o.heads, vaultID); err != nil {
		return nil, err
	}
	for _, file := range []struct {
		name string
		to   *io.Reader
	}{{o.log, &into.Log}, {o.details, &into.Details}} {
		if file.name == "" {
			continue
		}
		f, err := os.Open(file.name)
		if err != nil {
			return opened, err
		}
		*file.to, opened = f, append(opened, f)
	}
	return opened, nil
}

func (p *Program) restoreVault(ctx context.Context, o restoreOptions, from string, made engine.Backup) (engine.RestoreReport, error) {
	at := o.Place
	var done, total atomic.Int64
	options := engine.RestoreOptions{
		From: from, AllowNetworkFS: at.NetworkFS, SkipDamaged: o.skip,
		Progress: func(d, t int64) { done.Store(d); total.Store(t) },
	}
	opened, err := p.openSince(o, made.VaultID, &options)
	defer func() {
		for _, f := range opened {
			f.Close()
		}
	}()
	if err != nil {
		return engine.RestoreReport{}, err
	}
	parent := datadir.VaultsDir(at.Data)
	if err := datadir.MakeVaultsDir(at.Data); err != nil {
		return engine.RestoreReport{}, err
	}
	stop := p.showProgress(func() string {
		return fmt.Sprintf("restoring %s: %d of %d MiB", at.Vault, done.Load()>>20, total.Load()>>20)
	})
	defer stop()
	report, err := engine.Restore(ctx, at.Dir(), options)
	if err != nil {
		// Directories that were made for it alone; others are not empty.
		os.Remove(parent)
		os.Remove(at.Data)
		if errors.Is(err, engine.ErrVaultExists) {
			err = fmt.Errorf("there is a vault %q in %s already; restore to another --data, or move that one away", at.Vault, at.Data)
		}
		return report, err
	}
	return report, errors.Join(datadir.BorrowLike(at).Return(), blobstore.SyncDir(filepath.Dir(filepath.Clean(at.Data))))
}

// tellRestored says what is there, and what is not.
func (p *Program) tellRestored(r engine.RestoreReport, o restoreOptions) error {
	if o.json {
		return p.writeJSON(restored(r, o.log != ""))
	}
	fmt.Fprintf(p.Stdout, "restored the vault %q as it was at entry %d, from the backup of %s\n", r.Vault, r.Head.Seq, audit.FormatTime(r.Made))
	fmt.Fprintf(p.Stdout, "%d documents, %d versions, %d files of %d bytes; %d live locks broken\n", r.Documents, r.Versions, r.Blobs, r.Bytes, r.Locks)
	for _, v := range r.Damaged {
		fmt.Fprintf(p.Stdout, "damaged in the backup, and not restored: document %s %s, %s\n", v.DocumentID, numbered(v), v.Digest)
	}
	if o.log == "" {
		fmt.Fprintf(p.Stdout, "without a log: what was changed, deleted, erased, held or revoked after %s is not known\n", audit.FormatTime(r.Made))
	} else {
		p.tellSince(r.Since)
	}
	if r.AdminKeys == 0 {
		fmt.Fprintf(p.Stdout, "no API key of an admin works: make one with `strongroom key add --data %s --vault %s`, for a user who is active and has admin access\n", o.Data, r.Vault)
	}
	_, err := io.WriteString(p.Stdout, r.Restored.Text())
	fmt.Fprintf(p.Stderr, "the vault is paused; look at it, then `strongroom resume --data %s --vault %s`\n", o.Data, r.Vault)
	return err
}

// numbered names a version whose bytes were skipped.
func numbered(v engine.LostVersion) string {
	if v.Number == 0 {
		return "a scratchpad"
	}
	return fmt.Sprintf("version %d", v.Number)
}

func (p *Program) tellSince(s engine.Since) {
	fmt.Fprintf(p.Stdout, "%d entries since, up to entry %d of %s\n", s.Entries, s.Head.Seq, audit.FormatTime(s.Head.Time))
	for _, op := range audit.Ops() {
		if n := s.Ops[op]; n > 0 {
			fmt.Fprintf(p.Stdout, "  %s %d\n", op, n)
		}
	}
	if s.Covered.Seq == 0 {
		fmt.Fprintln(p.Stdout, "without --head: whether the end of the log was cut off is not known")
	} else {
		fmt.Fprintf(p.Stdout, "the log has entry %d, of the last head that was kept elsewhere\n", s.Covered.Seq)
	}
	for _, op := range audit.Ops() {
		if n := s.Repeated[op]; n > 0 {
			fmt.Fprintf(p.Stdout, "in force again: %s %d\n", op, n)
		}
	}
	for _, v := range s.Versions {
		fmt.Fprintf(p.Stdout, "missing: document %s version %d, %s\n", v.DocumentID, v.Number, v.Digest)
	}
	for _, id := range s.Deleted {
		fmt.Fprintf(p.Stdout, "there again, deleted since: document %s\n", id)
	}
	for _, id := range s.Erased {
		fmt.Fprintf(p.Stdout, "erased again: %s\n", id)
	}
	for _, l := range s.Lost {
		fmt.Fprintf(p.Stdout, "not repeated: entry %d, %s: %s\n", l.Seq, l.Op, plain(l.What))
	}
}

// restoredRow is what a restore came to, for a program.
type restoredRow struct {
	Vault     string  `json:"vault"`
	Made      string  `json:"made"` // when the backup was
	Head      headRow `json:"head"` // of the backup
	Restored  headRow `json:"restored"`
	Documents uint64  `json:"documents"`
	Versions  uint64  `json:"versions"`
	Files     uint64  `json:"files"`
	Bytes     int64   `json:"bytes"`
	Locks     uint64  `json:"locksBroken"`
	AdminKeys uint64  `json:"adminKeys"` // that work
	// Damaged are versions whose bytes the backup did not have; 0 is a scratchpad.
	Damaged []missingRow `json:"damaged"`
	Since   *sinceRow    `json:"since,omitempty"` // absent: without a log, nobody knows
}

type sinceRow struct {
	Entries  uint64              `json:"entries"`
	Head     headRow             `json:"head"`
	Covered  *headRow            `json:"coveredBy,omitempty"` // absent: without a head that was kept elsewhere
	Ops      map[audit.Op]uint64 `json:"ops"`
	Repeated map[audit.Op]uint64 `json:"inForceAgain"`
	Missing  []missingRow        `json:"missing"`
	Deleted  []string            `json:"thereAgain"` // documents deleted since
	Erased   []string            `json:"erasedAgain"`
	Lost     []lostRow           `json:"notRepeated"`
}

type lostRow struct {
	Seq  uint64   `json:"seq"`
	Op   audit.Op `json:"op"`
	What string   `json:"what"`
}

type missingRow struct {
	DocumentID string `json:"documentId"`
	Version    uint64 `json:"version"`
	Digest     string `json:"digest"`
}

func restored(r engine.RestoreReport, logged bool) restoredRow {
	row := restoredRow{
		Vault: r.Vault, Made: audit.FormatTime(r.Made), Head: rowOfHead(r.Head), Restored: rowOfHead(r.Restored),
		Documents: r.Documents, Versions: r.Versions, Files: r.Blobs, Bytes: r.Bytes, Locks: r.Locks, AdminKeys: r.AdminKeys, Damaged: []missingRow{},
	}
	for _, v := range r.Damaged {
		row.Damaged = append(row.Damaged, missingRow{v.DocumentID, v.Number, v.Digest})
	}
	if !logged {
		return row
	}
	row.Since = &sinceRow{
		Entries: r.Since.Entries, Head: rowOfHead(r.Since.Head), Ops: r.Since.Ops, Repeated: r.Since.Repeated,
		Missing: []missingRow{}, Lost: []lostRow{},
		Deleted: append([]string{}, r.Since.Deleted...), Erased: append([]string{}, r.Since.Erased...),
	}
	for _, v := range r.Since.Versions {
		row.Since.Missing = append(row.Since.Missing, missingRow{v.DocumentID, v.Number, v.Digest})
	}
	for _, l := range r.Since.Lost {
		row.Since.Lost = append(row.Since.Lost, lostRow{l.Seq, l.Op, l.What})
	}
	if r.Since.Covered.Seq > 0 {
		row.Since.Covered = new(rowOfHead(r.Since.Covered))
	}
	return row
}
