package engine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// BackupOptions of Backup.
type BackupOptions struct {
	// To is the directory the backup is to be, below one that exists. If it
	// holds an earlier backup of this vault, only what is new is copied.
	To string
	// Cut is the size, in bytes, of the longest file; 0 is 2 GiB, which every
	// file system can hold.
	Cut int64
	// Recheck is the share, up to 1, of the files carried over from the earlier backup
	// that are read again, those that were read longest ago first; 0 is a tenth,
	// negative none.
	Recheck float64
	// SignKey takes the key that checkpoints are signed with along, as sign.key in the
	// clear: a vault restored from the backup signs with it, under another origin. A
	// later backup without it removes it.
	SignKey  bool
	Progress func(done, total int64) // bytes; nil: none
}

// BackupReport is what a backup holds, and what it took to bring it there.
type BackupReport struct {
	Backup
	Documents, Versions uint64
	CopiedBlobs         uint64
	CopiedBytes         int64         // the database, and the blobs that were not there
	RemovedBlobs        uint64        // of the earlier backup, which nothing needs any more
	Reread              uint64        // files carried over that were read again
	Mended              uint64        // of those that were damaged there, and were copied again
	Damaged             []DamagedFile // here or there, in order; the first 10,000
	DamagedFiles        uint64        // in all
}

const (
	backupCut  = 2 << 30
	dirPartial = ".partial" // beside a backup that is being made for the first time
)

// Backup copies the vault as it is at one instant, while it is in use: its
// database and every blob that names, checked with Verify before it counts. No
// writer waits for it longer than for a neighbour's commit. The entry
// backup.completed is written after it counts. It needs admin access. Backups of
// one vault wait for one another.
//
// A first backup is made in To.partial, which is renamed when it is whole. A
// later one adds to the earlier, whose files are left alone until the manifest
// of the new one has taken the place of the old: that one rename is when it
// counts, so a crash leaves the old backup or the new. What only the old one
// named is removed after. A backup that did not come to its end is gone on with
// by the next: blobs that are there are not copied again.
//
// Of the files carried over from the earlier backup a share is read again. One that is
// damaged there is copied again from the vault; one that is damaged in the vault stays
// as the earlier backup has it; what neither has is missing in this one, and in its
// manifest. The rest is backed up and counts, and *DamagedError names what was damaged,
// beside the report.
//
// lock.key, sign.key unless it is asked for, and derived files are not in it.
// *InvalidError if To cannot be a backup of this vault, and ErrNoSpace.
func (v *Vault) Backup(ctx context.Context, actor Actor, o BackupOptions) (report BackupReport, receipt Receipt, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	if err := v.mayBackup(actor); err != nil {
		return BackupReport{}, Receipt{}, err
	}
	select {
	case v.backing <- struct{}{}:
		defer func() { <-v.backing }()
	case <-ctx.Done():
		return BackupReport{}, Receipt{}, ctx.Err()
	}
	if o.Cut == 0 {
		o.Cut = backupCut
	}
	b := &backup{v: v, ctx: ctx, o: o}
	if err := b.run(); err != nil {
		return BackupReport{}, Receipt{}, fmt.Errorf("back up to %s: %w", o.To, err)
	}
	receipt, err = v.recordBackup(ctx, actor, b.report.Backup, o.To)
	if err != nil {
		err = fmt.Errorf("the backup in %s counts, but its entry could not be written: %w", o.To, err)
	}
	return b.report, receipt, errors.Join(err, b.damaged())
}

func (v *Vault) mayBackup(actor Actor) error {
	_, err := view(v, func(t *tx) (struct{}, error) {
		if err := t.admit(actor); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, t.may(AccessAdmin)
	})
	return err
}

func (v *Vault) recordBackup(ctx context.Context, actor Actor, made Backup, to string) (Receipt, error) {
	_, receipt, err := update(v, context.WithoutCancel(ctx), actor, func(t *tx) (struct{}, audit.Event, error) {
		if err := t.may(AccessAdmin); err != nil {
			return struct{}{}, audit.Event{}, err
		}
		t.Note()
		facts := audit.Facts{
			"blobs": audit.Number(made.Blobs), "bytes": audit.Number(uint64(made.Bytes)),
			"head": audit.Text(made.Head.Hash.String()), "seq": audit.Number(made.Head.Seq),
		}
		if made.Lost > 0 {
			facts["missing"] = audit.Number(made.Lost)
		}
		return struct{}{}, audit.Event{Op: audit.OpBackupCompleted, Facts: facts, Detail: encodeDetail(map[string]any{"to": to})}, nil
	})
	return receipt, err
}

// backup is one on its way.
type backup struct {
	v       *Vault
	ctx     context.Context // of the call
	o       BackupOptions
	dir     string  // where it is written: To, or To.partial
	earlier *Backup // what To holds; nil: nothing
	archive *blobstore.Archive
	parts   []blobstore.Part // of the database
	report  BackupReport
	done    int64 // bytes, of total
	total   int64
	copied  *copiedVault    // while blobs are brought in
	reads   readRows        // when those that the backup has were last read
	lost    map[Digest]bool // those that neither has
}

func (b *backup) run() (err error) {
	if err := b.place(); err != nil {
		return err
	}
	if err := b.sweep(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.sweep()) // blobs stay, for the next to go on with
		}
	}()
	// Before the copy's instant, so that nothing it names is unlinked after.
	b.v.pins.begin()
	defer func() { b.v.purge(context.WithoutCancel(b.ctx), b.v.pins.end()...) }()
	if err := b.database(); err != nil {
		return err
	}
	copied, err := b.open()
	if err != nil {
		return fmt.Errorf("open the copied database: %w", err)
	}
	err = b.blobs(copied)
	if err == nil {
		err = b.verify(copied)
	}
	if err := errors.Join(err, copied.close()); err != nil {
		return err
	}
	return b.count()
}

// place decides where the backup is written, and refuses what is none of its
// own.
func (b *backup) place() error {
	to, err := filepath.Abs(b.o.To)
	if err != nil || b.o.To == "" {
		return invalid("to", "must be a directory, %q is none", b.o.To)
	}
	b.o.To = to
	if inside(b.v.dir, to) {
		return invalid("to", "%s is within the vault itself", to)
	}
	if _, err := os.Stat(filepath.Dir(to)); err != nil {
		return invalid("to", "%s is not there: is the medium mounted?", filepath.Dir(to))
	}
	earlier, err := ReadBackup(to)
	switch {
	case err == nil && earlier.VaultID != b.v.ID():
		return invalid("to", "%s is a backup of another vault, %s (%s)", to, earlier.Vault, earlier.VaultID)
	case err == nil:
		b.dir, b.earlier = to, &earlier
	case errors.Is(err, ErrNoBackup):
		if !makeRoom(to) {
			return invalid("to", "%s holds something that is no backup; give a directory that is empty or not there", to)
		}
		b.dir = to + dirPartial
	default:
		return err
	}
	if err := os.Mkdir(b.dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	if err := b.ours(); err != nil {
		return err
	}
	b.archive = blobstore.NewArchive(b.dir, b.o.Cut)
	return nil
}

// ours refuses a directory that somebody else has laid in our way: a link, or one
// whose owner could put links into it.
func (b *backup) ours() error {
	info, err := os.Lstat(b.dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return invalid("to", "%s is no directory; remove it, or give another one", b.dir)
	}
	var above, vault os.FileInfo
	if above, err = os.Stat(filepath.Dir(b.dir)); err == nil {
		vault, err = os.Stat(b.v.dir)
	}
	if err != nil {
		return err
	}
	if !store.OwnedLike(info, above, vault) {
		return invalid("to", "%s belongs to another user, who could make us write elsewhere; remove it, or give another directory", b.dir)
	}
	return nil
}

// makeRoom removes an empty directory, and says whether nothing is at path then.
func makeRoom(path string) bool {
	info, err := os.Lstat(path)
	if err == nil && info.IsDir() {
		err = os.Remove(path)
		return err == nil
	}
	return errors.Is(err, os.ErrNotExist)
}

// inside says whether path is dir or lies below it.
func inside(dir, path string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// sweep removes copies of the database that do not count, and what a crash left
// on its way in.
func (b *backup) sweep() error {
	entries, err := os.ReadDir(b.dir)
	errs := []error{err, b.archive.Sweep()}
	for _, entry := range entries {
		counts := func(p blobstore.Part) bool { return p.File == entry.Name() }
		if !strings.HasPrefix(entry.Name(), databasePrefix) || b.earlier != nil && slices.ContainsFunc(b.earlier.Database, counts) {
			continue
		}
		errs = append(errs, os.Remove(filepath.Join(b.dir, entry.Name())))
	}
	return errors.Join(errs...)
}

// database copies rows.db as one instant sees it. The transaction pins the
// pages that are freed meanwhile, so this comes first and does nothing else.
func (b *backup) database() error {
	return b.v.store.Snapshot(func(s store.Snapshot) (err error) {
		b.report.Head, b.total = s.Head, s.Size
		if err := store.Room(b.dir, s.Size, 0); err != nil {
			return err
		}
		b.parts, err = b.archive.WriteFile(databaseName(), func(w io.Writer) error {
			wide := bufio.NewWriterSize(&watched{w, b}, 1<<20)
			_, err := s.WriteTo(wide)
			return errors.Join(err, wide.Flush())
		})
		b.report.CopiedBytes = s.Size
		return err
	})
}

// watched is a copy of the database that ends when the call or the vault does.
type watched struct {
	w io.Writer
	b *backup
}

func (w *watched) Write(p []byte) (int, error) {
	if err := w.b.going(); err != nil {
		return 0, err
	}
	w.b.progress(int64(len(p)))
	return w.w.Write(p)
}

func (b *backup) going() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	return b.v.store.Ready()
}

func (b *backup) progress(n int64) {
	b.done += n
	if b.o.Progress != nil {
		b.o.Progress(b.done, b.total)
	}
}

// verify holds the copy to what Verify holds a vault to.
func (b *backup) verify(copied *copiedVault) error {
	report, err := copied.Verify(b.ctx, VerifyOptions{Heads: []audit.Head{b.report.Head}, lost: b.lost})
	if err != nil {
		return fmt.Errorf("verify the copy: %w", err)
	}
	if len(report.Findings) > 0 {
		return findingsError(report.Findings)
	}
	if report.Head != b.report.Head {
		return fmt.Errorf("%w: the copy ends at entry %d, the vault was at %d", errDamaged, report.Head.Seq, b.report.Head.Seq)
	}
	b.report.Documents, b.report.Versions = report.Documents, report.Versions
	return nil
}

// count makes the new backup the one that counts, and then removes what only
// the earlier one had.
func (b *backup) count() error {
	made := Backup{
		VaultID: b.v.ID(), Vault: b.v.name, Head: b.report.Head, Made: b.v.store.Clock.Now(),
		Database: b.parts, Blobs: b.report.Blobs, Bytes: b.report.Bytes, Missing: b.report.Missing, Lost: b.report.Lost,
	}
	if err := b.reads.write(b.dir); err != nil {
		return err
	}
	if err := b.signKey(); err != nil {
		return err
	}
	if err := made.write(b.dir); err != nil {
		return err
	}
	b.report.Backup, b.earlier = made, &made
	if b.dir != b.o.To {
		if err := blobstore.Rename(b.dir, b.o.To); err != nil {
			return err
		}
		b.dir = b.o.To
		b.archive = blobstore.NewArchive(b.dir, b.o.Cut)
	}
	if err := errors.Join(b.sweep(), blobstore.WriteFile(filepath.Join(b.dir, fileHead), []byte(made.Head.Text()))); err != nil {
		return err
	}
	return b.unneeded()
}

// unneeded removes the blobs that the backup has and its database does not
// name: of documents that were deleted or erased since the earlier one.
func (b *backup) unneeded() error {
	copied, err := b.open()
	if err != nil {
		return err
	}
	err = b.archive.Each(b.ctx, func(d Digest, _ int64) error {
		if copied.names(d) {
			return nil
		}
		b.report.RemovedBlobs++
		return b.archive.Remove(d)
	})
	return errors.Join(err, copied.close())
}
