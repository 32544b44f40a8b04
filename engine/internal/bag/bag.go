// Package bag writes a BagIt bag (RFC 8493, version 1.0) as one stream, a ZIP file.
// It knows names, digests and records of ZIP, and nothing of what it is given.
//
// Its memory does not grow with the bag: what must stand at the end of it, manifest
// and directory, waits in spools. A stream that was cut has no directory, so nobody
// takes it for a whole one.
package bag

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// Spool is where something waits for its turn. It is written, then read once from
// its beginning.
type Spool interface {
	io.ReadWriteSeeker
	io.Closer
}

// Writer writes one bag. It is for one goroutine. After an error only Discard is
// left to be called.
type Writer struct {
	zip      *zipWriter
	root     string // the directory of the bag, with a slash
	manifest Spool
	tags     bytes.Buffer // the lines of the manifest of tag files
	size     int64        // of the payload
	files    int64        // of the payload
}

// Field is a line of bag-info.txt.
type Field struct{ Label, Value string }

// Written is what became of a file.
type Written struct {
	Digest [sha256.Size]byte
	Size   int64
}

const (
	payload     = "data/"
	declaration = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
)

// New begins a bag in a directory of this name. The spools it asks for are closed by
// Close and Discard. at is the time of all files.
func New(w io.Writer, root string, at time.Time, spool func() (Spool, error)) (*Writer, error) {
	manifest, err := spool()
	if err != nil {
		return nil, err
	}
	directory, err := spool()
	if err != nil {
		manifest.Close()
		return nil, err
	}
	b := &Writer{zip: newZip(w, at, directory), root: root + "/", manifest: manifest}
	if _, err := b.Add("bagit.txt", int64(len(declaration)), false, strings.NewReader(declaration)); err != nil {
		b.Discard()
		return nil, err
	}
	return b, nil
}

// Discard closes what Close closes.
func (b *Writer) Discard() {
	b.manifest.Close()
	b.zip.directory.Close()
}

// Add writes a file: below data/ it is payload, elsewhere a tag file. The path is
// made of safe names. size is what is expected, -1 for unknown; packed says that it
// can hardly be made smaller. An error of from ends the file where it is: Written
// says what of it there is, and the bag can go on. Any other error is one of w, or
// of a spool, and a *BrokenError.
func (b *Writer) Add(path string, size int64, packed bool, from io.Reader) (Written, error) {
	h := sha256.New()
	source := &source{from: from}
	n, err := b.zip.add(b.root+path, size, packed, io.TeeReader(source, h))
	if err != nil && source.err == nil {
		return Written{}, &BrokenError{err}
	}
	written := Written{[sha256.Size]byte(h.Sum(nil)), n}
	line := hex.EncodeToString(written.Digest[:]) + "  " + path + "\n"
	if strings.HasPrefix(path, payload) {
		b.size += n
		b.files++
		if _, err := io.WriteString(b.manifest, line); err != nil {
			return Written{}, &BrokenError{err}
		}
	} else {
		b.tags.WriteString(line)
	}
	return written, source.err
}

// BrokenError says that a bag cannot go on.
type BrokenError struct{ Err error }

func (e *BrokenError) Error() string { return e.Err.Error() }
func (e *BrokenError) Unwrap() error { return e.Err }

// source tells errors of reading from those of writing.
type source struct {
	from io.Reader
	err  error // but for io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// AddSpool adds what a spool has, and closes it.
func (b *Writer) AddSpool(path string, s Spool) error {
	defer s.Close()
	if _, err := s.Seek(0, io.SeekStart); err != nil {
		return err
	}
	_, err := b.Add(path, -1, false, s)
	return err
}

// Close writes bag-info.txt with these fields and those that BagIt asks for, the
// manifests and the directory. Only then is the bag whole.
func (b *Writer) Close(fields []Field) error {
	defer b.Discard()
	var info strings.Builder
	fields = append(fields, Field{"Payload-Oxum", fmt.Sprintf("%d.%d", b.size, b.files)}, Field{"Bagging-Date", b.zip.at.UTC().Format(time.DateOnly)})
	for _, f := range fields {
		info.WriteString(f.Label + ": " + oneLine(f.Value) + "\n")
	}
	if _, err := b.Add("bag-info.txt", -1, false, strings.NewReader(info.String())); err != nil {
		return err
	}
	if _, err := b.manifest.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := b.Add("manifest-sha256.txt", -1, false, b.manifest); err != nil {
		return err
	}
	if _, err := b.zip.add(b.root+"tagmanifest-sha256.txt", -1, false, bytes.NewReader(bytes.Clone(b.tags.Bytes()))); err != nil {
		return err
	}
	return b.zip.close()
}

// oneLine makes a value fit for a line: nobody may write a line of their own.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, "\uFFFD"), func(r rune) bool {
		return r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029
	}), " ")
}
