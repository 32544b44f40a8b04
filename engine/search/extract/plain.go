package extract

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// plainText reads text in the encoding its first bytes declare, UTF-8 or
// UTF-16; undeclared it is UTF-8 if it can be, else Windows-1252, which has
// Latin-1 in it. What has zero bytes then is no text.
func plainText(ctx context.Context, data []byte, out *Output) error {
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		return utf8Text(ctx, data[3:], out)
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		return utf16Text(ctx, data[2:], binary.LittleEndian, out)
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		return utf16Text(ctx, data[2:], binary.BigEndian, out)
	case bytes.IndexByte(data, 0) >= 0:
		return fmt.Errorf("%w: text with zero bytes", ErrMalformed)
	case utf8.Valid(data):
		return utf8Text(ctx, data, out)
	}
	for i, b := range data {
		if i%(64<<10) == 0 && ctx.Err() != nil || out.Full() {
			return ctx.Err()
		}
		out.Rune(windows1252(b))
	}
	return nil
}

func utf8Text(ctx context.Context, data []byte, out *Output) error {
	for len(data) > 0 && !out.Full() {
		if err := ctx.Err(); err != nil {
			return err
		}
		piece := data[:min(len(data), 64<<10)]
		for len(piece) < len(data) && !utf8.RuneStart(data[len(piece)]) {
			piece = data[:len(piece)+1]
		}
		out.Text(string(piece))
		data = data[len(piece):]
	}
	return nil
}

func utf16Text(ctx context.Context, data []byte, order binary.ByteOrder, out *Output) error {
	for i := 0; i+1 < len(data) && !out.Full(); i += 2 {
		if i%(64<<10) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		r := rune(order.Uint16(data[i:]))
		if utf16.IsSurrogate(r) && i+3 < len(data) {
			if pair := utf16.DecodeRune(r, rune(order.Uint16(data[i+2:]))); pair != utf8.RuneError {
				r, i = pair, i+2
			}
		}
		out.Rune(r)
	}
	return nil
}

// windows1252 differs from Latin-1 in 0x80 to 0x9f.
func windows1252(b byte) rune {
	if b < 0x80 || b > 0x9f {
		return rune(b)
	}
	return [32]rune{
		'€', utf8.RuneError, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', utf8.RuneError, 'Ž', utf8.RuneError,
		utf8.RuneError, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', utf8.RuneError, 'ž', 'Ÿ',
	}[b-0x80]
}
