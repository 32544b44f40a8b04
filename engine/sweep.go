package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"strongroom/blobstore"
	"strongroom/engine/internal/fixity"
	"strongroom/engine/internal/store"
)

// Sweep does what is due, and says when to call it again: writes down when keys
// were last used, drops scratchpads nobody came back for, logs reminders of
// obligations, starts the daily run of retention and works off what was started,
// erases what was asked to be erased and may be, and after an unclean end looks
// for bytes that no version needs. What fails does not keep the rest from being
// done. The host calls it, from one goroutine of its own, and again when Due says
// so.
func (v *Vault) Sweep(ctx context.Context) (next time.Time, err error) {
	if err := v.store.Ready(); err != nil {
		return time.Time{}, err
	}
	next = v.store.Clock.Now().Add(time.Minute)
	for _, work := range []struct {
		what string
		do   func(context.Context) (time.Time, error) // and returns when to come back, zero if it does not know
	}{
		{"write down when keys were used", func(context.Context) (time.Time, error) { return time.Time{}, v.used.save() }},
		{"drop scratchpads nobody came back for", v.purgeDrafts},
		{"remind of obligations", v.remind},
		{"dispose of what has run out its retention", v.sweepRetention},
		{"erase", func(ctx context.Context) (time.Time, error) { return time.Time{}, v.erase(ctx) }},
		{"look for bytes nobody needs", v.tidyLitter},
		{"overwrite what was erased", v.wipeErased},
	} {
		due, failed := work.do(ctx)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", work.what, failed))
		} else if !due.IsZero() && due.Before(next) {
			next = due
		}
	}
	return next, err
}

func (v *Vault) tidyLitter(ctx context.Context) (time.Time, error) {
	if !v.litter.Load() {
		return time.Time{}, nil
	}
	return time.Time{}, v.tidy(ctx)
}

// wipeErased overwrites what was erased; a reader may keep it from all of it for
// a while.
func (v *Vault) wipeErased(ctx context.Context) (next time.Time, err error) {
	for v.unwiped.Load() {
		// Bytes that have yet to be unlinked, for a backup that copies them or
		// because that failed, are waited for elsewhere.
		wait := func() bool { return v.pins.waiting() || v.litter.Load() }
		wiped, done, err := v.store.Wipe(ctx, wait)
		if err != nil {
			return time.Time{}, err
		}
		if !done {
			return v.store.Clock.Now().Add(time.Second), nil
		}
		v.wiped.Store(wiped)
		v.unwiped.Store(v.erased > wiped)
	}
	return time.Time{}, nil
}

// Due receives when there is something for Sweep to do before it said: a run that
// was started by hand, an erasure. Who calls Sweep waits for this as well.
func (v *Vault) Due() <-chan struct{} { return v.due }

func (v *Vault) signalDue() {
	select {
	case v.due <- struct{}{}:
	default: // it was told already
	}
}

// sweepRetention does what is due of retention: the daily run, what was started, and
// rows of the index of starts that nobody asks for any more. It returns when the
// next daily run is due.
func (v *Vault) sweepRetention(ctx context.Context) (next time.Time, err error) {
	if err := v.workOff(ctx); err != nil { // one that was cut off
		return next, err
	}
	if next, err = v.schedule(ctx); err == nil {
		err = v.workOff(ctx)
	}
	if err == nil {
		err = v.drain(ctx)
	}
	return next, err
}

// Fixity is what scrubbing knows of the bytes of the vault.
type Fixity struct {
	// Oldest is when the bytes that were read longest ago were read: all others
	// were found whole, or came in, since. Zero: not all were read yet.
	Oldest  time.Time
	Read    int64 // bytes, since opening
	Damaged []DamagedBlob
}

// DamagedBlob is bytes that are not what they were when they came in.
type DamagedBlob struct {
	Digest   Digest
	Versions []string // that have these bytes, "<document> version <n>", ten at most
	Problem  string
	Found    time.Time
}

const fileFixity = "fixity.json" // derived: deleted, it says that nothing was read yet

// openScrub goes on from the state that is kept in the vault's directory.
func (v *Vault) openScrub() *fixity.Scrub {
	path := filepath.Join(v.dir, fileFixity)
	state, err := os.ReadFile(path)
	if err != nil {
		state = nil // it starts anew
	}
	return fixity.New(state, v.store.Clock.Now, func(state []byte) error { return blobstore.WriteFile(path, state) })
}

// Fixity returns what scrubbing has found so far. It reads no bytes.
func (v *Vault) Fixity() Fixity {
	r := v.scrub.Report()
	f := Fixity{Oldest: r.Oldest, Read: r.Read}
	for _, found := range r.Findings {
		f.Damaged = append(f.Damaged, DamagedBlob{Digest(found.Digest), found.Owners, found.Problem, found.Found})
	}
	return f
}

// Scrub reads on in the bytes of the vault, budget of them at most, and compares
// them with their digests. What is wrong is in Fixity, and no error. Each blob
// is read once a week: next says when there is something to read again, and is
// zero while there is. The host calls it, a budget each second, as it does
// Sweep.
func (v *Vault) Scrub(ctx context.Context, budget int64) (next time.Time, err error) {
	if err := v.store.Ready(); err != nil {
		return time.Time{}, errors.Join(err, v.scrub.Stop())
	}
	return v.scrub.Read(ctx, needed{v}, budget)
}

// needed is the blobs that versions need, as scrubbing asks for them.
type needed struct{ v *Vault }

func (n needed) From(d fixity.Digest) (next fixity.Digest, found bool, err error) {
	next, err = view(n.v, func(t *tx) (next fixity.Digest, err error) {
		if k, _ := t.Cursor(bucketRefs).Seek(d[:]); len(k) >= len(d) {
			next, found = fixity.Digest(k[:len(d)]), true
		}
		return next, nil
	})
	return next, found, err
}

func (n needed) Open(d fixity.Digest) (io.ReadCloser, error) {
	f, err := n.v.blobs.Open(Digest(d))
	if err != nil {
		return nil, err
	}
	if file, ok := f.(*os.File); ok {
		blobstore.Uncache(file) // the disk is to be read, not what memory has of it
		return uncached{file}, nil
	}
	return f, nil
}

// uncached is a file that lets go, when it is closed, of what memory holds of it:
// that would push out what somebody needs.
type uncached struct{ *os.File }

func (u uncached) Close() error {
	blobstore.Uncache(u.File)
	return u.File.Close()
}

func (n needed) Owners(d fixity.Digest) ([]string, error) {
	return view(n.v, func(t *tx) ([]string, error) { return t.versionsOf(Digest(d)), nil })
}

// versionsOf names versions that need these bytes; nil: none does.
func (t *tx) versionsOf(d Digest) (names []string) {
	const most = 10
	rows := t.Cursor(bucketRefs)
	for k, _ := rows.Seek(d[:]); bytes.HasPrefix(k, d[:]) && len(k) == 56 && len(names) < most; k, _ = rows.Next() {
		name := fmt.Sprintf("%s version %d", id(k[32:48]), store.SeqOf(k[48:]))
		if isDraftRef(store.SeqOf(k[48:])) {
			name = fmt.Sprintf("%s, a scratchpad", id(k[32:48]))
		}
		names = append(names, name)
	}
	return names
}
