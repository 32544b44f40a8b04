package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"strongroom/blobstore/object"
)

// errSilent says that the store has taken and sent nothing for as long as patience
// goes.
var errSilent = errors.New("the store is silent")

// call is what happens to one request, beyond what the S3 client tells: its answers
// have no header, and of a 404 without a body it says what the path suggests. The
// client hands its context on to the transport, which fills this in.
type call struct {
	patience time.Duration
	status   int       // 0: there was no answer
	now      time.Time // the Date of the answer
	says     []byte    // the beginning of an answer that something is missing
}

type callKey struct{}

func (c *Client) call(ctx context.Context) (context.Context, *call) {
	call := &call{patience: c.patience}
	return context.WithValue(ctx, callKey{}, call), call
}

func (c *call) info(key, etag string, size int64, modified time.Time) (object.Info, error) {
	// An empty one would be no condition at all when it comes back as Match.
	if etag == "" {
		return object.Info{}, fmt.Errorf("the store tells no ETag of %s", key)
	}
	if size < 0 {
		return object.Info{}, fmt.Errorf("the store tells no size of %s", key)
	}
	if modified.IsZero() {
		modified = c.now
	}
	return object.Info{Key: key, ETag: etag, Size: size, Modified: modified.UTC(), Now: c.now}, nil
}

// wire watches every request: it ends what is silent for too long, on the way there
// and back, and keeps what a call needs to know of the answer.
type wire struct{ below http.RoundTripper }

func (w *wire) RoundTrip(req *http.Request) (*http.Response, error) {
	call, ok := req.Context().Value(callKey{}).(*call)
	if !ok {
		return nil, errors.New("a request that no call has made")
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	watch := &watch{patience: call.patience}
	watch.timer = time.AfterFunc(call.patience, func() { cancel(errSilent) })
	req = req.WithContext(ctx)
	if req.Body != nil && req.Body != http.NoBody {
		req.Body = &watched{req.Body, watch, ctx, nil}
	}
	res, err := w.below.RoundTrip(req)
	watch.timer.Stop()
	if err != nil {
		err = becauseOf(ctx, err)
		cancel(nil)
		return nil, err
	}
	call.status = res.StatusCode
	if now, err := http.ParseTime(res.Header.Get("Date")); err == nil {
		call.now = now.UTC()
	}
	res.Body = &watched{res.Body, watch, ctx, func() { watch.timer.Stop(); cancel(nil) }}
	if res.StatusCode == http.StatusNotFound {
		call.says, _ = io.ReadAll(io.LimitReader(res.Body, 64<<10))
		rest := res.Body
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(call.says), rest), rest}
	}
	return res, nil
}

// becauseOf names silence, which the transport only knows as a cancelled context.
func becauseOf(ctx context.Context, err error) error {
	if err != nil && err != io.EOF && context.Cause(ctx) == errSilent {
		return errSilent
	}
	return err
}

type watch struct {
	patience time.Duration
	timer    *time.Timer
}

// watched is a body on its way. Of a request it is progress when the transport asks
// for more, which it does when the store has taken what there was; of an answer the
// time is measured in which a Read waits, not that in which nobody reads.
type watched struct {
	io.ReadCloser
	watch *watch
	ctx   context.Context
	close func() // of an answer
}

func (w *watched) Read(p []byte) (int, error) {
	w.watch.timer.Reset(w.watch.patience)
	n, err := w.ReadCloser.Read(p)
	if w.close == nil {
		w.watch.timer.Reset(w.watch.patience)
		return n, err
	}
	w.watch.timer.Stop()
	return n, becauseOf(w.ctx, err)
}

func (w *watched) Close() error {
	err := w.ReadCloser.Close()
	if w.close != nil {
		w.close()
	}
	return err
}
