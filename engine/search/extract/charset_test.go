package extract

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode/utf32"
)

func utf16Bytes(s string, order binary.AppendByteOrder) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, u)
	}
	return b
}

// TestSniffed reads texts of which nothing says what they are written in.
func TestSniffed(t *testing.T) {
	for what, c := range map[string]struct {
		enc  encoding.Encoding
		text string
	}{
		"a German word":       {charmap.Windows1252, "Kündigung"},
		"German":              {charmap.Windows1252, "Straße;Größe;Übergabe: 5 €"},
		"German in capitals":  {charmap.Windows1252, "KÜNDIGUNG DER ÜBERGABE"},
		"French":              {charmap.Windows1252, "Le contrat a été résilié à l’échéance, où “Noël” coûte"},
		"Spanish":             {charmap.Windows1252, "El año próximo se firmará la cesión en España"},
		"Portuguese":          {charmap.Windows1252, "A locação não será válida até à rescisão"},
		"Danish":              {charmap.Windows1252, "Lejeaftale på ærø og øvrige vilkår"},
		"Italian":             {charmap.Windows1252, "La società pagherà più città"},
		"Polish":              {charmap.Windows1250, "Umowa najmu została zawarta, właściciel żąda części"},
		"a Polish word":       {charmap.Windows1250, "zażółć"},
		"Polish of Unix":      {charmap.ISO8859_2, "Umowa najmu została zawarta, właściciel żąda części"},
		"Czech":               {charmap.Windows1250, "Smlouva o pronájmu bude uzavřena, příští měsíc žádá"},
		"Hungarian":           {charmap.Windows1250, "A bérleti szerződés értelmében fizetendő összeg külön"},
		"Russian":             {charmap.Windows1251, "Договор аренды склада"},
		"a Russian word":      {charmap.Windows1251, "Договор"},
		"Russian in capitals": {charmap.Windows1251, "ДОГОВОР АРЕНДЫ СКЛАДА"},
		"Ukrainian":           {charmap.Windows1251, "Договір оренди приміщення їхній"},
		"Russian in KOI8":     {charmap.KOI8R, "Договор аренды склада"},
		"Greek":               {charmap.Windows1253, "Σύμβαση μίσθωσης αποθήκης"},
		"Turkish":             {charmap.Windows1254, "Kira sözleşmesi yapıldı, değişiklik için"},
		"Hebrew":              {charmap.Windows1255, "חוזה שכירות של המחסן"},
		"Japanese of Windows": {japanese.ShiftJIS, "契約書の写しを送ります。"},
		"a Japanese title":    {japanese.ShiftJIS, "契約書の写し"},
		"Japanese of Unix":    {japanese.EUCJP, "契約書の写しを送ります。"},
		"Japanese mail":       {japanese.ISO2022JP, "契約書の写し"},
		"Korean":              {korean.EUCKR, "임대차 계약서 사본을 보내드립니다"},
		"Chinese":             {simplifiedchinese.GBK, "本合同由甲乙双方签订，租赁期限为一年。"},
		"Chinese of Taiwan":   {traditionalchinese.Big5, "本合約由甲乙雙方簽訂，租賃期限為一年。"},
	} {
		t.Run(what, func(t *testing.T) {
			data, err := c.enc.NewEncoder().Bytes([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			for _, media := range []string{"text/plain", "application/octet-stream"} {
				got, err := Read(t.Context(), Readers(), file(data, media, ""))
				if err != nil || got.Text != c.text {
					enc, sure := sniff(data, false)
					t.Errorf("%s: %+v, %v, as %v (%v)", media, got, err, enc, sure)
				}
			}
		})
	}
}

// TestWide reads UTF-16 and UTF-32 that say nothing of it, and no other bytes as such.
func TestWide(t *testing.T) {
	for _, s := range []string{"Vertragsentwurf", "ab", "Договор", "Договор аренды\r\nсклада", "契約書の写しを送ります。\n本日", "Σύμβαση 5 €",
		"本合同由甲乙双方签订，租赁期限为一年。\n第一条 甲方", "<html><body>Vertrag"} {
		want := strings.ReplaceAll(strings.TrimPrefix(s, "<html><body>"), "\r", "")
		for what, data := range map[string][]byte{"LE": utf16Bytes(s, binary.LittleEndian), "BE": utf16Bytes(s, binary.BigEndian)} {
			got, err := Read(t.Context(), Readers(), file(data, "text/plain", ""))
			if err != nil || got.Text != want {
				t.Errorf("%s %q: %+v, %v", what, s, got, err)
			}
		}
		for _, order := range []utf32.Endianness{utf32.LittleEndian, utf32.BigEndian} {
			for _, mark := range []utf32.BOMPolicy{utf32.UseBOM, utf32.IgnoreBOM} {
				data, _ := utf32.UTF32(order, mark).NewEncoder().Bytes([]byte(s))
				if got, err := Read(t.Context(), Readers(), file(data, "text/plain", "")); err != nil || got.Text != want {
					t.Errorf("UTF-32 %q: %+v, %v", s, got, err)
				}
			}
		}
	}
	for what, data := range map[string]string{
		"a program": "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00", "numbers": "\x01\x00\x00\x00\x02\x00\x00\x00", "zeros": "\x00\x00\x00\x00\x00\x00",
		"text in C": "some text\x00more", "a header": "MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff\x00\x00",
	} {
		if got, err := KindOf(t.Context(), file([]byte(data), "text/plain", "a.txt")); err != nil || got != Binary {
			t.Errorf("%s: %s, %v", what, got, err)
		}
	}
}

// TestDeclared reads what a media type, or the text itself, says it is written in.
func TestDeclared(t *testing.T) {
	cyr, _ := charmap.Windows1251.NewEncoder().String("Склад")
	koi, _ := charmap.KOI8R.NewEncoder().String("Склад")
	sjis, _ := japanese.ShiftJIS.NewEncoder().String("契約書")
	for what, c := range map[string]struct{ media, data, want string }{
		"a media type":             {`text/plain; charset="Windows-1251"; format=flowed`, cyr, "Склад"},
		"KOI8-R":                   {"text/plain;charset=koi8-r", koi, "Склад"},
		"a code page":              {"text/plain; charset=cp1251", cyr, "Склад"},
		"Shift_JIS":                {"text/plain; charset=Shift_JIS", sjis, "契約書"},
		"UTF-16":                   {"text/plain; charset=utf-16", string(utf16Bytes("Склад", binary.LittleEndian)), "Склад"},
		"UTF-16BE":                 {"text/plain; charset=utf-16be", string(utf16Bytes("Склад", binary.BigEndian)), "Склад"},
		"one that nobody knows":    {"text/plain; charset=x-none", "Stra\xdfe", "Straße"},
		"a false one":              {"text/plain; charset=utf-8", "Stra\xdfe", "Straße"},
		"a mark before all":        {"text/plain; charset=koi8-r", "\xef\xbb\xbfStraße", "Straße"},
		"UTF-8 said to be Latin-1": {"text/plain; charset=iso-8859-1", "Straße", "Straße"},
		"XML":                      {"application/xml", `<?xml version="1.0" encoding="windows-1251"?><a>` + cyr + "</a>", "Склад\n"},
		"a page":                   {"text/html", `<html><meta charset=koi8-r><p>` + koi, "Склад"},
		"an older page":            {"text/html", `<html><meta http-equiv="Content-Type" content="text/html; charset=windows-1251"><p>` + cyr, "Склад"},
	} {
		if got, err := Read(t.Context(), Readers(), file([]byte(c.data), c.media, "")); err != nil || got.Text != c.want {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

// TestWideEvidence has bytes judged without looking at all of them as if all had been.
func TestWideEvidence(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for n := range 400 {
		sample := make([]byte, 4*random.IntN(200))
		for i := range sample {
			switch sample[i] = byte(random.Uint32()); {
			case i%4 >= 2 && n%3 > 0, i%2 == 1 && n%5 > 1: // more or less like text in one of the orders
				sample[i] = byte(random.IntN(1 + n%4))
			}
			if n%7 == 0 && random.IntN(40) > 0 {
				sample[i] = []byte{'a', 0}[i%2]
			}
		}
		for _, at := range [][4]int{{9, 9, 1, 0}, {9, 9, 0, 1}, {3, 2, 1, 0}, {0, 1, 2, 3}} {
			size := 4
			if at[0] == 9 {
				size = 2
			}
			units, bad, speaks := len(sample)/size, 0, 0
			high := rune(0)
			for i := range units {
				r := rune(0)
				for _, place := range at {
					if place < size {
						r = r<<8 | rune(sample[i*size+place])
					}
				}
				if utf16.IsSurrogate(r) && size == 2 {
					if high != 0 && utf16.DecodeRune(high, r) == unicode.ReplacementChar {
						bad++
					}
					high = r
					continue
				}
				high = 0
				switch {
				case strings.ContainsRune("\t\n\r\f", r) || r >= ' ' && r < 0x7f:
					speaks += 2
				case !unicode.In(r, unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Zs, unicode.Cf):
					bad++
				}
			}
			if got := wideEvidence(sample, at); got > 0 && bad*50 > units {
				t.Fatalf("%d of %d units speak against it, in the order %v: %d", bad, units, at, got)
			}
			if got := wideEvidence(sample, at); bad*50 <= units && got == 0 && units >= 8 && speaks >= max(4, units/2) {
				t.Fatalf("%d of %d units speak against it, and %d for it, in the order %v", bad, units, speaks, at)
			}
		}
	}
}
