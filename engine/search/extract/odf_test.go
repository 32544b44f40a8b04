package extract

import (
	"errors"
	"testing"
)

func odf(root, inner string) string {
	const u = "urn:oasis:names:tc:opendocument:xmlns:"
	return `<?xml version="1.0" encoding="UTF-8"?><office:` + root + ` xmlns:office="` + u + `office:1.0" xmlns:text="` + u + `text:1.0" xmlns:table="` + u + `table:1.0" xmlns:draw="` + u + `drawing:1.0" xmlns:svg="` + u + `svg-compatible:1.0"` +
		` xmlns:style="` + u + `style:1.0" xmlns:meta="` + u + `meta:1.0" xmlns:form="` + u + `form:1.0" xmlns:presentation="` + u + `presentation:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/">` + inner + `</office:` + root + `>`
}

func TestOpenDocument(t *testing.T) {
	data := makeStored(t, "mimetype", "application/vnd.oasis.opendocument.text",
		"content.xml", odf("document-content", `<office:automatic-styles><style:x><text:p>no</text:p></style:x></office:automatic-styles><office:body><office:text>`+
			`<text:tracked-changes><text:changed-region><text:deletion><text:p>deleted</text:p></text:deletion></text:changed-region></text:tracked-changes>`+
			`<office:forms><form:text form:current-value="filled in" form:value="empty"/></office:forms>`+
			`<text:h>Heading</text:h><text:p>one<text:s text:c="99999999"/>two<text:tab/>three con&#xAD;tract<text:line-break/>next <text:span>Ver</text:span>trag<text:note><text:note-citation>7</text:note-citation><text:note-body><text:p>a note</text:p></text:note-body></text:note>`+
			`<office:annotation><dc:creator>Anna</dc:creator><dc:date>2024</dc:date><meta:creator-initials>AZ</meta:creator-initials><text:p>a remark</text:p></office:annotation>s<draw:frame><draw:text-box><text:p>boxed</text:p></draw:text-box><svg:desc>a map</svg:desc><office:binary-data>AAAA</office:binary-data></draw:frame>ende</text:p>`+
			`<table:table table:name="Prices"><table:table-row table:number-rows-repeated="1000000"><table:table-cell table:number-columns-repeated="16384" office:value="5"><text:p>5,00 €</text:p></table:table-cell><table:table-cell office:date-value="2024-03-05"/></table:table-row></table:table>`+
			`<text:p><text:a>link</text:a> <text:ruby><text:ruby-base>東京</text:ruby-base><text:ruby-text>とう</text:ruby-text></text:ruby></text:p></office:text></office:body>`),
		"Object 1/content.xml", odf("document-content", `<text:p>chart title</text:p>`),
		"styles.xml", odf("document-styles", `<office:styles><text:p>no</text:p></office:styles><office:master-styles><style:master-page><style:header><text:p>head</text:p></style:header><style:footer><text:p>foot</text:p></style:footer><draw:frame presentation:class="title"><text:p>click</text:p></draw:frame></style:master-page></office:master-styles>`),
		"meta.xml", odf("document-meta", `<office:meta><dc:title>Title</dc:title><dc:creator>Nobody</dc:creator><meta:keyword>key</meta:keyword><meta:user-defined meta:name="File">AZ-17</meta:user-defined></office:meta>`))
	got, err := text(t, data, "a.odt")
	want := "filled in|Heading|one two three contract|next Vertragsende|a note|a remark|boxed|a map|Prices|5,00 €|2024-03-05|link 東京|chart title|head|foot|Title|key|File AZ-17"
	if err != nil || flat(got) != want {
		t.Errorf("%q, %v, want\n%q", flat(got), err, want)
	}
}

func TestOpenPresentation(t *testing.T) {
	data := makeStored(t, "mimetype", "application/vnd.oasis.opendocument.presentation",
		"content.xml", odf("document-content", `<office:body><office:presentation><presentation:footer-decl presentation:name="f">every page</presentation:footer-decl><draw:page draw:name="page1"><draw:frame><draw:text-box><text:p>slide</text:p></draw:text-box></draw:frame><draw:custom-shape><text:p>shape</text:p></draw:custom-shape><presentation:notes><draw:frame><draw:text-box><text:p>notes</text:p></draw:text-box></draw:frame></presentation:notes></draw:page></office:presentation></office:body>`))
	got, err := text(t, data, "a.odt")
	if err != nil || flat(got) != "every page|slide|shape|notes" {
		t.Errorf("%q, %v", flat(got), err)
	}
}

func TestEncryptedOpenDocument(t *testing.T) {
	for _, of := range []string{"content.xml", "encrypted-package"} {
		data := makeStored(t, "mimetype", "application/vnd.oasis.opendocument.text", "content.xml", "\x01\x02",
			"META-INF/manifest.xml", `<manifest:manifest xmlns:manifest="m"><manifest:file-entry manifest:full-path="`+of+`"><manifest:encryption-data/></manifest:file-entry></manifest:manifest>`)
		if _, err := text(t, data, "a.odt"); !errors.Is(err, ErrEncrypted) {
			t.Error(err)
		}
	}
}
