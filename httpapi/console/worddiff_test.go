package console

import (
	"fmt"
	"math/rand"
	"strings"
	"testing"
)

func spelled(passages []passage) string {
	var b strings.Builder
	for _, p := range passages {
		mark := map[string]string{"same": "", "gone": "-", "new": "+"}[p.Kind]
		fmt.Fprintf(&b, "[%s%s]", mark, strings.TrimSpace(p.Text))
	}
	return b.String()
}

func TestWordsThatDifferAreFound(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"", "", ""},
		{"", "new text", "[+new text]"},
		{"old text", "", "[-old text]"},
		{"same", "same", "[same]"},
		{"pay 4,200 a month", "pay 4,500 a month", "[pay][-4,200][+4,500][a month]"},
		{"a b c", "a b c d", "[a b c][+d]"},
		{"a  b\nc", "a b c", "[a b c]"},
		{"a b c d e", "c", "[-a b][c][-d e]"},
		{"x y", "y x", "[-x][y][+x]"},
	} {
		got, how, cut := compareTexts(c.was, c.is)
		if s := spelled(got); s != c.want || how != byWords || cut {
			t.Errorf("%q to %q is %s (%s), want %s", c.was, c.is, s, how, c.want)
		}
	}
}

// Whatever the texts are, what is the same or gone is the one, and what is the same or
// new is the other.
func TestBothTextsAreInTheirDifference(t *testing.T) {
	random := rand.New(rand.NewSource(7))
	text := func(words, kinds int) string {
		var b strings.Builder
		for range words {
			fmt.Fprintf(&b, "w%d%s", random.Intn(kinds), []string{" ", "\n"}[random.Intn(2)])
		}
		return b.String()
	}
	hows := map[fineness]int{}
	for n := range 300 {
		size, kinds := random.Intn(60), 1+random.Intn(8)
		if n%50 == 0 {
			size, kinds = 3_000, 5_000 // too different for words
		}
		was, is := text(size, kinds), text(random.Intn(size+1), kinds)
		if n%100 == 50 {
			was, is = text(900, 900)+strings.Repeat("and so on and on ", 900)+text(300, 900), text(300, 900)+strings.Repeat("and so on and on ", 900)+text(900, 900)
		}
		passages, how, _ := compareTexts(was, is)
		hows[how]++
		var first, second []string
		for _, p := range passages {
			if p.Kind != "new" {
				first = append(first, strings.Fields(p.Text)...)
			}
			if p.Kind != "gone" {
				second = append(second, strings.Fields(p.Text)...)
			}
		}
		if fmt.Sprint(first) != fmt.Sprint(strings.Fields(was)) || fmt.Sprint(second) != fmt.Sprint(strings.Fields(is)) {
			t.Fatalf("%d: %q to %q is %s", n, was, is, spelled(passages))
		}
	}
	if hows[byWords] == 0 || hows[notAtAll] == 0 {
		t.Errorf("they were compared %v", hows)
	}
}

func TestWhatIsFarFromADifferenceIsLeftOut(t *testing.T) {
	long := strings.Repeat("word ", 500)
	passages, _, _ := compareTexts(long+"old "+long, long+"new "+long)
	left := 0
	for _, p := range shortened(passages) {
		left += p.Left
		if len(p.Text) > 400 {
			t.Errorf("%d bytes are shown at once", len(p.Text))
		}
	}
	if left != 1000-2*around {
		t.Errorf("%d words are left out", left)
	}
}

func TestLongTextsAreCutBeforeTheyAreCompared(t *testing.T) {
	long := strings.Repeat("word ", maxCompared+10)
	passages, how, cut := compareTexts(long, long+"more")
	if !cut || how != byWords || len(passages) != 1 || passages[0].Kind != "same" {
		t.Errorf("cut %v, %s, %d passages", cut, how, len(passages))
	}
}
