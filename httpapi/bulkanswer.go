package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
)

// bulkStep is how many documents are changed before a result is seen.
const bulkStep = 128

// bulkOutcome is what became of one change: a result whose Result is yet to be
// told.
type bulkOutcome struct {
	changed bool
	err     error
	BulkResult
}

// bulkSteps does some more of a bulk change, and says whether there is more to do.
type bulkSteps func(context.Context) (outcomes []bulkOutcome, more bool, err error)

// tried are the steps of a dry run that makes one change to all. Each step is taken
// back before the next, so that of what is named again in a later one it must be
// remembered that it would be changed by then.
func tried(step bulkSteps) bulkSteps {
	seen := map[string]bool{}
	return func(ctx context.Context) ([]bulkOutcome, bool, error) {
		outcomes, more, err := step(ctx)
		for i := range outcomes {
			o := &outcomes[i]
			if what := o.ID + o.HoldID; o.changed {
				o.changed, seen[what] = !seen[what], true
			}
		}
		return outcomes, more, err
	}
}

// inSteps does the work of a bulk change step by step and answers. Each change is
// one of its own, so whatever ends the work early, what was told is done and
// repeating is harmless.
func (s *Server) inSteps(x *exchange, r *http.Request, step bulkSteps) error {
	out := &bulkAnswer{x: x, lines: strings.Contains(strings.Join(r.Header.Values("Accept"), ","), ndjson)}
	for {
		outcomes, more, err := step(r.Context())
		if err == nil {
			err = r.Context().Err() // the outcomes of those that were left are no answers
		}
		if err != nil {
			return err
		}
		for _, o := range outcomes {
			if err := out.add(o); err != nil {
				return err
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
		if !more {
			return out.end()
		}
	}
}

// maxHeld is how many bytes of results are held back. Most answers are shorter
// and are sent at the end, so that what fails before is told as an error; and a
// client that reads nothing until it has sent everything is not kept waiting by
// an answer that it does not take, nor this program by the client.
const maxHeld = 8 << 20

// bulkAnswer writes the answer to a bulk change: for a client that accepts
// lines, each result is a line, sent while the work goes on, and the counts come
// last. For any other it is one object, a BulkAnswer, of which the results that
// are more than maxHeld are sent early too.
type bulkAnswer struct {
	x     *exchange
	lines bool
	held  bytes.Buffer // results that are not sent yet
	count BulkCounts
}

func (a *bulkAnswer) add(o bulkOutcome) error {
	switch {
	case o.err != nil:
		a.count.Failed++
		_, body, known := a.x.describe(o.err)
		if !known {
			a.x.server.options.Logger.Error().Str("request", a.x.id).Err(o.err).Msg("internal error")
		}
		o.Result, o.ErrorCode, o.Message = "failed", body.ErrorCode, body.Message
	case o.changed:
		a.count.Changed++
		o.Result = "changed"
	default:
		a.count.Unchanged++
		o.Result = "unchanged"
	}
	if !a.lines {
		a.held.WriteString(a.before())
	}
	a.count.Matched++
	return a.encode(o.BulkResult)
}

// before is what stands in JSON before the next result, or before the end of
// the results.
func (a *bulkAnswer) before() string {
	if a.count.Matched == 0 {
		return `{"results":[`
	}
	return ","
}

func (a *bulkAnswer) encode(part any) error {
	e := json.NewEncoder(&a.held)
	e.SetEscapeHTML(false)
	if err := e.Encode(part); err != nil {
		return err
	}
	if !a.lines {
		a.held.Truncate(a.held.Len() - len("\n"))
	}
	return nil
}

// flush sends the results there are, if they are lines or more than is held.
func (a *bulkAnswer) flush() error {
	if !a.lines && a.held.Len() < maxHeld {
		return nil
	}
	return a.send()
}

func (a *bulkAnswer) media() string {
	if a.lines {
		return ndjson
	}
	return jsonMedia
}

func (a *bulkAnswer) send() error {
	if a.x.status == 0 {
		h := a.x.Header()
		h.Set("Content-Type", a.media())
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		a.x.WriteHeader(http.StatusOK)
	}
	_, err := a.held.WriteTo(a.x)
	if err == nil {
		err = a.x.flush()
	}
	return err
}

// end sends the counts.
func (a *bulkAnswer) end() error {
	if a.lines {
		if err := a.encode(a.count); err != nil {
			return err
		}
		return a.send()
	}
	if a.count.Matched == 0 {
		a.held.WriteString(a.before())
	}
	a.held.WriteString("],")
	counts, err := json.Marshal(a.count)
	if err != nil {
		return err
	}
	a.held.Write(append(counts[len("{"):], '\n'))
	if a.x.status != 0 {
		return a.send()
	}
	a.x.answerBytes(http.StatusOK, jsonMedia, a.held.Bytes())
	return nil
}
