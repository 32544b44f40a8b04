package replay

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

var details = []string{
	`{}`, `null`, `[]`, ``, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1}}`, `{"a":1} `, ` {"a":1}`, `{"a":1}{"b":2}`,
	`{"name":"Lease","tags":["a","b:c"],"customFields":{"value":12.50,"open":true,"none":null,"off":false}}`,
	`{"a":"1","a":"2","b":{"c":1},"b":{"d":2}}`, `{"a":"\u00fc\"\\"}`, `{"ü":"ü"}`, "{\"a\":\"\xff\"}", "{\"\xff\":1}", "{\"a\":\"\n\"}", "{\"a\":\"\x7f\"}",
	`{"a":01}`, `{"a":-0}`, `{"a":-}`, `{"a":1.}`, `{"a":.1}`, `{"a":1e5}`, `{"a":1E5}`, `{"a":1ee}`, `{"a":0.0}`, `{"a":truer}`, `{"a":nul}`, `{"a":[]}`,
	`{"a":[1,[2,[3,{"b":[{}]}]]]}`, `{"a":[[[[[[[[[[]]]]]]]]]]}`, `{"name":{"old":"a","new":"b"}}`, `{"a":"b}`, `{"a":[1,2}`, `{"":""}`,
}

func sameMembers(t *testing.T, detail []byte) {
	t.Helper()
	is, err := members(detail)
	var want map[string]any
	from := json.NewDecoder(bytes.NewReader(detail))
	from.UseNumber()
	wrong := from.Decode(&want)
	if (err != nil) != (wrong != nil) || err == nil && !reflect.DeepEqual(is, want) {
		t.Errorf("%q: got %v, %v, want %v, %v", detail, is, err, want, wrong)
	}
}

// What members reads itself it reads as encoding/json does, and what that refuses it
// refuses.
func TestMembersAreReadAsJSON(t *testing.T) {
	for _, detail := range details {
		sameMembers(t, []byte(detail))
		for i := range detail { // cut short, or with another byte
			sameMembers(t, []byte(detail[:i]))
			for _, c := range []byte("\"\\{}[]:,0-. \x00\xc3") {
				changed := []byte(detail)
				changed[i] = c
				sameMembers(t, changed)
			}
		}
	}
}
