package object

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Memory is a Store in memory: for tests, and to see what a store must do. Make it
// with NewMemory.
type Memory struct {
	mu      sync.Mutex // guards objects
	objects map[string]stored
}

type stored struct {
	b    []byte
	info Info
}

// NewMemory returns a store without objects.
func NewMemory() *Memory { return &Memory{objects: map[string]stored{}} }

func (m *Memory) Put(ctx context.Context, key string, b []byte, c Condition) (Info, error) {
	if err := ctx.Err(); err != nil {
		return Info{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	was, there := m.objects[key]
	switch {
	case c.Absent && there:
		return Info{}, ErrExists
	case c.Match != "" && (!there || was.info.ETag != c.Match):
		return Info{}, ErrChanged
	}
	sum := sha256.Sum256(b)
	now := time.Now().UTC().Truncate(time.Second)
	info := Info{Key: key, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, Size: int64(len(b)), Modified: now, Now: now}
	m.objects[key] = stored{bytes.Clone(b), info}
	return info, nil
}

// PutHeld is Put after ready has returned. See Holder.
func (m *Memory) PutHeld(ctx context.Context, key string, b []byte, c Condition, ready func() error) (Info, error) {
	if err := ready(); err != nil {
		return Info{}, err
	}
	return m.Put(ctx, key, b, c)
}

func (m *Memory) PutStream(ctx context.Context, key string, r io.Reader, size int64) (Info, error) {
	b, err := io.ReadAll(io.LimitReader(r, size+1))
	if err == nil && int64(len(b)) != size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Info{}, err
	}
	return m.Put(ctx, key, b, Condition{})
}

func (m *Memory) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, Info, error) {
	o, err := m.get(ctx, key)
	if err != nil {
		return nil, Info{}, err
	}
	return io.NopCloser(bytes.NewReader(o.b[min(offset, o.info.Size):])), o.info, nil
}

func (m *Memory) Stat(ctx context.Context, key string) (Info, error) {
	o, err := m.get(ctx, key)
	return o.info, err
}

func (m *Memory) get(ctx context.Context, key string) (stored, error) {
	if err := ctx.Err(); err != nil {
		return stored{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return stored{}, ErrNotFound
	}
	o.info.Now = time.Now().UTC().Truncate(time.Second)
	return o, nil
}

func (m *Memory) Delete(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
	return nil
}

func (m *Memory) List(ctx context.Context, prefix, after string, fn func(Info) error) error {
	m.mu.Lock()
	var found []Info
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			found = append(found, o.info)
		}
	}
	m.mu.Unlock()
	slices.SortFunc(found, func(a, b Info) int { return strings.Compare(a.Key, b.Key) })
	for _, info := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := fn(info); err != nil {
			return err
		}
	}
	return nil
}
