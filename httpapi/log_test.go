package httpapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strongroom/audit"
	"strongroom/engine"
)

// tileClient reads a log as a stranger does, with the library's own client.
type tileClient struct {
	k           *kit
	key, prefix string
	height      int
}

func (c *tileClient) Height() int                     { return c.height }
func (c *tileClient) SaveTiles([]tlog.Tile, [][]byte) {}
func (c *tileClient) get(path string) (int, string) {
	a, body := c.k.do(c.key, "GET", c.prefix+path, nil)
	return a.StatusCode, body
}

func (c *tileClient) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		status, body := c.get(strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", c.height), "tile/", 1))
		if status != 200 {
			return nil, fmt.Errorf("%s: %d %s", tile.Path(), status, body)
		}
		data = append(data, []byte(body))
	}
	return data, nil
}

// A client of others reads checkpoint, tiles and lines, with a token or, where the log
// stands open, without one, and finds every entry in the tree that was signed.
func TestTheLogIsATiledLog(t *testing.T) {
	k := newKit(t, Options{PublicLogs: []string{"main"}, PublicEntries: true})
	main := k.vaults["main"]
	for i := range 300 { // more than a tile
		if _, _, err := main.CreateUser(t.Context(), main.Admin, engine.NewUser{Name: fmt.Sprint("User ", i), Access: engine.AccessView}); err != nil {
			t.Fatal(err)
		}
	}
	public := &tileClient{k, "", "/log/main/", 8}
	if status, body := public.get("checkpoint"); status != 404 || !strings.Contains(body, "CHECKPOINT_NOT_FOUND") {
		t.Errorf("before anybody asked: %d %s", status, body)
	}
	if status, body := public.get("tile/0/000"); status != 404 || !strings.Contains(body, "TILE_NOT_FOUND") {
		t.Errorf("before anybody asked: %d %s", status, body)
	}
	var key LogKey
	_, body := k.do("view", "GET", "/v1/log/key", nil)
	if err := json.Unmarshal([]byte(body), &key); err != nil {
		t.Fatal(err, body)
	}
	verifier, err := note.NewVerifier(key.VKey)
	if err != nil || verifier.Name() != key.Origin {
		t.Fatal(err, key)
	}
	for _, c := range []*tileClient{{k, "view", "/v1/log/", 8}, public} {
		_, signed := c.get("checkpoint")
		n, err := note.Open([]byte(signed), note.VerifierList(verifier))
		if err != nil {
			t.Fatal(err, signed)
		}
		checkpoint, err := audit.ParseCheckpoint(n.Text)
		if err != nil || checkpoint.Origin != key.Origin || checkpoint.Size < 300 {
			t.Fatal(err, checkpoint)
		}
		tree := tlog.Tree{N: checkpoint.Size, Hash: checkpoint.Root}
		hashes := tlog.TileHashReader(tree, c)
		if root, err := tlog.TreeHash(tree.N, hashes); err != nil || root != tree.Hash {
			t.Fatal(err, root)
		}
		for i := int64(0); i < tree.N; i++ {
			if i%256 == 0 {
				path := fmt.Sprintf("tile/entries/%03d", i/256)
				if left := tree.N - i; left < 256 {
					path += fmt.Sprintf(".p/%d", left)
				}
				var status int
				if status, body = c.get(path); status != 200 {
					t.Fatal(path, status, body)
				}
			}
			size := 2 + int(binary.BigEndian.Uint16([]byte(body)))
			line := body[2:size]
			body = body[size:]
			is, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, i)})
			if err != nil || is[0] != tlog.RecordHash([]byte(line)) {
				t.Fatalf("entry %d: %v %s", i+1, err, line)
			}
		}
		for _, path := range []string{"tile/0/00", "tile/0/0000", "tile/00/000", "tile/0/x000/000", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/001", "tile/1/000", "tile/8/000", "tile/64/000",
			"tile/0/x001", "tile/0/", "tile/entries/001", "tile/entries/000.p/257", "tile/-1/000", "tile/0/-01", "tile/0/000.p/1/1", "tile/entries/x999/x999/x999/x999/x999/x999/999"} {
			if status, body := c.get(path); status != 404 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
	}
	if a, _ := k.do("", "GET", "/log/other/checkpoint", nil); a.StatusCode != 404 {
		t.Errorf("another vault's log: %d", a.StatusCode)
	}
	if a, _ := k.do("", "GET", "/v1/log/checkpoint", nil); a.StatusCode != 401 {
		t.Errorf("without a key: %d", a.StatusCode)
	}
}

// Lines stand open only where that was asked for, and no log does unasked.
func TestLinesAreNotPublicUnasked(t *testing.T) {
	k := newKit(t, Options{PublicLogs: []string{"main"}})
	k.do("view", "GET", "/v1/log/checkpoint", nil)
	for path, want := range map[string]int{"/log/main/checkpoint": 200, "/log/main/tile/0/000.p/1": 200, "/log/main/tile/entries/000.p/1": 404} {
		if a, body := k.do("", "GET", path, nil); a.StatusCode != want {
			t.Errorf("%s: %d %s", path, a.StatusCode, body)
		}
	}
	k = newKit(t, Options{})
	if a, _ := k.do("", "GET", "/log/main/checkpoint", nil); a.StatusCode != 404 {
		t.Errorf("no log is public: %d", a.StatusCode)
	}
}

// A proof is checked with the key alone.
func TestProofs(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	d := main.Create("lease.txt", "lease")
	main.AddText(d.ID, "another")
	key, err := main.LogKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	policy, err := audit.PolicyOf(key.Verifier)
	if err != nil {
		t.Fatal(err)
	}
	for path, number := range map[string]uint64{"/v1/documents/" + d.ID + "/versions/1/proof": 1, "/v1/documents/" + d.ID + "/versions/2/proof": 2,
		fmt.Sprintf("/v1/audit/entries/%d/proof", d.AuditSeq): 1} {
		a, body := k.do("view", "GET", path, nil)
		proof, err := audit.ParseProof([]byte(body))
		if err != nil {
			t.Fatal(path, err, body)
		}
		proved, err := proof.Verify(policy)
		if err != nil || proved.Entry.Document != d.ID || proved.Entry.Version != number {
			t.Errorf("%s: %+v %v", path, proved.Entry, err)
		}
		if says := a.Header.Get("Content-Disposition"); !strings.Contains(says, ".tlog-proof") {
			t.Errorf("%s: %s", path, says)
		}
	}
	for path, code := range map[string]string{"/v1/documents/" + d.ID + "/versions/3/proof": "VERSION_NOT_FOUND", "/v1/audit/entries/999/proof": "ENTRY_NOT_FOUND",
		"/v1/audit/entries/01/proof": "ENTRY_NOT_FOUND", "/v1/documents/" + engine.NewID() + "/versions/1/proof": "DOCUMENT_NOT_FOUND"} {
		if a, body := k.do("view", "GET", path, nil); a.StatusCode != 404 || !strings.Contains(body, code) {
			t.Errorf("%s: %d %s", path, a.StatusCode, body)
		}
	}
	// The log does not grow by the proofs of its newest checkpoint.
	for status := 0; status != 404; {
		head := main.Head().Seq
		a, body := k.do("view", "GET", fmt.Sprintf("/v1/audit/entries/%d/proof", head), nil)
		if status = a.StatusCode; status == 404 && !strings.Contains(body, "CHECKPOINT_NOT_FOUND") || head > uint64(d.AuditSeq)+9 {
			t.Fatal(status, head, body)
		}
	}
}

// The report's digest is that of its bytes as they are answered, and is what is signed.
func TestIntegrityReport(t *testing.T) {
	k := newKit(t, Options{})
	main := k.vaults["main"]
	d := main.CreateFrom(engine.NewDocument{Name: "lease <a> & \u00e4"}, "lease")
	a, body := k.do("view", "GET", "/v1/documents/"+d.ID+"/integrity-report", nil)
	if a.StatusCode != 200 {
		t.Fatal(a.StatusCode, body)
	}
	var r IntegrityReport
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(body, `"report":`)
	exact := after[:strings.LastIndex(after, `,"digest":`)]
	sum := sha256.Sum256([]byte(exact))
	if r.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
		t.Errorf("%s is not that of %s", r.Digest, exact)
	}
	key, err := main.LogKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text, err := audit.OpenText([]byte(r.Signature), key.Verifier)
	if err != nil || !strings.Contains(text, d.ID+"\n") || !strings.HasSuffix(text, "\n"+r.Digest+"\n") {
		t.Errorf("%v: %s", err, text)
	}
}
