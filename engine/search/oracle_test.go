package search

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/search/words"
)

var (
	oracleSeed = flag.Uint64("oracleseed", 0, "a seed for the oracle tests to try alone; 0 takes the fixed ones")
	moreSeeds  = flag.Int("random", 0, "how many more random seeds to try beside the fixed ones")
)

// eachSeed runs a test with a seed that is always the same, and with as many
// others as the flag asks for. The subtest's name is the seed.
func eachSeed(t *testing.T, fn func(t *testing.T, r *rand.Rand)) {
	list := []uint64{1}
	for range *moreSeeds {
		list = append(list, rand.Uint64())
	}
	if *oracleSeed != 0 {
		list = []uint64{*oracleSeed}
	}
	for _, seed := range list {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { fn(t, rand.New(rand.NewPCG(seed, 2))) })
	}
}

// corpus is a vault of documents of few words, so that most queries find some.
type corpus struct {
	*kit
	random *rand.Rand
	live   map[string]engine.Document
	text   map[string]string // of the current version
}

// lexicon has words that share stems and beginnings.
var lexicon = strings.Fields("lease leases leased lessor terminate termination term terms notice notify noticed writing write party parties part Zürich zurich 2026 2027 a the of")

func (c *corpus) words(n int) string {
	var picked []string
	for range n {
		picked = append(picked, lexicon[c.random.IntN(len(lexicon))])
	}
	return strings.Join(picked, []string{" ", ", ", " - ", "; "}[c.random.IntN(4)])
}

func (c *corpus) pick(of ...string) string { return of[c.random.IntN(len(of))] }

func (c *corpus) create() {
	n := engine.NewDocument{
		Name: "every " + c.words(1+c.random.IntN(3)), Description: c.words(c.random.IntN(4)), Category: c.pick("contract", "invoice", "other"),
		Tags: c.tags(), Product: c.pick("", "cpq", "clm"), TemplateID: c.pick("", "t-1"), AgreementID: c.pick("", "a-1", "a-2"), Version: text("a.txt"),
		CustomFields: c.fields(),
	}
	if c.random.IntN(4) == 0 {
		n.ExternalID = fmt.Sprint("ext-", len(c.live), "-", c.Head().Seq)
	}
	content := c.words(c.random.IntN(12))
	d := c.CreateFrom(n, content)
	c.live[d.ID], c.text[d.ID] = d, content
}

func (c *corpus) tags() (tags []string) {
	for range c.random.IntN(3) {
		tags = append(tags, c.pick("urgent", "client:acme", "client:quill", "year:2026", "lease"))
	}
	return tags
}

func (c *corpus) fields() map[string]any {
	fields := map[string]any{}
	if c.random.IntN(2) == 0 {
		fields["amount"] = float64(c.random.IntN(9)*100 - 300)
	}
	if c.random.IntN(2) == 0 {
		fields["renewalDate"] = fmt.Sprintf("2026-0%d-01", 1+c.random.IntN(9))
	}
	if c.random.IntN(3) == 0 {
		fields["counterparty"] = c.words(2)
	}
	return fields
}

// change changes one document, in one of the ways there are.
func (c *corpus) change() {
	ids := make([]string, 0, len(c.live))
	for id := range c.live {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	id := c.pick(ids...)
	ctx, cond := c.t.Context(), engine.Condition{}
	var d engine.Document
	var err error
	switch c.random.IntN(7) {
	case 0:
		tags := c.tags()
		d, _, err = c.UpdateDocument(ctx, c.Admin, id, cond, engine.DocumentPatch{Tags: &tags})
	case 1:
		category, fields := c.pick("contract", "invoice"), c.fields()
		d, _, err = c.UpdateDocument(ctx, c.Admin, id, cond, engine.DocumentPatch{Category: &category, CustomFields: fields})
	case 2:
		if c.live[id].HoldCount > 0 {
			return
		}
		if d, _, err = c.ArchiveDocument(ctx, c.Admin, id, cond); c.random.IntN(2) == 0 {
			d, _, err = c.UnarchiveDocument(ctx, c.Admin, id, cond)
		}
	case 3:
		if c.live[id].Archived {
			return
		}
		c.text[id] = c.words(c.random.IntN(12))
		upload := c.Upload(c.text[id])
		defer upload.Discard()
		_, _, err = c.AddVersion(ctx, c.Admin, id, cond, text("b.txt"), upload)
		c.must(err)
		d, err = c.Document(ctx, id)
	case 5:
		_, _, err = c.PlaceHold(ctx, c.Admin, id, engine.Condition{}, engine.NewHold{Reason: "litigation", Matter: c.pick("", "Acme ./. Bolt", "tax")})
		c.must(err)
		d, err = c.Document(ctx, id)
	case 4:
		if c.live[id].Archived || c.live[id].HoldCount > 0 {
			return
		}
		_, _, err = c.DeleteDocument(ctx, c.Admin, id, cond)
		c.must(err)
		delete(c.live, id)
		return
	default:
		name := "every " + c.words(3)
		d, _, err = c.UpdateDocument(ctx, c.Admin, id, cond, engine.DocumentPatch{Name: &name})
	}
	c.must(err)
	c.live[id] = d
}

func newCorpus(t *testing.T, r *rand.Rand) *corpus {
	c := &corpus{kit: newKit(t), random: r, live: map[string]engine.Document{}, text: map[string]string{}}
	c.Define(engine.NumberField, "amount")
	c.Define(engine.TextField, "counterparty")
	return c
}

func (c *corpus) matches(query string, filter engine.DocumentQuery) []string {
	c.t.Helper()
	ids, complete, err := c.index.Match(c.t.Context(), query, filter)
	if c.must(err); !complete {
		c.t.Fatalf("%s: not complete", query)
	}
	return ids
}

// texts are the fields of a document.
func (c *corpus) texts(d engine.Document) []string {
	texts := append([]string{d.Name, d.Description, c.text[d.ID]}, d.Tags...)
	for _, value := range d.CustomFields {
		texts = append(texts, customText(value))
	}
	return texts
}

// inField are the texts of a field that a query names.
func (c *corpus) inField(d engine.Document, field string) []string {
	switch field {
	case "":
		return c.texts(d)
	case "name":
		return []string{d.Name}
	case "tag":
		return d.Tags
	case "description":
		return []string{d.Description}
	}
	return []string{customText(d.CustomFields[strings.TrimPrefix(field, "field.")])}
}

// meets looks for a clause, as people mean it, in texts.
func (c *corpus) meets(split *words.Splitter, texts []string, clause string) bool {
	for _, text := range texts {
		var forms, stems []string
		for w := range split.Words(text) {
			forms, stems = append(forms, w.Form), append(stems, w.Stem)
		}
		if prefix, ok := strings.CutSuffix(clause, "*"); ok {
			if slices.ContainsFunc(forms, func(f string) bool { return strings.HasPrefix(f, prefix) }) {
				return true
			}
			continue
		}
		var wanted []string
		for w := range split.Words(clause) {
			wanted = append(wanted, w.Stem)
		}
		if strings.Contains(" "+strings.Join(stems, " ")+" ", " "+strings.Join(wanted, " ")+" ") {
			return true
		}
	}
	return false
}

func (c *corpus) clause() string {
	switch c.random.IntN(4) {
	case 0:
		word := []rune(lexicon[c.random.IntN(len(lexicon)-3)])
		return strings.ReplaceAll(strings.ToLower(string(word[:1+c.random.IntN(len(word))])), "ü", "u") + "*"
	case 1:
		return `"` + c.words(2+c.random.IntN(2)) + `"`
	}
	return c.words(1)
}

// expression is a query, and what it means.
func (c *corpus) expression(split *words.Splitter, depth int) (query string, holds func(engine.Document) bool) {
	kind := c.random.IntN(8)
	if depth == 0 {
		kind = 7
	}
	if kind >= 5 {
		field := c.pick("", "", "", "name", "tag", "description", "field.counterparty", "counterparty")
		clause := c.clause()
		query = clause
		if field != "" {
			query = field + ":" + clause
		}
		return query, func(d engine.Document) bool { return c.meets(split, c.inField(d, field), clause) }
	}
	a, first := c.expression(split, depth-1)
	if kind == 4 {
		return c.pick("-", "NOT ") + "(" + a + ")", func(d engine.Document) bool { return !first(d) }
	}
	b, second := c.expression(split, depth-1)
	if kind == 3 {
		return "(" + a + " OR " + b + ")", func(d engine.Document) bool { return first(d) || second(d) }
	}
	return a + c.pick(" ", " AND ") + b, func(d engine.Document) bool { return first(d) && second(d) }
}

// TestWordsAgainstAnOracle compares with looking at every document.
func TestWordsAgainstAnOracle(t *testing.T) { eachSeed(t, wordsAgainstAnOracle) }

func wordsAgainstAnOracle(t *testing.T, r *rand.Rand) {
	c := newCorpus(t, r)
	split, err := words.NewSplitter("en")
	c.must(err)
	for range 60 {
		c.create()
	}
	for n := range 300 {
		if n%3 == 0 {
			c.change()
		}
		if n%100 == 50 {
			c.must(c.index.store.Compact(never))
		}
		query, holds := c.expression(split, 3)
		want := []string{}
		for id, d := range c.live {
			if !d.Archived && holds(d) {
				want = append(want, id)
			}
		}
		slices.Sort(want)
		if got := c.matches(query, engine.DocumentQuery{}); !slices.Equal(got, want) {
			t.Fatalf("%q finds %d documents, want %d: %q, %q", query, len(got), len(want), got, want)
		}
	}
}

func never() error { return nil }

func (c *corpus) filter() engine.DocumentQuery {
	q := engine.DocumentQuery{Status: engine.Status(c.pick("", "", "active", "archived", "legal_hold", "deleted", "all"))}
	some := func(value string) string {
		if c.random.IntN(5) > 0 {
			return ""
		}
		return value
	}
	if archived := c.random.IntN(2) == 0; c.random.IntN(4) == 0 {
		q.Archived = &archived
	}
	q.Category, q.Product, q.TemplateID, q.AgreementID = some(c.pick("contract", "invoice", "none")), some(c.pick("cpq", "clm")), some("t-1"), some(c.pick("a-1", "a"))
	q.Matter = some(c.pick("tax", "Acme ./. Bolt", "none"))
	q.OwnerID, q.ExternalID = some(c.pick(c.Admin.UserID, engine.NewID(), "x")), some("ext-1")
	for _, id := range slices.Sorted(maps.Keys(c.live)) {
		if d := c.live[id]; d.ExternalID != "" {
			q.ExternalID = some(d.ExternalID)
		}
	}
	for range c.random.IntN(3) {
		q.Tags = append(q.Tags, c.pick("urgent", "client:*", "client:acme", "client: quill", "year:*"))
	}
	if c.random.IntN(3) == 0 {
		q.Fields = append(q.Fields, engine.FieldFilter{Key: "amount", Value: some("-100"), From: c.pick("-200", "0", "1e2"), To: some("400")})
	}
	if c.random.IntN(3) == 0 {
		q.Fields = append(q.Fields, engine.FieldFilter{Key: "renewalDate", To: c.pick("2026-03-01", "2026-06-15"), From: some("2026-02-01")})
	}
	for _, at := range []*time.Time{&q.CreatedFrom, &q.CreatedTo, &q.UpdatedFrom, &q.UpdatedTo} {
		if c.random.IntN(6) == 0 {
			*at = c.Head().Time.Add(-time.Duration(c.random.IntN(1500)) * time.Millisecond).Add(time.Duration(c.random.IntN(3)) * 400 * time.Microsecond)
		}
	}
	return q
}

// TestFiltersAgainstTheEngine holds that a filter means in a search what it
// means in a list.
func TestFiltersAgainstTheEngine(t *testing.T) { eachSeed(t, filtersAgainstTheEngine) }

func filtersAgainstTheEngine(t *testing.T, r *rand.Rand) {
	c := newCorpus(t, r)
	for range 60 {
		c.create()
	}
	found := 0
	for n := range 600 {
		if n%4 == 0 {
			c.change()
		}
		q := c.filter()
		got := c.matches("every", q)
		q.Sort, q.Limit = "createdAt", 500
		page, err := c.Documents(t.Context(), q)
		c.must(err)
		var want []string
		for _, d := range page.Items {
			if d.Status != engine.StatusDeleted {
				want = append(want, d.ID)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%+v finds %d documents, lists %d", q, len(got), len(want))
		}
		q.Sort, q.Limit = "", 0
		if r := c.search(Query{Text: "every", Filter: q, Paging: engine.Paging{Limit: 500}}); len(r.Hits) != len(want) || r.Total != len(want) {
			t.Fatalf("%+v: %d hits of %d, want %d", q, len(r.Hits), r.Total, len(want))
		}
		found += len(want)
	}
	if found == 0 {
		t.Error("nothing was ever found")
	}
}
