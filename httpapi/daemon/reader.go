package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/rs/zerolog"

	"strongroom/engine/search/extract"
	"strongroom/engine/search/pdf"
	"strongroom/engine/search/worker"
	"strongroom/httpapi/datadir"
)

// How PDFs are read.
const (
	PDFAuto        = "auto" // as machine code where that is possible, else interpreted
	PDFInterpreter = "interpreter"
	PDFOff         = "off"
)

const (
	// readerName is the directory, in the data directory, of PDFium as machine code. It
	// may be deleted at any time, and is in no backup.
	readerName = "reader"
	// runsName is the file in it that says what a server runs, for doctor: what another
	// process of this machine could run may be something else.
	runsName = "runs"
)

// Reader is how files are read for the full-text index.
type Reader struct {
	// Path is that of this program, and Name what it is called by: files are read in a
	// process of it that is told to by the arguments Command and what follows. "" reads
	// them in this process.
	Path, Name string
	Command    string
	PDF        string // PDFAuto, PDFInterpreter or PDFOff; "" is PDFAuto
}

// ReadWork is what a process that reads is told.
type ReadWork struct {
	Cache   string // the directory of machine code; "": none
	PDF     string
	Memory  int64 // bytes it may have
	Compile bool  // make the machine code, and read nothing
}

func (w ReadWork) sandbox() pdf.Options {
	return pdf.Options{Interpret: w.PDF == PDFInterpreter, Cache: w.Cache}
}

// table is all readers there are.
func table(pdfs *pdf.Sandbox) []extract.Reader {
	readers := extract.Readers()
	if pdfs != nil {
		for i, r := range readers {
			if r.Kind.HoldsFiles() { // there may be PDFs in them
				readers[i].Limit = pdfs.Limit()
			}
		}
		readers = append(readers, pdfs.Reader())
	}
	return readers
}

// Read is the life of a process that reads files, which come by in, until that ends.
func Read(ctx context.Context, w ReadWork, in io.Reader, out io.Writer) error {
	o := w.sandbox()
	if w.Compile {
		return pdf.Compile(ctx, o)
	}
	var sandbox *pdf.Sandbox
	var painter extract.Painter
	wanting := false
	if w.PDF != PDFOff {
		sandbox = pdf.New(o)
		wanting = sandbox.Interprets() && o.Wanting()
		painter = sandbox.Painter()
		defer sandbox.Close()
	}
	return worker.Serve(ctx, worker.Serving{
		Readers: table(sandbox), Painter: painter, Memory: w.Memory,
		Slow: func(kind extract.Kind) bool { return wanting && kind == extract.PDF },
	}, in, out)
}

// reader is what reads files while a server runs.
type reader struct {
	readers []extract.Reader
	painter extract.Painter // zero: pages are not painted
	worker  *worker.Worker  // nil: in this process
	// pages is another, so that who looks at a page does not wait for what is read for
	// the index, nor that for them. It runs while pages are looked at.
	pages   *worker.Worker
	sandbox *pdf.Sandbox // in this process, or only to describe it
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// startReader starts no process yet: the first file does.
func startReader(o Options, log zerolog.Logger) *reader {
	cache := filepath.Join(o.Place.Data, readerName)
	work := ReadWork{Cache: cache, PDF: o.Reader.PDF, Memory: worker.DefaultMemory}
	r := &reader{}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(context.Background())
	if o.Reader.Path == "" {
		work.Cache = "" // nobody would fill it
		if work.PDF != PDFOff {
			work.PDF = PDFInterpreter
		}
	}
	if !o.unserved {
		tellRuns(o.Place.Data, work, log)
	}
	if work.PDF != PDFOff {
		r.sandbox = pdf.New(work.sandbox())
	}
	r.readers = table(r.sandbox)
	if r.sandbox != nil {
		r.painter = r.sandbox.Painter()
	}
	if o.Reader.Path == "" {
		return r
	}
	arguments := []string{o.Reader.Command, "--cache", cache, "--pdf", or(work.PDF, PDFAuto), "--memory", fmt.Sprint(work.Memory)}
	var once sync.Once
	options := worker.Options{
		Path: o.Reader.Path, Name: o.Reader.Name, Args: arguments, Memory: work.Memory,
		Slow: func() {
			once.Do(func() { r.running.Go(func() { r.compile(ctx, o, arguments, log) }) })
		},
	}
	r.worker, r.pages = worker.New(options), worker.New(options)
	r.readers = r.worker.Readers(r.readers)
	if r.sandbox != nil {
		r.painter = r.pages.Painter(r.painter.Version)
	}
	return r
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// compile makes the machine code in a process of its own, while files are read
// without it.
func (r *reader) compile(ctx context.Context, of Options, arguments []string, log zerolog.Logger) {
	o, data := of.Reader, of.Place.Data
	cmd := exec.CommandContext(ctx, o.Path, append(arguments, "--compile")...)
	cmd.Env = []string{}
	if o.Name != "" {
		cmd.Args[0] = o.Name
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() == nil {
			log.Warn().Err(err).Str("said", strings.TrimSpace(string(said))).Msg("the reader of PDFs cannot be compiled; they are read slowly")
		}
		return
	}
	if err := giveAll(data, filepath.Join(data, readerName)); err != nil {
		log.Warn().Err(err).Msg("the compiled reader of PDFs is not the vaults' owner's")
	}
	log.Debug().Msg("the reader of PDFs is compiled")
	r.worker.Restart(ctx)
	r.pages.Restart(ctx)
}

// stop ends what reads, whatever it reads.
func (r *reader) stop() error {
	r.cancel()
	if r.worker != nil {
		r.worker.Close()
		r.pages.Close()
	}
	r.running.Wait()
	if r.worker == nil && r.sandbox != nil {
		return r.sandbox.Close()
	}
	return nil
}

// tellRuns leaves word of what runs. Without it doctor does not know, and no more.
func tellRuns(data string, w ReadWork, log zerolog.Logger) {
	cache := filepath.Join(data, readerName)
	runs := "machine code"
	switch {
	case w.PDF == PDFOff:
		runs = "nothing, as it was told to (--pdf=off)"
	case w.PDF == PDFInterpreter:
		runs = "interpreter, as it was told to (--pdf=interpreter)"
	case !pdf.Compiles():
		runs = "interpreter, about ten times as slow: memory may not be both written and executed there, or there is no compiler for the machine"
		log.Info().Msg("PDFs are read by the interpreter, slowly: machine code may not be made here")
	}
	err := os.MkdirAll(cache, 0o700)
	if err == nil {
		err = os.WriteFile(filepath.Join(cache, runsName), []byte(runs+"\n"), 0o600)
	}
	if err == nil {
		err = giveAll(data, cache)
	}
	if err != nil {
		log.Warn().Err(err).Msg("what reads PDFs cannot be written down for doctor")
	}
}

// giveAll gives what root has made to whom the data directory belongs.
func giveAll(data, dir string) error {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	return errors.Join(err, datadir.GiveLike(data, paths...))
}

// PDFRuns says what the server of a data directory reads PDFs by, as it was last
// started; "" if it never was, or reads none.
func PDFRuns(data string) (string, error) {
	b, err := os.ReadFile(filepath.Join(data, readerName, runsName))
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}
