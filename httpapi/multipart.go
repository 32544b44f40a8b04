package httpapi

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"strongroom/engine"
)

const (
	maxField = 64 << 10 // bytes of one field
	maxParts = 1000
)

// multipart takes a form with a part "file" and the fields as other parts, in
// any order. The file is staged as it comes; nothing but the fields is held in
// memory.
func (rc *reception) multipart(x *exchange, r *http.Request) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" || len(params["boundary"]) > 70 {
		return inParameter("Content-Type", "multipart/form-data must name a boundary of at most 70 characters")
	}
	limit := rc.limit + maxFields + maxFraming
	if r.ContentLength > limit {
		return engine.ErrTooLarge
	}
	body, err := limitBody(x, r, limit)
	if err != nil {
		return err
	}
	var sum hash.Hash
	if rc.promise != nil {
		sum = sha256.New()
		body = io.TeeReader(body, sum)
	}
	values, err := rc.parts(r, multipart.NewReader(whole(body), params["boundary"]))
	if err != nil {
		return err
	}
	// What follows the closing boundary means nothing, but was sent.
	if _, err := io.Copy(io.Discard, body); err != nil {
		return err
	}
	if sum != nil {
		if err := rc.promise.check(engine.Digest(sum.Sum(nil))); err != nil {
			return err
		}
	}
	if rc.staged == nil {
		return inBody("file", "is missing; a part of that name carries the file")
	}
	return rc.bind(values, codeInvalidBody)
}

// whole makes the end of the body an error, for the multipart reader would take
// an end inside the header of a part for the end of the form. The closing
// boundary may lack its newline, so it gets one.
func whole(body io.Reader) io.Reader {
	return io.MultiReader(body, strings.NewReader("\r\n"), ended{})
}

type ended struct{}

func (ended) Read([]byte) (int, error) { return 0, errors.New("it ends before its closing boundary") }

// parts reads all parts, stages the file and returns the fields.
func (rc *reception) parts(r *http.Request, parts *multipart.Reader) (url.Values, error) {
	values := url.Values{}
	room := maxFields
	for n := 0; ; n++ {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, partError(err)
		}
		if n == maxParts {
			return nil, inBody("body", "has more than %d parts", maxParts)
		}
		name := part.FormName()
		switch {
		case name == "":
			return nil, inBody("body", "has a part without a name; each needs Content-Disposition: form-data; name=…")
		case name == "file":
			if err := rc.part(r, part); err != nil {
				return nil, err
			}
			continue
		case name == "fileName" || !rc.plan.takes(name):
			return nil, inBody(name, "is not a field of this upload")
		}
		data, err := io.ReadAll(io.LimitReader(part, maxField+1))
		if err != nil {
			return nil, partError(err)
		}
		if len(data) > maxField {
			return nil, inBody(name, "is longer than %d bytes", maxField)
		}
		if room -= len(data); room < 0 {
			return nil, inBody(name, "%v", errFieldsTooLong)
		}
		values.Add(name, string(data))
	}
}

// part stages the file.
func (rc *reception) part(r *http.Request, part *multipart.Part) error {
	if rc.staged != nil {
		return inBody("file", "is given twice; send one file in each request")
	}
	switch coding := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); coding {
	case "", "7bit", "8bit", "binary":
	default:
		return inBody("file", "has the Content-Transfer-Encoding %s; send the bytes as they are", printable(coding))
	}
	if err := plainCoding(http.Header(part.Header)); err != nil {
		return err
	}
	promise, err := digestsOf(part.Header.Values)
	if err != nil {
		return err
	}
	if err := rc.named(inBody, "file", fileNameOf(part), "file", part.Header.Get("Content-Type")); err != nil {
		return err
	}
	if err := rc.stage(r.Context(), &partBody{part}, "file"); err != nil {
		return err
	}
	return promise.check(rc.staged.Digest())
}

// fileNameOf is the name of a part's file. Browsers send a quote in it as %22, and
// all else as it is (the HTML standard, multipart/form-data encoding algorithm),
// so that alone is undone; filename* has been decoded as its own rule says.
func fileNameOf(part *multipart.Part) string {
	name := part.FileName()
	if strings.Contains(strings.ToLower(part.Header.Get("Content-Disposition")), "filename*") {
		return name
	}
	return strings.ReplaceAll(name, "%22", `"`)
}

// takes reports whether name is a field of the form.
func (in *input) takes(name string) bool {
	for _, f := range in.form {
		if f.name == name {
			return true
		}
	}
	return false
}

// partBody tells a multipart body that breaks off from a connection that does.
type partBody struct{ io.Reader }

func (b *partBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = partError(err)
	}
	return n, err
}

// partError is what an error of the multipart reader is to the client. Those of
// the body beneath it were made for the client already.
func partError(err error) error {
	for _, known := range []error{errSlowBody, errTooLarge} {
		if errors.Is(err, known) {
			return err
		}
	}
	if e, ok := errors.AsType[*invalidError](err); ok {
		return e
	}
	return inBody("body", "is not whole multipart/form-data: %v", err)
}
