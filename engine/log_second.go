package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"strongroom/audit"
	"strongroom/blobstore"
)

// A host may have checkpoints signed by a second key, of ML-DSA-44, for the day that
// Ed25519 is broken. It signs nothing but what the first key has signed, under the
// same origin, so what it has signed is never lost: the signature is made when it is
// asked for and kept nowhere. That is also why another key may take the place of a
// lost one under the origin there is. Its verifier key is a fact of vault.signer, and
// stays in the log.

// The files of the second key.
const (
	fileMLDSA     = "mldsa.key"
	fileNextMLDSA = "mldsa.key.new" // as fileNextKey
)

// MLDSA makes the ML-DSA-44 key of a seed, 32 bytes: the 1312 bytes of its public
// half, and what signs a message with an empty context.
type MLDSA func(seed []byte) (publicKey []byte, sign func(message []byte) ([]byte, error), err error)

// secondKey is an ML-DSA-44 key with the log's origin for its name.
type secondKey struct {
	verifier audit.Verifier
	seed     []byte
	sign     func(message []byte) ([]byte, error)
}

const (
	secondPrefix = "PRIVATE+KEY+"
	secondType   = 6 // as C2SP signed-note numbers ML-DSA-44
	seedSize     = 32
)

func (m MLDSA) key(origin string, seed []byte) (*secondKey, error) {
	public, sign, err := m(seed)
	if err != nil {
		return nil, err
	}
	verifier, err := audit.VerifierMLDSA(origin, public)
	return &secondKey{verifier, seed, sign}, err
}

// marshal spells the key as sign.key is spelled, with the type of this one.
func (k *secondKey) marshal() []byte {
	return fmt.Appendf(nil, "%s%s+%08x+%s\n", secondPrefix, k.verifier.Name, k.verifier.ID(),
		base64.StdEncoding.EncodeToString(append([]byte{secondType}, k.seed...)))
}

// read returns nil if there is no file.
func (m MLDSA) read(path string) (*secondKey, error) {
	text, err := readSmall(path)
	if text == nil || err != nil {
		return nil, err
	}
	name, rest, _ := strings.Cut(strings.TrimPrefix(string(text), secondPrefix), "+")
	_, key64, _ := strings.Cut(strings.TrimSuffix(rest, "\n"), "+")
	raw, err := base64.StdEncoding.DecodeString(key64)
	if err == nil && len(raw) == 1+seedSize && raw[0] == secondType {
		if key, err := m.key(name, raw[1:]); err == nil && bytes.Equal(key.marshal(), text) {
			return key, nil
		}
	}
	return nil, fmt.Errorf("%w: want one line, %sNAME+ID+KEY, with an ML-DSA-44 key", audit.ErrSyntax, secondPrefix)
}

// secondOf is the verifier key of the second signer, as the log has it; "": there is
// none.
func (v *Vault) secondOf() (string, error) {
	return view(v, func(t *tx) (string, error) { return string(t.Get(bucketMeta, metaSecond)), nil })
}

// readSecond is readSignKey for the second key.
func (v *Vault) readSecond(named string) (*secondKey, error) {
	s, path := &v.signing, filepath.Join(v.dir, fileMLDSA)
	if s.second != nil && s.second.verifier.String() == named {
		if _, err := os.Lstat(path); err == nil {
			return s.second, nil
		}
	}
	next := filepath.Join(v.dir, fileNextMLDSA)
	if key, err := s.mldsa.read(next); err == nil && key != nil && key.verifier.String() == named {
		if err := blobstore.Rename(next, path); err != nil {
			return nil, err
		}
	}
	key, err := s.mldsa.read(path)
	if errors.Is(err, audit.ErrSyntax) || err == nil && key != nil && named != "" && key.verifier.String() != named {
		return nil, &SignKeyError{Path: path, Verifier: shortKey(named), Err: err, Second: true}
	}
	if err == nil && named != "" {
		s.second = key
	}
	return key, err
}

// shortKey is a verifier key without its key: name and ID.
func shortKey(vkey string) string {
	const key = 1 + 1752 // a plus sign and the digits
	return vkey[:max(0, len(vkey)-key)]
}

// nameSecond sees to it that the log names the second key, if the host wants one.
// Called in turn, behind signKey.
func (v *Vault) nameSecond(ctx context.Context, first audit.Key) error {
	if v.signing.mldsa == nil {
		return nil
	}
	named, err := v.secondOf()
	if err != nil {
		return err
	}
	key, err := v.readSecond(named)
	if err != nil || key != nil && named != "" {
		return err
	}
	return v.newSecond(ctx, first, key)
}

// newSecond is newSigner for the second key: the first stays as it is.
func (v *Vault) newSecond(ctx context.Context, first audit.Key, of *secondKey) error {
	seed := make([]byte, seedSize)
	if of != nil {
		seed = of.seed
	} else if _, err := rand.Read(seed); err != nil {
		return err
	}
	key, err := v.signing.mldsa.key(first.Name(), seed)
	if err != nil {
		return fmt.Errorf("make an ML-DSA-44 key: %w", err)
	}
	next := filepath.Join(v.dir, fileNextMLDSA)
	if err := blobstore.WriteFile(next, key.marshal()); err != nil {
		return spaceOf(err)
	}
	vkey := key.verifier.String()
	_, _, err = update(v, ctx, System(), func(t *tx) (struct{}, audit.Event, error) {
		if string(t.Get(bucketMeta, metaSigner)) != first.Verifier() {
			return struct{}{}, audit.Event{}, errors.New("assertion failed: somebody else signs")
		}
		t.Put(bucketMeta, metaSecond, []byte(vkey))
		return struct{}{}, audit.Event{Op: audit.OpVaultSigner, Facts: audit.Facts{"mldsa": audit.Text(vkey), "vkey": audit.Text(first.Verifier())}}, nil
	})
	if err == nil {
		err = blobstore.Rename(next, filepath.Join(v.dir, fileMLDSA))
	}
	if err == nil {
		v.signing.second = key
	}
	return err
}

// SignTwice returns a checkpoint that the vault has signed with the signature of its
// second key behind the others, some 3.3 KB, if it has one and Options.MLDSA is given;
// else, or if the vault may sign no more, as it is. It writes nothing: who signs anew
// is Checkpoint. audit.ErrSignature for a checkpoint of another signer;
// *SignKeyError if mldsa.key is not the key that the log names.
func (v *Vault) SignTwice(ctx context.Context, c Checkpoint) ([]byte, error) {
	if v.signing.mldsa == nil {
		return c.Note, nil
	}
	if err := v.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer v.signing.leave()
	first, err := v.signerOf()
	if err != nil {
		return nil, err
	}
	named, err := v.secondOf()
	if err != nil || named == "" || v.contradicted(first) != nil {
		return c.Note, err
	}
	is, err := audit.OpenCheckpoint(c.Note, first)
	if err != nil {
		return nil, err
	}
	key, err := v.readSecond(named)
	if err != nil || key == nil { // it is lost: another is named with the next checkpoint
		return c.Note, err
	}
	s := &v.signing
	if s.twice.of != is || s.twice.by != named {
		line, err := audit.CosignMLDSA(key.verifier, is, v.store.Clock.Now(), key.sign)
		if err != nil {
			return nil, err
		}
		s.twice = secondLine{is, named, line}
	}
	return audit.AddSignatures(c.Note, s.twice.line)
}

// secondLine is the signature line of a second key that was made last. It saves
// making it again, and has whoever asks twice see one checkpoint.
type secondLine struct {
	of   audit.Checkpoint
	by   string
	line []byte
}
