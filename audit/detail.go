package audit

import "crypto/sha256"

// DetailHash returns the hash of a detail that its entry carries: the SHA-256
// of the 16 bytes of salt and the exact bytes of the detail after them.
func DetailHash(salt [16]byte, detail []byte) Hash {
	s := sha256.New()
	s.Write(salt[:])
	s.Write(detail)
	var h Hash
	s.Sum(h[:0])
	return h
}
