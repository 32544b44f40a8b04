package words

import (
	"bytes"
	"slices"
	"strings"
)

// German and Dutch write several nouns as one word, and people look for one of
// them: kündigungsfrist stands in Vertragskündigungsfrist. There is no list of
// nouns here, and no part of a word is indexed: the index looks through its list
// of long words for those that contain what is looked for (see Needle), and
// Inside judges by the sounds of the language whether that is a part of its own.
// That may be wrong where another syllable ends in the same letters: lungen is
// found in Handlungen. TestCompounds measures it by a list of words.

const (
	// longWord is the least length of a word with parts.
	longWord = 8
	// needle is the least length of what is looked for within words; a part that
	// begins a word needs firstPart.
	needle    = 4
	firstPart = 5
	leftPart  = 3
)

// Compounds reports whether the language writes nouns as one word.
func (s *Splitter) Compounds() bool { return s.language == "de" || s.language == "nl" }

// Long reports whether a word may have parts.
func (s *Splitter) Long(form string) bool {
	return s.Compounds() && len(form) >= longWord && !strings.ContainsFunc(form, func(r rune) bool { return r < 'a' || r > 'z' })
}

// endings are those of inflections, the longest first; links are what stands
// between two parts.
var (
	endings = []string{"ern", "en", "er", "es", "em", "e", "n", "s"}
	links   = []string{"", "s", "es", "n", "en", "er", "e"}
)

// Needle is what stands in other words where this one is a part of them: its
// form without the ending of its inflection. "" is for words that are looked for
// by themselves only.
func (s *Splitter) Needle(w Word) string {
	if !s.Compounds() || w.Parts != 1 || len(w.Form) < needle || strings.ContainsFunc(w.Form, func(r rune) bool { return r < 'a' || r > 'z' }) {
		return ""
	}
	for _, e := range endings {
		if base, ok := strings.CutSuffix(w.Form, e); ok && len(base) >= needle && s.stemOf(base) == w.Stem {
			return base
		}
	}
	return w.Form
}

// Inside judges whether a needle is a part of a word.
func (s *Splitter) Inside(needle string, word []byte) bool {
	for at := 0; ; at++ {
		n := bytes.Index(word[at:], []byte(needle))
		if n < 0 {
			return false
		}
		at += n
		if left(word[:at], needle) && right(word[at+len(needle):]) && (at > 0 || at+len(needle)+leftPart <= len(word)) {
			return true
		}
	}
}

// prefixes make another word of one, often the opposite: a Vermieter is no Mieter.
var prefixes = []string{"be", "ge", "er", "ver", "zer", "ent", "emp", "miss", "un", "ont", "her"}

// suffixes make another word of one, or are the rest of a syllable.
var suffixes = []string{"ung", "heit", "keit", "schaft", "lich", "isch", "innen", "ten", "ter", "tes", "tion", "ierung", "igung", "ig", "ell", "ling", "chen", "lein"}

// left says whether a word may be divided behind these letters.
func left(b []byte, needle string) bool {
	if len(b) == 0 {
		return len(needle) >= firstPart
	}
	if len(b) < leftPart || slices.Contains(prefixes, string(b)) {
		return false
	}
	vowel := bytes.LastIndexAny(b, "aeiouy")
	return vowel >= 0 && (vowel >= len(b)-2 || codas[string(b[vowel+1:])])
}

// right says whether a word may go on with these letters behind a part of it:
// with an ending, or with another part.
func right(b []byte) bool {
	if len(b) == 0 || slices.Contains(endings, string(b)) {
		return true
	}
	for _, link := range links {
		rest, ok := bytes.CutPrefix(b, []byte(link))
		if !ok || len(rest) < leftPart || slices.ContainsFunc(suffixes, func(s string) bool { return bytes.HasPrefix(rest, []byte(s)) && len(rest) <= len(s)+2 }) {
			continue
		}
		vowel := bytes.IndexAny(rest, "aeiouy")
		if vowel >= 0 && (vowel <= 1 || onsets[string(rest[:vowel])]) {
			return true
		}
	}
	return false
}

func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, s := range strings.Fields(list) {
		m[s] = true
	}
	return m
}

// onsets are the consonants that begin a syllable, and codas those that end one
// with what links it to the next, where there are two or more.
var (
	onsets = set("bl br ch chr cl cr dr dw fl fr gl gn gr kl kn kr kw pf pfl pfr ph pl pr ps qu rh sc sch schl schm schn schr schw sj sk sl sm sn sp spl spr st str sw sz th tr ts tsch tw vl vr wr zw")
	codas  = set("bs bst bt bts ch chs chst cht chts ck cks ct cts ds dt dts ff ffs ft fts gd gs gst gt hl hls hm hn hns hr hrs hrt hrts hs ht hts ks kt kts lb lbs lch ld lds ldt lf lfs lg lk lks ll lls llt lm lms ln ls lt lts lz " +
		"mb mm mms mp mpf ms mt mts nd nds nf nft nfts ng ngs ngst nk nks nkt nn nns nnt ns nsch nst nsts nt nts nz pf pp pps ps pt pts rb rbs rbst rch rd rds rf rfs rft rg rgs rk rks rkt rkts rl rls rm rms rn rns rnst rr rs rst rsts rt rts rz sch schs sk sm sp ss st sts th ths ts tsch tt tts tz xt zt kk gg bb dd nkt rkts rp rps ws wst")
)
