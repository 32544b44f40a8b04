package httpapi

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxFileName is in characters.
const maxFileName = 255

// baseName is the last element of a name a client sent, whichever way its
// system writes paths: where a file came from is nobody's business, and where a
// download is saved is the receiver's. The message of an error follows the
// field's name.
func baseName(name string) (string, error) {
	base := name[strings.LastIndexAny(name, `/\`)+1:]
	switch {
	case name == "":
		return "", nil
	case !utf8.ValidString(base):
		return "", errors.New("is not UTF-8")
	case base == "" || base == "." || base == "..":
		return "", errors.New("has a path but no name of a file")
	case strings.ContainsFunc(base, unicode.IsControl), strings.ContainsFunc(base, turnsText):
		return "", errors.New("has a control character")
	case utf8.RuneCountInString(base) > maxFileName:
		return "", fmt.Errorf("is longer than %d characters", maxFileName)
	}
	return base, nil
}

// turnsText reports the controls that make the text after them run the other
// way, so that a name looks as if it had another extension. Names in scripts
// that run from right to left need none of them.
func turnsText(r rune) bool { return 0x202A <= r && r <= 0x202E || 0x2066 <= r && r <= 0x2069 }

// mediaType is what a client says an upload is, in the one spelling of RFC 9110;
// "" if that says nothing. The message of an error follows the field's name.
func mediaType(declared string) (string, error) {
	declared = strings.TrimSpace(declared)
	base, params, err := mime.ParseMediaType(declared)
	if declared == "" || base == "application/octet-stream" {
		return "", nil
	}
	spelled := mime.FormatMediaType(base, params)
	switch {
	case err != nil || spelled == "" || !strings.Contains(base, "/") || strings.ContainsFunc(declared, func(r rune) bool { return r < ' ' || r > '~' }):
		return "", errors.New("must be of the form type/subtype, in printable ASCII")
	case strings.ContainsAny(spelled, "\"\\<>&"): // the audit log has no way to spell these
		return "", errors.New("has a parameter that must be quoted and cannot be kept; leave the parameter out")
	}
	return spelled, nil
}

// sniff is what an upload is that nobody has said it of: what the first bytes
// show, refined by what the name promises. It looks at the bytes first: a name is a promise, and a file that is
// plainly something else keeps what it is.
func sniff(fileName string, prefix []byte) string {
	seen := http.DetectContentType(prefix)
	dot := strings.LastIndexByte(fileName, '.') + 1
	for _, f := range formats {
		if f.inside == seen && strings.EqualFold(f.extension, fileName[dot:]) && dot > 0 {
			return f.mediaType
		}
	}
	return seen
}

const plainText = "text/plain; charset=utf-8"

// formats are those whose first bytes show no more than what they are made of.
var formats = []struct{ inside, extension, mediaType string }{
	{"application/zip", "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"application/zip", "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"application/zip", "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{"application/zip", "odt", "application/vnd.oasis.opendocument.text"},
	{"application/zip", "ods", "application/vnd.oasis.opendocument.spreadsheet"},
	{"application/zip", "odp", "application/vnd.oasis.opendocument.presentation"},
	{"application/zip", "epub", "application/epub+zip"},
	{"application/octet-stream", "doc", "application/msword"},
	{"application/octet-stream", "xls", "application/vnd.ms-excel"},
	{"application/octet-stream", "ppt", "application/vnd.ms-powerpoint"},
	{"application/octet-stream", "msg", "application/vnd.ms-outlook"},
	{"application/octet-stream", "p7m", "application/pkcs7-mime"},
	{"application/octet-stream", "p7s", "application/pkcs7-signature"},
	{"application/octet-stream", "tif", "image/tiff"},
	{"application/octet-stream", "tiff", "image/tiff"},
	{"application/octet-stream", "heic", "image/heic"},
	{plainText, "md", "text/markdown; charset=utf-8"},
	{plainText, "csv", "text/csv; charset=utf-8"},
	{plainText, "json", "application/json"},
	{plainText, "xml", "text/xml; charset=utf-8"},
	{plainText, "yaml", "application/yaml"},
	{plainText, "yml", "application/yaml"},
	{plainText, "rtf", "application/rtf"},
	{plainText, "eml", "message/rfc822"},
	{plainText, "ics", "text/calendar; charset=utf-8"},
	{plainText, "svg", "image/svg+xml"},
	{"text/xml; charset=utf-8", "svg", "image/svg+xml"},
}

// disposition is the Content-Disposition of RFC 6266: a name any client can
// read, and the whole one for those that know RFC 8187.
func disposition(kind, name string) string {
	var plain, whole strings.Builder
	for _, r := range name {
		if r < ' ' || r > '~' || strings.ContainsRune(`"\%`, r) {
			r = '_' // what clients read differently
		}
		plain.WriteRune(r)
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$&+-.^_`|~", c) >= 0:
			whole.WriteByte(c)
		default:
			whole.WriteByte('%')
			whole.WriteByte("0123456789ABCDEF"[c>>4])
			whole.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	return kind + `; filename="` + plain.String() + `"; filename*=UTF-8''` + whole.String()
}
