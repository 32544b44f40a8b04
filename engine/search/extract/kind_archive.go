package extract

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// archiveKind tells by the names in an archive. They are in its directory, at its
// end; of one that is cut off, or so long that its beginning is not in the tail, also
// by what of them is seen elsewhere.
func archiveKind(head, tail []byte, said said) Kind {
	names, all := directory(tail)
	has := func(name string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, name) }) ||
			!all && (bytes.Contains(head, []byte(name)) || bytes.Contains(tail, []byte(name)))
	}
	start := head[:min(len(head), 256)]
	opened := bytes.Contains(start, []byte("application/vnd.oasis.opendocument.")) || bytes.Contains(start, []byte("application/vnd.sun.xml."))
	switch {
	case opened && bytes.Contains(start, []byte("mimetype")):
		return ODF
	case has("word/"):
		return DOCX
	case has("xl/workbook.bin"):
		return Binary // no XML but for its frame
	case has("xl/"):
		return XLSX
	case has("ppt/"):
		return PPTX
	case slices.Contains(names, "content.xml") && slices.Contains(names, "meta-inf/manifest.xml"):
		return ODF
	}
	const office = "application/vnd.openxmlformats-officedocument."
	switch { // with so many parts that their names are in between, or with names of their own
	case said.is(office+"wordprocessingml.document", ".docx", ".docm", ".dotx", ".dotm"):
		return DOCX
	case said.is(office+"spreadsheetml.sheet", ".xlsx", ".xlsm", ".xltx", ".xltm"):
		return XLSX
	case said.is(office+"presentationml.presentation", ".pptx", ".pptm", ".ppsx", ".ppsm", ".potx", ".potm"):
		return PPTX
	case said.is("application/vnd.oasis.opendocument.text", ".odt", ".ods", ".odp", ".ott", ".ots", ".otp", ".odg"):
		return ODF
	}
	return ZIP
}

// directory returns the names in an archive's directory that are in its tail, as
// partName has them. all: there are no others.
func directory(tail []byte) (names []string, all bool) {
	end := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if end < 0 || len(tail)-end < 22 {
		return nil, false
	}
	count, size := int(binary.LittleEndian.Uint16(tail[end+10:])), int(binary.LittleEndian.Uint32(tail[end+12:]))
	if size > end {
		return nil, false
	}
	for at := end - size; at+46 <= end && bytes.HasPrefix(tail[at:], []byte("PK\x01\x02")); {
		name := int(binary.LittleEndian.Uint16(tail[at+28:]))
		extra, comment := int(binary.LittleEndian.Uint16(tail[at+30:])), int(binary.LittleEndian.Uint16(tail[at+32:]))
		if at+46+name > end {
			break
		}
		names = append(names, partName(string(tail[at+46:at+46+name])))
		at += 46 + name + extra + comment
	}
	return names, len(names) == count
}
