package extract

import (
	"bytes"
	"compress/flate"
	"encoding/ascii85"
	"io"
)

// maxStream is how much may come out of one stream.
const maxStream = 16 << 20

// decode undoes the filters of a stream as far as it can: of a stream that ends
// early it returns the beginning, of one in a filter that text does not come
// in, nothing.
func (p *pdf) decode(s *stream) []byte {
	filters := p.list(s.dict["Filter"])
	params := p.list(s.dict["DecodeParms"])
	data := s.raw
	for i, f := range filters {
		var param dict
		if i < len(params) {
			param = p.dict(params[i])
		}
		switch f := p.resolve(f); f {
		case name("FlateDecode"), name("Fl"):
			data = p.unpredict(p.inflate(data), param)
		case name("ASCIIHexDecode"), name("AHx"):
			n := 0
			data = (&lexer{data: append([]byte("<"), data...), nodes: &n}).hex()
		case name("ASCII85Decode"), name("A85"):
			data = p.bounded(ascii85.NewDecoder(bytes.NewReader(untilTilde(data))))
		default:
			return nil
		}
	}
	return data
}

// list is an array, or what stands for an array of one.
func (p *pdf) list(o any) array {
	switch v := p.resolve(o).(type) {
	case nil:
		return nil
	case array:
		return v
	default:
		return array{v}
	}
}

// inflate skips the two bytes of the zlib header, and does not ask for the
// checksum at the end: files that were cut are common.
func (p *pdf) inflate(data []byte) []byte {
	if len(data) < 2 {
		return nil
	}
	return p.bounded(flate.NewReader(bytes.NewReader(data[2:])))
}

// bounded reads what may come out of one stream, and of all.
func (p *pdf) bounded(r io.Reader) []byte {
	limit := min(maxStream, p.inflated)
	b, _ := io.ReadAll(io.LimitReader(&interruptible{p.ctx, r}, limit))
	p.inflated -= int64(len(b))
	return b
}

func untilTilde(data []byte) []byte {
	data = bytes.TrimPrefix(bytes.TrimSpace(data), []byte("<~"))
	before, _, _ := bytes.Cut(data, []byte("~"))
	return before
}

// unpredict undoes the predictors of PNG (RFC 2083, 6), which streams of
// objects may have.
func (p *pdf) unpredict(data []byte, param dict) []byte {
	number := func(key name, otherwise int) int {
		if f, ok := p.resolve(param[key]).(float64); ok && f > 0 && f < 1<<16 {
			return int(f)
		}
		return otherwise
	}
	if number("Predictor", 1) < 10 {
		return data
	}
	size := max(1, number("Colors", 1)*number("BitsPerComponent", 8)/8)
	row := (number("Columns", 1)*number("Colors", 1)*number("BitsPerComponent", 8) + 7) / 8
	row = min(row, len(data)) // the file says what it likes, terabytes too
	out := make([]byte, 0, len(data))
	before := make([]byte, row)
	for len(data) > 1 {
		kind, line := data[0], bytes.Clone(data[1:min(len(data), row+1)])
		data = data[1+len(line):]
		for i := range line {
			var left, upLeft byte
			if i >= size {
				left, upLeft = line[i-size], before[i-size]
			}
			switch kind {
			case 1:
				line[i] += left
			case 2:
				line[i] += before[i]
			case 3:
				line[i] += byte((int(left) + int(before[i])) / 2)
			case 4:
				line[i] += paeth(left, before[i], upLeft)
			}
		}
		out = append(out, line...)
		copy(before, line)
	}
	return out
}

func paeth(a, b, c byte) byte {
	p := int(a) + int(b) - int(c)
	pa, pb, pc := abs(p-int(a)), abs(p-int(b)), abs(p-int(c))
	switch {
	case pa <= pb && pa <= pc:
		return a
	case pb <= pc:
		return b
	}
	return c
}

func abs(n int) int { return max(n, -n) }
