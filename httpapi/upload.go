package httpapi

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"strongroom/engine"
)

const (
	// maxContent is the size of a file sent as base64 in JSON. Larger ones have the
	// two forms that do not grow on the way.
	maxContent = 16 << 20
	// maxFields is the size of the fields beside a file, all together.
	maxFields = 1 << 20
	// maxFraming is what boundaries, part headers and the like may add to them.
	maxFraming = 1 << 20
)

// upload is the part of an input that is a file with its fields, in one of
// three forms:
//
//	multipart/form-data  the part "file", and fields as parts, in any order
//	application/json     the fields, and content in base64
//	anything else        the body is the file, and the fields are query parameters
//
// A query parameter fileName makes any request the last form. The input's other
// fields with a form tag are the fields.
type upload struct {
	staged    *engine.Upload
	FileName  string  `form:"fileName" json:"fileName" doc:"The name of the file. A path before it is dropped. In multipart/form-data it is the part's own filename."`
	MediaType string  `json:"mediaType" doc:"Sniffed if absent. In the other forms it is the Content-Type."`
	Content   *[]byte `json:"content" required:"true" doc:"The file in base64, 16 MiB at most."`
}

// uploader is an input with an upload in it.
type uploader interface {
	file() *upload
	// expected refuses what is bound to fail before a byte of the file is read,
	// so that nobody sends a gigabyte for nothing.
	expected(context.Context, caller) error
	release()
}

func (u *upload) file() *upload { return u }

func (u *upload) expected(context.Context, caller) error { return nil }

// release lets go of a file that was not used.
func (u *upload) release() {
	if u.staged != nil {
		u.staged.Discard()
	}
}

// reception is the receiving of one upload.
type reception struct {
	*upload
	plan    *input
	fields  reflect.Value // the input, whose form fields are filled
	vault   *engine.Vault
	limit   int64
	promise digests // of the body as sent
}

// receive reads the body of r into the upload of in.
func receive(in uploader, plan *input, c caller, x *exchange, r *http.Request) error {
	if err := plainCoding(r.Header); err != nil {
		return err
	}
	promise, err := digestsOf(r.Header.Values)
	if err != nil {
		return err
	}
	rc := &reception{
		upload: in.file(), plan: plan, fields: reflect.ValueOf(in).Elem(),
		vault: c.vault, limit: x.server.options.MaxUpload, promise: promise,
	}
	query := r.URL.Query()
	base, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	base = strings.ToLower(strings.TrimSpace(base))
	raw := query.Has("fileName") || base != "multipart/form-data" && base != "application/json"
	if raw {
		if err := rc.bind(query, codeInvalidParameter); err != nil {
			return err
		}
	} else if wrong := unknown(query, "parameter of this form"); wrong != nil {
		return &invalidError{codeInvalidParameter, wrong}
	}
	if err := in.expected(r.Context(), c); err != nil {
		return err
	}
	if raw {
		return rc.raw(r)
	}
	x.fields = codeInvalidBody
	if base == "application/json" {
		return rc.json(x, r)
	}
	return rc.multipart(x, r)
}

// raw takes the body as the file.
func (rc *reception) raw(r *http.Request) error {
	declared := r.Header.Get("Content-Type")
	if declared == "application/x-www-form-urlencoded" {
		declared = "" // what curl --data-binary says of any file
	}
	if err := rc.named(inParameter, "fileName", rc.FileName, "Content-Type", declared); err != nil {
		return err
	}
	if r.ContentLength > rc.limit {
		return engine.ErrTooLarge
	}
	if err := rc.stage(r.Context(), r.Body, "body"); err != nil {
		return err
	}
	return rc.promise.check(rc.staged.Digest())
}

// json takes a JSON object with the fields and the file.
func (rc *reception) json(x *exchange, r *http.Request) error {
	if err := contentTypeIn(r.Header, []string{"application/json"}); err != nil {
		return err
	}
	body, err := limitBody(x, r, int64(base64.StdEncoding.EncodedLen(maxContent))+maxFields)
	if err != nil {
		return err
	}
	var sum hash.Hash
	if rc.promise != nil {
		sum = sha256.New()
		body = io.TeeReader(body, sum)
	}
	file := newJSONFile(body)
	found, err := file.untilContent()
	if err != nil {
		return err
	}
	if found {
		if err := rc.keep(r.Context(), file.file()); err != nil {
			return err
		}
	}
	if err := file.toEnd(); err != nil {
		return err
	}
	if file.long {
		return rc.plan.shapes.overlong(file.rest, rc.fields)
	}
	if sum != nil {
		if err := rc.promise.check(engine.Digest(sum.Sum(nil))); err != nil {
			return err
		}
	}
	if err := rc.plan.shapes.decode(file.rest, rc.fields, ""); err != nil {
		return err
	}
	if rc.Content == nil {
		return inBody("content", "is missing; send the file in base64")
	}
	if err := rc.named(inBody, "fileName", rc.FileName, "mediaType", rc.MediaType); err != nil {
		return err
	}
	return rc.described("content")
}

// keep stages the file of an upload in JSON, which must not be larger than both
// this form and the server take.
func (rc *reception) keep(ctx context.Context, file io.Reader) (err error) {
	rc.staged, err = rc.vault.Stage(ctx, file, min(rc.limit, maxContent))
	if errors.Is(err, engine.ErrTooLarge) && rc.limit > maxContent {
		return refuse(errTooLarge, "content is larger than %d bytes; send the file as multipart/form-data or as the body itself", maxContent)
	}
	if e, ok := errors.AsType[*invalidError](err); ok {
		return e // the client's mistake, not that of staging
	}
	return err
}

// named settles what the file is called and what it is said to be, before a byte
// of it is taken. The fields are how to call them in a refusal.
func (rc *reception) named(refuse func(field, format string, args ...any) error, nameField, fileName, typeField, declared string) (err error) {
	if rc.FileName, err = baseName(fileName); err != nil {
		return refuse(nameField, "%v", err)
	}
	if rc.MediaType, err = mediaType(declared); err != nil {
		return refuse(typeField, "%v", err)
	}
	return nil
}

// stage takes the file, which the field of the body carries.
func (rc *reception) stage(ctx context.Context, r io.Reader, field string) (err error) {
	if rc.staged, err = rc.vault.Stage(ctx, r, rc.limit); err != nil {
		return err
	}
	return rc.described(field)
}

// described settles what the file is, now that its beginning is known.
func (rc *reception) described(field string) error {
	if rc.MediaType == "" {
		rc.MediaType = sniff(rc.FileName, rc.staged.Prefix())
	}
	if rc.staged.Size() == 0 && rc.FileName == "" {
		return inBody(field, "is missing; send the file, and if it is empty, its name")
	}
	return nil
}

// bind fills the fields from text.
func (rc *reception) bind(values url.Values, code errorCode) error {
	var wrong []engine.FieldError
	for i := range rc.plan.form {
		f := &rc.plan.form[i]
		err := rc.bindField(f, values[f.name])
		if e, ok := errors.AsType[*invalidError](err); ok {
			wrong = append(wrong, e.fields...)
		} else if err != nil {
			wrong = append(wrong, engine.FieldError{Field: f.name, Message: err.Error()})
		}
		delete(values, f.name)
	}
	wrong = append(wrong, unknown(values, "field of this upload")...)
	if len(wrong) > 0 {
		return &invalidError{code, wrong}
	}
	return nil
}

// bindField fills one field: a list may be repeated or have commas between, an
// object is JSON.
func (rc *reception) bindField(f *field, given []string) error {
	given = filled(given)
	switch kind := f.typ.Kind(); {
	case kind == reflect.Slice && len(given) > 0:
		given = strings.Split(strings.Join(given, ","), ",")
	case kind == reflect.Map && len(given) == 1:
		return rc.plan.shapes.decode([]byte(given[0]), rc.fields.FieldByIndex(f.index), f.name)
	}
	return f.setAll(rc.fields, given)
}
