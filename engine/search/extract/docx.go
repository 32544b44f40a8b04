package extract

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// maxParts is how many files a DOCX may have in it. They are counted before the
// directory is read, which has some hundred bytes in memory for each.
const maxParts = 10_000

// maxXML is how much may come out of all parts that are read: one of them may be
// a single piece of text, which is in memory at once.
const maxXML = 64 << 20

// docxText reads a Word file (ECMA-376): the body first, then what stands
// around it. Text is in w:t, in paragraphs w:p.
func docxText(ctx context.Context, data []byte, out *Output) error {
	if bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")) {
		return ErrEncrypted // Office wraps what it encrypts in its older container
	}
	if bytes.Count(data, []byte("PK\x01\x02")) > maxParts {
		return fmt.Errorf("%w: more than %d parts", ErrMalformed, maxParts)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	var parts []*zip.File
	for _, f := range archive.File {
		if partRank(f.Name) > 0 {
			parts = append(parts, f)
		}
	}
	slices.SortStableFunc(parts, func(a, b *zip.File) int {
		return cmp.Or(cmp.Compare(partRank(a.Name), partRank(b.Name)), cmp.Compare(a.Name, b.Name))
	})
	if len(parts) == 0 {
		return fmt.Errorf("%w: there is no word/document.xml", ErrMalformed)
	}
	left := int64(maxXML)
	for _, f := range parts {
		if err := partText(ctx, f, &left, out); err != nil {
			return err
		}
	}
	return nil
}

// partRank says where in the text a part comes; 0 is nowhere.
func partRank(name string) int {
	dir, base := path.Split(name)
	if dir != "word/" || path.Ext(base) != ".xml" {
		return 0
	}
	for i, prefix := range []string{"document", "header", "footer", "footnotes", "endnotes", "comments"} {
		if strings.HasPrefix(base, prefix) && strings.Trim(base[len(prefix):], "0123456789") == ".xml" {
			return i + 1
		}
	}
	return 0
}

func partText(ctx context.Context, f *zip.File, left *int64, out *Output) error {
	r, err := f.Open()
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, f.Name, err)
	}
	defer r.Close()
	limited := &io.LimitedReader{R: &interruptible{ctx, r}, N: *left}
	err = xmlText(ctx, limited, out)
	if *left = limited.N; *left == 0 {
		return fmt.Errorf("%w: it swells to more than %d MiB", ErrMalformed, maxXML>>20)
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, f.Name, err)
	}
	return err
}

// xmlText reads tokens without making a tree of them, or even matching ends to
// beginnings: depth costs nothing then.
func xmlText(ctx context.Context, r io.Reader, out *Output) error {
	d := xml.NewDecoder(r)
	d.Strict = false
	inText := false
	for n := 0; !out.Full(); n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			inText = t.Name.Local == "t"
			switch t.Name.Local {
			case "tab":
				out.Gap(' ')
			case "br", "cr":
				out.Gap('\n')
			}
		case xml.EndElement:
			inText = false
			switch t.Name.Local {
			case "p":
				out.Gap('\n')
			case "tc":
				out.Gap(' ')
			}
		case xml.CharData:
			if inText {
				out.Text(string(t))
			}
		}
	}
	return nil
}
