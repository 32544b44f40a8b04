package httpapi

import (
	"bytes"
	"encoding/xml"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"strongroom/engine"
)

// dress is how a request in one of DocuSign's paths is spoken to: JSON or XML,
// with errors as its clients know them. Nil is the native way.
type dress struct {
	xml      string // the media type of the answer; "": JSON
	template bool   // it is about a template, which has a code of its own
}

// dressOf tells from the path alone, so that an unknown route of DocuSign's API
// is refused in its dress too.
func dressOf(path string, h http.Header) *dress {
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "restapi", "v2.1":
		return &dress{xml: xmlWanted(h.Values("Accept")), template: strings.Contains(rest, "/templates/")}
	case "oauth": // JSON, by its own specification
		return &dress{}
	}
	return nil
}

// xmlWanted is the type of XML that Accept (RFC 9110 section 12.5.1) puts above
// JSON, "" if it puts none there. Who accepts neither gets JSON.
func xmlWanted(accept []string) string {
	best, wanted := quality(accept, "application/json"), ""
	for _, media := range []string{"application/xml", "text/xml"} {
		if q := quality(accept, media); q > best {
			best, wanted = q, media
		}
	}
	return wanted
}

// quality is the weight of a type, in thousandths: that of the range that fits
// it most closely. Without Accept everything is welcome.
func quality(accept []string, media string) int {
	list := strings.Join(accept, ",")
	if strings.TrimSpace(list) == "" {
		return 1000
	}
	kind, _, _ := strings.Cut(media, "/")
	ranges := []string{"*/*", kind + "/*", media}
	q, fit := 0, -1
	for item := range strings.SplitSeq(list, ",") {
		base, params, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		for closeness, r := range ranges {
			if base == r && closeness > fit {
				q, fit = weight(params["q"]), closeness
			}
		}
	}
	return q
}

// weight reads a qvalue; a wrong one weighs nothing.
func weight(s string) int {
	if s == "" {
		return 1000
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f >= 0 && f <= 1) {
		return 0
	}
	return int(f * 1000)
}

// answerXML encodes body before anything is written, as [exchange.answer] does.
func (x *exchange) answerXML(status int, body dressed) error {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	root := xml.StartElement{
		Name: xml.Name{Local: body.xmlRoot()},
		Attr: []xml.Attr{{Name: xml.Name{Local: "xmlns"}, Value: xmlNamespace}},
	}
	e := xml.NewEncoder(&b)
	if err := e.EncodeElement(body, root); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	x.answerBytes(status, x.dress.xml+"; charset=utf-8", b.Bytes())
	return nil
}

// dressCodes are the codes that have another name in this dress.
var dressCodes = map[errorCode]struct {
	envelope, template errorCode
	message            string
}{
	"DOCUMENT_NOT_FOUND": {"ENVELOPE_DOES_NOT_EXIST", "ENVELOPE_DOES_NOT_EXIST", "there is nothing with this id; check that it is the one you were given"},
	"DOCUMENT_DELETED":   {"ENVELOPE_DOES_NOT_EXIST", "ENVELOPE_DOES_NOT_EXIST", "what had this id was deleted; ask whoever deleted it"},
	"EDIT_LOCK_ENVELOPE_NOT_LOCKED": {"EDIT_LOCK_ENVELOPE_NOT_LOCKED", "EDIT_LOCK_TEMPLATE_NOT_LOCKED",
		"it is not locked, or not any more; leave X-DocuSign-Edit out, or POST its lock to lock it"},
}

// code gives a code its name in this dress, and a message of its own if it has
// one.
func (d *dress) code(code errorCode) (errorCode, string) {
	other, ok := dressCodes[code]
	switch {
	case !ok:
		return code, ""
	case d.template:
		return other.template, other.message
	}
	return other.envelope, other.message
}

// status is the one of DocuSign's API for one of ours: it knows no others for
// what a client did wrong.
func (*dress) status(status int) int {
	switch status {
	case http.StatusForbidden, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnprocessableEntity, http.StatusLocked:
		return http.StatusBadRequest
	case http.StatusGone:
		return http.StatusNotFound
	}
	return status
}

// refusal puts an error into this dress; e is what the native routes say of it.
func (d *dress) refusal(err error, status int, e Error) (int, ErrorDetails) {
	code, message := d.code(errorCode(e.ErrorCode))
	if message == "" {
		message = e.Message
	}
	if errors.Is(err, engine.ErrLacksPermission) {
		message = err.Error() // there are no details here that say more
	}
	// Of a body that could be read, a value is wrong; INVALID_REQUEST_BODY is
	// one that could not.
	if code == codeInvalidBody && !strings.HasPrefix(message, "body: ") {
		code = codeInvalidParameter
	}
	return d.status(status), ErrorDetails{ErrorCode: string(code), Message: message}
}

// isAccount says whether a vault goes by this name as an account.
func isAccount(v *engine.Vault, account string) bool {
	return account == v.Name() || uuid(account) == uuid(v.ID())
}

// bindDressed reads a body in JSON or XML, by its Content-Type. None, null and
// {} are the same, and so are a member that is null, a number or truth that is
// left empty, and one that is absent.
func (in *input) bindDressed(v reflect.Value, x *exchange, r *http.Request) error {
	data, err := readBody(x, r, maxBody)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return err
	}
	body := v.FieldByIndex(in.body.index)
	if contentTypeIn(r.Header, []string{"application/xml", "text/xml"}) == nil && r.Header.Get("Content-Type") != "" {
		return in.shapes.decodeXML(data, body, in.body.lax)
	}
	err = contentTypeIn(r.Header, []string{"application/json", "application/xml", "text/xml"})
	if err == nil && bytes.HasPrefix(bytes.TrimSpace(data), []byte("<")) {
		err = refuse(errMediaType, "say that the body is XML: Content-Type: application/xml")
	}
	if err != nil {
		return err
	}
	return in.shapes.decodeDressed(data, body, in.body.lax)
}

// decodeDressed is decode for DocuSign's clients: null is absent, and if lax,
// what v has no place for is ignored.
func (s shapes) decodeDressed(data []byte, v reflect.Value, lax bool) error {
	d := s.decoder(data)
	d.nulls, d.lax = true, lax
	return d.decode(v, "")
}
