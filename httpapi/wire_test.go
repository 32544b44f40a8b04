package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"strongroom/audit"
)

// What prints itself by hand is what encoding/json says: with each member alone, so
// that one added later fails here until it is printed, and with random values.
func TestPrintedByHand(t *testing.T) {
	for _, is := range []reflect.Type{
		typeOf[Document](), typeOf[Version](), typeOf[SuppliedText](), typeOf[TextState](), typeOf[Lock](), typeOf[LockUser](),
		typeOf[Entry](), typeOf[FoundDocument](), typeOf[Found](),
		typeOf[List[Document]](), typeOf[List[Version]](), typeOf[List[Entry]](), typeOf[List[Hold]](),
	} {
		if !is.Implements(typeOf[printed]()) {
			t.Errorf("%s does not print itself", is)
		}
		comparePrinted(t, reflect.Zero(is))
		d := drawer{rand.New(rand.NewPCG(18, 11))}
		for i := range is.NumField() {
			for range 20 {
				v := reflect.New(is).Elem()
				d.fill(v.Field(i), 3)
				comparePrinted(t, v)
			}
		}
		for range 300 {
			v := reflect.New(is).Elem()
			d.fill(v, 3)
			comparePrinted(t, v)
		}
	}
}

// Every character is spelled as by encoding/json, and every byte that is none.
func TestPrintedText(t *testing.T) {
	for c := range rune(0x3000) {
		comparePrinted(t, reflect.ValueOf(TextState{Reason: "a" + string(c) + "b"}))
	}
	for c := range 256 {
		comparePrinted(t, reflect.ValueOf(TextState{Reason: "é" + string([]byte{byte(c)}) + "b"}))
	}
}

// A detail is sent without its blanks.
func TestPrintedDetail(t *testing.T) {
	comparePrinted(t, reflect.ValueOf(Entry{Detail: json.RawMessage(" { \"a\" : [ 1, 2 ] ,\n\"b\":\"x  y<\u2028\"}\n")}))
}

// What encoding/json refuses is refused with its words, and is no half an answer.
func TestPrintedErrors(t *testing.T) {
	for _, v := range []any{
		Document{CustomFields: map[string]any{"n": json.Number("1 ")}},
		Document{CustomFields: map[string]any{"n": json.Number("0x1")}},
		Document{CustomFields: map[string]any{"n": math.NaN()}},
		List[Document]{Items: []Document{{}, {CustomFields: map[string]any{"n": make(chan int)}}}},
		Entry{Facts: json.RawMessage(`{}`), Detail: json.RawMessage(`{"a":1}}`)},
	} {
		w := &wire{}
		if w.value(v); w.err == nil {
			t.Errorf("%+v is printed as %s", v, w.b)
		}
		if _, err := json.Marshal(v); err == nil {
			t.Errorf("encoding/json takes %+v", v)
		}
	}
}

func comparePrinted(t *testing.T, v reflect.Value) {
	t.Helper()
	var want bytes.Buffer
	e := json.NewEncoder(&want)
	e.SetEscapeHTML(false)
	if err := e.Encode(v.Interface()); err != nil {
		t.Fatal(err)
	}
	w := &wire{}
	if w.value(v.Interface()); w.err != nil || string(w.b)+"\n" != want.String() {
		t.Fatalf("%s is printed as\n%s (%v), and by encoding/json as\n%s", v.Type(), w.b, w.err, &want)
	}
}

// drawer fills values of the wire at random, and no member is left empty more often
// than now and then.
type drawer struct{ *rand.Rand }

func (d drawer) fill(v reflect.Value, depth int) {
	switch to := v.Addr().Interface().(type) {
	case *Time:
		*to = Time(time.UnixMilli(d.Int64N(4e12)).Add(time.Duration(d.IntN(2e6))))
		if d.IntN(8) == 0 {
			*to = Time{}
		}
		return
	case *json.RawMessage:
		*to = json.RawMessage([]string{`{}`, `{"a":"b<c>&","c":["d e","\n"]}`, `{"a":1}`, "null"}[d.IntN(4)])
		return
	case *audit.Hash:
		for i := range to {
			to[i] = byte(d.Uint32())
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(d.text())
	case reflect.Bool:
		v.SetBool(d.IntN(4) > 0)
	case reflect.Uint64:
		v.SetUint(d.Uint64() >> d.IntN(64))
	case reflect.Uint8:
		v.SetUint(d.Uint64N(256))
	case reflect.Int64:
		v.SetInt(d.Int64() >> d.IntN(64) * int64(1-2*d.IntN(2)))
	case reflect.Float64:
		v.SetFloat(d.NormFloat64() * math.Pow10(d.IntN(50)-25))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.fill(v.Elem(), depth)
	case reflect.Struct:
		for i := range v.NumField() {
			d.fill(v.Field(i), depth)
		}
	case reflect.Array:
		for i := range v.Len() {
			d.fill(v.Index(i), depth)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), d.IntN(4), 4))
		for i := range v.Len() {
			d.fill(v.Index(i), depth)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range d.IntN(4) {
			v.SetMapIndex(reflect.ValueOf(d.text()), reflect.ValueOf(d.any(depth)))
		}
	default:
		panic(fmt.Sprintf("nothing is drawn of type %s", v.Type()))
	}
}

func (d drawer) text() string {
	pieces := []string{"a", "Lease 7", "ä", "日本", "\U0001F600", "<&>", `"`, `\`, "\n", "\t", "\x00", "\x1f", "\x7f", "\u2028", "\u2029", "\ufffd", "\xff", "\xe2\x80", "/", "'"}
	if d.IntN(3) > 0 {
		pieces = pieces[:4] // what goes without escapes
	}
	out := ""
	for range 1 + d.IntN(4) {
		out += pieces[d.IntN(len(pieces))]
	}
	return out
}

// any draws what a custom field may be, and what it may not.
func (d drawer) any(depth int) any {
	switch d.IntN(8) {
	case 0:
		return d.IntN(2) == 0
	case 1:
		return json.Number([]string{"", "0", "-1.50", "1e300", "12345678901234567890"}[d.IntN(5)])
	case 2:
		return d.NormFloat64()
	case 3:
		return nil
	case 4:
		if depth > 0 {
			return []any{d.any(depth - 1), map[string]any{d.text(): d.any(depth - 1)}}
		}
	}
	return d.text()
}
