package extract

import (
	"slices"
	"strconv"
	"strings"
)

// prose reads text in paragraphs: WordprocessingML, and DrawingML in slides, shapes
// and diagrams. Their elements do not get into one another's way, so it goes by local
// names.
type prose struct {
	*office
	flow
	alternates []alternate
	gone       int // the depth of what was deleted; 0: nothing
	master     bool
	choices    []string // of a drop-down field, and the one that is chosen
	chosen     int
}

// alternate is an mc:AlternateContent: the same twice, and the first is read.
type alternate struct {
	depth int
	taken bool
}

// document reads a main part, whatever it is of.
func (o *office) document(p *part) error {
	d := &prose{office: o, flow: flow{into: o.out}}
	root := ""
	err := o.scan(p, func(s *scanner) error {
		if root == "" && s.is == begun {
			root = s.name.local
		}
		switch {
		case root == "workbook":
			return o.workbook(s)
		case root == "presentation" && s.is == begun:
			o.refer(s)
		case root == "presentation":
		default:
			return d.step(s)
		}
		return nil
	})
	d.finish()
	return err
}

func (o *office) paragraphs(p *part) error { return o.prose(p, false) }

// master reads what a slide has from its master and its layout: not what holds a
// place there.
func (o *office) master(p *part) error { return o.prose(p, true) }

func (o *office) nothing(*part) error { return nil }

func (o *office) prose(p *part, master bool) error {
	d := &prose{office: o, flow: flow{into: o.out}, master: master}
	err := o.scan(p, d.step)
	d.finish()
	return err
}

// finish hands over what hangs on a paragraph that has no end.
func (d *prose) finish() {
	d.aside, d.in, d.glued = 0, 1, false
	d.end()
}

func (d *prose) step(s *scanner) error {
	if d.into.Full() {
		return errStop
	}
	if d.gone > 0 {
		if s.is == ended && s.depth == d.gone {
			d.gone = 0
		}
		return nil
	}
	switch s.is {
	case begun:
		d.refer(s)
		return d.begun(s)
	case ended:
		d.ended(s)
	case words:
		if len(s.open) > 0 && s.open[len(s.open)-1].local == "t" {
			d.to().Text(string(s.text))
		}
	}
	return nil
}

func (d *prose) begun(s *scanner) error {
	switch s.name.local {
	case "p":
		d.begin()
	case "tab":
		if in := s.parent(); in != "tabs" && in != "tabLst" { // where tabs stop
			d.to().Gap(' ')
		}
	case "ptab":
		d.to().Gap(' ')
	case "br", "cr":
		d.to().Gap('\n')
	case "noBreakHyphen":
		d.to().Rune('-')
	case "sym":
		d.to().Rune(symbol(s.attr("font"), s.attr("char")))
	case "txbxContent":
		d.hang(s.depth)
	case "docPr", "cNvPr":
		d.note(s.attr("title"))
		d.note(s.attr("descr"))
	case "textpath":
		d.note(s.attr("string")) // a watermark
	case "ph":
		if kind := s.attr("type"); d.master || kind == "sldNum" {
			d.gone = around(s, "sp")
		}
	case "AlternateContent":
		d.alternates = append(d.alternates, alternate{depth: s.depth})
	case "Choice", "Fallback":
		if n := len(d.alternates); n > 0 && d.alternates[n-1].depth == s.depth-1 {
			if d.alternates[n-1].taken {
				return s.skip()
			}
			d.alternates[n-1].taken = true
		}
	case "sdtPr", "rPrChange", "pPrChange", "tblPrChange", "trPrChange", "tcPrChange", "sectPrChange", "rt", "rPh":
		return s.skip()
	case "del", "moveFrom", "cellDel":
		return d.deleted(s)
	case "ddList", "result", "listEntry":
		d.choice(s)
	}
	return nil
}

func (d *prose) ended(s *scanner) {
	switch s.name.local {
	case "p":
		d.end()
	case "tc":
		d.to().Gap(' ')
	case "tr":
		d.to().Gap('\n')
	case "txbxContent":
		d.release(s.depth)
	case "AlternateContent":
		if n := len(d.alternates); n > 0 {
			d.alternates = d.alternates[:n-1]
		}
	case "ddList":
		if d.chosen >= 0 && d.chosen < len(d.choices) {
			d.to().Text(d.choices[d.chosen])
		}
		d.choices = nil
	}
}

// deleted leaves out what was deleted while changes were tracked, and what was moved,
// where it was moved from. In properties it means what has them.
func (d *prose) deleted(s *scanner) error {
	switch s.parent() {
	case "rPr":
		d.glued = d.glued || around(s, "pPr") > 0 // the end of a paragraph
	case "trPr":
		d.gone = around(s, "tr")
	case "tcPr":
		d.gone = around(s, "tc")
	case "ctrlPr":
	default:
		return s.skip()
	}
	return nil
}

// around is the depth of the innermost element of a name around this one; 0: none is.
func around(s *scanner, local string) int {
	for i := len(s.open) - 2; i >= 0; i-- {
		if s.open[i].local == local {
			return i + 1
		}
	}
	return 0
}

// choice gathers a drop-down field of an old form, whose text stands nowhere else.
func (d *prose) choice(s *scanner) {
	switch s.name.local {
	case "ddList":
		d.choices, d.chosen = nil, 0
	case "result":
		d.chosen, _ = strconv.Atoi(s.attr("val"))
	case "listEntry":
		if len(d.choices) < 100 {
			d.choices = append(d.choices, s.attr("val"))
		}
	}
}

// symbol is a character of a font that has others in the places of letters: Greek
// ones of Symbol are known, other signs part words.
func symbol(font, char string) rune {
	n, err := strconv.ParseUint(char, 16, 21)
	r := rune(n)
	switch {
	case err != nil:
		return ' '
	case r < 0xf000 || r > 0xf0ff:
		if !symbolic(font) || r > 0xff {
			return r
		}
	default:
		r -= 0xf000
	}
	if strings.EqualFold(font, "Symbol") {
		const upper, lower = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", "αβχδεφγηιϕκλμνοπθρστυϖωξψζ"
		switch {
		case 'A' <= r && r <= 'Z':
			return []rune(upper)[r-'A']
		case 'a' <= r && r <= 'z':
			return []rune(lower)[r-'a']
		case r == 0xb0:
			return '°'
		case r == 0xb1:
			return '±'
		case r == 0x2d:
			return '-'
		case '0' <= r && r <= '9':
			return r
		}
		return ' '
	}
	if symbolic(font) {
		return ' '
	}
	return r
}

func symbolic(font string) bool {
	return slices.ContainsFunc([]string{"symbol", "wingdings", "webdings", "zapf", "marlett"}, func(known string) bool {
		return strings.Contains(strings.ToLower(font), known)
	})
}
