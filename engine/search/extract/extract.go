// Package extract gets the text out of files: PDF, Word (DOCX), plain text,
// Markdown and CSV.
//
// Files come from anywhere, and some are made to harm. So every reader here is
// bounded: in the bytes it takes in, in what it lets them swell to, in how deep
// and how often it follows what refers to something else, in the text it gives
// out, and in time, by the context it looks at. It holds one file in memory at
// a time, and a defect in a reader, which a hostile file would find first, ends
// that file's reading and nothing else (see [Text]).
//
// It is written for finding, not for showing: the words come in about the order
// in which they are read, and where they stood is lost. A picture of text, as a
// scanner makes it, has no text.
package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

const (
	// MaxInput is how large a file is read, in bytes.
	MaxInput = 64 << 20
	// MaxText is how much text is taken from one, in bytes; what follows is left.
	MaxText = 4 << 20
	// maxInflated is how much may come out of all that is compressed in a file.
	maxInflated = 128 << 20
)

var (
	// ErrKind: files of this kind have no text, or none this package can read.
	ErrKind = errors.New("the text of this kind of file is not read")
	// ErrTooLarge: the file is larger than MaxInput.
	ErrTooLarge = fmt.Errorf("the file is larger than %d MiB", MaxInput>>20)
	// ErrEncrypted: it takes a password to read the file.
	ErrEncrypted = errors.New("the file is encrypted")
	// ErrMalformed: the file is not what it says it is, or swells beyond measure.
	ErrMalformed = errors.New("the file is malformed")
)

// kind reads the text of one kind of file. It hands text to out as it finds it,
// and returns when out is full.
type kind func(ctx context.Context, data []byte, out *output) error

// kindOf tells the kind by media type, or by the name where that says nothing.
func kindOf(mediaType, name string) kind {
	essence, _, _ := strings.Cut(strings.ToLower(mediaType), ";")
	switch strings.TrimSpace(essence) {
	case "application/pdf", "application/x-pdf":
		return pdfText
	case "application/vnd.openxmlformats-officedocument.wordprocessingml.document":
		return docxText
	case "text/plain", "text/markdown", "text/x-markdown", "text/csv", "application/csv":
		return plainText
	case "", "application/octet-stream", "application/zip", "application/x-zip-compressed":
	default:
		return nil
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".pdf":
		return pdfText
	case ".docx":
		return docxText
	case ".txt", ".text", ".md", ".markdown", ".csv":
		return plainText
	}
	return nil
}

// Known reports whether the text of files of this media type, or else of this
// name, can be read.
func Known(mediaType, name string) bool { return kindOf(mediaType, name) != nil }

// Text reads a file of so many bytes and returns its text, valid UTF-8 without
// control characters but newlines. With an error, which is one of those above, that
// of ctx or of r, it returns what it had by then. A panic, which is a defect of
// this package, is ErrMalformed.
func Text(ctx context.Context, r io.Reader, size int64, mediaType, name string) (text string, err error) {
	read := kindOf(mediaType, name)
	if read == nil {
		return "", ErrKind
	}
	if size > MaxInput {
		return "", ErrTooLarge
	}
	data, err := io.ReadAll(io.LimitReader(&interruptible{ctx, r}, MaxInput+1))
	if err != nil {
		return "", err
	}
	if len(data) > MaxInput {
		return "", ErrTooLarge
	}
	var out output
	defer func() {
		if p := recover(); p != nil {
			text, err = out.String(), fmt.Errorf("%w: reading it failed: %v", ErrMalformed, p)
		}
	}()
	err = read(ctx, data, &out)
	return out.String(), err
}

// interruptible stops reading when ctx ends.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// output gathers text up to MaxText.
type output struct{ strings.Builder }

func (o *output) full() bool { return o.Len() >= MaxText }

// rune adds a character: what is no text becomes a space, and spaces do not
// pile up.
func (o *output) rune(r rune) {
	switch {
	case o.full():
		return
	case r == '\n' || r == '\r' || r == '\f' || r == '\v' || r == 0x2028 || r == 0x2029:
		o.gap('\n')
	case r < ' ' || r == 0x7f || r == 0xfffd || r == ' ' || r == 0xa0 || r == 0xfeff:
		o.gap(' ')
	case r == 0xad: // a hyphen that is shown only where a line ends
	default:
		o.WriteRune(r)
	}
}

func (o *output) text(s string) {
	for _, r := range s {
		o.rune(r)
	}
}

// gap ends a word, or a line.
func (o *output) gap(with byte) {
	if o.Len() == 0 || o.full() {
		return
	}
	switch last := o.String()[o.Len()-1]; {
	case last == '\n' || last == with:
	default:
		o.WriteByte(with)
	}
}
