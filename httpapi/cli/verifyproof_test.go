package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"strongroom/audit"
)

// kept is what somebody keeps of a document: the file, its proof, and on paper the keys.
type kept struct {
	dir, key, witness string
}

type hashes []audit.TreeHash

func (h hashes) ReadHashes(indexes []int64) (read []audit.TreeHash, err error) {
	for _, i := range indexes {
		read = append(read, h[i])
	}
	return read, nil
}

// newKept makes a log with a document, has it witnessed, and proves the upload.
func newKept(t *testing.T) kept {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	key, err := audit.NewKey("example.com/vault", bytes.NewReader(make([]byte, 32)))
	must(err)
	witness, err := audit.NewWitnessKey("harbour.example", bytes.NewReader(bytes.Repeat([]byte{1}, 32)))
	must(err)
	at := time.Date(2026, 11, 21, 17, 36, 1, 123e6, time.UTC)
	var tree hashes
	var lines [][]byte
	head := audit.Head{}
	for _, e := range []audit.Event{
		{Op: audit.OpVaultCreated, Facts: audit.Facts{"format": audit.Number(3), "vault": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW")}},
		{Op: audit.OpDocumentCreated, Document: "01JD6R0V5XJ8M2H4Q7Z9C3E6TB", Version: 1, Facts: audit.Facts{"chain": audit.Text(strings.Repeat("0a", 32)),
			"digest": audit.Text("sha256:4366abd558e2246e334eab59e2d2fd052e7f2ff59953e5f28759199581661fa8"), "mediaType": audit.Text("text/plain"), "owner": audit.Text("ada"), "size": audit.Number(13)}},
	} {
		line, next, err := head.Next(audit.Stamp{Time: at, Actor: "ada", Key: "phone"}, e, audit.Hash{})
		must(err)
		stored, err := audit.StoredHashes(int64(len(lines)), line, tree)
		must(err)
		head, tree, lines = next, append(tree, stored...), append(lines, line)
	}
	root, err := audit.TreeRoot(2, tree)
	must(err)
	checkpoint := audit.Checkpoint{Origin: key.Name(), Size: 2, Root: root}
	signed, err := key.Sign(checkpoint)
	must(err)
	cosignature, err := witness.Cosign(checkpoint, at.Add(time.Hour))
	must(err)
	signed, err = audit.AddSignatures(signed, cosignature)
	must(err)
	proof, err := audit.MakeProof(lines[1], signed, tree)
	must(err)
	k := kept{t.TempDir(), key.Verifier(), witness.Verifier()}
	k.write(t, "hello.tlog-proof", string(proof.Marshal()))
	k.write(t, "hello.txt", "Hello, vault\n")
	return k
}

func (k kept) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestVerifyProof(t *testing.T) {
	k := newKept(t)
	proof, file := filepath.Join(k.dir, "hello.tlog-proof"), filepath.Join(k.dir, "hello.txt")
	r := run(t, "verify", "--proof", proof, "--key", k.key, "--file", file)
	want := `Proved: hello.txt is version 1 of document 01JD6R0V5XJ8M2H4Q7Z9C3E6TB, byte for byte: 13 bytes with the digest sha256:4366abd558e2246e334eab59e2d2fd052e7f2ff59953e5f28759199581661fa8.
Entry 2 of the log example.com/vault says so: document.created, written at 2026-11-21T17:36:01.123Z by user ada with key phone.
The log has signed its first 2 entries, this one among them: it cannot be taken out or changed unseen.
No witness that you trust has signed: that everybody is shown the same log is its own word.
Not proved:
- Who made the content, and whether it is true.
- That nobody else has it, or had it before.
- When it happened. The time is that of the vault's clock, and no witness bounds it.
- What came after entry 2: a newer version, or the end of this one.
`
	if r.code != 0 || r.stdout != want || r.stderr != "" {
		t.Errorf("exit status %d\n%s%s", r.code, r.stdout, r.stderr)
	}

	policy := k.write(t, "policy", "log "+k.key+"\nwitness harbour "+k.witness+"\nquorum harbour\n")
	r = run(t, "verify", "--proof", proof, "--policy", policy, "--json")
	var answer struct {
		Proved    bool
		Entry     struct{ Seq, Version int }
		Witnesses []struct{ Name, Time string }
	}
	if err := json.Unmarshal([]byte(r.stdout), &answer); err != nil || r.code != 0 || !answer.Proved || answer.Entry.Seq != 2 ||
		len(answer.Witnesses) != 1 || answer.Witnesses[0].Time != "2026-11-21T18:36:01.000Z" {
		t.Errorf("exit status %d, %v\n%s%s", r.code, err, r.stdout, r.stderr)
	}

	spoilt, err := os.ReadFile(proof)
	if err != nil {
		t.Fatal(err)
	}
	wrong := k.write(t, "wrong", "witness harbour "+k.witness)
	names := k.write(t, "nobody", "quorum none")
	other := k.write(t, "other", "quorum paris\n")
	long := k.write(t, "long", string(spoilt)+strings.Repeat("—", audit.MaxProof))
	for name, c := range map[string]struct {
		args string
		code int
		says string
	}{
		"another file":          {"--proof " + proof + " --key " + k.key + " --file " + policy, 1, "about other bytes"},
		"another key":           {"--proof " + proof + " --key " + newOtherKey(t), 1, "not proved: not signed by a trusted key"},
		"no proof":              {"--proof " + file + " --key " + k.key, 1, "not proved: "},
		"more than a proof":     {"--proof " + long + " --key " + k.key, 1, "not proved: "},
		"a missing proof":       {"--proof " + proof + "x --key " + k.key, 1, "--proof: open "},
		"a missing file":        {"--proof " + proof + " --key " + k.key + " --file " + file + "x", 1, "--file: open "},
		"a missing policy":      {"--proof " + proof + " --policy " + proof + "x", 1, "--policy: open "},
		"nobody to trust":       {"--proof " + proof, 2, "--key, or a policy with --policy"},
		"no key":                {"--proof " + proof + " --key example.com", 2, "--key: "},
		"a witness's key":       {"--proof " + proof + " --key " + k.witness, 2, "--key: "},
		"no policy":             {"--proof " + proof + " --policy " + wrong, 2, "--policy " + wrong + ": "},
		"a policy's quorum":     {"--proof " + proof + " --policy " + other, 2, "paris"},
		"a policy without logs": {"--proof " + proof + " --policy " + names, 2, "names no log: give the key of one"},
		"beside a log":          {"--proof " + proof + " --key " + k.key + " --log x", 2, "--proof is checked by itself"},
		"beside a backup":       {"--proof " + proof + " --key " + k.key + " --from x", 2, "--proof is checked by itself"},
		"beside a head":         {"--proof " + proof + " --key " + k.key + " --head x", 2, "--proof is checked by itself"},
		"a key alone":           {"--key " + k.key, 2, "give it with --proof"},
		"a policy alone":        {"--policy " + policy, 2, "give it with --proof"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, append([]string{"verify"}, strings.Fields(c.args)...)...)
			if r.expect(t, c.code, c.says); r.stdout != "" {
				t.Errorf("it prints\n%s", r.stdout)
			}
		})
	}
	// The key of the API that many have in their environment is none of a log, and in nobody's way.
	run(t, "STRONGROOM_KEY=sr_main_x", "verify", "--data", k.dir).expect(t, 1)
	r = run(t, "verify", "--proof", file, "--key", k.key, "--json")
	if r.code != 1 || !strings.HasPrefix(r.stdout, `{"proved":false,"code":"syntax","why":"`) {
		t.Errorf("exit status %d\n%s", r.code, r.stdout)
	}
}

func newOtherKey(t *testing.T) string {
	t.Helper()
	key, err := audit.NewKey("example.com/vault", bytes.NewReader(bytes.Repeat([]byte{9}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key.Verifier()
}
