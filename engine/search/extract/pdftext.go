package extract

import (
	"bytes"
	"context"
	"fmt"
	"math"
)

const (
	maxFormDepth = 8
	maxOperands  = 1024
	maxString    = 64 << 10
	maxContent   = 32 << 20
)

// pdfText reads the text of all pages.
func pdfText(ctx context.Context, data []byte, out *Output) error {
	p, err := openPDF(ctx, data)
	if err != nil {
		return err
	}
	pages := p.pages()
	if len(pages) == 0 && ctx.Err() == nil {
		return fmt.Errorf("%w: it has no pages", ErrMalformed)
	}
	t := &typesetter{pdf: p, out: out, fonts: map[any]*font{}}
	for _, page := range pages {
		if out.Full() {
			break
		}
		var content []byte
		for _, o := range p.list(page.contents) {
			if s, ok := p.resolve(o).(*stream); ok && ctx.Err() == nil && len(content) < maxContent {
				content = append(append(content, p.decode(s)...), '\n')
			}
		}
		t.show(content, page.resources, 0)
		out.Gap('\n')
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.inflated <= 0 || p.nodes > maxNodes {
			return fmt.Errorf("%w: it swells beyond measure", ErrMalformed)
		}
	}
	return nil
}

// typesetter follows the operators that place text (ISO 32000-1, 9.4), to tell
// where words and lines end: nothing else in a PDF does.
type typesetter struct {
	pdf   *pdf
	out   *Output
	fonts map[any]*font

	font         *font
	size         float64
	charGap      float64
	wordGap      float64
	scale        float64
	leading      float64
	matrix, line [6]float64
	lastX, lastY float64 // where the last string ended
	shown        bool
}

// show runs the content of a page or of a form.
func (t *typesetter) show(content []byte, resources dict, depth int) {
	t.font, t.size, t.scale = nil, 1, 1
	t.charGap, t.wordGap, t.leading = 0, 0, 0
	l := lexer{data: content, nodes: &t.pdf.nodes}
	var args array
	for n := 0; !t.out.Full(); n++ {
		if n%1024 == 0 && t.pdf.ctx.Err() != nil {
			return
		}
		o, ok := l.next()
		if !ok {
			return
		}
		op, isOp := o.(operator)
		if !isOp {
			if len(args) < maxOperands {
				args = append(args, o)
			}
			continue
		}
		switch op {
		case "BI":
			skipImage(&l)
		case "Do":
			t.form(args, resources, depth)
		case "Tf":
			t.setFont(args, resources)
		default:
			t.do(op, args)
		}
		clear(args)
		args = args[:0]
	}
}

// skipImage skips an image that stands in the content, which is any bytes.
func skipImage(l *lexer) {
	i := bytes.Index(l.data[l.at:], []byte("ID"))
	if i < 0 {
		l.at = len(l.data)
		return
	}
	for l.at += i + 2; ; l.at += 2 {
		i := bytes.Index(l.data[l.at:], []byte("EI"))
		if i < 0 {
			l.at = len(l.data)
			return
		}
		l.at += i
		after := l.at + 2
		if l.at > 0 && isSpace(l.data[l.at-1]) && (after >= len(l.data) || isSpace(l.data[after])) {
			l.at = after
			return
		}
	}
}

// form shows what is drawn in several places, as letterheads are. How often is
// bounded by time and by the text it gives.
func (t *typesetter) form(args array, resources dict, depth int) {
	if len(args) == 0 || depth >= maxFormDepth {
		return
	}
	key, _ := args[len(args)-1].(name)
	s, ok := t.pdf.resolve(t.pdf.dict(resources["XObject"])[key]).(*stream)
	if !ok || s.dict["Subtype"] != name("Form") {
		return
	}
	if own := t.pdf.dict(s.dict["Resources"]); own != nil {
		resources = own
	}
	saved := *t
	t.show(t.pdf.decode(s), resources, depth+1)
	saved.lastX, saved.lastY, saved.shown = t.lastX, t.lastY, t.shown
	*t = saved
}

func (t *typesetter) setFont(args array, resources dict) {
	if len(args) < 2 {
		return
	}
	key, _ := args[len(args)-2].(name)
	t.size = number(args, 1, 0)
	o := t.pdf.dict(resources["Font"])[key]
	if number, ok := o.(ref); ok {
		if t.font, ok = t.fonts[number]; ok {
			return
		}
	}
	t.font = nil
	if d := t.pdf.dict(o); d != nil {
		t.font = t.pdf.font(d)
	}
	if number, ok := o.(ref); ok {
		t.fonts[number] = t.font
	}
}

// number is the i-th operand of count.
func number(args array, count, i int) float64 {
	if len(args) < count || len(args)-count+i >= len(args) {
		return 0
	}
	f, _ := args[len(args)-count+i].(float64)
	return f
}

func (t *typesetter) do(op operator, args array) {
	switch op {
	case "BT":
		t.matrix = [6]float64{1, 0, 0, 1, 0, 0}
		t.line = t.matrix
	case "Tc":
		t.charGap = number(args, 1, 0)
	case "Tw":
		t.wordGap = number(args, 1, 0)
	case "Tz":
		t.scale = number(args, 1, 0) / 100
	case "TL":
		t.leading = number(args, 1, 0)
	case "Td":
		t.move(number(args, 2, 0), number(args, 2, 1))
	case "TD":
		t.leading = -number(args, 2, 1)
		t.move(number(args, 2, 0), number(args, 2, 1))
	case "T*":
		t.move(0, -t.leading)
	case "Tm":
		for i := range t.matrix {
			t.matrix[i] = number(args, 6, i)
		}
		t.line = t.matrix
	case "Tj":
		t.last(args)
	case "'":
		t.move(0, -t.leading)
		t.last(args)
	case `"`:
		t.wordGap, t.charGap = number(args, 3, 0), number(args, 3, 1)
		t.move(0, -t.leading)
		t.last(args)
	case "TJ":
		t.array(args)
	}
}

// move goes to the beginning of another line.
func (t *typesetter) move(x, y float64) {
	t.line[4] += x*t.line[0] + y*t.line[2]
	t.line[5] += x*t.line[1] + y*t.line[3]
	t.matrix = t.line
}

func (t *typesetter) last(args array) {
	if len(args) > 0 {
		if s, ok := args[len(args)-1].([]byte); ok {
			t.string(s)
		}
	}
}

func (t *typesetter) array(args array) {
	if len(args) == 0 {
		return
	}
	list, _ := args[len(args)-1].(array)
	for _, o := range list {
		switch v := o.(type) {
		case []byte:
			t.string(v)
		case float64:
			t.advance(-v / 1000 * t.size * t.scale)
		}
	}
}

func (t *typesetter) advance(by float64) {
	t.matrix[4] += by * t.matrix[0]
	t.matrix[5] += by * t.matrix[1]
}

// string shows codes where the matrix stands, and moves on by their width.
func (t *typesetter) string(s []byte) {
	if t.font == nil || len(s) == 0 || t.pdf.ctx.Err() != nil {
		return
	}
	t.separate()
	t.font.codes(s[:min(len(s), maxString)], func(text string, width float64, space bool) {
		t.out.Text(text)
		by := width/1000*t.size + t.charGap
		if space {
			by += t.wordGap
		}
		t.advance(by * t.scale)
	})
	t.lastX, t.lastY, t.shown = t.matrix[4], t.matrix[5], true
}

// separate ends the word or the line if this string begins away from where the
// last one ended, measured along the line and across it.
func (t *typesetter) separate() {
	if !t.shown {
		return
	}
	dx, dy := t.matrix[4]-t.lastX, t.matrix[5]-t.lastY
	length := math.Hypot(t.matrix[0], t.matrix[1])
	em := math.Abs(t.size) * length
	if length == 0 || em == 0 || math.IsNaN(dx) || math.IsNaN(dy) {
		return
	}
	along := (dx*t.matrix[0] + dy*t.matrix[1]) / length
	across := (dy*t.matrix[0] - dx*t.matrix[1]) / length
	switch {
	case math.Abs(across) > em/2:
		t.out.Gap('\n')
	case along > em*0.15 || along < -em:
		t.out.Gap(' ')
	}
}
