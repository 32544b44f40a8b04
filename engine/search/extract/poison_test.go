package extract

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// endless makes an archive with one part that repeats something.
func endless(t testing.TB, name, before, again string, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(f, before)
	again = strings.Repeat(again, max(1, (64<<10)/len(again)))
	for n := 0; n < size && err == nil; n += len(again) {
		_, err = io.WriteString(f, again)
	}
	if err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// overlapping makes an archive whose directory names one member many times.
func overlapping(t testing.TB, name string) []byte {
	t.Helper()
	data := makeDOCX(t, name, body(para(strings.Repeat("word ", 1000))))
	at := bytes.Index(data, []byte("PK\x01\x02"))
	end := bytes.LastIndex(data, []byte("PK\x05\x06"))
	entry := data[at:end]
	out := bytes.Clone(data[:at])
	for i := range 100 {
		copied := bytes.Clone(entry)
		copied[46] = byte('A' + i%26)
		out = append(out, copied...)
	}
	tail := bytes.Clone(data[end:])
	tail[8], tail[10] = 100, 100
	size := len(entry) * 100
	tail[12], tail[13], tail[14] = byte(size), byte(size>>8), byte(size>>16)
	return append(out, tail...)
}

// TestPoison is what is made to harm each reader: reading ends with a reason, in
// little memory.
func TestPoison(t *testing.T) {
	if testing.Short() {
		t.Skip("files that take all the time there is")
	}
	attributes := "<w:p" + strings.Repeat(` a="b"`, 1_000_000) + "/>"
	for kind, name := range map[string]string{".docx": "word/document.xml", ".xlsx": "xl/worksheets/sheet1.xml", ".pptx": "ppt/slides/slide1.xml", ".odt": "content.xml"} {
		for what, c := range map[string]struct {
			data []byte
			want error
		}{
			"a bomb of text":          {endless(t, name, "<w:t>", "a", 20<<20), ErrSwells},
			"a bomb of spaces":        {endless(t, name, "<w:body>", "     \n", 20<<20), ErrSwells},
			"a bomb of elements":      {endless(t, name, "<w:body>", "<c/>", 20<<20), ErrSwells},
			"a tag without an end":    {endless(t, name, "<w:body ", "a", 8<<20), ErrMalformed},
			"a value without an end":  {endless(t, name, `<w:body a="`, "a", 8<<20), ErrMalformed},
			"a comment without end":   {endless(t, name, "<!--", "a", 8<<20), ErrMalformed},
			"a million attributes":    {makeDOCX(t, name, attributes), ErrMalformed},
			"a million namespaces":    {makeDOCX(t, name, "<a>"+strings.Repeat(`<b xmlns:c="d" xmlns:e="f">`, 100_000)), ErrMalformed},
			"elements in elements":    {makeDOCX(t, name, strings.Repeat("<w:p>", 1_000_000)), ErrMalformed},
			"an entity in an entity":  {makeDOCX(t, name, `<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>`+strings.Repeat("&c;", 100)), ErrMalformed},
			"members that overlap":    {overlapping(t, name), ErrMalformed},
			"a file that is cut off":  {makeDOCX(t, name, body(para("a")))[:120], ErrTruncated},
			"a directory of nothing":  {[]byte("PK\x03\x04" + strings.Repeat("PK\x01\x02", 1<<20)), ErrMalformed},
			"a directory that is off": {append(makeDOCX(t, name, body(para("a")))[:200], "PK\x05\x06\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00"...), ErrMalformed},
		} {
			t.Run(kind+" "+what, func(t *testing.T) {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := textOf(ctx, c.data, "a"+kind)
				runtime.ReadMemStats(&after)
				if !errors.Is(err, c.want) {
					t.Errorf("%v, want %v", err, c.want)
				}
				if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
					t.Errorf("it took %d MiB of memory", took>>20)
				}
			})
		}
	}
}

// TestManyPartsAreBounded together: none of them swells alone.
func TestManyPartsAreBounded(t *testing.T) {
	left := int64(1 << 20)
	parts := []string{"word/document.xml", body(para("body"))}
	for _, n := range []string{"1", "2", "3", "4"} {
		parts = append(parts, "word/header"+n+".xml", body(strings.Repeat("<w:p/>", 100_000)))
	}
	var out Output
	if err := (&office{out: &out, left: &left}).text(t.Context(), makeDOCX(t, parts...)); !errors.Is(err, ErrSwells) || !strings.HasPrefix(out.String(), "body") {
		t.Errorf("%v, %q", err, out.String())
	}
}

// TestABombThatLies about how large it is.
func TestABombThatLies(t *testing.T) {
	data := endless(t, "word/document.xml", "<w:body>", "     ", 40<<20)
	at := bytes.Index(data, []byte("PK\x01\x02")) + 24
	copy(data[at:], []byte{0, 1, 0, 0})
	if _, err := text(t, data, "a.docx"); !errors.Is(err, ErrSwells) && !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

// TestLocked: a member that takes a password.
func TestLocked(t *testing.T) {
	data := makeDOCX(t, "word/document.xml", body(para("a")))
	for _, at := range []int{6, bytes.Index(data, []byte("PK\x01\x02")) + 8} {
		data[at] |= 1
	}
	if _, err := text(t, data, "a.docx"); !errors.Is(err, ErrEncrypted) {
		t.Error(err)
	}
}

// TestKindsOfArchives are told by their names, and not by those within their members.
func TestKindsOfArchives(t *testing.T) {
	sheet := string(makeStored(t, "xl/workbook.xml", "<workbook/>"))
	for what, c := range map[string]struct {
		data []byte
		kind Kind
	}{
		"slides with a sheet in them":   {makeStored(t, "ppt/presentation.xml", "<a/>", "ppt/embeddings/a.xlsx", sheet), PPTX},
		"an archive with a sheet in it": {makeStored(t, "a.xlsx", sheet), ZIP},
		"capitals":                      {makeStored(t, "Word/Document.xml", "<a/>"), DOCX},
		"backslashes":                   {makeStored(t, `\word\document.xml`, "<a/>"), DOCX},
		"a binary sheet":                {makeStored(t, "xl/workbook.bin", "a"), Binary},
		"ODF without its type":          {makeStored(t, "content.xml", "<a/>", "META-INF/manifest.xml", "<a/>"), ODF},
		"cut off":                       {makeStored(t, "word/document.xml", strings.Repeat("a", 1000))[:500], DOCX},
	} {
		if got, err := KindOf(t.Context(), file(c.data, "", "")); err != nil || got != c.kind {
			t.Errorf("%s: %s, %v", what, got, err)
		}
	}
}
