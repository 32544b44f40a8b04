package search

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

// textTime is how long the text of one file may take.
const textTime = time.Second

// content is the text of a document's current version, by the digest of that.
type content struct {
	digest engine.Digest
	text   string
}

// content reads the text of a document: from the index, if the bytes are the
// same as before, since most changes are of metadata; else from the file.
func (x *Index) content(ctx context.Context, d *engine.Document, id segment.ID) (content, error) {
	if d.Current == nil {
		return content{}, nil
	}
	if !extract.Known(d.Current.MediaType, d.Current.FileName) {
		return content{}, nil // of no digest: the same bytes may come under another media type
	}
	c := content{digest: d.Current.Digest}
	before, err := x.stored(id)
	if err != nil {
		return c, err
	}
	if before.digest == c.digest {
		return before, nil
	}
	file, err := x.vault.LogReader().OpenContent(ctx, d.Current)
	if errors.Is(err, engine.ErrUnavailable) || ctx.Err() != nil {
		return c, errors.Join(err, ctx.Err())
	}
	if err == nil {
		defer file.Close()
		limited, cancel := context.WithTimeout(ctx, textTime)
		defer cancel()
		c.text, err = extract.Text(limited, file, d.Current.Size, d.Current.MediaType, d.Current.FileName)
	}
	if err != nil && ctx.Err() == nil { // the file's text is lost, the document is not
		x.stats.failures.Add(1)
	}
	return c, ctx.Err()
}

// stored is what the index keeps of a document's content; zero if nothing.
func (x *Index) stored(id segment.ID) (c content, err error) {
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
	return decodeContent(b)
}

// Contents are stored as a digest and the text, compressed if that saves.
const (
	storedPlain      = 0
	storedCompressed = 1
)

func (a *analysis) encodeContent(c content) ([]byte, error) {
	b := append(c.digest[:], storedPlain)
	if len(c.text) < 128 {
		return append(b, c.text...), nil
	}
	b[len(b)-1] = storedCompressed
	out := bytes.NewBuffer(b)
	a.deflate.Reset(out)
	if _, err := io.WriteString(a.deflate, c.text); err != nil {
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
func (u *unpacker) content(most int) (c content, err error) {
	b := u.packed
	if len(b) < len(c.digest)+1 {
		return c, fmt.Errorf("%w: the content of a document", segment.ErrDamaged)
	}
	copy(c.digest[:], b)
	kind, b := b[len(c.digest)], b[len(c.digest)+1:]
	if kind != storedCompressed {
		c.text = string(b[:min(len(b), most)])
		return c, nil
	}
	if u.inflate == nil {
		u.inflate = flate.NewReader(nil)
	}
	err = u.inflate.(flate.Resetter).Reset(bytes.NewReader(b), nil)
	u.text.Reset()
	if err == nil {
		_, err = u.text.ReadFrom(io.LimitReader(u.inflate, int64(most)))
	}
	if c.text = u.text.String(); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) { // of what is cut
		return c, fmt.Errorf("%w: the content of a document: %w", segment.ErrDamaged, err)
	}
	return c, nil
}

func decodeContent(b []byte) (c content, err error) {
	if len(b) < len(c.digest)+1 {
		return c, fmt.Errorf("%w: the content of a document", segment.ErrDamaged)
	}
	copy(c.digest[:], b)
	kind, b := b[len(c.digest)], b[len(c.digest)+1:]
	if kind == storedCompressed {
		text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), 2*extract.MaxText))
		if err != nil {
			return c, fmt.Errorf("%w: the content of a document: %w", segment.ErrDamaged, err)
		}
		b = text
	}
	c.text = string(b)
	return c, nil
}

func (x *Index) idOf(documentID string) (segment.ID, bool) {
	b, ok := x.vault.LogReader().IDBytes(documentID)
	return segment.ID(b), ok
}
