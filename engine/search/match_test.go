package search

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
)

// longTexts is an index in files of texts of nothing but common words, which is
// the worst there is for phrases. It returns the bytes of all its texts.
func longTexts(t testing.TB, documents int) (*segment.Store, int) {
	t.Helper()
	store, _, err := segment.Open(t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	text := strings.Repeat("of the same and of the other as of the ", 20_000)
	a := newSplit(splitter(t, "en"))
	for n := range documents {
		doc, err := a.document(&engine.Faceted{}, segment.ID{15: byte(n)}, content{Result: extract.Result{State: extract.Indexed, Text: text}})
		if err == nil {
			err = errors.Join(store.Apply(segment.Changes{Put: []segment.Doc{doc}, State: json.RawMessage("1")}), store.Save(), store.Compact(never))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return store, documents * len(text)
}

// hostile are queries that ask for as much as can be asked for.
func hostile() map[string]string {
	prefixes := ""
	for c := range 32 {
		prefixes += string(rune('a'+c%26)) + string(rune('a'+c/26)) + "* OR "
	}
	return map[string]string{
		"phrase found":     `"` + strings.Repeat("of the same and of the other as of the ", 3) + `of the"`,
		"phrase not found": `"` + strings.Repeat("of the same and of the other as of the ", 3) + `of same"`,
		"the same word":    `"` + strings.Repeat("the ", 32) + `"`,
		"many phrases":     strings.Repeat(`-("the of" OR "of other") `, 8),
		"prefixes":         strings.TrimSuffix(prefixes, " OR "),
	}
}

// ask runs a query over all segments, and returns what it takes of memory: all
// there is allocated, so that no collection in between makes it less.
func ask(t testing.TB, store *segment.Store, query string) (found int, bytes uint64) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	split := splitter(t, "en").Forgetful()
	q, err := parse(split, someFields, query)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	e := &evaluation{ctx: t.Context(), language: "en", split: split, inquiry: q, criteria: engine.Criteria{Last: [16]byte{0: 255}}}
	err = store.View(func(parts []*segment.Part) error {
		if err := e.look(parts); err != nil {
			return err
		}
		return e.each(func(*segment.Part, uint32, float32) { found++ })
	})
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	runtime.ReadMemStats(&after)
	return found, after.TotalAlloc - before.TotalAlloc
}

// TestNoQueryTakesMuchMemory holds that what a query allocates, all together, is
// a few MiB, though the positions of each of its words are many times as much.
func TestNoQueryTakesMuchMemory(t *testing.T) {
	store, texts := longTexts(t, 20)
	for name, query := range hostile() {
		found, bytes := ask(t, store, query)
		if bytes > 8<<20 {
			t.Errorf("%s: %d bytes allocated over %d bytes of texts", name, bytes, texts)
		}
		if want := map[string]int{"phrase found": 20, "prefixes": 20}[name]; found != want {
			t.Errorf("%s: %d found, want %d", name, found, want)
		}
	}
}

// BenchmarkHostilePhrase shows by its B/op what the worst phrases take over texts
// of 780 KB each.
func BenchmarkHostilePhrase(b *testing.B) {
	store, _ := longTexts(b, 50)
	for name, query := range hostile() {
		b.Run(strings.ReplaceAll(name, " ", "-"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ask(b, store, query)
			}
		})
	}
}

// A page of results takes of long texts what it looks through, and not more for
// each.
func TestSnippetsTakeTheBeginningOfATextOnly(t *testing.T) {
	k := newKit(t)
	random := rand.New(rand.NewPCG(1, 1))
	var text strings.Builder
	for text.Len() < 3<<20 {
		fmt.Fprintf(&text, "word%d ", random.IntN(40_000))
	}
	d := k.doc("long", "needle "+text.String()+" haystack")
	k.expect("needle haystack", "long")
	k.must(k.index.store.Save())
	id, _ := k.index.idOf(d.ID)
	m := newMarker(&evaluation{split: splitter(t, "en"), inquiry: &inquiry{}})
	c, err := k.index.opening(id, m)
	if err != nil || len(c.Text) != markBytes || c.digest != d.Current.Digest || !strings.HasPrefix(c.Text, "needle ") || cap(m.unpack.packed) > 2*markBytes {
		t.Errorf("%d bytes of text, %d as stored, %v", len(c.Text), cap(m.unpack.packed), err)
	}
	if hits := k.search(Query{Text: "needle haystack"}).Hits; len(hits) != 1 || !strings.HasPrefix(hits[0].Snippets[0], "<mark>needle</mark>") {
		t.Errorf("%+v", hits)
	}
}

// TestAnyWordInWindows holds that what does not fit is found as what does.
func TestAnyWordInWindows(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var docs []segment.Doc
	for n := range windowBytes*2 + 1000 {
		d := segment.Doc{ID: segment.ID{0: byte(n >> 16), 1: byte(n >> 8), 2: byte(n)}}
		if random.IntN(50) == 0 || n > windowBytes*2+900 {
			d.Terms = append(d.Terms, segment.Entry{Key: fmt.Sprintf("wa%d", random.IntN(40)), Weight: byte(random.IntN(256))})
		}
		docs = append(docs, d)
	}
	seg, err := segment.Build(docs)
	if err != nil {
		t.Fatal(err)
	}
	open := func(left int) *anyWord {
		m := &anyWord{ctx: t.Context(), part: &segment.Part{Segment: seg}, ranges: [][2]string{{"wa", "wa\xff"}}}
		if err := m.open(&left); err != nil {
			t.Fatal(err)
		}
		return m
	}
	whole, windows := open(anyBytes), open(0)
	if len(whole.weights) != seg.Len() || whole.docs != windows.docs {
		t.Fatalf("%d weights, %d and %d documents", len(whole.weights), whole.docs, windows.docs)
	}
	n := 0
	for doc := uint32(0); doc != segment.End; n++ {
		a, b := whole.seek(doc), windows.seek(doc)
		if a != b || a != segment.End && whole.weight() != windows.weight() {
			t.Fatalf("from %d: %d and %d", doc, a, b)
		}
		if doc = a; a != segment.End {
			doc += 1 + uint32(random.IntN(300))
		}
	}
	if n < 100 || len(windows.weights) != windowBytes {
		t.Errorf("%d leaps, a window of %d", n, len(windows.weights))
	}
}
