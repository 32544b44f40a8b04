package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/blobstore"
	"strongroom/blobstore/object"
)

// TestBlobsModel runs owners one after the other over one store whose answers are lost
// and whose requests come late, some when their owner is long replaced. What is
// referred to can be read at all times, and what is not is gone once Each was looked through.
func TestBlobsModel(t *testing.T) {
	steps := 400
	if testing.Short() {
		steps = 150
	}
	for seed := range uint64(4) {
		synctest.Test(t, func(t *testing.T) { newBlobsModel(t, seed).run(steps) })
	}
}

type blobsModel struct {
	t      *testing.T
	draw   *rand.Rand
	s      *badStore
	b      *Blobs
	epoch  uint64
	bytes  [][]byte
	refs   map[blobstore.Digest]bool // what the vault refers to
	paused []func()                  // owners in the middle of a Remove

	drawing sync.Mutex // guards draw
}

func newBlobsModel(t *testing.T, seed uint64) *blobsModel {
	m := &blobsModel{t: t, draw: rand.New(rand.NewPCG(seed, 19)), s: newBadStore(), refs: map[blobstore.Digest]bool{}}
	for i := range 6 {
		m.bytes = append(m.bytes, randomBytes(seed<<4+uint64(i), 100))
	}
	lost := func(string) error {
		if m.roll(4) == 0 {
			return errStore
		}
		return nil
	}
	m.s.before, m.s.after = lost, lost
	m.s.late = func(call string) bool {
		return (strings.HasPrefix(call, "DELETE") || strings.HasPrefix(call, "PUT")) && m.roll(3) == 0
	}
	m.own(t.TempDir(), 1)
	return m
}

func (m *blobsModel) roll(n int) int {
	m.drawing.Lock()
	defer m.drawing.Unlock()
	return m.draw.IntN(n)
}

func (m *blobsModel) own(dir string, epoch uint64) {
	m.epoch = epoch
	m.b = openBlobs(m.t, m.s, dir, 0, epoch)
	if m.roll(2) == 0 {
		m.b.SetLive(func(d blobstore.Digest) bool { return m.refs[d] })
	}
}

func (m *blobsModel) run(steps int) {
	for range steps {
		p := m.bytes[m.roll(len(m.bytes))]
		d := blobstore.Digest(sha256.Sum256(p))
		switch m.roll(12) {
		case 0, 1, 2, 3:
			m.keep(p)
		case 4, 5, 6:
			delete(m.refs, d)
			m.b.Remove(d) // or not: the store may give no answer
		case 7:
			delete(m.refs, d)
			m.pause(d)
		case 8:
			if len(m.paused) > 0 {
				m.paused[0]()
				m.paused = m.paused[1:]
			}
		case 9:
			m.deliverOne()
		case 10:
			m.own(m.b.dir, m.epoch) // killed and started again, in its epoch
		case 11:
			m.own(m.t.TempDir(), m.epoch+1)
		}
		m.check()
	}
	for _, wake := range m.paused {
		wake()
	}
	m.s.deliver()
	m.s.before, m.s.after, m.s.late = nil, nil, nil
	m.check()
	var unneeded []blobstore.Digest
	err := m.b.Each(m.t.Context(), func(d blobstore.Digest, _ int64) error {
		if !m.refs[d] {
			unneeded = append(unneeded, d)
		}
		return nil
	})
	if err != nil {
		m.t.Error(err)
	}
	for _, d := range unneeded {
		if err := m.b.Remove(d); err != nil {
			m.t.Error(err)
		}
	}
	m.check()
	for _, key := range keysOf(m.t, m.s) {
		if d, _, ok := parseBlobKey(key); !ok || !m.refs[d] {
			m.t.Errorf("the store still has %s", key)
		}
	}
}

// keep is an upload: its caller may give up, and then it is purged as engine does.
func (m *blobsModel) keep(p []byte) {
	ctx, cancel := context.WithTimeout(m.t.Context(), time.Duration(m.roll(400))*time.Millisecond)
	defer cancel()
	d, err := keepBytes(ctx, m.b, p)
	switch {
	case err == nil && m.roll(5) > 0:
		m.refs[d] = true
	case !m.refs[d]: // it failed, or the record of the reference did
		m.b.Remove(d)
	}
}

// pause has the owner stop in the middle of Remove, where it is replaced; it wakes later.
func (m *blobsModel) pause(d blobstore.Digest) {
	gate := make(chan struct{})
	stop := m.roll(3) // before its first request, or a later one
	old := m.b
	old.store = &pausing{badStore: m.s, at: stop, gate: gate}
	done := make(chan struct{})
	go func() {
		defer close(done)
		old.Remove(d)
	}()
	synctest.Wait()
	m.own(m.t.TempDir(), m.epoch+1)
	m.paused = append(m.paused, func() { close(gate); <-done })
}

// pausing stops at its n-th request until the gate opens.
type pausing struct {
	*badStore
	mu   sync.Mutex
	at   int
	gate chan struct{}
}

func (p *pausing) stop() {
	p.mu.Lock()
	p.at--
	stop := p.at < 0
	p.mu.Unlock()
	if stop {
		<-p.gate
	}
}

func (p *pausing) Delete(ctx context.Context, key string) error {
	p.stop()
	return p.badStore.Delete(context.WithoutCancel(ctx), key)
}

func (p *pausing) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	p.stop()
	return p.badStore.List(context.WithoutCancel(ctx), prefix, after, fn)
}

// deliverOne carries out one request that is late.
func (m *blobsModel) deliverOne() {
	m.s.mu.Lock()
	var late func()
	if n := len(m.s.queue); n > 0 {
		i := m.roll(n)
		late = m.s.queue[i]
		m.s.queue = slices.Delete(m.s.queue, i, i+1)
	}
	m.s.mu.Unlock()
	if late != nil {
		late()
	}
}

// check reads all that is referred to, by an own eye and through Blobs.
func (m *blobsModel) check() {
	sound := &Blobs{store: m.s.Memory}
	for _, p := range m.bytes {
		d := blobstore.Digest(sha256.Sum256(p))
		if !m.refs[d] {
			continue
		}
		if got, err := readWith(sound.OpenStored, d); err != nil || !bytes.Equal(got, p) {
			m.t.Fatalf("%v is referred to and cannot be read: %d bytes, %v", d, len(got), err)
		}
		if got, err := readWith(m.b.Open, d); err != nil || !bytes.Equal(got, p) {
			m.t.Fatalf("%v: read %d bytes, %v", d, len(got), err)
		}
	}
}
