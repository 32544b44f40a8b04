package logtree

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func leaf(i int64) []byte { return fmt.Appendf(nil, "leaf %d", i) }

// grown makes a tree of so many leaves, and the roots of all sizes, as the library
// has them.
func grown(t *testing.T, size int64) (*Tree, string, []tlog.Hash) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tree")
	tree, err := Open(path, Root{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tree.Close() })
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) (hashes []tlog.Hash, err error) {
		for _, i := range indexes {
			hashes = append(hashes, stored[i])
		}
		return hashes, nil
	})
	roots := make([]tlog.Hash, size+1)
	for i := range size {
		if err := tree.Append(leaf(i)); err != nil {
			t.Fatal(err)
		}
		more, err := tlog.StoredHashes(i, leaf(i), reader)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, more...)
		if roots[i+1], err = tlog.TreeHash(i+1, reader); err != nil {
			t.Fatal(err)
		}
		if i%70 == 0 {
			if err := tree.Sync(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := tree.Sync(); err != nil {
		t.Fatal(err)
	}
	return tree, path, roots
}

// The file has the hashes that the library has, proves every leaf and every tree
// before, and its tiles are rows of the tree.
func TestTree(t *testing.T) {
	t.Parallel()
	const size = 530
	tree, _, roots := grown(t, size)
	for n := int64(1); n <= size; n++ {
		if root, err := tree.Root(n); err != nil || root != roots[n] {
			t.Fatalf("the root of %d is %v %v, want %v", n, root, err, roots[n])
		}
	}
	for _, n := range []int64{1, 2, 3, 255, 256, 257, 511, 512, size} {
		of := Root{n, roots[n]}
		for i := int64(0); i < n; i += 1 + n/20 {
			if _, err := tree.Prove(of, i, leaf(i)); err != nil {
				t.Errorf("leaf %d of %d: %v", i, n, err)
			}
			if _, err := tree.Prove(of, i, leaf(i+1)); !errors.Is(err, ErrWrong) {
				t.Errorf("another leaf at %d of %d: %v", i, n, err)
			}
			if _, root, err := tree.ProveConsistent(of, i+1); err != nil || root != roots[i+1] {
				t.Errorf("the first %d of %d: %v", i+1, n, err)
			}
		}
		for _, tile := range []Tile{{0, 0, 1}, {0, 0, 256}, {0, 1, 1}, {0, 1, 256}, {0, 2, 18}, {0, 2, 19}, {1, 0, 1}, {1, 0, 2}, {1, 0, 3}, {2, 0, 1}, {0, -1, 1}, {-1, 0, 1}, {0, 0, 257}, {0, 0, 0}} {
			data, err := tree.ReadTile(of, tile)
			if in := tile.In(n); in != (err == nil) || in && len(data) != 32*tile.Width {
				t.Errorf("tile %v of %d: %d bytes, %v, in it: %v", tile, n, len(data), err, in)
			}
			if tile.Level == 0 && err == nil {
				for i := range int64(tile.Width) {
					if tlog.Hash(data[32*i:]) != tlog.RecordHash(leaf(tile.N*256+i)) {
						t.Fatalf("tile %v of %d: hash %d", tile, n, i)
					}
				}
			}
		}
	}
}

// Whatever became of the file, what is opened is the tree that was signed or none,
// and no proof or tile of a tree that is wrong leaves.
func TestSpoiltTree(t *testing.T) {
	t.Parallel()
	const size, signed = 600, 513
	_, path, roots := grown(t, size)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	of := Root{signed, roots[signed]}
	open := func(bytes []byte) *Tree {
		t.Helper()
		if err := os.WriteFile(path, bytes, 0o600); err != nil {
			t.Fatal(err)
		}
		tree, err := Open(path, of)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { tree.Close() })
		return tree
	}
	for _, length := range []int{0, 1, 31, 32, int(offset(signed)) - 1, int(offset(signed)), int(offset(signed)) + 1, len(good), len(good) + 7} {
		tree := open(append(good[:min(length, len(good)):len(good)], make([]byte, max(0, length-len(good)))...))
		if got, want := tree.Size(), int64(0); length >= int(offset(signed)) {
			if got != signed {
				t.Errorf("%d bytes: %d leaves", length, got)
			}
		} else if got != want {
			t.Errorf("%d bytes: %d leaves", length, got)
		}
		for i := tree.Size(); i < size; i++ {
			if err := tree.Append(leaf(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := tree.Sync(); err != nil {
			t.Fatal(err)
		}
		if root, err := tree.Root(size); err != nil || root != roots[size] {
			t.Errorf("%d bytes: the root is %v %v", length, root, err)
		}
	}
	for at := 0; at < int(offset(signed)); at += 32 * 41 { // a block of zeros, of a hash
		torn := append([]byte(nil), good...)
		clear(torn[at : at+32])
		tree := open(torn)
		if tree.Size() == 0 {
			continue // the root has seen it
		}
		wrong := 0
		for i := range int64(signed) {
			path, err := tree.Prove(of, i, leaf(i))
			if err != nil && !errors.Is(err, ErrWrong) {
				t.Fatal(err)
			}
			if err != nil {
				wrong++
			} else if tlog.CheckRecord(path, of.Size, of.Hash, i, tlog.RecordHash(leaf(i))) != nil {
				t.Fatalf("a proof of leaf %d left", i)
			}
		}
		level, n := tlog.SplitStoredHashIndex(int64(at / 32))
		if wrong == 0 {
			t.Errorf("hash %d of level %d is zeros, and every leaf is proved", n, level)
		}
		if level == 0 {
			if _, err := tree.ReadTile(of, Tile{0, n / 256, min(256, int(signed-n/256*256))}); !errors.Is(err, ErrWrong) {
				t.Errorf("leaf %d is zeros, and its tile is given: %v", n, err)
			}
		}
	}
}

func BenchmarkRebuild(b *testing.B) {
	path, line := filepath.Join(b.TempDir(), "tree"), make([]byte, 400)
	b.SetBytes(int64(len(line)))
	tree, err := Open(path, Root{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := tree.Append(line); err != nil {
			b.Fatal(err)
		}
	}
	if err := errors.Join(tree.Sync(), tree.Close()); err != nil {
		b.Fatal(err)
	}
}
