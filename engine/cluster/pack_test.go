package cluster

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
)

func pack(t *testing.T, rows []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	p := newPacker(&out)
	for from := rows; len(from) > 0; {
		n := min(len(from), 70_001)
		if _, err := p.Write(from[:n]); err != nil {
			t.Fatal(err)
		}
		from = from[n:]
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpackAll(r io.Reader) ([]byte, error) {
	u := newUnpacker(r)
	defer u.Close()
	return io.ReadAll(u)
}

// draw is bytes of which half can be compressed.
func draw(size int) []byte {
	rows, random := make([]byte, size), rand.New(rand.NewPCG(1, uint64(size)))
	for i := range rows {
		if i>>12&1 == 0 {
			rows[i] = byte(random.Uint32())
		}
	}
	return rows
}

// What is packed is what is unpacked, here and by gunzip.
func TestPack(t *testing.T) {
	for _, size := range []int{0, 1, packBlock, packBlock + 1, 2*packBlock + 77} {
		rows := draw(size)
		b := pack(t, rows)
		if got, err := unpackAll(iotest.HalfReader(bytes.NewReader(b))); err != nil || !bytes.Equal(got, rows) {
			t.Errorf("%d bytes came back as %d: %v", size, len(got), err)
		}
		if size == 0 {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, rows) {
			t.Errorf("gunzip made %d bytes of %d: %v", len(got), size, err)
		}
	}
	random := make([]byte, packBlock+9)
	for i, from := 0, rand.New(rand.NewPCG(2, 2)); i < len(random); i++ {
		random[i] = byte(from.Uint32())
	}
	if got, err := unpackAll(bytes.NewReader(pack(t, random))); err != nil || !bytes.Equal(got, random) {
		t.Errorf("what cannot be compressed: %v", err)
	}
}

// What is cut, or changed, is told from the end, and asks for no memory that it says it needs.
func TestPackDamaged(t *testing.T) {
	rows := draw(packBlock + 5)
	b := pack(t, rows)
	random := rand.New(rand.NewPCG(3, 3))
	for range 12 {
		if got, err := unpackAll(bytes.NewReader(b[:random.IntN(len(b))])); err == nil && len(got)%packBlock != 0 {
			t.Fatal("a cut file has an end inside a member")
		}
	}
	for _, at := range []int{0, 2, 3, 10, 12, 14, 16, 17, 18, 19} {
		turned := bytes.Clone(b)
		turned[at] ^= 0xff
		got, err := unpackAll(bytes.NewReader(turned))
		if err == nil && !bytes.Equal(got, rows) {
			t.Errorf("byte %d of the header: other bytes came of it", at)
		}
	}
}

// A writer that fails ends the packing.
func TestPackFails(t *testing.T) {
	full := errors.New("full")
	p := newPacker(failingWriter{full})
	_, err := io.Copy(p, bytes.NewReader(draw(8*packBlock)))
	if failed := p.Close(); !errors.Is(failed, full) {
		t.Errorf("close: %v, after %v", failed, err)
	}
	if _, err := unpackAll(iotest.ErrReader(full)); !errors.Is(err, full) {
		t.Errorf("a reader that fails: %v", err)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }
