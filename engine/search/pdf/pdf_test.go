package pdf

import (
	"bytes"
	"context"
	"errors"
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

// TestEncrypted: qpdf made the files. Three of them open with the empty password,
// as those that may not be printed do.
func TestEncrypted(t *testing.T) {
	s := sandbox(t, 0)
	for name, want := range map[string]extract.Result{
		"rc4-40.pdf":   {State: extract.Indexed, Text: "The quick brown fox"},
		"aes-128.pdf":  {State: extract.Indexed, Text: "The quick brown fox"},
		"aes-256.pdf":  {State: extract.Indexed, Text: "The quick brown fox"},
		"password.pdf": {State: extract.Failed, Reason: extract.ErrEncrypted.Error()},
	} {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, s, data); got.State != want.State || got.Reason != want.Reason || words(got.Text) != want.Text {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestWhatIsFilledInAndNoted is found, painted or not, and once.
func TestWhatIsFilledInAndNoted(t *testing.T) {
	s := sandbox(t, 0)
	page := strings.Replace(pageDict, "/Contents", "/Annots [6 0 R 8 0 R 9 0 R 10 0 R 11 0 R] /MediaBox [0 0 595 842] /Contents", 1)
	stream := func(text string) string {
		return streamOf("/Type /XObject /Subtype /Form /BBox [0 0 228 20] /Resources << /Font << /F1 5 0 R >> >>", "BT /F1 10 Tf 2 5 Td ("+text+") Tj ET")
	}
	got := read(t, s, makePDF("<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R 9 0 R 11 0 R] >> >>", onePage, page, streamOf("", twoLines), helvetica,
		"<< /Type /Annot /Subtype /Widget /FT /Tx /T (a) /V (Brandvold) /Rect [72 600 300 620] /AP << /N 7 0 R >> >>", stream("Brandvold"),
		"<< /Type /Annot /Subtype /FreeText /Contents (Sealed by Winterthal) /Rect [72 500 300 520] >>",
		"<< /Type /Annot /Subtype /Widget /FT /Tx /T (b) /V (Nowherepainted) /Rect [72 400 300 420] >>",
		"<< /Type /Annot /Subtype /Text /Contents (Ask Fenwick) /Rect [72 300 90 320] >>",
		"<< /Type /Annot /Subtype /Widget /FT /Btn /T (c) /V /Off /AS /Off /Rect [72 200 90 220] >>"))
	for _, want := range []string{"quick", "Brandvold", "Winterthal", "Nowherepainted", "Fenwick"} {
		if strings.Count(got.Text, want) != 1 {
			t.Errorf("%s is %d times in %+v", want, strings.Count(got.Text, want), got)
		}
	}
	if strings.Contains(got.Text, "Off") {
		t.Errorf("%+v", got)
	}
}

// TestVersion: the cache is of the libraries that are linked.
func TestVersion(t *testing.T) {
	mod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"github.com/klippa-app/go-pdfium v1.21.4\n", "github.com/tetratelabs/wazero v1.12.0\n"} {
		name, number, _ := strings.Cut(strings.TrimSpace(line[strings.LastIndexByte(line[:len(line)-10], '/')+1:]), " ")
		if !strings.Contains(string(mod), line) || !strings.Contains(version, name+"-"+number) {
			t.Errorf("%s is not what %s says; and does a new version read better? Then raise Version", version, strings.TrimSpace(line))
		}
	}
}

// TestInterpreted reads without machine code, which is not made then.
func TestInterpreted(t *testing.T) {
	o := Options{Interpret: true, Cache: t.TempDir()}
	s := New(o)
	defer s.Close()
	if got := read(t, s, content("", twoLines)); words(got.Text) != "The quick brown fox" || !s.Interprets() || o.Wanting() || s.Limit() != interpretedLimit {
		t.Errorf("%+v", got)
	}
	if files, err := os.ReadDir(o.Cache); err != nil || len(files) > 0 {
		t.Errorf("%v, %v", files, err)
	}
	if Compiles() && !(Options{Cache: t.TempDir()}).Wanting() {
		t.Error("nobody wants machine code")
	}
}

// FuzzPDF looks for what the sandbox does not hold.
func FuzzPDF(f *testing.F) {
	for _, data := range [][]byte{content("", twoLines), packedPDF(), content("/Filter /FlateDecode", deflate(twoLines))} {
		f.Add(data)
	}
	s := sandbox(f, time.Second)
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := extract.Read(t.Context(), []extract.Reader{s.Reader()}, extract.File{ReaderAt: bytes.NewReader(data), Size: int64(len(data)), MediaType: "application/pdf"})
		if err != nil || !utf8.ValidString(r.Text) || len(r.Text) > extract.MaxText+utf8.UTFMax {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// TestStopped stops files at many moments: each ends, and the next finds an instance
// and memory that nobody else has.
func TestStopped(t *testing.T) {
	s := sandbox(t, 0)
	busy := content("", strings.Repeat("BT /F1 12 Tf (word) Tj ET ", 100_000))
	for i := range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*3*time.Millisecond)
		_, err := extract.Read(ctx, []extract.Reader{s.Reader()}, extract.File{ReaderAt: bytes.NewReader(busy), Size: int64(len(busy))})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if after := read(t, s, content("", twoLines)); words(after.Text) != "The quick brown fox" {
			t.Errorf("the next file: %+v", after)
		}
	}
}

// TestMemory is of one instance until the sandbox takes it back, whatever wazero says.
func TestMemory(t *testing.T) {
	m := &memory{}
	first := m.Allocate(0, 1<<20)
	first.Reallocate(1 << 10)[0] = 'a'
	first.Free()
	second := m.Allocate(0, 1<<20).Reallocate(1 << 10)
	if still := first.Reallocate(1 << 10); still[0] != 'a' || &still[0] == &second[0] {
		t.Error("it was given to another, or cleared, while its instance may run")
	}
	m.takeBack()
	if third := m.Allocate(0, 1<<20).Reallocate(1 << 10); third[0] != 0 {
		t.Error("the next finds what this one left")
	}
}

// TestTheTimeIsOver keeps the pages that were read by then, and says how many.
func TestTheTimeIsOver(t *testing.T) {
	const pages = 5000
	data := makePDF(catalog, fmt.Sprintf("<< /Type /Pages /Kids [%s] /Count %d >>", strings.Repeat("3 0 R ", pages), pages), pageDict,
		streamOf("/Filter /FlateDecode", deflate(twoLines+strings.Repeat(" 0 0 m 1 1 l S", 20_000))), helvetica)
	s := sandbox(t, time.Second)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := read(t, s, data)
	var read int
	if _, err := fmt.Sscanf(got.Reason, "only %d of its 5000 pages: more take longer than they may", &read); err != nil || got.State != extract.Indexed || read == 0 || !strings.Contains(words(got.Text), "The quick brown fox") {
		t.Errorf("%s, %q, %.100q", got.State, got.Reason, got.Text)
	}
}
