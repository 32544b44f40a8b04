package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"strongroom/audit"
	"strongroom/blobstore"
)

// Witnesses of other people sign the vault's checkpoints too. What they signed is
// not audited state: it can be asked for again, so it stands in a file of its own,
// that of the largest checkpoint they have signed.

// ContradictedError says that the vault must sign no more with the key it has:
// something that was signed with it is not in this log.
type ContradictedError struct {
	Verifier string // of the key
	Why      string
}

func (e *ContradictedError) Error() string {
	return e.Why + ": the vault's directory was brought back to an earlier state, or changed, and signs no more, since it would contradict what it has signed; " +
		"bring the right directory back, or, if this one is to go on, move sign.key away: then it signs with a new key under another origin"
}

func (e *ContradictedError) Is(target error) bool { return target == ErrContradicted }

// contradicted says whether this signer may sign no more.
func (v *Vault) contradicted(vkey string) error {
	if is := v.contradiction.Load(); is != nil && (is.Verifier == vkey || is.Verifier == "") {
		return is
	}
	return nil
}

// signsNoMore is why the vault signs no more with the key it has, or cannot; nil: it may
// sign.
func (v *Vault) signsNoMore() error {
	named, err := v.signerOf()
	if err != nil || named == "" {
		return err
	}
	if err := v.contradicted(named); err != nil {
		return err
	}
	return v.wrongSignKey(named)
}

// contradict has a signer sign no more, after a restart too.
func (v *Vault) contradict(vkey, why string) error {
	is := &ContradictedError{vkey, why}
	v.contradiction.Store(is)
	if err := blobstore.WriteFile(filepath.Join(v.dir, fileContradict), []byte(vkey+"\n"+why+"\n")); err != nil {
		return errors.Join(is, err)
	}
	return is
}

// loadContradiction reads what was found before the vault was opened.
func (v *Vault) loadContradiction() error {
	text, err := readSmall(filepath.Join(v.dir, fileContradict))
	if text == nil || err != nil {
		return err
	}
	vkey, why, _ := strings.Cut(string(text), "\n")
	v.contradiction.Store(&ContradictedError{vkey, strings.TrimSuffix(why, "\n")})
	return nil
}

// readSmall returns nil if there is no file.
func readSmall(path string) ([]byte, error) {
	f, err := blobstore.OpenRegular(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, audit.MaxNote+audit.MaxLine))
}

// WitnessSaw tells the vault the size that a witness has seen of its log, under an
// origin. If the vault has signed no such size there, its directory is older than
// what was signed, and it signs no more: *ContradictedError.
func (v *Vault) WitnessSaw(ctx context.Context, origin string, size int64) error {
	if err := v.takeTurn(ctx); err != nil {
		return err
	}
	defer v.signing.leave()
	return v.atSigner(origin, func(vkey string, last Checkpoint) error {
		if size <= last.Size {
			return nil
		}
		return v.contradict(vkey, fmt.Sprintf("a witness has seen %d entries of this log signed, and it has signed no more than %d", size, last.Size))
	})
}

// WitnessRefuses tells the vault that a witness has seen a checkpoint of its log,
// under an origin, out of which the one it was given did not grow. The vault signs no
// more: *ContradictedError.
func (v *Vault) WitnessRefuses(ctx context.Context, origin string, size int64) error {
	if err := v.takeTurn(ctx); err != nil {
		return err
	}
	defer v.signing.leave()
	return v.atSigner(origin, func(vkey string, last Checkpoint) error {
		return v.contradict(vkey, fmt.Sprintf("a witness has seen another history of this log: its %d entries are not the first of these", size))
	})
}

// atSigner calls fn if the origin is that of the vault's signer.
func (v *Vault) atSigner(origin string, fn func(vkey string, last Checkpoint) error) error {
	vkey, err := v.signerOf()
	if err != nil || !strings.HasPrefix(vkey, origin+"+") {
		return err
	}
	if err := v.contradicted(vkey); err != nil {
		return err
	}
	last, err := v.lastSigned()
	if err != nil {
		return err
	}
	if last.Verifier != vkey {
		last = Checkpoint{}
	}
	return fn(vkey, last)
}

// AddCosignatures keeps what witnesses have answered to a checkpoint of the vault's:
// signed is the checkpoint they were given, lines are their signature lines. Those of
// the policy's witnesses are checked and kept, others left out; they go into proofs.
// Of two checkpoints the larger is kept. It returns the checkpoint with all that is
// kept, and who signed.
//
// audit.ErrSyntax and audit.ErrSignature: the lines are none, or false;
// ErrNoCheckpoint: the vault has not signed the checkpoint with the key it has.
func (v *Vault) AddCosignatures(ctx context.Context, signed, lines []byte, witnesses audit.Policy) (Checkpoint, []audit.Cosigning, error) {
	if err := v.takeTurn(ctx); err != nil {
		return Checkpoint{}, nil, err
	}
	defer v.signing.leave()
	last, err := v.lastCheckpoint()
	if err != nil {
		return Checkpoint{}, nil, err
	}
	policy, err := witnesses.For(last.Verifier)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	given, err := audit.OpenCheckpoint(signed, last.Verifier)
	if err == nil { // of what else is on it, such as the signature of the second key, nothing is kept
		signed, err = audit.KeepSignatures(signed, policy.Logs[0].Key)
	}
	if err != nil {
		return Checkpoint{}, nil, fmt.Errorf("%w: %w", ErrNoCheckpoint, err)
	}
	if is, err := v.grewOut(ctx, last, given); err != nil {
		return Checkpoint{}, nil, err
	} else if !is {
		return Checkpoint{}, nil, fmt.Errorf("%w: not one of %d entries with the root %s", ErrNoCheckpoint, given.Size, given.Root)
	}
	kept := v.cosigned(last.Verifier)
	is := Checkpoint{given, last.Verifier, signed}
	if kept.Checkpoint.Checkpoint == given {
		is.Note = kept.Note
	}
	whole, by, err := policy.Cosigned(is.Note, lines)
	if err != nil {
		return Checkpoint{}, nil, err
	}
	is.Note = whole
	if kept.Size > given.Size {
		return is, by, nil
	}
	keys := map[string]bool{}
	if kept.Size == given.Size {
		for _, w := range kept.witnesses {
			keys[w] = true
		}
	}
	for _, c := range by {
		keys[c.Key.String()] = true
	}
	return is, by, v.keepCosigned(cosigned{is, sortedKeys(keys)})
}

// cosigned is what stands in the file: the witnesses' verifier keys, a line each, an
// empty line, the checkpoint.
type cosigned struct {
	Checkpoint
	witnesses []string
}

func (v *Vault) keepCosigned(c cosigned) error {
	text := []byte(strings.Join(c.witnesses, "\n") + "\n\n")
	return blobError(blobstore.WriteFile(filepath.Join(v.dir, fileCosigned), append(text, c.Note...)))
}

// cosigned returns what is kept of a signer, all of whose signatures hold; the zero
// value if nothing is. A file that is damaged is as none: witnesses sign again.
func (v *Vault) cosigned(vkey string) cosigned {
	text, err := readSmall(filepath.Join(v.dir, fileCosigned))
	if text == nil || err != nil {
		return cosigned{}
	}
	keys, note, _ := bytes.Cut(text, []byte("\n\n"))
	var policy audit.Policy
	names := strings.Split(string(keys), "\n")
	for _, name := range names {
		key, err := audit.ParseVerifier(name)
		if err != nil {
			return cosigned{}
		}
		policy.Witnesses = append(policy.Witnesses, audit.PolicyWitness{Name: key.Name, Key: key})
	}
	if policy, err = policy.For(vkey); err != nil {
		return cosigned{}
	}
	o, err := policy.Open(note)
	if err != nil && !errors.Is(err, audit.ErrQuorum) || len(o.Witnesses) == 0 || len(o.Unknown) > 0 {
		return cosigned{}
	}
	return cosigned{Checkpoint{o.Checkpoint, vkey, bytes.Clone(note)}, names}
}

// Witnessed returns the largest checkpoint of the vault's key that witnesses have
// signed. ErrNoCheckpoint if there is none.
func (v *Vault) Witnessed(ctx context.Context) (Checkpoint, error) {
	if err := v.takeTurn(ctx); err != nil {
		return Checkpoint{}, err
	}
	defer v.signing.leave()
	last, err := v.lastCheckpoint()
	if err != nil {
		return Checkpoint{}, err
	}
	if kept := v.cosigned(last.Verifier); kept.Size > 0 {
		return kept.Checkpoint, nil
	}
	return Checkpoint{}, ErrNoCheckpoint
}

// withCosignatures returns the checkpoint with what is kept of it.
func (v *Vault) withCosignatures(c Checkpoint) Checkpoint {
	if kept := v.cosigned(c.Verifier); kept.Checkpoint.Checkpoint == c.Checkpoint {
		return kept.Checkpoint
	}
	return c
}
