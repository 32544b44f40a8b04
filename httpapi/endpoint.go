package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"runtime"
	"strings"

	"github.com/julienschmidt/httprouter"

	"strongroom/engine"
)

// route is a row of the table: all that is known of a route, for serving it and
// for describing it.
type route struct {
	method, pattern string
	status          int // of success
	access          engine.Access
	summary         string
	input           *input
	output          reflect.Type // nil: not JSON, see media
	media           string       // of a success that is not JSON
	operation       string       // the name of the function
	errors          []error      // of the engine, beside those any route may answer with
	approval        bool         // may answer with a request for approval in place of its own
	serve           func(c caller, x *exchange, r *http.Request, p httprouter.Params) error
}

// orApproval marks a route of what two persons may be needed for.
func (rt route) orApproval() route {
	rt.approval = true
	return rt
}

// reply is what a handler answers with: a body, and what stands in the header
// beside it.
type reply[T any] struct {
	body     T
	revision uint64         // becomes the ETag; 0: none
	receipt  engine.Receipt // of the change; zero: none
	location string         // of what was created, below the mount; "": none
	edit     string         // becomes X-DocuSign-Edit; "": none
}

// answer is a reply that is only a body.
func answer[T any](body T) reply[T] { return reply[T]{body: body} }

// endpoint makes the row of a route that answers JSON. In is a struct whose
// tags say where its fields come from (see [input]).
func endpoint[In, Out any](method, pattern string, status int, access engine.Access, summary string,
	fn func(context.Context, caller, In) (reply[Out], error), errors ...error) route {
	plan := inputOf(reflect.TypeFor[In](), method)
	return route{
		method: method, pattern: pattern, status: status, access: access, summary: summary,
		input: plan, output: reflect.TypeFor[Out](), operation: nameOf(fn), errors: errors,
		serve: func(c caller, x *exchange, r *http.Request, p httprouter.Params) error {
			var in In
			if err := plan.bind(reflect.ValueOf(&in).Elem(), x, r, p); err != nil {
				return err
			}
			if u, ok := any(&in).(uploader); ok {
				end, err := x.server.beginUpload(c)
				if err != nil {
					return err
				}
				defer end()
				defer u.release()
				if err := receive(u, plan, c, x, r); err != nil {
					return err
				}
			}
			out, err := fn(r.Context(), c, in)
			if err != nil {
				return err
			}
			return send(x, status, out)
		},
	}
}

// send answers with a reply.
func send[T any](x *exchange, status int, out reply[T]) error {
	x.receipt(out.receipt)
	if out.revision > 0 {
		x.say("Etag", etag(out.revision))
	}
	if out.location != "" {
		x.say("Location", x.base+out.location)
	}
	if out.edit != "" {
		x.Header().Set("X-DocuSign-Edit", out.edit)
	}
	return x.answer(status, out.body)
}

// stream makes the row of a route that answers something else than JSON and
// writes it itself. Once it has begun to, an error drops the connection.
func stream[In any](method, pattern string, access engine.Access, summary, media string,
	fn func(caller, *exchange, *http.Request, In) error, errors ...error) route {
	plan := inputOf(reflect.TypeFor[In](), method)
	return route{
		method: method, pattern: pattern, status: http.StatusOK, access: access, summary: summary,
		input: plan, media: media, operation: nameOf(fn), errors: errors,
		serve: func(c caller, x *exchange, r *http.Request, p httprouter.Params) error {
			var in In
			if err := plan.bind(reflect.ValueOf(&in).Elem(), x, r, p); err != nil {
				return err
			}
			return fn(c, x, r, in)
		},
	}
}

// nameOf is the name of a handler: getDocument.
func nameOf(fn any) string {
	name := runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
	return strings.TrimSuffix(name[strings.LastIndexByte(name, '.')+1:], "-fm")
}
