package extract

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

const (
	cyrillic = "абвгдежзийклмнопрстуфхцчшщъыьэюяё"
	western  = "äöüßàâçèéêëîïôùûœáíóúñãõìòåæø"
)

// alphabet is a language, or some, by the letters beyond ASCII that it is written
// with, and what it was written in.
type alphabet struct {
	charset *charmap.Charmap
	letters string
	often   string // those of them that are frequent
}

// alphabets are in the order in which they are preferred.
var alphabets = []alphabet{
	{charmap.Windows1252, "äöüß", "äöüß"},
	{charmap.Windows1252, "àâçèéêëîïôùûüœ", "éèàê"},
	{charmap.Windows1252, "áéíóúñü", "áéíóñ"},
	{charmap.Windows1252, "áàâãçéêíóôõú", "ãçáé"},
	{charmap.Windows1252, "åäöæøéü", "åäöæø"},
	{charmap.Windows1252, "àèéìòù", "àèù"},
	{charmap.Windows1250, "ąćęłńóśźż", "ąęłóż"},
	{charmap.ISO8859_2, "ąćęłńóśźż", "ąęłóż"},
	{charmap.Windows1250, "áäčďéěíľĺňóôŕřšťúůýž", "áíéčěšžý"},
	{charmap.ISO8859_2, "áäčďéěíľĺňóôŕřšťúůýž", "áíéčěšžý"},
	{charmap.Windows1250, "áéíóöőúüű", "áéöő"},
	{charmap.Windows1250, "čćđšž", "čšž"},
	{charmap.Windows1250, "ăâîşţ", "ăşţ"},
	{charmap.Windows1251, cyrillic, "оеаинтсрвл"},
	{charmap.Windows1251, cyrillic + "іїєґўјљњћђџѓќѕ", "оеаинтсрвлі"},
	{charmap.KOI8R, cyrillic, "оеаинтсрвл"},
	{charmap.KOI8U, cyrillic + "іїєґ", "оеаинтсрвлі"},
	{charmap.ISO8859_5, cyrillic, "оеаинтсрвл"},
	{charmap.Windows1253, "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ", "αοιετσνηυρπκ"},
	{charmap.ISO8859_7, "αβγδεζηθικλμνξοπρστυφχψωςάέήίόύώϊϋΐΰ", "αοιετσνηυρπκ"},
	{charmap.Windows1254, "çğıöşüâîû", "ışğü"},
	{charmap.Windows1257, "āčēģīķļņšūžąęėįųõäöü", "āšėīž"},
	{charmap.Windows1255, "אבגדהוזחטיכלמנסעפצקרשתםןףץך", "יוהלארמת"},
	{charmap.Windows1256, "ابتثجحخدذرزسشصضطظعغفقكلمنهويةىءأإآؤئ", "اليمنور"},
	{charmap.Windows1252, "áéíóúýþæöð", "áíðæ"},
	{charmap.Windows1252, western, ""},
}

// dosAlphabets are of names in archives, which have older encodings.
var dosAlphabets = []alphabet{
	{charmap.CodePage850, western, "äöüéèß"},
	{charmap.CodePage852, "ąćęłńóśźżáäčďéěíľĺňôŕřšťúůýžöőüű", "áéíčšž"},
	{charmap.CodePage866, cyrillic, "оеаинтсрвл"},
}

// sniff tells by the bytes alone. Each candidate is held against the letters and the
// frequent words of its languages, and the best counts; without any, it is
// Windows-1252. dos adds what names in archives are written in. It is sure if hardly
// anything speaks against it.
func sniff(data []byte, dos bool) (enc encoding.Encoding, sure bool) {
	sample := sampleOf(data)
	high := 0
	for _, b := range sample {
		if b >= 0x80 {
			high++
		}
	}
	var best encoding.Encoding = charmap.Windows1252
	most := 0.2 * float64(high)
	if dos {
		best = charmap.CodePage437
	}
	try := func(enc encoding.Encoding, score float64) {
		if score > most {
			best, most = enc, score
		}
	}
	candidates := alphabets
	if dos {
		candidates = append(dosAlphabets[:len(dosAlphabets):len(dosAlphabets)], alphabets...)
	}
	for _, a := range candidates {
		try(a.charset, a.score(sample))
	}
	for _, d := range doubles {
		try(d.charset, d.score(sample))
	}
	return best, most > 0.5*float64(high)
}

// sampleOf gathers the lines that have something beyond ASCII in them.
func sampleOf(data []byte) []byte {
	const enough = 16 << 10
	var sample []byte
	for line := range bytes.Lines(data[:min(len(data), 4<<20)]) {
		if i := bytes.IndexFunc(line, func(r rune) bool { return r >= utf8.RuneSelf }); i >= 0 {
			if len(line) > enough {
				line = line[max(0, i-16):]
			}
			sample = append(sample, line[:min(len(line), enough)]...)
		}
		if len(sample) >= enough {
			break
		}
	}
	return sample
}

// score gives about a point for each letter that fits, and takes for what does not.
func (a alphabet) score(sample []byte) float64 {
	score, latin := 0.0, a.letters[0] < 0xc5 || a.charset == charmap.Windows1250 || a.charset == charmap.Windows1257
	before, beforeUpper := rune(' '), false
	for i, b := range sample {
		r := a.charset.DecodeByte(b)
		lower := unicode.ToLower(r)
		isUpper := unicode.IsUpper(r)
		next := rune(' ')
		if i+1 < len(sample) {
			next = a.charset.DecodeByte(sample[i+1])
		}
		if b >= 0x80 {
			score += a.one(r, lower, before, next)
			alone := !unicode.IsLetter(before) && !unicode.IsLetter(next)
			switch {
			case !unicode.IsLetter(r):
			case latin && before >= 0x80 && next >= 0x80 && unicode.IsLetter(before) && unicode.IsLetter(next):
				score -= 1.2
			case !latin && (isASCIILetter(before) || isASCIILetter(next)):
				score -= 2
			case isUpper && unicode.IsLetter(before) && !beforeUpper:
				score -= 1.5 // a capital within a word
			case latin && alone:
				score -= 0.5
			}
		}
		before, beforeUpper = r, isUpper
	}
	return score
}

func (a alphabet) one(r, lower, before, next rune) float64 {
	switch {
	case r == utf8.RuneError, unicode.IsControl(r):
		return -5
	case strings.ContainsRune(a.often, lower):
		return 1.2
	case strings.ContainsRune(a.letters, lower):
		return 0.9
	case unicode.IsLetter(r):
		return -1
	case strings.ContainsRune("„“”‚‘’«»–—…€§°·•№©®™\u00a0", r):
		if unicode.IsLetter(before) && unicode.IsLetter(next) && r != '’' && r != '–' && r != '·' && r != '—' {
			return -2
		}
		return 0.5
	case unicode.IsLetter(before) && unicode.IsLetter(next):
		return -2
	case unicode.IsMark(r):
		return 0
	}
	return -0.7
}

func isASCIILetter(r rune) bool { return r|' ' >= 'a' && r|' ' <= 'z' }

// double is an encoding with two bytes for a character.
type double struct {
	charset encoding.Encoding
	// rate gives points for a character by its bytes.
	rate  func(lead, trail byte) float64
	often string
}

const chinese = "一是不了在人有我他中上大和地到以就出也你生能而子那得下自之年后作里用道行所然家事成方多去法如都同其主 " +
	"、。，：；（）？！合甲乙方日月第公司地址本章"

var doubles = []double{
	{japanese.ShiftJIS, func(lead, trail byte) float64 {
		switch {
		case trail == 0:
			return -1 // katakana of half the width
		case lead == 0x82 || lead == 0x83:
			return 3
		case lead == 0x81:
			return 0
		case lead >= 0x88 && lead <= 0x97:
			return 1.2
		}
		return -2
	}, "、。ー契約書日本年月社会人者第"},
	{japanese.EUCJP, func(lead, _ byte) float64 {
		switch {
		case lead == 0xa4 || lead == 0xa5:
			return 3
		case lead >= 0xb0 && lead <= 0xcf:
			return 1
		}
		return -1
	}, "、。ー契約書日本年月社会人者第"},
	{korean.EUCKR, func(lead, trail byte) float64 {
		switch {
		case trail < 0xa1:
			return -3
		case lead >= 0xb0 && lead <= 0xc8:
			return 1.4
		}
		return -1.5
	}, "이다는을의에가고하지로기사한어리시대자인은도서일나만해수있계약"},
	{simplifiedchinese.GB18030, func(lead, trail byte) float64 {
		switch {
		case trail < 0xa1 || lead < 0xa1:
			return -2
		case lead >= 0xb0 && lead <= 0xd7:
			return 1.2
		}
		return -1
	}, chinese + "的这们来为国说时要会可对于着过发种经么学现当没动面起定还进个同约赁"},
	{traditionalchinese.Big5, func(lead, _ byte) float64 {
		switch {
		case lead >= 0xa4 && lead <= 0xc6:
			return 1.2
		case lead >= 0xa1 && lead <= 0xa3:
			return 0
		}
		return -1
	}, chinese + "的這們來為國說時要會可對於著過發種經麼學現當沒動面起定還進個約賃"},
}

func (d double) score(sample []byte) float64 {
	score := 0.0
	decoder := d.charset.NewDecoder()
	glued := false // to a Latin letter
	for len(sample) > 0 {
		lead := sample[0]
		if lead < 0x80 {
			glued = isASCIILetter(rune(lead))
			sample = sample[1:]
			continue
		}
		n := 2
		if d.charset == japanese.ShiftJIS && lead >= 0xa1 && lead <= 0xdf {
			n = 1
		}
		if len(sample) < n {
			break
		}
		unit, err := decoder.Bytes(sample[:n])
		r, _ := utf8.DecodeRune(unit)
		switch trail := append(sample[:n:n], 0)[1]; {
		case err != nil || r == utf8.RuneError:
			score -= 8
			n = 1
		case strings.ContainsRune(d.often, r):
			score += 3
		default:
			score += d.rate(lead, trail)
		}
		if glued {
			score -= 1.5
		}
		glued = false
		sample = sample[n:]
	}
	return score
}
