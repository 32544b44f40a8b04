package s3

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"strongroom/blobstore"
)

const blobsPrefix = "blobs/"

// blobName tells one object of a digest from the others.
type blobName struct {
	epoch uint64
	mark  string // 16 hexadecimal digits. "": an object that somebody else has put there
}

func newBlobName(epoch uint64) blobName {
	var mark [8]byte
	rand.Read(mark[:])
	return blobName{epoch, hex.EncodeToString(mark[:])}
}

// blobPrefix is what the keys of all objects of a digest begin with.
func blobPrefix(d blobstore.Digest) string {
	digits := d.Hex()
	return blobsPrefix + digits[:2] + "/" + digits + "."
}

func (n blobName) key(d blobstore.Digest) string {
	key := blobPrefix(d) + strconv.FormatUint(n.epoch, 10)
	if n.mark != "" {
		key += "-" + n.mark
	}
	return key
}

// parseBlobKey reads what key writes, and nothing else.
func parseBlobKey(key string) (d blobstore.Digest, n blobName, ok bool) {
	name, below := strings.CutPrefix(key, blobsPrefix)
	if !below || len(name) < 3 {
		return d, n, false
	}
	digits, rest, _ := strings.Cut(name[3:], ".")
	d, err := blobstore.ParseDigest("sha256:" + digits)
	if err != nil {
		return d, n, false
	}
	epoch, mark, _ := strings.Cut(rest, "-")
	number, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil || mark != "" && (len(mark) != 16 || strings.Trim(mark, "0123456789abcdef") != "") {
		return d, n, false
	}
	n = blobName{number, mark}
	return d, n, n.key(d) == key
}

// locatedBlob is an object and its size, which does not change.
type locatedBlob struct {
	blobName
	size int64
}

func sortNewest(all []locatedBlob) {
	slices.SortFunc(all, func(a, b locatedBlob) int {
		return cmp.Or(cmp.Compare(b.epoch, a.epoch), cmp.Compare(a.mark, b.mark))
	})
}

// knownBlob is the object by which a digest was last found.
type knownBlob struct {
	locatedBlob
	own bool // this process has put it, and has sent no DELETE for the digest since
}

// mostKnown is how many digests the index knows, in some 20 MB.
const mostKnown = 1 << 16

// blobIndex remembers where blobs were found, so that they need not be listed. It may
// forget any of it at any time.
type blobIndex struct {
	mu     sync.Mutex // leaf lock; guards all
	byName map[blobstore.Digest]knownBlob
	// doubts are names whose PUT or DELETE had no answer. A listing may not show them yet.
	doubts map[blobstore.Digest][]blobName
}

func (x *blobIndex) get(d blobstore.Digest) (knownBlob, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	at, ok := x.byName[d]
	return at, ok
}

// note remembers an object, but not in the place of one that this process has put.
func (x *blobIndex) note(d blobstore.Digest, at knownBlob) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if was, ok := x.byName[d]; ok && was.own && !at.own {
		return
	}
	if x.byName == nil {
		x.byName = map[blobstore.Digest]knownBlob{}
	}
	dropSome(x.byName, mostKnown)
	x.byName[d] = at
}

// forget takes out an object that is not there, or is not what it should be.
func (x *blobIndex) forget(d blobstore.Digest, name blobName) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.byName[d].blobName == name {
		delete(x.byName, d)
	}
}

// doubt remembers a name that may come to stand for an object.
func (x *blobIndex) doubt(d blobstore.Digest, name blobName) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.doubts == nil {
		x.doubts = map[blobstore.Digest][]blobName{}
	}
	dropSome(x.doubts, mostKnown)
	if !slices.Contains(x.doubts[d], name) {
		x.doubts[d] = append(x.doubts[d], name)
	}
}

// take forgets a digest and returns the names it had.
func (x *blobIndex) take(d blobstore.Digest) map[blobName]bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	names := map[blobName]bool{}
	if at, ok := x.byName[d]; ok {
		names[at.blobName] = true
	}
	for _, name := range x.doubts[d] {
		names[name] = true
	}
	delete(x.byName, d)
	delete(x.doubts, d)
	return names
}

// dropSome makes room for one more.
func dropSome[T any](m map[blobstore.Digest]T, most int) {
	for d := range maps.Keys(m) {
		if len(m) < most {
			return
		}
		delete(m, d)
	}
}

// blobTurns lets one Keep or Remove of a digest through at a time: of equal bytes
// that are kept at once, one is put.
type blobTurns struct {
	mu    sync.Mutex // leaf lock
	taken map[blobstore.Digest]chan struct{}
}

func (t *blobTurns) enter(ctx context.Context, d blobstore.Digest) (leave func(), err error) {
	for {
		t.mu.Lock()
		before, taken := t.taken[d]
		if !taken {
			if t.taken == nil {
				t.taken = map[blobstore.Digest]chan struct{}{}
			}
			mine := make(chan struct{})
			t.taken[d] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.taken, d)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-before:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for equal bytes on their way: %w", ctx.Err())
		}
	}
}
