package replay

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"strongroom/audit"
)

// entry is one entry with its detail, read.
type entry struct {
	audit.Entry
	members map[string]any // of the detail; where that says what was and what is, what is
	erased  bool           // there was a detail, and it is gone
}

// read reads the detail of an entry: an object of members, or, of a change, of
// members with what was and what is.
func read(e audit.Entry, detail []byte) (*entry, error) {
	r := &entry{Entry: e}
	if detail == nil {
		r.erased = !e.Detail.IsZero()
		return r, nil
	}
	var err error
	if r.members, err = members(detail); err != nil {
		return nil, err
	}
	switch e.Op {
	case audit.OpDocumentUpdated, audit.OpDocumentReverted, audit.OpUserUpdated, audit.OpFieldUpdated, audit.OpSettingsUpdated,
		audit.OpObligationUpdated, audit.OpPolicyUpdated, audit.OpWebhookUpdated, audit.OpClientUpdated:
		for name, value := range r.members {
			change, _ := value.(map[string]any)
			r.members[name] = change["new"]
		}
	}
	return r, nil
}

// word returns a fact that is a text, "" if there is none.
func (e *entry) word(name string) string {
	s, _ := e.Facts[name].AsText()
	return s
}

// number returns a fact that is a number, 0 if there is none.
func (e *entry) number(name string) uint64 {
	n, _ := e.Facts[name].AsNumber()
	return n
}

func (e *entry) flag(name string) bool { return e.word(name) == "true" }

// time returns the Value of a fact that is a time; one that is none is a text,
// which equals no time.
func (e *entry) time(name string) Value {
	at, err := audit.ParseTime(e.word(name))
	if err != nil {
		return Text(e.word(name))
	}
	return Time(at)
}

// setting returns a fact that is a setting, in the Value its detail gives it.
func (e *entry) setting(name string) (Value, bool) {
	fact, told := e.Facts[name]
	if n, is := fact.AsNumber(); is {
		return Number(n), told
	}
	if list, is := fact.AsTexts(); is {
		return List(list), told
	}
	switch word := e.word(name); word {
	case "true", "false":
		return Flag(word == "true"), told
	default:
		return Text(word), told
	}
}

// text returns a member of the detail that is a text, "" if there is none.
func (e *entry) text(name string) string {
	s, _ := e.members[name].(string)
	return s
}

// tell takes over what the detail says of a thing: of each pair, the first is
// the member's name there, the second its name as a Text of the thing. What the
// detail does not name stays.
func (e *entry) tell(t *Thing, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if value, told := e.members[pairs[i]]; told {
			t.Texts[pairs[i+1]] = spelled(value)
		}
	}
	t.Erased = t.Erased || e.erased
}

// made notes when a thing was made, which is its first revision; changed notes
// a later one.
func (e *entry) made(t *Thing) {
	t.Facts["created at"] = Time(e.Time)
}

func (e *entry) changed(t *Thing) {
	t.Facts["updated at"] = Time(e.Time)
	revise(t)
}

func revise(t *Thing) {
	t.Facts["the revision"] = Number(uint64(t.Facts["the revision"].number) + 1)
}

// spelled returns the Value of what JSON says.
func spelled(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{}
	case string:
		return Text(v)
	case bool:
		return Flag(v)
	case []any:
		return List(v)
	case json.Number:
		if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
			return Number(n)
		}
	}
	return Text(fmt.Sprint(v))
}

// isDue reports whether s is a date, or a time as entries spell it: when
// something is due.
func isDue(s string) bool {
	_, dateErr := time.Parse(time.DateOnly, s)
	_, timeErr := audit.ParseTime(s)
	return dateErr == nil || timeErr == nil
}
