package webhook

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// While the vault is written to, attempts begin far apart, slow ones too; when it
// is quiet they begin as fast as they can.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace()
		ctx, cancel := context.WithCancel(context.Background())
		var begun atomic.Int64
		for range 1_000 { // endpoints that take a second to answer
			go func() {
				for ctx.Err() == nil {
					end, err := p.take(ctx)
					if err != nil {
						return
					}
					begun.Add(1)
					time.Sleep(time.Second)
					end()
				}
			}()
		}
		slots := int64(runtime.GOMAXPROCS(0))
		for range 100 { // a second of writing
			p.note()
			time.Sleep(10 * time.Millisecond)
		}
		each := int64(time.Second / (starting + yield*starting))
		if n := begun.Load(); n > slots*(each+1) || n < slots*(each-1) {
			t.Errorf("%d begun in a second of writing, want %d", n, slots*each)
		}
		time.Sleep(time.Second)
		if n := begun.Load(); n < 1_000 {
			t.Errorf("%d begun after a second of quiet", n)
		}
		cancel()
		time.Sleep(2 * time.Second)
		if held := len(p.slots); held > 0 {
			t.Errorf("%d are held by nobody", held)
		}
	})
}
