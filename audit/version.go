package audit

import (
	"crypto/sha256"
	"time"
)

const digestPrefix = "sha256:"

// isDigest reports whether s is sha256: and 64 lower-case hexadecimal digits.
func isDigest[T ~string | ~[]byte](s T) bool {
	var h Hash
	return len(s) == len(digestPrefix)+2*len(h) && string(s[:len(digestPrefix)]) == digestPrefix &&
		decodeHex(h[:], []byte(s[len(digestPrefix):]))
}

// VersionChain returns the chain of a version: the SHA-256 over eight lines,
//
//	prev, document, number, digest, size, mediaType, createdAt, createdBy
//
// each ended by a newline, hashes as 64 hexadecimal digits, numbers in
// decimal, the time as [AppendTime] spells it. The prev of version 1 is the
// zero Hash. The digest is sha256:<hex>. None of the strings may hold a
// newline, or two versions could share a chain; what stands in an entry never
// does.
func VersionChain(prev Hash, document string, number uint64, digest string, size uint64,
	mediaType string, createdAt time.Time, createdBy string) Hash {
	return versionChain(prev, document, number, digest, size, mediaType, createdAt, createdBy)
}

func versionChain[T ~string | ~[]byte](prev Hash, document T, number uint64, digest T, size uint64,
	mediaType T, createdAt time.Time, createdBy T) Hash {
	b := make([]byte, 0, 512)
	b = append(prev.append(b), '\n')
	b = append(append(b, document...), '\n')
	b = append(appendUint(b, number), '\n')
	b = append(append(b, digest...), '\n')
	b = append(appendUint(b, size), '\n')
	b = append(append(b, mediaType...), '\n')
	b = append(AppendTime(b, createdAt), '\n')
	b = append(append(b, createdBy...), '\n')
	return sha256.Sum256(b)
}

// AppendCertificate appends the line that stands for a version in a deletion
// certificate: number, digest, size and chain with blanks between, and a
// newline. The certificate is the SHA-256 of the lines of every version of the
// document, in order.
func AppendCertificate(b []byte, number uint64, digest string, size uint64, chain Hash) []byte {
	return appendCertificate(b, number, digest, size, chain)
}

func appendCertificate[T ~string | ~[]byte](b []byte, number uint64, digest T, size uint64, chain Hash) []byte {
	b = append(appendUint(b, number), ' ')
	b = append(append(b, digest...), ' ')
	b = append(appendUint(b, size), ' ')
	return append(chain.append(b), '\n')
}
