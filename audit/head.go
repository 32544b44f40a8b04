package audit

// headTitle begins the printed head of every vault.
const headTitle = "strongroom audit head "

// Text returns the head as three lines, to be printed, signed and compared:
//
//	strongroom audit head 01JD6QGZ3MZ4Y8T6V1E9B7K2RW
//	7 2026-11-21T17:36:01.123Z
//	<hash>
//
// [ParseHead] is its inverse. The zero Head has no text: "".
func (h Head) Text() string {
	if h.Seq == 0 {
		return ""
	}
	b := append([]byte(headTitle), h.Vault...)
	b = append(appendUint(append(b, '\n'), h.Seq), ' ')
	b = append(AppendTime(b, h.Time), '\n')
	return string(append(h.Hash.append(b), '\n'))
}
