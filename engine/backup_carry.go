package engine

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
)

// DamagedFile is bytes of which a backup found that they are not those that came in.
type DamagedFile struct {
	Digest   Digest
	Versions []string // that have these bytes, "<document> version <n>", ten at most
	Vault    string   // what is wrong with the vault's; "": nothing
	Backup   string   // what was wrong with the backup's; "": nothing, or it had none
	// Missing says that neither is whole: the backup lacks them. Otherwise the one that
	// is whole is in the backup now.
	Missing bool
}

func (f DamagedFile) String() string {
	name := f.Digest.String()
	if len(f.Versions) > 0 {
		name = "document " + strings.Join(f.Versions, ", document ")
	}
	switch {
	case f.Missing && f.Backup != "":
		return fmt.Sprintf("%s: damaged in the vault and in the backup, which lacks it now: %s; %s", name, f.Vault, f.Backup)
	case f.Missing:
		return fmt.Sprintf("%s: damaged in the vault, and not in the backup: %s", name, f.Vault)
	case f.Vault != "":
		return fmt.Sprintf("%s: damaged in the vault, the backup has kept it whole: %s", name, f.Vault)
	}
	return fmt.Sprintf("%s: damaged in the backup, mended from the vault: %s", name, f.Backup)
}

// maxDamaged is how many damaged files are named. What more there is, is counted.
const maxDamaged = 10_000

// recheckShare is what a backup reads again of what it carries over, unless it is
// told otherwise.
const recheckShare = 0.1

// A step is what is to be done about one blob.
type step byte

const (
	stepCarry   step = iota // the backup has it
	stepReread              // the backup has it, and its turn has come to be read
	stepCopy                // the backup has not
	stepReplace             // what the backup has cannot be it
	stepLook                // the vault has lost it, or scrubbing says that it is damaged
)

// carried is a blob that the backup has, as the next to be read is chosen.
type carried struct {
	read uint64 // when it was last, see readTimes
	n    int    // in the order of the digests
	size int64
}

// steps decides, for every blob in the order of the digests, what is to be done, and
// counts what that takes.
func (b *backup) steps(copied *copiedVault) (steps []step, err error) {
	var candidates []carried
	var copying int64
	known := b.known()
	suspects := map[Digest]bool{}
	for _, d := range b.v.Fixity().Damaged {
		suspects[d.Digest] = !d.Denied
	}
	lacked := map[Digest]bool{}
	if b.earlier != nil {
		for _, d := range b.earlier.Missing {
			lacked[d] = true
		}
	}
	err = copied.eachBlob(func(d Digest) error {
		size, here := b.v.blobs.Stat(d)
		there, lacks := b.archive.Stat(d)
		read, was := known.of(d)
		s := stepCarry
		switch {
		case here != nil:
			s, size = stepLook, there
		case errors.Is(lacks, blobstore.ErrNotFound) && !was:
			s = stepCopy
		case lacks != nil || there != size:
			s = stepReplace
		case suspects[d]:
			s = stepLook
		case lacked[d]:
			s = stepReread
		}
		switch s {
		case stepCarry:
			candidates = append(candidates, carried{read, len(steps), size})
		case stepCopy, stepReplace:
			copying += size
		}
		steps = append(steps, s)
		b.report.Blobs++
		b.report.Bytes += size
		return b.ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	b.total += copying
	for _, c := range b.turn(candidates) {
		steps[c.n] = stepReread
		b.total += c.size
	}
	return steps, store.Room(b.dir, copying, 0)
}

// turn chooses those that were read longest ago, in whole files, one at least.
func (b *backup) turn(all []carried) []carried {
	share := b.o.Recheck
	if share == 0 {
		share = recheckShare
	}
	slices.SortStableFunc(all, func(x, y carried) int { return cmp.Compare(x.read, y.read) })
	return all[:int(math.Ceil(float64(len(all))*min(max(share, 0), 1)))]
}

// blobs brings those that the copied database names into the backup, and reads again
// some that are there. What is damaged is noted, and the others are seen to.
func (b *backup) blobs(copied *copiedVault) error {
	steps, err := b.steps(copied)
	if err != nil {
		return err
	}
	batch := b.archive.Batch()
	defer batch.Discard()
	b.copied, b.lost = copied, map[Digest]bool{}
	before, now := b.known(), readTime(b.v.store.Clock.Now())
	err = copied.eachBlob(func(d Digest) error {
		if err := b.going(); err != nil {
			return err
		}
		s := steps[0]
		steps = steps[1:]
		if err := b.blob(batch, d, s); err != nil {
			return err
		}
		read, _ := before.of(d)
		if s != stepCarry {
			read = now
		}
		if !b.lost[d] {
			b.reads = b.reads.add(d, read)
		}
		b.v.pins.passed(d)
		return nil
	})
	if err == nil {
		err = batch.Close()
	}
	return err
}

func (b *backup) blob(batch *blobstore.Batch, d Digest, s step) error {
	switch s {
	case stepCopy:
		return b.copy(batch, d, nil)
	case stepReplace:
		_, err := b.archive.Check(b.ctx, d)
		return b.copy(batch, d, cmp.Or(err, blobstore.ErrCorrupt))
	case stepReread:
		size, err := b.archive.Check(b.ctx, d)
		b.progress(size)
		b.report.Reread++
		if err != nil {
			return b.copy(batch, d, err)
		}
	case stepLook:
		size, err := b.v.blobs.Check(b.ctx, d)
		switch {
		case err != nil:
			return b.damage(d, err, nil)
		case b.ctx.Err() != nil:
			return b.ctx.Err()
		}
		if there, err := b.archive.Check(b.ctx, d); err != nil || there != size {
			return b.copy(batch, d, cmp.Or(err, blobstore.ErrCorrupt))
		}
	}
	return b.ctx.Err()
}

// copy brings a blob in. wrong is what is the matter with what the backup has of it,
// nil if that is nothing: it goes only when the vault's is known to be whole.
func (b *backup) copy(batch *blobstore.Batch, d Digest, wrong error) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if wrong != nil {
		if _, err := b.v.blobs.Check(b.ctx, d); err != nil {
			return b.damage(d, err, wrong)
		}
		if err := b.archive.Clear(d); err != nil {
			return err
		}
	}
	f, err := b.v.blobs.Open(d)
	if err != nil {
		return b.damage(d, err, wrong)
	}
	defer f.Close()
	size, err := batch.Add(b.ctx, d, f)
	switch {
	case errors.Is(err, blobstore.ErrCorrupt):
		return b.damage(d, err, wrong)
	case err != nil:
		return blobError(err)
	}
	b.progress(size)
	b.report.CopiedBlobs++
	b.report.CopiedBytes += size
	if wrong != nil && (b.earlier != nil || !errors.Is(wrong, blobstore.ErrNotFound)) {
		b.report.Mended++
		return b.note(DamagedFile{Digest: d, Backup: wrong.Error()})
	}
	return nil
}

// damage notes bytes that the vault does not have whole. What the backup has of them
// is no loss.
func (b *backup) damage(d Digest, here, there error) error {
	if b.ctx.Err() != nil {
		return b.ctx.Err()
	}
	if errors.Is(here, os.ErrPermission) { // nothing is known of the bytes
		what, err := b.copied.of(d, here)
		return errors.Join(err, fmt.Errorf("%s: %w", what, os.ErrPermission))
	}
	planned, err := b.v.blobs.Stat(d)
	if err != nil {
		planned, _ = b.archive.Stat(d)
	}
	b.report.Bytes -= planned
	size := int64(0)
	if there == nil || !errors.Is(there, blobstore.ErrNotFound) {
		size, there = b.archive.Check(b.ctx, d)
	}
	found := DamagedFile{Digest: d, Vault: here.Error()}
	switch {
	case there == nil:
		b.report.Bytes += size
	default:
		b.lost[d], found.Missing = true, true
		b.report.Blobs--
		b.report.Lost++
		if len(b.report.Missing) < maxDamaged {
			b.report.Missing = append(b.report.Missing, d)
		}
		if !errors.Is(there, blobstore.ErrNotFound) {
			found.Backup = there.Error()
		}
	}
	return errors.Join(b.ctx.Err(), b.note(found))
}

func (b *backup) note(found DamagedFile) (err error) {
	if b.report.DamagedFiles++; b.report.DamagedFiles > maxDamaged {
		return nil
	}
	found.Versions, err = view(b.copied.Vault, func(t *tx) ([]string, error) { return t.versionsOf(found.Digest), nil })
	b.report.Damaged = append(b.report.Damaged, found)
	return err
}

// damaged is nil, or what a backup found damaged, as an error.
func (b *backup) damaged() error {
	if b.report.DamagedFiles == 0 {
		return nil
	}
	e := &DamagedError{More: b.report.DamagedFiles - uint64(len(b.report.Damaged))}
	for _, f := range b.report.Damaged {
		e.Files = append(e.Files, f.String())
	}
	return e
}

// known is what the earlier backup says of when its blobs were read.
func (b *backup) known() *readTimes { return loadReadTimes(b.ctx, b.dir, b.v.store.Clock.Now()) }
