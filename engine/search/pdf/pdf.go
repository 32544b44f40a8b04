// Package pdf reads the text of PDFs with PDFium, the library of Chrome, as
// WebAssembly: a sandbox in which a file that breaks PDFium breaks nothing else.
// It has no file system, no network and no more memory than [MaxMemory], and each
// file is read in an instance of its own, which is closed when the context ends.
//
// The libraries are go-pdfium (MIT), PDFium itself (BSD and Apache-2.0) and wazero
// (Apache-2.0), which runs WebAssembly without cgo. They add 11 MB to a program.
//
// wazero compiles PDFium to machine code, which takes some seconds of a processor
// and 400 MiB, once: the result, 22 MB, is kept in a directory ([Options].Cache)
// and taken from there in a tenth of a second. Where memory may not be both
// written and executed, and on machines it has no compiler for, wazero
// interprets, ten to fifteen times as slow; so the time a file may take is longer then.
package pdf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/klippa-app/go-pdfium"
	"github.com/klippa-app/go-pdfium/webassembly"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental"

	"strongroom/engine/search/extract"
)

const (
	// MaxMemory is how much an instance has, in bytes.
	MaxMemory = 256 << 20
	pageSize  = 64 << 10 // of WebAssembly

	// How long a file may take, by what runs.
	compiledLimit    = extract.DefaultLimit
	interpretedLimit = 6 * extract.DefaultLimit

	// version names the libraries, and with them a cache. A test compares it with go.mod.
	version = "go-pdfium-v1.21.4-wazero-v1.12.0"
)

// Options of a sandbox. The zero value compiles where it can, each time anew.
type Options struct {
	// Interpret never makes machine code.
	Interpret bool
	// Cache is the directory machine code is kept in: nobody else may write to it.
	// With one, the sandbox compiles only what [Compile] has put there, and
	// interprets until then. "": none.
	Cache string
	// Limit is how long a file may take. 0: what is right for what runs.
	Limit time.Duration
}

// Compiles reports whether machine code can be made and run in this process.
func Compiles() (can bool) {
	defer func() {
		if recover() != nil { // wazero's answer on machines it does not know
			can = false
		}
	}()
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	defer r.Close(ctx)
	// A module with one function, which does nothing.
	_, err := r.CompileModule(ctx, []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x04\x01\x02\x00\x0b"))
	return err == nil
}

func (o Options) place() string { return filepath.Join(o.Cache, version+"-"+runtime.GOARCH) }

// Compiled reports whether the cache has the machine code of this version.
func (o Options) Compiled() bool {
	if o.Cache == "" {
		return false
	}
	_, err := os.Stat(o.place())
	return err == nil
}

// Wanting reports whether [Compile] would make reading faster.
func (o Options) Wanting() bool {
	return !o.Interpret && o.Cache != "" && !o.Compiled() && Compiles()
}

func (o Options) interprets() bool {
	return o.Interpret || o.Cache != "" && !o.Compiled() || !Compiles()
}

// Compile puts machine code into the cache, and removes that of other versions.
// It takes some seconds and 400 MiB of memory. It must not run twice at a time.
func Compile(ctx context.Context, o Options) error {
	if err := os.MkdirAll(o.Cache, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(o.Cache)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "go-pdfium-") {
			continue // it is not ours
		}
		if err := os.RemoveAll(filepath.Join(o.Cache, e.Name())); err != nil {
			return err
		}
	}
	aside := o.place() + ".new"
	if err := os.Mkdir(aside, 0o700); err != nil {
		return err
	}
	pool, err := start(context.WithoutCancel(ctx), false, aside)
	if err != nil {
		return err
	}
	if err := pool.Close(); err != nil {
		return err
	}
	return os.Rename(aside, o.place())
}

// start makes a pool that has no instance yet.
func start(ctx context.Context, interpret bool, cache string) (pdfium.Pool, error) {
	config := wazero.NewRuntimeConfigInterpreter()
	if !interpret {
		config = wazero.NewRuntimeConfigCompiler()
	}
	if cache != "" {
		c, err := wazero.NewCompilationCacheWithDir(cache)
		if err != nil {
			return nil, err
		}
		config = config.WithCompilationCache(c)
	}
	config = config.WithCoreFeatures(api.CoreFeaturesV2 | experimental.CoreFeaturesExceptionHandling).
		WithMemoryLimitPages(MaxMemory / pageSize).WithCloseOnContextDone(true)
	return webassembly.Init(webassembly.Config{
		Context: ctx,
		MaxIdle: 1, MaxTotal: 1,
		FSConfig:      wazero.NewFSConfig(), // nil would be all files of this machine
		RuntimeConfig: config, Stdout: io.Discard, Stderr: io.Discard,
	})
}

// Sandbox reads PDFs, one at a time. Its methods may be called from many
// goroutines.
type Sandbox struct {
	options   Options
	interpret bool

	mu      sync.Mutex // held while a file is read
	pool    pdfium.Pool
	memory  *memory
	running *running
}

// New returns a sandbox. Nothing is started before the first file.
func New(o Options) *Sandbox { return &Sandbox{options: o, interpret: o.interprets()} }

// Interprets reports whether it runs without machine code.
func (s *Sandbox) Interprets() bool { return s.interpret }

// Reader is the sandbox as a reader.
func (s *Sandbox) Reader() extract.Reader {
	return extract.Reader{Kind: extract.PDF, Version: Version, Limit: s.Limit(), Read: s.read}
}

// Version is that of the reader.
const Version = 3

// Limit is how long a file may take.
func (s *Sandbox) Limit() time.Duration {
	switch {
	case s.options.Limit > 0:
		return s.options.Limit
	case s.interpret:
		return interpretedLimit
	}
	return compiledLimit
}

// Start makes it ready, which the first file would wait for.
func (s *Sandbox) Start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.start(ctx)
}

// start is called with mu held.
func (s *Sandbox) start(ctx context.Context) error {
	if s.pool != nil {
		return nil
	}
	cache := ""
	if !s.interpret && s.options.Cache != "" {
		cache = s.options.place()
	}
	memory := &memory{}
	running := newRunning(experimental.WithMemoryAllocator(context.WithoutCancel(ctx), memory))
	pool, err := start(running, s.interpret, cache)
	if err != nil {
		return fmt.Errorf("%w: PDFium does not start: %w", extract.ErrUnavailable, err)
	}
	s.pool, s.memory, s.running = pool, memory, running
	return nil
}

// Close gives back what it took.
func (s *Sandbox) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool == nil {
		return nil
	}
	err := s.pool.Close()
	s.memory.close()
	s.pool, s.memory = nil, nil
	return err
}

func (s *Sandbox) read(ctx context.Context, f extract.File, out *extract.Output) error {
	return s.within(ctx, func(instance pdfium.Pdfium) error {
		d, err := open(instance, f)
		if err != nil {
			return err
		}
		return d.text(ctx, out)
	})
}

// within does something in an instance of its own, which does not outlive ctx.
func (s *Sandbox) within(ctx context.Context, do func(pdfium.Pdfium) error) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.start(ctx); err != nil {
		return err
	}
	ended := make(chan struct{})
	killed := context.AfterFunc(ctx, func() { defer close(ended); s.running.stop() })
	defer func() {
		if !killed() {
			<-ended
		}
		s.running.restart()
		s.memory.takeBack()
		// PDFium that ran out of memory or met its own checks ends in a trap.
		if err != nil && ctx.Err() != nil {
			err = ctx.Err()
		}
	}()
	instance, err := s.pool.GetInstanceWithContext(ctx)
	if err != nil {
		return errors.Join(ctx.Err(), extract.ErrUnavailable, err)
	}
	defer instance.Close()
	return do(instance)
}
