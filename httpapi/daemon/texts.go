package daemon

import (
	"context"
	"io"

	"github.com/rs/zerolog"

	"strongroom/engine/search/extract"
	"strongroom/httpapi/datadir"
)

// Texts reads files as a server of a data directory would, without one.
type Texts struct{ reader *reader }

// OpenTexts starts nothing yet: the first file does. What goes wrong beside the
// reading is told on stderr. The caller closes it.
func OpenTexts(at datadir.Place, r Reader, stderr io.Writer) *Texts {
	return &Texts{startReader(Options{Place: at, Reader: r, unserved: true}, zerolog.New(stderr).Level(zerolog.ErrorLevel))}
}

// Lacks says whether a file has no text of its own that a search would find. One that
// is empty lacks none.
func (t *Texts) Lacks(ctx context.Context, f io.ReaderAt, size int64, name string) (bool, error) {
	if size == 0 {
		return false, nil
	}
	r, err := extract.Read(ctx, t.reader.readers, extract.File{ReaderAt: f, Size: size, Name: name})
	return err == nil && r.State == extract.None, err
}

// Close ends what reads.
func (t *Texts) Close() error { return t.reader.stop() }
