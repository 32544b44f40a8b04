package witness

import (
	"context"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine"
)

// VaultLog is the log of a vault, as a Client sees it.
type VaultLog struct{ *engine.Vault }

var _ Log = VaultLog{}

// SignedOf is what a vault has signed.
func SignedOf(c engine.Checkpoint) Signed { return Signed{c.Checkpoint, c.Note} }

// Prove is ProveConsistency of the vault.
func (l VaultLog) Prove(ctx context.Context, of Signed, old int64) ([]audit.TreeHash, error) {
	return l.ProveConsistency(ctx, engine.Checkpoint{Checkpoint: of.Checkpoint, Note: of.Note}, old)
}

// Add is AddCosignatures of the vault.
func (l VaultLog) Add(ctx context.Context, to Signed, lines []byte, by audit.Policy) ([]audit.Cosigning, error) {
	_, signed, err := l.AddCosignatures(ctx, to.Note, lines, by)
	return signed, err
}

// Saw is WitnessSaw of the vault.
func (l VaultLog) Saw(ctx context.Context, origin string, size int64) error {
	return l.WitnessSaw(ctx, origin, size)
}

// Refuses is WitnessRefuses of the vault.
func (l VaultLog) Refuses(ctx context.Context, origin string, size int64) error {
	return l.WitnessRefuses(ctx, origin, size)
}

// Request is the body of add-checkpoint for a witness that a file is carried to. The
// vault signs its log as it is now. old is the size that the witness signed last;
// below 0, that of the last checkpoint a witness has signed, whichever it was.
func Request(ctx context.Context, v *engine.Vault, old int64) ([]byte, error) {
	c, err := v.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	if old < 0 {
		witnessed, err := v.Witnessed(ctx)
		if err != nil && !errors.Is(err, engine.ErrNoCheckpoint) {
			return nil, err
		}
		old = witnessed.Size
	}
	proof, err := v.ProveConsistency(ctx, c, old)
	if err != nil {
		return nil, err
	}
	return audit.AddRequest{Old: old, Proof: proof, Checkpoint: c.Note}.Marshal(), nil
}

// Add keeps what witnesses of the policy have signed in a request that came back,
// and returns who they are, and whether they are as many as the policy wants.
// audit.ErrSyntax and audit.ErrSignature are about the request;
// engine.ErrNoCheckpoint: it is not one of this vault.
func Add(ctx context.Context, v *engine.Vault, request []byte, p audit.Policy) (by []audit.Cosigning, enough bool, err error) {
	r, err := audit.ParseAddRequest(request)
	if err != nil {
		return nil, false, err
	}
	c, err := audit.ReadCheckpoint(r.Checkpoint)
	if err != nil {
		return nil, false, err
	}
	lines := r.Checkpoint[len(c.Text())+1:]
	whole, by, err := v.AddCosignatures(ctx, r.Checkpoint, lines, p)
	if err != nil {
		return nil, false, err
	}
	if p, err = p.For(whole.Verifier); err != nil {
		return nil, false, err
	}
	_, err = p.Open(whole.Note)
	if err != nil && !errors.Is(err, audit.ErrQuorum) {
		return nil, false, fmt.Errorf("what was kept: %w", err)
	}
	return by, err == nil, nil
}
