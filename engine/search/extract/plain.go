package extract

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
)

// plainText reads text in what it is written in (see decoded). What has zero bytes
// and is no UTF-16 or UTF-32 is no text.
func plainText(ctx context.Context, f File, out *Output) error {
	data, err := f.Bytes(ctx)
	if err != nil {
		return err
	}
	if bytes.IndexByte(data, 0) >= 0 {
		if enc, _ := encodingOf(data, f.MediaType); !isWide(enc) {
			return fmt.Errorf("%w: text with zero bytes", ErrMalformed)
		}
	}
	if bytes.Contains(data, []byte("-----BEGIN PGP MESSAGE-----")) && f.depth > 0 {
		return ErrEncrypted
	}
	return eachRune(ctx, decoded(data, f.MediaType), out, out.Rune)
}

// eachRune hands characters on until there are no more, or out is full.
func eachRune(ctx context.Context, from io.Reader, out *Output, to func(rune)) error {
	r := bufio.NewReaderSize(from, 64<<10)
	for n := 0; !out.Full(); n++ {
		if n%(16<<10) == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c, _, err := r.ReadRune()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		to(c)
	}
	return nil
}
