package engine

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"strongroom/blobstore"
	"strongroom/engine/internal/store"
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
}

const (
	fileFixity = "fixity.json" // derived: deleted, it says that nothing was read yet

	// scrubEvery is how long after a blob was read it is read again.
	scrubEvery = 7 * 24 * time.Hour
	scrubChunk = 1 << 20
)

// scrub reads all blobs again and again. Its state is kept by the first byte of
// digests: 256 times say as much as anybody needs, and a restart reads the rest
// of one 256th twice.
type scrub struct {
	running sync.Mutex // held by the one Scrub at a time, taken before mu
	at      *shelf     // being read; nil: none
	open    *scrubbed  // the blob being read; nil: none

	mu    sync.Mutex // a leaf lock; guards what follows
	read  int64
	state fixityState
}

// shelf is the blobs of one first byte, on their way.
type shelf struct {
	first byte
	began time.Time
	last  Digest // the last that was begun
	any   bool   // one was
}

// scrubbed is a blob that is being read, over several calls.
type scrubbed struct {
	Digest
	f    io.ReadSeekCloser
	hash hash.Hash
}

type fixityState struct {
	Checked map[string]time.Time // two hexadecimal digits: when reading them all last began, if it came to its end
	Damaged []DamagedBlob
}

func (s *scrub) load(dir string) {
	text, err := os.ReadFile(filepath.Join(dir, fileFixity))
	if err != nil || json.Unmarshal(text, &s.state) != nil || s.state.Checked == nil {
		s.state = fixityState{Checked: map[string]time.Time{}}
	}
}

// Fixity may be called at any time.
func (v *Vault) Fixity() Fixity {
	s := &v.scrub
	s.mu.Lock()
	defer s.mu.Unlock()
	_, oldest := s.oldest()
	return Fixity{Oldest: oldest, Read: s.read, Damaged: slices.Clone(s.state.Damaged)}
}

// oldest is the shelf that was read longest ago. Called under mu.
func (s *scrub) oldest() (first byte, at time.Time) {
	at = s.state.Checked[shelfName(0)]
	for i := 1; i < 256; i++ {
		if t := s.state.Checked[shelfName(byte(i))]; t.Before(at) {
			first, at = byte(i), t
		}
	}
	return first, at
}

func shelfName(first byte) string { return fmt.Sprintf("%02x", first) }

// Scrub reads on in the bytes of the vault, budget of them at most, and compares
// them with their digests. What is wrong is in Fixity, and no error. Each blob
// is read once a week: next says when there is something to read again, and is
// zero while there is. The host calls it, a budget each second, as it does
// Sweep.
func (v *Vault) Scrub(ctx context.Context, budget int64) (next time.Time, err error) {
	s := &v.scrub
	s.running.Lock()
	defer s.running.Unlock()
	if err := v.store.Ready(); err != nil {
		return time.Time{}, errors.Join(err, s.shut())
	}
	changed := false
	for budget > 0 && err == nil {
		if err = ctx.Err(); err != nil {
			break
		}
		if s.open != nil {
			var n int64
			n, err = v.readOn(min(budget, scrubChunk))
			budget -= n
			changed = changed || s.open == nil
			continue
		}
		if s.at == nil {
			if next = v.nextShelf(); !next.IsZero() {
				break
			}
		}
		var more bool
		if more, err = v.nextBlob(); err == nil && !more {
			s.finish()
			changed = true
		}
		budget -= 4 << 10 // so that many small blobs, or none, come to an end too
	}
	if changed {
		err = errors.Join(err, s.save(v.dir))
	}
	return next, err
}

// nextShelf takes up the shelf that was read longest ago, or says when.
func (v *Vault) nextShelf() (next time.Time) {
	s := &v.scrub
	s.mu.Lock()
	defer s.mu.Unlock()
	first, read := s.oldest()
	now := v.store.Clock.Now()
	if due := read.Add(scrubEvery); now.Before(due) && !read.After(now) {
		return due
	}
	s.at = &shelf{first: first, began: now}
	return time.Time{}
}

// nextBlob opens the next blob of the shelf that a version needs.
func (v *Vault) nextBlob() (more bool, err error) {
	s := &v.scrub
	d, found, err := v.neededAfter(s.at)
	if err != nil {
		return false, err
	}
	s.forget(s.at, d, found)
	if !found {
		return false, nil
	}
	s.at.last, s.at.any = d, true
	f, err := v.blobs.Open(d)
	if err != nil {
		return true, v.judge(d, err)
	}
	if file, ok := f.(*os.File); ok {
		blobstore.Uncache(file)
	}
	s.open = &scrubbed{d, f, sha256.New()}
	return true, nil
}

func (v *Vault) neededAfter(at *shelf) (d Digest, found bool, err error) {
	d, err = view(v, func(t *tx) (d Digest, err error) {
		rows := t.Cursor(bucketRefs)
		k, _ := rows.Seek([]byte{at.first})
		if at.any {
			after := bytes.Repeat([]byte{0xff}, 24) // no document has this id
			k, _ = rows.Seek(append(at.last[:], after...))
		}
		if len(k) >= len(d) && k[0] == at.first {
			d, found = Digest(k[:len(d)]), true
		}
		return d, nil
	})
	return d, found, err
}

// readOn reads a part of the open blob.
func (v *Vault) readOn(n int64) (int64, error) {
	s := &v.scrub
	b := s.open
	read, err := io.CopyN(b.hash, b.f, n)
	s.mu.Lock()
	s.read += read
	s.mu.Unlock()
	if err == nil {
		return read, nil
	}
	if err == io.EOF {
		err = nil
		if found := Digest(b.hash.Sum(nil)); found != b.Digest {
			err = fmt.Errorf("%w: its bytes have digest %s", blobstore.ErrCorrupt, found)
		}
	}
	return read + 1, errors.Join(v.judge(b.Digest, err), s.shut())
}

// shut closes the open blob.
func (s *scrub) shut() error {
	if s.open == nil {
		return nil
	}
	f := s.open.f
	s.open = nil
	if file, ok := f.(*os.File); ok {
		blobstore.Uncache(file) // it would push out what somebody needs
	}
	return f.Close()
}

// judge notes that a blob is whole, wrong being nil, or not. One that no
// version needs any more is neither.
func (v *Vault) judge(d Digest, wrong error) error {
	versions, err := view(v, func(t *tx) ([]string, error) { return t.versionsOf(d), nil })
	if err != nil {
		return err
	}
	s := &v.scrub
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.state.Damaged, func(b DamagedBlob) bool { return b.Digest == d })
	switch {
	case wrong == nil || versions == nil:
		if at >= 0 {
			s.state.Damaged = slices.Delete(s.state.Damaged, at, at+1)
		}
	case at >= 0:
		s.state.Damaged[at].Problem, s.state.Damaged[at].Versions = wrong.Error(), versions
	default:
		s.state.Damaged = append(s.state.Damaged, DamagedBlob{d, versions, wrong.Error(), v.store.Clock.Now()})
		slices.SortFunc(s.state.Damaged, func(a, b DamagedBlob) int { return cmp.Compare(a.Digest.Hex(), b.Digest.Hex()) })
	}
	return nil
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

// forget drops findings about blobs that were passed over: nothing needs them
// any more.
func (s *scrub) forget(at *shelf, next Digest, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Damaged = slices.DeleteFunc(s.state.Damaged, func(b DamagedBlob) bool {
		after := !at.any || bytes.Compare(b.Digest[:], at.last[:]) > 0
		before := !found || bytes.Compare(b.Digest[:], next[:]) < 0
		return b.Digest[0] == at.first && after && before
	})
}

// finish notes that a shelf was read.
func (s *scrub) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Checked[shelfName(s.at.first)] = s.at.began
	s.at = nil
}

func (s *scrub) save(dir string) error {
	s.mu.Lock()
	text, err := json.Marshal(s.state)
	s.mu.Unlock()
	if err == nil {
		err = blobstore.WriteFile(filepath.Join(dir, fileFixity), text)
	}
	if err != nil {
		return fmt.Errorf("write down what was scrubbed: %w", err)
	}
	return nil
}
