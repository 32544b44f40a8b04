package search

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

// content is the text of a document's current version, by the digest of that and
// what was said of it. The zero content is of a document without a version.
type content struct {
	digest engine.Digest
	said   uint32
	own    int // how many bytes of the text are the file's; what was given follows
	extract.Result
	packed []byte // as the index has it, if it was there before
}

// content is the text of a document: from the index, if the bytes are the same as
// before, since most changes are of metadata; else from its reader. If that takes
// its time, the text is Waiting, and follows.
func (x *Index) content(ctx context.Context, u *unpacker, d *engine.Document, id segment.ID, fresh bool) (content, error) {
	if d.Current == nil {
		return content{}, nil
	}
	c := content{digest: d.Current.Digest, said: saidOf(d.Current), Result: extract.Result{State: extract.Waiting}}
	before, err := x.stored(u, id)
	if err != nil {
		return c, err
	}
	if before.digest == c.digest && before.said == c.said && before.State != extract.Waiting {
		return before, nil
	}
	if got, ok := x.reading.ask(ctx, id, fresh); ok && got.content.digest == c.digest && got.content.said == c.said {
		return got.content, nil
	}
	return c, ctx.Err()
}

// stored is what the index keeps of a document's content; zero if nothing.
func (x *Index) stored(u *unpacker, id segment.ID) (c content, err error) {
	var b []byte
	err = x.store.View(func(parts []*segment.Part) error {
		for _, p := range parts {
			if doc, ok := p.Find(id); ok && !p.Dead(doc) {
				stored, err := p.Stored(doc)
				b = bytes.Clone(stored)
				return err
			}
		}
		return nil
	})
	if err != nil || b == nil {
		return content{}, err
	}
	return u.whole(b)
}

// Contents are stored as digest (32), what was said (4), state (1), version of the
// reader, bytes of the file's own text, length of its kind, kind, length of reason, reason, and the text,
// compressed if that saves.
const (
	storedPlain      = 0
	storedCompressed = 1
)

// states by their number in what is stored.
var errContent = fmt.Errorf("%w: the content of a document", segment.ErrDamaged)

var states = []extract.State{"", extract.Indexed, extract.None, extract.Failed, extract.Waiting}

func (a *analysis) encodeContent(c content) ([]byte, error) {
	if c.packed != nil {
		return c.packed, nil
	}
	b := binary.LittleEndian.AppendUint32(c.digest[:], c.said)
	b = append(b, byte(slices.Index(states, c.State)))
	b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(c.Version)), uint64(c.own))
	for _, s := range []string{string(c.Kind), c.Reason} {
		b = append(binary.AppendUvarint(b, uint64(len(s))), s...)
	}
	if len(c.Text) < 128 {
		return append(append(b, storedPlain), c.Text...), nil
	}
	out := bytes.NewBuffer(append(b, storedCompressed))
	a.deflate.Reset(out)
	if _, err := io.WriteString(a.deflate, c.Text); err != nil {
		return nil, err
	}
	err := a.deflate.Close()
	return out.Bytes(), err
}

// unpacker reads the beginnings of contents, and keeps what that takes from one to
// the next: a page of results has hundreds.
type unpacker struct {
	packed  []byte // as it is stored
	inflate io.ReadCloser
	text    bytes.Buffer
}

// content reads as many bytes of a text as are wanted of the first bytes of a
// content. It may be cut in the middle of a character.
func (u *unpacker) content(most int) (content, error) {
	c, text, err := decodeAbout(u.packed)
	if err != nil {
		return c, err
	}
	kind, text := text[0], text[1:]
	if kind == storedPlain {
		c.Text = string(text[:min(len(text), most)])
		return c, nil
	}
	if c.Text, err = u.expand(text, int64(most)); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // of what is cut
		return c, fmt.Errorf("%w: the content of a document: %w", segment.ErrDamaged, err)
	}
	return c, nil
}

// expand reads as many bytes of a compressed text.
func (u *unpacker) expand(packed []byte, most int64) (string, error) {
	if u.inflate == nil {
		u.inflate = flate.NewReader(nil)
	}
	err := u.inflate.(flate.Resetter).Reset(bytes.NewReader(packed), nil)
	u.text.Reset()
	if err == nil {
		_, err = u.text.ReadFrom(io.LimitReader(u.inflate, most))
	}
	text := u.text.String()
	if u.text.Cap() > 1<<20 { // few texts are as long
		u.text = bytes.Buffer{}
	}
	return text, err
}

// decodeAbout decodes all but the text, and returns that as it is stored.
func decodeAbout(b []byte) (c content, text []byte, err error) {
	if len(b) < len(c.digest)+5 {
		return c, nil, errContent
	}
	b = b[copy(c.digest[:], b):]
	c.said = binary.LittleEndian.Uint32(b)
	if int(b[4]) >= len(states) {
		return c, nil, errContent
	}
	c.State, b = states[b[4]], b[5:]
	var numbers [4]uint64
	var texts [4]string
	for i := range numbers { // the first two are numbers alone
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return c, nil, errContent
		}
		if numbers[i], b = n, b[size:]; i < 2 {
			continue
		}
		if n > uint64(len(b)) {
			return c, nil, errContent
		}
		texts[i], b = string(b[:n]), b[n:]
	}
	c.Version, c.own, c.Kind, c.Reason = int(numbers[0]), int(numbers[1]), extract.Kind(texts[2]), texts[3]
	if len(b) == 0 {
		return c, nil, errContent
	}
	return c, b, nil
}

// whole decodes a content that is all there, and keeps it as it is.
func (u *unpacker) whole(b []byte) (content, error) {
	c, text, err := decodeAbout(b)
	if err != nil {
		return c, err
	}
	c.packed = b
	if text[0] == storedPlain {
		c.Text = string(text[1:])
		return c, nil
	}
	if c.Text, err = u.expand(text[1:], 3*extract.MaxText); err != nil {
		return c, fmt.Errorf("%w: the content of a document: %w", segment.ErrDamaged, err)
	}
	return c, nil
}

func (x *Index) idOf(documentID string) (segment.ID, bool) {
	b, ok := x.vault.LogReader().IDBytes(documentID)
	return segment.ID(b), ok
}
