package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"strongroom/engine"
)

// bindBody reads and decodes a JSON body.
func (in *input) bindBody(v reflect.Value, x *exchange, r *http.Request) error {
	x.fields = codeInvalidBody
	if err := plainCoding(r.Header); err != nil {
		return err
	}
	if in.body.name == "docusign" {
		return in.bindDressed(v, x, r)
	}
	accept := []string{"application/json"}
	if in.body.name == "lines" {
		if r.Header.Get("Content-Type") != "" && contentTypeIn(r.Header, []string{ndjson}) == nil {
			v.FieldByIndex(in.body.index).Addr().Interface().(lined).take(r.Body)
			return nil
		}
		accept = append(accept, ndjson)
	}
	if in.body.name == "text" {
		if err := contentTypeIn(r.Header, []string{"text/plain"}); err != nil {
			return err
		}
		data, err := readBody(x, r, engine.MaxText)
		v.FieldByIndex(in.body.index).SetString(string(data))
		return err
	}
	data, err := readBody(x, r, maxBody)
	if err != nil {
		return err
	}
	if len(data) == 0 && in.body.name == "optional" {
		return nil
	}
	if in.body.name == "merge" {
		accept = append(accept, "application/merge-patch+json")
	}
	if err := contentTypeIn(r.Header, accept); err != nil {
		return err
	}
	body := v
	if in.body.index != nil {
		body = v.FieldByIndex(in.body.index)
	} else {
		body = reflect.New(in.body.typ).Elem()
	}
	return in.shapes.decode(data, body, "")
}

// readBody reads a body of at most limit bytes; longer ones are refused, before
// reading if they say how long they are.
func readBody(x *exchange, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength == 0 {
		return nil, nil
	}
	body, err := limitBody(x, r, limit)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(body)
}

// limitBody refuses a body longer than limit, at once if it says so, or else by
// the error of the read that goes beyond.
func limitBody(x *exchange, r *http.Request, limit int64) (io.Reader, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	return &limitedBody{http.MaxBytesReader(x.ResponseWriter, r.Body, limit), limit}, nil
}

func tooLarge(limit int64) error {
	return refuse(errTooLarge, "the body is larger than %d bytes, the most this request may have", limit)
}

type limitedBody struct {
	io.Reader
	limit int64
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		err = tooLarge(b.limit)
	}
	return n, err
}

// contentTypeIn refuses a body whose type is given and is none of those.
func contentTypeIn(h http.Header, accept []string) error {
	declared := h.Get("Content-Type")
	if declared == "" {
		return nil
	}
	base, params, err := mime.ParseMediaType(declared)
	charset := params["charset"]
	if err != nil || !slices.Contains(accept, base) || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return refuse(errMediaType, "this request takes a body of type %s in UTF-8", strings.Join(accept, " or "))
	}
	return nil
}

// plainCoding refuses a body that would have to be unpacked first.
func plainCoding(h http.Header) error {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return refuse(errMediaType, "send the body as it is, without the Content-Encoding")
	}
	return nil
}
