package main

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the files under testdata that tests compare with")

// documentsDir holds small real documents for tests and for the README's
// tour. All are made here, so nobody else's rights or data are in them.
const documentsDir = "testdata/documents"

// serviceAgreement is the text of the documents, a paragraph to a line.
var serviceAgreement = []string{
	"Service Agreement",
	"between Lighthouse Ltd., 1 Harbour Road, and Quill & Co., 9 Mill Lane.",
	"1. Quill & Co. copies the log books of the lighthouse, one volume a month.",
	"2. Lighthouse Ltd. pays 120.00 EUR for each volume within 30 days.",
	"3. This agreement begins on 1 March 2026 and ends on 28 February 2027.",
	"4. It renews by one year unless either side ends it in writing 60 days before.",
	"Signed: A. Keeper, for Lighthouse Ltd.; B. Quill, for Quill & Co.",
}

var documents = []struct {
	name  string
	make  func() ([]byte, error)
	check func(*testing.T, []byte)
}{
	{"agreement.pdf", makePDF, checkPDF},
	{"agreement.docx", makeDOCX, checkDOCX},
	{"minutes.txt", makeText, checkText},
	{"seal.png", makePNG, checkPNG},
}

// TestDocuments holds that the sample documents are what their names say,
// and what this file makes.
func TestDocuments(t *testing.T) {
	for _, d := range documents {
		t.Run(d.name, func(t *testing.T) {
			want, err := d.make()
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(documentsDir, d.name)
			if *update {
				if err := os.MkdirAll(documentsDir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) > 20<<10 {
				t.Errorf("%d bytes: too large for a sample", len(got))
			}
			d.check(t, got)
			// Compressed formats may come out otherwise with another Go
			// release and be as good.
			if d.name != "seal.png" && d.name != "agreement.docx" && !bytes.Equal(got, want) {
				t.Error("not what is made here; run: go test -run TestDocuments -update .")
			}
		})
	}
}

// makePDF makes a one-page PDF 1.4 (ISO 32000-1, section 7.5) with text in one
// of the fonts every reader has.
func makePDF() ([]byte, error) {
	var text strings.Builder
	text.WriteString("BT\n/F1 16 Tf\n72 770 Td\n22 TL\n")
	for i, line := range serviceAgreement {
		if i == 1 {
			text.WriteString("/F1 10.5 Tf\n")
		}
		fmt.Fprintf(&text, "(%s) Tj T*\n", regexp.MustCompile(`[\\()]`).ReplaceAllString(line, `\$0`))
	}
	text.WriteString("ET\n")
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%sendstream", text.Len(), text.String()),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
		"<< /Title (Service Agreement) >>",
	}
	var b bytes.Buffer
	// The comment of high bytes tells programs that this is no text file.
	b.WriteString("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
	offsets := make([]int, len(objects))
	for i, object := range objects {
		offsets[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, object)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, offset := range offsets {
		fmt.Fprintf(&b, "%010d 00000 n \n", offset)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R /Info 6 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes(), nil
}

// checkPDF follows the file as a reader does: from its end to the table, and
// from the table to each object.
func checkPDF(t *testing.T, b []byte) {
	if !bytes.HasPrefix(b, []byte("%PDF-1.")) {
		t.Fatal("no PDF header")
	}
	end := regexp.MustCompile(`startxref\n(\d+)\n%%EOF\n$`).FindSubmatch(b)
	if end == nil {
		t.Fatal("no startxref at the end")
	}
	at, err := strconv.Atoi(string(end[1]))
	if err != nil || at >= len(b) {
		t.Fatalf("startxref %s", end[1])
	}
	rows := regexp.MustCompile(`(?m)^(\d{10}) 00000 n $`).FindAllSubmatch(b[at:], -1)
	if len(rows) == 0 || !bytes.HasPrefix(b[at:], fmt.Appendf(nil, "xref\n0 %d\n", len(rows)+1)) {
		t.Fatalf("%d rows after the head of the table", len(rows))
	}
	for i, row := range rows {
		offset, err := strconv.Atoi(string(row[1]))
		if err != nil || offset >= len(b) || !bytes.HasPrefix(b[offset:], fmt.Appendf(nil, "%d 0 obj\n", i+1)) {
			t.Errorf("object %d is not at %s", i+1, row[1])
		}
	}
	stream := regexp.MustCompile(`(?s)/Length (\d+) >>\nstream\n(.*?)endstream`).FindSubmatch(b)
	if stream == nil || string(stream[1]) != strconv.Itoa(len(stream[2])) {
		t.Error("the length of the page's content is not what its dictionary says")
	}
	if !bytes.Contains(b, []byte("("+serviceAgreement[0]+") Tj")) {
		t.Error("the text is missing")
	}
}

const (
	xmlHeader = `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\n"
	wordSpace = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
)

// makeDOCX makes the smallest package that word processors open (ECMA-376,
// part 2: content types, relationships, one document).
func makeDOCX() ([]byte, error) {
	var body strings.Builder
	for _, line := range serviceAgreement {
		body.WriteString("<w:p><w:r><w:t>")
		if err := xml.EscapeText(&body, []byte(line)); err != nil {
			return nil, err
		}
		body.WriteString("</w:t></w:r></w:p>")
	}
	parts := []struct{ name, content string }{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
			`<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>` +
			`<Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`},
		{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">` +
			`<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`},
		{"word/document.xml", `<w:document xmlns:w="` + wordSpace + `"><w:body>` + body.String() + `</w:body></w:document>`},
	}
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for _, part := range parts {
		w, err := archive.Create(part.name)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(w, xmlHeader+part.content); err != nil {
			return nil, err
		}
	}
	if err := archive.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func checkDOCX(t *testing.T, b []byte) {
	archive, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"[Content_Types].xml", "_rels/.rels", "word/document.xml"} {
		f, err := archive.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var words []string
		for d := xml.NewDecoder(f); ; {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if text, ok := token.(xml.CharData); ok && strings.TrimSpace(string(text)) != "" {
				words = append(words, string(text))
			}
		}
		if name == "word/document.xml" && strings.Join(words, "\n") != strings.Join(serviceAgreement, "\n") {
			t.Errorf("the text is %q", words)
		}
	}
}

func makeText() ([]byte, error) {
	return []byte(`Minutes of 3 March 2026

Present: A. Keeper, B. Quill.
- The first volume is copied; the second begins on Monday.
- The naïve plan of shipping all volumes at once is given up: the café by the
  harbour lends its cart, 2 € a trip.
Next meeting: 7 April.
`), nil
}

func checkText(t *testing.T, b []byte) {
	if !utf8.Valid(b) || !bytes.HasSuffix(b, []byte("\n")) || bytes.ContainsRune(b, '\r') {
		t.Error("not UTF-8 in lines that end with a newline")
	}
}

// makePNG draws a seal: two rings and a keyhole.
func makePNG() ([]byte, error) {
	const size = 128
	palette := color.Palette{color.White, color.RGBA{0x8b, 0x1e, 0x2d, 0xff}}
	picture := image.NewPaletted(image.Rect(0, 0, size, size), palette)
	for y := range size {
		for x := range size {
			dx, dy := x-size/2, y-size/2
			r := dx*dx + dy*dy
			ring := r < 60*60 && r > 54*54 || r < 48*48 && r > 46*46
			hole := dx*dx+(dy+10)*(dy+10) < 13*13 || dy >= -6 && dy < 28 && max(dx, -dx) < 5+dy/6
			if ring || hole {
				picture.SetColorIndex(x, y, 1)
			}
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, picture)
	return b.Bytes(), err
}

func checkPNG(t *testing.T, b []byte) {
	picture, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if picture.Bounds().Dx() < 100 {
		t.Errorf("%v is no picture to look at", picture.Bounds())
	}
}
