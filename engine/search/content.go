package search

import (
	"bytes"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

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
		var r extract.Result
		r, err = extract.Read(ctx, extract.Readers(), extract.File{
			ReaderAt: &atReader{r: file}, Size: d.Current.Size, MediaType: d.Current.MediaType, Name: d.Current.FileName,
		})
		if c.text = r.Text; r.State == extract.Failed {
			x.stats.failures.Add(1)
		}
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

// atReader makes of what can seek what reads anywhere, for one goroutine at a time.
type atReader struct {
	mu sync.Mutex // a reader that was left behind may still read
	r  io.ReadSeeker
}

func (a *atReader) ReadAt(p []byte, at int64) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, err := a.r.Seek(at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := io.ReadFull(a.r, p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

func (x *Index) idOf(documentID string) (segment.ID, bool) {
	b, ok := x.vault.LogReader().IDBytes(documentID)
	return segment.ID(b), ok
}
