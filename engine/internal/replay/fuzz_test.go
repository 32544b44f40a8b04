package replay

import (
	"fmt"
	"reflect"
	"testing"

	"strongroom/audit"
)

// tale makes entries of any bytes: operations and facts of the right names, and
// whatever values and order the bytes have.
type tale struct{ b []byte }

func (s *tale) next(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	c := int(s.b[0])
	s.b = s.b[1:]
	return c % n
}

var (
	factNames = []string{"access", "anchor", "archived", "confirmed", "days", "deleted", "discardedFrom", "discardedTo", "due", "erased", "erasure", "events", "evidence",
		"expires", "fence", "field", "hold", "key", "next", "obligation", "obligations", "owner", "period", "policy", "protect", "retainUntil", "revision", "right",
		"run", "startAt", "successor", "until", "user", "webhook",
		"draft", "drafts", "format", "from", "part", "password", "resume", "scratchpad", "seconds", "secret", "snapshot", "state", "subjects"}
	factValues = []audit.Value{{}, audit.Text(""), audit.Text("A"), audit.Text("B"), audit.Text("compliance"), audit.Text("2027-01-31"), audit.Text("P1Y"), audit.Text("P9D"),
		audit.Text("2027-01-31T00:00:00.000Z"), audit.Number(0), audit.Number(1), audit.Number(2), audit.Number(1 << 52), audit.Texts("A", "B"), audit.Text("true"),
		audit.Texts("key A B", "drafts D A B 1", "lock D 1 A B 1 2027-01-31T00:00:00.000Z true 1 true", "erasing A D 1 2", "snapshot D A", "password D -")}
	someDetails = []string{"", "gone", "{}", "null", "[]", "{", `{"name":"x"}`, `{"name":null}`, `{"name":{"old":1,"new":{"a":[]}}}`, `{"matter":"M","reason":7}`,
		`{"customFields":{"a":1,"b":[{}]}}`, `{"customFields.a":{"new":""}}`, `{"choices":[1,null,{}]}`, `{"paused":{"new":true}}`, "\xff", `{"tags":["a"]} and more`}
)

// entries makes the tale's entries. Most come in order.
func (s *tale) entries() (log []audit.Entry, details [][]byte) {
	ops := append(audit.Ops(), "no.operation")
	for seq := uint64(1); len(s.b) > 0; seq += uint64(s.next(16)+15) / 16 {
		facts := []any{}
		for range s.next(6) {
			facts = append(facts, factNames[s.next(len(factNames))], nil)
		}
		e, detail := said(seq, ops[s.next(len(ops))], []string{"", "D", "D", "E"}[s.next(4)], uint64(s.next(4)), someDetails[s.next(len(someDetails))])
		for i := 0; i < len(facts); i += 2 {
			e.Facts[facts[i].(string)] = factValues[s.next(len(factValues))]
		}
		log, details = append(log, e), append(details, detail)
	}
	return log, details
}

// fold folds all of it, and says all that came of it.
func fold(log []audit.Entry, details [][]byte) (said []any) {
	a, d, m := NewAccounts(), NewDocument("D"), Matters{}
	for i, e := range log {
		said = append(said, fmt.Sprint(a.Follow(e, details[i])))
		d.Migrations = a.Migrations()
		said = append(said, fmt.Sprint(d.Follow(e, details[i])))
	}
	m.Add(d, 10)
	said = append(said, d.Record(), d.Versions, d.Obligations, d.Erasures, d.Told, d.Drafts, d.Snapshot, a.erasing, a.subjects, a.Vault, a.Settings, a.things)
	for _, one := range m {
		said = append(said, one.Thing())
	}
	return said
}

// FuzzFold folds arbitrary entries: no entry may end it, and the same entries
// always say the same.
func FuzzFold(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 1, 6, 1, 1, 0, 0})
	all := make([]byte, 0, 4096)
	for i := range 4096 {
		all = append(all, byte(i*i>>3+i))
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, b []byte) {
		log, details := (&tale{b}).entries()
		once, again := fold(log, details), fold(log, details)
		if !reflect.DeepEqual(once, again) {
			t.Errorf("folded again, it says other things:\n%v\n%v", once, again)
		}
		for _, one := range once {
			if thing, is := one.(Thing); is && thing.Differences(thing) != nil {
				t.Errorf("differs from itself: %v", thing)
			}
		}
	})
}
