package interop

import (
	"errors"
	"testing"
	"time"

	"filippo.io/mldsa"
	formats "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"strongroom/audit"
)

func verifyMLDSA(publicKey, message, signature []byte) bool {
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), publicKey)
	return err == nil && mldsa.Verify(key, message, signature, nil) == nil
}

// A checkpoint that an ML-DSA-44 key signed beside ours is read by others, and what
// others sign by such a key is read by us.
func TestMLDSA(t *testing.T) {
	key := newKey(t)
	c := audit.Checkpoint{Origin: key.Name(), Size: 7, Root: audit.LeafHash([]byte("x"))}
	signed, err := key.Sign(c)
	must(t, err)

	second, err := mldsa.GenerateKey(mldsa.MLDSA44())
	must(t, err)
	v, err := audit.VerifierMLDSA(key.Name(), second.PublicKey().Bytes())
	must(t, err)
	line, err := audit.CosignMLDSA(v, c, time.Now(), func(m []byte) ([]byte, error) { return second.Sign(nil, m, nil) })
	must(t, err)
	both, err := audit.AddSignatures(signed, line)
	must(t, err)
	theirs, err := formats.NewMLDSAVerifier(v.String())
	must(t, err)
	if n, err := note.Open(both, note.VerifierList(theirs)); err != nil || len(n.Sigs) != 1 {
		t.Errorf("they do not read our signature: %v", err)
	}

	skey, vkey, err := formats.GenerateMLDSAKey("others.example/witness")
	must(t, err)
	signer, err := formats.NewMLDSASigner(skey)
	must(t, err)
	log, err := note.NewVerifier(key.Verifier())
	must(t, err)
	n, err := note.Open(both, note.VerifierList(log))
	must(t, err)
	cosigned, err := note.Sign(n, signer)
	must(t, err)
	policy, err := audit.ParsePolicy("log " + v.String() + "\nwitness other " + vkey + "\nquorum other\n")
	must(t, err)
	if _, err := policy.Open(cosigned); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("without ML-DSA it is believed: %v", err)
	}
	policy.VerifyMLDSA = verifyMLDSA
	if o, err := policy.Open(cosigned); err != nil || len(o.Logs) != 1 || len(o.Witnesses) != 1 || time.Since(o.Witnesses[0].Time) > time.Minute {
		t.Errorf("%+v, %v", o, err)
	}
}
