package extract

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// MinWidth and MaxWidth are how wide the picture of a page may be asked for, in pixels.
	MinWidth, MaxWidth = 64, 2400
	// MaxPixels is how large a picture gets: that of a longer page is narrower than it
	// was asked for.
	MaxPixels = 10_000_000
	// MaxPicture is how large one is in bytes.
	MaxPicture = 32 << 20
)

var (
	// ErrNotPaged: files of this kind have no pages here.
	ErrNotPaged = errors.New("the file is no PDF")
	// ErrNoPage: the file has fewer pages.
	ErrNoPage = errors.New("the file has no page with this number")
)

// Painted is a page as PNG.
type Painted struct {
	PNG   []byte
	Pages int // how many the file has; known with ErrNoPage too
}

// Painter makes pictures of the pages of PDFs.
type Painter struct {
	// Version rises when the pictures become better; those that are kept are made anew.
	Version int
	// Limit is how long one page may take; as that of a Reader.
	Limit time.Duration
	// Paint paints page number, counted from 1. Its errors are as those of a Reader.
	Paint func(ctx context.Context, f File, number, width int) (Painted, error)
}

// Page makes the picture of a page, so wide at most. The error is ErrNotPaged,
// ErrNoPage, that of ctx or of the file's bytes, ErrUnavailable, or one of those
// that say what is wrong with the file.
func Page(ctx context.Context, p Painter, f File, number, width int) (Painted, error) {
	kind, err := KindOf(ctx, f)
	switch {
	case err != nil:
		return Painted{}, err
	case kind != PDF:
		return Painted{}, ErrNotPaged
	case f.Size > MaxInput:
		return Painted{}, ErrTooLarge
	case number < 1:
		return Painted{}, ErrNoPage
	}
	picture, err := bounded(ctx, p.Limit, func(ctx context.Context) (_ Painted, err error) {
		defer guard(&err)
		return p.Paint(ctx, f, number, min(max(width, MinWidth), MaxWidth))
	})
	switch {
	case err == nil && len(picture.PNG) > MaxPicture:
		return Painted{}, ErrTooMuch
	case err == nil, errors.Is(err, ErrUnavailable):
		return picture, err
	case ctx.Err() != nil:
		return Painted{}, ctx.Err()
	}
	return picture, fmt.Errorf("%w", ErrorOf(reason(err)))
}
