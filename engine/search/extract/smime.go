package extract

import "bytes"

// signedData is the type of signed content, 1.2.840.113549.1.7.2, and plainData that
// of what is in it, as they stand in the file.
var (
	signedData = []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2}
	plainData  = []byte{6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1}
)

// signedContent is the message in a signature that has it in it (RFC 8551, opaque
// signing); nil if there is none, which is so if it is encrypted. Whether the
// signature is true is not looked at.
func signedContent(data []byte) []byte {
	head := data[:min(len(data), 512)]
	if !bytes.Contains(head, signedData) {
		return nil
	}
	i := bytes.Index(head, plainData)
	if i < 0 {
		return nil
	}
	data = data[i+len(plainData):]
	if len(data) < 2 || data[0] != 0xa0 {
		return nil
	}
	_, data, ok := derLength(data[1:])
	if !ok {
		return nil
	}
	var content []byte
	octets(data, &content, 0)
	return content
}

// octets gathers a string, which may be in pieces.
func octets(data []byte, content *[]byte, depth int) (rest []byte) {
	if len(data) < 2 || depth > 2 {
		return nil
	}
	tag := data[0]
	n, inner, ok := derLength(data[1:])
	switch {
	case !ok:
		return nil
	case tag == 0x04 && n >= 0:
		n = min(n, len(inner))
		*content = append(*content, inner[:n]...)
		return inner[n:]
	case tag != 0x24:
		return nil
	}
	end := 0
	if n >= 0 {
		end = max(0, len(inner)-n)
	}
	for len(inner) > end && inner[0] != 0 {
		inner = octets(inner, content, depth+1)
	}
	return inner
}

// derLength reads a length; -1 if it is not known before the end.
func derLength(data []byte) (n int, rest []byte, ok bool) {
	if len(data) == 0 {
		return 0, nil, false
	}
	first := data[0]
	data = data[1:]
	switch {
	case first < 0x80:
		return int(first), data, true
	case first == 0x80:
		return -1, data, true
	case first > 0x84 || len(data) < int(first&0x7f):
		return 0, nil, false
	}
	for range first & 0x7f {
		n = n<<8 | int(data[0])
		data = data[1:]
	}
	return n, data, n >= 0
}
