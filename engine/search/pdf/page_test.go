package pdf

import (
	"bytes"
	"errors"
	"image/png"
	"strings"
	"testing"

	"strongroom/engine/search/extract"
)

// dark counts the pixels of a picture that are not white.
func dark(t *testing.T, picture []byte) (width, height, n int) {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if r, g, b, a := img.At(x, y).RGBA(); r != 0xffff || g != 0xffff || b != 0xffff || a != 0xffff {
				n++
			}
		}
	}
	return img.Bounds().Dx(), img.Bounds().Dy(), n
}

func page(t *testing.T, s *Sandbox, data []byte, number, width int) (extract.Painted, error) {
	t.Helper()
	return extract.Page(t.Context(), s.Painter(), extract.File{ReaderAt: bytes.NewReader(data), Size: int64(len(data))}, number, width)
}

// TestPage: of the page there is a picture, as wide as it was asked for if that is not
// too much of it.
func TestPage(t *testing.T) {
	s := sandbox(t, 0)
	sized := func(box, more string, objects ...string) []byte {
		dict := strings.Replace(pageDict, "/Contents", "/MediaBox ["+box+"] "+more+" /Contents", 1)
		return makePDF(append([]string{catalog, onePage, dict, streamOf("", twoLines), helvetica}, objects...)...)
	}
	for what, c := range map[string]struct {
		data          []byte
		asked         int
		width, height int
	}{
		"A4":            {sized("0 0 595 842", ""), 595, 595, 842},
		"on its side":   {sized("0 0 595 842", "/Rotate 90"), 842, 842, 595},
		"large":         {sized("0 0 595 842", ""), 1 << 20, 2400, 3396},
		"small":         {sized("0 0 595 842", ""), 1, 64, 90},
		"long":          {sized("0 0 100 14400", ""), 2400, 263, 37947},
		"a line":        {sized("0 0 14400 1", ""), 100, 100, 1},
		"filled in":     {sized("0 0 300 300", "/Annots [6 0 R]", "<< /Type /Annot /Subtype /Square /C [1 0 0] /Rect [10 10 200 200] >>"), 300, 300, 300},
		"of the sample": {content("", twoLines), 612, 612, 792},
	} {
		got, err := page(t, s, c.data, 1, c.asked)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		width, height, n := dark(t, got.PNG)
		if width != c.width || height != c.height || got.Pages != 1 {
			t.Errorf("%s: %d x %d, of %d", what, width, height, got.Pages)
		}
		if n == 0 && what != "a line" && what != "long" && what != "filled in" {
			t.Errorf("%s: there is nothing on it", what)
		}
	}
}

// TestPageThatIsNone says why, and the next is painted.
func TestPageThatIsNone(t *testing.T) {
	s := sandbox(t, 0)
	for what, c := range map[string]struct {
		data   []byte
		number int
		want   error
	}{
		"before the first": {content("", twoLines), 0, extract.ErrNoPage},
		"behind the last":  {content("", twoLines), 2, extract.ErrNoPage},
		"far behind":       {content("", twoLines), 1 << 31, extract.ErrNoPage},
		"no PDF":           {[]byte("some words"), 1, extract.ErrNotPaged},
		"cut off":          {content("", twoLines)[:400], 1, extract.ErrMalformed},
		"nothing of it":    {[]byte("%PDF-1.7\n"), 1, extract.ErrMalformed},
	} {
		got, err := page(t, s, c.data, c.number, 100)
		if !errors.Is(err, c.want) || errors.Is(c.want, extract.ErrNoPage) && c.number > 0 && got.Pages != 1 {
			t.Errorf("%s: %d pages, %v", what, got.Pages, err)
		}
		if _, err := page(t, s, content("", twoLines), 1, 100); err != nil {
			t.Error(err)
		}
	}
}
