package pdf

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"strings"
)

// deflate compresses as FlateDecode undoes it.
func deflate(data string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	w.Write([]byte(data))
	w.Close()
	return b.String()
}

// makePDF puts objects, numbered from 1, into a file. The first is the catalog.
func makePDF(objects ...string) []byte {
	var b bytes.Buffer
	b.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	for i, o := range objects {
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	fmt.Fprintf(&b, "trailer\n<< /Root 1 0 R /Size %d >>\n%%%%EOF\n", len(objects)+1)
	return b.Bytes()
}

func streamOf(dict, data string) string {
	return fmt.Sprintf("<< %s /Length %d >>\nstream\n%s\nendstream", dict, len(data), data)
}

const (
	catalog   = "<< /Type /Catalog /Pages 2 0 R >>"
	onePage   = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
	pageDict  = "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> /XObject << /X1 6 0 R >> >> >>"
	helvetica = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
)

// content is a page of this content in a simple font.
func content(dict, data string, more ...string) []byte {
	return makePDF(append([]string{catalog, onePage, pageDict, streamOf(dict, data), helvetica}, more...)...)
}

const twoLines = "BT /F1 12 Tf 72 720 Td (The quick) Tj 0 -14 Td [(br) 20 (own) -300 (fox)] TJ ET"

// wideFont is a font of two-byte codes with a map to characters.
func wideFont(cmap string) []string {
	return []string{
		"<< /Type /Font /Subtype /Type0 /BaseFont /Subset /Encoding /Identity-H /DescendantFonts [7 0 R] /ToUnicode 6 0 R >>",
		streamOf("/Filter /FlateDecode", deflate(cmap)),
		"<< /Type /Font /Subtype /CIDFontType2 /DW 600 /W [1 [500 500] 3 9 700] >>",
	}
}

const exampleCMap = `/CIDInit /ProcSet findresource begin 12 dict begin begincmap
1 begincodespacerange <0000> <ffff> endcodespacerange
2 beginbfrange <0001> <0003> <0061> <0004> <0005> [<00660069> <20ac>] endbfrange
1 beginbfchar <0009> <00df> endbfchar endcmap`

// packedPDF has all objects but its streams in a stream of objects, as newer
// programs write them, and its trailer in a stream of cross-references.
func packedPDF() []byte {
	objects := []string{catalog, onePage, pageDict, helvetica}
	numbers := []int{1, 2, 3, 5}
	var head, body strings.Builder
	for i, o := range objects {
		fmt.Fprintf(&head, "%d %d ", numbers[i], body.Len())
		body.WriteString(o + "\n")
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.5\n")
	fmt.Fprintf(&b, "4 0 obj\n%s\nendobj\n", streamOf("/Filter [/FlateDecode]", deflate(twoLines)))
	fmt.Fprintf(&b, "7 0 obj\n%s\nendobj\n", streamOf(fmt.Sprintf("/Type /ObjStm /N 4 /First %d /Filter /FlateDecode", head.Len()), deflate(head.String()+body.String())))
	fmt.Fprintf(&b, "8 0 obj\n%s\nendobj\nstartxref\n0\n%%%%EOF", streamOf("/Type /XRef /Root 1 0 R", "whatever"))
	return b.Bytes()
}
