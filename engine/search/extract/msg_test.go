package extract

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
)

func wideString(s string) string {
	var b []byte
	for _, c := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return string(b)
}

// fixed are properties that are numbers, by id and value in turn, behind a head.
func fixed(head int, list ...uint32) string {
	b := make([]byte, head)
	for ; len(list) > 0; list = list[2:] {
		b = binary.LittleEndian.AppendUint32(b, list[0]<<16|3)
		b = append(b, 6, 0, 0, 0)
		b = binary.LittleEndian.AppendUint32(b, list[1])
		b = append(b, 0, 0, 0, 0)
	}
	return string(b)
}

// unicodeText makes streams of properties that are text in UTF-16.
func unicodeText(s storage, list ...string) storage {
	for ; len(list) > 0; list = list[2:] {
		s["__substg1.0_"+list[0]+"001F"] = wideString(list[1])
	}
	return s
}

func readMSG(t *testing.T, s storage) Result {
	t.Helper()
	got, err := Read(t.Context(), Readers(), file(makeCFB(s), "", "a.bin"))
	if err != nil || got.Kind != MSG {
		t.Fatalf("%+v, %v", got, err)
	}
	return got
}

func TestMSG(t *testing.T) {
	inner := unicodeText(storage{msgFixed: fixed(24), "__attach_version1.0_#00000000": unicodeText(storage{msgFixed: fixed(8), "__substg1.0_37010102": "words in the inner file"}, "3707", "inner.txt")},
		"0037", "inner subject", "1000", "inner body")
	got := readMSG(t, unicodeText(storage{
		msgFixed:                        fixed(32, msgBodyCodePage, 1251),
		"__substg1.0_10130102":          "<p>\xe4\xee\xe3\xee\xe2\xee\xf0</p><style>hidden1</style>",
		"__substg1.0_10090102":          "not read",
		"__recip_version1.0_#00000000":  unicodeText(storage{msgFixed: fixed(8)}, "3001", "Grace Hopper", "39FE", "grace@example.com", "3003", "/O=HIDDEN2/CN=GRACE"),
		"__attach_version1.0_#00000000": unicodeText(storage{msgFixed: fixed(8), "__substg1.0_37010102": "plain words"}, "3707", "Straße.txt", "3704", "HIDDEN3.TXT"),
		"__attach_version1.0_#00000001": unicodeText(storage{msgFixed: fixed(8), "__substg1.0_37010102": string(makeDOCX(t, "word/document.xml", body(para("office words"))))}, "3704", "A~1.DOC"),
		"__attach_version1.0_#00000002": unicodeText(storage{msgFixed: fixed(8), "__substg1.0_3701000D": inner}, "3001", "forwarded"),
		"__nameid_version1.0":           storage{"__substg1.0_00020102": "hidden4"},
	}, "001A", "IPM.Note", "0037", "Kündigung 契約", "0C1A", "Ada Lovelace", "5D01", "ada@example.com", "0C1F", "/O=HIDDEN5", "0E04", "Grace; Carl", "0E03", "Edsger", "1000", "only in the plain body"))
	if got.State != Indexed || got.Reason != "" || strings.Contains(strings.ToLower(got.Text), "hidden") {
		t.Errorf("%+v", got)
	}
	hasAll(t, got.Text, "Kündigung 契約\nAda Lovelace\nada@example.com\nGrace; Carl\nEdsger\n", "Grace Hopper\ngrace@example.com\n", "договор", "only in the plain body",
		"Straße.txt\nplain words", "office words", "forwarded\ninner subject\ninner body\ninner.txt\nwords in the inner file")
}

// TestMSGInACodePage: text of one byte a character is in what the message says, that of
// attachments and messages within it too.
func TestMSGInACodePage(t *testing.T) {
	inner := storage{msgFixed: fixed(24), "__substg1.0_0037001E": "\xe2\xed\xf3\xf2\xf0\xe8\x00"}
	got := readMSG(t, storage{msgFixed: fixed(32, msgCodePage, 1251), "__substg1.0_0037001E": "\xd1\xea\xeb\xe0\xe4", "__substg1.0_1000001E": "\xf2\xe5\xea\xf1\xf2",
		"__attach_version1.0_#00000000": storage{msgFixed: fixed(8), "__substg1.0_3704001E": "\xf4\xe0\xe9\xeb.txt", "__substg1.0_37010102": "words"},
		"__attach_version1.0_#00000001": storage{msgFixed: fixed(8), "__substg1.0_3701000D": inner}})
	hasAll(t, got.Text, "Склад\n", "текст\n", "файл.txt\nwords", "внутри")
	got = readMSG(t, storage{msgFixed: fixed(32, msgCodePage, 932), "__substg1.0_0037001E": "\x8c\x5f\x96\xf1\x8f\x91"})
	hasAll(t, got.Text, "契約書")
	got = readMSG(t, storage{msgFixed: fixed(32), "__substg1.0_1000001E": "\xdcbergabe an M\xfcller"})
	hasAll(t, got.Text, "Übergabe an Müller")
}

// TestMSGWithRTF alone, packed: the example of [MS-OXRTFCP].
func TestMSGWithRTF(t *testing.T) {
	const packed = "\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3 hel\x09\x00 bw\x05\xb0ld}\x0a\x80\x0f\xa0"
	if got := string(unpackRTF([]byte(packed), 1000)); got != "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n" {
		t.Errorf("%q", got)
	}
	if got := readMSG(t, storage{msgFixed: fixed(32), "__substg1.0_10090102": packed}); got.State != Indexed || got.Text != "hello world\n" {
		t.Errorf("%+v", got)
	}
	plain := `{\rtf1 not packed}`
	if got := readMSG(t, storage{msgFixed: fixed(32), "__substg1.0_10090102": "\x00\x00\x00\x00\xff\x00\x00\x00MELA\x00\x00\x00\x00" + plain}); got.Text != "not packed\n" {
		t.Errorf("%+v", got)
	}
	if got := unpackRTF([]byte("\x00\x00\x00\x00\xff\xff\xff\xffLZFu\x00\x00\x00\x00"+strings.Repeat("\xff"+strings.Repeat("\x00\x0f", 8), 1<<10)), 5000); len(got) > 5000+17 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestMSGThatIsSigned(t *testing.T) {
	message := "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsigned words\r\n--b\r\nContent-Type: application/pkcs7-signature\r\n\r\nx\r\n--b--\r\n"
	attached := func(class, data string) Result {
		return readMSG(t, unicodeText(storage{msgFixed: fixed(32), "__attach_version1.0_#00000000": unicodeText(storage{msgFixed: fixed(8), "__substg1.0_37010102": data}, "3707", "smime.p7m")}, "001A", class, "0037", "subject"))
	}
	hasAll(t, attached("IPM.Note.SMIME.MultipartSigned", message).Text, "signed words")
	if got := attached("IPM.Note.SMIME", "\x30\x80locked"); got.State != Failed || got.Reason != ErrEncrypted.Error() || !strings.Contains(got.Text, "subject") {
		t.Errorf("%+v", got)
	}
}

// TestMSGThatIsCut says so, and what can be read of it is.
func TestMSGThatIsCut(t *testing.T) {
	data := makeCFB(unicodeText(storage{msgFixed: fixed(32), "__attach_version1.0_#00000000": unicodeText(storage{msgFixed: fixed(8), "__substg1.0_37010102": strings.Repeat("words ", 10<<10)}, "3707", "a.txt")}, "0037", "the subject"))
	// As if it had been written with its directory first, and not to its end.
	size := 512 * (1 + int(binary.LittleEndian.Uint32(data[48:])))
	binary.LittleEndian.PutUint32(data[size+128*3+120:], 1<<20)
	got, err := text(t, data, "a.msg")
	if !errors.Is(err, ErrTruncated) || !strings.Contains(got, "words words") {
		t.Errorf("%v, %.100q", err, got)
	}
	if got, err := Read(t.Context(), Readers(), file(data[:len(data)/2], "", "a.msg")); err != nil || got.State != Failed || got.Reason != ErrTruncated.Error() {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestHostileMSG(t *testing.T) {
	within := func(n int) storage {
		s := storage{msgFixed: fixed(24)}
		for range n {
			s = storage{msgFixed: fixed(24), "__attach_version1.0_#00000000": storage{msgFixed: fixed(8), "__substg1.0_3701000D": s}}
		}
		return s
	}
	many := storage{msgFixed: fixed(32)}
	for i := range 1500 {
		many[fmt.Sprintf("__attach_version1.0_#%08X", i)] = storage{msgFixed: fixed(8), "__substg1.0_37010102": "x"}
	}
	for what, c := range map[string]struct {
		s      storage
		reason string
	}{
		"messages in messages": {within(500), "not read of what is in it: 1 (" + ErrTooDeep.Error() + ")"},
		"many attachments":     {many, "only the first 1000 files in it"},
	} {
		if got := readMSG(t, c.s); got.Reason != c.reason {
			t.Errorf("%s: %s, %q", what, got.State, got.Reason)
		}
	}
}

// TestMSGIsTold from what has one in it, and from older office files.
func TestMSGIsTold(t *testing.T) {
	for what, c := range map[string]struct {
		s    storage
		kind Kind
	}{
		"a message":            {storage{msgFixed: "x"}, MSG},
		"a document":           {storage{"WordDocument": "x", "__substg1.0_0037001F": "x"}, Compound},
		"an encrypted one":     {storage{"EncryptedPackage": "x", "EncryptionInfo": "y"}, Locked},
		"one with Word's name": {storage{"1Table": "x"}, Compound},
	} {
		if got, err := KindOf(t.Context(), file(makeCFB(c.s), "", "")); err != nil || got != c.kind {
			t.Errorf("%s: %s, %v", what, got, err)
		}
	}
	data := makeCFB(storage{"x": "y"})
	copy(data[512*(1+int(binary.LittleEndian.Uint32(data[48:])))+80:], msgClassID)
	if got, err := KindOf(t.Context(), file(data, "", "")); err != nil || got != MSG {
		t.Errorf("by its class: %s, %v", got, err)
	}
}

func FuzzMSG(f *testing.F) {
	f.Add(makeCFB(unicodeText(storage{msgFixed: fixed(32, msgCodePage, 1251), "__substg1.0_1000001E": "\xf2", "__substg1.0_10130102": "<p>a", "__recip_version1.0_#00000000": unicodeText(storage{}, "3001", "b"),
		"__attach_version1.0_#00000000": storage{"__substg1.0_37010102": strings.Repeat("c", 5000)}, "__attach_version1.0_#00000001": storage{"__substg1.0_3701000D": storage{msgFixed: fixed(24)}}}, "0037", "d")))
	f.Add(makeCFB(storage{msgFixed: fixed(32), "__substg1.0_10090102": "\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3 hel\x09\x00 bw\x05\xb0ld}\x0a\x80\x0f\xa0"}))
	fuzz(f, "a.msg")
}
