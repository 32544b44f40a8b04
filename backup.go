package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/httpapi/datadir"
)

type backupOptions struct {
	datadir.Place
	to  string
	all bool
}

func (p *program) backupCommand() command {
	return command{
		name:    "backup",
		summary: "copy a vault, or all, to a directory, while they are used",
		about: `Copies the vault as it is at one instant to DIR/<vault>: its database, every file
that names, a manifest and the printable head of its audit log. Nobody has to wait
meanwhile. The copy is verified before it counts, and the entry backup.completed
written after.

If DIR/<vault> holds an earlier backup of the vault, only what is new is copied; the
earlier one can be restored until the new one counts, and what has been deleted or
erased since is removed from it then. A backup that was interrupted is gone on
with by the next. DIR can be on any medium, FAT included: no file is longer than
2 GiB. Keep several media, turn by turn, and one of them elsewhere.

The key of the edit locks (lock.key) and what can be derived again is not in it.
Restore a backup with the audit log exported since, so export that more often than
you back up: ` + "`strongroom export --log FILE`" + `.

Works on a vault at rest, or through the control socket of the server that
serves it, which then writes to DIR.`,
		example: `strongroom backup --to ./backup --all`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o backupOptions
			f.place(&o.Place)
			f.set.StringVar(&o.to, "to", "", "`DIR` for the backup; it is made if what is above it is there (required)")
			f.set.BoolVar(&o.all, "all", false, "back up all vaults of the data directory, one after the other")
			return func(ctx context.Context, _ []string) error { return p.backup(ctx, o) }
		},
	}
}

func (p *program) backup(ctx context.Context, o backupOptions) error {
	if o.to == "" {
		return usagef("--to is missing: give the directory to back up to")
	}
	// The server that may do the work has a working directory of its own.
	to, err := filepath.Abs(o.to)
	if err != nil {
		return err
	}
	names := []string{o.Vault}
	if o.all {
		if names, err = datadir.Vaults(o.Data); err != nil {
			return err
		}
		if len(names) == 0 {
			return fmt.Errorf("there is no vault under %s", o.Data)
		}
	}
	var errs []error
	for _, name := range names {
		o.Vault = name
		if err := p.backupVault(ctx, o, to); err != nil {
			errs = append(errs, fmt.Errorf("vault %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// backupVault backs up to the absolute path to, which the user named o.to.
func (p *program) backupVault(ctx context.Context, o backupOptions, to string) error {
	return withVault(ctx, o.Place, func(line *operator) error {
		var done, total atomic.Int64
		stop := p.showProgress(func() string {
			return fmt.Sprintf("backing up %s: %d of %d MiB", o.Vault, done.Load()>>20, total.Load()>>20)
		})
		defer stop()
		made, err := line.backup(ctx, to, func(d, t int64) { done.Store(d); total.Store(t) })
		stop()
		if made == nil {
			return err
		}
		fmt.Fprintf(p.stdout, "%s: %d documents, %d versions, %d files of %d bytes; copied %d files and the database, %d bytes; removed %d files\n",
			filepath.Join(o.to, o.Vault), made.Documents, made.Versions, made.Files, made.Bytes, made.Copied, made.CopiedBytes, made.Removed)
		fmt.Fprint(p.stdout, made.Head)
		return err
	})
}

// backupMade is a backup as the control socket tells of it.
type backupMade struct {
	Head        string `json:"head"`
	Documents   uint64 `json:"documents"`
	Versions    uint64 `json:"versions"`
	Files       uint64 `json:"files"`
	Bytes       int64  `json:"bytes"`
	Copied      uint64 `json:"copied"`
	CopiedBytes int64  `json:"copiedBytes"`
	Removed     uint64 `json:"removed"`
}

// backupLine is a line of the answer: how far it is, or, last, what came of it.
type backupLine struct {
	Done  int64       `json:"done,omitzero"`
	Total int64       `json:"total,omitzero"`
	Made  *backupMade `json:"made,omitzero"`
	Error string      `json:"error,omitzero"`
}

// backup asks the other end to back its vault up. A backup that counts, but
// has no entry, comes with an error.
func (o *operator) backup(ctx context.Context, to string, progress func(done, total int64)) (*backupMade, error) {
	resp, err := o.open(ctx, "POST", controlBackup, struct {
		To string `json:"to"`
	}{to})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	for lines := json.NewDecoder(bufio.NewReader(resp.Body)); ; {
		var line backupLine
		if err := lines.Decode(&line); err != nil {
			return nil, fmt.Errorf("the backup was broken off: %w", err)
		}
		switch {
		case line.Error != "":
			return line.Made, errors.New(line.Error)
		case line.Made != nil:
			return line.Made, nil
		}
		progress(line.Done, line.Total)
	}
}

// backup is that route of the control socket, and of no other listener: it
// writes to a path of this machine.
func (c *control) backup(w http.ResponseWriter, r *http.Request) {
	var in struct {
		To string `json:"to"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&in); err != nil || !filepath.IsAbs(in.To) {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", "to must be an absolute path")
		return
	}
	if err := os.Mkdir(in.To, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		refuse(w, http.StatusBadRequest, "INVALID_REQUEST_BODY", err.Error())
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(c.running, cancel)() // a server that stops does not wait for it
	name := r.Header.Get(vaultHeader)
	out := json.NewEncoder(w)
	var said time.Time
	report, _, err := c.vaults[name].Backup(ctx, engine.Operator(), engine.BackupOptions{
		To: filepath.Join(in.To, name),
		Progress: func(done, total int64) {
			if now := time.Now(); now.Sub(said) > time.Second {
				said = now
				out.Encode(backupLine{Done: done, Total: total})
				http.NewResponseController(w).Flush()
			}
		},
	})
	var last backupLine
	if report.Head.Seq != 0 { // it counts
		last.Made = &backupMade{report.Head.Text(), report.Documents, report.Versions, report.Blobs, report.Bytes,
			report.CopiedBlobs, report.CopiedBytes, report.RemovedBlobs}
		c.log.Info().Str("vault", name).Str("to", in.To).Uint64("seq", report.Head.Seq).Str("made", audit.FormatTime(report.Made)).Msg("backup")
	}
	if err != nil {
		os.Remove(in.To) // if it was made for this, and is empty
		last.Error = err.Error()
		c.log.Error().Str("vault", name).Str("to", in.To).Err(err).Msg("backup failed")
	}
	out.Encode(last)
}
