package extract

import (
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

const (
	// maxEntries is how many streams and storages a compound file may have: a message to
	// a thousand people has some ten thousand.
	maxEntries = 100_000
	entryBytes = 128 // of the directory
	miniBytes  = 64  // of a sector for short streams
	// noSector is the least number that is no sector: it says that there is none.
	noSector = 0xfffffffa
)

// compound is Microsoft's container of streams ([MS-CFB]), which is a file system with
// a table of sectors in a file. The library there is for it keeps the path of every
// entry, which takes quadratic memory for storages within storages.
//
// A table may lead in circles, and many streams to the same sectors. So each entry of
// the directory is met once, and all streams together have no more bytes than the file.
type compound struct {
	data      []byte
	sector    int // bytes
	cutoff    int64
	fat       []uint32 // the sector behind each
	mini      []uint32 // likewise, of those for short streams,
	within    []uint32 // which are within these sectors
	directory []byte
	met       []bool // entries
	left      int64  // bytes that streams may still have
	cut       bool   // the file ends before what is said to be in it
}

// entry is a stream, or a storage, which has entries in it.
type entry struct {
	name        string // in small letters
	kind        byte
	left, right uint32 // others in the same storage
	child       uint32 // one in this storage
	first       uint32 // sector
	size        int64
}

// What an entry is.
const (
	cfbStorage = 1
	cfbStream  = 2
	cfbRoot    = 5
)

func openCompound(data []byte) (*compound, error) {
	if len(data) < 512 {
		return nil, ErrTruncated
	}
	shift := binary.LittleEndian.Uint16(data[30:])
	if shift != 9 && shift != 12 || binary.LittleEndian.Uint16(data[32:]) != 6 {
		return nil, malformed("sectors of no known size")
	}
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(data[i:]) }
	c := &compound{data: data, sector: 1 << shift, cutoff: int64(at(56)), left: int64(len(data))}
	c.table(at(68))
	for _, s := range c.chain(at(48), c.fat, min(c.sectors(), maxEntries*entryBytes/c.sector+1)) {
		c.directory = append(c.directory, c.at(s)...)
	}
	n := len(c.directory) / entryBytes
	switch {
	case n > maxEntries:
		return nil, malformed("more than %d entries", maxEntries)
	case n == 0 && c.cut:
		return nil, ErrTruncated
	case n == 0 || c.entry(0).kind != cfbRoot:
		return nil, malformed("there is no directory in it")
	}
	c.met = make([]bool, n)
	c.within = c.chain(c.entry(0).first, c.fat, c.sectors())
	for _, s := range c.chain(at(60), c.fat, c.sectors()) {
		c.mini = appendNumbers(c.mini, c.at(s))
	}
	return c, nil
}

// table reads the table of sectors. Where its first 109 sectors are is in the header,
// and where the others are in sectors of their own, each of which ends with the next.
func (c *compound) table(next uint32) {
	list := appendNumbers(nil, c.data[76:512])
	for range c.sectors() {
		for _, s := range list {
			if s < noSector && len(c.fat) < c.sectors() {
				c.fat = appendNumbers(c.fat, c.at(s))
			}
		}
		if next >= noSector || len(c.fat) >= c.sectors() {
			return
		}
		if list = appendNumbers(nil, c.at(next)); len(list) == 0 {
			return
		}
		next, list = list[len(list)-1], list[:len(list)-1]
	}
}

func appendNumbers(to []uint32, b []byte) []uint32 {
	for ; len(b) >= 4; b = b[4:] {
		to = append(to, binary.LittleEndian.Uint32(b))
	}
	return to
}

// sectors is how many there are; the header takes the place of one.
func (c *compound) sectors() int { return (len(c.data) + c.sector - 1) / c.sector }

// at returns a sector: less than that at the end of the file, and nothing behind it.
func (c *compound) at(s uint32) []byte {
	from := (int64(s) + 1) * int64(c.sector)
	if from >= int64(len(c.data)) {
		c.cut = true
		return nil
	}
	return c.data[from:min(from+int64(c.sector), int64(len(c.data)))]
}

// miniAt returns a sector for short streams.
func (c *compound) miniAt(s uint32) []byte {
	from := int64(s) * miniBytes
	i := from / int64(c.sector)
	if i >= int64(len(c.within)) {
		return nil
	}
	b := c.at(c.within[i])
	from %= int64(c.sector)
	return b[min(from, int64(len(b))):min(from+miniBytes, int64(len(b)))]
}

// chain follows a table for so many sectors at most.
func (c *compound) chain(s uint32, table []uint32, most int) (chain []uint32) {
	for len(chain) < most && s < noSector {
		chain = append(chain, s)
		if int64(s) >= int64(len(table)) {
			break
		}
		s = table[s]
	}
	return chain
}

// entry reads one from the directory. There must be one with this number.
func (c *compound) entry(i uint32) entry {
	b := c.directory[int(i)*entryBytes:][:entryBytes]
	var name []uint16
	for at := 0; at+2 < min(int(binary.LittleEndian.Uint16(b[64:])), 64); at += 2 {
		name = append(name, binary.LittleEndian.Uint16(b[at:]))
	}
	size := int64(binary.LittleEndian.Uint32(b[120:]))
	if c.sector > 512 { // else what is above may be anything
		size |= int64(binary.LittleEndian.Uint32(b[124:])&0x7fffffff) << 32
	}
	return entry{
		name: strings.ToLower(string(utf16.Decode(name))), kind: b[66],
		left: binary.LittleEndian.Uint32(b[68:]), right: binary.LittleEndian.Uint32(b[72:]),
		child: binary.LittleEndian.Uint32(b[76:]), first: binary.LittleEndian.Uint32(b[116:]), size: size,
	}
}

// root returns what is in the file.
func (c *compound) root() map[string]entry { return c.storage(c.entry(0)) }

// storage returns what is in a storage, by name. It does so once.
func (c *compound) storage(of entry) map[string]entry {
	found := map[string]entry{}
	for next := []uint32{of.child}; len(next) > 0; {
		i := next[len(next)-1]
		next = next[:len(next)-1]
		if int64(i) >= int64(len(c.met)) || c.met[i] {
			continue
		}
		c.met[i] = true
		e := c.entry(i)
		found[e.name] = e
		next = append(next, e.left, e.right)
	}
	return found
}

// stream reads a stream, as far as the file goes.
func (c *compound) stream(e entry) ([]byte, error) {
	if e.kind != cfbStream || e.size <= 0 {
		return nil, nil
	}
	table, at, s := c.fat, c.at, e.first
	if e.size < c.cutoff {
		table, at = c.mini, c.miniAt
	}
	var data []byte
	for int64(len(data)) < e.size && s < noSector {
		b := at(s)
		b = b[:min(int64(len(b)), e.size-int64(len(data)))]
		if c.left -= int64(len(b)); c.left < 0 {
			return nil, malformed("streams that overlap")
		}
		if len(b) == 0 {
			break
		}
		data = append(data, b...)
		if int64(s) >= int64(len(table)) {
			break
		}
		s = table[s]
	}
	c.cut = c.cut || int64(len(data)) < e.size
	return data, nil
}
