package interop

import (
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"strongroom/audit"
)

// checkInclusion checks a proof by torchwood and by transparency-dev's merkle, which
// know nothing of each other.
func checkInclusion(t testing.TB, c audit.Checkpoint, p audit.Proof) {
	t.Helper()
	leaf := rfc6962.DefaultHasher.HashLeaf(p.Line)
	var path [][]byte
	for _, h := range p.Path {
		path = append(path, h[:])
	}
	must(t, proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(p.Index), uint64(c.Size), leaf, path, c.Root[:]))
	must(t, torchwood.CheckHash(torchwood.HashProof(p.Path), c.Size, c.Root, tlog.StoredHashIndex(0, p.Index), tlog.Hash(leaf)))
}
