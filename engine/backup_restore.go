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

// RestoreOptions of Restore.
type RestoreOptions struct {
	From string // a directory that Backup made
	// Log is the audit log exported since, from its first entry or from any up to
	// the one after the backup's last. Nil: there is none at hand, and what was
	// erased since is there again.
	Log io.Reader
	// Details are those of the log's entries, as they are exported beside it. Nil:
	// what they tell, names and reasons, is replaced by plain words.
	Details io.Reader
	// Heads of the log that were kept elsewhere. The last of them covers what the
	// log says up to there that loosens what governs; beyond it nothing may.
	Heads          []audit.Head
	AllowNetworkFS bool // see Options
	// SkipDamaged restores what is whole: bytes that are damaged or missing are so in
	// the vault then, and named in the report.
	SkipDamaged bool
	Progress    func(done, total int64) // bytes; nil: none
}

// RestoreReport is what was restored, and what the log says happened since.
type RestoreReport struct {
	Backup
	Restored  audit.Head // of the restored vault, the entries of restoring it included
	Documents uint64     // tombstones too
	Versions  uint64
	Locks     uint64 // that were live at the instant of the backup, and are broken
	AdminKeys uint64 // that work, of users who administer the vault
	Since     Since  // zero without a log
	// Damaged are the versions whose bytes were skipped, all of them. Number 0 is a
	// scratchpad.
	Damaged []LostVersion
}

// Restore makes the vault of a backup in dir, where nothing may be but an empty
// directory. It checks everything it copies, and the vault against its log, and
// only then gives it its name: on any error nothing is left. Nobody has it
// open afterwards.
//
// What the log says since that governs is put in force again, in its order: holds,
// policies, retention, settings, what users and keys may do no more. What it names
// as erased is erased again before its bytes are copied. Locks that are live are broken, since lock.key, which their tokens were
// derived with, is in no backup. The vault is paused (Settings.Paused); an
// operator ends that when all is as it should be. The entry vault.restored says
// what was restored, and those after it what was changed so.
//
// ErrVaultExists, ErrNoBackup, ErrFormat, ErrNoSpace; *DamagedError names every
// file that is wrong, unless SkipDamaged says to do without; *InvalidError if the log is not that of this vault or
// does not reach back to the backup, if the details are not those of the log, if a
// head is no entry of it, and if it loosens what governs and no head covers that.
func Restore(ctx context.Context, dir string, o RestoreOptions) (report RestoreReport, err error) {
	defer store.Damaged(&err, debug.SetPanicOnFault(true))
	b, err := ReadBackup(o.From)
	if err != nil {
		return RestoreReport{}, err
	}
	if !makeRoom(dir) {
		return RestoreReport{}, fmt.Errorf("%w: %s", ErrVaultExists, dir)
	}
	r := &restore{
		ctx: ctx, o: o, dir: dir + dirPartial,
		archive: blobstore.NewArchive(o.From, backupCut),
		report:  RestoreReport{Backup: b},
	}
	if err := r.run(dir); err != nil {
		return RestoreReport{}, fmt.Errorf("restore %s: %w", o.From, err)
	}
	return r.report, nil
}

// restore is one on its way.
type restore struct {
	ctx     context.Context // of the call
	o       RestoreOptions
	dir     string // where the vault is made
	archive *blobstore.Archive
	v       *Vault
	report  RestoreReport
	done    int64 // bytes
	cleared bool  // rows that a deletion had left
	wrong   []string
	lost    map[Digest]bool // skipped
}

func (r *restore) run(dir string) (err error) {
	lock, err := r.begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(r.dir))
		}
	}()
	// Windows renames no directory with an open file in it, so the lock that
	// keeps another restore out of the directory goes before that.
	if err := errors.Join(r.fill(), lock.Close()); err != nil {
		return err
	}
	if err := blobstore.Rename(r.dir, dir); err != nil {
		return err
	}
	return blobstore.SyncDir(filepath.Dir(filepath.Dir(dir))) // the directory above may be new too
}

// begin takes the directory where the vault is made, and empties it of what a
// restore that was killed left.
func (r *restore) begin() (*os.File, error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(r.dir, fileRestoring), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if held, err := store.LockPath(lock); err != nil || held {
		if held {
			err = &InUseError{Path: r.dir}
		}
		return nil, errors.Join(err, lock.Close())
	}
	left, err := os.ReadDir(r.dir)
	for _, entry := range left {
		if entry.Name() != fileRestoring {
			err = errors.Join(err, os.RemoveAll(filepath.Join(r.dir, entry.Name())))
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// fileRestoring is locked while a vault is restored, and removed when it is whole.
const fileRestoring = "restoring.lock"

// fill makes the vault: its database first, so that what is erased again has
// gone from it before the blobs it names are copied.
func (r *restore) fill() (err error) {
	b := &r.report.Backup
	size := databaseSize(b.Database)
	if err := store.Room(r.dir, size+b.Bytes, 0); err != nil {
		return err
	}
	if err := joinParts(r.ctx, r.o.From, b.Database, filepath.Join(r.dir, fileDB)); err != nil {
		return err
	}
	r.progress(size)
	if err := blobstore.Init(filepath.Join(r.dir, dirBlobs)); err != nil {
		return err
	}
	if err := r.signKey(); err != nil {
		return err
	}
	r.v, err = Open(r.dir, Options{Name: b.Vault, AllowNetworkFS: r.o.AllowNetworkFS, ReserveBytes: -1})
	if err != nil {
		return err
	}
	err = r.change()
	if err == nil {
		err = r.blobs()
	}
	if err == nil {
		err = r.verify()
	}
	r.v.litter.Store(false)  // a new directory holds none
	r.v.unwiped.Store(false) // see below
	if err := errors.Join(err, r.v.Close()); err != nil {
		return err
	}
	if len(r.report.Since.Erased) > 0 || r.cleared {
		// The pages that the erased rows stood on are free now and hold them still.
		if _, err := Compact(r.ctx, r.dir, Options{AllowNetworkFS: r.o.AllowNetworkFS, ReserveBytes: -1}); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(r.dir, fileRestoring))
}

func (r *restore) progress(n int64) {
	r.done += n
	if r.o.Progress != nil {
		r.o.Progress(r.done, databaseSize(r.report.Database)+r.report.Bytes)
	}
}

// change does what tells the restored vault from the one backed up.
func (r *restore) change() error {
	v, b := r.v, &r.report.Backup
	if v.ID() != b.VaultID {
		return &DamagedError{Files: []string{fmt.Sprintf("the manifest is of vault %s, the database of %s", b.VaultID, v.ID())}}
	}
	hash, err := view(v, func(t *tx) (audit.Hash, error) { return t.entryHash(b.Head.Seq) })
	if err != nil || hash != b.Head.Hash {
		return &DamagedError{Files: []string{fmt.Sprintf("the manifest says that entry %d is %s, in the database it is %s", b.Head.Seq, b.Head.Hash, hash)}}
	}
	if r.o.Log != nil {
		if r.report.Since, err = v.readSince(r.ctx, b.Head, r.o); err != nil {
			return err
		}
	}
	if err := v.recordRestore(r.ctx, b.Head, r.o.Log != nil, len(r.report.Since.Erased)); err != nil {
		return err
	}
	if r.report.Locks, err = v.breakLocks(r.ctx); err != nil {
		return err
	}
	if err := v.repeatChanges(r.ctx, &r.report.Since); err != nil {
		return err
	}
	if err := v.repeatErasures(r.ctx, &r.report.Since); err != nil {
		return err
	}
	if err := v.dueAtOnce(r.ctx, &r.report.Since); err != nil {
		return err
	}
	r.report.AdminKeys, err = view(v, (*tx).adminKeys)
	if err != nil {
		return err
	}
	r.cleared, err = v.clearLeft(r.ctx) // of a deletion that was under way
	return err
}

// recordRestore writes vault.restored and pauses the vault, in one transaction.
func (v *Vault) recordRestore(ctx context.Context, head audit.Head, log bool, erasures int) error {
	paused := true
	pause := SettingsPatch{Paused: &paused}
	_, _, err := updateAll(v, ctx, Operator(),
		func(t *tx) (struct{}, audit.Event, error) {
			t.Delete(bucketMeta, metaSecond)
			t.Delete(bucketMeta, metaSigner) // the next signs under another origin: see firstOrigin
			return struct{}{}, audit.Event{Op: audit.OpVaultRestored, Facts: audit.Facts{
				"erasures": audit.Number(uint64(erasures)), "head": audit.Text(head.Hash.String()),
				"log": audit.Text(fmt.Sprint(log)), "seq": audit.Number(head.Seq),
			}}, nil
		},
		func(t *tx) (struct{}, audit.Event, error) {
			_, event, err := t.updateSettings(nil, pause)
			return struct{}{}, event, err
		})
	return err
}

// breakLocks breaks every lock that is live. Nobody can hold one on: the key
// their tokens are derived with is new.
func (v *Vault) breakLocks(ctx context.Context) (broken uint64, err error) {
	var next []byte
	for more := true; more; {
		var live []string
		live, err = view(v, func(t *tx) (live []string, err error) {
			rows := t.Cursor(bucketDocuments)
			k, value := rows.Seek(next)
			for range checkRows {
				if k == nil {
					break
				}
				d, err := decodeDocument(id(k), value)
				if err != nil {
					return nil, err
				}
				if !d.deleted && t.live(d) != nil {
					live = append(live, d.ID)
				}
				k, value = rows.Next()
			}
			next, more = append(next[:0], k...), k != nil
			return live, nil
		})
		for _, doc := range live {
			if _, _, err := v.BreakLock(ctx, Operator(), doc, Condition{}, "the vault was restored from a backup"); err != nil {
				return broken, err
			}
			broken++
		}
		if err != nil {
			return broken, err
		}
	}
	return broken, nil
}

// blobs copies every blob that the database names. One that is wrong is noted,
// and the others are looked at all the same.
func (r *restore) blobs() error {
	batch := r.v.blobs.(*blobstore.Disk).Batch()
	defer batch.Discard()
	var blobs uint64
	var bytes int64
	_, err := view(r.v, func(t *tx) (struct{}, error) {
		return struct{}{}, t.eachNeeded(func(d Digest) error {
			size, wrong, err := r.blob(batch, d)
			if err != nil {
				return err
			}
			if wrong != nil {
				r.skip(t, d, wrong)
				return nil
			}
			blobs, bytes = blobs+1, bytes+size
			r.progress(size)
			return nil
		})
	})
	if err == nil {
		err = batch.Close()
	}
	r.report.Blobs, r.report.Bytes = blobs, bytes // what is there, not what the manifest says
	if err == nil && r.wrong != nil && !r.o.SkipDamaged {
		err = &DamagedError{Files: r.wrong, Bytes: true}
	}
	return err
}

// blob copies one. wrong is what is the matter with that of the backup; err is about
// anything else.
func (r *restore) blob(batch *blobstore.Batch, d Digest) (size int64, wrong, err error) {
	f, err := r.archive.Open(d)
	if err != nil {
		return 0, err, r.ctx.Err()
	}
	defer f.Close()
	size, err = batch.Add(r.ctx, d, f)
	switch {
	case err == nil:
		return size, nil, nil
	case r.ctx.Err() != nil:
		return 0, nil, r.ctx.Err()
	case errors.Is(err, blobstore.ErrCorrupt):
		return 0, err, nil
	}
	if _, wrong := r.archive.Check(r.ctx, d); wrong != nil {
		return 0, wrong, r.ctx.Err()
	}
	return 0, nil, blobError(err) // it is whole, and cannot be written
}

// skip notes what is missing, by version.
func (r *restore) skip(t *tx, d Digest, wrong error) {
	r.wrong = append(r.wrong, t.of(d, wrong))
	if !r.o.SkipDamaged {
		return
	}
	if r.lost == nil {
		r.lost = map[Digest]bool{}
	}
	r.lost[d] = true
	t.eachVersionOf(d, func(document string, number uint64) bool {
		if of, isText := versionOfText(number); isText {
			number = of
		} else if isDraftRef(number) {
			number = 0
		}
		r.report.Damaged = append(r.report.Damaged, LostVersion{document, number, d.String()})
		return true
	})
}

// verify checks the state against the log. Every blob's bytes were compared with
// its digest when they were copied.
func (r *restore) verify() error {
	report, err := r.v.Verify(r.ctx, VerifyOptions{Heads: []audit.Head{r.report.Head}, lost: r.lost})
	if err != nil {
		return err
	}
	if len(report.Findings) > 0 {
		return findingsError(report.Findings)
	}
	r.report.Restored, r.report.Documents, r.report.Versions = report.Head, report.Documents, report.Versions
	return nil
}
