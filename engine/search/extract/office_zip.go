package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	// maxParts is how many files an office file may have in it. They are counted before
	// the directory is read, which has some hundred bytes in memory for each.
	maxParts = 10_000
	// maxUnpacked is how much may come out of all parts that are read, in bytes. They
	// are read as they come, so that it costs time and no memory.
	maxUnpacked = 256 << 20
	// maxRatio is how many times its size a part may unpack to, once that is more than
	// mayRatio bytes: tables of empty cells come to a hundred.
	maxRatio = 400
	mayRatio = 16 << 20
)

// archive is an office file's parts by name, in lower case: writers differ in it.
type archive struct {
	ctx   context.Context
	parts map[string]*part
	order []*part
	left  *int64 // bytes that may still come out of it, and of what is in it
}

// part is a file in an archive.
type part struct {
	name    string // in lower case, without a leading slash
	file    *zip.File
	content string // its media type, of [Content_Types].xml
	role    string // what a relationship or the media type says it is
	read    bool
}

// openArchive reads an archive's directory. ErrTruncated if there is none.
func openArchive(ctx context.Context, data []byte, left *int64) (*archive, error) {
	if bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		return nil, ErrEncrypted // Office wraps what it encrypts in its older container
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if bytes.Count(data, []byte("PK\x01\x02")) > maxParts {
		return nil, malformed("more than %d parts", maxParts)
	}
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		if bytes.HasPrefix(data, []byte("PK\x03\x04")) && !bytes.Contains(data[max(0, len(data)-66<<10):], []byte("PK\x05\x06")) {
			return nil, ErrTruncated
		}
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	a := &archive{ctx: ctx, parts: map[string]*part{}, left: left}
	for _, f := range z.File {
		n := partName(f.Name)
		if a.parts[n] != nil || strings.HasSuffix(f.Name, "/") || len(f.Name) > maxName {
			continue
		}
		p := &part{name: n, file: f}
		a.parts[n], a.order = p, append(a.order, p)
	}
	return a, overlap(z.File)
}

// overlap: members that share bytes are how a small archive holds a large one.
func overlap(files []*zip.File) error {
	type span struct{ from, to int64 }
	var spans []span
	for _, f := range files {
		if at, err := f.DataOffset(); err == nil && f.CompressedSize64 > 0 && f.CompressedSize64 < MaxInput {
			spans = append(spans, span{at, at + int64(f.CompressedSize64)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return malformed("members that overlap")
		}
	}
	return nil
}

// partName is how a part is known: some writers use backslashes, or capitals.
func partName(s string) string {
	s = strings.ReplaceAll(s, `\`, "/")
	return strings.ToLower(strings.TrimLeft(path.Clean(s), "/"))
}

// target resolves what a relationship of a part refers to.
func (a *archive) target(of *part, to string) *part {
	to, _, _ = strings.Cut(to, "#")
	slashes := strings.ReplaceAll(unescape(to), `\`, "/")
	if p := a.parts[partName(path.Join("/", path.Dir(of.name), slashes))]; p != nil && !strings.HasPrefix(slashes, "/") {
		return p
	}
	return a.parts[partName(slashes)]
}

// unescape reads %20 and its like.
func unescape(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b, i = append(b, byte(n)), i+2
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}

// open opens a part for reading within what is left.
func (a *archive) open(p *part) (io.ReadCloser, error) {
	if p.file.Flags&1 != 0 {
		return nil, ErrEncrypted
	}
	packed, unpacked := p.file.CompressedSize64, p.file.UncompressedSize64
	if unpacked > mayRatio && unpacked/maxRatio > packed {
		return nil, ErrSwells // as it says itself; what says less is counted
	}
	r, err := p.file.Open()
	if err != nil {
		return nil, err
	}
	return &unpacking{ReadCloser: r, archive: a, packed: int64(p.file.CompressedSize64)}, nil
}

// unpacking counts what comes out.
type unpacking struct {
	io.ReadCloser
	archive     *archive
	packed, got int64
}

func (u *unpacking) Read(b []byte) (int, error) {
	if err := u.archive.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := u.ReadCloser.Read(b)
	u.got += int64(n)
	*u.archive.left -= int64(n)
	if *u.archive.left < 0 || u.got > mayRatio && u.got/maxRatio > u.packed {
		return 0, ErrSwells
	}
	return n, err
}

// scan reads a part as XML.
func (a *archive) scan(p *part, each func(*scanner) error) error {
	r, err := a.open(p)
	if err != nil {
		return a.blame(p, err)
	}
	defer r.Close()
	s, err := newScanner(a.ctx, r)
	for err == nil {
		if err = s.next(); err == nil {
			err = each(s)
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, errStop) {
		return nil
	}
	return a.blame(p, err)
}

// errStop ends the reading of a part that has been read far enough.
var errStop = errors.New("enough")

// blame makes an error of this package of what is wrong with a part.
func (a *archive) blame(p *part, err error) error {
	if a.ctx.Err() != nil {
		return a.ctx.Err()
	}
	for _, known := range reasons {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %s: %w", ErrMalformed, p.name, err)
}

// fatal: nothing more can be read after it. Another part may be whole where one is not.
func fatal(err error) bool {
	return err != nil && !errors.Is(err, ErrMalformed)
}
