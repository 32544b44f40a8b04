package extract

import "encoding/binary"

// rtfBefore is what stands before RTF that is packed, for what is packed to refer to
// ([MS-OXRTFCP]).
const rtfBefore = `{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0` +
	"\r\n" + `\par \pard\plain\f0\fs20\b\i\u\tab\tx`

// unpackRTF unpacks up to where it breaks, and so many bytes at most.
func unpackRTF(packed []byte, most int) []byte {
	if len(packed) < 16 {
		return nil
	}
	raw, kind := int64(binary.LittleEndian.Uint32(packed[4:])), string(packed[8:12])
	packed = packed[16:]
	most = int(min(int64(most), raw))
	if kind == "MELA" {
		return packed[:min(len(packed), most)]
	}
	const size = 4096 // of what can be referred to: the last so many bytes, in a circle
	var circle [size]byte
	at := copy(circle[:], rtfBefore)
	var out []byte
	put := func(b byte) {
		out = append(out, b)
		circle[at] = b
		at = (at + 1) % size
	}
	for len(packed) > 0 && len(out) < most {
		flags := packed[0]
		packed = packed[1:]
		for bit := 0; bit < 8 && len(packed) > 0 && len(out) < most; bit++ {
			if flags>>bit&1 == 0 {
				put(packed[0])
				packed = packed[1:]
				continue
			}
			if len(packed) < 2 {
				return out
			}
			from, n := int(packed[0])<<4|int(packed[1])>>4, int(packed[1]&15)+2
			if packed = packed[2:]; from == at {
				return out // the end
			}
			for range n {
				put(circle[from])
				from = (from + 1) % size
			}
		}
	}
	return out
}
