package browser

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/chromedp/chromedp"

	"strongroom/audit"
	"strongroom/audit/verifier"
	"strongroom/engine/enginetest"
)

// verifierFromDisk opens the page as a stranger does who was sent it.
func verifierFromDisk(t *testing.T) *tab {
	t.Helper()
	if chromium == nil {
		t.Skip("LEFT OUT: there is no chromium")
	}
	path := filepath.Join(t.TempDir(), verifier.FileName)
	if err := os.WriteFile(path, verifier.Page(), 0o600); err != nil {
		t.Fatal(err)
	}
	b := (&house{}).tab(t, true)
	b.do(chromedp.Navigate("file://" + filepath.ToSlash(path)))
	return b
}

// asked is what the page is given of a trial, and said what it answers.
type asked struct {
	Proof       []byte
	Key, Policy string
	File        *verifier.File
}

type said struct {
	Answer   json.RawMessage
	Proved   bool
	Code     string
	Sentence []string
	Limits   []string
}

const askAll = `(async all => { const said = []; for (const t of all) {
 const r = await verify(Uint8Array.from(atob(t.Proof), c => c.charCodeAt(0)), t.Key, t.Policy, t.File || undefined);
 said.push(r.proved ? {Proved: true, Answer: r, Sentence: proved(r), Limits: unproved(r)} : {Code: r.code}); }
 return said; })`

var everyByte = flag.Bool("every", false, "spoil every byte of proofs, keys and policies, and not every sixth alone")

// TestVerifierPage holds that the page says what the program says.
func TestVerifierPage(t *testing.T) {
	b := verifierFromDisk(t)
	t.Run("hashes", b.hashes)
	t.Run("Ed25519", b.signatures)
	t.Run("proofs", b.proofs)
	t.Run("policies", b.policies)
	t.Run("lines", b.lines)
	t.Run("a vault's own", b.ofVault)
}

// ofVault checks a proof that a vault has made.
func (b *tab) ofVault(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("lease.txt", "the lease")
	made, err := k.ProveVersion(t.Context(), d.ID, 1)
	if err != nil {
		t.Fatal(err)
	}
	key, err := k.LogKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := verifier.File{Name: "lease.txt", Size: 9, Digest: digestOf("the lease")}
	got := b.askTrials(t, []asked{{made.Proof.Marshal(), key.Verifier, "", &file}})[0]
	want := "lease.txt is version 1 of document " + d.ID + ", byte for byte: 9 bytes with the digest " + file.Digest + "."
	if !got.Proved || got.Sentence[0] != want {
		t.Errorf("%+v", got)
	}
}

// proofs gives the page and the program the same proofs, good ones and such as are not,
// and holds that each gets the same answer: what is proved, in the same words, or the
// same kind of refusal.
func (b *tab) proofs(t *testing.T) {
	trials := newTrials(t)
	var sent []asked
	for _, tr := range trials {
		sent = append(sent, asked{[]byte(tr.proof), tr.key, tr.policy, tr.file})
	}
	answers := b.askTrials(t, sent)
	codes := map[string]int{}
	for i, tr := range trials {
		want, err := verifier.Check([]byte(tr.proof), verifier.Trust{Key: tr.key, Policy: tr.policy}, tr.file)
		codes[verifier.Code(err)]++
		if tr.good != either && (tr.good == yes) != (err == nil) {
			t.Errorf("%s: the program says %v\n%s", tr.what, err, tr.proof)
		}
		got := answers[i]
		switch {
		case got.Proved != (err == nil) || got.Code != verifier.Code(err):
			t.Errorf("%s: the page says %v %q, the program %v\n%q\n%q\n%q", tr.what, got.Proved, got.Code, err, tr.key, tr.policy, tr.proof)
		case err == nil:
			spelled, err := json.Marshal(want)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(value(t, spelled), value(t, got.Answer)) || !reflect.DeepEqual(got.Sentence, want.Sentences()) || !reflect.DeepEqual(got.Limits, want.Limits()) {
				t.Errorf("%s: the page says\n%s\n%q\n%q\nthe program\n%s\n%q\n%q", tr.what, got.Answer, got.Sentence, got.Limits, spelled, want.Sentences(), want.Limits())
			}
		}
	}
	for _, code := range []string{"", "trust", "syntax", "signature", "proof", "quorum", "file"} {
		if codes[code] == 0 {
			t.Errorf("no trial ends with %q: %v", code, codes)
		}
	}
	// Where a browser has no crypto.subtle, the page does it by itself.
	get[any](b, "void (subtle.is = undefined)")
	var some []asked
	var which []int
	for i := 0; i < len(sent); i += 1 + len(sent)/40 {
		some, which = append(some, sent[i]), append(which, i)
	}
	for i, got := range b.askTrials(t, some) {
		if !reflect.DeepEqual(got, answers[which[i]]) {
			t.Errorf("%s: without crypto.subtle the page says %s %q", trials[which[i]].what, got.Answer, got.Code)
		}
	}
}

func (b *tab) askTrials(t *testing.T, sent []asked) []said {
	t.Helper()
	spelled, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	return get[[]said](b, askAll+"("+string(spelled)+")")
}

func value(t *testing.T, spelled []byte) (v any) {
	t.Helper()
	if err := json.Unmarshal(spelled, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// newTrials makes proofs: of each entry, spoilt ones of each kind there is, and one
// whose every byte is spoilt in turn.
func newTrials(t *testing.T) []trial {
	t.Helper()
	d := newDeed(t)
	key := d.log.vkey()
	right := &verifier.File{Name: "hello.txt", Size: int64(len(proofFile)), Digest: digestOf(proofFile)}
	var all []trial
	good := func(what, proof, key, policy string, file *verifier.File) {
		all = append(all, trial{what, proof, key, policy, file, yes})
	}
	bad := func(what, proof, key, policy string, file *verifier.File) {
		all = append(all, trial{what, proof, key, policy, file, no})
	}
	for seq := range len(d.lines) {
		for size := seq + 1; size <= len(d.lines); size += 3 {
			good(fmt.Sprintf("entry %d of %d", seq+1, size), d.prove(t, seq+1, size), key, "", nil)
		}
	}
	proof := d.prove(t, 2, 8)
	for _, quorum := range []string{"none", "harbour", "both"} {
		good("quorum "+quorum, proof, "", d.policy(quorum), right)
		good("quorum and key "+quorum, proof, key, d.policy(quorum), nil)
	}
	good("of a download", d.prove(t, 4, 8), key, "", right)
	good("of a text", d.prove(t, 6, 8), key, "", &verifier.File{Name: "te\u202ext", Size: 4, Digest: digestOf("text")})
	bad("another file", proof, key, "", &verifier.File{Name: "other", Digest: digestOf("other")})
	bad("about no file", d.prove(t, 5, 8), key, "", right)

	bad("no trust", proof, "", "", nil)
	bad("no log", proof, "", "quorum none\n", nil)
	good("no log, but a key", proof, key, "quorum none", nil)
	bad("another key", proof, newNotary(d.log.name, 1, 77).vkey(), "", nil)
	bad("a witness's key", proof, d.harbour.vkey(), "", nil)
	for i, wrong := range []string{key + "\n", " " + key, key + "=", strings.ToUpper(key), key[:len(key)-1], strings.Replace(key, "+", "++", 1), "x+" + key, key + "+"} {
		bad(fmt.Sprint("key ", i), proof, wrong, "", nil)
	}
	for i, wrong := range []string{
		"quorum none", "quorum harbour\nlog " + key, d.policy("nobody"), d.policy("none") + "quorum none\n", d.policy("both") + "log " + key + "\n", d.policy("none") + "\r\n",
		d.policy("none") + "witness third " + d.harbour.vkey(), d.policy("none") + "group more 1 harbour", d.policy("none") + "group none all other", d.policy("none") + "group harbour all both",
		d.policy("none") + "group g 2 both", d.policy("none") + "group g 0 both", d.policy("none") + "group g 01 both", d.policy("none") + "group g any", d.policy("none") + "logs", d.policy("none") + "log",
		d.policy("none") + "log " + d.harbour.vkey(), d.policy("none") + "witness w " + newNotary("o", 1, 44).vkey(), d.policy("none") + "witness none " + newNotary("o", 4, 44).vkey(), d.policy("none") + "\x7f", "log " + key,
	} {
		bad(fmt.Sprint("policy ", i), proof, "", wrong, nil)
	}
	good("policy with a group of groups", proof, "", d.policy("all")[:strings.LastIndex(d.policy("all"), "quorum")]+"witness other "+newNotary("other", 4, 45).vkey()+"\ngroup some 1 both other\nquorum some", nil)
	good("a key used by log and witness", proof, "", d.policy("both")+"witness w "+notary{"w", 4, d.log.key}.vkey(), nil)
	mldsa := notary{name: "pq", kind: 6}.vkeyOf(make([]byte, 1312))
	good("a witness with ML-DSA", proof, "", d.policy("both")+"witness pq "+mldsa+"\n", nil)
	bad("quorum of a witness with ML-DSA", proof, "", "log "+key+"\nwitness pq "+mldsa+"\nquorum pq\n", nil)
	bad("a log with ML-DSA", proof, mldsa, "", nil)
	bad("an ML-DSA key that is short", proof, "", d.policy("none")+"witness pq "+notary{name: "pq", kind: 6}.vkeyOf(make([]byte, 1311)), nil)
	spoilt(t, d, bad, good)
	mangled(t, proof, func(what, mangled string) { bad(what, mangled, "", d.policy("both"), nil) })
	mangled(t, key, func(what, mangled string) {
		if utf8.ValidString(mangled) {
			bad("key: "+what, proof, mangled, "", nil)
		}
	})
	mangled(t, d.policy("both"), func(what, mangled string) {
		if utf8.ValidString(mangled) && mangled != "" {
			all = append(all, trial{"policy: " + what, proof, "", mangled, nil, either})
		}
	})
	return all
}

func (n notary) vkeyOf(public []byte) string {
	v := append([]byte{n.kind}, public...)
	sum := audit.HashLine(append([]byte(n.name+"\n"), v...))
	return fmt.Sprintf("%s+%x+%s", n.name, sum[:4], base64.StdEncoding.EncodeToString(v))
}

// spoilt makes proofs that are signed all right, but not what a proof is.
func spoilt(t *testing.T, d *deed, bad, good func(what, proof, key, policy string, file *verifier.File)) {
	t.Helper()
	key, policy := d.log.vkey(), d.policy("both")
	text := d.text(t, 8)
	log, harbour, abbey := d.log.sign(text, 0), d.harbour.sign(text, proofSecond), d.abbey.sign(text, proofSecond)
	stranger := newNotary("somebody", 1, 50)
	proof := func(signatures string) string { return d.proof(t, 2, 8, text, signatures) }
	signed := func(text string) string { return d.proof(t, 2, 8, text, d.log.sign(text, 0)) }

	good("a stranger signed too", proof(stranger.sign(text, 0)+log+newNotary("st\u00e4nger", 9, 3).sign(text, 0)), key, "", nil)
	good("witnesses first", proof(abbey+harbour+log), "", policy, nil)
	bad("only a stranger signed", proof(stranger.sign(text, 0)), key, "", nil)
	bad("no witness", proof(log), "", policy, nil)
	bad("one witness", proof(log+abbey), "", policy, nil)
	bad("a witness twice", proof(log+abbey+harbour+harbour), "", policy, nil)
	bad("a stranger twice", proof(log+stranger.sign(text, 0)+stranger.sign(text, 0)), key, "", nil)
	bad("no signature", proof(""), key, "", nil)
	bad("a false witness, not needed", proof(log+d.harbour.sign("another", proofSecond)), "", d.policy("none"), nil)
	bad("a witness without a time", proof(log+d.harbour.sign(text, 0)+abbey), "", policy, nil)
	good("a witness whose clock is behind", proof(log+d.harbour.sign(text, 1)+abbey), "", policy, nil)
	good("a witness in the second of the entry", proof(log+d.harbour.sign(text, proofEntry)+abbey), "", policy, nil)
	good("a witness in the second before", proof(log+d.harbour.sign(text, proofEntry-1)+abbey), "", policy, nil)
	good("a witness in 9999", proof(log+d.harbour.sign(text, 253402300799)+abbey), "", policy, nil)
	bad("a witness in 10000", proof(log+d.harbour.sign(text, 253402300800)+abbey), "", policy, nil)
	bad("a witness at the end of time", proof(log+d.harbour.sign(text, 1<<64-1)+abbey), "", policy, nil)
	bad("a witness signs like a log", proof(log+abbey+notary{d.harbour.name, 1, d.harbour.key}.sign(text, 0)), "", policy, nil)
	many := ""
	for i := range 63 {
		many += newNotary(fmt.Sprintf("n%d", i), 1, byte(i)).sign(text, 0)
	}
	good("64 signatures", proof(log+many), key, "", nil)
	bad("65 signatures", proof(log+many+stranger.sign(text, 0)), key, "", nil)
	two := newNotary("another.example/log", 1, 51)
	bad("a log that is trusted signed another's checkpoint", proof(two.sign(text, 0)), "", "log "+key+"\nlog "+two.vkey()+"\nquorum none", nil)
	good("two logs that are trusted signed", proof(two.sign(text, 0)+log), "", "log "+key+"\nlog "+two.vkey()+"\nquorum none", nil)

	lines := strings.SplitAfter(text, "\n")
	for i, other := range []string{
		text + "extension\n", lines[0] + "08\n" + lines[2], lines[0] + "+8\n" + lines[2], lines[0] + "8 \n" + lines[2], lines[0] + "9007199254740992\n" + lines[2], lines[0] + "9\n" + lines[2],
		lines[0] + "0\n" + lines[2], lines[0] + "1\n" + lines[2], lines[0] + lines[1], lines[0] + lines[1] + "\n", lines[0] + lines[1] + "AAAA\n", "\n" + lines[1] + lines[2], "other\n" + lines[1] + lines[2],
		lines[0] + lines[1] + strings.Replace(lines[2], "=", "==", 1), lines[0] + lines[1] + strings.TrimRight(lines[2], "=\n") + "\n", text + "\n", "\xff" + text, "\x01" + text, strings.Repeat("o", 256) + "\n" + lines[1] + lines[2],
	} {
		bad(fmt.Sprint("checkpoint ", i), signed(other), key, "", nil)
	}
	// Entries that are no entries, or stand elsewhere.
	whole := string(d.lines[1])
	for i, line := range []string{
		"", "{}", whole, strings.Replace(whole, `"seq":2`, `"seq":11`, 1), strings.Replace(whole, `"seq":2`, `"seq":02`, 1), strings.Replace(whole, `"size":13`, `"size":9007199254740992`, 1),
		strings.Replace(whole, `"size":13`, `"size":13,"size":13`, 1), strings.Replace(whole, `"size":13`, `"ssize":13,"size":13`, 1), strings.Replace(whole, "2026-11-21", "2026-02-29", 1), strings.Replace(whole, "2026-", "0000-", 1),
		strings.Replace(whole, "T17:", "T24:", 1), strings.Replace(whole, "text/plain", "text/\\u0070lain", 1), strings.Replace(whole, "text/plain", "text/plaïn", 1), strings.Replace(whole, "text/plain", "te&t", 1), whole + "\n", whole + " ", " " + whole,
		strings.Replace(whole, `"detail":""`, `"detail":"`+strings.Repeat("0", 64)+`"`, 1), strings.Replace(whole, `"document.created"`, `"document.Created"`, 1), strings.Replace(whole, `"document.created"`, `"document"`, 1), strings.Replace(whole, `"document.created"`, `"a__b.c"`, 1),
		strings.Replace(whole, `"version":1`, `"version":-1`, 1), strings.Replace(whole, `"facts":{`, `"facts":{"__proto__":1,`, 1), strings.Replace(whole, `"facts":{`, `"facts":{"1a":1,`, 1), strings.Replace(whole, "text/plain", strings.Repeat("x", 65536), 1),
	} {
		other := &deed{log: d.log, harbour: d.harbour, abbey: d.abbey}
		for range 9 {
			other.grow(t, d.lines[0])
		}
		other.grow(t, []byte(line+"\n"))
		bad(fmt.Sprint("line ", i), other.prove(t, 10, 10), key, "", nil)
	}
	// Facts of a later release, and of kinds that this one does not write.
	for i, line := range []string{
		strings.Replace(whole, `"facts":{`, `"facts":{"a":[],"aB1":["x","y"],`, 1), strings.Replace(whole, `"size":13`, `"size":"13"`, 1), strings.Replace(whole, `"document.created"`, `"document.seen_by_all"`, 1),
		strings.Replace(whole, `"digest":"`+digestOf(proofFile)+`"`, `"digest":["x"]`, 1), strings.Replace(whole, `"digest":"`+digestOf(proofFile)+`"`, `"digest":""`, 1), strings.Replace(whole, `"size":13`, `"size":9007199254740991`, 1),
		strings.Replace(whole, "2026-11-21", "2024-02-29", 1), strings.Replace(whole, "2026-", "0001-", 1), strings.Replace(whole, "2026-", "9999-", 1), strings.Replace(whole, `"document.created"`, `"document.deleted"`, 1),
		strings.Replace(strings.Replace(whole, `"document.created"`, `"document.deleted"`, 1), `"facts":{`, `"facts":{"certificate":["x"],`, 1),
	} {
		other := &deed{log: d.log, harbour: d.harbour, abbey: d.abbey}
		other.grow(t, d.lines[0])
		other.grow(t, []byte(line+"\n"))
		good(fmt.Sprint("later line ", i), other.prove(t, 2, 2), key, "", nil)
	}
}

// mangled spoils bytes of a text, every line, and what is beside them. Each byte is
// spoilt in one way, drawn from a fixed seed, as are the bytes unless it is every one.
func mangled(t *testing.T, text string, is func(what, mangled string)) {
	t.Helper()
	draw := rand.New(rand.NewPCG(17, uint64(len(text))))
	for i := range len(text) {
		if !*everyByte && draw.IntN(6) > 0 {
			continue
		}
		c := text[i]
		ways := []string{string(c ^ 1), string([]byte{c ^ 0x20}), string([]byte{c ^ 0x80}), "", text[i:i+1] + text[i:i+1] + "!", "\n" + text[i:i+1], text[i:i+1] + " ", text[i:i+1] + "\r"}
		by := ways[draw.IntN(len(ways))]
		is(fmt.Sprintf("byte %d is %q", i, by), text[:i]+by+text[i+1:])
	}
	lines := strings.SplitAfter(text, "\n")
	for i := range len(lines) - 2 {
		is(fmt.Sprintf("line %d is missing", i), strings.Join(lines[:i], "")+strings.Join(lines[i+1:], ""))
		is(fmt.Sprintf("line %d is there twice", i), strings.Join(lines[:i+1], "")+strings.Join(lines[i:], ""))
	}
	is("a newline at the end", text+"\n")
	is("nothing", "")
}

// signatures compares the page's own verification, and the one it takes from
// the browser, with Go's: of RFC 8032's vectors, and of the keys and signatures about
// which implementations differ.
func (b *tab) signatures(t *testing.T) {
	type vector struct{ Key, Message, Signature []byte }
	var all []vector
	for _, hex := range []string{
		"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a||e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c|72|92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025|af82|6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
	} {
		var v vector
		parts := strings.Split(hex, "|")
		for i, to := range []*[]byte{&v.Key, &v.Message, &v.Signature} {
			if _, err := fmt.Sscanf(parts[i]+" ", "%x", to); err != nil && parts[i] != "" {
				t.Fatal(err)
			}
		}
		if !ed25519.Verify(v.Key, v.Message, v.Signature) {
			t.Fatal("this is not the vector of the RFC")
		}
		all = append(all, v)
		// S plus the order of the group is the same number, but not its one spelling.
		order := []byte{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 31: 0x10}
		added, carry := append([]byte{}, v.Signature...), 0
		for i, c := range order {
			sum := int(added[32+i]) + int(c) + carry
			added[32+i], carry = byte(sum), sum>>8
		}
		all = append(all, vector{v.Key, v.Message, added}, vector{v.Key, append(v.Message, 1), v.Signature}, vector{v.Key, v.Message, v.Signature[:63]}, vector{v.Key[:31], v.Message, v.Signature})
	}
	// Points of small order, and such as are not reduced, as keys and in signatures: with
	// S zero, some are true.
	point := func(low byte, middle byte, high byte) []byte {
		p := make([]byte, 32)
		for i := range p {
			p[i] = middle
		}
		p[0], p[31] = low, high
		return p
	}
	eighth := []byte{0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}
	odd := [][]byte{point(1, 0, 0), point(1, 0, 0x80), point(0, 0, 0), point(0, 0, 0x80), point(0xec, 0xff, 0x7f), point(0xec, 0xff, 0xff), point(0xed, 0xff, 0x7f), point(0xed, 0xff, 0xff),
		point(0xee, 0xff, 0x7f), point(0xee, 0xff, 0xff), eighth, point(2, 0, 0), point(0xff, 0xff, 0xff)}
	for i, a := range odd {
		for j, r := range odd {
			if *everyByte || (i+j)%4 == 0 {
				all = append(all, vector{a, []byte{byte(i), byte(j)}, append(append([]byte{}, r...), make([]byte, 32)...)})
			}
		}
		all = append(all, vector{a, all[0].Message, all[0].Signature})
	}
	spelled, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	got := get[[][]bool](b, `(async all => { const said = [], bytes = s => Uint8Array.from(atob(s || ''), c => c.charCodeAt(0));
 for (const v of all) said.push([ownEd25519(bytes(v.Key), bytes(v.Message), bytes(v.Signature)), await ed25519(bytes(v.Key), bytes(v.Message), bytes(v.Signature))]);
 return said; })(`+string(spelled)+`)`)
	odds := 0
	for i, v := range all {
		want := len(v.Key) == ed25519.PublicKeySize && ed25519.Verify(v.Key, v.Message, v.Signature)
		if want && i > 20 {
			odds++
		}
		if got[i][0] != want || got[i][1] != want {
			t.Errorf("key %x, message %x, signature %x: the page's own says %v, with the browser's %v, Go's %v", v.Key, v.Message, v.Signature, got[i][0], got[i][1], want)
		}
	}
	if odds == 0 {
		t.Error("of the odd points none makes a true signature: the test shows less than it says")
	}
	if !get[bool](b, "isSecureContext && subtle.ed25519 && subtle.is !== undefined") {
		t.Log("this browser has no Ed25519 for a page from disk: only the page's own was compared")
	}
}

// policies gives page and program policies put together at random, of which a few are
// policies.
func (b *tab) policies(t *testing.T) {
	d, draw := newDeed(t), rand.New(rand.NewPCG(17, 1))
	pick := func(s ...string) string { return s[draw.IntN(len(s))] }
	name := func() string { return pick("a", "b", "c", "none", "any", "é") }
	key := func() string {
		return pick(d.log.vkey(), d.harbour.vkey(), d.abbey.vkey(), newNotary("é", 1, 3).vkey(), newNotary("w\u2003", 4, 4).vkey(), newNotary("\ufeffx", 4, 5).vkey(), newNotary("n\u0085", 1, 6).vkey())
	}
	lines := []func() string{
		func() string { return "log" + pick(" ", "\t", "  ") + key() + pick("", " url", " url x") },
		func() string { return "witness " + name() + " " + key() + pick("", " url", " url x") },
		func() string {
			return "group " + name() + " " + pick("any", "all", "1", "2", "0", "01", "+1", "99999999999999999999") + " " + name() + pick("", " "+name())
		},
		func() string { return pick("", " ") + "quorum " + pick(name(), "none") + pick("", "", " x") },
		func() string { return pick("#x", " # y", "", " \t", "\u00a0", "x", "log", "quorum") },
	}
	var all []string
	for range 600 {
		policy := ""
		for range 1 + draw.IntN(6) {
			policy += lines[draw.IntN(len(lines))]() + pick("\n", "\n", "\n", "\n", "\r\n", "", "\v")
		}
		all = append(all, policy)
	}
	spelled, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	takes := get[[]bool](b, `(async all => { const takes = []; for (const p of all) takes.push(await parsePolicy(typed(p)).then(() => true, e => { if (e instanceof Refused) return false; throw e; })); return takes; })(`+string(spelled)+`)`)
	for i, policy := range all {
		if _, err := audit.ParsePolicy(policy); takes[i] != (err == nil) {
			t.Errorf("the page takes it: %v, the program: %v\n%q", takes[i], err, policy)
		}
	}
}

// lines gives page and program lines of a log with characters changed.
func (b *tab) lines(t *testing.T) {
	d, draw := newDeed(t), rand.New(rand.NewPCG(17, 2))
	const others = `09a",{}[]: -A_.` + "\x00\x7f\x80\n"
	var all [][]byte
	for range 3000 {
		line := slices.Clone(d.lines[draw.IntN(len(d.lines))])
		for range 1 + draw.IntN(2) {
			i, j := draw.IntN(len(line)), draw.IntN(len(line))
			switch draw.IntN(4) {
			case 0:
				line = slices.Delete(line, i, i+1)
			case 1:
				line = slices.Insert(line, i, line[i])
			case 2:
				line[i], line[j] = line[j], line[i]
			case 3:
				line[i] = others[draw.IntN(len(others))]
			}
		}
		all = append(all, line)
	}
	spelled, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	takes := get[[]bool](b, `(all => all.map(line => { try { parseEntry(atob(line)); return true; } catch (e) { if (e instanceof Refused) return false; throw e; } }))(`+string(spelled)+`)`)
	for i, line := range all {
		if _, err := audit.ParseEntry(append(slices.Clone(line), '\n')); takes[i] != (err == nil) {
			t.Errorf("the page takes it: %v, the program: %v\n%q", takes[i], err, line)
		}
	}
}

// hashes compares the page's own SHA-256, in pieces, and SHA-512 with the browser's.
func (b *tab) hashes(t *testing.T) {
	wrong := get[[]int](b, `(async () => { const wrong = []; for (let n = 0; n < 300; n += n < 140 ? 1 : 37) {
 const bytes = Uint8Array.from({length: n}, (_, i) => i * 7 + n), own = new Sha256();
 for (let i = 0; i < n; i += 29) own.update(bytes.subarray(i, i + 29));
 for (const [name, sum] of [['SHA-256', own.digest()], ['SHA-512', sha512(bytes)]]) if (!same(sum, new Uint8Array(await crypto.subtle.digest(name, bytes)))) wrong.push(n);
 } return wrong; })()`)
	if len(wrong) > 0 {
		t.Errorf("the page's own hashes are wrong for %v bytes", wrong)
	}
}
