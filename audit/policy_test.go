package audit

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustPolicy(t testing.TB, text string) Policy {
	t.Helper()
	p, err := ParsePolicy(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return p
}

func TestPolicyDecides(t *testing.T) {
	key := newKey(t, "example.com/vault", 1)
	var w []WitnessKey
	text := "# who we believe\n\n \tlog  " + key.Verifier() + "\thttps://vault.example.com/ \n"
	for i := range 6 {
		w = append(w, newWitnessKey(t, fmt.Sprintf("w%d.example.com", i), byte(10+i)))
		text += fmt.Sprintf("witness w%d %s https://w%d.example.com\n", i, w[i].Verifier(), i)
	}
	text += "group x 2 w0 w1 w2\ngroup y any w3 w4 w5\ngroup both all x y\n"
	for _, test := range []struct {
		quorum string
		signed []int
		enough bool
	}{
		{"none", nil, true},
		{"w0", nil, false},
		{"w0", []int{1}, false},
		{"w0", []int{0}, true},
		{"x", []int{0}, false},
		{"x", []int{0, 3, 4}, false},
		{"x", []int{2, 0}, true},
		{"y", []int{5}, true},
		{"both", []int{0, 1, 2}, false},
		{"both", []int{3, 4, 5, 0}, false},
		{"both", []int{0, 1, 3}, true},
	} {
		p := mustPolicy(t, text+"quorum "+test.quorum) // and no newline
		var by []WitnessKey
		for _, i := range test.signed {
			by = append(by, w[i])
		}
		c := Checkpoint{Origin: key.Name(), Size: 5}
		o, err := p.Open(sign(t, key, c, by...))
		if test.enough && err != nil || !test.enough && !errors.Is(err, ErrQuorum) || o.Checkpoint != c || len(o.Witnesses) != len(by) || len(o.Logs) != 1 {
			t.Errorf("quorum %s, signed by %v: %+v, %v", test.quorum, test.signed, o, err)
		}
	}
	p := mustPolicy(t, text+"quorum both\n")
	if p.Logs[0].URL != "https://vault.example.com/" || p.Witnesses[3].URL != "https://w3.example.com" || p.Witnesses[3].Name != "w3" || p.Quorum() != "both" {
		t.Errorf("the policy is read as %+v", p)
	}
}

func TestPolicyIsRefused(t *testing.T) {
	key, other := newKey(t, "example.com/vault", 1).Verifier(), newKey(t, "example.com/other", 1).Verifier()
	w, same := newWitnessKey(t, "w.example.com", 2).Verifier(), newWitnessKey(t, "again.example.com", 2).Verifier()
	v := newWitnessKey(t, "v.example.com", 3).Verifier()
	log, witness := "log "+key+"\n", "witness w "+w+"\nwitness v "+v+"\n"
	for _, text := range []string{
		"", log, log + witness,
		"quorum none\nquorum none\n", "quorum\n", "quorum none none\n", "quorum x\n", "quorum w\nwitness w " + w + "\n",
		"log\nquorum none\n", "log " + w + "\nquorum none\n", log + log + "quorum none\n", log + "log " + other + "\nquorum none\n", "log " + key + " a b\nquorum none\n",
		"log " + key[:len(key)-1] + "\nquorum none\n", "log " + key + "=\nquorum none\n",
		"witness w\nquorum none\n", "witness w " + key + "\nquorum none\n", "witness none " + w + "\nquorum none\n", witness + "witness x " + same + "\nquorum none\n",
		witness + "witness w " + newWitnessKey(t, "x", 4).Verifier() + "\nquorum none\n",
		witness + "group g all\nquorum none\n", witness + "group g 0 w\nquorum g\n", witness + "group g 3 w v\nquorum g\n", witness + "group g 01 w\nquorum g\n",
		witness + "group g +1 w\nquorum g\n", witness + "group g -1 w\nquorum g\n", witness + "group g some w\nquorum g\n", witness + "group g any w w\nquorum g\n",
		witness + "group g any g\nquorum g\n", witness + "group w any v\nquorum w\n", witness + "group none any v\nquorum none\n",
		witness + "group g any w\ngroup h any w\nquorum h\n", witness + "group g any none\nquorum g\n",
		"Quorum none\n", "quorum none\r\n", "quorum none\x00\n", "quorum none\x7f\n", "quorum\vnone\n", "quorum\u00a0none\n", "something else\nquorum none\n",
	} {
		if p, err := ParsePolicy(text); !errors.Is(err, ErrSyntax) {
			t.Errorf("%q is read as %+v, %v", text, p, err)
		}
	}
	if _, err := PolicyOf(w); !errors.Is(err, ErrSyntax) {
		t.Errorf("the key of a witness is taken for that of a log: %v", err)
	}
}

func TestOpenSaysWhy(t *testing.T) {
	key, stranger, witness := newKey(t, "example.com/vault", 1), newKey(t, "example.com/vault", 3), newWitnessKey(t, "w.example.com", 2)
	another := newKey(t, "example.com/another", 4)
	p := mustPolicy(t, "log "+key.Verifier()+"\nlog "+another.Verifier()+"\nwitness w "+witness.Verifier()+"\nquorum none\n")
	c := Checkpoint{Origin: key.Name(), Size: 5}
	signed := sign(t, key, c)
	line := func(c Checkpoint) []byte {
		line, err := witness.Cosign(c, testStart)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	add := func(lines ...[]byte) []byte {
		b, err := AddSignatures(signed, lines...)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if o, err := p.Open(add(line(c), signatureLine(stranger.public(), []byte("1")))); err != nil || !slices.Equal(o.Unknown, []string{"example.com/vault"}) || len(o.Witnesses) != 1 {
		t.Errorf("with a signature of a stranger: %+v, %v", o, err)
	}
	for what, test := range map[string]struct {
		signed []byte
		want   error
	}{
		"only a stranger signed":           {sign(t, stranger, c), ErrSignature},
		"only a witness signed":            {joinNote(c.Text(), line(c)), ErrSignature},
		"a witness signed something else":  {add(line(Checkpoint{Origin: c.Origin, Size: 6})), ErrSignature},
		"another log of the policy signed": {joinNote(c.Text(), signatureLine(another.public(), ed25519.Sign(another.key, []byte(c.Text())))), ErrSignature},
		"a signature is one byte longer":   {add(signatureLine(witness.public(), append(make([]byte, 72), 0))), ErrSignature},
		"two of one key":                   {append(add(line(c)), line(c)...), ErrSyntax},
		"two of one stranger":              {append(add(signatureLine(stranger.public(), []byte("1"))), signatureLine(stranger.public(), []byte("2"))...), ErrSyntax},
		"no signature":                     {[]byte(c.Text() + "\n"), ErrSyntax},
		"an extension with an empty line":  {[]byte(strings.Replace(string(signed), "\n\n", "\n\nmore\n\n", 1)), ErrSyntax},
	} {
		if o, err := p.Open(test.signed); !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v, want %v", what, o, err, test.want)
		}
	}
	if _, err := (Policy{}).Open(signed); err == nil {
		t.Error("the zero policy believes somebody")
	}
	if o, err := (Policy{}).For(key.Verifier()); err != nil {
		t.Error(err)
	} else if _, err := o.Open(signed); !errors.Is(err, ErrQuorum) {
		t.Errorf("a policy without a quorum is met: %v", err)
	}
}

func TestAnswersOfWitnessesAreAdded(t *testing.T) {
	key, witness, stranger := newKey(t, "example.com/vault", 1), newWitnessKey(t, "w.example.com", 2), newWitnessKey(t, "s.example.com", 3)
	p := mustPolicy(t, "witness w "+witness.Verifier()+"\nquorum w\n")
	c := Checkpoint{Origin: key.Name(), Size: 5}
	signed := sign(t, key, c)
	cosign := func(w WitnessKey, c Checkpoint, second int) []byte {
		line, err := w.Cosign(c, testStart.Add(time.Duration(second)*time.Second))
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	whole, by, err := p.Cosigned(signed, slices.Concat(cosign(stranger, c, 0), cosign(witness, c, 1)))
	if err != nil || len(by) != 1 || by[0].Name != "w" || strings.Contains(string(whole), "s.example.com") {
		t.Fatalf("%s, %+v, %v", whole, by, err)
	}
	whole, by, err = p.Cosigned(whole, cosign(witness, c, 9))
	if err != nil || !by[0].Time.Equal(testStart.Add(9*time.Second).Truncate(time.Second)) {
		t.Fatalf("%+v, %v", by, err)
	}
	believing, err := p.For(key.Verifier())
	if err != nil {
		t.Fatal(err)
	}
	if o, err := believing.Open(whole); err != nil || len(o.Witnesses) != 1 || o.Witnesses[0] != by[0] {
		t.Errorf("%+v, %v", o, err)
	}
	for what, lines := range map[string][]byte{
		"of a stranger alone": cosign(stranger, c, 1), "of something else": cosign(witness, Checkpoint{Origin: c.Origin}, 1), "none": nil, "text": []byte("no"),
	} {
		if _, _, err := p.Cosigned(signed, lines); err == nil {
			t.Errorf("an answer %s is added", what)
		}
	}
}

// ML-DSA-44 is plugged in; what is signed is a structure of C2SP tlog-cosignature.
func TestMLDSAIsPluggedIn(t *testing.T) {
	key := newKey(t, "example.com/vault", 1)
	v, err := VerifierMLDSA(key.Name(), make([]byte, 1312))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseVerifier(v.String()); err != nil || again != v {
		t.Fatalf("%v, %v", again, err)
	}
	c := Checkpoint{Origin: key.Name(), Size: 5, Root: LeafHash(nil)}
	var message []byte
	line, err := CosignMLDSA(v, c, time.Unix(258, 0), func(m []byte) ([]byte, error) { message = m; return []byte("sig"), nil })
	if err != nil {
		t.Fatal(err)
	}
	want := "subtree/v1\n\x00" + "\x11example.com/vault" + "\x00\x00\x00\x00\x00\x00\x01\x02" + "\x11example.com/vault" +
		strings.Repeat("\x00", 8) + "\x00\x00\x00\x00\x00\x00\x00\x05" + string(c.Root[:])
	if string(message) != want {
		t.Errorf("signed is %q, want %q", message, want)
	}
	both, err := AddSignatures(sign(t, key, c), line)
	if err != nil {
		t.Fatal(err)
	}
	p := mustPolicy(t, "log "+v.String()+"\nquorum none\n")
	if _, err := p.Open(both); !errors.Is(err, ErrSignature) {
		t.Errorf("without ML-DSA it is believed: %v", err)
	}
	p.VerifyMLDSA = func(publicKey, m, sig []byte) bool {
		return string(m) == want && string(sig) == "sig" && len(publicKey) == 1312
	}
	if o, err := p.Open(both); err != nil || len(o.Logs) != 1 || len(o.Unknown) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
	p.VerifyMLDSA = func(_, _, _ []byte) bool { return false }
	if _, err := p.Open(both); !errors.Is(err, ErrSignature) {
		t.Errorf("a false signature is believed: %v", err)
	}
	if o, err := mustPolicy(t, "log "+key.Verifier()+"\nlog "+v.String()+"\nquorum none\n").Open(both); err != nil || len(o.Logs) != 1 {
		t.Errorf("of two keys of one log the known one is enough: %+v, %v", o, err)
	}
}
