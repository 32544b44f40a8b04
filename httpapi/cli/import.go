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

	"strongroom/httpapi/cli/importer"
	"strongroom/httpapi/control"
	"strongroom/httpapi/daemon"
	"strongroom/httpapi/datadir"
)

// importFlags are what import is given.
type importFlags struct {
	datadir.Place
	options importer.Options
	check   bool
	failed  string
	workers uint
	ocr     string
	json    bool
}

const aboutImport = `Makes a document of every file below a directory, or of those that a CSV names,
and can be repeated: a document keeps "import:" and the path below the directory
as its externalId (a path too long for that: the end of it after its SHA-256), and
what is in the vault with the same bytes is skipped. Other bytes are a failure, or,
with --update, a new version; metadata of documents that are there already is left
alone. So after an interruption the same command goes on where it stopped.

Only regular files are taken, in sorted order: no symbolic links, nothing whose name
begins with a dot, or lies in such a directory, and never the data directory. What a
tree leaves out, a CSV cannot name. Names have to be UTF-8. A file keeps the name that
the file system spells, and its folder as the document's path; what is compared
(externalId, the paths of a CSV) is so whether letters are composed or taken apart.

A CSV is UTF-8 with commas, or what --delimiter says, and its first line names the
columns: path (required, with slashes, below DIR), name, category, description, owner
(e-mail or id), tags (with commas between), externalId, product, templateId,
agreementId, label, comment, field.KEY for custom fields, and error, which is passed
over. An empty cell says nothing. Without an owner in the CSV and without --owner the
documents belong to the administrator who is longest in the vault.

Everything is checked first, and if any row is wrong, all that is wrong with it is
said and nothing is written; --check does no more than that. What fails later does not
stop the rest: it is told on standard error and, with --failed, in a CSV that has the
columns of the first, its delimiter and the error, to be corrected and given as --csv.
Ctrl-C stops after the files in hand. What is imported is on disk, with the time of
the import as createdAt. The log of a server that is imported into has a line for each
thousand files.

--ocr runs a command for each file in which no text is found, a scan or a picture,
and gives the version what that writes to its standard output, as UTF-8: words with
blanks between and no quotes, {} being the name of a copy of the file, which is its
standard input if there is no {}. It may take ten minutes and write 4 MiB a file, as
many run at a time as there are processors, and what goes wrong is told: the document
is there all the same, and the same command tries again.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`

func (p *Program) importCommand() command {
	return command{
		name:     "import",
		operands: "DIR",
		summary:  "take a tree of files into a vault",
		about:    aboutImport,
		example: `mkdir -p scans && echo "All agreed." >scans/minutes.txt
strongroom import scans --category report --tags source:scanner --failed failed.csv`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var o importFlags
			o.flags(f)
			return func(ctx context.Context, operands []string) error {
				if len(operands) != 1 {
					return usagef("import takes one directory; see `strongroom help import`")
				}
				o.options.Dir = operands[0]
				return p.importTree(ctx, o)
			}
		},
	}
}

func (o *importFlags) flags(f *flagSet) {
	f.place(&o.Place)
	f.set.StringVar(&o.options.CSV, "csv", "", "`FILE` that names the files and says what they are; without it, all below DIR")
	f.set.Var((*delimiterValue)(&o.options.Delimiter), "delimiter", "`SIGN` between the cells of the CSV: ';' or '|', or the word tab")
	f.set.StringVar(&o.options.Category, "category", "", "`CATEGORY` of documents whose row has none")
	f.set.StringVar(&o.options.Tags, "tags", "", "`TAGS` of all documents, with commas between, beside those of their rows")
	f.set.StringVar(&o.options.Owner, "owner", "", "`USER` who owns documents whose row names nobody, by e-mail address or id")
	f.set.BoolVar(&o.options.Update, "update", false, "make other bytes of a document a new version of it")
	f.set.BoolVar(&o.check, "check", false, "check every row and file, and write nothing")
	f.set.StringVar(&o.failed, "failed", "", "`FILE` to write what failed to, as a CSV for --csv")
	f.set.UintVar(&o.workers, "workers", 16, "`NUMBER` of files in hand at a time, 1 to 256")
	f.set.StringVar(&o.ocr, "ocr", "", "`COMMAND` that reads the text of a file that has none, {} being the file")
	f.set.BoolVar(&o.json, "json", false, usageJSON)
}

// usage refuses what cannot be meant before anything is touched.
func (o *importFlags) usage() error {
	if o.workers < 1 || o.workers > importer.MaxWorkers {
		return usagef("--workers %d: want 1 to %d", o.workers, importer.MaxWorkers)
	}
	if own, err := datadir.Holds(o.Data, o.options.Dir); err != nil {
		return err
	} else if own {
		return usagef("%s is, or lies in, the data directory %s, which is not imported", o.options.Dir, o.Data)
	}
	if o.failed == "" || o.options.CSV != "" {
		return nil
	}
	// The next import of the tree would take it for a document.
	dir, err := filepath.Abs(o.options.Dir)
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

func (p *Program) importTree(ctx context.Context, o importFlags) error {
	if err := o.usage(); err != nil {
		return err
	}
	o.options.Data = o.Place.Data
	if command := strings.Fields(o.ocr); len(command) > 0 {
		texts := daemon.OpenTexts(o.Place, p.reader(daemon.PDFAuto), p.Stderr)
		defer texts.Close()
		o.options.OCR = &importer.OCR{Command: command, Wanted: texts.Lacks}
	}
	source, err := importer.Open(o.options)
	if err != nil {
		return byFlag(err)
	}
	defer source.Close()
	return withVault(ctx, o.Place, func(line *control.Client) error {
		m, err := importer.New(ctx, line, source)
		if err != nil {
			return byFlag(err)
		}
		total, err := p.checkImport(ctx, m, source)
		if err != nil {
			return err
		}
		if o.check {
			if o.json {
				return p.writeJSON(map[string]int64{"checked": int64(total.Files), "bytes": total.Bytes})
			}
			_, err := fmt.Fprintf(p.Stdout, "checked   %d\n", total.Files)
			return err
		}
		if owner := m.DefaultOwner(); owner != "" {
			fmt.Fprintf(p.Stderr, "documents without an owner will belong to %s\n", plain(owner))
		}
		if o.failed == "" {
			return p.runImport(ctx, m, total, o, nil)
		}
		var outcome error
		err = replaceFile(o.failed, func(f *os.File) error {
			failures, err := importer.NewFailures(f, source)
			if err != nil {
				return err
			}
			outcome = p.runImport(ctx, m, total, o, failures)
			return failures.Close()
		})
		if err != nil {
			err = fmt.Errorf("--failed %s: %w", o.failed, err)
		}
		return errors.Join(outcome, err)
	})
}

// byFlag tells an error about an option of an import as one about its flag.
func byFlag(err error) error {
	option, ok := errors.AsType[*importer.OptionError](err)
	switch {
	case !ok:
		return err
	case option.Option == "csv":
		return fmt.Errorf("--csv %s: %w", option.Value, option.Err)
	case option.Option == "owner":
		return unknownUser(option.Value)
	}
	return usagef("--%s %s: %v", option.Option, option.Value, option.Err)
}

// advise adds to why a file failed what flag would help.
func advise(err error) error {
	if _, ok := errors.AsType[*importer.OtherBytesError](err); ok {
		return fmt.Errorf("%w; --update makes a new version of it", err)
	}
	if errors.Is(err, importer.ErrChanged) {
		return fmt.Errorf("%w; import it again with --update", err)
	}
	return err
}

// maxTold is how many findings or failures are told one by one.
const maxTold = 100

// checkImport judges all rows before anything is written, tells what is wrong
// with them, and what is left out.
func (p *Program) checkImport(ctx context.Context, m *importer.Import, source *importer.Source) (importer.Measure, error) {
	stop := p.showProgress(func() string { return "checking" })
	defer stop()
	wrong := 0
	total, err := m.Check(ctx, func(row importer.Row, err error) {
		if wrong++; wrong <= maxTold {
			stop()
			fmt.Fprintf(p.Stderr, "%s: %v\n", where(row), err)
		}
	})
	if err != nil {
		return importer.Measure{}, byFlag(err)
	}
	stop()
	if left := source.LeftOut(); left != "" {
		fmt.Fprintf(p.Stderr, "left out: %s\n", left)
	}
	if wrong > 0 {
		return importer.Measure{}, fmt.Errorf("%s cannot be imported as it stands: %s wrong, and nothing was written", source.Name(), counted(wrong, "row is", "rows are"))
	}
	return total, nil
}

// runImport imports, and says what came of it. Failures may be nil.
func (p *Program) runImport(ctx context.Context, m *importer.Import, total importer.Measure, o importFlags, failures *importer.Failures) error {
	began := time.Now()
	stop := p.showProgress(func() string { return bar(m.Done(), total, began) })
	defer stop()
	failed := 0
	tally, err := m.Run(ctx, int(o.workers), func(row importer.Row, err error) {
		err = advise(err)
		if failed++; failed <= maxTold {
			fmt.Fprintf(p.Stderr, "%s: %v\n", where(row), err)
		}
		if failures != nil {
			failures.Add(row, err)
		}
	})
	stop()
	return errors.Join(p.writeTally(tally, o.ocr != "", o.json), verdictOf(ctx, tally, err, failures != nil))
}

// writeTally writes what became of the files.
func (p *Program) writeTally(t importer.Tally, ocr, asJSON bool) error {
	each := t.Elapsed.Seconds()
	fmt.Fprintf(p.Stderr, "%s, %s in %v: %.1f files and %s each second\n", counted(t.Files, "file", "files"), bytesValue(t.Bytes).short(),
		t.Elapsed.Round(time.Millisecond), float64(t.Files)/each, bytesValue(float64(t.Bytes)/each).short())
	if asJSON {
		all := map[string]int64{
			"imported": int64(t.Imported), "versions": int64(t.Versions), "skipped": int64(t.Skipped), "failed": int64(t.Failed),
			"bytes": t.Bytes,
		}
		if ocr {
			all["read"], all["unread"] = int64(t.Read), int64(t.Unread)
		}
		return p.writeJSON(all)
	}
	_, err := fmt.Fprintf(p.Stdout, "imported  %d\nversions  %d\nskipped   %d\nfailed    %d\n", t.Imported, t.Versions, t.Skipped, t.Failed)
	if err == nil && ocr {
		_, err = fmt.Fprintf(p.Stdout, "read      %d\nunread    %d\n", t.Read, t.Unread)
	}
	return err
}

// verdictOf is how an import ended, err being why it did not come to its last row.
func verdictOf(ctx context.Context, t importer.Tally, err error, listed bool) error {
	stopped, ok := errors.AsType[*importer.StoppedError](err)
	switch {
	case ok:
		return fmt.Errorf("stopped, because the vault takes nothing more: %w; the same command goes on from here", stopped)
	case ctx.Err() != nil:
		return errors.New("interrupted; the same command goes on from here")
	case err != nil:
		return byFlag(err)
	case t.Failed > 0 && listed:
		return fmt.Errorf("%s not imported; correct the file of failures and give it as --csv", counted(t.Failed, "file was", "files were"))
	case t.Failed == 0 && t.Unread > 0:
		return fmt.Errorf("%s no text by --ocr; the same command tries again", counted(t.Unread, "file got", "files got"))
	case t.Failed > 0:
		return fmt.Errorf("%s not imported; the same command tries again", counted(t.Failed, "file was", "files were"))
	}
	return nil
}

// where says which row it is.
func where(row importer.Row) string {
	if row.Line > 0 {
		return fmt.Sprintf("line %d: %s", row.Line, plain(row.Path))
	}
	return plain(row.Path)
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// bar shows how far done is of all, in bytes and files.
func bar(done, all importer.Measure, since time.Time) string {
	const width = 30
	part := 0.0
	if all.Files > 0 {
		part = float64(done.Files) / float64(all.Files)
	}
	if all.Bytes > 0 {
		part = (part + float64(done.Bytes)/float64(all.Bytes)) / 2
	}
	full := int(math.Round(min(part, 1) * width))
	text := fmt.Sprintf("[%s%s] %d of %d files", strings.Repeat("#", full), strings.Repeat(".", width-full), done.Files, all.Files)
	if elapsed := time.Since(since); part > 0.01 && part < 1 {
		left := time.Duration(float64(elapsed) * (1 - part) / part)
		text += fmt.Sprintf(", %v left", left.Round(time.Second))
	}
	return text
}
