package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/client"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strongroom/engine"
	"strongroom/httpapi/cli"
)

// said is a standard error that can be waited on.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) find(r *regexp.Regexp) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return r.FindStringSubmatch(s.text.String())
}

// serveLog serves the log of a vault with some entries to all, and returns its
// address, its key, and the last checkpoint before it.
func serveLog(t *testing.T) (at *url.URL, log note.Verifier, before tlog.Tree) {
	t.Helper()
	data := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		var out bytes.Buffer
		p := cli.Program{Stdin: &bytes.Buffer{}, Stdout: &out, Stderr: &out, Env: func(string) string { return "" }}
		if p.Run(t.Context(), append(args, "--data", data)) != 0 {
			t.Fatal(out.String())
		}
	}
	run("init")
	v, err := engine.Open(filepath.Join(data, "vaults", "main"), engine.Options{Name: "main", Origin: "interop.example/log/main"})
	must(t, err)
	for i := range 600 {
		_, _, err := v.CreateUser(t.Context(), engine.Operator(), engine.NewUser{Name: fmt.Sprint("user ", i), Access: engine.AccessView})
		must(t, err)
		if i == 300 {
			c, err := v.Checkpoint(t.Context())
			must(t, err)
			before = tlog.Tree{N: c.Size, Hash: c.Root}
		}
	}
	c, err := v.Checkpoint(t.Context())
	must(t, err)
	log, err = note.NewVerifier(c.Verifier)
	must(t, err)
	must(t, v.Close())

	ctx, cancel := context.WithCancel(context.Background())
	stderr, ended := &said{}, make(chan struct{})
	go func() {
		defer close(ended)
		p := cli.Program{Stdin: &bytes.Buffer{}, Stdout: io.Discard, Stderr: stderr, Env: func(string) string { return "" }}
		p.Run(ctx, []string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--public-log", "main", "--public-entries", "--origin", "interop.example/log", "--search=false", "--pdf=off"})
	}()
	t.Cleanup(func() { cancel(); <-ended })
	listening := regexp.MustCompile(`listening on (\S+)\n`)
	for {
		if found := stderr.find(listening); found != nil {
			at, err = url.Parse(found[1] + "/log/main/")
			must(t, err)
			return at, log, before
		}
		select {
		case <-ended:
			t.Fatal(stderr.text.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// Tessera's client reads our checkpoint and our tiles, and proves from them that
// every entry is there, and that the log grew.
func TestTesseraReadsOurTiles(t *testing.T) {
	at, log, before := serveLog(t)
	ctx := t.Context()
	fetch, err := client.NewHTTPFetcher(at, http.DefaultClient)
	must(t, err)
	c, _, _, err := client.FetchCheckpoint(ctx, fetch.ReadCheckpoint, log, log.Name())
	must(t, err)
	if c.Size < 600 {
		t.Fatalf("the checkpoint has %d entries", c.Size)
	}
	prove, err := client.NewProofBuilder(ctx, c.Size, fetch.ReadTile)
	must(t, err)
	grew, err := prove.ConsistencyProof(ctx, uint64(before.N), c.Size)
	must(t, err)
	must(t, proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(before.N), c.Size, grew, before.Hash[:], c.Hash))
	for i := uint64(0); i < c.Size; i++ {
		bundle, err := client.GetEntryBundle(ctx, fetch.ReadEntryBundle, i/256, c.Size)
		must(t, err)
		path, err := prove.InclusionProof(ctx, i)
		must(t, err)
		leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[i%256])
		must(t, proof.VerifyInclusion(rfc6962.DefaultHasher, i, c.Size, leaf, path, c.Hash))
	}

	// And torchwood's, which checks each entry against the tree by itself.
	tiles, err := torchwood.NewTileFetcher(at.String())
	must(t, err)
	reader, err := torchwood.NewClient(tiles)
	must(t, err)
	n := uint64(0)
	for i, entry := range reader.Entries(ctx, tlog.Tree{N: int64(c.Size), Hash: tlog.Hash(c.Hash)}, 0) {
		if !bytes.HasPrefix(entry, fmt.Appendf(nil, `{"seq":%d,`, i+1)) {
			t.Fatalf("entry %d is %s", i, entry)
		}
		n++
	}
	if err := reader.Err(); err != nil || n == 0 || n > c.Size {
		t.Errorf("torchwood reads %d of %d entries, %v", n, c.Size, err)
	}
}
