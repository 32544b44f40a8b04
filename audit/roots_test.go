package audit

import (
	"bytes"
	"slices"
	"testing"
)

// edgeOf is the tree of some lines.
func edgeOf(lines [][]byte) *Edge {
	e := &Edge{}
	for _, line := range lines {
		e.Append(nil, line)
	}
	return e
}

// sign adds the entry of a checkpoint over the first size lines.
func (l *testLog) sign(size int, root TreeHash) {
	l.add("system", "", Event{Op: OpCheckpointSigned, Facts: Facts{"root": Text(Hash(root).String()), "size": Number(uint64(size))}})
}

// What the log says was signed is the tree of its lines: of all before the entry, or
// of so many fewer as were written while it was signed.
func TestVerifyFindsAnotherRoot(t *testing.T) {
	l := &testLog{}
	l.add("operator", "", Event{Op: OpVaultCreated, Facts: Facts{"vault": Text(testVault), "format": Number(1)}, Detail: []byte(`{"name":"main"}`)})
	grow := func(to int) {
		for len(l.lines) < to {
			l.add("operator", "", Event{Op: OpAuditExported, Facts: Facts{"after": Number(0), "through": Number(1)}})
		}
	}
	found := func() []Finding {
		t.Helper()
		r, err := Verify(t.Context(), bytes.NewReader(l.log()), VerifyOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return r.Findings
	}
	grow(7)
	for _, behind := range []int{0, 1, 3, 0, 255, 256, 257, 0, 300, 1000, MaxUncovered - 1, MaxUncovered, 0} {
		size := len(l.lines)
		root := edgeOf(l.lines).Root()
		grow(size + behind)
		l.sign(size, root)
	}
	if f := found(); len(f) > 0 {
		t.Fatalf("sound: %v", f)
	}
	sound := *l
	size := len(l.lines)
	root := edgeOf(l.lines).Root()
	for name, fn := range map[string]func(){
		"another root":         func() { l.sign(size, TreeHash{1}) },
		"of one line less":     func() { l.sign(size-1, root) },
		"of none":              func() { l.sign(0, emptyRoot) },
		"of itself":            func() { l.sign(size+1, root) },
		"of fewer than before": func() { l.sign(size-3, edgeOf(l.lines[:size-3]).Root()) },
		"too far behind":       func() { grow(size + MaxUncovered + 1); l.sign(size, root) },
	} {
		*l = sound
		l.lines = slices.Clone(l.lines)
		if fn(); len(found()) != 1 || found()[0].Code != CodeRoot {
			t.Errorf("%s: %v", name, found())
		}
	}
}
