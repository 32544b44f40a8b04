package store_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"strongroom/engine/internal/store"
)

// narrow is a store with little address space.
func narrow(t *testing.T) *kit {
	k := newKit(t)
	k.options.Map = 1 << 20
	k.reopen()
	return k
}

// TestWidening: a store whose database outgrows the address space that is kept for it
// goes on, by groups of many rows, of large ones, and of small ones beside large ones; others read
// meanwhile. Were a group to need more than is mapped, bbolt would wait for ever, for the
// state that the log pins.
func TestWidening(t *testing.T) {
	large := strings.Repeat("large", 24_000)
	for name, group := range map[string]func(k *kit, n int) error{
		"large values": func(k *kit, n int) error { return k.submit(put(fmt.Sprint(n), strings.Repeat("x", 300_000*(n%3)))) },
		"many rows": func(k *kit, n int) error {
			return k.submit(func(t *store.Tx) (store.Record, error) {
				r := rand.New(rand.NewPCG(uint64(n), 5))
				for range 3_000 {
					t.Put(notes, fmt.Appendf(nil, "%08d", r.IntN(1e8)), []byte("some text"))
				}
				return noted(), nil
			})
		},
		"beside large ones": func(k *kit, n int) error {
			return k.submit(func(t *store.Tx) (store.Record, error) {
				for i := range 60 {
					if n == 0 {
						t.Put(notes, fmt.Appendf(nil, "%03d", i), []byte(large))
					} else {
						t.Put(notes, fmt.Appendf(nil, "%03d small", i), []byte{byte(n)})
					}
				}
				return noted(), nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := narrow(t)
			stop := make(chan struct{})
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						k.rows(notes)
					}
				}
			})
			for n := range 16 {
				must(t, group(k, n))
			}
			close(stop)
			wg.Wait()
			rows := len(k.rows(notes))
			k.reopen()
			if got := len(k.rows(notes)); got != rows || got < 16 {
				t.Errorf("%d rows are there, of %d", got, rows)
			}
		})
	}
}
