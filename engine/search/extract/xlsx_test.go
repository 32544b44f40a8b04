package extract

import (
	"strings"
	"testing"
)

func TestSpreadsheet(t *testing.T) {
	data := makeDOCX(t,
		"_rels/.rels", rels("officeDocument", "xl/workbook.xml"),
		"xl/workbook.xml", element("workbook", `<workbookPr/><definedNames><definedName name="x">Sheet1!A1</definedName></definedNames><sheets><sheet name="Summary" r:id="r2"/><sheet name="Data 2024" r:id="r1"/></sheets>`),
		"xl/_rels/workbook.xml.rels", rels("worksheet", "worksheets/sheet1.xml", "worksheet", "worksheets/sheet2.xml", "sharedStrings", "sharedStrings.xml", "styles", "styles.xml"),
		"xl/sharedStrings.xml", `<sst><si><t>first</t></si><si><r><t>rich</t></r><r><t xml:space="preserve">er text</t></r><rPh><t>reading</t></rPh></si></sst>`,
		"xl/styles.xml", `<styleSheet><numFmts><numFmt numFmtId="164" formatCode="dd\.mm\.yyyy;@"/><numFmt numFmtId="165" formatCode="&quot;INV-&quot;00000"/></numFmts><cellStyleXfs><xf numFmtId="9"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/><xf numFmtId="165"/><xf numFmtId="10"/></cellXfs></styleSheet>`,
		"xl/worksheets/sheet1.xml", `<worksheet><sheetData><row><c t="s"><v>0</v></c><c t="s"><v>1</v></c><c t="s"><v>7</v></c></row><row><c t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r></is></c><c t="b"><v>1</v></c><c t="str"><f>A1&amp;"x"</f><v>result</v></c></row>`+
			`<row><c s="1"><v>45356</v></c><c s="2"><v>45356.5</v></c><c s="3"><v>42</v></c><c s="4"><v>0.195</v></c><c><v>0.30000000000000004</v></c><c s="0"><v>4711</v></c><c s="9"/></row></sheetData><headerFooter><oddHeader>&amp;C&amp;"Arial,Bold"&amp;14Printed &amp;P&amp;Rright</oddHeader></headerFooter></worksheet>`,
		"xl/worksheets/_rels/sheet1.xml.rels", rels("comments", "../comments1.xml", "http://schemas.microsoft.com/office/2017/10/relationships/threadedComment", "../threadedComments/threadedComment1.xml", "drawing", "../drawings/drawing1.xml"),
		"xl/comments1.xml", `<comments><authors><author>Anna</author><author>tc={1}</author></authors><commentList><comment authorId="0"><text><r><t>a </t></r><r><t>remark</t></r></text></comment><comment authorId="1"><text><t>Threads need a newer version: talk</t></text></comment></commentList></comments>`,
		"xl/threadedComments/threadedComment1.xml", `<ThreadedComments><threadedComment><text>talk</text></threadedComment></ThreadedComments>`,
		"xl/drawings/drawing1.xml", element("xdr:wsDr", `<xdr:sp xmlns:xdr="x"><a:p><a:r><a:t>a box</a:t></a:r></a:p></xdr:sp>`),
		"xl/worksheets/sheet2.xml", `<worksheet><sheetData><row><c t="s"><v>0</v></c></row></sheetData></worksheet>`)
	got, err := text(t, data, "a.xlsx")
	want := "Summary|first|Data 2024|first richer text|inline TRUE result|2024-03-05 05.03.2024 3/5/2024 05.03.2024 2024-03-05 INV-00042 19.50% 0.3 4711|Printed|right|a box|talk|a remark"
	if err != nil || flat(got) != want {
		t.Errorf("%q, %v, want\n%q", flat(got), err, want)
	}
}

// TestSheetsByName: without relationships, in the order of their numbers.
func TestSheetsByName(t *testing.T) {
	sheet := func(s string) string {
		return `<worksheet><row><c t="inlineStr"><is><t>` + s + `</t></is></c></row></worksheet>`
	}
	got, err := text(t, makeDOCX(t, "xl/workbook.xml", `<workbook><sheet name="Names"/></workbook>`, "xl/worksheets/sheet10.xml", sheet("ten"), "xl/worksheets/sheet9.xml", sheet("nine")), "a.xlsx")
	if err != nil || flat(got) != "Names|nine|ten" {
		t.Errorf("%q, %v", flat(got), err)
	}
}

// TestFormats: numbers as they are shown.
func TestFormats(t *testing.T) {
	for _, c := range []struct{ code, value, want string }{
		{"General", "1234.5", "1234.5"},
		{"", "1E3", "1000"},
		{"0.00", "1.005E1", "10.05"},
		{"#,##0.00", "1234567.891", "1,234,567.89"},
		{"#,##0.00\\ [$€-407]", "1234.5", "1,234.50 €"},
		{`"$"#,##0_);("$"#,##0)`, "-1234", "($1,234)"},
		{"0.0;-0.0;\"none\"", "0", "none"},
		{"00000", "1067", "01067"},
		{"0%", "0.19", "19%"},
		{"000-00-0000", "123456789", "123456789"},
		{"0.00E+00", "12345", "12345"},
		{"@", "17", "17"},
		{"yyyy-mm-dd", "45356", "2024-03-05"},
		{"d/m/yy h:mm", "45356.75", "5/3/24 18:00 2024-03-05"},
		{`[$-409]d\-mmm\-yyyy;@`, "45356", "5-Mar-2024 2024-03-05"},
		{`dddd", "mmmm dd", "yyyy`, "45356", "Tuesday, March 05, 2024 2024-03-05"},
		{"h:mm AM/PM", "0.5", "12:00 PM"},
		{"[h]:mm:ss", "1.5", "36:00:00"},
		{"mm:ss", "0.0014467592592592592", "02:05"},
		{"[Red]0;[Blue]-0", "-5", "-5"},
		{"yyyy", "1E300", "1E+300"},
		{"0", "not a number", "not a number"},
		{"[", "5", "5"}, {`"`, "5", ""}, {"\\", "5", "\\"}, {"[$", "5", "5"},
	} {
		if got := formatOf(c.code).show(c.value, false); got != c.want {
			t.Errorf("%s of %s: %q, want %q", c.value, c.code, got, c.want)
		}
	}
	if got := formatOf("yyyy-mm-dd").show("43894", true); got != "2024-03-05" {
		t.Errorf("since 1904: %s", got)
	}
	if got := formatOf("yyyy-mm-dd").show("1", false); got != "1900-01-01" {
		t.Errorf("the first day: %s", got)
	}
	if got := strings.TrimSpace(formatOf(builtIn(22)).show("45356.5", false)); !strings.HasPrefix(got, "2024-03-05 12:00") {
		t.Error(got)
	}
}

func FuzzFormat(f *testing.F) {
	f.Add(`[$-409]d\-mmm\-yyyy;@`, "45356.5")
	f.Add(`"x"#,##0.00_);[Red]\(0%\)`, "-1")
	f.Fuzz(func(t *testing.T, code, value string) { formatOf(code).show(value, true) })
}
