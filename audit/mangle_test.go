package audit

import (
	"bytes"
	"slices"
	"testing"
)

// mangled are all the ways in which one line may be dropped, doubled or
// swapped, one byte changed, and the text cut.
func mangled(lines [][]byte, yield func(what string, at int, mangled []byte)) {
	text := bytes.Join(lines, nil)
	for i := range text {
		m := slices.Clone(text)
		for bit := range 8 {
			m[i] = text[i] ^ 1<<bit
			yield("byte changed", i, m)
		}
		for _, c := range []byte("\x00\n 0\"a") {
			if m[i] = c; c != text[i] {
				yield("byte changed", i, m)
			}
		}
		yield("byte dropped", i, slices.Delete(slices.Clone(text), i, i+1))
		yield("byte doubled", i, slices.Insert(slices.Clone(text), i, text[i]))
		yield("cut", i, text[:i])
	}
	for i := range lines {
		yield("line dropped", i, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
		yield("line doubled", i, bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil))
		for j := range i {
			m := slices.Clone(lines)
			m[i], m[j] = m[j], m[i]
			yield("lines swapped", i, bytes.Join(m, nil))
		}
	}
}

func TestEveryChangeToALogIsFound(t *testing.T) {
	l := fullLog()
	log := l.log()
	if r := verify(t, log, VerifyOptions{Heads: []Head{l.head}, Details: bytes.NewReader(l.rows())}); len(r.Findings) > 0 || r.Head != l.head {
		t.Fatalf("the log itself: %+v", r)
	}
	mangled(l.lines, func(what string, at int, m []byte) {
		if bytes.Equal(m, log) {
			return // one of two equal bytes was dropped, or such
		}
		if r := verify(t, m, VerifyOptions{Heads: []Head{l.head}}); len(r.Findings) == 0 {
			t.Fatalf("%s at %d: nothing is found in\n%s", what, at, m)
		}
	})
}

// Before the last line, a log needs no head to show that it was changed.
func TestEveryChangeBeforeTheLastLineIsFoundWithoutAHead(t *testing.T) {
	l := fullLog()
	inner, last := l.lines[:len(l.lines)-1], l.lines[len(l.lines)-1]
	original := l.log()
	mangled(inner, func(what string, at int, m []byte) {
		m = append(slices.Clone(m), last...)
		if bytes.Equal(m, original) {
			return
		}
		if r := verify(t, m, VerifyOptions{}); len(r.Findings) == 0 {
			t.Fatalf("%s at %d: nothing is found in\n%s", what, at, m)
		}
	})
}

func TestEveryChangeToTheDetailsIsFound(t *testing.T) {
	l := fullLog()
	log, rows := l.log(), l.rows()
	mangled(l.details, func(what string, at int, m []byte) {
		if bytes.Equal(m, rows) {
			return
		}
		if r := verify(t, log, VerifyOptions{Details: bytes.NewReader(m)}); len(r.Findings) == 0 {
			t.Fatalf("%s at %d: nothing is found in\n%s", what, at, m)
		}
	})
}

func TestEveryChangeToAHeadIsRefusedOrFound(t *testing.T) {
	l := fullLog()
	log, text := l.log(), l.head.Text()
	mangled(slices.Collect(bytes.Lines([]byte(text))), func(what string, at int, m []byte) {
		if string(m) == text {
			return
		}
		h, err := ParseHead(string(m))
		if err != nil {
			return
		}
		if r := verify(t, log, VerifyOptions{Heads: []Head{h}}); len(r.Findings) == 0 {
			t.Fatalf("%s at %d: nothing is found with\n%s", what, at, m)
		}
	})
}
