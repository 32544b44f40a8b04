package daemon

import (
	"context"
	"errors"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/pages"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// pagesName is the directory of pictures in that of a vault. It may be deleted at any
// time, and is in no backup.
const pagesName = "pages"

// pictures are the pages of each vault, and what removes those of deleted documents.
type pictures struct {
	of      map[*engine.Vault]*pages.Pages
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// startPictures opens those of vaults. One whose directory cannot be had shows no
// pages, and serves all else. With a zero painter none is shown, nor kept.
func startPictures(at datadir.Place, vaults map[string]*engine.Vault, painter extract.Painter, log zerolog.Logger) *pictures {
	p := &pictures{of: map[*engine.Vault]*pages.Pages{}}
	var ctx context.Context
	ctx, p.cancel = context.WithCancel(context.Background())
	if painter.Paint == nil {
		painter.Paint = func(context.Context, extract.File, int, int) (extract.Painted, error) {
			return extract.Painted{}, extract.ErrUnavailable
		}
	}
	for name, v := range vaults {
		log := log.With().Str("vault", name).Logger()
		at.Vault = name
		of, err := pages.Open(v, filepath.Join(at.Dir(), pagesName), pages.Options{Painter: painter})
		if err != nil {
			log.Error().Err(err).Msg("pages are not shown; the directory of their pictures may be deleted")
			continue
		}
		p.of[v] = of
		p.running.Go(func() {
			for ctx.Err() == nil {
				if err := of.Run(ctx); err != nil {
					log.Error().Err(err).Msg("pictures of deleted documents cannot be removed; it is tried again")
				}
				wait(ctx, searchRetry)
			}
		})
	}
	return p
}

// stop gives up what is made. The vaults are open still.
func (p *pictures) stop() {
	p.cancel()
	p.running.Wait()
	for _, of := range p.of {
		of.Close()
	}
}

// Page implements httpapi.Pages.
func (p *pictures) Page(ctx context.Context, v *engine.Vault, version engine.Version, number, width int, begin func(context.Context) (func(), error)) ([]byte, int, error) {
	of := p.of[v]
	if of == nil {
		return nil, 0, &engine.UnavailableError{Reason: "pages", Err: errors.New("the directory of pictures could not be opened")}
	}
	painted, err := of.Page(ctx, version, number, width, begin)
	for _, why := range []error{extract.ErrTooLarge, extract.ErrEncrypted, extract.ErrTooLong, extract.ErrTooMuch, extract.ErrCrashed, extract.ErrMalformed} {
		if errors.Is(err, why) {
			return nil, painted.Pages, &httpapi.UnreadableError{Reason: why.Error()}
		}
	}
	switch {
	case errors.Is(err, extract.ErrNoPage):
		err = httpapi.ErrPageNotFound
	case errors.Is(err, extract.ErrNotPaged):
		err = httpapi.ErrNoPages
	case errors.Is(err, extract.ErrUnavailable):
		err = &engine.UnavailableError{Reason: "pages", Err: err}
	}
	return painted.PNG, painted.Pages, err
}
