package extract

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"unicode/utf8"
)

// Kind is what a file is.
type Kind string

// The kinds that are told apart. Whether one is read is a matter of the table.
const (
	Text     Kind = "text" // Markdown and CSV too
	PDF      Kind = "pdf"
	DOCX     Kind = "docx" // DOCM and DOTX too
	XLSX     Kind = "xlsx"
	PPTX     Kind = "pptx"
	ODF      Kind = "odf" // ODT, ODS, ODP
	RTF      Kind = "rtf"
	HTML     Kind = "html"
	XML      Kind = "xml"
	JSON     Kind = "json"
	EML      Kind = "eml"
	MSG      Kind = "msg"
	ZIP      Kind = "zip"      // one that is none of the above
	Locked   Kind = "locked"   // an office file in the container that encrypts it
	Compound Kind = "compound" // the older office's container, with anything else in it
	Picture  Kind = "picture"
	Binary   Kind = "binary" // nothing of the above
	Empty    Kind = "empty"
)

// HoldsFiles reports whether files of this kind have others in them, which are read by
// what they are.
func (k Kind) HoldsFiles() bool { return k == EML || k == MSG || k == ZIP }

// unread says why a file of this kind is not read if nobody reads it.
func (k Kind) unread() string {
	switch k {
	case Picture:
		return "a picture has no text of its own"
	case Locked:
		return ErrEncrypted.Error()
	case Empty:
		return "the file is empty"
	case Binary, Compound:
		return "the text of this kind of file is not read"
	}
	return "the text of this kind of file (" + string(k) + ") is not read"
}

const (
	headBytes = 8 << 10  // of a file's beginning tell what it is,
	tailBytes = 64 << 10 // and of an archive's end, where its directory is
)

// KindOf judges what a file is: by its content, and by its media type and name
// only between what looks alike. The error is that of the file's bytes.
func KindOf(ctx context.Context, f File) (Kind, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if f.Size == 0 {
		return Empty, nil
	}
	head, err := f.part(0, headBytes)
	if err != nil {
		return "", err
	}
	said := said{essence(f.MediaType), strings.ToLower(path.Ext(f.Name))}
	switch {
	case isPDF(head, said):
		return PDF, nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		tail, err := f.part(max(0, f.Size-tailBytes), tailBytes)
		return archiveKind(head, tail, said), err
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")):
		return f.compoundKind(head, said)
	case bytes.HasPrefix(trimStart(head), []byte(`{\rtf`)):
		return RTF, nil
	case hasAnyPrefix(head, "\x89PNG", "\xff\xd8\xff", "GIF87a", "GIF89a", "II*\x00", "MM\x00*", "BM", "\x00\x00\x01\x00", "8BPS") && !said.text(),
		bytes.HasPrefix(head, []byte("RIFF")) && len(head) > 12 && string(head[8:12]) == "WEBP":
		return Picture, nil
	}
	return textKind(head, said, int64(len(head)) < f.Size), nil
}

// part reads so many bytes from at on, or what there is.
func (f File) part(at, n int64) ([]byte, error) {
	b := make([]byte, min(n, f.Size-at))
	got, err := f.ReadAt(b, at)
	if errors.Is(err, io.EOF) && got == len(b) {
		err = nil
	}
	return b[:got], err
}

// said is what a client said of a file.
type said struct{ media, ext string }

func essence(mediaType string) string {
	e, _, _ := strings.Cut(strings.ToLower(mediaType), ";")
	return strings.TrimSpace(e)
}

// text: it was said to be text of some kind.
func (s said) text() bool {
	return strings.HasPrefix(s.media, "text/") || s.vague() && s.is("", ".txt", ".text", ".md", ".markdown", ".csv", ".tsv", ".log")
}

// vague: the media type says nothing.
func (s said) vague() bool { return s.media == "" || s.media == "application/octet-stream" }

func (s said) is(media string, exts ...string) bool {
	if media != "" && s.media == media {
		return true
	}
	for _, ext := range exts {
		if s.ext == ext {
			return true
		}
	}
	return false
}

// isPDF: PDFs may have something before their header; a text about PDF is none.
func isPDF(head []byte, said said) bool {
	if bytes.HasPrefix(trimStart(head), []byte("%PDF-")) {
		return true
	}
	return bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-")) && (said.is("application/pdf", ".pdf") || !said.text() && bytes.IndexByte(head, 0) >= 0)
}

// msgClassID is what a message of Outlook says it is, in the first entry of the
// directory.
var msgClassID = []byte("\x0b\x0d\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")

// compoundKind tells by the names in the directory of Microsoft's container, which
// are in UTF-16. It may be anywhere in the file: where is in the header.
func (f File) compoundKind(head []byte, said said) (Kind, error) {
	if len(head) < 512 {
		return Locked, nil // a stump, of what Office makes when it encrypts
	}
	sector := int64(1) << min(head[30], 12)
	first := int64(head[48]) | int64(head[49])<<8 | int64(head[50])<<16 | int64(head[51])<<24
	var directory []byte
	if at := (first + 1) * sector; at < f.Size {
		var err error
		if directory, err = f.part(at, tailBytes); err != nil {
			return "", err
		}
	}
	has := func(name string) bool {
		wide := make([]byte, 0, 2*len(name))
		for _, c := range []byte(name) {
			wide = append(wide, c, 0)
		}
		return bytes.Contains(directory, wide)
	}
	switch {
	case len(directory) >= entryBytes && bytes.HasPrefix(directory[80:], msgClassID):
		return MSG, nil
	case has("EncryptedPackage"):
		return Locked, nil
	case has("WordDocument"), has("Workbook"), has("PowerPoint Document"):
		return Compound, nil
	case has("__properties_version1.0"), said.is("application/vnd.ms-outlook", ".msg"):
		return MSG, nil
	}
	return Compound, nil
}

// textKind tells the kinds of text apart, and text from what is none. more: the
// file goes on behind head.
func textKind(head []byte, said said, more bool) Kind {
	enc, mark := marked(head)
	if mark == 0 && controlled(head) {
		enc = wideGuess(head)
	}
	switch {
	case enc != nil:
		head, _ = enc.NewDecoder().Bytes(head[mark:])
	case mark == 0 && (said.is("message/rfc822", ".eml") || !said.text()) && looksMail(head):
		return EML // with bytes in it as they are
	case mark == 0 && !looksText(head, said, more):
		return Binary
	}
	lower := bytes.ToLower(trimStart(head))
	switch {
	case hasAnyPrefix(lower, "<!doctype html", "<html"), said.is("application/xhtml+xml"), said.is("text/html") && bytes.Contains(lower, []byte("<")):
		return HTML
	case bytes.HasPrefix(lower, []byte("<?xml")):
		if bytes.Contains(lower, []byte("<html")) {
			return HTML
		}
		return XML
	case said.is("message/rfc822", ".eml", ".mbox", ".mht", ".mhtml") || !said.text() && looksMail(head):
		return EML
	case looksJSON(lower), hasAnyPrefix(lower, "{", "[") && (said.is("application/json", ".json") || strings.HasSuffix(said.media, "+json")):
		return JSON
	case said.vague() && said.is("", ".htm", ".html") && bytes.Contains(lower, []byte("<")):
		return HTML
	case bytes.HasPrefix(lower, []byte("<")) && (said.is("text/xml", ".xml") || said.is("application/xml") || strings.HasSuffix(said.media, "+xml")):
		return XML
	}
	return Text
}

// looksText: a file that was said to be a picture, a film or a sound is none of it
// because its first bytes happen to be letters.
func looksText(head []byte, said said, more bool) bool {
	top, _, _ := strings.Cut(said.media, "/")
	switch {
	case bytes.IndexByte(head, 0) >= 0:
		return false
	case said.text():
		return true
	case (top == "image" || top == "audio" || top == "video" || top == "font") && !strings.HasSuffix(said.media, "+xml"):
		return false
	}
	if controlled(head) {
		return false
	}
	for i := 0; more && i < utf8.UTFMax-1 && len(head) > 0 && !utf8.Valid(head); i++ {
		head = head[:len(head)-1] // it is cut within a character
	}
	// Older encodings are text as well, if it is mostly letters.
	high := 0
	for _, b := range head {
		if b >= 0x80 {
			high++
		}
	}
	if utf8.Valid(head) || high*3 < len(head) {
		return true
	}
	_, sure := sniff(head, false)
	return sure
}

// looksJSON: an object with a key, or a list of objects.
func looksJSON(head []byte) bool {
	head, ok := bytes.CutPrefix(trimStart(bytes.TrimPrefix(head, []byte("["))), []byte("{"))
	return ok && hasAnyPrefix(trimStart(head), `"`)
}

// looksMail: it begins with fields, and those of a letter are among them.
func looksMail(head []byte) bool {
	fields, known := 0, 0
	if bytes.HasPrefix(head, []byte("From ")) { // a mailbox, of many
		_, head, _ = bytes.Cut(head, []byte("\n"))
	}
	for line := range bytes.Lines(trimStart(head)) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' {
			continue
		}
		name, _, ok := bytes.Cut(line, []byte(":"))
		if !ok || bytes.ContainsAny(name, " \t") {
			return false
		}
		fields++
		switch strings.ToLower(string(name)) {
		case "from", "to", "subject", "date", "message-id", "received", "mime-version", "return-path", "delivered-to":
			known++
		}
	}
	return fields >= 3 && known >= 3
}

func trimStart(b []byte) []byte {
	return bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf")), " \t\r\n")
}

func hasAnyPrefix(b []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if bytes.HasPrefix(b, []byte(p)) {
			return true
		}
	}
	return false
}
