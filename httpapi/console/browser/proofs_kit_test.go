package browser

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"strongroom/audit"
	"strongroom/audit/verifier"
)

// notary is a key that signs whatever it is told to, which those of package audit do
// not.
type notary struct {
	name string
	kind byte // 1 a log, 4 a witness
	key  ed25519.PrivateKey
}

func newNotary(name string, kind byte, seed byte) notary {
	return notary{name, kind, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, 32))}
}

func (n notary) id() []byte {
	sum := sha256.Sum256(append([]byte(n.name+"\n"), append([]byte{n.kind}, n.key.Public().(ed25519.PublicKey)...)...))
	return sum[:4]
}

func (n notary) vkey() string {
	return n.name + "+" + hex.EncodeToString(n.id()) + "+" + base64.StdEncoding.EncodeToString(append([]byte{n.kind}, n.key.Public().(ed25519.PublicKey)...))
}

// sign returns a signature line over a text; of a witness, at this second.
func (n notary) sign(text string, second uint64) string {
	sig := n.id()
	if n.kind == 4 {
		sig = binary.BigEndian.AppendUint64(sig, second)
		text = fmt.Sprintf("cosignature/v1\ntime %d\n%s", second, text)
	}
	return "— " + n.name + " " + base64.StdEncoding.EncodeToString(append(sig, ed25519.Sign(n.key, []byte(text))...)) + "\n"
}

const (
	proofDocument = "01JD6R0V5XJ8M2H4Q7Z9C3E6TB"
	proofFile     = "Hello, vault\n"
	proofSecond   = 1795300000 // when the witnesses sign
	proofEntry    = 1795282621 // of the entry that makes the document
)

// deed is a log with its keys, and its tree.
type deed struct {
	lines  [][]byte
	hashes []audit.TreeHash

	log            notary
	harbour, abbey notary // witnesses
}

func (d *deed) ReadHashes(indexes []int64) (read []audit.TreeHash, err error) {
	for _, i := range indexes {
		read = append(read, d.hashes[i])
	}
	return read, nil
}

func digestOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// newDeed writes a log with entries of different kinds.
func newDeed(t *testing.T) *deed {
	t.Helper()
	d := &deed{log: newNotary("example.com/vault", 1, 7), harbour: newNotary("harbour.example/w", 4, 8), abbey: newNotary("abtei.example/ü", 4, 9)}
	version := func(content string) audit.Facts {
		return audit.Facts{"chain": audit.Text(strings.Repeat("ab", 32)), "digest": audit.Text(digestOf(content)),
			"mediaType": audit.Text("text/plain"), "size": audit.Number(uint64(len(content)))}
	}
	created := version(proofFile)
	created["owner"] = audit.Text("01JD6QGZ3NQ5C3W0XHDA4M8V2E")
	events := []audit.Event{
		{Op: audit.OpVaultCreated, Facts: audit.Facts{"format": audit.Number(3), "vault": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW")}},
		{Op: audit.OpDocumentCreated, Document: proofDocument, Version: 1, Facts: created},
		{Op: audit.OpDocumentVersionAdded, Document: proofDocument, Version: 2, Facts: version("H")},
		{Op: audit.OpDocumentDownloaded, Document: proofDocument, Version: 1, Facts: audit.Facts{"digest": audit.Text(digestOf(proofFile))}},
		{Op: audit.OpHoldPlaced, Document: proofDocument, Facts: audit.Facts{"hold": audit.Text("01JD6QGZ3NQ5C3W0XHDA4M8V2F")}},
		{Op: audit.OpDocumentTextSet, Document: proofDocument, Version: 1, Facts: audit.Facts{"digest": audit.Text(digestOf("text")), "size": audit.Number(4)}},
		{Op: audit.OpDocumentDeleted, Document: proofDocument, Version: 2, Facts: audit.Facts{"certificate": audit.Text(strings.Repeat("cd", 32)),
			"chain": audit.Text(strings.Repeat("ef", 32)), "right": audit.Text("manual"), "versions": audit.Number(2)}},
		{Op: audit.OpKeyRevoked, Facts: audit.Facts{"key": audit.Text("k"), "user": audit.Text("u")}},
	}
	head, at := audit.Head{}, time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC)
	for i, e := range events {
		stamp := audit.Stamp{Time: at.Add(time.Duration(i) * time.Minute), Actor: "01JD6QGZ3NQ5C3W0XHDA4M8V2E", Key: "01JD6QGZ3P7K9R2S6T4B0Y1N8F"}
		switch i {
		case 0:
			stamp.Actor, stamp.Key = "operator", ""
		case 6:
			stamp.Actor, stamp.Key = "system", ""
		}
		line, next, err := head.Next(stamp, e, audit.Hash{})
		if err != nil {
			t.Fatal(err)
		}
		d.grow(t, line)
		head = next
	}
	return d
}

// grow adds a line, whatever it is, to the log.
func (d *deed) grow(t *testing.T, line []byte) {
	t.Helper()
	stored, err := audit.StoredHashes(int64(len(d.lines)), line, d)
	if err != nil {
		t.Fatal(err)
	}
	d.lines, d.hashes = append(d.lines, bytes.TrimSuffix(line, []byte("\n"))), append(d.hashes, stored...)
}

func (d *deed) text(t *testing.T, size int) string {
	t.Helper()
	root, err := audit.TreeRoot(int64(size), d)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s\n%d\n%s\n", d.log.name, size, base64.StdEncoding.EncodeToString(root[:]))
}

// prove returns the proof of an entry, whatever its line is, in a tree of a size,
// signed by all.
func (d *deed) prove(t *testing.T, seq, size int) string {
	t.Helper()
	text := d.text(t, size)
	return d.proof(t, seq, size, text, d.log.sign(text, 0)+d.harbour.sign(text, proofSecond)+d.abbey.sign(text, proofSecond-60))
}

func (d *deed) proof(t *testing.T, seq, size int, text, signatures string) string {
	t.Helper()
	// The path of whatever line stands there is that of the tree.
	path, err := tlog.ProveRecord(int64(size), int64(seq-1), d)
	if err != nil {
		t.Fatal(err)
	}
	b := fmt.Sprintf("c2sp.org/tlog-proof@v1\nextra %s\nindex %d\n", base64.StdEncoding.EncodeToString(d.lines[seq-1]), seq-1)
	for _, h := range path {
		b += base64.StdEncoding.EncodeToString(h[:]) + "\n"
	}
	return b + "\n" + text + "\n" + signatures
}

// policy asks for what a quorum says.
func (d *deed) policy(quorum string) string {
	return "# whom we trust\nlog " + d.log.vkey() + " https://example.com/vault\n\nwitness harbour " + d.harbour.vkey() + "\n\twitness  abtei " + d.abbey.vkey() + " https://abtei.example/\n" +
		"group both all harbour abtei\nquorum " + quorum + "\n"
}

// trial is one input of the check.
type trial struct {
	what, proof, key, policy string
	file                     *verifier.File
	good                     judgement
}

// judgement is what is to be said of a proof; either: whatever it is, page and program
// must say the same.
type judgement int

const (
	either judgement = iota
	yes
	no
)
