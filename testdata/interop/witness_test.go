// Package interop lets programs of others check what this one says, and the other way
// round. It is a module of its own, so that what they bring stays out of ours.
package interop

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/rs/zerolog"
	formats "github.com/transparency-dev/formats/note"
	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"strongroom/audit"
	"strongroom/httpapi/witness"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKey(t testing.TB) audit.Key {
	t.Helper()
	key, err := audit.NewKey("strongroom.example/log", rand.Reader)
	must(t, err)
	return key
}

// serve is a witness of the logs with these keys, and where to ask it.
func serve(t testing.TB, vkeys ...string) (vkey, url string) {
	t.Helper()
	var text strings.Builder
	for _, vkey := range vkeys {
		fmt.Fprintf(&text, "log %s\n", vkey)
	}
	logs, err := audit.ParsePolicy(text.String() + "quorum none\n")
	must(t, err)
	w, err := witness.Open(t.TempDir(), logs)
	must(t, err)
	server := httptest.NewServer(witness.NewServer(w, zerolog.Nop()))
	t.Cleanup(server.Close)
	return w.Verifier(), server.URL + "/witness"
}

// A log of Tessera's, with its own storage and its own client of witnesses, is
// witnessed by us, and grows.
func TestWeWitnessATesseraLog(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	skey, vkey, err := note.GenerateKey(rand.Reader, "tessera.example/log")
	must(t, err)
	signer, err := note.NewSigner(skey)
	must(t, err)
	wkey, url := serve(t, vkey)
	policy := fmt.Sprintf("log %s\nwitness strongroom %s %s\nquorum strongroom\n", vkey, wkey, url)
	witnesses, err := tessera.NewWitnessGroupFromPolicy([]byte(policy))
	must(t, err)
	driver, err := posix.New(ctx, posix.Config{Path: t.TempDir()})
	must(t, err)
	appender, shutdown, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).WithCheckpointInterval(200*time.Millisecond).WithBatching(1, 10*time.Millisecond).
		WithWitnesses(witnesses, &tessera.WitnessOptions{FailOpen: false}))
	must(t, err)
	believing, err := audit.ParsePolicy(policy)
	must(t, err)
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 20*time.Millisecond)
	for i := range 4 {
		_, published, err := awaiter.Await(ctx, appender.Add(ctx, tessera.NewEntry(fmt.Appendf(nil, "entry %d", i))))
		must(t, err)
		// What Tessera published, our policy believes.
		o, err := believing.Open(published)
		if err != nil || len(o.Witnesses) != 1 || o.Checkpoint.Size < int64(i)+1 {
			t.Errorf("%+v, %v", o, err)
		}
		// And so does theirs.
		if !witnesses.Satisfied(published) {
			t.Errorf("Tessera does not believe\n%s", published)
		}
	}
	must(t, shutdown(ctx))
}

// Their verifiers read our keys, checkpoints and cosignatures.
func TestOthersReadWhatWeSign(t *testing.T) {
	key := newKey(t)
	w, err := audit.NewWitnessKey("strongroom.example/witness", rand.Reader)
	must(t, err)
	c := audit.Checkpoint{Origin: key.Name(), Size: 7, Root: audit.LeafHash([]byte("x"))}
	signed, err := key.Sign(c)
	must(t, err)
	at := time.Now().Truncate(time.Second)
	line, err := w.Cosign(c, at)
	must(t, err)
	signed, err = audit.AddSignatures(signed, line)
	must(t, err)

	log, err := note.NewVerifier(key.Verifier())
	must(t, err)
	theirs, err := formats.NewVerifierForCosignatureV1(w.Verifier())
	must(t, err)
	n, err := note.Open(signed, note.VerifierList(log, theirs))
	must(t, err)
	if len(n.Sigs) != 2 || len(n.UnverifiedSigs) != 0 {
		t.Errorf("%d signatures are read, %d are not", len(n.Sigs), len(n.UnverifiedSigs))
	}
	read, err := torchwood.ParseCheckpoint(n.Text)
	if err != nil || read.Origin != c.Origin || read.N != c.Size || read.Hash != c.Root {
		t.Errorf("torchwood reads %+v, %v", read, err)
	}
	for _, s := range n.Sigs {
		if s.Name == w.Name() {
			if seconds, err := torchwood.CosignatureTimestamp(s); err != nil || seconds != at.Unix() {
				t.Errorf("torchwood reads the time %d, %v", seconds, err)
			}
		}
	}
	// Their signer reads our key file.
	signer, err := note.NewSigner(strings.TrimSpace(string(key.Marshal())))
	must(t, err)
	again, err := note.Sign(&note.Note{Text: c.Text()}, signer)
	if err != nil || !bytes.HasPrefix(signed, again) {
		t.Errorf("sumdb/note signs otherwise: %s, %v", again, err)
	}
}

// We read what torchwood cosigns.
func TestWeReadWhatTorchwoodSigns(t *testing.T) {
	key := newKey(t)
	_, private, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	signer, err := torchwood.NewCosignatureSigner("torchwood.example/witness", private)
	must(t, err)
	c := audit.Checkpoint{Origin: key.Name(), Size: 7, Root: audit.LeafHash([]byte("x"))}
	signed, err := key.Sign(c)
	must(t, err)
	log, err := note.NewVerifier(key.Verifier())
	must(t, err)
	n, err := note.Open(signed, note.VerifierList(log))
	must(t, err)
	both, err := note.Sign(n, signer)
	must(t, err)
	policy, err := audit.ParsePolicy(fmt.Sprintf("log %s\nwitness t %s\nquorum t\n", key.Verifier(), signer.Verifier()))
	must(t, err)
	o, err := policy.Open(both)
	if err != nil || len(o.Witnesses) != 1 || time.Since(o.Witnesses[0].Time) > time.Minute {
		t.Errorf("%+v, %v", o, err)
	}
}

// A proof of ours is checked by their mathematics, for every entry of every size up
// to some.
func TestOthersCheckOurProofs(t *testing.T) {
	key := newKey(t)
	var edge audit.Edge
	var stored []audit.TreeHash
	read := tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(at))
		for i, n := range at {
			hashes[i] = stored[n]
		}
		return hashes, nil
	})
	var head audit.Head
	var lines [][]byte
	for i := range 40 {
		event := audit.Event{Op: audit.OpAuditExported, Facts: audit.Facts{"after": audit.Number(0), "through": audit.Number(uint64(i))}}
		if i == 0 {
			event = audit.Event{Op: audit.OpVaultCreated, Facts: audit.Facts{"vault": audit.Text("01JD6QGZ3MZ4Y8T6V1E9B7K2RW"), "format": audit.Number(1)}}
		}
		line, next, err := head.Next(audit.Stamp{Time: time.UnixMilli(int64(i) + 1).UTC(), Actor: "operator"}, event, audit.Hash{})
		must(t, err)
		head, lines = next, append(lines, line)
		stored = edge.Append(stored, line)
		c := audit.Checkpoint{Origin: key.Name(), Size: edge.Size(), Root: edge.Root()}
		signed, err := key.Sign(c)
		must(t, err)
		for _, line := range lines {
			p, err := audit.MakeProof(line, signed, read)
			must(t, err)
			checkInclusion(t, c, p)
		}
	}
}
