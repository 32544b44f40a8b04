package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"strongroom/audit"
	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// Concerns says what the vault's operator should see to, although the vault
// works: that nothing can be written because of the clock, that the last run of
// retention was refused or nothing is destroyed because of it, and that files were
// found damaged: how many and of which document, only whom this view of the vault
// shows all.
func (v *Vault) Concerns(ctx context.Context) (concerns []string, err error) {
	if err := v.store.Clock.Unwritable(); err != nil {
		concerns = append(concerns, err.Error())
	}
	switch damaged := v.Fixity().Damaged; {
	case len(damaged) > 0 && v.partial:
		concerns = append(concerns, "there are files that cannot be read, or do not have the bytes they came with; an admin or auditor is told which")
	case len(damaged) > 0:
		concerns = append(concerns, damagedFiles(damaged)...)
	}
	if says := v.undeletable(); says != "" {
		concerns = append(concerns, says)
	}
	if stopped := v.signsNoMore(); stopped != nil {
		concerns = append(concerns, stopped.Error())
	}
	alone, err := v.OperatorApproved(ctx)
	if err != nil {
		return concerns, err
	}
	for _, a := range alone {
		concerns = append(concerns, fmt.Sprintf("the operator approved alone what needs two persons: %s, approval %s, at %s", a.What, a.ID, audit.FormatTime(a.DecidedAt)))
	}
	last, err := view(v, (*tx).lastRun)
	if err == nil && last != nil && last.Status == RunRefused {
		concerns = append(concerns, "the last run of retention was refused: "+last.Why.Words()+"; if the clock is right, start a run with acceptClock and a reason")
	}
	if err == nil && (last == nil || last.Status != RunRefused) {
		var kept string
		if kept, err = v.keptDoubt(); kept != "" {
			concerns = append(concerns, kept)
		}
	}
	return concerns, err
}

// Writable is nil, or why every change is refused now while reads go on:
// ErrNoSpace, or an *UnavailableError because of the clock. It is cheap to ask.
func (v *Vault) Writable() error { return v.store.Writable() }

// Level says how a diagnosis is to be taken.
type Level string

const (
	LevelOK    Level = "ok"    // there is nothing to do
	LevelWarn  Level = "warn"  // it works, and will cost you one day
	LevelError Level = "error" // it does not work, or what was promised is not kept
)

// Diagnosis is one thing Examine looked at.
type Diagnosis struct {
	Level Level
	What  string // a word or two: "file system"
	Says  string // what it is, and what to do
}

// Examine looks at what the vault stands on: file system, syncs, space, clock,
// database, bytes and permissions. It changes nothing, but for a file of its own
// that it syncs some twenty times and removes. It works on a vault that is not
// available as far as that goes.
func (v *Vault) Examine(ctx context.Context) []Diagnosis {
	if err := v.store.Ready(); err != nil {
		return []Diagnosis{{LevelError, "vault", err.Error()}}
	}
	return []Diagnosis{v.examineFS(), v.examineSync(), v.examineSpace(), v.examineClock(), v.examineDatabase(), v.examineFixity(),
		v.examineModes(), v.examineSchedules(ctx), v.examineSigning()}
}

func (v *Vault) examineSigning() Diagnosis {
	const what = "checkpoints"
	if stopped := v.signsNoMore(); stopped != nil {
		return Diagnosis{LevelError, what, stopped.Error()}
	}
	last, err := v.lastSigned()
	switch {
	case err != nil:
		return Diagnosis{LevelError, what, err.Error()}
	case last.Size == 0:
		return Diagnosis{LevelOK, what, "nobody has asked for one"}
	}
	return Diagnosis{LevelOK, what, fmt.Sprintf("the first %d of %d entries are signed, as %s", last.Size, v.Head().Seq, last.Origin)}
}

func (v *Vault) examineSchedules(ctx context.Context) Diagnosis {
	const what = "schedules"
	s, err := v.Settings(ctx)
	switch {
	case err != nil:
		return Diagnosis{LevelError, what, err.Error()}
	case s.Paused:
		return Diagnosis{LevelWarn, what, "paused: no webhooks and no scheduled retention until `strongroom resume`"}
	}
	return Diagnosis{LevelOK, what, "they run"}
}

func (v *Vault) examineFS() Diagnosis {
	const what = "file system"
	kind, err := store.FileSystem(v.dir)
	if err != nil {
		return Diagnosis{LevelError, what, err.Error()}
	}
	network, err := store.NetworkFS(v.dir)
	switch {
	case err != nil:
		return Diagnosis{LevelError, what, err.Error()}
	case network != "":
		return Diagnosis{LevelWarn, what, network + ", over a network: neither locks nor syncs can be relied on; move the vault to a local disk"}
	case kind == "tmpfs" || kind == "ramfs":
		return Diagnosis{LevelWarn, what, kind + ": it is memory, and gone with the power"}
	case kind == "vfat" || kind == "exfat":
		return Diagnosis{LevelWarn, what, kind + ": it has no journal and no permissions; a power cut can damage it"}
	}
	return Diagnosis{LevelOK, what, kind}
}

// tooFast is what no sync that reaches flash or a disk takes less than, its way
// through the kernel and a commit of the file system's journal included.
const tooFast = 20 * time.Microsecond

func (v *Vault) examineSync() Diagnosis {
	const what = "fsync"
	took, err := blobstore.ProbeSync(v.dir)
	switch {
	case err != nil:
		return Diagnosis{LevelError, what, err.Error()}
	case took < tooFast:
		return Diagnosis{LevelWarn, what, fmt.Sprintf("takes %v, less than a disk can: something says it has written and has not; "+
			"a power cut may lose what was acknowledged", took)}
	case took > 100*time.Millisecond:
		return Diagnosis{LevelWarn, what, fmt.Sprintf("takes %v: each change waits for two of them", took.Round(time.Millisecond))}
	}
	return Diagnosis{LevelOK, what, fmt.Sprintf("takes %v, as a disk that writes does", took.Round(time.Microsecond))}
}

func (v *Vault) examineSpace() Diagnosis {
	const what = "free space"
	space, err := v.store.Space()
	if err != nil {
		return Diagnosis{LevelError, what, err.Error()}
	}
	says := fmt.Sprintf("%d MiB; writes are refused below %d MiB", space.Free>>20, space.Reserve>>20)
	switch {
	case space.Room(0) != nil:
		return Diagnosis{LevelError, what, says + ": they are now"}
	case space.Room(int64(9*space.Reserve)) != nil:
		return Diagnosis{LevelWarn, what, says}
	}
	return Diagnosis{LevelOK, what, says}
}

func (v *Vault) examineClock() Diagnosis {
	const what = "clock"
	if err := v.store.Clock.Unwritable(); err != nil {
		return Diagnosis{LevelError, what, err.Error()}
	}
	const noGap = math.MaxInt64 // how long it was silent is for retention to judge
	if doubt := v.store.Clock.Doubt(noGap); doubt != "" {
		return Diagnosis{LevelWarn, what, Doubt(doubt).Words()}
	}
	switch kept, err := v.keptDoubt(); {
	case err != nil:
		return Diagnosis{LevelError, what, err.Error()}
	case kept != "":
		return Diagnosis{LevelWarn, what, kept}
	}
	return Diagnosis{LevelOK, what, "not behind the last entry of the log, of " + v.Head().Time.Format(time.RFC3339)}
}

func (v *Vault) examineDatabase() Diagnosis {
	const what = "database"
	size, err := peek(v, func(t *tx) (int64, error) { return t.Size(), nil })
	if err != nil {
		return Diagnosis{LevelError, what, err.Error()}
	}
	u, err := v.store.Usage()
	if err != nil {
		return Diagnosis{LevelError, what, err.Error()}
	}
	free := int64(u.FreePages) * int64(u.PageBytes)
	says := fmt.Sprintf("%d MiB, of which %d MiB are free pages", size>>20, free>>20)
	if free > 64<<20 && free > size/2 {
		return Diagnosis{LevelWarn, what, says + "; `strongroom compact` gives them back"}
	}
	return Diagnosis{LevelOK, what, says}
}

// damagedFiles says that there are some, and whose the first is, apart from those
// that may not be read: a backup would not mend these.
func damagedFiles(damaged []DamagedBlob) (says []string) {
	kinds := map[bool][]DamagedBlob{}
	for _, d := range damaged {
		kinds[d.Denied] = append(kinds[d.Denied], d)
	}
	first := func(of []DamagedBlob) string {
		return fmt.Sprintf("among them that of document %s (%s)", strings.Join(of[0].Versions, ", document "), of[0].Digest)
	}
	if of := kinds[true]; len(of) > 0 {
		says = append(says, fmt.Sprintf("%d files may not be read by the user this runs as, %s: permission is denied; give the vault's directory to that user (chown -R)",
			len(of), first(of)))
	}
	if of := kinds[false]; len(of) > 0 {
		says = append(says, fmt.Sprintf("%d files do not have the bytes they came with, %s; restore them from a backup", len(of), first(of)))
	}
	return says
}

func (v *Vault) examineFixity() Diagnosis {
	const what = "fixity"
	f := v.Fixity()
	switch {
	case len(f.Damaged) > 0:
		return Diagnosis{LevelError, what, strings.Join(damagedFiles(f.Damaged), "; ")}
	case f.Oldest.IsZero():
		return Diagnosis{LevelOK, what, "not every file was read yet since it came in; serve reads them in the background"}
	case v.scrub.Report().Late:
		return Diagnosis{LevelWarn, what, "some files were last read on " + f.Oldest.Format(time.DateOnly) + "; raise serve --scrub-rate"}
	}
	return Diagnosis{LevelOK, what, "every file was read and whole since " + f.Oldest.Format(time.RFC3339)}
}

// examineModes finds files that others can read.
func (v *Vault) examineModes() Diagnosis {
	const what = "permissions"
	if runtime.GOOS == "windows" {
		return Diagnosis{LevelOK, what, "not looked at: Windows has access lists"}
	}
	for _, name := range []string{"", store.FileRows, store.DirLog, fileLockKey, fileSignKey, fileMLDSA, dirBlobs} {
		path := filepath.Join(v.dir, name)
		info, err := os.Stat(path)
		if (name == fileSignKey || name == fileMLDSA || name == store.DirLog) && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Diagnosis{LevelError, what, err.Error()}
		}
		if others := info.Mode().Perm() & 0o077; others != 0 {
			return Diagnosis{LevelWarn, what, fmt.Sprintf("others can use %s (%v): chmod go-rwx it", path, fs.FileMode(info.Mode().Perm()))}
		}
	}
	return Diagnosis{LevelOK, what, "only this user can read the vault"}
}
