package store_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine/internal/store"
)

// record has a member of every kind.
type record struct {
	number uint64
	text   string
	list   []string
	raw    [4]byte
	hash   audit.Hash
	flag   bool
	at     time.Time
	inner  []byte
}

func (r record) encode() []byte {
	e := store.NewEncoder(16)
	e.Num(r.number)
	e.Str(r.text)
	e.Strs(r.list)
	e.Flag(r.flag)
	e.Raw(r.raw[:])
	e.Hash(r.hash)
	e.Time(r.at)
	e.Nested(r.inner)
	return e.Bytes()
}

func decode(b []byte) (r record, err error) {
	d := store.NewDecoder(b)
	r.number, r.text, r.list, r.flag = d.Num(), d.Str(), d.Strs(), d.Flag()
	d.Raw(r.raw[:])
	r.hash, r.at = d.Hash(), d.Time()
	r.inner = bytes.Clone(d.Nested())
	return r, d.Done("record")
}

func (r record) equal(o record) bool {
	return r.number == o.number && r.text == o.text && slices.Equal(r.list, o.list) && r.raw == o.raw && r.hash == o.hash &&
		r.flag == o.flag && r.at.Equal(o.at) && bytes.Equal(r.inner, o.inner)
}

var someRecords = []record{
	{},
	{
		number: math.MaxUint64, text: "Zürich\x00", list: []string{"", "a", "b"}, raw: [4]byte{1, 2, 3, 4}, hash: audit.Hash{31: 9}, flag: true,
		at: time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC), inner: []byte{1, 0},
	},
	{at: time.UnixMilli(-1).UTC()},
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	for _, r := range someRecords {
		if got, err := decode(r.encode()); err != nil || !got.equal(r) {
			t.Errorf("%+v became %+v, %v", r, got, err)
		}
	}
	at := time.Date(2026, 11, 21, 17, 36, 1, 123_999_999, time.FixedZone("", 3600))
	if got, err := decode(record{at: at}.encode()); err != nil || got.at != at.UTC().Truncate(time.Millisecond) {
		t.Errorf("%v became %v, %v", at, got.at, err)
	}
}

// A record that ends early is one of an earlier version: the members that it
// lacks are zero, but for those of a fixed length, which must be there.
func TestMembersThatCameLaterAreZero(t *testing.T) {
	e := store.NewEncoder(0)
	e.Num(7)
	d := store.NewDecoder(e.Bytes())
	if n, s, list, f, at, b := d.Num(), d.Str(), d.Strs(), d.Flag(), d.Time(), d.Nested(); n != 7 || s != "" || list != nil || f || !at.IsZero() || len(b) != 0 {
		t.Errorf("%d %q %q %v %v %x", n, s, list, f, at, b)
	}
	must(t, d.Done("record"))
	if d.Hash(); !errors.Is(d.Err(), store.ErrDamaged) {
		t.Errorf("a hash that is not there: got %v", d.Err())
	}
}

// What no encoder wrote is damage, found by the member that cannot be, and kept.
func TestWhatIsNoRecordIsDamage(t *testing.T) {
	whole := someRecords[1].encode()
	for name, b := range map[string][]byte{
		"nothing":              nil,
		"another version":      append([]byte{2}, whole[1:]...),
		"more than was read":   append(slices.Clone(whole), 0),
		"a number without end": append([]byte{1}, bytes.Repeat([]byte{0xff}, 11)...),
		"a number cut short":   {1, 0x80},
		"a string cut short":   {1, 7, 5, 'a'},
		"a flag of neither":    {1, 7, 0, 0, 2},
	} {
		if _, err := decode(b); !errors.Is(err, store.ErrDamaged) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	d := store.NewDecoder([]byte{1, 5, 'a'})
	d.Str()
	if d.Err() == nil || d.Num() != 0 || d.Done("record") == nil {
		t.Error("the error did not stay")
	}
}

// A count that lies asks for no memory.
func TestACountThatLiesIsDamage(t *testing.T) {
	e := store.NewEncoder(0)
	e.Num(1 << 60)
	for name, read := range map[string]func(*store.Decoder){
		"count":  func(d *store.Decoder) { _ = make([]string, d.Count()) },
		"list":   func(d *store.Decoder) { d.Strs() },
		"string": func(d *store.Decoder) { _ = d.Str() },
		"nested": func(d *store.Decoder) { d.Nested() },
	} {
		d := store.NewDecoder(e.Bytes())
		if read(d); !errors.Is(d.Err(), store.ErrDamaged) {
			t.Errorf("%s: got %v", name, d.Err())
		}
	}
}

// Nothing that is decoded is a view into the record, but for what is nested.
func TestDecodedValuesAreCopies(t *testing.T) {
	b := someRecords[1].encode()
	r, err := decode(b)
	must(t, err)
	clear(b)
	if !r.equal(someRecords[1]) {
		t.Errorf("%+v", r)
	}
}

// FuzzDecode reads whatever it gets without harm. What is read without an error
// is written again and is the same.
func FuzzDecode(f *testing.F) {
	for _, r := range someRecords {
		f.Add(r.encode())
	}
	f.Add([]byte{1, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := decode(b)
		if err != nil {
			if !errors.Is(err, store.ErrDamaged) {
				t.Error(err)
			}
			return
		}
		again, err := decode(r.encode())
		if err != nil || !again.equal(r) {
			t.Errorf("%x: %+v became %+v, %v", b, r, again, err)
		}
	})
}

func TestPlaces(t *testing.T) {
	for _, place := range [][]byte{{0}, []byte("name"), bytes.Repeat([]byte{0xff}, 200)} {
		s := store.EncodePlace('d', place)
		if got, ok := store.DecodePlace('d', s); !ok || !bytes.Equal(got, place) {
			t.Errorf("%x became %x, %v", place, got, ok)
		}
		if _, ok := store.DecodePlace('e', s); ok {
			t.Errorf("%x is a place of another list", place)
		}
	}
	for _, s := range []string{"", "x", store.EncodePlace('d', nil), store.EncodePlace('d', []byte("a")) + "=", "ZG\nE", "ZGF"} {
		if place, ok := store.DecodePlace('d', s); ok {
			t.Errorf("%q is the place %x", s, place)
		}
	}
}

// FuzzDecodePlace holds that a place has one spelling.
func FuzzDecodePlace(f *testing.F) {
	for _, s := range []string{"", "x", "ZGE", "ZGF", store.EncodePlace('d', []byte("name")), "\xff"} {
		f.Add(byte('d'), s)
	}
	f.Fuzz(func(t *testing.T, list byte, s string) {
		place, ok := store.DecodePlace(list, s)
		if ok && (len(place) == 0 || store.EncodePlace(list, place) != s) {
			t.Errorf("%q is the place %x, which is spelled %q", s, place, store.EncodePlace(list, place))
		}
	})
}
