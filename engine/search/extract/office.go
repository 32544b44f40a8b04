package extract

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strings"
)

// role is what a part is to an office file (ECMA-376): rank says where in the text
// it comes, and read how its text is read. A part is found by the relationship that
// refers to it, by its media type, or by its name, whichever there is.
type role struct {
	kind    string // how the type of the relationship ends
	content string // how the media type ends
	name    string // how the file's path ends, without numbers
	rank    int
	read    func(*office, *part) error
}

// roles are all roles. What is referred to and is not here is no text.
func roles() []role {
	return []role{
		{"officedocument", "main+xml", "word/document", 1, (*office).document},
		{"officedocument", "", "xl/workbook", 1, (*office).document},
		{"officedocument", "", "ppt/presentation", 1, (*office).document},
		{"sharedstrings", "sharedstrings+xml", "xl/sharedstrings", 0, nil},
		{"styles", "styles+xml", "xl/styles", 0, nil},
		{"header", "header+xml", "word/header", 2, (*office).paragraphs},
		{"footer", "footer+xml", "word/footer", 3, (*office).paragraphs},
		{"footnotes", "footnotes+xml", "word/footnotes", 4, (*office).paragraphs},
		{"endnotes", "endnotes+xml", "word/endnotes", 5, (*office).paragraphs},
		{"afchunk", "", "word/afchunk", 6, (*office).chunk},
		{"worksheet", "worksheet+xml", "worksheets/sheet", 2, (*office).sheet},
		{"chartsheet", "chartsheet+xml", "", 2, (*office).nothing},
		{"dialogsheet", "dialogsheet+xml", "", 2, (*office).nothing},
		{"slide", "slide+xml", "slides/slide", 2, (*office).paragraphs},
		{"notesslide", "notesslide+xml", "notesslides/notesslide", 4, (*office).paragraphs},
		{"threadedcomment", "threadedcomments+xml", "threadedcomments/threadedcomment", 7, (*office).remarks},
		{"comments", "comments+xml", "comments", 8, (*office).comments},
		{"comments", "", "comment", 8, (*office).comments},
		{"drawing", "drawing+xml", "drawings/drawing", 3, (*office).paragraphs},
		{"diagramdata", "diagramdata+xml", "diagrams/data", 3, (*office).paragraphs},
		{"chart", "chart+xml", "charts/chart", 3, (*office).chart},
		{"chartex", "chartex+xml", "charts/chartex", 3, (*office).chart},
		{"chartusershapes", "chartshapes+xml", "", 4, (*office).paragraphs},
		{"slidelayout", "slidelayout+xml", "slidelayouts/slidelayout", late, (*office).master},
		{"slidemaster", "slidemaster+xml", "slidemasters/slidemaster", late, (*office).master},
		{"notesmaster", "notesmaster+xml", "notesmasters/notesmaster", late, (*office).master},
		{"handoutmaster", "handoutmaster+xml", "handoutmasters/handoutmaster", late, (*office).master},
		{"glossarydocument", "document.glossary+xml", "", late, (*office).paragraphs},
		{"core-properties", "core-properties+xml", "docprops/core", late, (*office).properties},
		{"custom-properties", "custom-properties+xml", "docprops/custom", late, (*office).custom},
	}
}

const (
	// late is the rank of what is read behind all others.
	late = 100
	// maxFollowed is how long a chain of relationships is followed.
	maxFollowed = 16
	// maxChunks is how deep a document is in documents.
	maxChunks = 3
)

// office is one file while it is read.
type office struct {
	*archive
	roles  []role
	out    *Output
	late   []*part
	failed error                // the first part that could not be read
	left   *int64               // bytes that may come out of it
	chunks int                  // documents that this one is in
	links  map[string]*relation // of the part that is read, by id
	refers int                  // how often a part has referred to one so far
	book   book                 // of a spreadsheet
}

// relation is a relationship of a part to another.
type relation struct {
	id    string
	role  role
	part  *part
	order int // of appearance in the part
}

// officeText reads a file of Word, Excel or PowerPoint: the text first, then what
// stands around it.
func officeText(ctx context.Context, data []byte, out *Output) error {
	left := int64(maxUnpacked)
	return (&office{out: out, left: &left}).text(ctx, data)
}

func (o *office) text(ctx context.Context, data []byte) (err error) {
	if o.archive, err = openArchive(ctx, data, o.left); err != nil {
		return err
	}
	o.roles = roles()
	if err := o.contentTypes(); fatal(err) {
		return err
	}
	// What no relationship leads to is read as well, if its media type or name tells
	// what it is: a list of relationships may be missing or wrong.
	root := &part{name: "root"}
	if err := o.follow(root, nil, 0); err != nil {
		return err
	}
	slices.SortStableFunc(o.order, func(a, b *part) int {
		return cmp.Or(cmp.Compare(o.roleOf(a).rank, o.roleOf(b).rank), cmp.Compare(numberOf(a.name), numberOf(b.name)), cmp.Compare(a.name, b.name))
	})
	for _, p := range o.order {
		if r := o.roleOf(p); r.read != nil && r.rank < late {
			if err := o.visit(p, r, 0); err != nil {
				return err
			}
		}
	}
	for _, p := range append(o.late, o.order...) {
		if r := o.roleOf(p); r.read != nil {
			if err := o.visit(p, r, maxFollowed); err != nil {
				return err
			}
		}
	}
	if o.failed == nil && !slices.ContainsFunc(o.order, func(p *part) bool { return p.read && o.roleOf(p).rank == 1 }) {
		return malformed("there is no document in it")
	}
	return o.failed
}

// contentTypes reads what the parts are said to be.
func (o *office) contentTypes() error {
	p := o.parts["[content_types].xml"]
	if p == nil {
		return nil
	}
	return o.scan(p, func(s *scanner) error {
		if s.is != begun || s.name.local != "Override" {
			return nil
		}
		if of := o.parts[partName(unescape(s.attr("PartName")))]; of != nil && of.content == "" {
			of.content = strings.ToLower(first(s.attr("ContentType"), 128))
		}
		return nil
	})
}

func first(s string, n int) string { return s[:min(len(s), n)] }

// roleOf is what a part is by all that is known of it; the zero role is nothing.
func (o *office) roleOf(p *part) role {
	dir, file := path.Split(p.name)
	if strings.Contains(dir, "embeddings/") {
		return role{}
	}
	stem := strings.TrimRight(strings.TrimSuffix(file, path.Ext(file)), "0123456789")
	kind := p.role
	i := slices.IndexFunc(o.roles, func(r role) bool { return kind != "" && r.kind == kind })
	if i < 0 {
		i = slices.IndexFunc(o.roles, func(r role) bool { return r.content != "" && strings.HasSuffix(p.content, "."+r.content) })
	}
	if plain := p.content == "" || strings.HasSuffix(p.content, "/xml"); i < 0 && plain && path.Ext(file) == ".xml" {
		i = slices.IndexFunc(o.roles, func(r role) bool { return r.name != "" && strings.HasSuffix("/"+dir+stem, "/"+r.name) })
	}
	if i < 0 {
		return role{}
	}
	return o.roles[i]
}

// numberOf is the number at the end of a part's name: 10 comes after 9.
func numberOf(name string) int {
	stem := strings.TrimSuffix(name, path.Ext(name))
	n := 0
	for _, c := range stem[len(strings.TrimRight(stem, "0123456789")):] {
		n = min(n*10+int(c-'0'), 1<<30)
	}
	return n
}

// visit reads a part, unless it was read, and what it refers to.
func (o *office) visit(p *part, r role, depth int) error {
	if p.read || o.out.Full() {
		return nil
	}
	p.read = true
	relations, err := o.relations(p)
	if fatal(err) {
		return err
	}
	o.links = map[string]*relation{}
	for _, to := range relations {
		if o.links[to.id] == nil {
			o.links[to.id] = to
		}
	}
	o.out.Gap('\n')
	err = r.read(o, p)
	o.out.Gap('\n')
	if fatal(err) {
		return err
	}
	if o.failed == nil {
		o.failed = err
	}
	return o.follow(p, relations, depth)
}
