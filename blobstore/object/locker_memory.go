package object

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LockedMemory is a Locker in memory, for tests. Make it with NewLockedMemory.
type LockedMemory struct {
	mu      sync.Mutex // guards what follows
	objects map[string][]*locked
	last    int // the number of the last version
}

type locked struct {
	Version
	b     []byte
	until time.Time
	held  bool
}

// NewLockedMemory returns a store without objects.
func NewLockedMemory() *LockedMemory { return &LockedMemory{objects: map[string][]*locked{}} }

// current is what can be read under the key, nil if nothing. mu is held.
func (m *LockedMemory) current(key string) *locked {
	versions := m.objects[key]
	if len(versions) == 0 || versions[len(versions)-1].Marker {
		return nil
	}
	return versions[len(versions)-1]
}

// add is called with mu held.
func (m *LockedMemory) add(v *locked) Info {
	m.last++
	v.ID = strconv.Itoa(m.last)
	v.Modified = time.Now().UTC().Truncate(time.Second)
	v.Now = v.Modified
	m.objects[v.Key] = append(m.objects[v.Key], v)
	return v.Info
}

func (m *LockedMemory) Put(ctx context.Context, key string, b []byte, c Condition) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	was := m.current(key)
	switch {
	case c.Absent && was != nil:
		return Info{}, ErrExists
	case c.Match != "" && (was == nil || was.ETag != c.Match):
		return Info{}, ErrChanged
	}
	sum := sha256.Sum256(b)
	info := Info{Key: key, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, Size: int64(len(b))}
	return m.add(&locked{Version: Version{Info: info}, b: bytes.Clone(b)}), nil
}

func (m *LockedMemory) PutStream(ctx context.Context, key string, r io.Reader, size int64) (Info, error) {
	b, err := io.ReadAll(io.LimitReader(r, size+1))
	if err == nil && int64(len(b)) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Info{}, err
	}
	return m.Put(ctx, key, b, Condition{})
}

func (m *LockedMemory) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, Info, error) {
	info, err := m.Stat(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.current(key)
	if v == nil || v.ETag != info.ETag {
		return nil, Info{}, ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(v.b[min(offset, v.Size):])), info, nil
}

func (m *LockedMemory) Stat(ctx context.Context, key string) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := m.current(key)
	if v == nil {
		return Info{}, ErrNotFound
	}
	info := v.Info
	info.Now = time.Now().UTC().Truncate(time.Second)
	return info, nil
}

func (m *LockedMemory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current(key) != nil {
		m.add(&locked{Version: Version{Info: Info{Key: key}, Marker: true}})
	}
	return nil
}

func (m *LockedMemory) List(ctx context.Context, prefix, after string, fn func(Info) error) error {
	newest := ""
	return m.Versions(ctx, prefix, func(v Version) error {
		if v.Key == newest || v.Key <= after {
			return nil
		}
		if newest = v.Key; v.Marker {
			return nil
		}
		return fn(v.Info)
	})
}

// Versions: see Locker.
func (m *LockedMemory) Versions(ctx context.Context, prefix string, fn func(Version) error) error {
	m.mu.Lock()
	var found []Version
	for key, versions := range m.objects {
		if strings.HasPrefix(key, prefix) {
			for _, v := range slices.Backward(versions) {
				found = append(found, v.Version)
			}
		}
	}
	m.mu.Unlock()
	slices.SortStableFunc(found, func(a, b Version) int { return strings.Compare(a.Key, b.Key) })
	for _, v := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(v); err != nil {
			return err
		}
	}
	return nil
}

// Retain: see Locker.
func (m *LockedMemory) Retain(ctx context.Context, key, version string, until time.Time) error {
	return m.change(ctx, key, version, func(v *locked) {
		if until.After(v.until) {
			v.until = until
		}
	})
}

// LegalHold: see Locker.
func (m *LockedMemory) LegalHold(ctx context.Context, key, version string, on bool) error {
	return m.change(ctx, key, version, func(v *locked) { v.held = on })
}

func (m *LockedMemory) change(ctx context.Context, key, version string, do func(*locked)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.objects[key] {
		if v.ID == version && !v.Marker {
			do(v)
			return nil
		}
	}
	return ErrNotFound
}

// DeleteVersion: see Locker.
func (m *LockedMemory) DeleteVersion(ctx context.Context, key, version string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range m.objects[key] {
		if v.ID != version {
			continue
		}
		if v.held || v.until.After(time.Now()) {
			return ErrLocked
		}
		m.objects[key] = slices.Delete(m.objects[key], i, i+1)
		return nil
	}
	return nil
}
