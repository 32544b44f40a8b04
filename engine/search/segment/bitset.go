package segment

import "math/bits"

// bitset is a set of documents; nil is empty.
type bitset []uint64

func (b bitset) has(doc uint32) bool {
	return int(doc>>6) < len(b) && b[doc>>6]&(1<<(doc&63)) != 0
}

// add returns the set with a document of a segment of n.
func (b bitset) add(doc uint32, n int) bitset {
	if b == nil {
		b = make(bitset, (n+63)/64)
	}
	b[doc>>6] |= 1 << (doc & 63)
	return b
}

func (b bitset) count() (n int) {
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}
