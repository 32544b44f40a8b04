package cluster

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// BenchmarkOwner changes documents by some callers at once: at home on this disk, and in a
// store in memory that takes a while for each put.
func BenchmarkOwner(b *testing.B) {
	for _, delay := range []time.Duration{-1, 0, 5 * time.Millisecond, 20 * time.Millisecond} {
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%v/%d", delay, callers), func(b *testing.B) {
				w := over(newTown(b).mem)
				w.delay = delay / 2
				c := &Config{Objects: w, start: time.Now(), clean: &atomic.Uint64{}}
				o := engine.Options{Name: "main", ReserveBytes: -1}
				if delay >= 0 {
					o.Home = &shipper{c: c, ctx: b.Context(), ended: func() error { return nil }, lost: func(error) {}, z: newDeflater(), rest: rested{seen: c.now()}}
				}
				k := enginetest.NewWith(b, o)
				var each sync.WaitGroup
				turns := make(chan int)
				for n := range callers {
					doc := k.Create(fmt.Sprint(n), "text")
					each.Go(func() {
						for i := range turns {
							name := fmt.Sprint("name ", i)
							if _, _, err := k.UpdateDocument(b.Context(), k.Admin, doc.ID, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
								b.Error(err)
							}
						}
					})
				}
				b.ResetTimer()
				for i := range b.N {
					turns <- i
				}
				close(turns)
				each.Wait()
				b.StopTimer()
				if s, ok := o.Home.(*shipper); ok {
					b.ReportMetric(float64(b.N)/float64(s.groups), "changes/group")
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
			})
		}
	}
}
