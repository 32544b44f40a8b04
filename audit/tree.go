// # The tree
//
// The chain proves a log to whoever has all of it. One entry alone is proved by
// a tree over the same lines, in the formats of the transparency logs: C2SP
// tlog-checkpoint, signed-note, tlog-cosignature, tlog-witness, tlog-policy and
// tlog-proof. Where this page is narrower than they are, it says so.
//
// The leaves are the lines without their newline; leaf n, from 0, is the entry
// with seq n+1. The hash of a leaf, of two hashes, and of no leaf at all, is
// (RFC 6962)
//
//	leaf  = SHA-256( 0x00 line )
//	node  = SHA-256( 0x01 left right )
//	empty = SHA-256( )
//
// and the tree of more than one leaf is the node of two trees, of which the left
// one has as many leaves as the largest power of two that is less than all.
//
// # The checkpoint
//
// What is signed is the state of the log in three lines, each with its newline:
// the origin, which is the name of the log; the size, how many lines there are,
// in decimal digits without a leading zero, below 2^53; the root of their tree
// in base64. A checkpoint of ours has no other lines, and a proof admits none.
// After an empty line follow the signatures, a line each, at most 64 of them in
// at most 256 KiB:
//
//	an em dash U+2014, " ", name, " ", base64( ID signature ), LF
//	ID = the first 4 bytes of SHA-256( name LF type public-key )
//
// The name of the key of a log is the origin. A name is not empty, has at most
// 255 bytes of UTF-8, and neither white space nor "+" nor control characters.
// There are three types of keys, a byte:
//
//   - 0x01, of a log: the signature is that of Ed25519 over the three lines.
//   - 0x04, of a witness: the signature is 8 bytes, the second of the signature
//     since 1970, big endian, and 64 bytes, Ed25519 over "cosignature/v1" LF
//     "time " second LF and the three lines.
//   - 0x06, of either: 8 bytes as before, and 2420 bytes, ML-DSA-44 over the
//     structure cosigned_message of C2SP tlog-cosignature, start 0, end the size.
//
// A second is from 1 to 253402300799, the end of the year 9999. A public key is
// given away as its verifier key, and so it stands in vault.signer:
//
//	name "+" eight lower-case hexadecimal digits of ID "+" base64( type public-key )
//
// All of this has one spelling. Base64 is that of RFC 4648 section 4, padded,
// without line breaks, and the bits that mean nothing are zero. There is no other
// white space, nothing after the last newline, and no second signature of one
// name and ID, be the key known or not.
//
// The vault writes checkpoint.signed before a checkpoint leaves it. So the root
// of each is in the log, and so is each signer. The size never falls; it is at least 1
// and at most the number of lines before the entry, and less than that by 4096 at
// most: the lines that were written while it was signed. [Verify] compares each root
// with the lines.
//
// # Whom to believe
//
// A checkpoint is checked with keys that came another way than the checkpoint: a
// verifier key of the log, or a policy (C2SP tlog-policy; see [ParsePolicy]),
// which names logs, witnesses, and a quorum of these. It is believed if
//
//   - a key of the policy whose name is the origin of the checkpoint signed it;
//   - no signature with the name and the ID of a key of the policy is false;
//   - the witnesses that signed meet the quorum; with a verifier key alone, none
//     has to.
//
// Signatures of other keys count for nothing, but must be spelled right. A key
// of the policy of type 0x06 counts as such another where the reader cannot
// check it.
//
// # The proof
//
// A proof of one entry is a file of type .tlog-proof. It needs nothing beside
// those keys:
//
//	proof = "c2sp.org/tlog-proof@v1" LF
//	        "extra " base64( line without its newline ) LF
//	        "index " seq-1 LF
//	        { base64( hash ) LF }
//	        LF
//	        the signed checkpoint
//
// The hashes, at most 63, lead from the leaf to the root: the first is that of
// the leaf's sibling, the last that of the root's child (RFC 6962 section 2.1.1).
// It holds if the checkpoint is believed, the hashes lead to its root, there is
// neither one too many nor one too few, the line is an entry in its one spelling,
// and its seq is the index plus 1.
//
// Then: this entry is in the log with that origin, as entry seq of at least size.
// Whoever signed can never show a log with another entry there to anybody who
// keeps the checkpoint. If witnesses signed: the log had this state at the
// latest at the second each of them names, and it grew out of each state they saw
// before. What the section "What it proves, and what it does not" says of an
// entry's content is true of one that is proved too.
//
// # An example of a proof
//
// The second version of the document in the example above, entry 4 of 4, signed
// by the vault with the verifier key
//
//	vault.example.com/main+a4db3a38+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
//
// and by a witness with
//
//	notary.example.org+595d6896+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU
//
// so that the policy which asks for both is
//
//	log vault.example.com/main+a4db3a38+AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c
//	witness notary notary.example.org+595d6896+BIE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU
//	quorum notary
//
// The proof:
//
//	c2sp.org/tlog-proof@v1
//	extra eyJzZXEiOjQsInByZXYiOiI1ODI4Yjc3MmQ0NmU5YmE0YWE2MTBhMzMyOWMwOGRmMWJhZjJhNjM3MzNkYmJhM2M0Yzg4MTlhMGRkNGRhMzNjIiwidGltZSI6IjIwMjYtMTEtMjFUMTc6MzY6MDQuMTI2WiIsImFjdG9yIjoiMDFKRDZRR1ozTlE1QzNXMFhIREE0TThWMkUiLCJrZXkiOiIwMUpENlFHWjNQN0s5UjJTNlQ0QjBZMU44RiIsIm9wIjoiZG9jdW1lbnQudmVyc2lvbl9hZGRlZCIsImRvY3VtZW50IjoiMDFKRDZSMFY1WEo4TTJINFE3WjlDM0U2VEIiLCJ2ZXJzaW9uIjoyLCJmYWN0cyI6eyJjaGFpbiI6ImVmNjI2N2I3ZmI2NjA5MzE0NDNhMjhmOTM4NTU0MjcwZDMwYWRiYTEyNGE4MWQ2ODU4OGZlYTMyYjA2ZTc0OGQiLCJkaWdlc3QiOiJzaGEyNTY6MDczMDVhMzIwMDYyOWE3YjhhMDRmNzcwMDhmYTFiMWY3MTlmZWMzYjYwZDRmZGYyNjgzYmE2MGNmMjk1NjM4MSIsIm1lZGlhVHlwZSI6InRleHQvcGxhaW4iLCJzaXplIjoxMn0sImRldGFpbCI6IiJ9
//	index 3
//	XKquBPMgt/ldgqBIfJWUaVtFYbB6598lISZZrYlO2N4=
//	4lYSd7Nwmc1t5HkVpGZsKa3GLuhlsUcy/bkeerWwFs8=
//
//	vault.example.com/main
//	4
//	q8akVGNqZWIUvps9Agq/SyharCGne6ecRwk7v+23Fuo=
//
//	— vault.example.com/main pNs6OLZn59ChpHeyi4gmO7VtCUABoq34+hVi0VRb1EFPAQiTJIv4HkqOJD6R33RQjDtUPs1DCe7lGJzBG1fzuhRvhgg=
//	— notary.example.org WV1olgAAAABrAdaBDmadjDPHc6k2apFv+Q0f+CELl6o6pl6V22agJNKHCBYlkAj2HHatbSfXGBFZdAelOtxxMwT086JdlRYRV6F+BQ==
package audit

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// The errors of the tree and of what is signed over it, each wrapped with what
// and where. What is spelled wrong is [ErrSyntax].
var (
	// ErrSignature: no key that is trusted signed the checkpoint, or the
	// signature of one is false.
	ErrSignature = errors.New("not signed by a trusted key")
	// ErrQuorum: the log signed the checkpoint, but too few witnesses of the
	// policy did.
	ErrQuorum = errors.New("not enough witnesses signed")
	// ErrProof: the hashes do not lead from what is claimed to the root.
	ErrProof = errors.New("the hashes do not lead to the root")
)

// TreeHash is a hash of the tree: of a leaf, or of two hashes below.
type TreeHash = tlog.Hash

// HashReader reads hashes of the tree by their stored index. The hashes it is
// asked for may be many: it should read them in one go.
type HashReader = tlog.HashReader

// HashReaderFunc is a function that is a [HashReader].
type HashReaderFunc = tlog.HashReaderFunc

// emptyRoot is the root of a tree without leaves: the SHA-256 of nothing.
var emptyRoot = TreeHash(HashLine(nil))

// LeafHash returns the hash of the leaf that line is, given with its newline
// or without: the leaf has none.
func LeafHash(line []byte) TreeHash { return tlog.RecordHash(leafOf(line)) }

// leafOf is the line without its newline.
func leafOf(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		return line[:n-1]
	}
	return line
}

// StoredHashes returns the hashes to append to the stored ones for the leaf at
// index n, which is the entry with seq n+1. r gives those stored already.
func StoredHashes(n int64, line []byte, r HashReader) ([]TreeHash, error) {
	return tlog.StoredHashes(n, leafOf(line), r)
}

// StoredHashCount returns how many hashes are stored for a tree of size leaves.
func StoredHashCount(size int64) int64 { return tlog.StoredHashCount(size) }

// TreeRoot returns the root of the tree of the first size lines. The root of
// none is the SHA-256 of nothing.
func TreeRoot(size int64, r HashReader) (TreeHash, error) {
	if size == 0 {
		return emptyRoot, nil
	}
	return tlog.TreeHash(size, r)
}

// ProveConsistency returns the hashes that show that the tree of the first old
// lines is the beginning of that of the first size. Every tree begins with the
// empty one: for old 0 there are none, as there are none for old equal to size.
func ProveConsistency(old, size int64, r HashReader) ([]TreeHash, error) {
	if old < 0 || old > size || size > maxNumber {
		return nil, fmt.Errorf("%w: a tree of %d lines does not begin with one of %d", ErrProof, size, old)
	}
	if old == 0 || old == size {
		return nil, nil
	}
	return tlog.ProveTree(size, old, r)
}

// CheckConsistency checks what [ProveConsistency] returned. The error is
// [ErrProof].
func CheckConsistency(old int64, oldRoot TreeHash, size int64, root TreeHash, proof []TreeHash) error {
	if old < 0 || old > size || size > maxNumber {
		return fmt.Errorf("%w: a tree of %d lines does not begin with one of %d", ErrProof, size, old)
	}
	if size == 0 && root != emptyRoot || old == 0 && oldRoot != emptyRoot {
		return fmt.Errorf("%w: the root of no lines is %s", ErrProof, emptyRoot)
	}
	if old == 0 {
		if len(proof) > 0 {
			return fmt.Errorf("%w: every tree begins with the empty one, so there is nothing to prove", ErrProof)
		}
		return nil
	}
	if err := tlog.CheckTree(proof, size, root, old, oldRoot); err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	return nil
}
