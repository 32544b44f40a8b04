package httpapi

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"strconv"
)

// jsonFile divides an upload in JSON as it comes: the string of the member
// content is read as the file it holds, and all else is set aside, with "" in its
// place, for the decoder. It looks at no more than where strings, objects and
// arrays begin and end: what is wrong with the rest, the decoder finds.
type jsonFile struct {
	body  *bufio.Reader
	rest  []byte
	depth int
	key   bool // in an object of depth 1, where the name of a member may stand
	long  bool // there was more than rest takes
}

// maxRest bounds what is set aside. It is more than the decoder takes, so what
// is cut off here is refused there, by its name.
const maxRest = maxFields + 64

func newJSONFile(body io.Reader) *jsonFile {
	return &jsonFile{body: bufio.NewReaderSize(body, 32<<10)}
}

// untilContent reads up to the string of content. false: the body has ended, or
// is too long, without one.
func (j *jsonFile) untilContent() (bool, error) {
	for {
		c, err := j.next()
		if err != nil {
			return false, atEnd(err)
		}
		switch c {
		case '{', '[':
			j.depth++
			j.key = c == '{' && j.depth == 1
		case '}', ']':
			j.depth--
		case ',':
			j.key = j.depth == 1
		case '"':
			from := len(j.rest) - 1
			if err := j.skipString(); err != nil {
				return false, atEnd(err)
			}
			if !j.key {
				continue
			}
			j.key = false
			var name string
			if json.Unmarshal(j.rest[from:], &name) != nil || name != "content" {
				continue
			}
			if found, err := j.isString(); found || err != nil {
				return found, atEnd(err)
			}
		}
		if j.long {
			return false, nil
		}
	}
}

// toEnd reads the rest of the body.
func (j *jsonFile) toEnd() error {
	for !j.long {
		if _, err := j.next(); err != nil {
			return atEnd(err)
		}
	}
	return nil
}

func atEnd(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

// next sets a byte aside.
func (j *jsonFile) next() (byte, error) {
	c, err := j.body.ReadByte()
	if err != nil {
		return 0, err
	}
	if j.long = len(j.rest) >= maxRest; !j.long {
		j.rest = append(j.rest, c)
	}
	return c, nil
}

// skipString goes past a string whose first quote was read.
func (j *jsonFile) skipString() error {
	for !j.long {
		c, err := j.next()
		if err != nil {
			return err
		}
		if c == '\\' {
			_, err = j.next()
		} else if c == '"' {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// isString goes past the colon and says whether a string follows. Then that is
// what the body is read as next, and is set aside as an empty one.
func (j *jsonFile) isString() (bool, error) {
	for {
		c, err := j.body.ReadByte()
		if err != nil {
			return false, err
		}
		switch c {
		case ' ', '\t', '\r', '\n', ':', '"':
			j.body.UnreadByte()
			if _, err := j.next(); err != nil {
				return false, err
			}
			if c == '"' && !j.long {
				j.rest = append(j.rest, '"')
				return true, nil
			}
			if c == '"' || j.long {
				return false, nil
			}
		default:
			return false, j.body.UnreadByte()
		}
	}
}

var (
	errNotBase64 = errors.New("must be a string in base64 (RFC 4648 section 4)")
	errCutJSON   = errors.New("is not JSON: it ends in a string")
)

// file reads the bytes that the string holds.
func (j *jsonFile) file() io.Reader {
	return &base64File{base64.NewDecoder(base64.StdEncoding.Strict(), &base64Text{body: j.body})}
}

// base64File gives what is wrong with the text a name. What goes wrong with the
// body has one already.
type base64File struct{ io.Reader }

func (f *base64File) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if _, corrupt := errors.AsType[base64.CorruptInputError](err); corrupt || err == io.ErrUnexpectedEOF || errors.Is(err, errNotBase64) {
		err = inBody("content", "%v", errNotBase64)
	}
	return n, err
}

// base64Text reads a JSON string up to its closing quote. Nothing may follow the
// padding, which the decoder sees only in what it reads at once.
type base64Text struct {
	body   *bufio.Reader
	padded bool
	ended  bool
	hex    [4]byte // of an escape
}

func (t *base64Text) Read(p []byte) (n int, err error) {
	for n < len(p) && !t.ended {
		c, err := t.body.ReadByte()
		if err == io.EOF {
			err = inBody("body", "%v", errCutJSON)
		}
		if err != nil {
			return n, err
		}
		if c == '"' {
			t.ended = true
			break
		}
		if c == '\\' {
			if c, err = t.escaped(); err != nil {
				return n, err
			}
		} else if c < ' ' {
			return n, inBody("body", "is not JSON: a control character stands in a string")
		}
		switch {
		case c == '=':
			t.padded = true
		case t.padded && c != '\r' && c != '\n':
			return n, errNotBase64
		}
		p[n] = c
		n++
		if t.body.Buffered() == 0 {
			return n, nil // what there is, before it is waited for more
		}
	}
	if t.ended && n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// escaped is the character that an escape stands for, if base64 or a line end is.
func (t *base64Text) escaped() (byte, error) {
	c, err := t.body.ReadByte()
	if err != nil {
		return 0, err
	}
	switch c {
	case '/':
		return c, nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 'u':
		if _, err := io.ReadFull(t.body, t.hex[:]); err != nil {
			return 0, err
		}
		if n, err := strconv.ParseUint(string(t.hex[:]), 16, 16); err == nil && n < 0x80 {
			return byte(n), nil
		}
	}
	return 0, errNotBase64
}

// overlong is the refusal of a body of which data is the beginning, with more than
// fields may have: by the name of the one that is too much.
func (s shapes) overlong(data []byte, v reflect.Value) error {
	d := s.decoder(data)
	d.UseNumber()
	d.cut = true
	tok, err := d.token("")
	if err == nil {
		err = d.value(tok, v, bounds{}, "")
	}
	if err == nil {
		err = d.refuse("", "%v", errFieldsTooLong)
	}
	return err
}
