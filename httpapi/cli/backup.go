package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"

	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

type backupOptions struct {
	datadir.Place
	to      string
	all     bool
	recheck share
	json    bool
	signKey bool
}

func (p *Program) backupCommand() command {
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
2 GiB. Keep several media, turn by turn, and one of them elsewhere; DIR cannot be in
the data directory.

Files that the earlier backup has are not trusted for ever: each backup reads a share
of them again, those first that were read longest ago (--recheck). A file that is
damaged there is copied again from the vault; one that is damaged in the vault stays as
the backup has it. Each is named with its document, the rest is backed up, and the exit
status is 1. What neither has whole is missing in the backup: restore says so then, and
` + "`restore --skip-damaged`" + ` does without.

The key of the edit locks (lock.key) and what can be derived again is not in it, nor
is the key that checkpoints of the log are signed with (sign.key), unless
--with-sign-key asks for it. A restored vault signs under another origin in any case.
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
			o.recheck = defaultRecheck
			f.set.Var(&o.recheck, "recheck", "`SHARE` of the files carried over to read again: all, none, or a share such as\n10% or 0.1")
			f.set.BoolVar(&o.signKey, "with-sign-key", false, "take along the key that checkpoints of the log are signed with, in the\nclear: whoever has the backup can sign in the vault's name then")
			f.set.BoolVar(&o.json, "json", false, usageJSON)
			return func(ctx context.Context, _ []string) error { return p.backup(ctx, o) }
		},
	}
}

func (p *Program) backup(ctx context.Context, o backupOptions) error {
	if o.to == "" {
		return usagef("--to is missing: give the directory to back up to")
	}
	// The server that may do the work has a working directory of its own.
	to, err := filepath.Abs(o.to)
	if err != nil {
		return err
	}
	if own, err := datadir.Holds(o.Data, to); err != nil {
		return err
	} else if own {
		return usagef("--to %s is, or lies in, the data directory %s: what takes that takes the backup too; give a place outside, on another medium", o.to, o.Data)
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
func (p *Program) backupVault(ctx context.Context, o backupOptions, to string) error {
	return withVault(ctx, o.Place, func(line *control.Client) error {
		var done, total atomic.Int64
		stop := p.showProgress(func() string {
			return fmt.Sprintf("backing up %s: %d of %d MiB", o.Vault, done.Load()>>20, total.Load()>>20)
		})
		defer stop()
		made, err := line.Backup(ctx, to, o.recheck.option(), o.signKey, func(d, t int64) { done.Store(d); total.Store(t) })
		stop()
		if made == nil {
			return err
		}
		if o.json {
			return errors.Join(err, p.writeJSON(struct {
				Vault     string `json:"vault"`
				Directory string `json:"directory"`
				control.Made
			}{o.Vault, filepath.Join(to, o.Vault), *made}))
		}
		fmt.Fprintf(p.Stdout, "%s: %d documents, %d versions, %d files of %d bytes; copied %d files and the database, %d bytes; removed %d files\n",
			filepath.Join(o.to, o.Vault), made.Documents, made.Versions, made.Files, made.Bytes, made.Copied, made.CopiedBytes, made.Removed)
		if made.Rechecked > 0 {
			fmt.Fprintf(p.Stdout, "read %d files of the earlier backup again\n", made.Rechecked)
		}
		for _, found := range made.Damaged {
			fmt.Fprintln(p.Stdout, plain(found.Says))
		}
		if made.Missing > 0 {
			fmt.Fprintf(p.Stdout, "%s lacks %d files; it counts, and restoring it takes --skip-damaged\n", filepath.Join(o.to, o.Vault), made.Missing)
		}
		fmt.Fprint(p.Stdout, made.Head)
		return err
	})
}

// share is a flag's part of a whole, written as all, none, 10% or 0.1.
type share float64

const defaultRecheck share = 0.1

func (s *share) String() string {
	switch {
	case *s == 0:
		return "none"
	case *s == 1:
		return "all"
	}
	return strconv.FormatFloat(float64(*s)*100, 'g', -1, 64) + "%"
}

func (s *share) Set(text string) error {
	switch text {
	case "all":
		*s = 1
		return nil
	case "none":
		*s = 0
		return nil
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.ParseFloat(number, 64)
	if percent {
		n /= 100
	}
	if err != nil || !(n >= 0 && n <= 1) {
		return errors.New("want all, none, or a share such as 10% or 0.1")
	}
	*s = share(n)
	return nil
}

// option is the share as the engine takes it.
func (s share) option() float64 {
	if s == 0 {
		return -1
	}
	return float64(s)
}
