package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"strongroom/engine"
)

const (
	// maxDrained is how much of an answer's body is read so that its connection
	// can be used again; nobody looks at it.
	maxDrained = 4 << 10
	// maxError bounds what is kept of an error, in bytes.
	maxError = 300
)

// outcome is what became of one attempt.
type outcome struct {
	at     time.Time // when it was over
	status int       // 0: no answer
	asked  time.Duration
	err    error // nil: delivered
}

func (o outcome) delivered() bool { return o.err == nil }

func (o outcome) gone() bool { return o.status == http.StatusGone }

// refused says that the endpoint is there and would not have this message. What
// stands before an endpoint answers for it when it is not there, and one that has
// too much would have none.
func (o outcome) refused() bool {
	switch o.status {
	case 0, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return o.err != nil
}

// attempt sends an event to a target once.
func (c *client) attempt(ctx context.Context, e event, target engine.WebhookTarget) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := request(ctx, e, target, time.Now())
	if err != nil {
		return outcome{at: time.Now(), err: err}
	}
	answer, err := c.do(r)
	if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) { // and not that of one address of several
		err = fmt.Errorf("no answer within %v", patience)
	}
	if err != nil {
		return outcome{at: time.Now(), err: err}
	}
	io.CopyN(io.Discard, answer.Body, maxDrained)
	answer.Body.Close()
	o := outcome{at: time.Now(), status: answer.StatusCode}
	if o.status < 200 || o.status > 299 {
		o.err = fmt.Errorf("the endpoint answered %d", o.status)
		if o.status >= 300 && o.status <= 399 {
			o.err = fmt.Errorf("%w, and redirects are not followed: change the URL", o.err)
		}
		o.asked = retryAfter(answer.Header, o.at)
	}
	return o
}

// delivery is the attempt as it is shown.
func (o outcome) delivery(seq uint64, op string, attempt uint64) engine.Delivery {
	d := engine.Delivery{
		Seq: seq, Type: op, Attempt: attempt, At: o.at.UTC().Truncate(time.Millisecond),
		Status: engine.DeliveryDone, HTTPStatus: o.status,
	}
	if o.err != nil {
		d.Status, d.Error = engine.DeliveryFailed, printable(o.err.Error())
	}
	return d
}

// printable makes one short line of an error, part of which an endpoint may have
// written.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	if len(s) > maxError {
		s = strings.ToValidUTF8(s[:maxError], "") + "…"
	}
	return s
}
