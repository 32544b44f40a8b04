package wal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/audit"
)

var update = flag.Bool("update", false, "write testdata anew: only for an encoding with another version")

// sample is what the frozen encoding is shown by.
func sample() *Set {
	s := NewSet()
	s.Put([]byte("documents"), []byte("key"), []byte("value"))
	s.Delete([]byte("documents"), []byte("gone"))
	s.Put([]byte("log"), bytes.Repeat([]byte{7}, 8), bytes.Repeat([]byte("long "), 60))
	s.Put([]byte("documents"), []byte{}, nil)
	for _, text := range []string{"", "carried"} {
		s.Carry(Blob{digest(text), []byte(text)})
		s.Carry(Blob{digest(text), []byte(text)})
	}
	return s
}

var sampleHead = audit.Head{Seq: 0x0102030405060708, Hash: audit.Hash(digest("an entry"))}

// What stands on the disk is frozen: a set, the record around it, and a name. Another
// encoding needs another version, and this one is read for ever.
func TestTheEncodingIsFrozen(t *testing.T) {
	k := &kit{t: t, d: newDisk()}
	k.begin()
	copy(k.salt[:], "salt of 16 bytes")
	k.next.number, k.next.prev = 9, sum(digest("the record before"))
	must(t, k.Write(sample(), 42, sampleHead))
	record := k.d.files[segmentPath(testDir, 1)].b[:k.sealed.size()]
	must(t, k.Sync())
	must(t, k.Name(k.Mark(), []byte("what the caller calls its view")))
	name := k.d.files[filepath.Join(testDir, fileName)].b[block:]
	for file, b := range map[string][]byte{
		"set.hex":    sample().encode(42, sampleHead),
		"record.hex": record,
		"name.hex":   name,
	} {
		path := filepath.Join("testdata", file)
		text := dump(b)
		if *update {
			must(t, os.WriteFile(path, []byte(text), 0o644))
		}
		want, err := os.ReadFile(path)
		must(t, err)
		if text != string(want) {
			t.Errorf("%s: the encoding is another:\n%s", file, text)
		}
	}
}

// dump spells bytes, 32 a line, without the zeros at the end.
func dump(b []byte) string {
	var text strings.Builder
	for b = bytes.TrimRight(b, "\x00"); len(b) > 0; b = b[min(32, len(b)):] {
		text.WriteString(hex.EncodeToString(b[:min(32, len(b))]) + "\n")
	}
	return text.String()
}

// The frozen bytes are read as what they were written from.
func TestTheFrozenEncodingIsRead(t *testing.T) {
	text, err := os.ReadFile("testdata/set.hex")
	must(t, err)
	set, err := hex.DecodeString(strings.ReplaceAll(string(text), "\n", ""))
	must(t, err)
	r, sizes, err := DecodeSet(set)
	must(t, err)
	documents, log := []byte("documents"), []byte("log")
	want := Record{42, sampleHead.Seq, sampleHead.Hash, []Row{
		{documents, []byte("key"), []byte("value"), false},
		{documents, []byte("gone"), nil, true},
		{log, bytes.Repeat([]byte{7}, 8), bytes.Repeat([]byte("long "), 60), false},
		{documents, nil, nil, false},
	}, []Blob{{Digest: digest("")}, {Digest: digest("carried")}}}
	for i := range r.Blobs {
		r.Blobs[i].Bytes, want.Blobs[i].Bytes = nil, nil
	}
	if said(r) != said(want) || len(sizes) != 2 || sizes[0] != 0 || sizes[1] != 7 {
		t.Errorf("read\n%s\nand %v, want\n%s", said(r), sizes, said(want))
	}
	for n := range set {
		if _, _, err := DecodeSet(set[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("its first %d bytes: %v", n, err)
		}
	}
	if _, _, err := DecodeSet(append(set, 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("with a byte more: %v", err)
	}
}

// Lengths of all kinds that no set can have.
func TestLengthsThatCannotBe(t *testing.T) {
	for _, n := range []uint64{1, 1 << 20, 1<<31 - 1, 1 << 31, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
		length := binary.AppendUvarint(nil, n)
		for name, tail := range map[string][]byte{
			"key":     append([]byte{0}, length...),
			"value":   append([]byte{0, 0}, length...),
			"buckets": append([]byte{0, 0, 0}, length...),
			"name":    append([]byte{0, 0, 0, 1}, length...),
			"blobs":   append([]byte{0, 0, 0, 1, 0}, length...),
		} {
			set := make([]byte, setPrefix)
			set[0], set[setPrefix-1] = setVersion, 1
			set = append(append(set, tail...), make([]byte, 8)...)
			if _, _, err := DecodeSet(set); !errors.Is(err, ErrDamaged) {
				t.Errorf("%s of %d: %v", name, n, err)
			}
		}
	}
	set := make([]byte, setPrefix+100)
	set[0] = setVersion
	binary.BigEndian.PutUint32(set[49:], 51) // a row has two bytes at least
	if grown := testing.AllocsPerRun(1, func() { DecodeSet(set) }); grown > 5 {
		t.Errorf("%v allocations for rows that cannot be there", grown)
	}
}

// FuzzDecodeSet: any bytes are refused, or are what a set is written as: there is
// one spelling.
func FuzzDecodeSet(f *testing.F) {
	f.Add(sample().encode(42, sampleHead))
	f.Add(NewSet().encode(1, sampleHead))
	f.Add(append(sample().encode(1, sampleHead)[:setPrefix], bytes.Repeat([]byte{0xff}, 12)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, sizes, err := DecodeSet(b)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if len(sizes) != len(r.Blobs) || len(r.Rows) > len(b)/2 {
			t.Fatalf("%d rows and %d blobs of %d bytes", len(r.Rows), len(r.Blobs), len(b))
		}
	})
}
