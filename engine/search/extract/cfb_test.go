package extract

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// storage is what is put into a compound file: strings are streams.
type storage map[string]any

type cfbWriter struct {
	sectors, mini, directory []byte
	fat, minifat             []uint32
}

// makeCFB writes a compound file with sectors of 512 bytes.
func makeCFB(root storage) []byte {
	w := &cfbWriter{}
	w.entry("Root Entry", 5)
	child := w.fill(root)
	first := w.store(w.mini)
	w.set(0, child, first, len(w.mini))
	w.directory = append(w.directory, make([]byte, -len(w.directory)&511)...)
	directory, minifat := w.store(w.directory), w.store(numbers(w.minifat))
	// The table has entries for its own sectors too, and those which say where these are.
	n := len(w.fat)
	tables, lists := 0, 0
	for tables*128 < n+tables+lists {
		tables++
		lists = max(0, (tables-109+126)/127)
	}
	var where []uint32
	for i := range tables {
		where = append(where, uint32(n+i))
		w.fat = append(w.fat, 0xfffffffd)
	}
	for range lists {
		w.fat = append(w.fat, 0xfffffffc)
	}
	for len(w.fat) < tables*128 {
		w.fat = append(w.fat, 0xffffffff)
	}
	w.sectors = append(w.sectors, numbers(w.fat)...)
	rest := where[min(109, len(where)):]
	for i := range lists {
		list := make([]uint32, 128)
		for j := range list {
			list[j] = 0xffffffff
		}
		rest = rest[copy(list[:127], rest):]
		if i < lists-1 {
			list[127] = uint32(n + tables + i + 1)
		}
		w.sectors = append(w.sectors, numbers(list)...)
	}
	h := bytes.Repeat([]byte{0xff}, 512)
	copy(h, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
	clear(h[8:76])
	for at, v := range map[int]uint16{24: 0x3e, 26: 3, 28: 0xfffe, 30: 9, 32: 6} {
		binary.LittleEndian.PutUint16(h[at:], v)
	}
	next := uint32(0xfffffffe)
	if lists > 0 {
		next = uint32(n + tables)
	}
	for at, v := range map[int]uint32{44: uint32(tables), 48: directory, 56: 4096, 60: minifat, 68: next, 72: uint32(lists)} {
		binary.LittleEndian.PutUint32(h[at:], v)
	}
	copy(h[76:], numbers(where[:min(109, len(where))]))
	return append(h, w.sectors...)
}

func numbers(list []uint32) (b []byte) {
	for _, n := range list {
		b = binary.LittleEndian.AppendUint32(b, n)
	}
	return b
}

// store puts a stream into sectors.
func (w *cfbWriter) store(b []byte) uint32 {
	if len(b) == 0 {
		return 0xfffffffe
	}
	first := len(w.fat)
	w.sectors = append(append(w.sectors, b...), make([]byte, -len(b)&511)...)
	for len(w.fat) < len(w.sectors)/512 {
		w.fat = append(w.fat, uint32(len(w.fat)+1))
	}
	w.fat[len(w.fat)-1] = 0xfffffffe
	return uint32(first)
}

func (w *cfbWriter) entry(name string, kind byte) int {
	e := make([]byte, 128)
	units := utf16.Encode([]rune(name))
	for i, c := range units {
		binary.LittleEndian.PutUint16(e[2*i:], c)
	}
	e[64], e[66] = byte(2*len(units)+2), kind
	for at := 68; at < 80; at++ {
		e[at] = 0xff
	}
	w.directory = append(w.directory, e...)
	return len(w.directory)/128 - 1
}

func (w *cfbWriter) set(i int, child, first uint32, size int) {
	e := w.directory[i*128:]
	binary.LittleEndian.PutUint32(e[76:], child)
	binary.LittleEndian.PutUint32(e[116:], first)
	binary.LittleEndian.PutUint32(e[120:], uint32(size))
}

// fill writes what is in a storage, as a tree that is a list.
func (w *cfbWriter) fill(s storage) (child uint32) {
	child, before := 0xffffffff, -1
	for _, name := range slices.Sorted(maps.Keys(s)) {
		kind := byte(2)
		if _, ok := s[name].(storage); ok {
			kind = 1
		}
		i := w.entry(name, kind)
		if before < 0 {
			child = uint32(i)
		} else {
			binary.LittleEndian.PutUint32(w.directory[before*128+72:], uint32(i))
		}
		before = i
		switch v := s[name].(type) {
		case storage:
			w.set(i, w.fill(v), 0, 0)
		case string:
			if len(v) >= 4096 {
				w.set(i, 0xffffffff, w.store([]byte(v)), len(v))
				continue
			}
			first := len(w.minifat)
			w.mini = append(append(w.mini, v...), make([]byte, -len(v)&63)...)
			for len(w.minifat) < len(w.mini)/64 {
				w.minifat = append(w.minifat, uint32(len(w.minifat)+1))
			}
			if len(v) > 0 {
				w.minifat[len(w.minifat)-1] = 0xfffffffe
			}
			w.set(i, 0xffffffff, uint32(first), len(v))
		}
	}
	return child
}

func TestCompoundFile(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 512<<10) // so large that the table does not fit the header
	data := makeCFB(storage{"Long": large, "a": storage{"b": storage{"Straße": "deep"}, "four": strings.Repeat("4", 4096)}, "empty": "", "short": "s"})
	c, err := openCompound(data)
	if err != nil {
		t.Fatal(err)
	}
	root := c.root()
	a := c.storage(root["a"])
	for _, is := range []struct {
		e    entry
		want string
	}{{root["long"], large}, {root["short"], "s"}, {root["empty"], ""}, {a["four"], strings.Repeat("4", 4096)}, {c.storage(a["b"])["straße"], "deep"}} {
		if got, err := c.stream(is.e); err != nil || string(got) != is.want {
			t.Errorf("%s: %d bytes, %v", is.e.name, len(got), err)
		}
	}
	if c.cut {
		t.Error("it is whole")
	}
}

// TestHostileCompoundFiles end, in little memory: tables and trees that lead in
// circles, streams that share sectors, and directories without an end.
func TestHostileCompoundFiles(t *testing.T) {
	deep := storage{}
	for range 5000 {
		deep = storage{"x": deep}
	}
	many := storage{}
	for i := range maxEntries + 1 {
		many[fmt.Sprint("s", i)] = ""
	}
	message := makeCFB(storage{msgFixed: strings.Repeat("\x00", 32), "__substg1.0_0037001F": wideString(strings.Repeat("s", 5000)), "__substg1.0_1000001F": wideString(strings.Repeat("b", 5000))})
	patch := func(at int, v uint32) []byte {
		b := bytes.Clone(message)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	table := 512 * (1 + int(binary.LittleEndian.Uint32(message[76:]))) // where the first sector of it is
	entries := 512 * (1 + int(binary.LittleEndian.Uint32(message[48:])))
	all := bytes.Clone(message)
	for i := range 20 { // every sector is its own next
		binary.LittleEndian.PutUint32(all[table+4*i:], uint32(i))
	}
	same := bytes.Clone(message)
	copy(same[entries+3*128+116:entries+3*128+124], same[entries+2*128+116:]) // two streams in the same sectors
	for what, c := range map[string]struct {
		data []byte
		want error
	}{
		"storages within storages":       {makeCFB(deep), nil},
		"more entries than there may be": {makeCFB(many), ErrMalformed},
		"sectors in circles":             {all, nil},
		"the directory in itself":        {patch(table+4*int(binary.LittleEndian.Uint32(message[48:])), binary.LittleEndian.Uint32(message[48:])), nil},
		"a list of tables in itself":     {patch(68, 0), nil},
		"an entry in itself":             {patch(entries+76, 0), nil},
		"an entry beside itself":         {patch(entries+128+72, 1), nil},
		"a child without an entry":       {patch(entries+76, 9999), nil},
		"no directory":                   {patch(48, 0xfffffffe), ErrMalformed},
		"a directory behind the end":     {patch(48, 99999), ErrTruncated},
		"a stream longer than the file":  {patch(entries+2*128+120, 0x7fffffff), ErrTruncated},
		"sectors of no bytes":            {patch(30, 0), ErrMalformed},
		"streams that overlap":           {same, nil},
		"a header alone":                 {message[:512], ErrTruncated},
		"a part of a header":             {message[:100], ErrTruncated},
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := endsSoon(t, c.data, "a.msg"); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}
