package clustertest

import (
	"context"
	"io"
	"strings"

	"strongroom/blobstore/object"
)

// Below is what a store has below a prefix, as one vault of several sees it.
func Below(store object.Store, prefix string) object.Store { return below{store, prefix} }

type below struct {
	store  object.Store
	prefix string
}

func (b below) seen(info object.Info) object.Info {
	info.Key = strings.TrimPrefix(info.Key, b.prefix)
	return info
}

func (b below) Put(ctx context.Context, key string, data []byte, c object.Condition) (object.Info, error) {
	info, err := b.store.Put(ctx, b.prefix+key, data, c)
	return b.seen(info), err
}

func (b below) PutStream(ctx context.Context, key string, r io.Reader, size int64) (object.Info, error) {
	info, err := b.store.PutStream(ctx, b.prefix+key, r, size)
	return b.seen(info), err
}

func (b below) Get(ctx context.Context, key string, offset int64) (io.ReadCloser, object.Info, error) {
	r, info, err := b.store.Get(ctx, b.prefix+key, offset)
	return r, b.seen(info), err
}

func (b below) Stat(ctx context.Context, key string) (object.Info, error) {
	info, err := b.store.Stat(ctx, b.prefix+key)
	return b.seen(info), err
}

func (b below) Delete(ctx context.Context, key string) error {
	return b.store.Delete(ctx, b.prefix+key)
}

func (b below) List(ctx context.Context, prefix, after string, fn func(object.Info) error) error {
	if after != "" {
		after = b.prefix + after
	}
	return b.store.List(ctx, b.prefix+prefix, after, func(info object.Info) error { return fn(b.seen(info)) })
}
