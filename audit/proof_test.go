package audit

import (
	"bytes"
	"testing"
	"time"
)

// testTree keeps the hashes of a tree in memory.
type testTree []TreeHash

func (t testTree) ReadHashes(at []int64) ([]TreeHash, error) {
	hashes := make([]TreeHash, len(at))
	for i, n := range at {
		hashes[i] = t[n]
	}
	return hashes, nil
}

func treeOf(t testing.TB, lines [][]byte) (tree testTree) {
	t.Helper()
	for i, line := range lines {
		more, err := StoredHashes(int64(i), line, tree)
		if err != nil {
			t.Fatal(err)
		}
		tree = append(tree, more...)
	}
	return tree
}

// seed is what keys of tests are made from.
func seed(b byte) *bytes.Reader { return bytes.NewReader(bytes.Repeat([]byte{b}, 32)) }

func newKey(t testing.TB, origin string, b byte) Key {
	t.Helper()
	k, err := NewKey(origin, seed(b))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newWitnessKey(t testing.TB, name string, b byte) WitnessKey {
	t.Helper()
	k, err := NewWitnessKey(name, seed(b))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func checkpointOf(t testing.TB, tree testTree, origin string, size int) Checkpoint {
	t.Helper()
	root, err := TreeRoot(int64(size), tree)
	if err != nil {
		t.Fatal(err)
	}
	return Checkpoint{Origin: origin, Size: int64(size), Root: root}
}

// sign signs a checkpoint, and has it cosigned.
func sign(t testing.TB, k Key, c Checkpoint, witnesses ...WitnessKey) []byte {
	t.Helper()
	signed, err := k.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range witnesses {
		line, err := w.Cosign(c, testStart.Add(time.Duration(i)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if signed, err = AddSignatures(signed, line); err != nil {
			t.Fatal(err)
		}
	}
	return signed
}

func TestEveryEntryOfEveryCheckpointIsProved(t *testing.T) {
	l, key, witness := fullLog(), newKey(t, "example.com/vault", 1), newWitnessKey(t, "example.com/witness", 2)
	policy, err := ParsePolicy("log " + key.Verifier() + "\nwitness w " + witness.Verifier() + "\nquorum w\n")
	if err != nil {
		t.Fatal(err)
	}
	tree := treeOf(t, l.lines)
	for size := 1; size <= len(l.lines); size++ {
		signed := sign(t, key, checkpointOf(t, tree, key.Name(), size), witness)
		for i, line := range l.lines {
			p, err := MakeProof(line, signed, tree)
			if i >= size {
				if err == nil {
					t.Errorf("a checkpoint of %d lines proves line %d", size, i+1)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			read, err := ParseProof(p.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			proved, err := read.Verify(policy)
			if err != nil || proved.Entry.Seq != uint64(i)+1 || proved.Hash != HashLine(line) || len(proved.Witnesses) != 1 ||
				proved.Witnesses[0].Name != "w" || !proved.Witnesses[0].Time.Equal(testStart.Truncate(time.Second)) || len(proved.Logs) != 1 {
				t.Errorf("line %d of %d: %+v, %v", i+1, size, proved, err)
			}
		}
	}
}

// exampleProof is that of the package doc.
func exampleProof(t testing.TB) (p Proof, key Key, witness WitnessKey) {
	t.Helper()
	l := workedExample()
	key, witness = newKey(t, "vault.example.com/main", 1), newWitnessKey(t, "notary.example.org", 2)
	tree := treeOf(t, l.lines)
	p, err := MakeProof(l.lines[3], sign(t, key, checkpointOf(t, tree, key.Name(), 4), witness), tree)
	if err != nil {
		t.Fatal(err)
	}
	return p, key, witness
}

func TestDocProofIsReal(t *testing.T) {
	p, key, witness := exampleProof(t)
	if text := docBlock(t, "c2sp.org/tlog-proof@v1\nextra"); text != string(p.Marshal()) {
		t.Errorf("the proof in the package doc is not\n%s", p.Marshal())
	}
	for _, vkey := range []string{key.Verifier(), witness.Verifier()} {
		if docBlock(t, vkey) != vkey+"\n" {
			t.Errorf("the package doc does not have the key %s", vkey)
		}
	}
	policy, err := ParsePolicy(docBlock(t, "log "+key.Verifier()))
	if err != nil {
		t.Fatal(err)
	}
	read, err := ParseProof([]byte(docBlock(t, "c2sp.org/tlog-proof@v1\nextra")))
	if err != nil {
		t.Fatal(err)
	}
	proved, err := read.Verify(policy)
	if err != nil || proved.Entry.Version != 2 || proved.Entry.Document != testDoc || len(proved.Witnesses) != 1 || proved.Witnesses[0].Name != "notary" {
		t.Errorf("Verify says %+v, %v", proved, err)
	}
}
