package extract

import (
	"context"
	"path"
	"slices"
	"strings"
)

// odfText reads a file of OpenDocument (ISO 26300): text, spreadsheet, presentation
// or drawing. Text is in text:p and text:h wherever they are; content first, then
// what is in it, headers and footers, and what is said of the document.
func odfText(ctx context.Context, data []byte, out *Output) error {
	left := int64(maxUnpacked)
	a, err := openArchive(ctx, data, &left)
	if err != nil {
		return err
	}
	if err := a.odfLocked(); fatal(err) {
		return err
	}
	if a.parts["content.xml"] == nil {
		return malformed("there is no content.xml")
	}
	slices.SortStableFunc(a.order, func(x, y *part) int { return odfRank(x.name) - odfRank(y.name) })
	var failed error
	for _, p := range a.order {
		rank := odfRank(p.name)
		if rank == odfNothing || out.Full() {
			break
		}
		d := &open{flow: flow{into: out}, styles: rank == odfStyles}
		each := d.step
		if rank == odfMeta {
			each = d.meta
		}
		out.Gap('\n')
		err := a.scan(p, each)
		d.finish()
		if fatal(err) {
			return err
		}
		if failed == nil {
			failed = err
		}
	}
	return failed
}

// Where in the text a part comes.
const (
	odfContent = iota
	odfWithin  // a chart, or another document
	odfStyles
	odfMeta
	odfNothing
)

func odfRank(part string) int {
	switch dir, file := path.Split(part); {
	case part == "content.xml":
		return odfContent
	case part == "styles.xml":
		return odfStyles
	case part == "meta.xml":
		return odfMeta
	case file == "content.xml" && strings.HasPrefix(dir, "object "):
		return odfWithin
	}
	return odfNothing
}

// odfLocked: what is encrypted is told by the manifest.
func (a *archive) odfLocked() error {
	p := a.parts["meta-inf/manifest.xml"]
	if p == nil {
		return nil
	}
	of := ""
	return a.scan(p, func(s *scanner) error {
		if s.is == begun && s.name.local == "file-entry" {
			of = partName(s.attr("full-path"))
		}
		if s.is == begun && s.name.local == "encryption-data" && (of == "content.xml" || of == "encrypted-package") {
			return ErrEncrypted
		}
		return nil
	})
}

// open reads one part of an OpenDocument file.
type open struct {
	flow
	styles     bool // of the parts only what stands on every page
	paragraphs int  // in one another
	written    int  // how much was there when a cell began
	value      string
}

func (d *open) finish() {
	d.aside, d.in = 0, 1
	d.end()
}

func (d *open) step(s *scanner) error {
	if d.into.Full() {
		return errStop
	}
	switch s.is {
	case begun:
		return d.begun(s)
	case ended:
		d.ended(s)
	case words:
		in := innermost(s)
		if d.paragraphs > 0 || strings.HasSuffix(in, "-decl") || in == "title" || in == "desc" {
			d.to().Text(string(s.text))
		}
	}
	return nil
}

func (d *open) begun(s *scanner) error {
	switch s.name.space {
	case "text":
		return d.text(s)
	case "table":
		return d.table(s)
	case "office":
		switch s.name.local {
		case "annotation":
			d.hang(s.depth)
		case "binary-data", "scripts", "event-listeners", "font-face-decls", "automatic-styles", "settings":
			return s.skip()
		case "styles":
			if d.styles {
				return s.skip()
			}
		}
	case "drawing":
		switch s.name.local {
		case "text-box", "object", "custom-shape":
			d.hang(s.depth)
		case "frame":
			if d.styles && s.attr("class") != "" { // it holds a place
				return s.skip()
			}
		case "glue-point", "enhanced-geometry":
			return s.skip()
		}
	case "form":
		d.note(s.attr("label"))
		if value := s.attr("current-value"); value != "" {
			d.note(value)
		} else if s.name.local != "property" && s.name.local != "list-property" {
			d.note(s.attr("value"))
		}
	case "svg-compatible": // svg:title, svg:desc
		d.hang(s.depth)
	case "elements", "meta":
		if d.paragraphs > 0 || s.parent() == "annotation" { // who noted what, and when
			return s.skip()
		}
	}
	return nil
}

func (d *open) text(s *scanner) error {
	switch s.name.local {
	case "p", "h":
		d.begin()
		d.paragraphs++
	case "s", "tab":
		d.to().Gap(' ')
	case "line-break":
		d.to().Gap('\n')
	case "note":
		d.hang(s.depth)
	case "note-citation", "tracked-changes", "ruby-text", "script", "notes-configuration", "meta-field-decls":
		return s.skip()
	}
	return nil
}

// table: what is repeated is read once, however often it is.
func (d *open) table(s *scanner) error {
	switch s.name.local {
	case "table":
		if name := s.attr("name"); name != "local-table" {
			d.note(name)
		}
	case "table-cell":
		d.written, d.value = d.to().b.Len(), firstOf(s, "string-value", "date-value", "time-value", "boolean-value", "value")
	case "tracked-changes", "content-validations", "calculation-settings":
		return s.skip()
	}
	return nil
}

func firstOf(s *scanner, names ...string) string {
	for _, n := range names {
		if v := s.attr(n); v != "" {
			return v
		}
	}
	return ""
}

func (d *open) ended(s *scanner) {
	switch s.name.space + ":" + s.name.local {
	case "text:p", "text:h":
		d.paragraphs = max(d.paragraphs-1, 0)
		d.end()
	case "text:note", "office:annotation", "drawing:text-box", "drawing:object", "drawing:custom-shape", "svg-compatible:title", "svg-compatible:desc":
		d.release(s.depth)
	case "table:table-cell":
		if d.to().b.Len() == d.written { // nobody has written what is shown
			d.to().Text(d.value)
		}
		d.to().Gap(' ')
		d.value = ""
	case "table:table-row":
		d.to().Gap('\n')
	case "presentation:footer-decl", "presentation:header-decl", "presentation:date-time-decl":
		d.to().Gap('\n')
	}
}

// meta reads what people say of a document.
func (d *open) meta(s *scanner) error {
	switch {
	case s.is == begun && s.name.local == "user-defined":
		d.into.Text(s.attr("name"))
		d.into.Gap(' ')
	case s.is == words:
		switch innermost(s) {
		case "title", "subject", "description", "keyword", "user-defined":
			d.into.Text(string(s.text))
		}
	case s.is == ended:
		d.into.Gap('\n')
	}
	return nil
}
