package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
)

// began is when the logs of these tests begin; entry n is n seconds later.
var began = time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC)

func at(seq uint64) time.Time { return began.Add(time.Duration(seq) * time.Second) }

// said makes an entry by "ada", with facts given as names and values. Its detail
// is hashed, "" for none; "gone" for one that was erased.
func said(seq uint64, op audit.Op, document string, version uint64, detail string, facts ...any) (audit.Entry, []byte) {
	e := audit.Entry{Seq: seq, Time: at(seq)}
	e.Op, e.Actor, e.Document, e.Version, e.Facts = op, "ada", document, version, audit.Facts{}
	for i := 0; i < len(facts); i += 2 {
		switch value := facts[i+1].(type) {
		case string:
			e.Facts[facts[i].(string)] = audit.Text(value)
		case int:
			e.Facts[facts[i].(string)] = audit.Number(uint64(value))
		case []string:
			e.Facts[facts[i].(string)] = audit.Texts(value...)
		}
	}
	switch detail {
	case "":
		return e, nil
	case "gone":
		e.Detail[0] = 1
		return e, nil
	}
	e.Detail[0] = 1
	return e, []byte(detail)
}

// shown spells members, sorted by name, without those that are nothing.
func shown(m Members) string {
	var s []string
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if m[name] != (Value{}) {
			s = append(s, fmt.Sprintf("%s: %s", name, m[name]))
		}
	}
	return strings.Join(s, "; ")
}

func want(t *testing.T, what string, is, want any) {
	t.Helper()
	if !reflect.DeepEqual(is, want) {
		t.Errorf("%s:\n got %v\nwant %v", what, is, want)
	}
}

func fails(t *testing.T, err error, with string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), with) {
		t.Errorf("want an error with %q, got %v", with, err)
	}
}

func TestValues(t *testing.T) {
	for _, nothing := range []Value{Text(""), Number(0), Flag(false), Time(time.Time{}), List([]string(nil)), List([]string{}), Hash(audit.Hash{}),
		Given(nil), spelled(nil), spelled([]any{}), spelled(json.Number("0"))} {
		if nothing != (Value{}) || nothing.String() != "nothing" {
			t.Errorf("%v is something", nothing)
		}
	}
	distinct := []Value{Text("1"), Number(1), Number(1 << 63), Flag(true), Text("true"), Time(began), Text(audit.FormatTime(began)), List([]string{"1"}),
		List([]string{"1", "2"}), List([]string{"1 2"}), List([]string{""}), Given(""), Given("1"), Given(json.Number("1")), Given("true"), Given(true), Given(false)}
	for i, v := range distinct {
		for _, other := range distinct[i+1:] {
			if v == other {
				t.Errorf("%v equals %v", v, other)
			}
		}
	}
	same := [][2]Value{{Time(began), Time(began.In(time.FixedZone("x", 3600)))}, {List([]uint64{30, 7}), List([]any{json.Number("30"), json.Number("7")})},
		{Number(7), spelled(json.Number("7"))}, {Text("a"), spelled("a")}, {Flag(true), spelled(true)}, {Reminder(0), Text("0")}}
	for _, pair := range same {
		if pair[0] != pair[1] {
			t.Errorf("%v is not %v", pair[0], pair[1])
		}
	}
	if s := Text(strings.Repeat("é", 500)).String(); len(s) > 200 {
		t.Errorf("a long text is spelled with %d bytes", len(s))
	}
}

func TestDifferences(t *testing.T) {
	was := Thing{Facts: Members{"a": Number(1), "b": Text("x"), "left": Flag(true), "none": {}}, Texts: Members{"name": Text("Ada")}}
	is := Thing{Facts: Members{"a": Number(2), "b": Text("x"), "more": Flag(true), "empty": {}}, Texts: Members{"name": Text("Eve")}}
	want(t, "differences", was.Differences(is), []Difference{
		{"a", Number(2), Number(1), false}, {"left", Value{}, Flag(true), false}, {"more", Flag(true), Value{}, false}, {"name", Text("Eve"), Text("Ada"), true},
	})
	// What a person wrote is not repeated, and nothing is spelled as its kind is.
	long := strings.Repeat("x", 80)
	for want, d := range map[string]Difference{
		"a is 2, the log says 1":                  {"a", Number(2), Number(1), false},
		"a is 0, the log says 1":                  {"a", Value{}, Number(1), false},
		"left is false, the log says true":        {"left", Value{}, Flag(true), false},
		"owner is nothing, the log says 01M":      {"owner", Value{}, Text("01M"), false},
		`url is "\x1b[31m", the log says nothing`: {"url", Text("\x1b[31m"), Value{}, false},
		"name is not what the log says":           {"name", Text("Eve"), Text("Ada"), true},
		"status is not what the log says":         {"status", Text(long + "a"), Text(long + "b"), false},
	} {
		if got := d.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	was.Erased = true
	if found := was.Differences(is); len(found) != 3 {
		t.Errorf("what is erased is compared: %v", found)
	}
	if found := is.Differences(is); found != nil {
		t.Errorf("differs from itself: %v", found)
	}
}
