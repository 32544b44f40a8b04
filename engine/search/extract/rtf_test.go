package extract

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestRTF(t *testing.T) {
	const data = `{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss Helvetica hidden1;}{\f1\fcharset204 Arial;}{\f2\fcharset128 Mincho;}}{\colortbl;\red0;}
{\*\generator hidden2;}{\info{\title The title}{\creatim\yr2026}}\uc1\pard K\'fcndigung \u8364?5\par
{\f1\'d1\'ea\'eb\'e0\'e4}\line{\f2\'8c\'5f\'96\'f1\'8f\'91}\tab cell\par {\field{\*\fldinst HYPERLINK "hidden3"}{\fldrslt shown link}}
\par {\deleted hidden4}{\b kept}word \{braces\}\par {\pict\bin7 {{{}}}hidden5}\u-10179?\u-8704? {\upr{hidden6}{\*\ud{both}}}{\footnote a note}{\*\annotation remark}\uc2\u252\'c3\'bcx}`
	got, err := text(t, []byte(data), "a.rtf")
	if err != nil || strings.Contains(got, "hidden") {
		t.Errorf("%q, %v", got, err)
	}
	hasAll(t, got, "The title\n", "Kündigung €5\n", "Склад\n契約書 cell\n", "shown link", "keptword {braces}\n", "😀", "both", "a note", "remark", "üx")
}

func TestHostileRTF(t *testing.T) {
	for what, data := range map[string]string{
		"groups within groups": `{\rtf1` + strings.Repeat("{", 1<<20),
		"fonts":                `{\rtf1{\fonttbl` + strings.Repeat(`{\f1\fcharset204 x;}`, 1<<16),
		"words":                `{\rtf1` + strings.Repeat(`\a`, 1<<21),
		"too long a picture":   `{\rtf1\bin99999999999 x`,
	} {
		t.Run(what, func(t *testing.T) { endsSoon(t, []byte(data), "a.rtf") })
	}
	if _, err := text(t, []byte(`{\rtf1`+strings.Repeat("{", 1<<20)), "a.rtf"); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func FuzzRTF(f *testing.F) {
	f.Add([]byte(`{\rtf1\ansicpg1251{\fonttbl{\f1\fcharset128;}}\'d1\u8364?{\*\x y}\bin1 z\par}`))
	fuzz(f, "a.rtf")
}

func readZIP(t *testing.T, data []byte) Result {
	t.Helper()
	got, err := Read(t.Context(), Readers(), file(data, "application/zip", "a.zip"))
	if err != nil || got.Kind != ZIP {
		t.Fatalf("%+v, %v", got, err)
	}
	return got
}

func TestZIP(t *testing.T) {
	inner := string(makeDOCX(t, "deep.html", "<p>deeper words"))
	got := readZIP(t, makeDOCX(t, "folder/Straße.txt", "plain words", "b.json", `{"a":"json words"}`, "c.zip", inner, "caf\x82.bin", "\x00\x01"))
	if got.State != Indexed || got.Reason != "" {
		t.Errorf("%+v", got)
	}
	hasAll(t, got.Text, "folder/Straße.txt", "plain words", "json words", "deep.html", "deeper words", "café.bin")
}

// TestZIPWithOfficeFilesStored is no office file for the names within these.
func TestZIPWithOfficeFilesStored(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&zip.FileHeader{Name: "password/a.docx", Method: zip.Store})
	if err != nil {
		t.Fatal(err)
	}
	f.Write(makeDOCX(t, "word/document.xml", body(para("stored words"))))
	w.Close()
	hasAll(t, readZIP(t, b.Bytes()).Text, "password/a.docx", "stored words")
}

func TestZIPThatIsEncrypted(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	if _, err := w.CreateRaw(&zip.FileHeader{Name: "secret.txt", Flags: 1}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	if got := readZIP(t, b.Bytes()); got.Text != "secret.txt\n" || got.Reason != "not read of what is in it: 1 (the file is encrypted)" {
		t.Errorf("%+v", got)
	}
}

func TestHostileZIP(t *testing.T) {
	if testing.Short() {
		t.Skip("archives of all kinds, larger than is read")
	}
	bomb := string(makeDOCX(t, "a.bin", strings.Repeat("\x00", 60<<20), "b.bin", strings.Repeat("\x00", 60<<20), "c.bin", strings.Repeat("\x00", 60<<20)))
	nested := makeDOCX(t, "a.txt", "core")
	for range 50 {
		nested = makeDOCX(t, "a.zip", string(nested))
	}
	var many []string
	for i := range 2000 {
		many = append(many, fmt.Sprint("t", i), "x")
	}
	for what, c := range map[string]struct {
		data   []byte
		reason string
	}{
		"a bomb":             {[]byte(bomb), "only the first 128 MiB of the files in it"},
		"archives in others": {nested, "not read of what is in it: 1 (" + ErrTooDeep.Error() + ")"},
		"many members":       {makeDOCX(t, many...), "only the first 1000 files in it"},
	} {
		if got := readZIP(t, c.data); got.Reason != c.reason {
			t.Errorf("%s: %s, %q", what, got.State, got.Reason)
		}
	}
}

func FuzzZIP(f *testing.F) {
	f.Add(makeDOCX(f, "a.txt", "b", "c.html", "<p>d"))
	fuzz(f, "a.zip")
}
