package search

import (
	"compress/flate"
	"encoding/json"
	"maps"
	"math"
	"slices"

	"strongroom/engine"
	"strongroom/engine/search/segment"
	"strongroom/engine/search/words"
)

// Kinds of terms, by the first byte of their key.
const (
	keyFacet   = "f"                    // a facet of the engine
	keyBounds  = "p"                    // a field; its positions are pairs: where each text of it begins, and the place behind its end
	keyStem    = "s"                    // the stem of a word, with its positions
	keyInField = "v"                    // a field, a zero byte, and a word in it as it is written, for prefixes
	keyForm    = "w"                    // a word as it is written, for prefixes
	keyLong    = string(segment.Listed) // the same of one that may have parts, in languages that write nouns as one
	// Whether the text of a document with a version is known, and who has read it.
	keyState  = "ts"
	keyReader = "tr"
)

// The fields of a document, by how much a word in them weighs.
const (
	inContent = iota
	inDescription
	inCustom
	inTags
	inName
	inAll // how many there are
)

// gap is between the positions of two texts, so that no phrase spans them.
const gap = 8

// maxForms is how many different words a document is found by; the text behind
// the last of them is left. No book has as many, a table of serial numbers does,
// and each costs memory while the document is indexed.
const maxForms = 1 << 16

// analysis turns documents into terms. It is not for concurrent use.
type analysis struct {
	words   *words.Splitter
	deflate *flate.Writer
	stems   map[string]*found
	forms   map[string]*found
	inField map[string]*found
	bounds  map[string][]uint32
	spare   []found // made many at once, since each word of a document takes some
	keys    []byte  // of its terms, one behind the other
	at      uint32  // the next position
	lengths [inAll]uint32
}

// found is where a word stands in a document.
type found struct {
	times     [inAll]uint32
	positions []uint32
	few       [3]uint32 // the positions, while they are few
}

func newSplit(w *words.Splitter) *analysis {
	deflate, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		panic(err) // there is no other level
	}
	return &analysis{
		words: w, deflate: deflate,
		stems: map[string]*found{}, forms: map[string]*found{}, inField: map[string]*found{}, bounds: map[string][]uint32{},
	}
}

// keptWords is up to how many words of a document the maps of words are kept for the
// next: to clear a large one costs a small document more than to make another.
const keptWords = 1 << 10

func (a *analysis) reset() {
	for _, words := range []*map[string]*found{&a.stems, &a.forms, &a.inField} {
		if len(*words) > keptWords {
			*words = map[string]*found{}
		}
		clear(*words)
	}
	clear(a.bounds)
	if cap(a.keys) > 64*keptWords {
		a.keys = nil
	}
	a.at, a.lengths = 0, [inAll]uint32{}
}

// document is what the index keeps of a document.
func (a *analysis) document(d *engine.Faceted, id segment.ID, c content) (segment.Doc, error) {
	a.reset()
	a.text(inName, fieldName, d.Name)
	a.text(inDescription, fieldDescription, d.Description)
	for _, tag := range d.Tags {
		a.text(inTags, fieldTag, tag)
	}
	a.text(inTags, "", d.Path)
	for _, key := range slices.Sorted(maps.Keys(d.CustomFields)) {
		a.text(inCustom, inField+key, customText(d.CustomFields[key]))
	}
	a.text(inContent, "", c.Text)
	stored, err := a.encodeContent(c)
	if err != nil {
		return segment.Doc{}, err
	}
	return segment.Doc{ID: id, Updated: d.UpdatedAt.UnixMilli(), Stored: stored, Terms: a.terms(d, c)}, nil
}

// terms are those of a document whose texts were taken.
func (a *analysis) terms(d *engine.Faceted, c content) []segment.Entry {
	facets := d.Facets
	terms := make([]segment.Entry, 0, len(facets)+2+len(a.bounds)+len(a.stems)+len(a.inField)+len(a.forms))
	a.keys = a.keys[:0]
	ends := make([]int, 0, cap(terms))
	add := func(kind, key string, weight byte, positions []uint32) {
		a.keys = append(append(a.keys, kind...), key...)
		ends = append(ends, len(a.keys))
		terms = append(terms, segment.Entry{Weight: weight, Positions: positions})
	}
	slices.Sort(facets)
	for _, facet := range slices.Compact(facets) {
		add(keyFacet, facet, 0, nil)
	}
	if c.State != "" {
		add(keyState, string(c.State), 0, nil)
		add(keyReader, readerKey(c.Result), 0, nil)
	}
	for stem, f := range a.stems {
		add(keyStem, stem, a.weight(f), f.positions)
	}
	for field, pairs := range a.bounds {
		add(keyBounds, field, 0, pairs)
	}
	for key, f := range a.inField {
		add(keyInField, key, a.weight(f), nil)
	}
	for form, f := range a.forms {
		key := keyForm
		if a.words.Long(form) {
			key = keyLong
		}
		add(key, form, a.weight(f), nil)
	}
	keys, begin := string(a.keys), 0 // one text for all of them
	for i, end := range ends {
		terms[i].Key, begin = keys[begin:end], end
	}
	return terms
}

// customText is the text of a custom field: a date and a number are found by
// their digits, and nobody looks for true.
func customText(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// text takes the words of a text; name is that of its field, "" for the content.
func (a *analysis) text(field int, name, text string) {
	begin, next := a.at, a.at
	for w := range a.words.Words(text) {
		if len(a.forms) == maxForms {
			break
		}
		if w.Parts == 1 { // what is joined is counted by its parts
			a.lengths[field]++
		}
		place := begin + uint32(w.Place)
		next = max(next, place+1)
		a.stem(field, w.Stem, place)
		if w.Plain != "" {
			a.stem(field, w.Plain, place)
		}
		a.found(a.forms, w.Form).times[field]++
		if name != "" {
			a.found(a.inField, name+"\x00"+w.Form).times[field]++
		}
	}
	if name != "" && next > begin {
		a.bounds[name] = append(a.bounds[name], begin, next)
	}
	a.at = next + gap
}

func (a *analysis) stem(field int, stem string, place uint32) {
	f := a.found(a.stems, stem)
	if n := len(f.positions); n > 0 && f.positions[n-1] >= place {
		return // what is joined has the stem of its part
	}
	f.times[field]++
	f.positions = append(f.positions, place)
}

func (a *analysis) found(m map[string]*found, key string) *found {
	f := m[key]
	if f == nil {
		if len(a.spare) == 0 {
			a.spare = make([]found, 128)
		}
		f, a.spare = &a.spare[0], a.spare[1:]
		f.positions = f.few[:0]
		m[key] = f
	}
	return f
}

// How a word weighs in each field, and of how many words a field is when it is
// of usual length.
var (
	boosts  = [inAll]float64{inContent: 1, inDescription: 2, inCustom: 2, inTags: 4, inName: 8}
	lengths = [inAll]float64{inContent: 500, inDescription: 20, inCustom: 20, inTags: 10, inName: 5}
)

const (
	heaviest  = 2 * (1 + 2 + 2 + 4 + 8)
	steepness = 8 // of the logarithm that weights are kept as
)

// weight is how a word stands in a document, in a byte. In each field but the
// content the word being there at all is half of it, so that once in the name
// outweighs any number of times in the content; the other half grows with how
// often it is there, ever slower, as BM25 does, and the less the longer the field.
func (a *analysis) weight(f *found) byte {
	sum := 0.0
	for field, times := range f.times {
		if times == 0 {
			continue
		}
		n := float64(times)
		often := n / (n + 0.3 + 0.9*float64(a.lengths[field])/lengths[field])
		if field != inContent {
			often++
		}
		sum += boosts[field] * often
	}
	return byte(max(1, math.Round(255*math.Log1p(steepness*sum)/math.Log1p(steepness*heaviest))))
}

// impacts undoes the logarithm of weight.
var impacts = func() (t [256]float32) {
	for w := range t {
		t[w] = float32(math.Expm1(float64(w)/255*math.Log1p(steepness*heaviest)) / steepness)
	}
	return t
}()
