package daemon

import (
	"context"
	"fmt"
	"os"
	"time"

	"strongroom/audit"
	"strongroom/blobstore/s3"
	"strongroom/engine/cluster"
	"strongroom/httpapi/datadir"
)

// RestoreFrom makes a vault of the data directory as it was in the store at an instant,
// zero for now, and returns the head of its log. There must be none of that name. said
// is told what a person should know.
func (o Options) RestoreFrom(ctx context.Context, name string, instant time.Time, said func(string)) (audit.Head, error) {
	at := o.Place
	at.Vault = name
	if _, err := os.Lstat(at.Dir()); err == nil {
		return audit.Head{}, fmt.Errorf("vault %q: %s is there already; give another --data, or move it away", name, at.Dir())
	}
	if err := o.Store.sameBucket(ctx, name); err != nil {
		return audit.Head{}, err
	}
	if err := datadir.MakeVaultsDir(at.Data); err != nil {
		return audit.Head{}, err
	}
	// Copies of the bytes, beside what is made; a vault cannot have that name.
	aside, err := os.MkdirTemp(datadir.VaultsDir(at.Data), ".new-")
	if err != nil {
		return audit.Head{}, err
	}
	defer os.RemoveAll(aside)
	objects := o.Store.of(name)
	kept := o.Store.blobsOf(name)
	kept.Dir, kept.CacheBytes = aside, -1
	blobs, err := s3.OpenBlobs(kept)
	if err != nil {
		return audit.Head{}, err
	}
	loan := datadir.BorrowLike(at)
	err = cluster.Restore(ctx, cluster.Config{
		Objects: objects, Dir: at.Dir(), Server: o.Store.Server, Options: at.Options(), Blobs: blobs, SealKey: o.Store.Key, History: o.Store.History,
		Log: func(format string, args ...any) { said(fmt.Sprintf(format, args...)) },
	}, instant)
	if err == nil && loan != nil {
		err = loan.Return()
	}
	if err != nil {
		return audit.Head{}, fmt.Errorf("vault %q: %w", name, err)
	}
	v, err := datadir.Open(at)
	if err != nil {
		return audit.Head{}, err
	}
	return v.Head(), v.Close()
}
