package extract

import (
	"errors"
	"io"
	"sync"
)

// At makes of what can seek what a File reads anywhere, by one caller after another.
func At(r io.ReadSeeker) io.ReaderAt { return &atReader{r: r} }

type atReader struct {
	mu sync.Mutex // a reader that was left behind may still read
	r  io.ReadSeeker
}

// ReadAt implements io.ReaderAt.
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
