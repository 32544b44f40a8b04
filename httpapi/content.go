package httpapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"strongroom/engine"
)

type contentInput struct {
	ID     string        `path:"id"`
	Number versionNumber `path:"n"`
	Inline bool          `query:"inline" doc:"To be shown in the browser instead of saved, if it is a PDF, text, an image, sound or video."`
}

type currentContentInput struct {
	ID string `path:"id"`
	reading
	Inline bool `query:"inline" doc:"To be shown in the browser instead of saved, if it is a PDF, text, an image, sound or video."`
}

func downloadCurrent(c caller, x *exchange, r *http.Request, in currentContentInput) error {
	return download(c, x, r, in.ID, 0, in.reading, in.Inline)
}

func downloadVersion(c caller, x *exchange, r *http.Request, in contentInput) error {
	return download(c, x, r, in.ID, uint64(in.Number), reading{}, in.Inline)
}

// download sends the bytes of a version; number 0 is the current one, of the
// scratchpad for its holder. The content is opened, which may be an audit entry
// of its own, only when bytes of it are going to be sent.
func download(c caller, x *exchange, r *http.Request, id string, number uint64, reading reading, inline bool) error {
	r = understood(r)
	if r.Method == http.MethodHead || conditional(r.Header) {
		v, err := c.content(r.Context(), id, number, reading)
		if err != nil {
			return err
		}
		describeContent(x.Header(), v, inline)
		if answered, err := withoutBytes(x, r, v.CreatedAt, v.Size); answered || err != nil {
			return err
		}
		number = v.Number // the one that was decided on, should another become current
	}
	v, file, receipt, err := c.open(r.Context(), id, number, reading)
	if err != nil {
		return err
	}
	defer file.Close()
	describeContent(x.Header(), v, inline)
	x.receipt(receipt)
	http.ServeContent(x, r, "", v.CreatedAt, file)
	return nil
}

// content is the version whose bytes are asked for.
func (c caller) content(ctx context.Context, id string, number uint64, reading reading) (engine.Version, error) {
	if number > 0 || reading.token() == "" {
		return c.vault.Version(ctx, id, number)
	}
	d, err := c.document(ctx, id, reading)
	if err != nil {
		return engine.Version{}, err
	}
	return *d.Current, nil
}

func (c caller) open(ctx context.Context, id string, number uint64, reading reading) (engine.Version, io.ReadSeekCloser, engine.Receipt, error) {
	if token := reading.token(); number == 0 && token != "" {
		v, file, receipt, err := c.vault.OpenSketch(ctx, c.actor, id, engine.Condition{LockToken: token})
		if !errors.Is(err, engine.ErrNotLocked) {
			return v, file, receipt, err
		}
	}
	return c.vault.OpenContent(ctx, c.actor, id, number)
}

// understood is the request with Range as net/http spells it, or without, if it
// has to be ignored: on another method than GET, or in another unit than bytes
// (RFC 9110 sections 14.1 and 14.2).
func understood(r *http.Request) *http.Request {
	given := r.Header.Get("Range")
	if given == "" {
		return r
	}
	r = r.Clone(r.Context())
	unit, ranges, _ := strings.Cut(given, "=")
	if r.Method == http.MethodGet && strings.EqualFold(unit, "bytes") {
		r.Header.Set("Range", "bytes="+ranges)
	} else {
		r.Header.Del("Range")
	}
	return r
}

// withoutBytes answers a request if no byte of the content, which is of this time and
// size, belongs to the answer.
func withoutBytes(x *exchange, r *http.Request, at time.Time, size int64) (answered bool, err error) {
	switch status := rehearse(x.Header(), r, at, size); {
	case status == http.StatusPreconditionFailed:
		return false, errPrecondition
	case status == http.StatusRequestedRangeNotSatisfiable:
		x.Header().Set("Content-Range", "bytes */"+strconv.FormatInt(size, 10))
		return false, errRange
	case r.Method == http.MethodHead || status == http.StatusNotModified:
		http.ServeContent(x, r, "", at, &measure{size: size})
		return true, nil
	}
	return false, nil
}

// describeContent says in the header all there is to say of a version's bytes.
func describeContent(h http.Header, v engine.Version, inline bool) {
	kind, name := "attachment", v.FileName
	if inline && isShown(v.MediaType) {
		kind = "inline"
	}
	if name == "" {
		name = v.DocumentID
	}
	h.Set("Content-Type", v.MediaType)
	h.Set("Content-Disposition", disposition(kind, name))
	h.Set("ETag", `"`+v.Digest.String()+`"`)
	h.Set("Repr-Digest", reprDigest(v.Digest))
	// A copy may be kept, but only by the client itself, and asked about each
	// time: what it may see can change.
	h.Set("Cache-Control", "private, no-cache")
	// What was uploaded is never a page of this server's: no guessing, no
	// scripts, no origin, and nothing that it would load.
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
}

// inlineTypes are what a browser may show in the place of a page: formats in
// which nothing can run. All else is saved, whatever was asked for.
var inlineTypes = []string{
	"application/pdf", "text/plain", "text/csv", "text/markdown",
	"image/avif", "image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp",
	"audio/flac", "audio/mp4", "audio/mpeg", "audio/ogg", "audio/wav", "audio/webm", "video/mp4", "video/ogg", "video/webm",
}

// isShown reports whether a browser may show what is of this media type.
func isShown(mediaType string) bool {
	base, _, _ := strings.Cut(mediaType, ";")
	return slices.Contains(inlineTypes, strings.ToLower(strings.TrimSpace(base)))
}

// conditional reports whether the answer may be another than all bytes.
func conditional(h http.Header) bool {
	for _, name := range []string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "Range"} {
		if h.Get(name) != "" {
			return true
		}
	}
	return false
}

// rehearse returns the status the request will be answered with, by asking
// net/http for the answer without bytes: RFC 9110's conditions and ranges stay
// its business.
func rehearse(header http.Header, r *http.Request, at time.Time, size int64) int {
	dry := &dryRun{header: header.Clone(), status: http.StatusOK}
	head := r.Clone(r.Context())
	head.Method = http.MethodHead
	http.ServeContent(dry, head, "", at, &measure{size: size})
	return dry.status
}

type dryRun struct {
	header http.Header
	status int
}

func (d *dryRun) Header() http.Header         { return d.header }
func (d *dryRun) Write(b []byte) (int, error) { return len(b), nil }
func (d *dryRun) WriteHeader(status int)      { d.status = status }

// measure is content of which only the size is known.
type measure struct{ size, at int64 }

func (m *measure) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (m *measure) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		m.at = offset
	case io.SeekCurrent:
		m.at += offset
	case io.SeekEnd:
		m.at = m.size + offset
	}
	return m.at, nil
}
