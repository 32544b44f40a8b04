package engine

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
)

// bagProofs proves that the entries which made the versions of a bag are in the log:
// all under one checkpoint, which is signed when the bag is begun if none covers it.
type bagProofs struct {
	under Checkpoint        // the zero Checkpoint: the vault signs none
	made  map[uint64]uint64 // versions of the document in hand, and the entries that made them
}

// sign finds the checkpoint. A vault that cannot sign exports all the same, and says
// why there are no proofs.
func (w *bagWriter) sign() error {
	if err := w.v.takeTurn(w.ctx); err != nil {
		return err
	}
	defer w.v.signing.leave()
	under, err := w.v.covering(w.ctx, w.Seq)
	if ended := w.ctx.Err(); ended != nil {
		return ended
	}
	if err != nil {
		w.problem("", 0, "there are no proofs: "+err.Error())
		return nil
	}
	w.proofs.under = under
	return nil
}

// prove writes a proof for each version that was made of a document.
func (w *bagWriter) prove(documentID string) error {
	if w.proofs.under.Size == 0 {
		return nil
	}
	for _, number := range slices.Sorted(maps.Keys(w.proofs.made)) {
		seq := w.proofs.made[number]
		line, err := w.v.provable(seq)
		if err != nil {
			return err
		}
		proof, err := w.v.whole.proveUnder(w.ctx, w.proofs.under, seq, line)
		if err != nil {
			return fmt.Errorf("prove entry %d: %w", seq, err)
		}
		if err := w.add(fmt.Sprintf("proofs/%s/%04d.tlog-proof", documentID, number), bytes.NewReader(proof.Marshal())); err != nil {
			return err
		}
	}
	return nil
}

// proofsText stands beside the proofs.
func (w *bagWriter) proofsText() string {
	if w.proofs.under.Size == 0 {
		return "There are no proofs in this export: data/problems.csv says why.\n"
	}
	return fmt.Sprintf(`DOCUMENT/NUMBER.tlog-proof proves, to anybody and without the vault, that the log
of the vault has the entry which took this version of the document, with the digest
of its bytes. It is a C2SP tlog-proof; the line of the log is in it. checkpoint.txt
is what the vault signed: the first %d entries of %s.

  strongroom verify --proof PROOF --key KEY --file FILE

verifier.html does the same in a browser, opened from disk and with no network.

KEY is the verifier key of the log. Ask the vault's owner for it, or take it from
where you have kept it, and not from these files: whoever made them up would have
made up a key as well. The same goes for verifier.html: its copies are equal byte
for byte, in every release and on every server, at /v1/verifier.html.
`, w.proofs.under.Size, w.proofs.under.Origin)
}
