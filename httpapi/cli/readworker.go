package cli

import (
	"context"

	"strongroom/httpapi/daemon"
)

// readWorker is the name of a command that no person types: the server starts this
// program by it, to read files in a process that can be killed.
const readWorker = "read-worker"

func (p *Program) readWorkerCommand() command {
	return command{
		name:    readWorker,
		summary: "read files for a server, which starts this itself",
		about: `Reads files that come by standard input, and writes their text to standard output,
until its input ends. The server starts it and speaks to it; there is nothing in it
for people.`,
		example: `strongroom read-worker </dev/null`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			var w daemon.ReadWork
			f.set.StringVar(&w.Cache, "cache", "", "`DIRECTORY` of machine code")
			f.set.StringVar(&w.PDF, "pdf", daemon.PDFAuto, "`HOW` PDFs are read")
			f.set.Int64Var(&w.Memory, "memory", 0, "`BYTES` it may have")
			f.set.BoolVar(&w.Compile, "compile", false, "make the machine code, and read nothing")
			return func(ctx context.Context, _ []string) error { return daemon.Read(ctx, w, p.Stdin, p.Stdout) }
		},
	}
}

// reader is this program as what reads files.
func (p *Program) reader(pdf string) daemon.Reader {
	return daemon.Reader{Path: p.Path, Name: p.Name, Command: readWorker, PDF: pdf}
}
