package httpapi

import (
	"bytes"
	"encoding/json"
	"net/http"

	"strongroom/engine"
)

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

func (a *bulkAnswer) add(item bulkItem, o engine.DocumentOutcome) error {
	r := BulkResult{ID: o.DocumentID, ExternalID: item.change.ExternalID, Line: item.line, Revision: o.Revision}
	switch {
	case o.Err != nil:
		a.count.Failed++
		_, body, known := a.x.describe(o.Err)
		if !known {
			a.x.server.options.Logger.Error().Str("request", a.x.id).Err(o.Err).Msg("internal error")
		}
		r.Result, r.ErrorCode, r.Message = "failed", body.ErrorCode, body.Message
	case o.Changed:
		a.count.Changed++
		r.Result = "changed"
	default:
		a.count.Unchanged++
		r.Result = "unchanged"
	}
	before := a.before()
	a.count.Matched++
	if a.lines {
		return a.encode(r)
	}
	a.held.WriteString(before)
	err := a.encode(r)
	a.held.Truncate(a.held.Len() - len("\n"))
	return err
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
	return e.Encode(part)
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
