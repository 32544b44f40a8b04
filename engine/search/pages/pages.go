// Package pages makes pictures of the pages of a vault's PDFs when they are asked
// for, and keeps them on disk for a while.
//
// They lie in a directory of their own, below that of the vault, as
// <document>/<page>of<pages>-<width>-<version>-<digest>.png. All of it is derived and
// may be deleted at any time, is in no backup, and takes no more than Options.MaxBytes:
// the picture that was longest not asked for goes first. [Pages.Run] reads the log, and
// removes the pictures of documents that are deleted or erased; at its start also those
// that a crash has left.
package pages

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/search/extract"
)

const (
	// DefaultWidth is in pixels.
	DefaultWidth = 1000
	// DefaultMaxBytes is how much all pictures of a vault may take.
	DefaultMaxBytes = 512 << 20
	// A page that cannot be painted is not tried again for a while: it costs the most.
	failedFor = 10 * time.Minute
	maxFailed = 1000
	// gather is the least time from one look at the log to the next: hardly an entry
	// concerns a picture.
	gather = 250 * time.Millisecond
)

var errStopped = fmt.Errorf("%w: it was told to stop", extract.ErrUnavailable)

// Options of the pictures of a vault.
type Options struct {
	Painter  extract.Painter
	MaxBytes int64 // on disk; 0 is DefaultMaxBytes
}

// Pages are the pictures of a vault. They are safe for concurrent use.
type Pages struct {
	vault   *engine.Vault
	painter extract.Painter
	kept    *kept

	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu      sync.Mutex
	running sync.WaitGroup // of flights; none is added once ctx has ended
	flights map[key]*flight
	failed  map[key]failure
}

// key names a picture.
type key struct {
	document      string
	digest        engine.Digest
	number, width int
}

// flight is a picture that is being made, and how many wait for it. It is given up
// when nobody does.
type flight struct {
	cancel  context.CancelFunc
	waiting int
	done    chan struct{} // closed when the rest is there
	painted extract.Painted
	err     error
}

type failure struct {
	err   error
	pages int
	until time.Time
}

// Open opens the directory, and makes it. It is one process's at a time, as the vault
// is. The caller closes it before the vault.
func Open(v *engine.Vault, dir string, o Options) (*Pages, error) {
	if o.MaxBytes == 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	kept, err := openKept(dir, o.Painter.Version, o.MaxBytes)
	if err != nil {
		return nil, err
	}
	p := &Pages{vault: v, painter: o.Painter, kept: kept, flights: map[key]*flight{}, failed: map[key]failure{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Close gives up what is being made.
func (p *Pages) Close() {
	p.mu.Lock()
	p.cancel() // nobody begins anything after this
	p.mu.Unlock()
	p.running.Wait()
}

// Page returns the picture of a page of a version, so wide at most. Before one is made,
// begin is called, which may have the caller wait its turn or refuse; nil does neither.
// Who asks for what is being made already waits for that. The errors are those of
// [extract.Page]; ErrDocumentDeleted and the like when the version is gone.
func (p *Pages) Page(ctx context.Context, v engine.Version, number, width int, begin func(context.Context) (end func(), err error)) (extract.Painted, error) {
	k := key{v.DocumentID, v.Digest, number, width}
	if painted, err := p.kept.get(k); err == nil {
		return painted, nil
	}
	p.mu.Lock()
	if p.ctx.Err() != nil {
		p.mu.Unlock()
		return extract.Painted{}, errStopped
	}
	if f, ok := p.failed[k]; ok && time.Now().Before(f.until) {
		p.mu.Unlock()
		return extract.Painted{Pages: f.pages}, f.err
	}
	f := p.flights[k]
	if f == nil {
		f = &flight{done: make(chan struct{})}
		p.flights[k] = f
		var making context.Context
		making, f.cancel = context.WithCancel(p.ctx)
		p.running.Add(1)
		go func() {
			defer p.running.Done()
			p.fly(making, f, k, v, begin)
		}()
	}
	f.waiting++
	p.mu.Unlock()
	select {
	case <-f.done:
		p.leave(k, f)
		if p.ctx.Err() != nil && errors.Is(f.err, context.Canceled) {
			return extract.Painted{}, errStopped
		}
		return f.painted, f.err
	case <-ctx.Done():
		p.leave(k, f)
		return extract.Painted{}, ctx.Err()
	}
}

// leave is called by who waits no more.
func (p *Pages) leave(k key, f *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.waiting--; f.waiting > 0 {
		return
	}
	f.cancel()
	if p.flights[k] == f {
		delete(p.flights, k) // the next to ask must not wait for what is given up
	}
}

// fly makes a picture.
func (p *Pages) fly(ctx context.Context, f *flight, k key, v engine.Version, begin func(context.Context) (func(), error)) {
	f.painted, f.err = p.make(ctx, k, v, begin)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flights[k] == f {
		delete(p.flights, k)
	}
	if f.err != nil && lasting(f.err) {
		for k, f := range p.failed {
			if len(p.failed) >= maxFailed || time.Now().After(f.until) {
				delete(p.failed, k)
			}
		}
		p.failed[k] = failure{f.err, f.painted.Pages, time.Now().Add(failedFor)}
	}
	close(f.done)
}

// lasting reports whether an error would come again.
func lasting(err error) bool {
	for _, is := range []error{extract.ErrTooLong, extract.ErrTooMuch, extract.ErrCrashed, extract.ErrMalformed, extract.ErrEncrypted} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

func (p *Pages) make(ctx context.Context, k key, v engine.Version, begin func(context.Context) (func(), error)) (extract.Painted, error) {
	if begin != nil {
		end, err := begin(ctx)
		if err != nil {
			return extract.Painted{}, err
		}
		defer end()
	}
	file, err := p.vault.LogReader().OpenContent(ctx, &v)
	if err != nil {
		return extract.Painted{}, err
	}
	defer file.Close()
	painted, err := extract.Page(ctx, p.painter, extract.File{ReaderAt: extract.At(file), Size: v.Size, MediaType: v.MediaType, Name: v.FileName}, k.number, k.width)
	if err != nil {
		return painted, err
	}
	// What cannot be kept, on a full disk, is shown all the same.
	p.kept.put(k, painted)
	// The document may have been deleted meanwhile. If that comes later, Run sees it.
	if _, err := p.vault.Version(ctx, v.DocumentID, v.Number); err != nil {
		if gone(err) {
			p.kept.remove(v.DocumentID)
		}
		return extract.Painted{}, err
	}
	return painted, nil
}

func gone(err error) bool {
	return errors.Is(err, engine.ErrDocumentDeleted) || errors.Is(err, engine.ErrDocumentNotFound)
}

// Run removes the pictures of what is deleted, until ctx ends. It returns nil then.
func (p *Pages) Run(ctx context.Context) error {
	after := p.vault.Head().Seq
	if err := p.sweep(ctx); err != nil {
		return ended(ctx, err)
	}
	for {
		if err := p.vault.Wait(ctx, after); err != nil {
			return ended(ctx, err)
		}
		page, err := p.vault.Entries(ctx, engine.EntryQuery{After: after, Limit: 500})
		if err != nil {
			return ended(ctx, err)
		}
		for _, e := range page.Items {
			after = e.Seq
			switch e.Op {
			case audit.OpDocumentDeleted:
				err = errors.Join(err, p.kept.remove(e.Document))
			case audit.OpErasureCompleted:
				err = errors.Join(err, p.sweep(ctx))
			}
		}
		if err != nil {
			return ended(ctx, err)
		}
		if page.NextAfter == 0 {
			rest := time.NewTimer(gather)
			select {
			case <-rest.C:
			case <-ctx.Done():
			}
			rest.Stop()
		}
	}
}

func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// sweep removes the pictures of documents that are not there.
func (p *Pages) sweep(ctx context.Context) error {
	for _, id := range p.kept.documents() {
		_, err := p.vault.Document(ctx, id)
		if gone(err) {
			err = p.kept.remove(id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
