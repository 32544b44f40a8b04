package audit

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"
)

func TestEdgeStoresWhatTlogStores(t *testing.T) {
	var e Edge
	var stored, want testTree
	for n := range int64(300) {
		line := appendUint([]byte("line "), uint64(n))
		more, err := StoredHashes(n, line, want)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, more...)
		if again, err := NewEdge(n, stored); err != nil || again.Root() != e.Root() || again.Size() != n {
			t.Fatalf("the edge of %d lines is read as %+v, %v", n, again, err)
		}
		stored = e.Append(stored, append(line, '\n'))
		if root, err := TreeRoot(n+1, want); err != nil || e.Root() != root || e.Size() != n+1 {
			t.Fatalf("the root of %d lines is %s, want %s, %v", n+1, e.Root(), root, err)
		}
		if len(stored) != len(want) || stored[len(stored)-1] != want[len(want)-1] || StoredHashCount(n+1) != int64(len(want)) {
			t.Fatalf("after %d lines %d hashes are stored, want %d", n+1, len(stored), len(want))
		}
	}
}

// million is a log of a million entries, each with its line, and its tree.
func million(b *testing.B) (lines [][]byte, tree testTree) {
	b.Helper()
	l := &testLog{}
	l.add("operator", "", Event{Op: OpVaultCreated, Facts: Facts{"vault": Text(testVault), "format": Number(1)}})
	var e Edge
	for h, n := l.head, uint64(1); n <= 1_000_000; n++ {
		line := l.lines[0]
		if n > 1 {
			var err error
			event := Event{Op: OpDocumentArchived, Document: testDoc, Facts: Facts{"revision": Number(n)}}
			if line, h, err = h.Next(Stamp{testStart.Add(time.Duration(n) * time.Second), testUser, testKey}, event, Hash{}); err != nil {
				b.Fatal(err)
			}
		}
		lines = append(lines, line)
		tree = e.Append(tree, line)
	}
	return lines, tree
}

// BenchmarkProofOfAMillion shows what a proof of one change of a million costs.
// It reports the size of the proof of the entry with the longest path, with the
// line in it and without.
func BenchmarkProofOfAMillion(b *testing.B) {
	lines, tree := million(b)
	key := newKey(b, "vault.example.com/main", 1)
	policy, err := PolicyOf(key.Verifier())
	if err != nil {
		b.Fatal(err)
	}
	signed := sign(b, key, checkpointOf(b, tree, key.Name(), len(lines)))
	p, err := MakeProof(lines[1], signed, tree)
	if err != nil {
		b.Fatal(err)
	}
	text := p.Marshal()
	b.Run("make", func(b *testing.B) {
		for b.Loop() {
			p, err := MakeProof(lines[1], signed, tree)
			if err != nil {
				b.Fatal(err)
			}
			p.Marshal()
		}
		b.ReportMetric(float64(len(text)), "B/proof")
		b.ReportMetric(float64(len(text)-(len(p.Line)+2)/3*4-len("extra \n")), "B/without-line")
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			p, err := ParseProof(text)
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Verify(policy); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTreeOfAMillion compares the making of a tree with SHA-256 itself over
// the same bytes: the leaves, and 65 bytes for each node. The ratio is reported.
func BenchmarkTreeOfAMillion(b *testing.B) {
	lines, stored := million(b)
	var tree, sum time.Duration
	var leaf []byte
	for b.Loop() {
		start := time.Now()
		var e Edge
		stored = stored[:0]
		for _, line := range lines {
			stored = e.Append(stored, line)
		}
		tree += time.Since(start)
		start = time.Now()
		for _, line := range lines {
			leaf = append(append(leaf[:0], 0), line[:len(line)-1]...)
			sha256.Sum256(leaf)
		}
		node := bytes.Repeat([]byte{1}, 65)
		for range lines[1:] {
			sha256.Sum256(node)
		}
		sum += time.Since(start)
	}
	b.ReportMetric(float64(tree)/float64(sum), "x-SHA-256")
}
