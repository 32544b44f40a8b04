// Package replay tells from a log alone what a vault holds. It folds entries,
// with those of their details that are still there, into things: users, keys,
// policies, documents and all else of which the log tells. Whoever has a vault's
// rows spells them as things too, and compares the two.
//
// There are two folds. [Accounts] takes every entry of the log in order and
// keeps what is small: all but the documents. [Document] takes the entries about
// one document, in order, and can be forgotten when that document is compared.
//
// The package shares no type with what writes vaults, so that a mistake there
// is not repeated here. It trusts no entry: one that cannot be is an error, and
// the fold goes on without it.
package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"strongroom/audit"
)

// Value is the value of one member of a thing. Two of them are equal (==) if
// they say the same. The zero Value is nothing: the empty text, 0, false, the
// zero time and the empty list are all that, as an absent member is.
type Value struct {
	kind   valueKind
	number int64
	text   string
}

type valueKind byte

const (
	isNothing valueKind = iota
	isText
	isNumber
	isFlag
	isTime
	isGiven
	isGivenText
)

// Text returns the Value of a text.
func Text[T ~string](s T) Value {
	if s == "" {
		return Value{}
	}
	return Value{kind: isText, text: string(s)}
}

// Number returns the Value of a number.
func Number(n uint64) Value {
	if n == 0 {
		return Value{}
	}
	return Value{kind: isNumber, number: int64(n)}
}

// Flag returns the Value of a flag.
func Flag(f bool) Value {
	if !f {
		return Value{}
	}
	return Value{kind: isFlag}
}

// Time returns the Value of an instant, to the millisecond.
func Time(at time.Time) Value {
	if at.IsZero() {
		return Value{}
	}
	return Value{kind: isTime, number: at.UnixMilli()}
}

// Hash returns the Value of a hash; the zero hash is nothing.
func Hash(h audit.Hash) Value {
	if h.IsZero() {
		return Value{}
	}
	return Text(h.String())
}

// List returns the Value of a list, in its order.
func List[T any](items []T) Value {
	if len(items) == 0 {
		return Value{}
	}
	var memory [256]byte
	b := memory[:0]
	if texts, are := any(items).([]string); are {
		for _, text := range texts {
			b = append(strconv.AppendQuote(b, text), ' ')
		}
		return Text(string(b))
	}
	for _, item := range items {
		text, is := any(item).(string)
		if !is {
			text = fmt.Sprint(item)
		}
		b = append(strconv.AppendQuote(b, text), ' ')
	}
	return Text(string(b))
}

// Given returns the Value of what JSON can say where even an empty text is
// something: what a custom field was given. Nil is nothing.
func Given(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case string:
		return Value{kind: isGivenText, text: v}
	case json.Number:
		return Value{kind: isGiven, text: string(v)}
	}
	return Value{kind: isGiven, text: fmt.Sprint(v)}
}

// String spells a Value for people, cut short after some words. What a terminal
// would not print as it stands is quoted.
func (v Value) String() string {
	switch v.kind {
	case isNothing:
		return "nothing"
	case isNumber:
		return strconv.FormatUint(uint64(v.number), 10)
	case isFlag:
		return "true"
	case isTime:
		return audit.FormatTime(time.UnixMilli(v.number))
	case isGivenText:
		return Value{kind: isGiven, text: strconv.Quote(v.text)}.String()
	}
	text := fmt.Sprintf("%.80s", v.text)
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(text)
	}
	return text
}

// as spells a Value beside another, whose kind says what nothing is.
func (v Value) as(beside Value) string {
	switch {
	case v.kind != isNothing:
	case beside.kind == isFlag:
		return "false"
	case beside.kind == isNumber:
		return "0"
	}
	return v.String()
}

// Members are members of a thing by name.
type Members map[string]Value

// Thing is one thing that a vault holds: as its entries tell it, or as a row has
// it.
type Thing struct {
	Facts  Members // what facts tell, which stay for ever
	Texts  Members // what details tell, which an erasure removes
	Erased bool    // a detail is gone, so that Texts are not known
}

// Member is one member of a thing.
type Member struct {
	Name  string
	Value Value
}

// Is returns a Member.
func Is(name string, v Value) Member { return Member{name, v} }

// Row is a thing as a row has it, spelled only to be compared: it takes a fraction of
// the time of a Thing. No name may be there twice.
type Row struct{ Facts, Texts []Member }

// Difference is a member of a thing that is not what the log says.
type Difference struct {
	Name    string
	Is, Was Value // Was is what the log says
	Text    bool  // it is one of Thing.Texts
}

// String says what differs. It does not repeat what a person wrote: a finding
// goes to terminals and logs, where that has no place.
func (d Difference) String() string {
	is, was := d.Is.as(d.Was), d.Was.as(d.Is)
	if d.Text || is == was {
		return d.Name + " is not what the log says"
	}
	return fmt.Sprintf("%s is %s, the log says %s", d.Name, is, was)
}

// Differences compares a thing with what the log says of it, by name.
func (said Thing) Differences(is Thing) []Difference {
	found := differences(nil, said.Facts, is.Facts, false)
	if !said.Erased {
		found = differences(found, said.Texts, is.Texts, true)
	}
	sortByName(found)
	return found
}

// DifferencesOf is Differences, of a row.
func (said Thing) DifferencesOf(is Row) []Difference {
	found := differencesOf(nil, said.Facts, is.Facts, false)
	if !said.Erased {
		found = differencesOf(found, said.Texts, is.Texts, true)
	}
	sortByName(found)
	return found
}

func sortByName(found []Difference) {
	slices.SortFunc(found, func(a, b Difference) int { return strings.Compare(a.Name, b.Name) })
}

func differencesOf(found []Difference, said Members, is []Member, text bool) []Difference {
	compared := 0
	for _, m := range is {
		was, told := said[m.Name]
		if told {
			compared++
		}
		if m.Value != was {
			found = append(found, Difference{m.Name, m.Value, was, text})
		}
	}
	if compared == len(said) {
		return found
	}
	for name, was := range said {
		if was != (Value{}) && !slices.ContainsFunc(is, func(m Member) bool { return m.Name == name }) {
			found = append(found, Difference{name, Value{}, was, text})
		}
	}
	return found
}

func differences(found []Difference, said, is Members, text bool) []Difference {
	for name, value := range is {
		if was := said[name]; value != was {
			found = append(found, Difference{name, value, was, text})
		}
	}
	for name, was := range said {
		if _, compared := is[name]; !compared && was != (Value{}) {
			found = append(found, Difference{name, Value{}, was, text})
		}
	}
	return found
}

func newThing() *Thing { return &Thing{Facts: Members{}, Texts: Members{}} }

// reset makes it a new thing, in the same memory if that is not much.
func (said *Thing) reset() {
	for _, members := range []*Members{&said.Facts, &said.Texts} {
		if *members == nil || len(*members) > mostKept {
			*members = make(Members, 16)
		}
		clear(*members)
	}
	said.Erased = false
}

func (said *Thing) clone() *Thing {
	return &Thing{maps.Clone(said.Facts), maps.Clone(said.Texts), said.Erased}
}
