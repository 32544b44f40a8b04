package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/httpapi/control"
	"strongroom/httpapi/datadir"
)

func (p *Program) exportCommand() command {
	return command{
		name:    "export",
		summary: "write the audit log, and its details, to files",
		about: `Writes the exact lines of the audit log to a file, and with --details what they
hash but do not say: names, reasons, old and new values. The log alone names no
person. Anyone can check both with ` + "`strongroom verify --log`" + `, and the log with
nothing but sha256sum: the prev of each line is the SHA-256 of the line before.

A file appears under its name when it is whole and on disk; one that was there is
replaced. The head of what was written is printed to standard error or, with --json,
to standard output.

Works on a vault at rest, or through the control socket of the server that
serves it, as the actor "operator".`,
		example: `strongroom export --log audit.jsonl --details details.jsonl`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var at datadir.Place
			f.place(&at)
			log := f.set.String("log", "", "`FILE` for the log, - for standard output (required)")
			details := f.set.String("details", "", "`FILE` for the details; keep it as you keep personal data")
			asJSON := f.asJSON()
			return func(ctx context.Context, _ []string) error {
				switch {
				case *log == "-" && *asJSON:
					return usagef("--json and a log on standard output do not go together: give --log a file")
				case *log == "":
					return usagef("--log is missing: give the file to write, or - for standard output")
				case *details == "-":
					return usagef("--details cannot go to standard output: give a file")
				}
				return withVault(ctx, at, func(o *control.Client) error { return p.export(ctx, o, *log, *details, *asJSON) })
			}
		},
	}
}

func (p *Program) export(ctx context.Context, o *control.Client, log, details string, asJSON bool) error {
	stop := p.showProgress(func() string { return "exporting" })
	defer stop()
	var head audit.Head
	err := p.writeOutput(log, func(w io.Writer) error {
		return download(ctx, o, "/v1/audit/export", w, headOf(&head))
	})
	if err != nil {
		return fmt.Errorf("--log %s: %w", log, err)
	}
	if details != "" {
		// The vault may have gone on meanwhile: a detail of an entry beyond
		// the log just written would belong to nothing.
		upTo := func(line []byte) bool {
			row, err := audit.ParseDetailRow(line)
			return err != nil || row.Seq <= head.Seq
		}
		err := p.writeOutput(details, func(w io.Writer) error {
			return download(ctx, o, "/v1/audit/details", w, upTo)
		})
		if err != nil {
			return fmt.Errorf("--details %s: %w", details, err)
		}
	}
	stop()
	if asJSON {
		return p.writeJSON(struct {
			Log     string  `json:"log"`
			Details string  `json:"details,omitzero"`
			Head    headRow `json:"head"`
		}{log, details, rowOfHead(head)})
	}
	fmt.Fprint(p.Stderr, head.Text())
	return nil
}

// headOf returns a function that is shown the lines of a log and leaves the
// head of the last in h. It judges nothing: a log that is wrong is evidence
// and has to be exported as it is.
func headOf(h *audit.Head) func(line []byte) bool {
	return func(line []byte) bool {
		if e, err := audit.ParseEntry(line); err == nil {
			if vault, ok := e.Facts["vault"].AsText(); ok && e.Seq == 1 {
				h.Vault = vault
			}
			h.Seq, h.Time, h.Hash = e.Seq, e.Time, audit.HashLine(line)
		}
		return true
	}
}

// download copies the lines of an answer for which keep is true.
func download(ctx context.Context, line *control.Client, path string, w io.Writer, keep func(line []byte) bool) error {
	answer, err := line.Stream(ctx, path)
	if err != nil {
		return err
	}
	defer answer.Close()
	for lines := bufio.NewReaderSize(answer, 1<<20); ; {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 && keep(line) {
			if _, err := w.Write(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// writeOutput writes a file that appears under its name when it is whole and
// on disk. What is no ordinary file, and standard output (-), is written as
// it is.
func (p *Program) writeOutput(name string, write func(io.Writer) error) error {
	if name == "-" {
		return writeBuffered(p.Stdout, write)
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(writeBuffered(f, write), f.Close())
	}
	return replaceFile(name, func(f *os.File) error { return writeBuffered(f, write) })
}

func writeBuffered(w io.Writer, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<20)
	return errors.Join(write(b), b.Flush())
}

// replaceFile makes a file that only this user reads, and gives it its name
// when it is whole and on disk.
func replaceFile(path string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	return blobstore.Rename(f.Name(), path)
}
