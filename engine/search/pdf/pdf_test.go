package pdf

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"strongroom/engine/search/extract"
)

// cache has the machine code for all tests, which takes seconds to make.
var cache string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "pdfium-*")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	cache = dir
	if o := (Options{Cache: dir}); o.Wanting() {
		if err := Compile(context.Background(), o); err != nil {
			panic(err)
		}
	}
	return m.Run()
}

func sandbox(t testing.TB, limit time.Duration) *Sandbox {
	t.Helper()
	s := New(Options{Cache: cache, Limit: limit})
	t.Cleanup(func() { s.Close() })
	return s
}

func read(t testing.TB, s *Sandbox, data []byte) extract.Result {
	t.Helper()
	r, err := extract.Read(t.Context(), []extract.Reader{s.Reader()}, extract.File{ReaderAt: bytes.NewReader(data), Size: int64(len(data)), MediaType: "application/pdf"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// words are those of a text, with one blank between.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

func TestPDF(t *testing.T) {
	s := sandbox(t, 0)
	for what, c := range map[string]struct {
		data []byte
		want string
	}{
		"plain":      {content("", twoLines), "The quick\nbrown fox\n"},
		"compressed": {content("/Filter /FlateDecode", deflate(twoLines)), "The quick\nbrown fox\n"},
		"in hex":     {content("/Filter /ASCIIHexDecode", fmt.Sprintf("%x>", twoLines)), "The quick\nbrown fox\n"},
		"a wrong length": {bytes.Replace(content("", twoLines), fmt.Appendf(nil, "/Length %d", len(twoLines)), []byte("/Length 9"), 1),
			"The quick\nbrown fox\n"},
		"packed":            {packedPDF(), "The quick\nbrown fox\n"},
		"cut off":           {content("", twoLines)[:400], ""},
		"words by position": {content("", "BT /F1 10 Tf 1 0 0 1 10 10 Tm (a) Tj 1 0 0 1 15 10 Tm (b) Tj 1 0 0 1 40 10 Tm (c) Tj ET"), "ab c\n"},
		"on its side":       {content("", "BT /F1 10 Tf 0 1 -1 0 10 10 Tm (up) Tj 0 1 -1 0 10 60 Tm (wards) Tj 0 1 -1 0 30 10 Tm (below) Tj ET"), "up wards\nbelow\n"},
		"escapes": {content("", `BT /F1 10 Tf (\(\101\)\
 na\357ve \200) Tj ET`), "(A) naïve €\n"},
		"a wide font": {makePDF(append([]string{catalog, onePage, pageDict, streamOf("", "BT /F1 10 Tf <00010002000300040005000900ff> Tj ET")}, wideFont(exampleCMap)...)...),
			"abcfi€ßÿ"},
		"names of glyphs": {makePDF(catalog, onePage, pageDict, streamOf("", "BT /F1 10 Tf <0102030405> Tj ET"),
			"<< /Type /Font /Subtype /Type1 /Encoding << /Differences [1 /eacute /fi /uni00DF /A.sc /g17] >> >>"), "éfißA"},
		"a form": {content("", "/X1 Do BT /F1 10 Tf 0 90 Td (page) Tj ET",
			streamOf("/Type /XObject /Subtype /Form", "BT /F1 10 Tf 0 99 Td (letterhead) Tj ET")), "letterhead\npage\n"},
		"an image in it":       {content("", "BT /F1 10 Tf (a) Tj ET BI /W 1 ID \x00EI(b) Tj\xff EI BT 99 9 Td (c) Tj ET"), "a b c"},
		"changed by appending": {append(content("", twoLines), []byte("4 0 obj\n"+streamOf("", "BT /F1 9 Tf (newer) Tj ET")+"\nendobj")...), "newer\n"},
		"no tree of pages":     {bytes.Replace(content("", twoLines), []byte("/Kids"), []byte("/Lost"), 1), ""},
		"a scan":               {content("", "q 595 0 0 842 0 0 cm /X1 Do Q", streamOf("/Type /XObject /Subtype /Image /Filter /DCTDecode", "\xff\xd8")), ""},
	} {
		t.Run(what, func(t *testing.T) {
			got := read(t, s, c.data)
			if norm := words(got.Text); !strings.HasPrefix(norm, words(c.want)) || c.want == "" && norm != "" {
				t.Errorf("%+v, want %q", got, c.want)
			}
		})
	}
}

// TestHostile reads what is made to harm: it ends, with what text there is.
func TestHostile(t *testing.T) {
	s := sandbox(t, 2*time.Second)
	many := func(s string) string { return strings.Repeat(s, 4<<20/len(s)) }
	spaces := deflate(strings.Repeat(" ", 200<<20))
	for what, data := range map[string][]byte{
		"pages in a circle":     makePDF(catalog, "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"),
		"a form in itself":      content("", "/X1 Do /X1 Do", streamOf("/Subtype /Form /Resources << /XObject << /X1 6 0 R >> >>", strings.Repeat("/X1 Do ", 1000))),
		"a length of itself":    bytes.ReplaceAll(content("", twoLines), []byte("/Length 8"), []byte("/Length 4 0 R /X 8")),
		"rows of terabytes":     content("/Filter /FlateDecode /DecodeParms << /Predictor 15 /Columns 65535 /Colors 65535 /BitsPerComponent 65535 >>", deflate(twoLines)),
		"a reference to itself": makePDF(catalog, "2 0 R", "3 0 R"),
		"packed in itself":      makePDF(catalog, onePage, streamOf("/Type /ObjStm /First 4 /N 1", "3 0 3 0 R")),
		"a bomb":                content("/Filter /FlateDecode", spaces),
		"a bomb in a bomb":      content("/Filter [/FlateDecode /FlateDecode]", deflate(spaces)),
		"arrays in arrays":      content("", many("[")),
		"dictionaries in them":  content("", many("<</A")),
		"strings without end":   content("", many("(")),
		"trailers without end":  []byte("%PDF-1.4 1 0 obj 1 endobj " + many("trailer(")),
		"objects without end":   []byte("%PDF-1.4 " + many("1 0 obj ")),
		"streams without end":   []byte("%PDF-1.4 " + many("1 0 obj stream ")),
		"pages without end":     makePDF(catalog, "<< /Kids ["+many("<</A 1>>")+"] >>"),
		"comments without end":  content("", many("%")),
		"widths without end":    makePDF(catalog, onePage, pageDict, streamOf("", "BT /F1 1 Tf (a) Tj"), "<< /Subtype /Type0 /DescendantFonts [<</W ["+many("0 65535 1 ")+"]>>] >>"),
		"numbers":               content("", "BT /F1 1e308 Tf 1e308 1e308 1e308 1e308 1e308 1e308 Tm (a) Tj 1e309 -1e308 Td (b) Tj NaN Tz Inf TL T* (c) Tj"),
	} {
		t.Run(what, func(t *testing.T) {
			got := read(t, s, data)
			if len(got.Text) > extract.MaxText+utf8.UTFMax {
				t.Errorf("%d bytes of text", len(got.Text))
			}
			if after := read(t, s, content("", twoLines)); after.State != extract.Indexed {
				t.Errorf("the next file: %+v", after)
			}
		})
	}
}

func BenchmarkPDF(b *testing.B) {
	var page strings.Builder
	page.WriteString("BT /F1 12 Tf 14 TL ")
	for range 200 {
		page.WriteString("(the party of the first part terminates the agreement) Tj T* ")
	}
	data := content("/Filter /FlateDecode", deflate(page.String()))
	b.SetBytes(int64(page.Len()))
	s := sandbox(b, 0)
	for b.Loop() {
		if r := read(b, s, data); r.State != extract.Indexed {
			b.Fatal(r)
		}
	}
}
