package extract

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"mime/quotedprintable"
	"slices"
	"strings"
)

const (
	maxMultiparts = 20        // within one another
	maxField      = 256 << 10 // bytes of a header field
)

// shownFields are read of a message's head, in this order.
var shownFields = []string{"subject", "from", "sender", "reply-to", "to", "cc", "bcc", "resent-from", "resent-to", "keywords", "comments", "organization"}

// emlText reads a message, or a mailbox of some.
//
// It divides heads and parts by itself, and does not mind what stands where: what
// was sent through the world breaks the rules that net/mail and mime/multipart keep.
func emlText(ctx context.Context, f File, data []byte, out *Output) error {
	if !bytes.HasPrefix(data, []byte("From ")) {
		return f.message(ctx, data, out)
	}
	for len(data) > 0 && !out.Full() {
		_, rest, _ := bytes.Cut(data, []byte("\n"))
		one, after := rest, []byte(nil)
		if i := bytes.Index(rest, []byte("\n\nFrom ")); i >= 0 {
			one, after = rest[:i], rest[i+2:]
		} else if i := bytes.Index(rest, []byte("\r\n\r\nFrom ")); i >= 0 {
			one, after = rest[:i], rest[i+4:]
		}
		if err := f.nest.take(0); err != nil {
			return err
		}
		if err := f.message(ctx, one, out); err != nil {
			if errors.Is(err, errEnough) || ctx.Err() != nil {
				return err
			}
			f.nest.fail(err)
		}
		out.Gap('\n')
		data = after
	}
	return nil
}

func (f File) message(ctx context.Context, data []byte, out *Output) error {
	h, body := headOf(data)
	for _, name := range shownFields {
		if v := h[name]; v != "" {
			out.Text(wordsIn(v))
			out.Gap('\n')
		}
	}
	return f.section(ctx, h, body, 0, out)
}

// head is the fields of a message or a part, by their names in small letters.
type head map[string]string

// headOf divides a message or a part. Of a field that is there twice, the first
// counts, but for those of recipients.
func headOf(data []byte) (h head, body []byte) {
	h = head{}
	name, value := "", []byte(nil)
	keep := func() {
		switch before, twice := h[name]; {
		case name == "" || len(h) > 1000:
		case !twice:
			h[name] = string(value)
		case (name == "to" || name == "cc") && len(before) < 64<<10:
			h[name] = before + ", " + string(value)
		}
		name, value = "", nil
	}
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		data = rest
		if len(line) == 0 {
			break
		}
		if line[0] != ' ' && line[0] != '\t' {
			keep()
			before, after, ok := bytes.Cut(line, []byte(":"))
			if ok && len(before) < 100 {
				name = strings.ToLower(strings.TrimSpace(string(before)))
				line = after
			}
		} else if name != "" {
			value = append(value, ' ')
		}
		if name != "" && len(value)+len(line) < maxField {
			value = append(value, bytes.TrimSpace(line)...)
		}
	}
	keep()
	return h, data
}

// section reads a part by what it says it is.
func (f File) section(ctx context.Context, h head, body []byte, depth int, out *Output) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	kind := mediaTypeOf(h["content-type"])
	if kind.value == "" {
		kind.value = "text/plain"
	}
	switch {
	case kind.value == "multipart/encrypted",
		strings.HasSuffix(kind.value, "pkcs7-mime") && strings.Contains(kind.params["smime-type"], "enveloped"):
		return ErrEncrypted
	case strings.HasPrefix(kind.value, "multipart/"):
		boundary := kind.params["boundary"]
		if boundary == "" {
			return f.leaf(ctx, h, field{value: "text/plain"}, body, out)
		}
		if depth >= maxMultiparts {
			f.nest.fail(ErrTooDeep)
			return nil
		}
		if kind.value == "multipart/alternative" {
			return f.alternative(ctx, body, boundary, depth, out)
		}
		return eachPart(body, boundary, func(part []byte) error {
			h, body := headOf(part)
			if err := f.nest.take(0); err != nil {
				return err
			}
			return f.section(ctx, h, body, depth+1, out)
		})
	}
	return f.leaf(ctx, h, kind, body, out)
}

// alternative reads the best of parts that say the same: the last, as they are
// ordered, of those that say it for reading. What another has that it has not is
// read too: some programs put a mere note into one of them.
func (f File) alternative(ctx context.Context, body []byte, boundary string, depth int, out *Output) error {
	var texts []string
	err := eachPart(body, boundary, func(part []byte) error {
		if err := f.nest.take(0); err != nil {
			return err
		}
		h, body := headOf(part)
		one := &Output{}
		err := f.section(ctx, h, body, depth+1, one)
		if len(texts) < 8 {
			texts = append(texts, one.String())
		}
		return err
	})
	slices.Reverse(texts)
	differing(texts, out)
	return err
}

// differing reads the first of texts that say the same, and those of the others that
// have a fifth of words more.
func differing(texts []string, out *Output) {
	known := map[string]bool{}
	for _, text := range texts {
		missing, all := 0, strings.Fields(text)
		for _, w := range all {
			if !known[w] {
				missing++
			}
		}
		if missing*5 <= len(all) {
			continue
		}
		for _, w := range all {
			known[w] = true
		}
		out.Text(text)
		out.Gap('\n')
	}
}

// leaf reads what has no parts, with the reader of what it is.
func (f File) leaf(ctx context.Context, h head, kind field, body []byte, out *Output) error {
	name := cmp.Or(mediaTypeOf(h["content-disposition"]).params["filename"], kind.params["name"])
	name = wordsIn(name)
	if name != "" {
		out.Gap('\n')
		out.Text(name)
		out.Gap('\n')
	}
	if d := h["content-description"]; d != "" && d != name {
		out.Text(wordsIn(d))
		out.Gap('\n')
	}
	data := transferred(body, h["content-transfer-encoding"])
	switch {
	case kind.value == "message/rfc822" || kind.value == "message/global" || kind.value == "text/rfc822-headers":
		if len(data) == 0 {
			return nil
		}
		return f.member(ctx, "a.eml", "message/rfc822", data, out)
	case kind.value == "application/pkcs7-signature" || strings.HasPrefix(kind.value, "application/pgp-signature"):
		return nil
	case strings.HasSuffix(kind.value, "pkcs7-mime"):
		inner := signedContent(data)
		if inner == nil {
			return ErrEncrypted
		}
		return f.member(ctx, "a.eml", "message/rfc822", inner, out)
	}
	media := kind.value
	if charset := kind.params["charset"]; charset != "" {
		media += `; charset="` + charset + `"`
	}
	return f.member(ctx, name, media, data, out)
}

// transferred undoes the encoding for the way, up to where it breaks.
func transferred(body []byte, encoding string) []byte {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "base64":
		clean := slices.DeleteFunc(bytes.Clone(body), func(b byte) bool {
			return b != '+' && b != '/' && (b < '0' || b > '9') && (b|' ' < 'a' || b|' ' > 'z')
		})
		if len(clean)%4 == 1 {
			clean = clean[:len(clean)-1]
		}
		n, _ := base64.RawStdEncoding.Decode(clean, clean) // it is read up to where it breaks
		return clean[:n]
	case "quoted-printable":
		b, _ := io.ReadAll(quotedprintable.NewReader(bytes.NewReader(body))) // likewise
		return b
	}
	return body
}

// eachPart hands on what stands between the boundaries.
func eachPart(body []byte, boundary string, do func([]byte) error) error {
	delimiter := []byte("--" + boundary)
	begin := -1
	for at := 0; at < len(body); {
		end := len(body)
		next := len(body)
		if i := bytes.IndexByte(body[at:], '\n'); i >= 0 {
			end, next = at+i, at+i+1
		}
		line := body[at:end]
		if bytes.HasPrefix(line, delimiter) {
			rest := bytes.TrimRight(line[len(delimiter):], " \t\r")
			if len(rest) == 0 || string(rest) == "--" {
				if begin >= 0 {
					if err := do(trimEnd(body[begin:at])); err != nil {
						return err
					}
				}
				if begin = next; len(rest) > 0 {
					return nil
				}
			}
		}
		at = next
	}
	if begin >= 0 && begin < len(body) { // it was cut
		return do(body[begin:])
	}
	return nil
}

// trimEnd takes the line end away that belongs to the boundary.
func trimEnd(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("\n")), []byte("\r"))
}
