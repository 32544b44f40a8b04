package extract

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxMemberNames is how many members an archive may have. They are counted before the
// directory is read, which has some hundred bytes in memory for each.
const maxMemberNames = 100_000

// zipText reads the names of all members, and then the members.
func zipText(ctx context.Context, f File, data []byte, out *Output) error {
	if bytes.Count(data, []byte("PK\x01\x02")) > maxMemberNames {
		return fmt.Errorf("%w: more than %d members", ErrMalformed, maxMemberNames)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	for _, m := range archive.File {
		if out.Full() {
			return nil
		}
		out.Text(memberName(m.Name))
		out.Gap('\n')
	}
	for _, m := range archive.File {
		if out.Full() || ctx.Err() != nil {
			return ctx.Err()
		}
		if m.FileInfo().IsDir() {
			continue
		}
		if m.Flags&1 != 0 {
			f.nest.fail(ErrEncrypted)
			continue
		}
		content, err := expand(ctx, m, f.nest.bytes)
		if err != nil {
			f.nest.fail(err)
			continue
		}
		if err := f.member(ctx, memberName(m.Name), "", content, out); err != nil {
			return err
		}
	}
	return nil
}

// memberName decodes what older programs wrote in the code page of their machine.
func memberName(name string) string {
	if utf8.ValidString(name) {
		return name
	}
	enc, _ := sniff([]byte(name), true)
	s, err := enc.NewDecoder().String(name)
	if err != nil {
		return name
	}
	return s
}

// expand takes one byte more than left, if there is one: then it is too much.
func expand(ctx context.Context, m *zip.File, left int64) ([]byte, error) {
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(&interruptible{ctx, r}, left+1))
	if int64(len(data)) > left {
		return data, nil
	}
	return data, err
}
