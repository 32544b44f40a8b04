package engine

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/logtree"
	"strongroom/engine/internal/store"
)

// Checkpoint is a checkpoint that the vault has signed.
type Checkpoint struct {
	audit.Checkpoint
	Verifier string // the verifier key of who signed
	Note     []byte // as it is signed, with the cosignatures that are kept
}

// covers says whether the entry with this seq is under the checkpoint.
func (c Checkpoint) covers(seq uint64) bool { return seq > 0 && seq <= uint64(c.Size) }

func (c Checkpoint) root() logtree.Root { return logtree.Root{Size: c.Size, Hash: c.Root} }

// encode spells the row: the verifier key, a newline, and the note as it was signed.
func (c Checkpoint) encode() []byte { return append([]byte(c.Verifier+"\n"), c.Note...) }

// maxSigned is more than the row of a checkpoint ever has.
const maxSigned = 4 << 10

// decodeSigned reads the row, and checks that who signed has signed. The zero
// Checkpoint of no row.
func decodeSigned(row []byte) (Checkpoint, error) {
	if row == nil {
		return Checkpoint{}, nil
	}
	vkey, note, _ := strings.Cut(string(row[:min(len(row), maxSigned)]), "\n")
	policy, err := audit.PolicyOf(vkey)
	o, bad := policy.Open([]byte(note))
	if err = cmp.Or(err, bad); err == nil && len(o.Unknown) > 0 {
		err = audit.ErrSignature
	}
	if err != nil {
		return Checkpoint{}, fmt.Errorf("%w: the last checkpoint: %w", errDamaged, err)
	}
	return Checkpoint{o.Checkpoint, vkey, []byte(note)}, nil
}

func (v *Vault) lastSigned() (Checkpoint, error) {
	return view(v, func(t *tx) (Checkpoint, error) { return decodeSigned(t.Get(bucketMeta, metaSigned)) })
}

// Checkpoint signs the log as it is on disk now, and returns the checkpoint. While
// nothing but checkpoints was written since the last one, it returns that. Where it
// cannot sign because nothing can be written, it returns the last one too. The errors
// are those of LogKey; *ContradictedError if it must not sign.
func (v *Vault) Checkpoint(ctx context.Context) (Checkpoint, error) {
	if err := v.takeTurn(ctx); err != nil {
		return Checkpoint{}, err
	}
	defer v.signing.leave()
	c, err := v.sign(ctx, 0)
	if err != nil && (errors.Is(err, ErrNoSpace) || v.Ready() == nil && errors.Is(err, ErrUnavailable)) {
		if last, failed := v.lastCheckpoint(); failed == nil {
			return last, nil
		}
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return v.withCosignatures(c), nil
}

// LastCheckpoint returns the last checkpoint and signs none. ErrNoCheckpoint if the
// vault has signed none with the key it has now.
func (v *Vault) LastCheckpoint(ctx context.Context) (Checkpoint, error) {
	if err := v.takeTurn(ctx); err != nil {
		return Checkpoint{}, err
	}
	defer v.signing.leave()
	return v.lastCheckpoint()
}

func (v *Vault) lastCheckpoint() (Checkpoint, error) {
	last, err := v.lastSigned()
	if err != nil {
		return Checkpoint{}, err
	}
	named, err := v.signerOf()
	if err != nil || last.Size == 0 || last.Verifier != named {
		return Checkpoint{}, errors.Join(err, ErrNoCheckpoint)
	}
	return v.withCosignatures(last), nil
}

// sign is Checkpoint, in turn, of one that covers an entry. The order is: the tree is on disk, and grew out of
// the one that was signed last; the checkpoint is on disk, with its entry; only then
// is anybody given it. A crash between leaves a checkpoint that nobody has seen, and
// out of which the next one grows all the same.
func (v *Vault) sign(ctx context.Context, seq uint64) (Checkpoint, error) {
	key, err := v.signKey(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := v.contradicted(key.Verifier()); err != nil {
		return Checkpoint{}, err
	}
	if err := v.nameSecond(ctx, key); err != nil {
		return Checkpoint{}, err
	}
	last, err := v.lastSigned()
	if err != nil {
		return Checkpoint{}, err
	}
	for {
		head := v.Head().Seq
		if last.Verifier == key.Verifier() && seq <= uint64(last.Size) {
			if old, err := v.onlyCheckpoints(uint64(last.Size)+1, head); err != nil || old {
				return last, err
			}
		}
		signed, err := v.signThrough(ctx, key, last, int64(head))
		if !errors.Is(err, errOutgrown) {
			return signed, err
		}
	}
}

// onlyCheckpoints says whether the entries from first to last are checkpoints.
func (v *Vault) onlyCheckpoints(first, last uint64) (bool, error) {
	return view(v, func(t *tx) (bool, error) {
		for seq := first; seq <= last; seq++ {
			e, err := t.entry(seq)
			if err != nil || e.Op != audit.OpCheckpointSigned {
				return false, err
			}
		}
		return true, nil
	})
}

// errOutgrown says that so much was written while the tree caught up that the entry
// would stand too far behind what it covers.
var errOutgrown = errors.New("the log has grown past what is signed")

// signThrough signs the first size entries.
func (v *Vault) signThrough(ctx context.Context, key audit.Key, last Checkpoint, size int64) (Checkpoint, error) {
	// It was written after the checkpoint in it was on disk.
	if kept := v.cosigned(key.Verifier()); kept.Size > last.Size {
		return Checkpoint{}, v.contradict(kept.Verifier, fmt.Sprintf("witnesses have signed %d entries of this log, as the file %s shows, and the log tells of no checkpoint larger than %d", kept.Size, fileCosigned, last.Size))
	}
	root, err := v.grow(ctx, last, size)
	if err != nil {
		return Checkpoint{}, err
	}
	c := audit.Checkpoint{Origin: key.Name(), Size: size, Root: root}
	note, err := key.Sign(c)
	if err != nil {
		return Checkpoint{}, err
	}
	signed := Checkpoint{c, key.Verifier(), note}
	before := last.encode()
	if last.Size == 0 {
		before = nil
	}
	_, _, err = update(v, ctx, System(), func(t *tx) (struct{}, audit.Event, error) {
		if !bytes.Equal(t.Get(bucketMeta, metaSigned), before) || string(t.Get(bucketMeta, metaSigner)) != signed.Verifier {
			return struct{}{}, audit.Event{}, errors.New("assertion failed: somebody else signs")
		}
		if t.Seq() > uint64(size)+audit.MaxUncovered {
			return struct{}{}, audit.Event{}, errOutgrown
		}
		t.Put(bucketMeta, metaSigned, signed.encode())
		return struct{}{}, audit.Event{Op: audit.OpCheckpointSigned, Facts: audit.Facts{
			"root": audit.Text(audit.Hash(root).String()), "size": audit.Number(uint64(size)),
		}}, nil
	})
	return signed, err
}

// grow brings the tree up to size, on disk, and returns its root. It has grown out
// of the one that was signed last, or, made again from the log, still has not, and
// the log is not the one that was signed: *ContradictedError.
func (v *Vault) grow(ctx context.Context, last Checkpoint, size int64) (audit.TreeHash, error) {
	s := &v.signing
	if s.tree == nil {
		tree, err := logtree.Open(filepath.Join(v.dir, fileTree), last.root())
		if err != nil {
			return audit.TreeHash{}, fmt.Errorf("open the tree: %w", err)
		}
		s.tree = tree
	}
	size = max(size, last.Size)
	for again := false; ; again = true {
		if err := v.catchUp(ctx, size); err != nil {
			return audit.TreeHash{}, err
		}
		root, err := s.tree.Root(size)
		before := last.Root
		if err == nil && last.Size > 0 {
			before, err = s.tree.Root(last.Size)
		}
		switch {
		case err == nil && before == last.Root || err == nil && last.Size == 0:
			return root, nil
		case err != nil && !errors.Is(err, logtree.ErrWrong):
			return audit.TreeHash{}, err
		case again:
			return audit.TreeHash{}, v.contradict(last.Verifier, fmt.Sprintf("the first %d entries of the log are not those that were signed", last.Size))
		}
		if err := s.tree.Reset(); err != nil {
			return audit.TreeHash{}, err
		}
	}
}

// catchUp appends the lines that the tree lacks of the first size, and has them on
// disk.
func (v *Vault) catchUp(ctx context.Context, size int64) error {
	tree := v.signing.tree
	have := tree.Size()
	if have >= size {
		return nil
	}
	head := audit.Head{Vault: v.ID(), Seq: uint64(size)}
	lines := bufio.NewReaderSize((&Export{Head: head, v: v, after: uint64(have)}).log(ctx), audit.MaxLine)
	for ; have < size; have++ {
		line, err := lines.ReadSlice('\n')
		if err == nil {
			err = tree.Append(line[:len(line)-1])
		}
		if err != nil {
			err = spaceOf(fmt.Errorf("the tree at entry %d: %w", have+1, err))
			if ctx.Err() != nil { // whoever asks next goes on from here
				return errors.Join(err, spaceOf(tree.Sync()))
			}
			return errors.Join(err, tree.Drop())
		}
	}
	return spaceOf(tree.Sync())
}

// spaceOf tells a full disk from one that fails.
func spaceOf(err error) error {
	if err != nil && blobstore.IsNoSpace(err) {
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// checkpointEvery is how old a checkpoint may be before Sweep signs another, if
// something has changed and signing was ever asked for.
const checkpointEvery = time.Hour

// sweepCheckpoint signs what was written since the last checkpoint, hourly. A vault
// that was never asked to sign, or must not, is left alone.
func (v *Vault) sweepCheckpoint(ctx context.Context) (time.Time, error) {
	due, err := view(v, func(t *tx) (time.Time, error) {
		named := t.Get(bucketMeta, metaSigner)
		last, err := decodeSigned(t.Get(bucketMeta, metaSigned))
		if err != nil || named == nil || last.Verifier != string(named) {
			return time.Time{}, err
		}
		e, err := audit.ParseEntry(t.Get(bucketLog, store.SeqKey(uint64(last.Size)+1)))
		return e.Time.Add(checkpointEvery), err
	})
	if err != nil || due.IsZero() || due.After(v.store.Clock.Now()) {
		return due, err
	}
	if _, err := v.Checkpoint(ctx); err != nil && !errors.Is(err, ErrContradicted) && !errors.Is(err, ErrSignKey) {
		return time.Time{}, err
	}
	return time.Time{}, nil
}
