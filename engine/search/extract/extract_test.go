package extract

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// text is what the reader of a kind, which the ending of a name says, makes of data.
func text(t testing.TB, data []byte, name string) (string, error) {
	t.Helper()
	return textOf(t.Context(), data, name)
}

func textOf(ctx context.Context, data []byte, name string) (string, error) {
	kind := map[string]Kind{".docx": DOCX, ".xlsx": XLSX, ".pptx": PPTX, ".odt": ODF, ".json": JSON, ".xml": XML, ".html": HTML, ".rtf": RTF, ".eml": EML, ".msg": MSG, ".zip": ZIP}[filepath.Ext(name)]
	if kind == "" {
		kind = Text
	}
	r, _ := readerOf(Readers(), kind)
	got, _, err := r.run(ctx, file(data, "", name))
	return got, err
}

func file(data []byte, mediaType, name string) File {
	return File{ReaderAt: bytes.NewReader(data), Size: int64(len(data)), MediaType: mediaType, Name: name}
}

func TestDOCX(t *testing.T) {
	data := makeDOCX(t, "[Content_Types].xml", "<Types/>",
		"word/document.xml", body(para("First &amp; last")+`<w:p><w:r><w:t>split</w:t></w:r><w:r><w:t>word</w:t><w:tab/><w:t>tab</w:t></w:r></w:p>`+
			`<w:p><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>`),
		"word/header1.xml", body(para("head")), "word/footnotes.xml", body(para("note")), "word/styles.xml", body(para("style")))
	got, err := text(t, data, "a.docx")
	if want := "First & last\nsplitword tab\nhead\nnote\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestPlain(t *testing.T) {
	for data, want := range map[string]string{
		"naïve\r\ncafé":      "naïve\ncafé",
		"\xef\xbb\xbfmarked": "marked",
		"na\xefve \x80":      "naïve €",
		"\xff\xfen\x00a\x00\xef\x00\x3d\xd8\x00\xde": "naï😀",
		"\xfe\xff\x00n\x00a\x00\xef":                 "naï",
		"soft\u00adware":                             "software",
		"a\tb\x01 ,c":                                "a b ,c",
	} {
		if got, err := text(t, []byte(data), "a.md"); err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", data, got, err, want)
		}
	}
	if _, err := text(t, []byte("\x7fELF\x00\x00"), "a.txt"); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func TestReadsByWhatAFileIs(t *testing.T) {
	pdf, docx := "%PDF-1.7\n1 0 obj", makeDOCX(t, "word/document.xml", body(para("words")))
	for what, c := range map[string]struct {
		data        string
		media, name string
		kind        Kind
		state       State
	}{
		"a PDF as octet-stream":      {pdf, "application/octet-stream", "x", PDF, None},
		"a PDF as text":              {pdf, "text/plain", "a.txt", PDF, None},
		"a PDF behind something":     {"HTTP/1.1 200 OK\r\n\r\n" + pdf, "application/pdf", "", PDF, None},
		"a text about PDF":           {"The header is %PDF-1.7", "text/plain", "a.txt", Text, Indexed},
		"a DOCX as zip":              {string(docx), "application/zip", "", DOCX, Indexed},
		"a CSV as vnd.ms-excel":      {"a;b\r\n1;2\r\n", "application/vnd.ms-excel", "a.csv", Text, Indexed},
		"a CSV in Latin-1":           {"Stra\xdfe;Stadt\r\n", "application/vnd.ms-excel", "a.csv", Text, Indexed},
		"text of no type":            {"words", "", "", Text, Indexed},
		"UTF-16":                     {"\xff\xfea\x00", "application/octet-stream", "", Text, Indexed},
		"a picture":                  {"\x89PNG\r\n\x1a\n", "application/pdf", "a.pdf", Picture, None},
		"letters said to be sound":   {"words", "audio/mpeg", "a.mp3", Binary, None},
		"a program":                  {"\x7fELF\x00\x00", "text/plain", "a.txt", Binary, None},
		"nothing":                    {"", "text/plain", "a.txt", Empty, None},
		"encrypted by Office":        {"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1....", "", "a.docx", Locked, None},
		"RTF":                        {`{\rtf1 a}`, "application/msword", "a.doc", RTF, Indexed},
		"HTML":                       {"<!DOCTYPE html><p>a", "", "", HTML, Indexed},
		"mail":                       {"Received: x\r\nFrom: a\r\nSubject: b\r\n\r\nc", "application/octet-stream", "", EML, Indexed},
		"a picture in a text":        {"BMW is a car", "text/plain", "", Text, Indexed},
		"XML":                        {"<?xml version=\"1.0\"?><a/>", "application/octet-stream", "", XML, None},
		"JSON":                       {`{"a":1}`, "application/json", "", JSON, Indexed},
		"a spreadsheet":              {string(makeDOCX(t, "xl/workbook.xml", "<a/>")), "", "", XLSX, None},
		"a text document of ODF":     {string(makeDOCX(t, "content.xml", "<a/>")), "", "a.odt", ODF, None},
		"an archive of other things": {string(makeDOCX(t, "a.txt", "a")), "", "a.zip", ZIP, Indexed},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := Read(t.Context(), Readers(), file([]byte(c.data), c.media, c.name))
			if err != nil || got.Kind != c.kind || got.State != c.state || (c.state != Indexed) != (got.Reason != "") {
				t.Errorf("%+v, %v, want %s, %s", got, err, c.kind, c.state)
			}
		})
	}
}

func TestTooLarge(t *testing.T) {
	large := file([]byte("x"), "text/plain", "")
	large.ReaderAt, large.Size = zeros{}, MaxInput+1
	if got, err := Read(t.Context(), []Reader{{Kind: Binary, Version: 1}}, large); err != nil || got.State != Failed || got.Reason != ErrTooLarge.Error() {
		t.Errorf("%+v, %v", got, err)
	}
	short := file([]byte("x"), "text/plain", "")
	short.Size = 2
	if _, err := short.Bytes(t.Context()); err == nil {
		t.Error("the size was not true")
	}
}

type zeros struct{}

func (zeros) ReadAt(p []byte, _ int64) (int, error) { clear(p); return len(p), nil }

// TestAReaderThatDoesNotStop is left behind, and one that breaks ends alone.
func TestAReaderThatDoesNotStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		free := make(chan struct{})
		readers := []Reader{{Kind: Text, Version: 1, Limit: 5 * time.Second, Read: func(context.Context, File, *Output) error { <-free; return nil }}}
		began := time.Now()
		got, err := Read(t.Context(), readers, file([]byte("x"), "", ""))
		if err != nil || got.State != Failed || got.Reason != ErrTooLong.Error() || time.Since(began) > 6*time.Second {
			t.Errorf("%+v, %v after %v", got, err, time.Since(began))
		}
		close(free)
		readers[0].Read = func(_ context.Context, _ File, out *Output) error { out.Text("some "); panic("secret words") }
		got, err = Read(t.Context(), readers, file([]byte("x"), "", ""))
		if err != nil || got.State != Failed || got.Reason != ErrMalformed.Error() || got.Text != "some " {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

// TestHostile reads what is made to harm: it ends, with what text there is.
func TestHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("files of all kinds, larger than are read")
	}
	many := func(s string) string { return strings.Repeat(s, 4<<20/len(s)) }
	for what, data := range map[string][]byte{
		"an archive bomb":           makeDOCX(t, "word/document.xml", body(para(strings.Repeat("a", 100<<20)))),
		"elements in elements":      makeDOCX(t, "word/document.xml", body(many("<w:p>"))),
		"an archive of directories": []byte("PK\x03\x04" + many("PK\x01\x02")),
	} {
		t.Run(what, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			got, err := textOf(ctx, data, "a.docx")
			if len(got) > MaxText+utf8.UTFMax || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%d bytes of text, %v", len(got), err)
			}
		})
	}
}

func TestADeadlineKeepsWhatWasRead(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, name := range []string{"a.docx", "a.txt"} {
		if _, err := textOf(ctx, []byte("x"), name); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	long := strings.Repeat("word ", MaxText/4)
	for name, data := range map[string][]byte{"a.txt": []byte(long), "a.docx": makeDOCX(t, "word/document.xml", body(para(long)))} {
		if got, err := text(t, data, name); err != nil || len(got) != MaxText {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// seeds are small files of each kind, those of the tour among them.
func seeds(f *testing.F, name string) {
	f.Helper()
	for _, data := range [][]byte{
		makeDOCX(f, "word/document.xml", body(para("text")), "word/header1.xml", body(para("head"))),
		makeDOCX(f, "xl/workbook.xml", "<workbook><sheet name='a' r:id='r1'/></workbook>", "xl/_rels/workbook.xml.rels", rels("worksheet", "worksheets/sheet1.xml"), "xl/worksheets/sheet1.xml", "<worksheet><row><c t='s'><v>0</v></c><c s='0'><v>45356</v></c></row></worksheet>",
			"xl/sharedStrings.xml", "<sst><si><t>a</t></si></sst>", "xl/styles.xml", "<styleSheet><cellXfs><xf numFmtId='14'/></cellXfs></styleSheet>"),
		makeDOCX(f, "ppt/presentation.xml", "<p:presentation><p:sldId r:id='r1'/></p:presentation>", "ppt/_rels/presentation.xml.rels", rels("slide", "slides/slide1.xml"), "ppt/slides/slide1.xml", element("p:sld", "<a:p><a:t>a</a:t></a:p>")),
		makeStored(f, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml", odf("document-content", "<text:p>a<text:note><text:p>b</text:p></text:note></text:p>")),
		[]byte("a,b\r\n1,2"), []byte("\xff\xfea\x00"), []byte("na\xefve"),
	} {
		f.Add(data)
	}
	paths, err := filepath.Glob("../../../testdata/documents/*")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		if filepath.Ext(path) == filepath.Ext(name) {
			f.Add(data)
		}
	}
}

func fuzz(f *testing.F, name string) {
	seeds(f, name)
	f.Fuzz(func(t *testing.T, data []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		got, err := textOf(ctx, data, name)
		switch {
		case err != nil && strings.Contains(err.Error(), "reading it failed"):
			t.Errorf("a panic: %v", err)
		case errors.Is(err, context.DeadlineExceeded):
			t.Error("it takes for ever")
		case !utf8.ValidString(got) || len(got) > MaxText+utf8.UTFMax || strings.ContainsAny(got, "\x00\t\r\u00a0"):
			t.Errorf("no text: %q", got)
		}
	})
}

func FuzzDOCX(f *testing.F)  { fuzz(f, "a.docx") }
func FuzzXLSX(f *testing.F)  { fuzz(f, "a.xlsx") }
func FuzzPPTX(f *testing.F)  { fuzz(f, "a.pptx") }
func FuzzODF(f *testing.F)   { fuzz(f, "a.odt") }
func FuzzPlain(f *testing.F) { fuzz(f, "a.txt") }
