package object

import (
	"context"
	"io"
	"strings"
)

// Under is what a store has below a prefix, which ends in a slash: as one vault of
// several sees it.
func Under(store Store, prefix string) Store { return under{store, prefix} }

type under struct {
	store  Store
	prefix string
}

func (u under) seen(info Info) Info {
	info.Key = strings.TrimPrefix(info.Key, u.prefix)
	return info
}

func (u under) Put(ctx context.Context, key string, b []byte, c Condition) (Info, error) {
	info, err := u.store.Put(ctx, u.prefix+key, b, c)
	return u.seen(info), err
}

func (u under) PutStream(ctx context.Context, key string, r io.Reader, size int64) (Info, error) {
	info, err := u.store.PutStream(ctx, u.prefix+key, r, size)
	return u.seen(info), err
}

func (u under) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, Info, error) {
	r, info, err := u.store.Get(ctx, u.prefix+key, offset)
	return r, u.seen(info), err
}

func (u under) Stat(ctx context.Context, key string) (Info, error) {
	info, err := u.store.Stat(ctx, u.prefix+key)
	return u.seen(info), err
}

func (u under) Delete(ctx context.Context, key string) error {
	return u.store.Delete(ctx, u.prefix+key)
}

func (u under) List(ctx context.Context, prefix, after string, fn func(Info) error) error {
	if after != "" {
		after = u.prefix + after
	}
	return u.store.List(ctx, u.prefix+prefix, after, func(info Info) error { return fn(u.seen(info)) })
}
