package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

type decoded struct {
	Name   string         `json:"name"`
	Count  uint64         `json:"count"`
	Yes    *bool          `json:"yes"`
	Tags   []string       `json:"tags"`
	Fields map[string]any `json:"fields"`
	When   member[Time]   `json:"when"`
	Inner  struct {
		Bytes []byte `json:"bytes"`
	} `json:"inner"`
	Any any `json:"any"`
}

func decodeInto[T any](data string) (v T, err error) {
	s := shapes{}
	s.add(reflect.TypeFor[T]())
	err = s.decode([]byte(data), reflect.ValueOf(&v).Elem(), "")
	return v, err
}

func TestDecode(t *testing.T) {
	var v decoded
	s := shapes{}
	s.add(reflect.TypeFor[decoded]())
	err := s.decode([]byte(` {"name":"\u00e9\ud83d\ude00","count":18446744073709551615,"yes":true,"tags":["a"],"fields":{"n":1.50,"x":null},`+
		`"when":null,"inner":{"bytes":"AAE="},"any":[{"a":1}]} `), reflect.ValueOf(&v).Elem(), "")
	if err != nil {
		t.Fatal(err)
	}
	if v.Name != "é😀" || v.Count != 1<<64-1 || !*v.Yes || v.Tags[0] != "a" || v.Fields["n"] != json.Number("1.50") ||
		v.Fields["x"] != nil || len(v.Fields) != 2 || !v.When.present || v.When.value != nil || !bytes.Equal(v.Inner.Bytes, []byte{0, 1}) {
		t.Errorf("%+v", v)
	}
}

func TestDecodeRefusesByName(t *testing.T) {
	deep := strings.Repeat("[", 70) + strings.Repeat("]", 70)
	for body, want := range map[string]string{
		``:                                       "body: is missing",
		" \n":                                    "body: is missing",
		`{`:                                      "body: is not JSON",
		`{} {}`:                                  "body: is not JSON",
		`null`:                                   "body: must be an object",
		`[]`:                                     "body: must be an object",
		`"x"`:                                    "body: must be an object",
		"{\"name\":\"\xff\"}":                    "body: is not UTF-8",
		`{"name":null}`:                          "name: must be a string",
		`{"name":["x"]}`:                         "name: must be a string",
		`{"NAME":"x"}`:                           "NAME: is not a member of this request; it is spelled name",
		`{"nome":"x"}`:                           "nome: is not a member of this request",
		`{"name":"x","name":"x"}`:                "name: is given twice",
		`{"name":"\udc00"}`:                      "name: is not Unicode",
		`{"name":"\ud800\u0041"}`:                "name: is not Unicode",
		`{"name":"\\\ud800"}`:                    "name: is not Unicode",
		`{"\ud800":1}`:                           "body: is not Unicode",
		`{"count":-1}`:                           "count: must be a whole number",
		`{"count":1.0}`:                          "count: must be a whole number",
		`{"count":18446744073709551616}`:         "count: must be a whole number",
		`{"count":"1"}`:                          "count: must be a whole number",
		`{"yes":1}`:                              "yes: must be true or false",
		`{"yes":null}`:                           "yes: must be true or false",
		`{"tags":"a"}`:                           "tags: must be an array",
		`{"tags":["a",1]}`:                       "tags[1]: must be a string",
		`{"tags":null}`:                          "tags: must be an array",
		`{"fields":[]}`:                          "fields: must be an object",
		`{"fields":{"a":1,"a":1}}`:               "fields.a: is given twice",
		`{"fields":{"a":{"b":1,"b":1}}}`:         "fields.a.b: is given twice",
		`{"fields":{"a":` + deep + `}}`:          "fields.a[0][0]",
		`{"when":"yesterday"}`:                   "when: must be a time",
		`{"when":7}`:                             "when: must be a string",
		`{"inner":{"bytes":"A"}}`:                "inner.bytes: must be a string in base64",
		`{"inner":{"bytes":1}}`:                  "inner.bytes: must be a string in base64",
		`{"inner":{"other":1}}`:                  "inner.other: is not a member",
		`{"` + strings.Repeat("n", 500) + `":1}`: strings.Repeat("n", 80) + "…: is not a member",
	} {
		_, err := decodeInto[decoded](body)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.80s: %v, want %s", body, err, want)
		}
	}
}

// FuzzStrictJSON: what is accepted means the same to encoding/json, which is
// laxer, and nothing panics.
func FuzzStrictJSON(f *testing.F) {
	f.Add(`{"name":"x","count":1,"yes":true,"tags":["a"],"fields":{"a":1e5,"b":"\ud83d\ude00"},"when":"2026-01-01T00:00:00Z","any":[null,{}]}`)
	f.Add(`{"name":"\ud800","NAME":1}`)
	f.Add(`[[[[`)
	f.Fuzz(func(t *testing.T, body string) {
		type plain struct {
			Name   string         `json:"name"`
			Count  uint64         `json:"count"`
			Tags   []string       `json:"tags"`
			Fields map[string]any `json:"fields"`
			Any    any            `json:"any"`
		}
		strict, err := decodeInto[plain](body)
		if err != nil {
			if _, ok := err.(*invalidError); !ok {
				t.Errorf("the error is a %T", err)
			}
			return
		}
		d := json.NewDecoder(strings.NewReader(body))
		d.UseNumber()
		var lax plain
		if err := d.Decode(&lax); err != nil {
			t.Fatalf("accepted what is not JSON: %v", err)
		}
		if !reflect.DeepEqual(strict, lax) {
			t.Errorf("%q is %+v, strictly %+v", body, lax, strict)
		}
	})
}

// TestDecodeCostsWhatTheBodyDoes: no body may cost much more memory than it is
// long, wherever it is refused.
func TestDecodeCostsWhatTheBodyDoes(t *testing.T) {
	name, members := strings.Repeat("n", 100_000), ""
	for i := range 10_000 {
		members += fmt.Sprintf(`"%d":1,`, i)
	}
	for what, body := range map[string]string{
		"a long name above many values": `{"fields":{"` + name + `":[` + strings.Repeat("1,", 10_000) + `1]}}`,
		"a long name above many names":  `{"any":{"` + name + `":{` + members + `"":1}}}`,
		"more than fields may have":     `{"any":[` + strings.Repeat("{},", 1<<20) + `1]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decodeInto[decoded](body)
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(20*len(body)+100<<20) {
			t.Errorf("%s: %d MiB for %d: %v", what, spent>>20, len(body)>>20, err)
		}
	}
	// What is base64 becomes no more than it is, and is limited elsewhere.
	if _, err := decodeInto[decoded](`{"inner":{"bytes":"` + strings.Repeat("AAAA", maxFields) + `"},"count":1}`); err != nil {
		t.Error(err)
	}
}
