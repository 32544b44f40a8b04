package httpapi

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"strongroom/audit"
	"strongroom/engine"
)

// wire is JSON on its way to a client, byte for byte as encoding/json prints it
// without escaping for HTML. What lists are made of is printed by hand, for half of
// the work of a page was encoding/json's looking for the members; a test compares
// each member with what encoding/json says. Everything else is left to it.
//
// After an error the rest does not matter.
type wire struct {
	b   []byte
	err error
}

// printed is a type that prints itself. Members stand in the order of the struct.
type printed interface{ print(*wire) }

// Write is for an encoder of encoding/json.
func (w *wire) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

// value appends any value.
func (w *wire) value(v any) {
	if p, ok := v.(printed); ok {
		p.print(w)
		return
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		w.fail(err)
		return
	}
	w.b = w.b[:len(w.b)-len("\n")]
}

func (w *wire) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *wire) begin() { w.b = append(w.b, '{') }
func (w *wire) end()   { w.b = append(w.b, '}') }

// next begins the next member, or element: no value ends with a bracket that opens.
func (w *wire) next() {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
}

// member begins a member. Its name needs no escapes.
func (w *wire) member(name string) {
	w.next()
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *wire) text(name, s string) {
	w.member(name)
	w.spell(s)
}

func (w *wire) filled(name, s string) {
	if s != "" {
		w.text(name, s)
	}
}

// spell appends a string. One that needs an escape is for encoding/json.
func (w *wire) spell(s string) {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == '"' || c == '\\':
			w.value(s)
			return
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && (!utf8.ValidString(s) || strings.ContainsAny(s, "\u2028\u2029")) {
		w.value(s)
		return
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *wire) number(name string, n uint64) {
	w.member(name)
	w.b = strconv.AppendUint(w.b, n, 10)
}

func (w *wire) size(name string, n int64) {
	w.member(name)
	w.b = strconv.AppendInt(w.b, n, 10)
}

func (w *wire) truth(name string, is bool) {
	w.member(name)
	w.b = strconv.AppendBool(w.b, is)
}

func (w *wire) time(name string, t Time) {
	w.member(name)
	if time.Time(t).IsZero() {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = append(w.b, '"')
	w.b = audit.AppendTime(w.b, time.Time(t))
	w.b = append(w.b, '"')
}

func (w *wire) hash(name string, h audit.Hash) {
	w.member(name)
	w.b = append(w.b, '"')
	w.b = hex.AppendEncode(w.b, h[:])
	w.b = append(w.b, '"')
}

func (w *wire) digest(name string, d engine.Digest) {
	w.member(name)
	w.b = append(w.b, `"sha256:`...)
	w.b = hex.AppendEncode(w.b, d[:])
	w.b = append(w.b, '"')
}

// spelled appends a member that is known to be JSON, without blanks.
func (w *wire) spelled(name string, text json.RawMessage) {
	w.member(name)
	if text == nil {
		text = json.RawMessage("null")
	}
	w.b = append(w.b, text...)
}

// raw appends a member that should be JSON, without its blanks.
func (w *wire) raw(name string, text json.RawMessage) {
	w.member(name)
	b := bytes.NewBuffer(w.b)
	if err := json.Compact(b, text); err != nil {
		w.fail(err)
		return
	}
	w.b = b.Bytes()
}

func (w *wire) texts(name string, list []string) {
	w.member(name)
	if list == nil {
		w.b = append(w.b, "null"...)
		return
	}
	w.b = append(w.b, '[')
	for _, s := range list {
		w.next()
		w.spell(s)
	}
	w.b = append(w.b, ']')
}

// values appends an object whose names are not known.
func (w *wire) values(name string, m map[string]any) {
	w.member(name)
	if m == nil {
		w.b = append(w.b, "null"...)
		return
	}
	w.begin()
	if len(m) > 0 {
		for _, key := range slices.Sorted(maps.Keys(m)) {
			w.next()
			w.spell(key)
			w.b = append(w.b, ':')
			if s, ok := m[key].(string); ok {
				w.spell(s)
			} else {
				w.value(m[key])
			}
		}
	}
	w.end()
}

// items appends a list. Only of types that print themselves the elements are told
// apart.
func items[T any](w *wire, name string, list []T) {
	w.member(name)
	if _, ok := any((*T)(nil)).(printed); !ok || list == nil {
		w.value(list)
		return
	}
	w.b = append(w.b, '[')
	from := len(w.b)
	for i := range list {
		if i == 1 { // the others will be about as long
			w.b = slices.Grow(w.b, (len(w.b)-from)*len(list)*9/8)
		}
		w.next()
		any(&list[i]).(printed).print(w)
	}
	w.b = append(w.b, ']')
}
