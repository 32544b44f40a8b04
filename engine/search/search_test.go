package search

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"strongroom/audit"
	"strongroom/engine"
)

func TestFindsWhatPeopleLookFor(t *testing.T) {
	k := newKit(t)
	k.Define(engine.TextField, "counterparty")
	k.Define(engine.NumberField, "amount")
	k.doc("lease", "The tenant terminates the lease by notice in writing.")
	k.doc("Werkvertrag Zürich", "Kündigung: e-mail an notary@example.com, 2026-11-21.", "client:acme", "urgent")
	k.CreateFrom(engine.NewDocument{Name: "scan 0042", Description: "Signed by both sides", CustomFields: map[string]any{"counterparty": "Quill & Co", "amount": 1250}, Version: engine.NewVersion{MediaType: "image/png"}}, "\x89PNG")
	for query, want := range map[string]string{
		"terminate":            "lease",
		"TERMINATION tenants":  "lease",
		`"notice in writing"`:  "lease",
		`"writing in notice"`:  "",
		`"lease by notice"`:    "lease",
		"termin*":              "lease",
		"terminatio*":          "",
		"zurich":               "Werkvertrag Zürich",
		"e-mail":               "Werkvertrag Zürich",
		"mail-e":               "",
		"notary@example.com":   "Werkvertrag Zürich",
		"2026-11*":             "Werkvertrag Zürich",
		"acme":                 "Werkvertrag Zürich",
		"client:acme urgent":   "Werkvertrag Zürich",
		"acme tenant":          "",
		"quill":                "scan 0042",
		"1250":                 "scan 0042",
		"signing scan":         "scan 0042",
		`"urgent werkvertrag"`: "", // no phrase spans two fields
		"(quill OR lease) !!!": "lease, scan 0042",
		"the":                  "lease",
	} {
		k.expect(query, want)
	}
}

// A query can say what must not be there, what may be there instead, and where.
func TestOperators(t *testing.T) {
	k := newKit(t)
	k.Define(engine.TextField, "counterparty")
	k.Define(engine.BooleanField, "signed")
	k.CreateFrom(engine.NewDocument{Name: "lease of a warehouse", Tags: []string{"client:acme"}, CustomFields: map[string]any{"counterparty": "Quill & Co", "renewalDate": "2027-03-01"}, Version: text("a.txt")}, "The tenant pays monthly. Meet at 10:30.")
	k.CreateFrom(engine.NewDocument{Name: "notice", Description: "of the lease", CustomFields: map[string]any{"counterparty": "Acme Ltd"}, Version: text("a.txt")}, "The landlord terminates; see https://example.com/terms.")
	k.doc("draft of a lease", "not signed, quill in hand", "client:bolt")
	for query, want := range map[string]string{
		"lease -draft":                       "lease of a warehouse, notice",
		"lease NOT (draft OR notice)":        "lease of a warehouse",
		"tenant OR landlord":                 "lease of a warehouse, notice",
		"lease tenant OR draft":              "draft of a lease, lease of a warehouse",
		"lease (tenant OR draft) -warehouse": "draft of a lease",
		`-"of a lease"`:                      "lease of a warehouse, notice",
		"-lease":                             "",
		"-draft":                             "lease of a warehouse, notice",
		"name:lease":                         "draft of a lease, lease of a warehouse",
		"description:lease":                  "notice",
		"-name:lease":                        "notice",
		`name:"of a warehouse"`:              "lease of a warehouse",
		`name:"lease quill"`:                 "",
		"tag:acme":                           "lease of a warehouse",
		"tags:client:bolt":                   "draft of a lease",
		"tag:cli*":                           "draft of a lease, lease of a warehouse",
		"counterparty:quill":                 "lease of a warehouse",
		"field.counterparty:(quill OR acme)": "lease of a warehouse, notice",
		"quill":                              "draft of a lease, lease of a warehouse",
		"name:quil*":                         "",
		"renewalDate:2027-03*":               "lease of a warehouse",
		"10:30":                              "lease of a warehouse",
		"https://example.com/terms":          "notice",
		"e-mail OR landlord":                 "notice",
		"name:(lease -draft) OR tag:bolt name:draft": "draft of a lease, lease of a warehouse",
	} {
		k.expect(query, want)
	}
	for _, query := range []string{"lease OR", `"lease`, "(lease", "signed:true", "field.none:x", "name:"} {
		if _, err := k.index.Search(t.Context(), Query{Text: query}); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%s: %v", query, err)
		}
	}
	hit := k.search(Query{Text: "lease -quill OR name:notice"}).Hits[0]
	for _, s := range hit.Snippets {
		if strings.Contains(s, "<mark>Quill") {
			t.Errorf("what must not be there is marked: %q", s)
		}
	}
}

// What is written in another way than it is looked for is found and marked, in
// phrases and as the beginning of a word too.
func TestSpellings(t *testing.T) {
	k := newKit(t)
	k.doc("part", "Valve E619-1609 of Mu\u0308ller\u2011Holding, 1.250,00 EUR")
	k.doc("book", "The Kün-\ndigung of the con\u00adtract by Ørsted, in ＦＵＬＬ width and oﬃce")
	k.doc("한국", "\u1112\u1161\u11ab\u1100\u116e\u11a8 계약서 مُحَمَّد 契約書")
	for query, want := range map[string]string{
		"E619-1609": "part", "E6191609": "part", "e6191*": "part", "e619-16*": "part", "1609": "part", "E619": "part",
		`"valve E619-1609 of"`: "part", `"valve E6191609"`: "part", "müller-holding": "part", "mullerholding": "part", "1250,00": "part", "125000": "part",
		"Kündigung": "book", "kundi*": "book", `"the kündigung of the contract"`: "book", "contract": "book", "orsted": "book", "full office": "book", "ﬁnal OR ｆｕｌｌ": "book",
		"한국": "한국", "계약": "한국", "\u1112\u1161\u11ab": "한국", "محمد": "한국", "契約": "한국", "約契": "",
	} {
		k.expect(query, want)
	}
	for query, want := range map[string]string{"E6191609": "<mark>E619-1609</mark>", "muller": "<mark>Mu\u0308ller</mark>", "kundigung": "<mark>Kün- digung</mark>"} {
		if s := k.search(Query{Text: query}).Hits[0].Snippets; len(s) != 1 || !strings.Contains(s[0], want) {
			t.Errorf("%s: %q", query, s)
		}
	}
}

// In German a word is found within the nouns that are made of it.
func TestPartsOfGermanWords(t *testing.T) {
	k := newKit(t)
	german := "de"
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{SearchLanguage: &german})
	k.must(err)
	k.doc("a", "Die Vertragskündigungsfrist beträgt drei Monate.")
	k.doc("b", "Der Mietvertrag wird vom Vermieter gekündigt.")
	k.doc("c", "Die Kündigungsfristen.")
	k.expect("Kündigungsfrist", "a, c") // in memory, then in a file
	k.must(k.index.store.Save())
	for query, want := range map[string]string{
		"Kündigungsfrist": "a, c", "kundigung": "a, c", "Fristen": "a, c", "Vertrag": "a, b", "Mieter": "", "-Vertrag": "c", "Vertragskündigungsfristen": "a", "vertragsk*": "a", "Monat vertrag": "a",
	} {
		k.expect(query, want)
	}
	if s := k.search(Query{Text: "frist"}).Hits; len(s) != 2 || !strings.Contains(s[0].Snippets[0]+s[1].Snippets[0], "<mark>Vertragskündigungsfrist</mark>") {
		t.Errorf("%+v", s)
	}
}

func TestRanks(t *testing.T) {
	k := newKit(t)
	k.doc("in content", "indemnity "+strings.Repeat("indemnity clause ", 50))
	k.doc("in tags", "no word of it", "indemnity")
	k.doc("mutual indemnity", "no word of it")
	k.CreateFrom(engine.NewDocument{Name: "described", Description: "about indemnity"}, "x")
	if got, want := k.names("indemnity"), "mutual indemnity, in tags, described, in content"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	k.doc("short", "arbitration")
	k.doc("long", "arbitration "+strings.Repeat("other words ", 500))
	k.doc("often", strings.Repeat("arbitration ", 10))
	if got, want := k.names("arbitration"), "often, short, long"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestFollowsChanges(t *testing.T) {
	k := newKit(t)
	d := k.doc("draft agreement", "first words")
	k.expect("first", "draft agreement")
	k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, text("b.txt"), k.Upload("second words"))
	k.expect("first", "")
	k.expect("second", "draft agreement")
	name, description := "final agreement", "settled"
	k.patch(d.ID, engine.DocumentPatch{Name: &name, Description: &description, AddTags: []string{"signed"}})
	k.expect("draft", "")
	k.expect("final second settled signed", "final agreement")
	if _, _, err := k.ArchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	k.expect("final", "")
	if r := k.search(Query{Text: "final", Filter: engine.DocumentQuery{Status: "archived"}}); r.Total != 1 {
		t.Errorf("%+v", r)
	}
	if _, _, err := k.UnarchiveDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	k.expect("final", "final agreement")
	if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
		t.Fatal(err)
	}
	for _, status := range []engine.Status{"", "all", "deleted"} {
		if r := k.search(Query{Text: "final", Filter: engine.DocumentQuery{Status: status}}); r.Total != 0 {
			t.Errorf("%q: %+v", status, r)
		}
	}
}

func TestDraftsAreNotFound(t *testing.T) {
	k := newKit(t)
	d := k.doc("open", "settled words")
	lock, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{UseScratchPad: true})
	k.must(err)
	cond := engine.Condition{LockToken: lock.Token}
	_, _, err = k.AddVersion(t.Context(), k.Admin, d.ID, cond, text("b.txt"), k.Upload("sketched words"))
	k.must(err)
	k.expect("sketched", "")
	k.expect("settled", "open")
	_, _, err = k.ReleaseLock(t.Context(), k.Admin, d.ID, cond, true)
	k.must(err)
	k.expect("sketched", "open")
	k.expect("settled", "")
}

func TestSnippets(t *testing.T) {
	k := newKit(t)
	d := k.doc("plain", strings.Repeat("Nothing of note stands here. ", 20)+"The supplier shall indemnify the buyer. "+strings.Repeat("More of the same follows on. ", 40)+"Each indemnifies and survives.")
	hit := k.search(Query{Text: "indemnify buyer survive"}).Hits[0]
	if len(hit.Snippets) != 2 || !strings.Contains(hit.Snippets[0], "shall <mark>indemnify</mark> the <mark>buyer</mark>.") || !strings.HasPrefix(hit.Snippets[0], "… ") ||
		!strings.HasSuffix(hit.Snippets[1], "Each <mark>indemnifies</mark> and <mark>survives</mark>.") {
		t.Errorf("%q", hit.Snippets)
	}
	k.patch(d.ID, engine.DocumentPatch{AddTags: []string{"liability"}})
	if hit := k.search(Query{Text: "liabilities"}).Hits[0]; len(hit.Snippets) != 1 || hit.Snippets[0] != "<mark>liability</mark>" {
		t.Errorf("%q", hit.Snippets)
	}
}

// A snippet is a passage, be a word or what is between two as long as a file.
func TestSnippetsAreShort(t *testing.T) {
	k := newKit(t)
	k.doc("one word", "öffnet"+strings.Repeat("ü", 100_000)+" then more")
	k.doc("far apart", "begin"+strings.Repeat(" -", 100_000)+" end")
	for _, query := range []string{"offnet*", `"begin end"`} {
		for _, hit := range k.search(Query{Text: query}).Hits {
			for _, s := range hit.Snippets {
				if len(s) > 4*snippetBytes || !strings.Contains(s, "<mark>") || !utf8.ValidString(s) {
					t.Errorf("%s: a snippet of %d bytes: %.100q", query, len(s), s)
				}
			}
		}
	}
}

// A cursor that was forged finds nothing that cannot be said in JSON.
func TestForgedCursor(t *testing.T) {
	k := newKit(t)
	k.doc("a lease", "")
	k.doc("another lease", "")
	q := Query{Text: "lease", Paging: engine.Paging{Limit: 1}}
	whole, err := base64.RawURLEncoding.DecodeString(k.search(q).NextCursor)
	k.must(err)
	for _, rarity := range []float64{math.Inf(1), math.Inf(-1), math.NaN(), -1, math.MaxFloat32} {
		forged := bytes.Clone(whole)
		binary.BigEndian.PutUint32(forged[cursorHead:], math.Float32bits(float32(rarity)))
		q.Cursor = base64.RawURLEncoding.EncodeToString(forged)
		if _, err := k.index.Search(t.Context(), q); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("with the rarity %v: %v", rarity, err)
		}
	}
}

func TestNoMarkupComesOfText(t *testing.T) {
	k := newKit(t)
	evil := `<script>alert('x')</script> <mark onmouseover=y> "quoted" &lt;img src=q onerror=z&gt; </mark> hook`
	k.CreateFrom(engine.NewDocument{Name: evil[:80] + " name", Description: evil, Tags: []string{"<b>hook</b>"}, Version: text("a.txt")}, evil+" script")
	for _, query := range []string{"hook", "script alert", "mark", `"img src"`, "onerror", "lt", "na*", "b"} {
		for _, hit := range k.search(Query{Text: query}).Hits {
			for _, s := range hit.Snippets {
				bare := strings.NewReplacer("<mark>", "", "</mark>", "").Replace(s)
				if strings.ContainsAny(bare, `<>"'`) || strings.Count(s, "<mark>") != strings.Count(s, "</mark>") {
					t.Errorf("%s: %q", query, s)
				}
			}
		}
	}
}

func TestPages(t *testing.T) {
	k := newKit(t)
	for i := range 57 {
		k.doc(fmt.Sprintf("contract %d", i), strings.Repeat("lease ", i%7+1))
	}
	seen := map[string]bool{}
	q := Query{Text: "lease", Paging: engine.Paging{Limit: 10}}
	last := 1e9
	for {
		r := k.search(q)
		if r.Total < 57 {
			t.Errorf("total %d", r.Total)
		}
		for _, h := range r.Hits {
			if seen[h.Document.ID] || h.Score > last {
				t.Errorf("%s again, or out of order", h.Document.Name)
			}
			seen[h.Document.ID], last = true, h.Score
		}
		// Others are written meanwhile, and change how rare the word is.
		k.doc("another", "lease")
		if q.Cursor = r.NextCursor; q.Cursor == "" {
			break
		}
	}
	for _, wrong := range []Query{
		{Text: "other", Paging: q.Paging}, {Text: "lease", Paging: engine.Paging{Cursor: "x"}}, {Text: "lease", Paging: engine.Paging{Limit: 501}},
		{Text: "lease", Filter: engine.DocumentQuery{Status: "odd"}},
	} {
		if wrong.Cursor == "" {
			wrong.Cursor = k.search(Query{Text: "lease", Paging: engine.Paging{Limit: 1}}).NextCursor
		}
		if _, err := k.index.Search(t.Context(), wrong); !errors.Is(err, engine.ErrInvalid) {
			t.Errorf("%+v: %v", wrong, err)
		}
	}
	if len(seen) < 57 {
		t.Errorf("%d documents seen", len(seen))
	}
}

func TestIndexingIsNoDownload(t *testing.T) {
	k := newKit(t)
	on := true
	_, _, err := k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on})
	k.must(err)
	k.doc("audited", "words")
	k.expect("words", "audited")
	page, err := k.Entries(t.Context(), engine.EntryQuery{Op: audit.OpDocumentDownloaded})
	if err != nil || len(page.Items) != 0 {
		t.Errorf("%v, %v", page.Items, err)
	}
}

func TestTagsDoNotCostTheTextAgain(t *testing.T) {
	k := newKit(t)
	d := k.doc("a", "words")
	k.expect("words", "a")
	// The bytes are lost: only what the index has can still be read.
	k.must(os.RemoveAll(filepath.Join(k.Dir, "blobs", "sha256", d.Current.Digest.String()[7:9])))
	k.patch(d.ID, engine.DocumentPatch{AddTags: []string{"tagged"}})
	k.expect("words tagged", "a")
	if n := k.index.Stats().Failures; n != 0 {
		t.Errorf("%d failures", n)
	}
	k.must(os.MkdirAll(filepath.Join(k.Dir, "blobs", "sha256", d.Current.Digest.String()[7:9]), 0o700))
	_, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{})
	k.must(err)
}

func TestTheSameBytesAsAnotherKind(t *testing.T) {
	k := newKit(t)
	d := k.CreateFrom(engine.NewDocument{Name: "blob", Version: engine.NewVersion{MediaType: "image/x-raw", FileName: "x.bin"}}, "plain words")
	k.expect("words", "")
	_, _, err := k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, text("x.txt"), k.Upload("plain words"))
	k.must(err)
	k.expect("words", "blob")
}

func TestABrokenFileCostsItsText(t *testing.T) {
	k := newKit(t)
	k.CreateFrom(engine.NewDocument{Name: "broken.docx", Version: engine.NewVersion{MediaType: "application/zip"}}, "PK\x03\x04word/")
	k.expect("broken", "broken.docx")
	if s := k.index.Stats(); s.Failures != 1 || s.Documents != 1 {
		t.Errorf("%+v", s)
	}
}

// A file of more different words than any book has is found by its name and by
// the first of them.
func TestOneFileHasSoManyWordsAtMost(t *testing.T) {
	k := newKit(t)
	var serials strings.Builder
	for n := range maxForms + 100 {
		fmt.Fprintf(&serials, "serial%d\n", n)
	}
	k.doc("inventory", serials.String())
	k.doc("other", "serial1")
	k.expect("inventory", "inventory")
	k.expect("serial1", "inventory, other")
	k.expect(fmt.Sprintf("serial%d", maxForms+99), "")
}

func TestWithoutRunAnAnswerIsNotComplete(t *testing.T) {
	k := newKit(t)
	k.doc("one", "words")
	k.expect("words", "one")
	through := k.Head().Seq
	k.stop()
	k.doc("two", "words")
	r, err := k.index.Search(t.Context(), Query{Text: "words"})
	if err != nil || r.Complete || r.Through != through || r.Total != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	short, err := Open(k.Vault, t.TempDir(), Options{Patience: time.Nanosecond})
	k.must(err)
	if r, err := short.Search(t.Context(), Query{Text: "words"}); err != nil || r.Complete || r.Through != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	k.must(short.Close())
}

// A folder, and how a name begins, choose in a search as they do in a list; and a
// folder is found by its words.
func TestFoldersAndNamesChoose(t *testing.T) {
	k := newKit(t)
	create := func(name, path string) {
		k.CreateFrom(engine.NewDocument{Name: name, Path: path, Version: text("a.txt")}, "the same words")
	}
	create("Lease", "2024/contracts/acme")
	create("lease two", "2024/contracts-x")
	create("Über", "")
	for _, c := range []struct {
		q    engine.DocumentQuery
		want string
	}{
		{engine.DocumentQuery{Path: "2024/contracts"}, "Lease"},
		{engine.DocumentQuery{Path: "2024"}, "Lease, lease two"},
		{engine.DocumentQuery{Name: "LEA"}, "Lease, lease two"},
		{engine.DocumentQuery{Name: "lease t"}, "lease two"},
		{engine.DocumentQuery{Name: "u\u0308"}, "Über"},
		{engine.DocumentQuery{Name: "lea", Path: "2025"}, ""},
	} {
		var names []string
		for _, h := range k.search(Query{Text: "words", Filter: c.q}).Hits {
			names = append(names, h.Document.Name)
		}
		slices.Sort(names)
		if got := strings.Join(names, ", "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.q, got, c.want)
		}
	}
	k.expect("acme", "Lease")
}
