package audit

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

const sampleHead = "strongroom audit head 01JD6QGZ3MZ4Y8T6V1E9B7K2RW\n" +
	"4 2026-11-21T17:36:04.126Z\n" +
	"bacdfe8b1b198ecbe42e08542c72754ed0b55576df87554fa22c78149d2066ec\n"

func TestHeadsAreReadAsTheyArePrinted(t *testing.T) {
	l := workedExample()
	if got := l.head.Text(); got != sampleHead {
		t.Errorf("Text returns\n%s", got)
	}
	if h, err := ParseHead(sampleHead); err != nil || h != l.head {
		t.Errorf("ParseHead gives %+v, %v", h, err)
	}
	later := fullLog().head
	if got, err := ParseHeads(sampleHead + later.Text()); err != nil || !slices.Equal(got, []Head{l.head, later}) {
		t.Errorf("ParseHeads gives %+v, %v", got, err)
	}
	if (Head{}).Text() != "" {
		t.Error("an empty log has a head to print")
	}
}

func TestParseHeadRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":            "",
		"two heads":          sampleHead + sampleHead,
		"no last newline":    strings.TrimSuffix(sampleHead, "\n"),
		"a newline more":     sampleHead + "\n",
		"CRLF":               strings.ReplaceAll(sampleHead, "\n", "\r\n"),
		"another title":      strings.Replace(sampleHead, "head", "Head", 1),
		"no vault":           strings.Replace(sampleHead, testVault, "", 1),
		"a quoted vault":     strings.Replace(sampleHead, testVault, `"v"`, 1),
		"seq 0":              strings.Replace(sampleHead, "\n4 ", "\n0 ", 1),
		"a leading zero":     strings.Replace(sampleHead, "\n4 ", "\n04 ", 1),
		"no time":            strings.Replace(sampleHead, "2026-11-21T17:36:04.126Z", "", 1),
		"a time in short":    strings.Replace(sampleHead, ".126Z", "Z", 1),
		"a hash too short":   strings.Replace(sampleHead, "bacd", "bac", 1),
		"a hash in capitals": strings.Replace(sampleHead, "bacd", "BACD", 1),
		"64 zeros":           sampleHead[:strings.Index(sampleHead, "bacd")] + strings.Repeat("0", 64) + "\n",
		"a line missing":     sampleHead[strings.Index(sampleHead, "\n")+1:],
	} {
		if h, err := ParseHead(text); !errors.Is(err, ErrSyntax) || h != (Head{}) {
			t.Errorf("%s: ParseHead gives %+v, %v", name, h, err)
		}
	}
	if heads, err := ParseHeads(sampleHead + "x"); !errors.Is(err, ErrSyntax) || heads != nil {
		t.Errorf("ParseHeads gives %+v, %v", heads, err)
	}
}

func TestReceipts(t *testing.T) {
	const hash = "bacdfe8b1b198ecbe42e08542c72754ed0b55576df87554fa22c78149d2066ec"
	r, err := ParseReceipt("4:" + hash)
	if err != nil || r.Seq != 4 || r.Hash.String() != hash || r.String() != "4:"+hash {
		t.Errorf("ParseReceipt gives %v, %v", r, err)
	}
	for _, s := range []string{"", "4", "4:", ":" + hash, "0:" + hash, "04:" + hash, "4:" + hash[1:], "4:" + hash + "0",
		"4:" + strings.ToUpper(hash), "4: " + hash, "4:" + hash + "\n", "4:" + strings.Repeat("0", 64), "9007199254740992:" + hash} {
		if r, err := ParseReceipt(s); !errors.Is(err, ErrSyntax) || r != (Receipt{}) {
			t.Errorf("ParseReceipt(%q) gives %v, %v", s, r, err)
		}
	}
}

func TestHashesAsText(t *testing.T) {
	h := workedExample().head.Hash
	text, err := h.MarshalText()
	var back Hash
	if err != nil || back.UnmarshalText(text) != nil || back != h || string(text) != h.String() {
		t.Errorf("%s, %v is read back as %s", text, err, back)
	}
	if err := back.UnmarshalText([]byte("x")); !errors.Is(err, ErrSyntax) {
		t.Error(err)
	}
}
