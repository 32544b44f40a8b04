package check_test

import (
	"encoding/base64"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"strongroom/engine/internal/check"
)

var update = flag.Bool("update", false, "write nfc_table.go anew, from the Unicode data of golang.org/x/text")

const lastRune = 0x10ffff

func isHangul(r rune) bool { return r >= 0xac00 && r < 0xac00+11172 }

func isSurrogate(r rune) bool { return r >= 0xd800 && r < 0xe000 }

// nfcTable is what check.NFC needs to know of Unicode.
func nfcTable() string {
	var classes, parts []byte
	runs, at := uint64(0), rune(0)
	class := func(r rune) byte { return norm.NFD.PropertiesString(string(r)).CCC() }
	for r := rune(0); r <= lastRune; r++ {
		if isSurrogate(r) || class(r) == 0 {
			continue
		}
		first, c := r, class(r)
		for r <= lastRune && class(r) == c {
			r++
		}
		classes = binary.AppendUvarint(classes, uint64(first-at))
		classes = binary.AppendUvarint(classes, uint64(r-first))
		classes = binary.AppendUvarint(classes, uint64(c))
		at = r
		r--
		runs++
	}
	many, at := uint64(0), rune(0)
	for r := rune(0); r <= lastRune; r++ {
		apart := norm.NFD.PropertiesString(string(r)).Decomposition()
		if isSurrogate(r) || isHangul(r) || len(apart) == 0 {
			continue
		}
		letters := []rune(string(apart))
		n := uint64(len(letters)) << 1
		if len(letters) > 1 && norm.NFC.String(string(r)) == string(r) {
			n |= 1
		}
		parts = binary.AppendUvarint(parts, uint64(r-at))
		parts = binary.AppendUvarint(parts, n)
		for _, letter := range letters {
			parts = binary.AppendUvarint(parts, uint64(letter))
		}
		at = r
		many++
	}
	table := append(binary.AppendUvarint(nil, runs), classes...)
	table = append(binary.AppendUvarint(table, many), parts...)
	return base64.StdEncoding.EncodeToString(table)
}

func TestTheTableOfNFC(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "package check\n\n// nfcTable is made by a test, go test ./engine/internal/check -update, from Unicode %s.\nconst nfcTable = \"\" +\n", norm.Version)
	const line = 112
	for rest := nfcTable(); rest != ""; {
		now := rest[:min(line, len(rest))]
		rest = rest[len(now):]
		fmt.Fprintf(&b, "\t%q", now)
		if rest != "" {
			b.WriteString(" +")
		}
		b.WriteString("\n")
	}
	const file = "nfc_table.go"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if is, err := os.ReadFile(file); err != nil || string(is) != b.String() {
		t.Errorf("%s is not what the data of today makes; run with -update (%v)", file, err)
	}
}

// Every character, alone and behind others, and random text, as x/text has it.
func TestNFC(t *testing.T) {
	if *update {
		t.Skip("this program has the table of before")
	}
	same := func(s string) {
		t.Helper()
		if got, want := check.NFC(s), norm.NFC.String(s); got != want {
			t.Errorf("%+q: %+q, want %+q", s, got, want)
		}
	}
	var telling []rune // what decomposes, combines, or is a part
	for r := rune(0); r <= lastRune; r++ {
		if isSurrogate(r) {
			continue
		}
		same(string(r))
		p := norm.NFD.PropertiesString(string(r))
		if p.CCC() != 0 || len(p.Decomposition()) > 0 && !isHangul(r) {
			telling = append(telling, r)
			telling = append(telling, []rune(string(p.Decomposition()))...)
			same("a" + string(r))
			same(string(p.Decomposition()))
		}
	}
	for r := rune(0x1100); r < 0x1200; r++ {
		telling = append(telling, r, 0xac00+(r-0x1100)*28)
	}
	for seed := range uint64(8) {
		random := rand.New(rand.NewPCG(seed, 1))
		for range 20_000 {
			text := make([]rune, 1+random.IntN(8))
			for i := range text {
				text[i] = telling[random.IntN(len(telling))]
			}
			same(string(text))
			if once := check.NFC(string(text)); check.NFC(once) != once {
				t.Errorf("%+q: not the same twice", once)
			}
		}
	}
	for _, s := range []string{"", "plain", "\xff", "e\u0301\xff", "\xed\xa0\x80"} {
		if s != "" && strings.ContainsRune(s, 0xfffd) && check.NFC(s) != s {
			t.Errorf("%q was changed", s)
		}
	}
	if long := strings.Repeat("\u0301\u0323", 50_000); check.NFC("a"+long) == "" {
		t.Error("a long run of marks is lost")
	}
}
