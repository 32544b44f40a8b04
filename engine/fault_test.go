package engine_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// faultyBlobs is a real store of which one step fails, before or after it has
// acted.
type faultyBlobs struct {
	*blobstore.Disk
	step    string // stage, keep, open or remove; "" lets all pass
	applied bool
	cause   error
}

func (f *faultyBlobs) fails(step string, act func() error) error {
	if f.step != step {
		return act()
	}
	if f.applied {
		act()
	}
	return f.cause
}

func (f *faultyBlobs) Stage(ctx context.Context, r io.Reader, limit int64) (staged blobstore.Staged, err error) {
	err = f.fails("stage", func() (err error) { staged, err = f.Disk.Stage(ctx, r, limit); return err })
	if err != nil {
		return nil, err
	}
	return &faultyStaged{staged, f}, nil
}

func (f *faultyBlobs) Open(d blobstore.Digest) (file io.ReadSeekCloser, err error) {
	err = f.fails("open", func() (err error) { file, err = f.Disk.Open(d); return err })
	return file, err
}

func (f *faultyBlobs) Remove(d blobstore.Digest) error {
	return f.fails("remove", func() error { return f.Disk.Remove(d) })
}

type faultyStaged struct {
	blobstore.Staged
	store *faultyBlobs
}

func (s *faultyStaged) Keep(ctx context.Context) error {
	return s.store.fails("keep", func() error { return s.Staged.Keep(ctx) })
}

// Every step of the store fails in both ways under every call that uses it.
// The caller is told, nothing of the change is there, the vault verifies, and
// the same call succeeds when the fault is gone.
func TestEveryFaultOfTheStore(t *testing.T) {
	k, blobs := faulty(t)
	d := k.Create("contract", "the first text")
	upload := func(do func(u *engine.Upload) error) error {
		u, err := k.Stage(t.Context(), newText(), 0)
		if err != nil {
			return err
		}
		defer u.Discard()
		return do(u)
	}
	calls := map[string]func() error{
		"create": func() error {
			return upload(func(u *engine.Upload) error {
				_, _, err := k.CreateDocument(t.Context(), k.Admin, engine.NewDocument{Name: "new"}, u)
				return err
			})
		},
		"version": func() error {
			return upload(func(u *engine.Upload) error {
				_, _, err := k.AddVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewVersion{}, u)
				return err
			})
		},
		"read": func() error {
			_, f, _, err := k.OpenContent(t.Context(), k.Admin, d.ID, 1)
			if err == nil {
				f.Close()
			}
			return err
		},
	}
	for _, c := range []struct{ call, step string }{
		{"create", "stage"}, {"create", "keep"}, {"version", "stage"}, {"version", "keep"}, {"read", "open"},
	} {
		for _, applied := range []bool{false, true} {
			for _, cause := range []error{syscall.EIO, blobstore.ErrNoSpace} {
				head, want := k.Head(), cause
				if cause == blobstore.ErrNoSpace && c.step != "open" {
					want = engine.ErrNoSpace
				}
				blobs.step, blobs.applied, blobs.cause = c.step, applied, cause
				if err := calls[c.call](); !errors.Is(err, want) {
					t.Errorf("%s, %s fails (applied %v): got %v, want %v", c.call, c.step, applied, err, want)
				}
				blobs.step = ""
				if k.Head() != head {
					t.Errorf("%s, %s fails (applied %v): the log moved", c.call, c.step, applied)
				}
				k.Check()
				if err := calls[c.call](); err != nil {
					t.Errorf("%s, after %s failed: %v", c.call, c.step, err)
				}
			}
		}
	}
}

// A deletion whose unlinking fails is a deletion: the bytes are litter, which
// the next Sweep removes, also after a restart.
func TestALitteringDeletion(t *testing.T) {
	for _, restart := range []bool{false, true} {
		k, blobs := faulty(t)
		d := k.Create("contract", "bytes that must go")
		digest := d.Current.Digest
		blobs.step, blobs.cause = "remove", syscall.EIO
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
		if _, err := blobs.Stat(digest); err != nil {
			t.Fatal("the fault did not bite:", err)
		}
		blobs.step = ""
		if restart {
			k.Reopen()
		}
		if _, err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := blobs.Stat(digest); !errors.Is(err, blobstore.ErrNotFound) {
			t.Errorf("restart %v: the bytes are still there: %v", restart, err)
		}
	}
}

func faulty(t *testing.T) (*enginetest.Kit, *faultyBlobs) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "blobs")
	if err := blobstore.Init(dir); err != nil {
		t.Fatal(err)
	}
	disk, err := blobstore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	blobs := &faultyBlobs{Disk: disk}
	return enginetest.NewWith(t, engine.Options{Name: "main", ReserveBytes: -1, Blobs: blobs}), blobs
}

// newText is longer than what the store holds in memory until Keep.
func newText() io.Reader { return strings.NewReader(strings.Repeat("a clause. ", 20_000)) }
