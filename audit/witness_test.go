package audit

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// Every log is witnessed at every size after every size before.
func TestWitnessFollowsALog(t *testing.T) {
	l, key := fullLog(), newKey(t, "example.com/vault", 1)
	logs := mustPolicy(t, "log "+key.Verifier()+"\nquorum none\n")
	tree := treeOf(t, l.lines)
	for old := range len(l.lines) + 1 {
		for size := old; size <= len(l.lines); size++ {
			before, c := checkpointOf(t, tree, key.Name(), old), checkpointOf(t, tree, key.Name(), size)
			proof, err := ProveConsistency(int64(old), int64(size), tree)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ParseAddRequest(AddRequest{int64(old), proof, sign(t, key, c)}.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			last := WitnessState{int64(old), before.Root}
			if old == 0 {
				last = WitnessState{}
			}
			if got, err := r.Check(logs, last); err != nil || got != c {
				t.Errorf("from %d to %d: %+v, %v", old, size, got, err)
			}
			for i := range proof {
				r.Proof = slices.Clone(proof)
				r.Proof[i][7] ^= 1
				if _, err := r.Check(logs, last); !errors.Is(err, ErrProof) {
					t.Errorf("from %d to %d with hash %d false: %v", old, size, i, err)
				}
			}
			r.Proof = append(slices.Clone(proof), TreeHash{})
			if _, err := r.Check(logs, last); !errors.Is(err, ErrProof) {
				t.Errorf("from %d to %d with a hash too many: %v", old, size, err)
			}
		}
	}
}

func TestWitnessRefuses(t *testing.T) {
	l, key, stranger := fullLog(), newKey(t, "example.com/vault", 1), newKey(t, "example.com/vault", 2)
	other := newKey(t, "example.com/other", 3)
	logs := mustPolicy(t, "log "+key.Verifier()+"\nlog "+other.Verifier()+"\nquorum none\n")
	tree := treeOf(t, l.lines)
	three, five := checkpointOf(t, tree, key.Name(), 3), checkpointOf(t, tree, key.Name(), 5)
	proof, err := ProveConsistency(3, 5, tree)
	if err != nil {
		t.Fatal(err)
	}
	last, fork := WitnessState{3, three.Root}, three
	fork.Root[0] ^= 1
	empty := Checkpoint{Origin: key.Name()}
	renamed := five
	renamed.Origin = other.Name()
	mine := signatureLine(key.public(), make([]byte, 64))
	for what, test := range map[string]struct {
		request AddRequest
		last    WitnessState
		want    error
	}{
		"a log that is not known":       {AddRequest{3, proof, sign(t, newKey(t, "x", 9), Checkpoint{Origin: "x", Size: 5})}, last, ErrUnknownLog},
		"a stranger's signature":        {AddRequest{3, proof, sign(t, stranger, five)}, last, ErrSignature},
		"a false signature":             {AddRequest{3, proof, joinNote(five.Text(), mine)}, last, ErrSignature},
		"the signature of another log":  {AddRequest{3, proof, append(joinNote(renamed.Text()), sign(t, key, five)[len(five.Text())+1:]...)}, last, ErrSignature},
		"an old size beyond":            {AddRequest{6, nil, sign(t, key, five)}, last, ErrSyntax},
		"an old size that is not last":  {AddRequest{2, proof, sign(t, key, five)}, last, ErrOldSize},
		"nothing old where there is":    {AddRequest{0, nil, sign(t, key, five)}, last, ErrOldSize},
		"a smaller size":                {AddRequest{2, nil, sign(t, key, checkpointOf(t, tree, key.Name(), 2))}, last, ErrOldSize},
		"another tree of the same size": {AddRequest{3, nil, sign(t, key, fork)}, last, ErrProof},
		"a proof of what was not last":  {AddRequest{3, proof, sign(t, key, five)}, WitnessState{3, fork.Root}, ErrProof},
		"no proof":                      {AddRequest{3, nil, sign(t, key, five)}, last, ErrProof},
		"a proof from nothing":          {AddRequest{0, proof, sign(t, key, five)}, WitnessState{}, ErrProof},
		"another root of nothing":       {AddRequest{0, nil, sign(t, key, empty)}, WitnessState{}, ErrProof},
	} {
		if c, err := test.request.Check(logs, test.last); !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v, want %v", what, c, err, test.want)
		}
	}
	empty.Root = emptyRoot
	if c, err := (AddRequest{0, nil, sign(t, key, empty)}).Check(logs, WitnessState{}); err != nil || c != empty {
		t.Errorf("the empty log: %+v, %v", c, err)
	}
}

func TestEveryChangeToARequestIsRefusedOrAnother(t *testing.T) {
	p, _, _ := exampleProof(t)
	body := AddRequest{2, p.Path, p.Checkpoint}.Marshal()
	mangledBytes(body, func(what string, at int, m []byte) {
		if r, err := ParseAddRequest(m); err == nil && string(r.Marshal()) != string(m) {
			t.Fatalf("%s at %d: a second spelling is read:\n%q", what, at, m)
		}
	})
	for _, text := range []string{
		"", "old 2\n", "old 02\n\n" + string(p.Checkpoint), "old -1\n\n" + string(p.Checkpoint), "old  2\n\n" + string(p.Checkpoint), "Old 2\n\n" + string(p.Checkpoint),
		"old 2\r\n\n" + string(p.Checkpoint), "old 9007199254740992\n\n" + string(p.Checkpoint), "old 2\nAAAA\n\n" + string(p.Checkpoint),
		string(AddRequest{2, make([]TreeHash, 64), p.Checkpoint}.Marshal()),
	} {
		if _, err := ParseAddRequest([]byte(text)); !errors.Is(err, ErrSyntax) {
			t.Errorf("%.60q is read: %v", text, err)
		}
	}
}

func TestKeysSignTheirOwnOnly(t *testing.T) {
	key, witness := newKey(t, "example.com/vault", 1), newWitnessKey(t, "w", 2)
	for _, c := range []Checkpoint{{Origin: "other"}, {Origin: key.Name(), Size: -1}, {Origin: key.Name(), Size: 1 << 53}, {Origin: key.Name(), Extension: "more\n"}} {
		if signed, err := key.Sign(c); !errors.Is(err, ErrSyntax) {
			t.Errorf("signed is %s, %v", signed, err)
		}
	}
	if _, err := (Key{}).Sign(Checkpoint{}); err == nil {
		t.Error("the zero key signs")
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0), time.Unix(253402300800, 0)} {
		if line, err := witness.Cosign(Checkpoint{Origin: "o"}, at); !errors.Is(err, ErrSyntax) {
			t.Errorf("cosigned at %s: %s, %v", at, line, err)
		}
	}
	for _, name := range []string{"", "a b", "a+b", "a\nb", "a\u00a0b", "ü", `a"b`, string(make([]byte, 300))} {
		if _, err := NewKey(name, seed(1)); !errors.Is(err, ErrSyntax) {
			t.Errorf("a key named %q: %v", name, err)
		}
	}
	if _, err := NewKey("x", emptyReader{}); err == nil {
		t.Error("a key is made of nothing")
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, errors.New("no randomness") }

// Who cosigned, and when, is read from the lines; signatures of the log are none.
func TestCosignaturesAreRead(t *testing.T) {
	key, witness := newKey(t, "example.com/vault", 1), newWitnessKey(t, "w.example.com", 2)
	c := Checkpoint{Origin: key.Name(), Size: 5}
	line, err := witness.Cosign(c, testStart)
	if err != nil {
		t.Fatal(err)
	}
	second := signatureLine(Verifier{Name: key.Name(), kind: typeMLDSA}, append([]byte{7: 9}, make([]byte, 2420)...))
	other := signatureLine(Verifier{Name: "s.example.com"}, make([]byte, 64))
	signed, err := AddSignatures(sign(t, key, c), second, other, line)
	if err != nil {
		t.Fatal(err)
	}
	by, err := ReadCosignatures(signed)
	if err != nil || len(by) != 1 || by[0].Name != "w.example.com" || !by[0].Time.Equal(testStart.Truncate(time.Second)) {
		t.Errorf("%+v, %v", by, err)
	}
	if _, err := ReadCosignatures(signed[:len(signed)-1]); !errors.Is(err, ErrSyntax) {
		t.Errorf("half a checkpoint: %v", err)
	}
}
