package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"

	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

// maxWorkers bounds --workers: beyond that, groups of commits grow no larger
// and memory does.
const maxWorkers = control.MaxConnections

type importOptions struct {
	datadir.Place
	dir      string
	csv      string
	category string
	tags     string
	owner    string
	update   bool
	check    bool
	failed   string
	workers  uint
}

func (p *Program) importCommand() command {
	return command{
		name:     "import",
		operands: "DIR",
		summary:  "take a tree of files into a vault",
		about: `Makes a document of every file below a directory, or of those that a CSV names,
and can be repeated: a document keeps "import:" and the path below the directory
as its externalId (a path too long for that: the end of it after its SHA-256), and
what is in the vault with the same bytes is skipped. Other bytes are a failure, or,
with --update, a new version; metadata of documents that are there already is left
alone. So after an interruption the same command goes on where it stopped.

Only regular files are taken, in sorted order: no symbolic links, nothing whose
name begins with a dot, and never the data directory. Names have to be UTF-8 and
are kept as the file system spells them.

A CSV is UTF-8 with commas, and its first line names the columns: path (required,
with slashes, below DIR), name, category, description, owner (e-mail or id), tags
(with commas between), externalId, product, templateId, agreementId, label,
comment, field.KEY for custom fields, and error, which is passed over. An empty
cell says nothing. Without an owner in the CSV and without --owner the documents
belong to the administrator who is longest in the vault.

Everything is checked first, and if any row is wrong, nothing is written; --check
does no more than that. What fails later does not stop the rest: it is told on
standard error and, with --failed, in a CSV that has the columns of the first and
the error, to be corrected and given as --csv. Ctrl-C stops after the files in
hand. What is imported is on disk, with the time of the import as createdAt.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `mkdir -p scans && echo "All agreed." >scans/minutes.txt
strongroom import scans --category report --tags source:scanner --failed failed.csv`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o importOptions
			f.place(&o.Place)
			f.set.StringVar(&o.csv, "csv", "", "`FILE` that names the files and says what they are; without it, all below DIR")
			f.set.StringVar(&o.category, "category", "", "`CATEGORY` of documents whose row has none")
			f.set.StringVar(&o.tags, "tags", "", "`TAGS` of all documents, with commas between, beside those of their rows")
			f.set.StringVar(&o.owner, "owner", "", "`USER` who owns documents whose row names nobody, by e-mail address or id")
			f.set.BoolVar(&o.update, "update", false, "make other bytes of a document a new version of it")
			f.set.BoolVar(&o.check, "check", false, "check every row and file, and write nothing")
			f.set.StringVar(&o.failed, "failed", "", "`FILE` to write what failed to, as a CSV for --csv")
			f.set.UintVar(&o.workers, "workers", 16, "`NUMBER` of files in hand at a time, 1 to 256")
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 {
					return usagef("import takes one directory; see `strongroom help import`")
				}
				o.dir = operands[0]
				return p.importTree(ctx, o)
			}
		},
	}
}

// usage refuses what cannot be meant before anything is touched.
func (o *importOptions) usage() error {
	if o.workers < 1 || o.workers > maxWorkers {
		return usagef("--workers %d: want 1 to %d", o.workers, maxWorkers)
	}
	if o.failed == "" || o.csv != "" {
		return nil
	}
	// The next import of the tree would take it for a document.
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return err
	}
	failed, err := filepath.Abs(o.failed)
	if err != nil {
		return err
	}
	if below, err := filepath.Rel(dir, failed); err == nil && filepath.IsLocal(below) {
		return usagef("--failed %s lies in the directory that is imported; give it a place outside", o.failed)
	}
	return nil
}

func (p *Program) importTree(ctx context.Context, o importOptions) error {
	if err := o.usage(); err != nil {
		return err
	}
	root, err := os.OpenRoot(o.dir)
	if err != nil {
		return err
	}
	defer root.Close()
	table, err := openTable(root, o)
	if err != nil {
		return err
	}
	return withVault(ctx, o.Place, func(line *control.Client) error {
		judge, err := newJudge(ctx, line, root, table.columns, o)
		if err != nil {
			return err
		}
		total, err := p.checkTable(ctx, table, judge)
		if err != nil {
			return err
		}
		if o.check {
			_, err := fmt.Fprintf(p.Stdout, "checked   %d\n", total.files)
			return err
		}
		if judge.defaulted != "" {
			fmt.Fprintf(p.Stderr, "documents without an owner will belong to %s\n", plain(judge.defaulted))
		}
		m := &importer{Program: p, line: line, judge: judge, table: table, total: total, update: o.update}
		if o.failed == "" {
			return m.run(ctx, int(o.workers), nil)
		}
		var outcome error
		err = replaceFile(o.failed, func(f *os.File) (err error) {
			outcome, err = m.runInto(ctx, int(o.workers), f)
			return err
		})
		if err != nil {
			err = fmt.Errorf("--failed %s: %w", o.failed, err)
		}
		return errors.Join(outcome, err)
	})
}

// measure is how much there is to import.
type measure struct {
	files int
	bytes int64
}

// maxTold is how many findings or failures are told one by one.
const maxTold = 100

// checkTable judges all rows before anything is written, tells what is wrong
// with them, and what is left out.
func (p *Program) checkTable(ctx context.Context, table *importTable, judge *judge) (measure, error) {
	var total measure
	stop := p.showProgress(func() string { return "checking" })
	defer stop()
	wrong, seen := 0, twice{}
	for row, err := range table.rows(ctx) {
		if err != nil {
			return measure{}, err
		}
		file, err := judge.file(row)
		if err == nil && table.repeats {
			err = seen.check(file)
		}
		if err != nil {
			if wrong++; wrong <= maxTold {
				stop()
				fmt.Fprintf(p.Stderr, "%s: %v\n", row.where(), err)
			}
			continue
		}
		total.files++
		total.bytes += file.size
	}
	stop()
	if left := table.leftOut(); left != "" {
		fmt.Fprintf(p.Stderr, "left out: %s\n", left)
	}
	if wrong > 0 {
		return measure{}, fmt.Errorf("%s cannot be imported as it stands: %s wrong, and nothing was written", table.name, counted(wrong, "row is", "rows are"))
	}
	return total, nil
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// bar shows how far done is of all, in bytes and files.
func (all measure) bar(done measure, since time.Time) string {
	const width = 30
	part := 0.0
	if all.files > 0 {
		part = float64(done.files) / float64(all.files)
	}
	if all.bytes > 0 {
		part = (part + float64(done.bytes)/float64(all.bytes)) / 2
	}
	full := int(math.Round(min(part, 1) * width))
	text := fmt.Sprintf("[%s%s] %d of %d files", strings.Repeat("#", full), strings.Repeat(".", width-full), done.files, all.files)
	if elapsed := time.Since(since); part > 0.01 && part < 1 {
		left := time.Duration(float64(elapsed) * (1 - part) / part)
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}
