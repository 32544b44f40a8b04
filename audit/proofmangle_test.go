package audit

import (
	"bytes"
	"errors"
	"slices"
	"testing"
)

// mangledBytes are all the ways in which one byte of a short text may be changed,
// dropped or doubled, and the text cut or made longer; one of 29 of them with
// -short.
func mangledBytes(text []byte, yield func(what string, at int, mangled []byte)) {
	for i := range text {
		some := 0
		try := func(what string, m []byte) {
			if some++; !testing.Short() || (i+some)%29 == 0 {
				if !bytes.Equal(m, text) {
					yield(what, i, m)
				}
			}
		}
		for bit := range 8 {
			m := slices.Clone(text)
			m[i] ^= 1 << bit
			try("bit changed", m)
		}
		for _, c := range []byte("\x00\n\r\t A=+/") {
			m := slices.Clone(text)
			m[i] = c
			try("byte changed", m)
			try("byte put in", slices.Insert(slices.Clone(text), i, c))
		}
		try("byte dropped", slices.Delete(slices.Clone(text), i, i+1))
		try("byte doubled", slices.Insert(slices.Clone(text), i, text[i]))
		try("cut", text[:i])
	}
	for _, more := range []string{"\n", " ", "\r\n", "A", "\x00"} {
		yield("made longer", len(text), append(slices.Clone(text), more...))
	}
	lines := slices.Collect(bytes.Lines(text))
	for i := range lines {
		yield("line dropped", i, bytes.Join(slices.Delete(slices.Clone(lines), i, i+1), nil))
		yield("line doubled", i, bytes.Join(slices.Insert(slices.Clone(lines), i, lines[i]), nil))
		for j := range i {
			m := slices.Clone(lines)
			if m[i], m[j] = m[j], m[i]; !bytes.Equal(m[i], m[j]) {
				yield("lines swapped", i, bytes.Join(m, nil))
			}
		}
	}
}

// Every byte of a proof matters where all who signed have to: no other text is
// taken for it, but the same signatures in another order.
func TestEveryChangeToAProofIsRefused(t *testing.T) {
	p, key, witness := exampleProof(t)
	policy, err := ParsePolicy("log " + key.Verifier() + "\nwitness w " + witness.Verifier() + "\nquorum w\n")
	if err != nil {
		t.Fatal(err)
	}
	signatures := func(text []byte) []string {
		var lines []string
		for line := range bytes.Lines(text) {
			if bytes.HasPrefix(line, []byte(signaturePrefix)) {
				lines = append(lines, string(line))
			}
		}
		slices.Sort(lines)
		return lines
	}
	text := p.Marshal()
	mangledBytes(text, func(what string, at int, m []byte) {
		read, err := ParseProof(m)
		if err != nil {
			if !errors.Is(err, ErrSyntax) {
				t.Fatalf("%s at %d: %v", what, at, err)
			}
			return
		}
		if !bytes.Equal(read.Marshal(), m) {
			t.Fatalf("%s at %d: a second spelling of a proof is read:\n%q", what, at, m)
		}
		proved, err := read.Verify(policy)
		if err == nil && !(what == "lines swapped" && len(m) == len(text) && slices.Equal(signatures(m), signatures(text))) {
			t.Fatalf("%s at %d: it is believed to prove %+v:\n%s", what, at, proved, m)
		}
	})
}

// With the key of the log alone, every byte matters of a proof that only the log
// signed.
func TestEveryChangeToAProofWithoutWitnessesIsRefused(t *testing.T) {
	l, key := workedExample(), newKey(t, "vault.example.com/main", 1)
	tree := treeOf(t, l.lines)
	p, err := MakeProof(l.lines[0], sign(t, key, checkpointOf(t, tree, key.Name(), 3)), tree)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := PolicyOf(key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	mangledBytes(p.Marshal(), func(what string, at int, m []byte) {
		if read, err := ParseProof(m); err == nil {
			if proved, err := read.Verify(policy); err == nil {
				t.Fatalf("%s at %d: it is believed to prove %+v:\n%s", what, at, proved, m)
			}
		}
	})
}

func TestEveryChangeToACheckpointIsRefused(t *testing.T) {
	p, key, _ := exampleProof(t)
	signed := sign(t, key, Checkpoint{key.Name(), 10, LeafHash(p.Line), ""})
	mangledBytes(signed, func(what string, at int, m []byte) {
		if c, err := OpenCheckpoint(m, key.Verifier()); err == nil {
			t.Fatalf("%s at %d: %+v is believed", what, at, c)
		}
	})
}

func TestEveryChangeToAKeyIsRefused(t *testing.T) {
	_, key, witness := exampleProof(t)
	for _, vkey := range []string{key.Verifier(), witness.Verifier()} {
		mangledBytes([]byte(vkey), func(what string, at int, m []byte) {
			if v, err := ParseVerifier(string(m)); !errors.Is(err, ErrSyntax) {
				t.Fatalf("%s at %d: %q is read as %s, %v", what, at, m, v, err)
			}
		})
	}
	mangledBytes(key.Marshal(), func(what string, at int, m []byte) {
		if _, err := ParseKey(m); !errors.Is(err, ErrSyntax) {
			t.Fatalf("%s at %d: %q is read, %v", what, at, m, err)
		}
	})
	if again, err := ParseKey(key.Marshal()); err != nil || again.Verifier() != key.Verifier() || again.Name() != key.Name() {
		t.Errorf("the key is read as %s, %v", again.Verifier(), err)
	}
	if again, err := ParseWitnessKey(witness.Marshal()); err != nil || again.Verifier() != witness.Verifier() {
		t.Errorf("the key of the witness is read as %s, %v", again.Verifier(), err)
	}
	if _, err := ParseKey(witness.Marshal()); err == nil {
		t.Error("the key of a witness is read as that of a log")
	}
}

// A line that is an entry, but not the one of its place, proves nothing; neither
// does a line that is none.
func TestALineAtAnotherPlaceProvesNothing(t *testing.T) {
	l, key := workedExample(), newKey(t, "vault.example.com/main", 1)
	policy, err := PolicyOf(key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	swapped := [][]byte{l.lines[1], l.lines[0], []byte("anything\n")}
	tree := treeOf(t, swapped)
	signed := sign(t, key, checkpointOf(t, tree, key.Name(), 3))
	if _, err := MakeProof(l.lines[0], signed, tree); !errors.Is(err, ErrProof) {
		t.Errorf("a proof is made of an entry at another place: %v", err)
	}
	p := Proof{Line: leafOf(l.lines[1]), Path: []TreeHash{LeafHash(l.lines[0]), LeafHash(swapped[2])}, Checkpoint: signed}
	if _, err := p.Verify(policy); !errors.Is(err, ErrProof) {
		t.Errorf("entry 2 at the place of entry 1 is proved: %v", err)
	}
	p.Line = []byte("anything")
	if _, err := p.Verify(policy); !errors.Is(err, ErrSyntax) {
		t.Errorf("a line that is no entry is proved: %v", err)
	}
}

// The tree file may be torn: of the right length, and zeros.
func TestNoProofLeavesThatTheRootDoesNotBear(t *testing.T) {
	l, key := workedExample(), newKey(t, "vault.example.com/main", 1)
	tree := treeOf(t, l.lines)
	signed := sign(t, key, checkpointOf(t, tree, key.Name(), 4))
	for i := range tree {
		torn := slices.Clone(tree)
		torn[i] = TreeHash{}
		for _, line := range l.lines {
			if p, err := MakeProof(line, signed, torn); err == nil {
				if err := p.leadsTo(checkpointOf(t, tree, key.Name(), 4)); err != nil {
					t.Errorf("with hash %d lost a proof leaves that does not hold: %v", i, err)
				}
			} else if !errors.Is(err, ErrProof) {
				t.Error(err)
			}
		}
	}
}
