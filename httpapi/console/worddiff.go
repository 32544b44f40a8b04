package console

import (
	"strings"
	"unicode"
)

// passage is a part of two texts: what both have, what only the first has, or what
// only the second has.
type passage struct {
	Kind string // same, gone or new
	Text string
	Left int // words of it that are not shown
}

const (
	// maxCompared is how many words of each text are compared.
	maxCompared = 20_000
	// maxEdits is how many words may differ before whole lines are compared, and how
	// many lines before nothing is any more. Time and memory rise with its square.
	maxEdits = 1_000
	// around is how many words are shown before and after a difference.
	around = 30
)

// fineness is how closely two texts were compared.
type fineness string

const (
	byWords  fineness = "words"
	byLines  fineness = "lines"
	notAtAll fineness = "" // they have too little in common
)

// compareTexts tells how one text became another.
func compareTexts(was, is string) (passages []passage, how fineness, cut bool) {
	a, b := splitWords(was), splitWords(is)
	if cut = len(a) > maxCompared || len(b) > maxCompared; cut {
		a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	}
	if passages, ok := differing(a, b); ok {
		return passages, byWords, cut
	}
	newline := func(r rune) bool { return r == '\n' }
	passages, ok := differing(split(strings.Join(a, ""), newline), split(strings.Join(b, ""), newline))
	if ok {
		return passages, byLines, cut
	}
	return passages, notAtAll, cut
}

// split divides a text behind each run of separators, which stay: what is joined is
// the text.
func split(text string, separates func(rune) bool) (parts []string) {
	begin, separated := 0, false
	for at, r := range text {
		is := separates(r)
		if separated && !is {
			parts, begin = append(parts, text[begin:at]), at
		}
		separated = is
	}
	if begin < len(text) {
		parts = append(parts, text[begin:])
	}
	return parts
}

// splitWords divides a text into words.
func splitWords(text string) []string { return split(text, unicode.IsSpace) }

// differing finds the shortest way from one list to the other. ok is false if it is
// longer than maxEdits: then all between what both begin and end with differs.
// Parts that differ in the blanks behind them are equal.
func differing(a, b []string) (passages []passage, ok bool) {
	equal := func(i, j int) bool { return strings.TrimSpace(a[i]) == strings.TrimSpace(b[j]) }
	begin, enda, endb := 0, len(a), len(b)
	for begin < enda && begin < endb && equal(begin, begin) {
		begin++
	}
	for enda > begin && endb > begin && equal(enda-1, endb-1) {
		enda, endb = enda-1, endb-1
	}
	add := func(kind string, parts []string) {
		if n := len(passages); n > 0 && passages[n-1].Kind == kind {
			passages[n-1].Text += strings.Join(parts, "")
		} else if len(parts) > 0 {
			passages = append(passages, passage{Kind: kind, Text: strings.Join(parts, "")})
		}
	}
	add("same", b[:begin])
	steps, ok := shortest(enda-begin, endb-begin, func(i, j int) bool { return equal(begin+i, begin+j) })
	if !ok {
		add("gone", a[begin:enda])
		add("new", b[begin:endb])
	}
	i, j := begin, begin
	for n := 0; n < len(steps); { // steps of a kind at a time: text grows in one go
		end := n
		for end < len(steps) && steps[end] == steps[n] {
			end++
		}
		switch length := end - n; steps[n] {
		case 'x':
			add("gone", a[i:i+length])
			i += length
		case 'i':
			add("new", b[j:j+length])
			j += length
		default:
			add("same", b[j:j+length])
			i, j = i+length, j+length
		}
		n = end
	}
	add("same", b[endb:])
	return passages, ok
}

// shortest is the algorithm of E. Myers, "An O(ND) difference algorithm": one step for
// each element, 'x' to leave one of the first out, 'i' to put one of the second in, '='
// where they are equal.
func shortest(n, m int, equal func(i, j int) bool) (steps []byte, ok bool) {
	furthest := make([]int32, 2*maxEdits+3) // by diagonal, which is i-j, from -maxEdits-1 on
	const zero = maxEdits + 1
	var trace [][]int32
	for d := 0; d <= maxEdits; d++ {
		trace = append(trace, append([]int32(nil), furthest[zero-d:zero+d+1]...))
		for k := -d; k <= d; k += 2 {
			i := int(furthest[zero+k-1]) + 1
			if k == -d || k != d && furthest[zero+k-1] < furthest[zero+k+1] {
				i = int(furthest[zero+k+1])
			}
			j := i - k
			for i < n && j < m && equal(i, j) {
				i, j = i+1, j+1
			}
			furthest[zero+k] = int32(i)
			if i >= n && j >= m {
				return walk(trace, n, m), true
			}
		}
	}
	return nil, false
}

// walk goes back from the end along what was the furthest before each edit.
func walk(trace [][]int32, i, j int) []byte {
	var steps []byte
	for d := len(trace) - 1; d > 0; d-- {
		before := func(k int) int { return int(trace[d][k+d]) } // of the round d-1
		k := i - j
		from := k - 1
		if k == -d || k != d && before(k-1) < before(k+1) {
			from = k + 1
		}
		starti := before(from)
		startj := starti - from
		for i > starti && j > startj && !(from == k-1 && i == starti+1 && j == startj) && !(from == k+1 && i == starti && j == startj+1) {
			steps, i, j = append(steps, '='), i-1, j-1
		}
		if from == k-1 {
			steps, i = append(steps, 'x'), i-1
		} else {
			steps, j = append(steps, 'i'), j-1
		}
	}
	for ; i > 0 && j > 0; i, j = i-1, j-1 {
		steps = append(steps, '=')
	}
	for left, right := 0, len(steps)-1; left < right; left, right = left+1, right-1 {
		steps[left], steps[right] = steps[right], steps[left]
	}
	return steps
}

// shortened leaves out what both have, far from any difference.
func shortened(passages []passage) (out []passage) {
	for n, p := range passages {
		words := splitWords(p.Text)
		before, after := around, around
		if n == 0 {
			before = 0
		}
		if n == len(passages)-1 {
			after = 0
		}
		if p.Kind != "same" || len(words) <= before+after+around {
			out = append(out, p)
			continue
		}
		out = append(out, passage{Kind: "same", Text: strings.Join(words[:before], "")},
			passage{Kind: "left", Left: len(words) - before - after},
			passage{Kind: "same", Text: strings.Join(words[len(words)-after:], "")})
	}
	return out
}
