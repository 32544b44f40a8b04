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
