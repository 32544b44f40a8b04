package extract

import "testing"

func TestSlides(t *testing.T) {
	sp := func(ph, text string) string {
		return `<p:sp><p:nvSpPr><p:cNvPr id="1" name="n"/><p:nvPr>` + ph + `</p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>` + text + `</a:t></a:r></a:p></p:txBody></p:sp>`
	}
	data := makeDOCX(t,
		"_rels/.rels", rels("officeDocument", "ppt/presentation.xml"),
		"ppt/presentation.xml", element("p:presentation", `<p:sldMasterIdLst><p:sldMasterId r:id="r4"/></p:sldMasterIdLst><p:sldIdLst><p:sldId r:id="r3"/><p:sldId r:id="r1"/><p:sldId r:id="r2"/></p:sldIdLst>`),
		"ppt/_rels/presentation.xml.rels", rels("slide", "slides/slide1.xml", "slide", "slides/slide2.xml", "slide", "slides/slide3.xml", "slideMaster", "slideMasters/slideMaster1.xml"),
		"ppt/slides/slide1.xml", element("p:sld", sp(`<p:ph type="title"/>`, "second")+sp(`<p:ph type="sldNum"/>`, "2")+`<a:tbl><a:tr><a:tc><a:txBody><a:p><a:r><a:t>cell</a:t></a:r></a:p></a:txBody></a:tc></a:tr></a:tbl>`),
		"ppt/slides/_rels/slide1.xml.rels", rels("notesSlide", "../notesSlides/notesSlide1.xml", "comments", "../comments/comment1.xml", "slide", "slide2.xml"),
		"ppt/notesSlides/notesSlide1.xml", element("p:notes", sp("", "notes")),
		"ppt/notesSlides/_rels/notesSlide1.xml.rels", rels("slide", "../slides/slide1.xml"),
		"ppt/comments/comment1.xml", element("p:cmLst", `<p:cm><p:text>old remark</p:text></p:cm>`),
		"ppt/slides/slide2.xml", element("p:sld", sp("", "third")+`<a:p><a:r><a:t>line</a:t></a:r><a:br/><a:r><a:t>break</a:t></a:r></a:p>`),
		"ppt/slides/_rels/slide2.xml.rels", rels("http://schemas.microsoft.com/office/2018/10/relationships/comments", "../comments/modernComment1.xml", "diagramData", "../diagrams/data1.xml"),
		"ppt/comments/modernComment1.xml", element("p188:cmLst", `<p188:cm xmlns:p188="x"><p188:txBody><a:p><a:r><a:t>new remark</a:t></a:r></a:p></p188:txBody></p188:cm>`),
		"ppt/diagrams/data1.xml", element("dgm:dataModel", "<dgm:pt><dgm:t><a:p><a:r><a:t>diagram</a:t></a:r></a:p></dgm:t></dgm:pt>"),
		"ppt/slides/slide3.xml", element("p:sld", sp("", "first")),
		"ppt/slideMasters/slideMaster1.xml", element("p:sldMaster", sp(`<p:ph type="title"/>`, "Click to edit")+sp("", "on every slide")))
	got, err := text(t, data, "a.pptx")
	want := "first|second|cell|notes|old remark|third|line|break|diagram|new remark|on every slide"
	if err != nil || flat(got) != want {
		t.Errorf("%q, %v, want\n%q", flat(got), err, want)
	}
}
