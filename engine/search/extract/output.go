package extract

import (
	"context"
	"io"
	"strings"
)

// Output gathers text up to MaxText. What it holds is valid UTF-8 without control
// characters but newlines.
type Output struct {
	b    strings.Builder
	note string
}

// Note says for people what is missing of a file that was read otherwise. The first
// note is kept.
func (o *Output) Note(s string) {
	if o.note == "" {
		o.note = s
	}
}

// String returns what was gathered.
func (o *Output) String() string { return o.b.String() }

// Full reports whether nothing more is taken.
func (o *Output) Full() bool { return o.b.Len() >= MaxText }

// Rune adds a character: what is no text becomes a space, and spaces do not
// pile up.
func (o *Output) Rune(r rune) {
	switch {
	case o.Full():
		return
	case r == '\n' || r == '\r' || r == '\f' || r == '\v' || r == 0x2028 || r == 0x2029:
		o.Gap('\n')
	case r < ' ' || r == 0x7f || r == 0xfffd || r == ' ' || r == 0xa0 || r == 0xfeff:
		o.Gap(' ')
	case r == 0xad: // a hyphen that is shown only where a line ends
	default:
		o.b.WriteRune(r)
	}
}

// Text adds characters one by one.
func (o *Output) Text(s string) {
	for _, r := range s {
		o.Rune(r)
	}
}

// Gap ends a word, with ' ', or a line, with '\n'.
func (o *Output) Gap(with byte) {
	if o.b.Len() == 0 || o.Full() {
		return
	}
	switch last := o.b.String()[o.b.Len()-1]; {
	case last == '\n' || last == with:
	default:
		o.b.WriteByte(with)
	}
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
