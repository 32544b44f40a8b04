package logtree

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// TileHeight is how many levels a tile has, and TileWidth how many hashes one that
// is full.
const (
	TileHeight = 8
	TileWidth  = 1 << TileHeight
)

// Root is that of the first Size leaves: what was signed.
type Root struct {
	Size int64
	Hash tlog.Hash
}

func (r Root) tree() tlog.Tree { return tlog.Tree{N: r.Size, Hash: r.Hash} }

// Prove returns the path from leaf number index, from 0 on, to the root of a tree.
// The leaf is checked to be there: [ErrWrong] if the file would prove something
// else.
func (t *Tree) Prove(of Root, index int64, leaf []byte) ([]tlog.Hash, error) {
	path, err := tlog.ProveRecord(of.Size, index, t)
	if err != nil {
		return nil, err
	}
	if err := tlog.CheckRecord(path, of.Size, of.Hash, index, tlog.RecordHash(leaf)); err != nil {
		return nil, fmt.Errorf("%w: leaf %d: %w", ErrWrong, index, err)
	}
	return path, nil
}

// ProveConsistent returns the proof that the first from leaves of a tree, which
// are not none, are what they were, and their root.
func (t *Tree) ProveConsistent(of Root, from int64) ([]tlog.Hash, tlog.Hash, error) {
	root, err := t.Root(from)
	if err != nil {
		return nil, tlog.Hash{}, err
	}
	proof, err := tlog.ProveTree(of.Size, from, t)
	if err != nil {
		return nil, tlog.Hash{}, err
	}
	if err := tlog.CheckTree(proof, of.Size, of.Hash, from, root); err != nil {
		return nil, tlog.Hash{}, fmt.Errorf("%w: the first %d leaves: %w", ErrWrong, from, err)
	}
	return proof, root, nil
}

// Tile is a row of hashes of a tree, as C2SP's tlog-tiles has it: Width of them at
// the level 8·Level, from number 256·N on.
type Tile struct {
	Level, N int64
	Width    int // 1 to 256
}

// In says whether a tree of so many leaves has the tile.
func (of Tile) In(size int64) bool {
	if of.Level < 0 || of.Level > 63/TileHeight || of.N < 0 || of.Width < 1 || of.Width > TileWidth {
		return false
	}
	hashes := size >> (TileHeight * of.Level)
	return of.N <= hashes>>TileHeight && of.N<<TileHeight+int64(of.Width) <= hashes
}

// ReadTile returns the hashes of a tile that is in the tree, one behind the other.
// They are checked to be those of the tree.
func (t *Tree) ReadTile(of Root, tile Tile) ([]byte, error) {
	if !tile.In(of.Size) {
		return nil, fmt.Errorf("logtree: a tree of %d leaves has no tile %v", of.Size, tile)
	}
	first := tlog.StoredHashIndex(int(tile.Level*TileHeight), tile.N<<TileHeight)
	from := &tiles{t: t, wanted: tile}
	if _, err := tlog.TileHashReader(of.tree(), from).ReadHashes([]int64{first}); err != nil {
		return nil, fmt.Errorf("%w: tile %v: %w", ErrWrong, tile, err)
	}
	return from.data[:tile.Width*tlog.HashSize], nil
}

// tiles reads the tiles by which another is checked, and keeps that one.
type tiles struct {
	t      *Tree
	wanted Tile
	data   []byte
}

func (r *tiles) Height() int { return TileHeight }

func (r *tiles) ReadTiles(asked []tlog.Tile) (data [][]byte, err error) {
	for _, one := range asked {
		hashes, err := tlog.ReadTileData(one, r.t)
		if err != nil {
			return nil, err
		}
		data = append(data, hashes)
		if one.H == TileHeight && int64(one.L) == r.wanted.Level && one.N == r.wanted.N {
			r.data = hashes
		}
	}
	return data, nil
}

func (r *tiles) SaveTiles([]tlog.Tile, [][]byte) {}
