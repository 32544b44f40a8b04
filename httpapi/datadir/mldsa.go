package datadir

import "filippo.io/mldsa"

// keyMLDSA is an engine.MLDSA. The library is plugged in here, so that engine and
// audit stay without it.
func keyMLDSA(seed []byte) (publicKey []byte, sign func(message []byte) ([]byte, error), err error) {
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed)
	if err != nil {
		return nil, nil, err
	}
	return key.PublicKey().Bytes(), func(message []byte) ([]byte, error) { return key.Sign(nil, message, nil) }, nil
}

// VerifyMLDSA is for audit.Policy: it says whether a signature by ML-DSA-44 holds.
func VerifyMLDSA(publicKey, message, signature []byte) bool {
	key, err := mldsa.NewPublicKey(mldsa.MLDSA44(), publicKey)
	return err == nil && mldsa.Verify(key, message, signature, nil) == nil
}
