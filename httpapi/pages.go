package httpapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"strongroom/engine"
)

// Pages makes pictures of the pages of files. Package engine/search/pages does;
// whoever makes the server adapts it to this.
type Pages interface {
	// Page returns the picture of a page of a version, as PNG and so wide at most, and
	// how many pages there are. Before it is made, and not for one that is there, begin
	// is called, which waits for a turn; who has it calls end. The caller has seen to it
	// that the version may be shown. ErrPageNotFound, with the number of pages, if there
	// is no such page; ErrNoPages for a file that has none; *UnreadableError for one of
	// which none can be made; *engine.UnavailableError.
	Page(ctx context.Context, v *engine.Vault, version engine.Version, number, width int, begin func(context.Context) (end func(), err error)) (png []byte, pages int, err error)
}

var (
	// ErrPageNotFound is Pages' answer about a page that is not there.
	ErrPageNotFound = errors.New("no such page")
	// ErrNoPages is Pages' answer about a file that has no pages.
	ErrNoPages = errors.New("only a PDF has pages")

	errUnreadable = errors.New("unreadable file")
)

// UnreadableError is Pages' answer about a file that is broken, encrypted or too much.
type UnreadableError struct{ Reason string }

func (e *UnreadableError) Error() string { return e.Reason }
func (e *UnreadableError) Unwrap() error { return errUnreadable }

// pageError says of a page that is not there how many there are.
type pageError struct{ pages int }

func (e *pageError) Error() string { return ErrPageNotFound.Error() }
func (e *pageError) Unwrap() error { return ErrPageNotFound }

// pageNumber is the number of a page in a path, as a versionNumber.
type pageNumber int

func (n *pageNumber) bind(s string) error {
	number, err := strconv.ParseUint(s, 10, 63)
	if err != nil || number == 0 || strconv.FormatUint(number, 10) != s {
		return ErrPageNotFound
	}
	*n = pageNumber(min(number, math.MaxInt32))
	return nil
}

const (
	defaultWidth = 1000
	// pagesAtATime may be under way, half of them of one user. A reader paints one at
	// a time; more than that and the queue are refused.
	pagesAtATime = 8
	// pagePatience is how long a picture waits for its turn.
	pagePatience = 15 * time.Second
)

var errPages = &limitedError{after: 2 * time.Second, message: "as many pages are being made as this server makes at a time, or for one user; try again in a moment"}

func (s *Server) pageRoutes() []route {
	if s.options.Pages == nil {
		return nil
	}
	return []route{
		stream("GET", "/v1/documents/:id/versions/:n/pages/:p.png", view, "Read a page of a PDF as a picture", "image/png", s.versionPage,
			noDocument, noVersion, deleted, ErrPageNotFound, ErrNoPages, errUnreadable, errPrecondition, errRange, ErrLimited, noSpace),
	}
}

type pageInput struct {
	ID     string        `path:"id"`
	Number versionNumber `path:"n"`
	Page   pageNumber    `path:"p" doc:"Counted from 1. The header Page-Count of an answer says how many there are."`
	Width  uint64        `query:"width" min:"64" max:"2400" default:"1000" doc:"In pixels. The height follows; a picture of more than ten million pixels is narrower."`
}

// versionPage answers with a page of a version. It is read as its file is: who reads
// it is recorded if the settings say so.
func (s *Server) versionPage(c caller, x *exchange, r *http.Request, in pageInput) error {
	r = understood(r)
	v, err := c.vault.Version(r.Context(), in.ID, uint64(in.Number))
	if err != nil {
		return err
	}
	width := int(in.Width)
	if width == 0 {
		width = defaultWidth
	}
	picture, pages, err := s.Picture(r.Context(), c.vault, c.actor, v, int(in.Page), width)
	if errors.Is(err, ErrPageNotFound) {
		x.Header().Set("Page-Count", strconv.Itoa(pages))
		return &pageError{pages}
	}
	if err != nil {
		return err
	}
	h := x.Header()
	h.Set("Content-Type", "image/png")
	h.Set("Page-Count", strconv.Itoa(pages))
	h.Set("ETag", fmt.Sprintf(`"%s/%d/%d"`, v.Digest, in.Page, width))
	h.Set("Cache-Control", "private, no-cache") // see describeContent
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	if answered, err := withoutBytes(x, r, time.Time{}, int64(len(picture))); answered || err != nil {
		return err
	}
	if err := c.vault.RecordShown(r.Context(), c.actor, []engine.Document{{ID: v.DocumentID, Current: &v}}); err != nil {
		return err
	}
	http.ServeContent(x, r, "", time.Time{}, bytes.NewReader(picture))
	return nil
}

// Picture makes the picture of a page as Options.Pages does, when it is the actor's
// turn. It is for pages beside the API, which share its turns. The caller has seen to
// it that the actor may be shown the version, and records that it was. Errors are
// those of Pages, and that of too many at a time; ErrNoPages where nobody makes any.
func (s *Server) Picture(ctx context.Context, vault *engine.Vault, actor engine.Actor, version engine.Version, number, width int) (png []byte, pages int, err error) {
	if s.options.Pages == nil {
		return nil, 0, ErrNoPages
	}
	c := caller{vault: vault, actor: actor}
	return s.options.Pages.Page(ctx, vault.As(engine.System()), version, number, width, func(ctx context.Context) (func(), error) {
		return s.pages.begin(ctx, c.spender())
	})
}

// suffixed are the segments of a path of which a pattern says how they end, without
// that: of ":p.png" it is p.
func suffixed(p httprouter.Params) (httprouter.Params, error) {
	for i := range p {
		name, ending, has := strings.Cut(p[i].Key, ".")
		if !has {
			continue
		}
		value, ok := strings.CutSuffix(p[i].Value, "."+ending)
		if !ok {
			return nil, errNotFound
		}
		p[i] = httprouter.Param{Key: name, Value: value}
	}
	return p, nil
}
