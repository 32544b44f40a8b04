package audit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

const sampleRow = `{"seq":7,"salt":"000102030405060708090a0b0c0d0e0f","detail":"{\"a\":\"\\n\"}` + "\u2028é\x7f" + `\u0000\u001f"}` + "\n"

func TestDetailRowsAreReadAsTheyAreWritten(t *testing.T) {
	want := DetailRow{Seq: 7, Detail: []byte("{\"a\":\"\\n\"}\u2028é\x7f\x00\x1f")}
	for i := range want.Salt {
		want.Salt[i] = byte(i)
	}
	line, err := want.Append([]byte("before"))
	if err != nil || string(line) != "before"+sampleRow {
		t.Errorf("Append gives %q, %v", line, err)
	}
	if got, err := ParseDetailRow([]byte(sampleRow)); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ParseDetailRow gives %+v, %v", got, err)
	}
	if want.Hash() != HashLine(append(want.Salt[:], want.Detail...)) {
		t.Error("the hash is not that of the salt and the detail")
	}
}

func TestDetailRowsThatCannotBeWritten(t *testing.T) {
	for name, row := range map[string]DetailRow{
		"no seq": {Detail: []byte("{}")}, "a seq of 2^53": {Seq: 1 << 53, Detail: []byte("{}")},
		"not UTF-8": {Seq: 1, Detail: []byte{0xff}}, "too large": {Seq: 1, Detail: make([]byte, MaxDetail+1)},
	} {
		if b, err := row.Append(nil); !errors.Is(err, ErrSyntax) || b != nil {
			t.Errorf("%s: Append gives %d bytes, %v", name, len(b), err)
		}
	}
}

func TestParseDetailRowRefuses(t *testing.T) {
	replace := func(old, new string) string { return strings.Replace(sampleRow, old, new, 1) }
	for name, line := range map[string]string{
		"nothing": "", "no newline": strings.TrimSuffix(sampleRow, "\n"), "two rows": sampleRow + sampleRow,
		"no object": "[]\n", "a blank": replace(`"seq":7`, `"seq": 7`),
		"seq 0": replace(`"seq":7`, `"seq":0`), "a leading zero": replace(`"seq":7`, `"seq":07`),
		"another order":         `{"salt":"000102030405060708090a0b0c0d0e0f","seq":7,"detail":"{}"}` + "\n",
		"a member more":         replace(`"}`+"\n", `","more":""}`+"\n"),
		"a salt too short":      replace(`"0001`, `"01`),
		"a salt too long":       replace(`"0001`, `"000001`),
		"a salt in capitals":    replace(`0a0b`, `0A0b`),
		"no end of the string":  replace(`"}`+"\n", ``),
		"a short escape":        replace(`\u0000`, `\n`),
		"an escaped slash":      replace(`\u0000`, `\/`),
		"an escaped letter":     replace(`\u0000`, `\u0061`),
		"an escape in capitals": replace(`\u001f`, `\u001F`),
		"half an escape":        replace(`\u001f`, `\u001`),
		"a raw control":         replace(`\u0000`, "\x00"),
		"a raw newline":         replace(`\u0000`, "\n"),
		"not UTF-8":             replace("é", "\xff"),
		"half a surrogate":      replace("é", "\xed\xa0\x80"),
		"an object":             `{"seq":7,"salt":"000102030405060708090a0b0c0d0e0f","detail":{}}` + "\n",
		"a detail too large":    replace("é", strings.Repeat("é", MaxDetail/2+1)),
	} {
		if line == sampleRow {
			t.Errorf("%s: changes nothing", name)
		}
		if row, err := ParseDetailRow([]byte(line)); !errors.Is(err, ErrSyntax) || !reflect.DeepEqual(row, DetailRow{}) {
			t.Errorf("%s: ParseDetailRow gives %.200v, %v", name, row, err)
		}
	}
}
