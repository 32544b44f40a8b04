package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// CodeBackup is the code of a finding about a file of a backup itself.
const CodeBackup audit.Code = "backup"

// VerifyBackup holds the backup in a directory to what Verify holds a vault to, and
// to its manifest. It writes nothing there, so the medium may be read-only. A database
// in parts, or of an earlier format, is put together in a temporary directory of the
// system for as long as this takes. ErrNoBackup, ErrFormat, ErrNoSpace; what is
// damaged is a finding.
func VerifyBackup(ctx context.Context, from string, o VerifyOptions) (report VerifyReport, b Backup, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	if b, err = ReadBackup(from); err != nil {
		return VerifyReport{}, Backup{}, err
	}
	fail := func(err error) (VerifyReport, Backup, error) {
		return VerifyReport{}, b, fmt.Errorf("verify the backup in %s: %w", from, err)
	}
	archive := blobstore.NewArchive(from, backupCut)
	found, err := damagedParts(ctx, from, b.Database)
	if err != nil {
		return fail(err)
	}
	if len(found) > 0 {
		report = VerifyReport{Head: b.Head, Findings: found}
		if o.Bytes {
			err = report.bytesAlone(ctx, archive)
		}
		return report, b, err
	}
	v, err := openBackup(ctx, from, b, archive)
	if err != nil {
		return fail(err)
	}
	o.Heads = append(o.Heads[:len(o.Heads):len(o.Heads)], b.Head)
	if report, err = v.Verify(ctx, o); err == nil && !v.migrated {
		report.compare(b, v.ID())
	}
	if err := errors.Join(err, v.close()); err != nil {
		return fail(err)
	}
	return report, b, nil
}

// damagedParts reads the files of the database.
func damagedParts(ctx context.Context, from string, parts []blobstore.Part) (found []audit.Finding, err error) {
	for _, p := range parts {
		err := joinPart(ctx, filepath.Join(from, p.File), p, io.Discard)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			found = append(found, audit.Finding{Code: CodeBackup, Message: "the database: " + err.Error()})
		}
	}
	return found, nil
}

// bytesAlone reads the blobs of a backup whose database cannot say whose they are.
func (r *VerifyReport) bytesAlone(ctx context.Context, archive *blobstore.Archive) error {
	return archive.Each(ctx, func(d Digest, _ int64) error {
		_, err := archive.Check(ctx, d)
		if err != nil && len(r.Findings) < maxFindings {
			r.Findings = append(r.Findings, audit.Finding{Code: CodeBlob, Message: err.Error()})
		}
		r.Blobs++
		return ctx.Err()
	})
}

// compare holds a manifest to the database.
func (r *VerifyReport) compare(b Backup, vault string) {
	if b.VaultID != vault {
		r.Findings = append(r.Findings, audit.Finding{Code: CodeBackup,
			Message: fmt.Sprintf("the manifest is of vault %s, the database of %s", b.VaultID, vault)})
	}
	if b.Head.Seq < r.Head.Seq {
		r.Findings = append(r.Findings, audit.Finding{Code: CodeBackup,
			Message: fmt.Sprintf("the manifest says that the log ends at entry %d, it ends at %d", b.Head.Seq, r.Head.Seq)})
	}
}

// openBackup opens the database of a backup where it lies, if that can be.
func openBackup(ctx context.Context, from string, b Backup, archive *blobstore.Archive) (*copiedVault, error) {
	if len(b.Database) == 1 {
		v, err := openCopy(filepath.Join(from, b.Database[0].File), archive)
		if !errors.Is(err, store.ErrEarlier) {
			return v, err
		}
	}
	dir, err := os.MkdirTemp("", "strongroom-verify-")
	if err != nil {
		return nil, err
	}
	size := databaseSize(b.Database)
	if err = store.Room(dir, 2*size, 0); err == nil { // a migration keeps what was before
		err = joinParts(ctx, from, b.Database, filepath.Join(dir, fileDB))
	}
	var v *Vault
	if err == nil {
		v, err = Open(dir, Options{Name: b.Vault, AllowNetworkFS: true, ReserveBytes: -1, Blobs: archived{archive}})
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("put the database together in %s (TMPDIR names another place): %w", dir, err), os.RemoveAll(dir))
	}
	return &copiedVault{Vault: v, scratch: dir, migrated: true}, nil
}
