package bag

import (
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"time"
)

// zipWriter writes a ZIP file as a stream (APPNOTE 6.3.10). archive/zip of the
// standard library keeps a record of each file in memory until the end, some hundred
// bytes; this one has them in a spool.
type zipWriter struct {
	w         io.Writer
	at        time.Time
	offset    uint64 // bytes written
	directory Spool
	files     uint64
	length    uint64 // of the directory
	flate     *flate.Writer
	buffer    []byte
}

func newZip(w io.Writer, at time.Time, directory Spool) *zipWriter {
	f, _ := flate.NewWriter(io.Discard, flate.BestSpeed) // the level is one
	return &zipWriter{w: w, at: at.UTC().Truncate(time.Second), directory: directory, flate: f, buffer: make([]byte, 64<<10)}
}

const (
	stored   = 0
	deflated = 8

	// Sizes and checksum follow the bytes; names are in UTF-8.
	flags = 1<<3 | 1<<11

	plainVersion = 20
	largeVersion = 45

	// A file of this size could come to need more than 32 bits when it is deflated.
	large = math.MaxUint32 - 1<<24

	madeOnUnix = 3
	// A regular file that its owner may write and all may read.
	permissions = 0o100644 << 16
)

// Write counts what goes out.
func (z *zipWriter) Write(p []byte) (int, error) {
	n, err := z.w.Write(p)
	z.offset += uint64(n)
	return n, err
}

// record is what the directory says of a file.
type record struct {
	name         string
	method       uint16
	crc          uint32
	packed, size uint64
	offset       uint64
}

func (z *zipWriter) add(name string, size int64, packed bool, from io.Reader) (int64, error) {
	r := record{name: name, method: deflated, offset: z.offset}
	if packed {
		r.method = stored
	}
	is64 := size >= large
	if _, err := z.Write(z.localHeader(&r, is64)); err != nil {
		return 0, err
	}
	began := z.offset
	sum := crc32.NewIEEE()
	n, failed := z.body(io.TeeReader(from, sum), packed)
	r.crc, r.packed, r.size = sum.Sum32(), z.offset-began, uint64(n)
	if _, err := z.Write(descriptor(&r, is64 || r.packed >= math.MaxUint32 || r.size >= math.MaxUint32)); err != nil {
		return n, err
	}
	z.files++
	entry := z.directoryEntry(&r)
	z.length += uint64(len(entry))
	if _, err := z.directory.Write(entry); err != nil {
		return n, err
	}
	return n, failed
}

func (z *zipWriter) body(from io.Reader, packed bool) (int64, error) {
	to := io.Writer(plainWriter{z})
	if !packed {
		z.flate.Reset(z)
		to = plainWriter{z.flate}
	}
	n, err := io.CopyBuffer(to, from, z.buffer)
	if !packed {
		if failed := z.flate.Close(); failed != nil {
			err = failed
		}
	}
	return n, err
}

// plainWriter hides other methods, so that the one buffer is used.
type plainWriter struct{ io.Writer }

// fields are numbers in little-endian, one behind the other.
func fields(values ...any) (b []byte) {
	for _, v := range values {
		switch v := v.(type) {
		case uint16:
			b = binary.LittleEndian.AppendUint16(b, v)
		case uint32:
			b = binary.LittleEndian.AppendUint32(b, v)
		case uint64:
			b = binary.LittleEndian.AppendUint64(b, v)
		case string:
			b = append(b, v...)
		}
	}
	return b
}

// dosTime is the time as MS-DOS has it, in UTC, and date the day.
func (z *zipWriter) dosTime() (clock, date uint16) {
	t := z.at
	year := min(max(t.Year(), 1980), 2107)
	return uint16(t.Second()/2 | t.Minute()<<5 | t.Hour()<<11), uint16(t.Day() | int(t.Month())<<5 | (year-1980)<<9)
}

// stamp is the extra field with the time since 1970, which says the zone too.
func (z *zipWriter) stamp() string {
	return string(append(fields(uint16(0x5455), uint16(5)), append([]byte{1}, fields(uint32(z.at.Unix()))...)...))
}

func versionOf(is64 bool) uint16 {
	if is64 {
		return largeVersion
	}
	return plainVersion
}

func (z *zipWriter) localHeader(r *record, is64 bool) []byte {
	clock, date := z.dosTime()
	extra := z.stamp()
	size := uint32(0)
	if is64 {
		size = math.MaxUint32
		extra += string(fields(uint16(1), uint16(16), uint64(0), uint64(0)))
	}
	return fields(uint32(0x04034b50), versionOf(is64), uint16(flags), r.method, clock, date, uint32(0), size, size,
		uint16(len(r.name)), uint16(len(extra)), r.name, extra)
}

func descriptor(r *record, is64 bool) []byte {
	if is64 {
		return fields(uint32(0x08074b50), r.crc, r.packed, r.size)
	}
	return fields(uint32(0x08074b50), r.crc, uint32(r.packed), uint32(r.size))
}

func (z *zipWriter) directoryEntry(r *record) []byte {
	clock, date := z.dosTime()
	is64 := r.packed >= math.MaxUint32 || r.size >= math.MaxUint32 || r.offset >= math.MaxUint32
	packed, size, offset, extra := uint32(r.packed), uint32(r.size), uint32(r.offset), z.stamp()
	if is64 {
		packed, size, offset = math.MaxUint32, math.MaxUint32, math.MaxUint32
		extra += string(fields(uint16(1), uint16(24), r.size, r.packed, r.offset))
	}
	return fields(uint32(0x02014b50), uint16(madeOnUnix<<8|largeVersion), versionOf(is64), uint16(flags), r.method, clock, date, r.crc, packed, size,
		uint16(len(r.name)), uint16(len(extra)), uint16(0), uint16(0), uint16(0), uint32(permissions), offset, r.name, extra)
}

// close writes the directory and what says where it is.
func (z *zipWriter) close() error {
	if _, err := z.directory.Seek(0, io.SeekStart); err != nil {
		return err
	}
	began := z.offset
	if _, err := io.CopyBuffer(plainWriter{z}, struct{ io.Reader }{z.directory}, z.buffer); err != nil {
		return err
	}
	end := z.offset
	files, length, offset := uint16(min(z.files, math.MaxUint16)), uint32(min(z.length, math.MaxUint32)), uint32(min(began, math.MaxUint32))
	var b []byte
	if files == math.MaxUint16 || length == math.MaxUint32 || offset == math.MaxUint32 {
		b = fields(uint32(0x06064b50), uint64(44), uint16(madeOnUnix<<8|largeVersion), uint16(largeVersion), uint32(0), uint32(0), z.files, z.files, z.length, began,
			uint32(0x07064b50), uint32(0), end, uint32(1))
	}
	b = append(b, fields(uint32(0x06054b50), uint16(0), uint16(0), files, files, length, offset, uint16(0))...)
	_, err := z.Write(b)
	return err
}
