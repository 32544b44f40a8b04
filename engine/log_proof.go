package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"strongroom/audit"
	"strongroom/engine/internal/logtree"
	"strongroom/engine/internal/store"
)

// EntryProof is a proof that an entry is in the log, and what it is under.
type EntryProof struct {
	Proof      audit.Proof
	Checkpoint Checkpoint
}

// ProveEntry proves that an entry is in the log, under a checkpoint that witnesses
// have signed if there is one, else under the last; if none covers it, one is signed.
// ErrEntryNotFound, also for an entry of a document that may not be seen; and the
// errors of Checkpoint.
func (v *Vault) ProveEntry(ctx context.Context, seq uint64) (EntryProof, error) {
	line, err := v.provable(seq)
	if err != nil {
		return EntryProof{}, err
	}
	if err := v.takeTurn(ctx); err != nil {
		return EntryProof{}, err
	}
	defer v.signing.leave()
	under, err := v.covering(ctx, seq)
	if err != nil {
		return EntryProof{}, err
	}
	proof, err := v.proveInTurn(ctx, under, seq, line)
	return EntryProof{proof, under}, err
}

// proveUnder proves that an entry is under a checkpoint of the vault's.
func (v *Vault) proveUnder(ctx context.Context, under Checkpoint, seq uint64, line []byte) (audit.Proof, error) {
	if err := v.takeTurn(ctx); err != nil {
		return audit.Proof{}, err
	}
	defer v.signing.leave()
	return v.proveInTurn(ctx, under, seq, line)
}

func (v *Vault) proveInTurn(ctx context.Context, under Checkpoint, seq uint64, line []byte) (audit.Proof, error) {
	path, err := onTree(v, ctx, under, func(t *logtree.Tree) ([]audit.TreeHash, error) {
		return t.Prove(under.root(), int64(seq)-1, line)
	})
	return audit.Proof{Line: line, Index: int64(seq) - 1, Path: path, Checkpoint: under.Note}, err
}

// provable returns the line of an entry, without its newline.
func (v *Vault) provable(seq uint64) ([]byte, error) {
	return view(v, func(t *tx) ([]byte, error) {
		e, err := t.entry(seq)
		if err != nil {
			return nil, err
		}
		if e.Document != "" && t.partial() {
			if _, err := t.document(e.Document); errors.Is(err, ErrDocumentNotFound) {
				return nil, ErrEntryNotFound
			} else if err != nil {
				return nil, err
			}
		}
		return e.Line[:len(e.Line)-1], nil
	})
}

// covering returns a checkpoint that covers an entry.
func (v *Vault) covering(ctx context.Context, seq uint64) (Checkpoint, error) {
	last, err := v.lastCheckpoint()
	if err != nil && !errors.Is(err, ErrNoCheckpoint) {
		return Checkpoint{}, err
	}
	if err == nil {
		if kept := v.cosigned(last.Verifier); kept.covers(seq) && kept.Size <= last.Size {
			// A file that was copied here may be of another history.
			if is, err := v.grewOut(ctx, last, kept.Checkpoint.Checkpoint); err != nil || is {
				return kept.Checkpoint, err
			}
		}
		if last.covers(seq) {
			return last, nil
		}
		if err := v.worthSigning(last); err != nil {
			return Checkpoint{}, err
		}
	}
	signed, err := v.sign(ctx, seq)
	if err == nil && !signed.covers(seq) { // it is of a commit whose sync is under way
		err = ErrEntryNotFound
	}
	return signed, err
}

// worthSigning is ErrNoCheckpoint where another checkpoint would cover nothing new but
// the entry of the last, which covers nothing else either: whoever reads could have the
// log grow for ever. Hourly that may be.
func (v *Vault) worthSigning(last Checkpoint) error {
	_, err := view(v, func(t *tx) (struct{}, error) {
		for seq := uint64(last.Size); seq <= t.Last(); seq++ {
			e, err := t.entry(seq)
			if err != nil || e.Op != audit.OpCheckpointSigned || seq > uint64(last.Size) && !e.Time.Add(checkpointEvery).After(v.store.Clock.Now()) {
				return struct{}{}, err
			}
		}
		return struct{}{}, fmt.Errorf("%w: the entry is a checkpoint's own, which the next one covers", ErrNoCheckpoint)
	})
	return err
}

// grewOut says whether the last checkpoint grew out of another, or is it.
func (v *Vault) grewOut(ctx context.Context, last Checkpoint, of audit.Checkpoint) (bool, error) {
	if of.Size < 1 || of.Size >= last.Size {
		return of == last.Checkpoint, nil
	}
	root, err := onTree(v, ctx, last, func(t *logtree.Tree) (audit.TreeHash, error) {
		_, root, err := t.ProveConsistent(last.root(), of.Size)
		return root, err
	})
	return err == nil && root == of.Root, err
}

// onTree calls fn with the tree of a checkpoint. A tree that is not what was signed is
// made again from the log, once.
func onTree[T any](v *Vault, ctx context.Context, under Checkpoint, fn func(*logtree.Tree) (T, error)) (result T, err error) {
	last, err := v.lastSigned()
	if err != nil {
		return result, err
	}
	for again := false; ; again = true {
		if _, err := v.grow(ctx, last, under.Size); err != nil {
			return result, err
		}
		result, err := fn(v.signing.tree)
		if again || !errors.Is(err, logtree.ErrWrong) {
			return result, err
		}
		if err := v.signing.tree.Reset(); err != nil {
			return result, err
		}
	}
}

// ProveVersion proves the entry that made a version of a document.
// ErrDocumentNotFound, ErrVersionNotFound, and the errors of ProveEntry. Of a deleted
// document the versions are proved too: the log has them for ever.
func (v *Vault) ProveVersion(ctx context.Context, documentID string, number uint64) (EntryProof, error) {
	seq, err := v.versionEntry(ctx, documentID, number)
	if err != nil {
		return EntryProof{}, err
	}
	return v.ProveEntry(ctx, seq)
}

// versionEntry finds the entry that made a version. A version is made at the instant
// of its entry, which bisecting finds; of one that is gone the chain is followed.
func (v *Vault) versionEntry(ctx context.Context, documentID string, number uint64) (uint64, error) {
	ver, err := v.Version(ctx, documentID, number)
	if err == nil {
		return v.entryOf(documentID, &ver)
	}
	if !errors.Is(err, ErrDocumentDeleted) {
		return 0, err
	}
	chain, err := v.chain(ctx, documentID, 0)
	if err != nil {
		return 0, err
	}
	for _, seq := range chain {
		e, err := v.Entry(ctx, seq)
		if err != nil {
			return 0, err
		}
		if makesVersion(&e.Entry, number) {
			return seq, nil
		}
	}
	return 0, ErrVersionNotFound
}

func makesVersion(e *audit.Entry, number uint64) bool {
	return e.Version == number && (e.Op == audit.OpDocumentCreated || e.Op == audit.OpDocumentVersionAdded)
}

func (v *Vault) entryOf(documentID string, ver *Version) (uint64, error) {
	of, _ := store.ParseID(documentID)
	return view(v, func(t *tx) (uint64, error) {
		for seq := t.firstSince(ver.CreatedAt, t.Last()); ; seq++ {
			e, err := t.entry(seq)
			switch {
			case err != nil && !errors.Is(err, ErrEntryNotFound):
				return 0, err
			case err != nil || e.Time.After(ver.CreatedAt):
				return 0, fmt.Errorf("%w: no entry made version %d of document %s", errDamaged, ver.Number, of)
			case e.Document == of.String() && makesVersion(&e.Entry, ver.Number):
				return seq, nil
			}
		}
	})
}

// Tile is a part of the log's tree, as C2SP's tlog-tiles cuts it: Width hashes, up to
// 256, of the level 8·Level, from number 256·N on.
type Tile = logtree.Tile

// LogTile returns the hashes of a tile, 32 bytes each. It is checked against the last
// checkpoint, which must cover it: else ErrTileNotFound.
func (v *Vault) LogTile(ctx context.Context, tile Tile) ([]byte, error) {
	under, leave, err := v.tileOf(ctx, tile)
	if err != nil {
		return nil, err
	}
	defer leave()
	return onTree(v, ctx, under, func(t *logtree.Tree) ([]byte, error) { return t.ReadTile(under.root(), tile) })
}

// LogLines returns the lines under the tile N of level 0 as C2SP's tlog-tiles bundles
// them: of each its length in two bytes, the line without its newline.
// ErrTileNotFound if the last checkpoint does not cover them.
func (v *Vault) LogLines(ctx context.Context, n int64, width int) ([]byte, error) {
	_, leave, err := v.tileOf(ctx, Tile{N: n, Width: width})
	if err != nil {
		return nil, err
	}
	leave() // a line never changes
	return view(v, func(t *tx) (bundle []byte, err error) {
		for seq := uint64(n)<<logtree.TileHeight + 1; width > 0; seq, width = seq+1, width-1 {
			line := t.Get(bucketLog, store.SeqKey(seq))
			if len(line) == 0 {
				return nil, ErrEntryNotFound
			}
			line = line[:len(line)-1]
			bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(line)))
			bundle = append(bundle, line...)
		}
		return bundle, nil
	})
}

// tileOf returns the last checkpoint, if it covers the tile, in turn.
func (v *Vault) tileOf(ctx context.Context, tile Tile) (under Checkpoint, leave func(), err error) {
	if err := v.takeTurn(ctx); err != nil {
		return under, nil, err
	}
	under, err = v.lastCheckpoint()
	if err == nil && !tile.In(under.Size) || errors.Is(err, ErrNoCheckpoint) {
		err = ErrTileNotFound
	}
	if err != nil {
		v.signing.leave()
		return under, nil, err
	}
	return under, v.signing.leave, nil
}

// ProveConsistency proves that the last checkpoint grew out of the first size
// entries, for a witness that has seen those. *InvalidError for a size that is not in
// it.
func (v *Vault) ProveConsistency(ctx context.Context, under Checkpoint, size int64) ([]audit.TreeHash, error) {
	if size < 0 || size > under.Size {
		return nil, invalid("old", "must be a size up to %d, that of the checkpoint", under.Size)
	}
	if size == 0 || size == under.Size {
		return nil, nil
	}
	if err := v.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer v.signing.leave()
	return onTree(v, ctx, under, func(t *logtree.Tree) ([]audit.TreeHash, error) {
		proof, _, err := t.ProveConsistent(under.root(), size)
		return proof, err
	})
}
