package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"strongroom/blobstore"
	"strongroom/engine/internal/fixity"
	"strongroom/engine/internal/store"
	"sync"
	"time"
)

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
	Denied   bool // they may not be read: nothing is known of the bytes themselves
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
		f.Damaged = append(f.Damaged, DamagedBlob{Digest(found.Digest), found.Owners, found.Problem, found.Found, found.Denied})
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
	if remote, ok := n.v.blobs.(CopyingBlobs); ok {
		return remote.OpenStored(Digest(d))
	}
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
	t.eachVersionOf(d, func(document string, number uint64) bool {
		name := fmt.Sprintf("%s version %d", document, number)
		if of, isText := versionOfText(number); isText {
			name = fmt.Sprintf("%s version %d, its text", document, of)
		} else if isDraftRef(number) {
			name = fmt.Sprintf("%s, a scratchpad", document)
		}
		names = append(names, name)
		return len(names) < most
	})
	return names
}

// eachVersionOf calls fn with the versions that need these bytes, and the references
// of scratchpads and of texts, while it returns true.
func (t *tx) eachVersionOf(d Digest, fn func(document string, number uint64) bool) {
	rows := t.Cursor(bucketRefs)
	for k, _ := rows.Seek(d[:]); bytes.HasPrefix(k, d[:]) && len(k) == 56; k, _ = rows.Next() {
		if !fn(id(k[32:48]).String(), store.SeqOf(k[48:])) {
			return
		}
	}
}

// heal says that bytes were read and are whole: an alarm about them ends. A copy that
// is only read has none.
func (v *Vault) heal(d Digest) error {
	if v.scrub == nil {
		return nil
	}
	return v.scrub.Whole(fixity.Digest(d))
}

// of says of a mistake in bytes whose they are: a person knows no digests.
func (t *tx) of(d Digest, mistake error) string {
	names := t.versionsOf(d)
	if len(names) == 0 {
		return mistake.Error()
	}
	return "document " + strings.Join(names, ", document ") + ": " + mistake.Error()
}

// of is that of tx in a transaction of its own.
func (v *Vault) of(d Digest, mistake error) (string, error) {
	return view(v, func(t *tx) (string, error) { return t.of(d, mistake), nil })
}

// pins keep the bytes that a running backup has yet to copy: a purge leaves
// them, and the backup purges them when it ends. Blobs are copied in the order
// of their digests, so those up to the last one copied are free again.
type pins struct {
	mu     sync.Mutex // a leaf lock
	held   bool
	copied *Digest // the last; nil: none yet
	later  []Digest
	// refused are those that a store beyond this machine keeps locked: see Undeletable.
	refused map[Digest]bool
	retried time.Time // when they were tried again
}

func (p *pins) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held, p.copied = true, nil
}

func (p *pins) passed(d Digest) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.copied = &d
}

// hold says whether a digest must stay, and notes it for the end.
func (p *pins) hold(d Digest) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.held || p.copied != nil && bytes.Compare(d[:], p.copied[:]) <= 0 {
		return false
	}
	p.later = append(p.later, d)
	return true
}

// waiting says whether anything is held back.
func (p *pins) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.later) > 0 || len(p.refused) > 0
}

// end lets go and returns what was held back.
func (p *pins) end() []Digest {
	p.mu.Lock()
	defer p.mu.Unlock()
	later := p.later
	p.held, p.later = false, nil
	return later
}
