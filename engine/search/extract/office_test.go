package extract

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"unicode/utf16"
)

const (
	officeRels = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
	wordTypes  = "application/vnd.openxmlformats-officedocument.wordprocessingml."
)

// rels are relationships: type and target in turn, with the ids r1, r2, …
func rels(of ...string) string {
	s := `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`
	for i := 0; i < len(of); i += 2 {
		kind := of[i]
		if !strings.Contains(kind, ":") {
			kind = officeRels + kind
		}
		s += `<Relationship Id="r` + string(rune('1'+i/2)) + `" Type="` + kind + `" Target="` + of[i+1] + `"/>`
	}
	return s + "</Relationships>"
}

// element is a root element that declares the usual prefixes.
func element(name, inner string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><` + name + ` xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"` +
		` xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"` +
		` xmlns:c="http://schemas.openxmlformats.org/drawingml/2006/chart" xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram">` + inner + `</` + name + `>`
}

func lines(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == '\n' })
}

func flat(s string) string {
	l := lines(s)
	for i := range l {
		l[i] = strings.TrimSpace(l[i])
	}
	return strings.Join(l, "|")
}

// TestProse is what stands in the body of a Word file, and what of it is text.
func TestProse(t *testing.T) {
	for what, c := range map[string]struct{ in, want string }{
		"a hyphen that does not break": {`<w:p><w:r><w:t>T</w:t><w:noBreakHyphen/><w:t>4711</w:t></w:r></w:p>`, "T-4711"},
		"a soft hyphen":                {`<w:p><w:r><w:t>Sam</w:t><w:softHyphen/><w:t>ple con&#xAD;tract</w:t></w:r></w:p>`, "Sample contract"},
		"a positional tab":             {`<w:p><w:r><w:t>left</w:t><w:ptab w:alignment="right"/><w:t>right</w:t></w:r></w:p>`, "left right"},
		"where tabs stop":              {`<w:p><w:pPr><w:tabs><w:tab w:val="left"/></w:tabs></w:pPr><w:r><w:t>a</w:t><w:tab/><w:t>b</w:t></w:r></w:p>`, "a b"},
		"breaks":                       {`<w:p><w:r><w:t>a</w:t><w:br/><w:t>b</w:t><w:cr/><w:t>c</w:t></w:r></w:p>`, "a|b|c"},
		"what was changed": {`<w:p><w:ins><w:r><w:t>new</w:t></w:r></w:ins><w:del><w:r><w:t>odd</w:t><w:delText>old</w:delText></w:r></w:del>` +
			`<w:moveFrom><w:r><w:t>from</w:t></w:r></w:moveFrom><w:moveTo><w:r><w:t> to</w:t></w:r></w:moveTo><w:r><w:delText>gone</w:delText></w:r></w:p>`, "new to"},
		"the deleted end of a paragraph": {`<w:p><w:pPr><w:rPr><w:del w:id="1"/></w:rPr></w:pPr><w:r><w:t>con</w:t></w:r></w:p>` + para("tract") + para("next"), "contract|next"},
		"a deleted row":                  {`<w:tbl><w:tr><w:trPr><w:del/></w:trPr><w:tc>` + para("gone") + `</w:tc></w:tr><w:tr><w:tc>` + para("kept") + `</w:tc></w:tr></w:tbl>`, "kept"},
		"a text box, twice": {`<w:p><w:r><w:t>an</w:t></w:r><w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:docPr xmlns:wp="x" id="1" name="n" descr="a map of Kiel"/><wps:txbx xmlns:wps="x"><w:txbxContent>` + para("boxed") + `</w:txbxContent></wps:txbx></w:drawing></mc:Choice>` +
			`<mc:Choice Requires="later">` + para("later") + `</mc:Choice><mc:Fallback><w:pict><v:textbox xmlns:v="v"><w:txbxContent>` + para("boxed") + `</w:txbxContent></v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r><w:r><w:t>chor</w:t></w:r></w:p>`, "anchor|a map of Kiel|boxed"},
		"only a fallback":      {`<mc:AlternateContent><mc:Fallback>` + para("old") + `</mc:Fallback></mc:AlternateContent>`, "old"},
		"a watermark":          {`<w:p><w:r><w:pict><v:shape xmlns:v="v"><v:textpath string="CONFIDENTIAL"/></v:shape></w:pict></w:r></w:p>`, "CONFIDENTIAL"},
		"a link":               {`<w:p><w:r><w:t>see </w:t></w:r><w:hyperlink r:id="r9"><w:r><w:t>here</w:t></w:r></w:hyperlink></w:p>`, "see here"},
		"a field":              {`<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r><w:r><w:instrText>REF secret</w:instrText></w:r><w:r><w:fldChar w:fldCharType="separate"/></w:r><w:r><w:t>result</w:t></w:r></w:p>`, "result"},
		"a drop-down field":    {`<w:p><w:r><w:ffData><w:ddList><w:result w:val="1"/><w:listEntry w:val="red"/><w:listEntry w:val="blue"/></w:ddList></w:ffData></w:r></w:p>`, "blue"},
		"a symbol":             {`<w:p><w:r><w:t>5 </w:t><w:sym w:font="Symbol" w:char="F06D"/><w:t>m</w:t><w:sym w:font="Wingdings" w:char="F0FC"/><w:t>x</w:t></w:r></w:p>`, "5 μm x"},
		"a content control":    {`<w:sdt><w:sdtPr><w:alias w:val="alias"/><w:placeholder><w:t>hint</w:t></w:placeholder></w:sdtPr><w:sdtContent>` + para("filled") + `</w:sdtContent></w:sdt>`, "filled"},
		"ruby":                 {`<w:p><w:r><w:ruby><w:rt><w:r><w:t>とうきょう</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>`, "東京"},
		"a formula":            {`<w:p><m:oMath xmlns:m="m"><m:r><m:t>x=2</m:t></m:r></m:oMath></w:p>`, "x=2"},
		"CDATA and references": {`<w:p><w:r><w:t><![CDATA[a<b]]> &#228;&amp;&unknown;o<!-- no --></w:t></w:r></w:p>`, "a<b ä& o"},
	} {
		t.Run(what, func(t *testing.T) {
			got, err := text(t, makeDOCX(t, "word/document.xml", element("w:document", "<w:body>"+c.in+"</w:body>")), "a.docx")
			if err != nil || flat(got) != c.want {
				t.Errorf("%q, %v, want %q", flat(got), err, c.want)
			}
		})
	}
}

// TestPartsOfWord are found by what refers to them, whatever they are called.
func TestPartsOfWord(t *testing.T) {
	const strict = "http://purl.oclc.org/ooxml/officeDocument/relationships/"
	data := makeDOCX(t,
		"[Content_Types].xml", `<Types xmlns="x"><Override PartName="/custom/chunk.bin" ContentType="text/plain"/><Override PartName="/word/odd.xml" ContentType="`+wordTypes+`footer+xml"/></Types>`,
		"_rels/.rels", rels(strict+"officeDocument", "/Word/Document2.xml", "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties", "docProps/core.xml", officeRels+"custom-properties", "docProps/custom.xml"),
		`word\document2.xml`, `<document xmlns="http://purl.oclc.org/ooxml/wordprocessingml/main" xmlns:q="http://purl.oclc.org/ooxml/officeDocument/relationships"><body><p><r><t>body</t></r></p><x q:id="r5"/><x q:id="r4"/></body></document>`,
		"word/_rels/document2.xml.rels", rels("comments", "remarks.xml", "footnotes", "/word/notes.xml", "header", "..\\parts\\top%20one.xml", "chart", "charts/chart1.xml", "chart", "charts/chart2.xml", "diagramData", "diagrams/data1.xml", "aFChunk", "/custom/chunk.bin", "glossaryDocument", "glossary/document.xml"),
		"word/remarks.xml", element("w:comments", "<w:comment>"+para("comment")+"</w:comment>"),
		"word/notes.xml", element("w:footnotes", "<w:footnote>"+para("note")+"</w:footnote>"),
		"parts/top one.xml", element("w:hdr", para("header")),
		"word/odd.xml", element("w:ftr", para("footer")),
		"word/charts/chart1.xml", element("c:chartSpace", "<c:title><a:p><a:r><a:t>first chart</a:t></a:r></a:p></c:title><c:cat><c:strRef><c:f>Sheet1!A1</c:f><c:strCache><c:pt><c:v>North</c:v></c:pt><c:pt><c:v>South</c:v></c:pt></c:strCache></c:strRef></c:cat><c:numCache><c:pt><c:v>12</c:v></c:pt></c:numCache>"),
		"word/charts/chart2.xml", element("c:chartSpace", "<a:p><a:r><a:t>second chart</a:t></a:r></a:p>"),
		"word/diagrams/data1.xml", element("dgm:dataModel", "<dgm:pt><dgm:t><a:p><a:r><a:t>diagram</a:t></a:r></a:p></dgm:t></dgm:pt>"),
		"word/diagrams/drawing1.xml", element("dsp:drawing", "<a:p><a:r><a:t>diagram</a:t></a:r></a:p>"),
		"word/glossary/document.xml", element("w:glossaryDocument", para("block")),
		"custom/chunk.bin", "plain chunk",
		"docProps/core.xml", `<cp:coreProperties xmlns:cp="c" xmlns:dc="d"><dc:title>Title</dc:title><dc:creator>Nobody</dc:creator><cp:keywords>key words</cp:keywords></cp:coreProperties>`,
		"docProps/custom.xml", `<Properties><property name="File number"><vt:lpwstr>AZ-17</vt:lpwstr></property><property name="_Marks"><vt:lpwstr>no</vt:lpwstr></property></Properties>`)
	got, err := text(t, data, "a.docx")
	want := "body|header|footer|note|second chart|first chart|North|South|diagram|plain chunk|comment|Title|key words|File number AZ-17|block"
	for _, w := range strings.Split(want, "|") {
		if strings.Count(got, w) != 1 {
			t.Errorf("%q is there %d times", w, strings.Count(got, w))
		}
	}
	if err != nil || strings.Contains(got, "Nobody") || strings.Contains(got, "12") || strings.Contains(got, "no\n") || strings.Index(got, "second chart") > strings.Index(got, "first chart") || !strings.HasPrefix(got, "body\nheader\n") {
		t.Errorf("%q, %v", flat(got), err)
	}
}

// TestChunksOfOtherKinds are read by what they are; what is wrong with one, or too deep
// in it, costs nothing but itself.
func TestChunksOfOtherKinds(t *testing.T) {
	const mail = "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=windows-1252\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>K=FCndigung als =\r\nSeite</p>\r\n" +
		"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: hidden\r\n\r\nhidden\r\n--b--\r\n"
	got, err := text(t, makeDOCX(t, "word/document.xml", body(para("outer")),
		"word/_rels/document.xml.rels", rels("aFChunk", "a.html", "aFChunk", "b.rtf", "aFChunk", "c.mht", "aFChunk", "d.txt", "aFChunk", "e.zip"),
		"word/a.html", "<html><body><p>page <b>words</b></p><script>hidden</script>", "word/b.rtf", `{\rtf1\ansi rich {\b words}\par {\pict hidden}}`, "word/c.mht", mail,
		"word/d.txt", "plain words", "word/e.zip", string(makeDOCX(t, "hidden.txt", "hidden"))), "a.docx")
	if err != nil || flat(got) != "outer|page words|rich words|Kündigung als Seite|plain words" {
		t.Errorf("%q, %v", flat(got), err)
	}
	deep := "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	if got, err := text(t, makeDOCX(t, "word/document.xml", body(para("outer")), "word/_rels/document.xml.rels", rels("aFChunk", "a.mht", "aFChunk", "b.rtf", "aFChunk", "c.txt"),
		"word/a.mht", "MIME-Version: 1.0\n"+strings.Repeat(deep, 1000), "word/b.rtf", `{\rtf1 `+strings.Repeat("{", 2*maxGroups), "word/c.txt", "the last"), "a.docx"); err != nil || flat(got) != "outer|the last" {
		t.Errorf("%q, %v", flat(got), err)
	}
}

// TestChunks: a document taken into another, as deep as it may be.
func TestChunks(t *testing.T) {
	inner := makeDOCX(t, "word/document.xml", body(para("innermost")))
	for range 5 {
		inner = makeDOCX(t, "word/document.xml", body(para("outer")), "word/_rels/document.xml.rels", rels("aFChunk", "afchunk.docx"), "word/afchunk.docx", string(inner))
	}
	if got, _ := text(t, inner, "a.docx"); strings.Count(got, "outer") != maxChunks+1 {
		t.Errorf("%q", got)
	}
	if got, err := text(t, makeDOCX(t, "word/document.xml", body(para("outer")), "word/_rels/document.xml.rels", rels("aFChunk", "afchunk.docx"), "word/afchunk.docx", string(makeDOCX(t, "word/document.xml", body(para("inner"))))), "a.docx"); err != nil || flat(got) != "outer|inner" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestEncodings of XML: by mark, and as declared.
func TestEncodings(t *testing.T) {
	wide := func(s string, order binary.AppendByteOrder) string {
		var b []byte
		for _, u := range utf16.Encode([]rune(s)) {
			b = order.AppendUint16(b, u)
		}
		return string(b)
	}
	doc := func(encoding, word string) string {
		return strings.Replace(body(para(word)), `<?xml version="1.0"?>`, `<?xml version="1.0" encoding="`+encoding+`"?>`, 1)
	}
	for what, in := range map[string]string{
		"UTF-16LE, marked":   wide("\ufeff"+doc("UTF-16", "Grün"), binary.LittleEndian),
		"UTF-16BE, marked":   wide("\ufeff"+doc("utf-16", "Grün"), binary.BigEndian),
		"UTF-16LE, unmarked": wide(doc("UTF-16", "Grün"), binary.LittleEndian),
		"UTF-8, marked":      "\ufeff" + doc("utf-8", "Grün"),
		"Latin-1":            doc("ISO-8859-1", "Gr\xfcn"),
		"a wrong UTF-16":     doc("UTF-16", "Grün"),
		"an unknown one":     doc("klingon", "Grün"),
	} {
		if got, err := text(t, makeDOCX(t, "word/document.xml", in), "a.docx"); err != nil || flat(got) != "Grün" {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

// TestOneBrokenPart is no reason to leave the others.
func TestOneBrokenPart(t *testing.T) {
	data := makeDOCX(t, "word/document.xml", body(para("body")), "word/header1.xml", "<w:hdr><w:p", "word/footer1.xml", body(para("foot")))
	if got, err := text(t, data, "a.docx"); !errors.Is(err, ErrMalformed) || flat(got) != "body|foot" {
		t.Errorf("%q, %v", got, err)
	}
}

// stored puts a part into an archive as it stands.
func stored(t testing.TB, w *zip.Writer, name, content string) {
	t.Helper()
	f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err == nil {
		_, err = f.Write([]byte(content))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func makeStored(t testing.TB, parts ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(parts); i += 2 {
		stored(t, w, parts[i], parts[i+1])
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
