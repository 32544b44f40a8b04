package extract

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
)

const (
	maxObjects = 1_000_000
	maxPages   = 50_000
	// maxChain is how many references lead to one object at most.
	maxChain = 32
)

// pdf is a file whose objects are found by looking for "obj" from its first
// byte to its last, not by its cross-reference table: tables are wrong in many
// files that programs show without complaint, and a scan cannot be sent in
// circles. Of several objects with one number the last counts, as it does when
// a file was changed by appending to it.
const maxInflated = 128 << 20

type pdf struct {
	ctx      context.Context
	data     []byte
	nodes    int
	inflated int64        // what may still come out of what is compressed
	offsets  map[ref]int  // where the object begins, behind "obj"
	packed   map[ref]slot // objects in object streams
	objects  map[ref]any  // those that were read
	reading  int          // objects at once: the length of a stream may be one, which is a stream
	root     any
}

// slot is where an object is in the content of an object stream.
type slot struct {
	content []byte
	at      int
}

func openPDF(ctx context.Context, data []byte) (*pdf, error) {
	if at := bytes.Index(data[:min(len(data), 1024)], []byte("%PDF-")); at < 0 {
		return nil, fmt.Errorf("%w: it does not begin as a PDF", ErrMalformed)
	}
	p := &pdf{ctx: ctx, data: data, inflated: maxInflated, offsets: map[ref]int{}, packed: map[ref]slot{}, objects: map[ref]any{}}
	streams, err := p.scan()
	if err != nil {
		return nil, err
	}
	if err := p.trailers(streams); err != nil {
		return nil, err
	}
	for _, number := range streams {
		if s, ok := p.resolve(number).(*stream); ok && s.dict["Type"] == name("ObjStm") {
			p.unpack(s)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// scan finds the objects. It returns those that may be streams of objects or of
// cross-references.
func (p *pdf) scan() (streams []ref, err error) {
	ends, begins, streamEnds := p.finder("endobj"), p.finder("stream"), p.finder("endstream")
	for at := 0; ; {
		i := bytes.Index(p.data[at:], []byte("obj"))
		if i < 0 {
			return streams, nil
		}
		begin := at + i
		at = begin + len("obj")
		number, ok := p.numberBefore(begin)
		if !ok {
			continue
		}
		if p.offsets[number] = at; len(p.offsets) > maxObjects {
			return nil, fmt.Errorf("%w: more than %d objects", ErrMalformed, maxObjects)
		}
		if len(p.offsets)%1024 == 0 && p.ctx.Err() != nil {
			return nil, p.ctx.Err()
		}
		// What a stream holds may look like objects.
		if s := begins(at); s < ends(at) {
			head := p.data[at:s]
			if bytes.Contains(head, []byte("ObjStm")) || bytes.Contains(head, []byte("XRef")) {
				streams = append(streams, number)
			}
			at = min(streamEnds(s)+len("endstream"), len(p.data))
			if at == len(p.data) { // it never ends: there may be objects in it
				at = s + len("stream")
			}
		}
	}
}

// finder returns what finds a word at or after a place, where places rise; the
// end of the file if it is not there. It looks at no byte twice.
func (p *pdf) finder(word string) func(at int) int {
	found := -1
	return func(at int) int {
		if found < at {
			if i := bytes.Index(p.data[at:], []byte(word)); i >= 0 {
				found = at + i
			} else {
				found = len(p.data)
			}
		}
		return found
	}
}

// numberBefore reads "12 0 " backwards.
func (p *pdf) numberBefore(at int) (ref, bool) {
	digits := func() (n, count int) {
		for unit := 1; at > 0 && p.data[at-1] >= '0' && p.data[at-1] <= '9' && count < 9; unit *= 10 {
			at--
			n += int(p.data[at]-'0') * unit
			count++
		}
		return n, count
	}
	spaces := func() (count int) {
		for at > 0 && isSpace(p.data[at-1]) {
			at--
			count++
		}
		return count
	}
	spaces()
	if _, n := digits(); n == 0 || spaces() == 0 {
		return 0, false
	}
	number, n := digits()
	return ref(number), n > 0
}

// trailers finds the root, and whether the file is encrypted.
func (p *pdf) trailers(streams []ref) error {
	take := func(d dict) error {
		if d["Encrypt"] != nil {
			return ErrEncrypted
		}
		if d["Root"] != nil {
			p.root = d["Root"]
		}
		return nil
	}
	for at := 0; ; {
		i := bytes.Index(p.data[at:], []byte("trailer"))
		if i < 0 {
			break
		}
		at += i + len("trailer")
		l := lexer{data: p.data, at: at, nodes: &p.nodes}
		if o, _ := l.next(); o != nil {
			if d, ok := o.(dict); ok {
				if err := take(d); err != nil {
					return err
				}
			}
		}
	}
	for _, number := range streams {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		if s, ok := p.resolve(number).(*stream); ok && s.dict["Type"] == name("XRef") {
			if err := take(s.dict); err != nil {
				return err
			}
		}
	}
	return nil
}

// unpack notes where the objects of an object stream are.
func (p *pdf) unpack(s *stream) {
	content := p.decode(s)
	first, _ := p.resolve(s.dict["First"]).(float64)
	if first < 0 || int(first) > len(content) {
		return
	}
	l := lexer{data: content[:int(first)], nodes: &p.nodes}
	for len(p.packed) < maxObjects {
		number, _ := l.next()
		offset, ok := l.next()
		n, isNumber := number.(float64)
		o, isOffset := offset.(float64)
		if !ok || !isNumber || !isOffset || n < 0 || n >= 1<<31 || o < 0 || int(o) > len(content)-int(first) {
			return
		}
		p.packed[ref(n)] = slot{content, int(first) + int(o)}
	}
}

// resolve follows references to an object; nil if there is none.
func (p *pdf) resolve(o any) any {
	for range maxChain {
		number, ok := o.(ref)
		if !ok {
			return o
		}
		o = p.object(number)
	}
	return nil
}

func (p *pdf) object(number ref) any {
	if o, ok := p.objects[number]; ok {
		return o
	}
	if p.reading == maxDepth {
		return nil
	}
	p.reading++
	defer func() { p.reading-- }()
	p.objects[number] = nil // while it is read it may refer to itself
	var o any
	if at, ok := p.offsets[number]; ok {
		o = p.objectAt(at)
	} else if in, ok := p.packed[number]; ok {
		l := lexer{data: in.content, at: in.at, nodes: &p.nodes}
		o, _ = l.next()
	}
	p.objects[number] = o
	return o
}

func (p *pdf) objectAt(at int) any {
	l := lexer{data: p.data, at: at, nodes: &p.nodes}
	o, _ := l.next()
	d, ok := o.(dict)
	if !ok {
		if number, ok := o.(float64); ok { // it may be a reference to another
			return p.referenceAt(&l, number)
		}
		return o
	}
	l.skipSpace()
	if !bytes.HasPrefix(l.data[l.at:], []byte("stream")) {
		return d
	}
	begin := l.at + len("stream")
	if begin < len(p.data) && p.data[begin] == '\r' {
		begin++
	}
	if begin < len(p.data) && p.data[begin] == '\n' {
		begin++
	}
	return &stream{d, p.data[begin:p.streamEnd(begin, d)]}
}

func (p *pdf) referenceAt(l *lexer, number float64) any {
	generation, _ := l.next()
	r, _ := l.next()
	if a := reference(array{number, generation, r}); len(a) == 1 {
		return a[0]
	}
	return number
}

// streamEnd believes the length if it leads to "endstream".
func (p *pdf) streamEnd(begin int, d dict) int {
	if n, ok := p.resolve(d["Length"]).(float64); ok && n >= 0 && int(n) <= len(p.data)-begin {
		end := begin + int(n)
		if bytes.HasPrefix(bytes.TrimLeft(p.data[end:min(end+20, len(p.data))], "\r\n \t"), []byte("endstream")) {
			return end
		}
	}
	if i := bytes.Index(p.data[begin:], []byte("endstream")); i >= 0 {
		return begin + i
	}
	return len(p.data)
}

func (p *pdf) dict(o any) dict {
	switch v := p.resolve(o).(type) {
	case dict:
		return v
	case *stream:
		return v.dict
	}
	return nil
}

// page is what there is to show, and with what.
type page struct {
	contents  any
	resources dict
}

// pages walks the tree of pages; without one it takes every page there is, in
// the order of their numbers.
func (p *pdf) pages() []page {
	var pages []page
	seen := map[ref]bool{}
	p.walk(p.dict(p.root)["Pages"], nil, 0, seen, &pages)
	if len(pages) > 0 {
		return pages
	}
	numbers := slices.AppendSeq(slices.Collect(maps.Keys(p.offsets)), maps.Keys(p.packed))
	slices.Sort(numbers)
	for _, number := range slices.Compact(numbers) {
		if d := p.dict(number); d["Type"] == name("Page") && len(pages) < maxPages {
			pages = append(pages, page{d["Contents"], p.dict(d["Resources"])})
		}
		if p.ctx.Err() != nil {
			break
		}
	}
	return pages
}

func (p *pdf) walk(node any, inherited dict, depth int, seen map[ref]bool, pages *[]page) {
	if number, ok := node.(ref); ok {
		if seen[number] {
			return
		}
		seen[number] = true
	}
	d := p.dict(node)
	if d == nil || depth > maxDepth || len(*pages) >= maxPages || p.ctx.Err() != nil {
		return
	}
	if own := p.dict(d["Resources"]); own != nil {
		inherited = own
	}
	kids, ok := p.resolve(d["Kids"]).(array)
	if !ok && d["Type"] != name("Pages") {
		*pages = append(*pages, page{d["Contents"], inherited})
	}
	for _, kid := range kids {
		p.walk(kid, inherited, depth+1, seen, pages)
	}
}
