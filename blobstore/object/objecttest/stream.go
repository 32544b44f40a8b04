package objecttest

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"strongroom/blobstore/object"
)

// random is bytes that no store can make fewer.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{19}).Read(b) // it never fails
	return b
}

func testStream(t *testing.T, s object.Store) {
	sizes := []int{0, 1, 1 << 20}
	if !testing.Short() {
		sizes = append(sizes, 16<<20, 16<<20+1, 33<<20)
	}
	for _, size := range sizes {
		b := random(size)
		put, err := s.PutStream(t.Context(), "stream", bytes.NewReader(b), int64(size))
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		read := wantRead(t, s, "stream", b)
		if read.ETag != put.ETag || put.Size != int64(size) {
			t.Errorf("%d bytes: put %+v, read %+v", size, put, read)
		}
		if _, err := s.Put(t.Context(), "stream", nil, object.Condition{Absent: true}); !errors.Is(err, object.ErrExists) {
			t.Errorf("%d bytes are there: %v", size, err)
		}
		if _, err := s.Put(t.Context(), "stream", []byte("x"), object.Condition{Match: put.ETag}); err != nil {
			t.Errorf("%d bytes have this ETag: %v", size, err)
		}
	}
}

var errBroken = errors.New("broken")

// broken gives some bytes and fails.
type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = errBroken
	}
	return n, err
}

func testStreamLength(t *testing.T, s object.Store) {
	sizes := []int{10}
	if !testing.Short() {
		sizes = append(sizes, 16<<20+10)
	}
	for _, size := range sizes {
		b := random(size)
		if _, err := s.PutStream(t.Context(), "k", bytes.NewReader(b[1:]), int64(size)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("one byte less than %d: %v", size, err)
		}
		if _, err := s.PutStream(t.Context(), "k", bytes.NewReader(b), int64(size-1)); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("one byte more than %d: %v", size-1, err)
		}
		if _, err := s.PutStream(t.Context(), "k", broken{bytes.NewReader(b[:size-1])}, int64(size)); !errors.Is(err, errBroken) {
			t.Errorf("a stream of %d that breaks: %v", size, err)
		}
		if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, object.ErrNotFound) {
			t.Errorf("a failed stream of %d left something: %v", size, err)
		}
	}
}
