// Package clustertest opens vaults that live in a store of objects, for tests, of this
// project and of programs that embed it. What enginetest says holds for these too, and
// each is found whole when its test ends by a server that has nothing of it but the store:
//
//	func TestMine(t *testing.T) {
//		kit, _ := clustertest.New(t, cluster.Config{Objects: object.NewMemory()})
//		doc := kit.Create("contract.txt", "the text")
//		…
//	}
package clustertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/blobstore/s3"
	"strongroom/engine"
	"strongroom/engine/cluster"
	"strongroom/engine/enginetest"
)

// BytesDir is the directory, in that of a kit, of copies of blobs and of those on
// their way in.
const BytesDir = "bytes"

// Home is the server that owns a vault in a store: the host of its kit.
type Home struct {
	Config cluster.Config
	Member *cluster.Member // nil: it is closed
	head   audit.Head      // when it was closed
}

// New makes a vault in c.Objects, and opens it as its owner. The bytes are there as
// well. Of c, what is zero and a test needs is set. The vault is verified and closed when the
// test ends, and then once more without what is on this disk.
func New(tb testing.TB, c cluster.Config) (*enginetest.Kit, *Home) {
	tb.Helper()
	if c.Dir == "" {
		c.Dir = filepath.Join(tb.TempDir(), "vault")
	}
	if c.Server == "" {
		c.Server = "test"
	}
	if c.Options.Name == "" {
		c.Options.Name, c.Options.ReserveBytes = "main", -1
	}
	if c.SealKey == nil {
		c.SealKey = &[32]byte{1, 2, 3}
	}
	h := &Home{Config: c}
	if err := h.create(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := h.recovers(); err != nil && !tb.Failed() {
			tb.Errorf("what the store has of the vault: %v", err)
		}
	})
	return enginetest.NewOn(tb, h, c.Dir, c.Options), h
}

func (h *Home) create(ctx context.Context) error {
	blobs, err := h.blobs()
	if err != nil {
		return err
	}
	o := h.Config.Options
	o.Blobs = struct{ engine.BlobStore }{blobs}
	v, err := engine.Create(h.Config.Dir, o)
	if err != nil {
		return err
	}
	if err := v.Close(); err != nil {
		return err
	}
	c := h.Config
	c.Blobs = blobs
	return cluster.Init(ctx, c)
}

func (h *Home) blobs() (*s3.Blobs, error) {
	return s3.OpenBlobs(s3.BlobsConfig{Store: h.Config.Objects, Dir: filepath.Join(h.Config.Dir, BytesDir)})
}

// Open joins as the owner.
func (h *Home) Open() (*engine.Vault, error) {
	ctx := context.Background() // a kit is opened again when its test ends
	blobs, err := h.blobs()
	if err != nil {
		return nil, err
	}
	c := h.Config
	c.Blobs = blobs
	m, err := cluster.Join(ctx, c)
	if err != nil {
		return nil, err
	}
	if m.Role() != cluster.Owner {
		return nil, errors.Join(fmt.Errorf("%s owns the vault", m.Status().Server), m.Close(ctx))
	}
	v := m.Vault()
	blobs.SetLive(func(d blobstore.Digest) bool {
		needed, err := v.Needs(d)
		return err == nil && needed
	})
	h.Member = m
	return v, nil
}

// Close closes the vault, and gives it up.
func (h *Home) Close() error {
	if h.Member == nil {
		return nil
	}
	h.head = h.Member.Vault().Head()
	err := h.Member.Close(context.Background())
	h.Member = nil
	return err
}

// Clean waits until nothing of what was erased lies in the store. The owner looks every
// ten seconds.
func (h *Home) Clean(ctx context.Context) error {
	for h.Member.Status().Clean < h.Member.Vault().Wiped() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// recovers opens the vault on a disk that has nothing of it, and verifies all of it.
func (h *Home) recovers() error {
	if err := errors.Join(h.Close(), os.RemoveAll(h.Config.Dir)); err != nil {
		return err
	}
	v, err := h.Open()
	if err != nil {
		return err
	}
	if is := v.Head(); is != h.head {
		err = fmt.Errorf("the log ends with %v there, and ended with %v here", is, h.head)
	}
	report, failed := v.Verify(context.Background(), engine.VerifyOptions{Bytes: true})
	err = errors.Join(err, failed)
	for _, f := range report.Findings {
		err = errors.Join(err, fmt.Errorf("verify: entry %d: %s: %s", f.Seq, f.Code, f.Message))
	}
	return errors.Join(err, h.Close())
}
