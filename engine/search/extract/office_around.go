package extract

import (
	"errors"
	"io"
	"slices"
	"strings"
)

// What stands around the text of an office file: comments, charts, properties,
// and documents in it.

// comments reads those of all three: paragraphs of Word's and the newer ones of
// PowerPoint; text of Excel's and the older ones of PowerPoint, without paragraphs.
func (o *office) comments(p *part) error {
	d := &prose{office: o, flow: flow{into: o.out}}
	var authors []string
	author := ""
	err := o.scan(p, func(s *scanner) error {
		switch in := innermost(s); {
		case s.is == words && in == "author":
			author = first(author+string(s.text), 64)
		case s.is == ended && s.name.local == "author":
			if len(authors) < maxParts {
				authors = append(authors, author)
			}
			author = ""
		case s.is == begun && s.name.local == "comment" && o.book.threaded:
			// Excel says a threaded comment again, to older versions.
			if n := int(integer(s.attr("authorId"))); n >= 0 && n < len(authors) && strings.HasPrefix(authors[n], "tc=") {
				return s.skip()
			}
		case s.is == words && in == "text":
			o.out.Text(string(s.text))
		case s.is == ended && (s.name.local == "comment" || s.name.local == "cm"):
			o.out.Gap('\n')
		}
		return d.step(s)
	})
	d.finish()
	return err
}

func innermost(s *scanner) string {
	if len(s.open) == 0 {
		return ""
	}
	return s.open[len(s.open)-1].local
}

// remarks reads the threaded comments of a spreadsheet.
func (o *office) remarks(p *part) error {
	o.book.threaded = true
	return o.scan(p, func(s *scanner) error {
		switch {
		case s.is == words && innermost(s) == "text":
			o.out.Text(string(s.text))
		case s.is == ended && s.name.local == "threadedComment":
			o.out.Gap('\n')
		}
		return nil
	})
}

// chart reads titles and the names of what is shown, not the numbers.
func (o *office) chart(p *part) error {
	d := &prose{office: o, flow: flow{into: o.out}}
	return o.scan(p, func(s *scanner) error {
		if s.is == begun {
			switch s.name.local {
			case "numCache", "numLit", "numDim", "f":
				return s.skip()
			}
		}
		if in := innermost(s); s.is == words && (in == "v" || in == "pt") {
			o.out.Text(string(s.text))
		}
		if s.is == ended && (s.name.local == "v" || s.name.local == "pt") {
			o.out.Gap('\n')
		}
		return d.step(s)
	})
}

// properties reads what people say of a document: not who, when and with what.
func (o *office) properties(p *part) error {
	return o.scan(p, func(s *scanner) error {
		switch {
		case s.is == words:
			switch innermost(s) {
			case "title", "subject", "keywords", "description", "category", "value":
				o.out.Text(string(s.text))
			}
		case s.is == ended:
			o.out.Gap('\n')
		}
		return nil
	})
}

// custom reads properties of one's own, with their names.
func (o *office) custom(p *part) error {
	return o.scan(p, func(s *scanner) error {
		switch {
		case s.is == begun && s.name.local == "property":
			name := s.attr("name")
			if strings.HasPrefix(name, "_") || strings.HasPrefix(name, "MSIP_") || name == "ContentTypeId" {
				return s.skip() // programs' own
			}
			o.out.Text(name)
			o.out.Gap(' ')
		case s.is == words && len(s.open) > 2 && innermost(s) != "clsid":
			o.out.Text(string(s.text))
		case s.is == ended:
			o.out.Gap('\n')
		}
		return nil
	})
}

// chunk reads a document that Word would take into this one (an altChunk), with the
// reader of its kind: a document, text, or a page as mail, which is how Word saves one
// with its pictures. What else may have files in it is left, within mail too: nobody
// counts how deep.
func (o *office) chunk(p *part) error {
	r, err := o.open(p)
	if err != nil {
		return o.blame(p, err)
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, MaxInput/4))
	if err != nil {
		return o.blame(p, err)
	}
	f := File{ReaderAt: strings.NewReader(string(data)), Size: int64(len(data)), MediaType: p.content, Name: p.name}
	kind, err := KindOf(o.ctx, f)
	if err != nil {
		return err
	}
	switch kind {
	case DOCX:
		if o.chunks >= maxChunks {
			return malformed("documents in documents")
		}
		inner := &office{out: o.out, chunks: o.chunks + 1, left: o.left}
		if err := inner.text(o.ctx, data); errors.Is(err, ErrSwells) || o.ctx.Err() != nil {
			return err
		}
		return nil // what is wrong within it is no reason to leave this one
	case Text, HTML, RTF, XML, EML:
		flat := slices.DeleteFunc(Readers(), func(r Reader) bool { return !slices.Contains([]Kind{Text, HTML, RTF, XML}, r.Kind) })
		f.nest, f.depth = newNest(flat), 1
		reader, _ := readerOf(Readers(), kind)
		if err := reader.Read(o.ctx, f, o.out); o.ctx.Err() != nil {
			return err
		}
	}
	return nil
}
