package audit

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// The parties of the test log.
const (
	testVault = "01JD6QGZ3MZ4Y8T6V1E9B7K2RW"
	testUser  = "01JD6QGZ3NQ5C3W0XHDA4M8V2E"
	testKey   = "01JD6QGZ3P7K9R2S6T4B0Y1N8F"
	testDoc   = "01JD6R0V5XJ8M2H4Q7Z9C3E6TB"
)

var testStart = time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC)

// created is a first event; exported and settings are events that may follow.
func created() Event {
	return Event{Op: OpVaultCreated, Facts: Facts{"vault": Text(testVault), "format": Number(1)}}
}

func exported(through uint64) Event {
	return Event{Op: OpAuditExported, Facts: Facts{"after": Number(0), "through": Number(through)}}
}

func settings(changed ...string) Event {
	return Event{Op: OpSettingsUpdated, Facts: Facts{"changed": Texts(changed...)}}
}

func TestNextIsWhatFollowReads(t *testing.T) {
	var h Head
	for i, e := range []Event{created(), settings("a", "b", "[,]:{}"), settings(), exported(1<<53 - 1), settings("")} {
		at := testStart.Add(time.Duration(i/2) * time.Millisecond)
		line, next, err := h.Next(Stamp{at, testUser, testKey}, e, Hash{})
		if err != nil {
			t.Fatal(err)
		}
		followed, err := h.Follow(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if followed != next {
			t.Errorf("Follow gives %+v, Next %+v", followed, next)
		}
		got, err := ParseEntry(line)
		want := Entry{uint64(i + 1), h.Hash, at, testUser, testKey, e.Op, e.Document, e.Version, e.Facts, Hash{}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("ParseEntry gives %+v, %v; want %+v", got, err, want)
		}
		if o, ok := oracle(line); !ok || !o.same(got) {
			t.Errorf("the oracle refuses %s", line)
		}
		h = next
	}
	if h.Vault != testVault || h.Seq != 5 {
		t.Errorf("the head is %+v", h)
	}
}

func TestNextTakesTheInstantWhateverItsZone(t *testing.T) {
	stamp := Stamp{Time: testStart.In(time.FixedZone("", 3600))}
	line, next, err := Head{}.Next(stamp, created(), Hash{})
	if err != nil || next.Time != testStart || !strings.Contains(string(line), `"time":"2026-11-21T17:36:01.123Z"`) {
		t.Errorf("Next gives %s, %+v, %v", line, next, err)
	}
}

func TestNextRefuses(t *testing.T) {
	_, first, err := Head{}.Next(Stamp{Time: testStart}, created(), Hash{})
	if err != nil {
		t.Fatal(err)
	}
	last := first
	last.Seq = 1<<53 - 1
	stamp := func(change func(*Stamp)) Stamp {
		s := Stamp{testStart, testUser, testKey}
		change(&s)
		return s
	}
	plainly := stamp(func(*Stamp) {})
	withDetail := func(detail string) Event {
		e := settings("a")
		e.Detail = []byte(detail)
		return e
	}
	for name, c := range map[string]struct {
		head   Head
		stamp  Stamp
		event  Event
		detail Hash
		want   error
	}{
		"another first entry":         {Head{}, plainly, settings("a"), Hash{}, ErrChain},
		"a second vault":              {first, plainly, created(), Hash{}, ErrChain},
		"a time before the last":      {first, stamp(func(s *Stamp) { s.Time = testStart.Add(-time.Millisecond) }), settings("a"), Hash{}, ErrChain},
		"half a millisecond":          {first, stamp(func(s *Stamp) { s.Time = testStart.Add(500 * time.Microsecond) }), settings("a"), Hash{}, ErrSyntax},
		"a year of five digits":       {first, stamp(func(s *Stamp) { s.Time = testStart.AddDate(8000, 0, 0) }), settings("a"), Hash{}, ErrSyntax},
		"an actor in quotes":          {first, stamp(func(s *Stamp) { s.Actor = `a","key":"b` }), settings("a"), Hash{}, ErrSyntax},
		"a key with a newline":        {first, stamp(func(s *Stamp) { s.Key = "a\nb" }), settings("a"), Hash{}, ErrSyntax},
		"a fact beyond ASCII":         {first, plainly, settings("é"), Hash{}, ErrSyntax},
		"a fact with a backslash":     {first, plainly, settings(`a\u0041`), Hash{}, ErrSyntax},
		"a fact with a smaller-than":  {first, plainly, settings("<"), Hash{}, ErrSyntax},
		"a fact with DEL":             {first, plainly, settings("\x7f"), Hash{}, ErrSyntax},
		"a number of 2^53":            {first, plainly, exported(1 << 53), Hash{}, ErrSyntax},
		"a line too long":             {first, plainly, settings(strings.Repeat("x", MaxLine)), Hash{}, ErrSyntax},
		"a seq of 2^53":               {last, plainly, settings("a"), Hash{}, ErrSyntax},
		"a detail without its hash":   {first, plainly, withDetail("{}"), Hash{}, ErrEvent},
		"a hash without its detail":   {first, plainly, settings("a"), Hash{1}, ErrEvent},
		"an array for a detail":       {first, plainly, withDetail("[]"), Hash{1}, ErrEvent},
		"half an object":              {first, plainly, withDetail(`{"a":`), Hash{1}, ErrEvent},
		"an empty detail":             {first, plainly, withDetail(""), Hash{1}, ErrEvent},
		"a detail not in UTF-8":       {first, plainly, withDetail("{\"a\":\"\xff\"}"), Hash{1}, ErrEvent},
		"a detail too large":          {first, plainly, withDetail(`{"a":"` + strings.Repeat("x", MaxDetail) + `"}`), Hash{1}, ErrEvent},
		"nothing":                     {first, plainly, Event{}, Hash{}, ErrEvent},
		"an operation not known":      {first, plainly, Event{Op: "vault.exploded"}, Hash{}, ErrEvent},
		"a fact missing":              {first, plainly, Event{Op: OpKeyRevoked, Facts: Facts{"key": Text("k")}}, Hash{}, ErrEvent},
		"a fact too many":             {first, plainly, Event{Op: OpKeyRevoked, Facts: Facts{"key": Text("k"), "user": Text("u"), "name": Text("n")}}, Hash{}, ErrEvent},
		"a fact of another kind":      {first, plainly, Event{Op: OpKeyRevoked, Facts: Facts{"key": Number(1), "user": Text("u")}}, Hash{}, ErrEvent},
		"a fact of no kind":           {first, plainly, Event{Op: OpKeyRevoked, Facts: Facts{"key": {}, "user": Text("u")}}, Hash{}, ErrEvent},
		"an empty id":                 {first, plainly, Event{Op: OpKeyRevoked, Facts: Facts{"key": Text(""), "user": Text("u")}}, Hash{}, ErrEvent},
		"a digest without its prefix": {first, plainly, Event{Op: OpDocumentDownloaded, Document: "d", Version: 1, Facts: Facts{"digest": Text(Hash{1}.String())}}, Hash{}, ErrEvent},
		"no document":                 {first, plainly, Event{Op: OpDocumentArchived, Facts: Facts{"revision": Number(1)}}, Hash{}, ErrEvent},
		"a document too many":         {first, plainly, Event{Op: OpSettingsUpdated, Document: "d", Facts: Facts{"changed": Texts()}}, Hash{}, ErrEvent},
		"a version too many":          {first, plainly, Event{Op: OpDocumentArchived, Document: "d", Version: 1, Facts: Facts{"revision": Number(1)}}, Hash{}, ErrEvent},
		"a detail too many":           {first, plainly, Event{Op: OpDocumentArchived, Document: "d", Facts: Facts{"revision": Number(1)}, Detail: []byte("{}")}, Hash{1}, ErrEvent},
	} {
		line, next, err := c.head.Next(c.stamp, c.event, c.detail)
		if !errors.Is(err, c.want) || line != nil || next != c.head {
			t.Errorf("%s: Next gives %.200q, %+v, %v; want %v", name, line, next, err, c.want)
		}
	}
}

// sample is a line with something of everything; refusedLines are it with one
// thing spelled otherwise.
const sample = `{"seq":2,"prev":"f4938dc019b861b85beb221b74cd75e9ac6b9d611cf7a27f108583f4535dbdb8","time":"2026-11-21T17:36:01.123Z",` +
	`"actor":"a b","key":"","op":"a_b.c_d_e","document":"d","version":0,"facts":{"a":"","aB":7,"b1":["x","y"],"c":[]},"detail":""}` + "\n"

func refusedLines() map[string]string {
	lines := map[string]string{
		"nothing": "", "a newline": "\n", "no newline": strings.TrimSuffix(sample, "\n"), "CRLF": strings.TrimSuffix(sample, "\n") + "\r\n",
		"two newlines": sample + "\n", "two lines": sample + sample, "a blank before": " " + sample, "BOM": "\ufeff" + sample,
		"longer than 64 KiB": strings.Replace(sample, `"a":""`, `"a":"`+strings.Repeat("x", MaxLine-len(sample)+1)+`"`, 1),
	}
	for _, c := range []struct{ name, old, new string }{
		{"a blank after a colon", `"seq":2`, `"seq": 2`},
		{"a blank at the end", "}\n", "} \n"},
		{"a leading zero", `"seq":2`, `"seq":02`},
		{"a plus sign", `"seq":2`, `"seq":+2`},
		{"a negative number", `"seq":2`, `"seq":-2`},
		{"a fraction", `"seq":2`, `"seq":2.0`},
		{"an exponent", `"seq":2`, `"seq":2e0`},
		{"a number in quotes", `"seq":2`, `"seq":"2"`},
		{"no number", `"seq":2`, `"seq":`},
		{"a number of 2^53", `"seq":2`, `"seq":9007199254740992`},
		{"a number beyond 64 bits", `"seq":2`, `"seq":18446744073709551618`},
		{"two zeros", `"version":0`, `"version":00`},
		{"null", `"version":0`, `"version":null`},
		{"a member in capitals", `"seq"`, `"Seq"`},
		{"an escape in a name", `"key"`, `"k\u0065y"`},
		{"a member missing", `"key":"",`, ``},
		{"a member twice", `"key":"",`, `"key":"","key":"",`},
		{"a member more", `"detail":""`, `"detail":"","more":""`},
		{"members in another order", `"actor":"a b","key":""`, `"key":"","actor":"a b"`},
		{"a hash in capitals", `"prev":"f493`, `"prev":"F493`},
		{"a hash too short", `"prev":"f493`, `"prev":"493`},
		{"a hash too long", `"prev":"f493`, `"prev":"0f493`},
		{"64 zeros", `"detail":""`, `"detail":"` + strings.Repeat("0", 64) + `"`},
		{"null for a hash", `"detail":""`, `"detail":null`},
		{"two fraction digits", `.123Z`, `.12Z`},
		{"no fraction", `.123Z`, `Z`},
		{"an offset", `.123Z`, `.123+00:00`},
		{"a small z", `.123Z`, `.123z`},
		{"a comma in the time", `.123Z`, `,123Z`},
		{"a day that is not", `2026-11-21`, `2026-11-31`},
		{"a leap second", `17:36:01`, `23:59:60`},
		{"no time", `2026-11-21T17:36:01.123Z`, ``},
		{"an escaped letter", `"a b"`, `"\u0061 b"`},
		{"an escaped slash", `"a b"`, `"a\/b"`},
		{"a tab", `"a b"`, "\"a\tb\""},
		{"a letter beyond ASCII", `"a b"`, `"ä"`},
		{"an ampersand", `"a b"`, `"a&b"`},
		{"null for a string", `"a b"`, `null`},
		{"no dot", `a_b.c_d_e`, `a_b`},
		{"two dots", `a_b.c_d_e`, `a.b.c`},
		{"a capital in the operation", `a_b.c_d_e`, `a_b.C_d_e`},
		{"a digit in the operation", `a_b.c_d_e`, `a_b.c1`},
		{"two underscores", `a_b.c_d_e`, `a__b.c`},
		{"an underscore first", `a_b.c_d_e`, `_a.b`},
		{"an underscore last", `a_b.c_d_e`, `a.b_`},
		{"no operation", `a_b.c_d_e`, ``},
		{"facts out of order", `"a":"","aB":7`, `"aB":7,"a":""`},
		{"a fact twice", `"a":"","aB":7`, `"a":"","a":7`},
		{"a fact without a name", `"a":""`, `"":""`},
		{"a name in capitals", `"a":""`, `"A":""`},
		{"a name with a digit first", `"a":""`, `"1":""`},
		{"a name with an underscore", `"aB":7`, `"a_b":7`},
		{"null for a fact", `"a":""`, `"a":null`},
		{"true for a fact", `"a":""`, `"a":true`},
		{"an object for a fact", `"a":""`, `"a":{}`},
		{"a number in a list", `["x","y"]`, `["x",1]`},
		{"a list in a list", `["x","y"]`, `[["x"]]`},
		{"a comma first in a list", `["x","y"]`, `[,"x"]`},
		{"a comma last in a list", `["x","y"]`, `["x",]`},
		{"a list without its end", `["x","y"]`, `["x","y"`},
		{"a comma first in facts", `{"a":""`, `{,"a":""`},
		{"a comma last in facts", `"c":[]}`, `"c":[],}`},
		{"null for facts", `{"a":"","aB":7,"b1":["x","y"],"c":[]}`, `null`},
		{"a list for facts", `{"a":"","aB":7,"b1":["x","y"],"c":[]}`, `[]`},
	} {
		lines[c.name] = strings.Replace(sample, c.old, c.new, 1)
	}
	return lines
}

func TestOneSpellingOnly(t *testing.T) {
	e, err := ParseEntry([]byte(sample))
	if err != nil {
		t.Fatal(err)
	}
	if o, ok := oracle([]byte(sample)); !ok || !o.same(e) {
		t.Error("the oracle refuses the sample")
	}
	head := Head{Vault: testVault, Seq: 1, Hash: e.Prev, Time: e.Time}
	if _, err := head.Follow([]byte(sample)); err != nil {
		t.Error(err)
	}
	longest := strings.Replace(sample, `"a":""`, `"a":"`+strings.Repeat("x", MaxLine-len(sample))+`"`, 1)
	if _, err := head.Follow([]byte(longest)); err != nil || len(longest) != MaxLine {
		t.Errorf("a line of %d bytes: %v", len(longest), err)
	}
	for name, line := range refusedLines() {
		if line == sample {
			t.Errorf("%s: changes nothing", name)
		}
		if next, err := head.Follow([]byte(line)); !errors.Is(err, ErrSyntax) || next != head {
			t.Errorf("%s: Follow gives %+v, %v", name, next, err)
		}
		if _, ok := oracle([]byte(line)); ok {
			t.Errorf("%s: the oracle accepts it", name)
		}
	}
}

func TestFollowRefusesWhatDoesNotFollow(t *testing.T) {
	l := fullLog()
	second := Head{testVault, 1, HashLine(l.lines[0]), testStart}
	for name, c := range map[string]struct {
		head Head
		line string
	}{
		"another first entry":       {Head{}, strings.Replace(string(l.lines[0]), "vault.created", "vault.resumed", 1)},
		"a first entry with a prev": {Head{}, strings.Replace(string(l.lines[0]), `"prev":""`, `"prev":"`+l.head.Hash.String()+`"`, 1)},
		"a first entry numbered 0":  {Head{}, strings.Replace(string(l.lines[0]), `"seq":1`, `"seq":0`, 1)},
		"no vault":                  {Head{}, strings.Replace(string(l.lines[0]), `"vault":"`+testVault+`"`, `"vault":""`, 1)},
		"a number for a vault":      {Head{}, strings.Replace(string(l.lines[0]), `"vault":"`+testVault+`"`, `"vault":1`, 1)},
		"the first entry again":     {second, string(l.lines[0])},
		"the third entry":           {second, string(l.lines[2])},
		"another prev":              {Head{testVault, 1, Hash{1}, testStart}, string(l.lines[1])},
		"no prev":                   {second, strings.Replace(string(l.lines[1]), second.Hash.String(), "", 1)},
		"an earlier time":           {Head{testVault, 1, second.Hash, testStart.Add(time.Hour)}, string(l.lines[1])},
		"a second vault":            {second, strings.Replace(string(l.lines[1]), "user.created", "vault.created", 1)},
	} {
		if next, err := c.head.Follow([]byte(c.line)); !errors.Is(err, ErrChain) || next != c.head {
			t.Errorf("%s: Follow gives %+v, %v", name, next, err)
		}
	}
	unknown := strings.Replace(string(l.lines[1]), `"op":"user.created"`, `"op":"later.added"`, 1)
	if _, err := second.Follow([]byte(unknown)); err != nil {
		t.Errorf("Follow refuses an operation of a later release: %v", err)
	}
}

func TestFollowDoesNotAllocate(t *testing.T) {
	l := fullLog()
	h, err := Head{}.Follow(l.lines[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		h := h
		for _, line := range l.lines[1:] {
			if h, err = h.Follow(line); err != nil {
				t.Fatal(err)
			}
		}
	}); n > 0 {
		t.Errorf("Follow allocates %v times", n)
	}
}

func TestFactsOf(t *testing.T) {
	for _, facts := range []Facts{nil, {"facts": Text("a,b"), "detail": Text("x"), "zz": Number(7)}, {"detail": Texts("a", "b")}, {"a": Texts()}} {
		e := Entry{Seq: 1, Time: testStart, Actor: "system", Op: OpVaultCreated, Facts: facts}
		for _, e.Detail = range []Hash{{}, {1}} {
			line, err := e.appendLine(nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseEntry(line); err != nil {
				t.Fatal(err)
			}
			if want, _ := facts.MarshalJSON(); string(FactsOf(line)) != string(want) {
				t.Errorf("%s has the facts %s", line, FactsOf(line))
			}
		}
	}
}
