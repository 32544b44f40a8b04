package audit

import (
	"bytes"
	"fmt"
)

// headTitle begins the printed head of every vault.
const headTitle = "strongroom audit head "

// Text returns the head as three lines, each ended by a newline, to be
// printed, signed and compared: the title with the vault's id; seq and time;
// the hash of the entry.
//
//	strongroom audit head 01JD6QGZ3MZ4Y8T6V1E9B7K2RW
//	4 2026-11-21T17:36:04.126Z
//	bacdfe8b1b198ecbe42e08542c72754ed0b55576df87554fa22c78149d2066ec
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

// ParseHead reads what [Head.Text] returned for a head that is not zero, and
// nothing else: any other text is [ErrSyntax].
func ParseHead(text string) (Head, error) {
	heads, err := ParseHeads(text)
	if err == nil && len(heads) != 1 {
		return Head{}, fmt.Errorf("%w: %d printed heads, want one", ErrSyntax, len(heads))
	}
	if err != nil {
		return Head{}, err
	}
	return heads[0], nil
}

// ParseHeads reads printed heads one after the other, as a file collects them.
// It returns at least one, or [ErrSyntax].
func ParseHeads(text string) ([]Head, error) {
	var heads []Head
	for c := (cursor{b: []byte(text)}); len(heads) == 0 || c.i < len(c.b); {
		h, ok := c.head()
		if !ok {
			return nil, fmt.Errorf("%w (printed head %d)", c.err(), len(heads)+1)
		}
		heads = append(heads, h)
	}
	return heads, nil
}

func (c *cursor) head() (h Head, ok bool) {
	var vault, at, sum []byte
	if !(c.lit(headTitle) && c.upTo('\n', &vault) &&
		c.number(&h.Seq) && c.lit(" ") && c.upTo('\n', &at) && c.upTo('\n', &sum)) {
		return Head{}, false
	}
	ms, ok := parseMillis(at)
	if !ok || h.Seq == 0 || len(vault) == 0 || !isPlain(vault) || !decodeHex(h.Hash[:], sum) || h.Hash.IsZero() {
		return Head{}, c.fail("the end of a head of three lines: title and vault, seq and time, hash")
	}
	h.Vault, h.Time = string(vault), timeOf(ms)
	return h, true
}

// upTo reads what stands before the byte end, and end itself.
func (c *cursor) upTo(end byte, s *[]byte) bool {
	n := bytes.IndexByte(c.b[c.i:], end)
	if n < 0 {
		return c.fail(fmt.Sprintf("%q", end))
	}
	*s = c.b[c.i : c.i+n]
	c.i += n + 1
	return true
}

func isPlain(s []byte) bool {
	for _, c := range s {
		if !plain[c] {
			return false
		}
	}
	return true
}

// Receipt is what the answer to a change carries in X-Audit-Seq and
// X-Audit-Hash: the entry that records it.
type Receipt struct {
	Seq  uint64
	Hash Hash
}

// String returns the receipt as SEQ:HASH.
func (r Receipt) String() string { return string(r.Hash.append(append(appendUint(nil, r.Seq), ':'))) }

// ParseReceipt reads SEQ:HASH, the inverse of [Receipt.String]. Seq 0, a zero
// hash and any other text are [ErrSyntax].
func ParseReceipt(s string) (Receipt, error) {
	var r Receipt
	c := cursor{b: []byte(s)}
	if !c.number(&r.Seq) || !c.lit(":") {
		return Receipt{}, fmt.Errorf("receipt %.90q: %w", s, c.err())
	}
	if r.Seq == 0 || !decodeHex(r.Hash[:], c.b[c.i:]) || r.Hash.IsZero() {
		return Receipt{}, fmt.Errorf("%w: receipt %.90q: want SEQ:HASH, a number from 1 and 64 lower-case hexadecimal digits", ErrSyntax, s)
	}
	return r, nil
}
