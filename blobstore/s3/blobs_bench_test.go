package s3

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/blobstore/object"
)

// farStore is a store so far away.
type farStore struct {
	*object.Memory
	delay time.Duration
}

func (f farStore) Put(ctx context.Context, key string, b []byte, c object.Condition) (object.Info, error) {
	time.Sleep(f.delay)
	return f.Memory.Put(ctx, key, b, c)
}

// BenchmarkUpload64KiB stages and keeps blobs of 64 KiB in a store 5 ms away. One
// caller alone cannot be faster than the store; many should not wait for one another.
func BenchmarkUpload64KiB(b *testing.B) {
	for _, callers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			const size, round = 64 << 10, 4000
			var blobs *Blobs
			var made atomic.Int64
			b.SetBytes(size)
			b.ReportAllocs()
			next := func() {
				blobs = openBlobs(b, farStore{object.NewMemory(), 5 * time.Millisecond}, b.TempDir(), 64<<20, 1)
			}
			next()
			b.ResetTimer()
			for done := 0; done < b.N; done += round {
				if done > 0 { // Memory keeps all that it is given
					b.StopTimer()
					next()
					b.StartTimer()
				}
				var left atomic.Int64
				left.Store(int64(min(round, b.N-done)))
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						p := bytes.Repeat([]byte{1}, size)
						for left.Add(-1) >= 0 {
							binary.BigEndian.PutUint64(p, uint64(made.Add(1)))
							if _, err := keepBytes(b.Context(), blobs, p); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "uploads/s")
		})
	}
}
