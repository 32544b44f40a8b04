package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore/s3/s3test"
)

// BenchmarkStore measures a server whose vault lives in a store on this machine beside
// one whose vault lives on the local disk, with so much added to each request that goes
// to the store. It prints a table: of each the changes or reads in a second, their ratio
// to the local disk's in the same run, and how long half of them and 99 of 100 took. A
// turn takes -turn; callers are the crowd's. What the store does to keep its objects is
// measured with it: with TMPDIR on a disk in memory, and the other vault on the disk of
// -dir, the store costs next to nothing, and what is left is what Strongroom does.
func BenchmarkStore(b *testing.B) {
	kinds := []storeWork{
		{"PATCH", func(p *pressed, caller, i int) error {
			return p.ask("PATCH", "/v1/documents/"+p.documents[caller], fmt.Appendf(nil, `{"description":"%d"}`, i), http.StatusOK)
		}},
		{"upload 4 KiB", func(p *pressed, caller, i int) error {
			content := bytes.Repeat([]byte(fmt.Sprintf("%07d,", caller<<24+i)), 512)
			return p.ask("POST", "/v1/documents?fileName=a.bin", content, http.StatusCreated)
		}},
		{"GET", func(p *pressed, caller, _ int) error {
			return p.ask("GET", "/v1/documents/"+p.documents[caller], nil, http.StatusOK)
		}},
	}
	// On a busy machine a short lease is lost now and then.
	defer func(d time.Duration) { *leaseTime = d }(*leaseTime)
	*leaseTime = 0
	f := newFleet(b, 0)
	homes := []struct {
		name  string
		start func() *pressed
	}{{"local disk", func() *pressed { return localHome(b) }}}
	for _, delay := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond} {
		homes = append(homes, struct {
			name  string
			start func() *pressed
		}{fmt.Sprintf("%s + %v", f.gateway.Name, delay), func() *pressed { return storeHome(b, f, delay) }})
	}
	// A benchmark's own log is cut after some lines.
	fmt.Printf("\n%-20s %-13s %8s %10s %7s %10s %10s\n", "home", "what", "callers", "a second", "ratio", "median", "99 of 100")
	local := map[string]float64{}
	for _, home := range homes {
		p := home.start()
		for _, kind := range kinds {
			for _, callers := range crowd {
				r := p.measure(b, callers, kind.do)
				cell := fmt.Sprint(kind.name, callers)
				if home.name == homes[0].name {
					local[cell] = r.perSecond
				}
				fmt.Printf("%-20s %-13s %8d %10.0f %7.2f %10v %10v\n", home.name, kind.name, callers, r.perSecond, r.perSecond/local[cell],
					r.median.Round(10*time.Microsecond), r.slow.Round(10*time.Microsecond))
			}
		}
		p.end()
	}
	b.ReportMetric(0, "ns/op")
}

type storeWork struct {
	name string
	do   func(p *pressed, caller, i int) error
}

// pressed is a server under measurement.
type pressed struct {
	url, key  string
	client    *http.Client
	documents []string // of each caller one
	end       func()
}

func (p *pressed) ask(method, path string, body []byte, want int) error {
	f := &fleet{key: p.key}
	code, answer, err := f.try(context.Background(), p.client, method, p.url+path, string(body), "Content-Type", "application/json")
	if err == nil && code != want {
		err = fmt.Errorf("%s %s: %d\n%s", method, path, code, answer)
	}
	return err
}

// settle makes the documents that callers change.
func (p *pressed) settle(b *testing.B, s *server, key string) *pressed {
	p.url, p.key = s.url, key
	p.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: slices.Max(crowd)}}
	for range slices.Max(crowd) {
		p.documents = append(p.documents, s.upload(b, key, "a.txt", "a"))
	}
	return p
}

func localHome(b *testing.B) *pressed {
	data := b.TempDir()
	if *peers.dir != "" {
		var err error
		if data, err = os.MkdirTemp(*peers.dir, "strongroom-*"); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { os.RemoveAll(data) })
	}
	s := spawn(b, data, "--log-level", "error")
	p := &pressed{end: func() { s.end() }}
	return p.settle(b, s, s.firstKey(b))
}

func storeHome(b *testing.B, f *fleet, delay time.Duration) *pressed {
	f.prefix, f.key = "after-"+delay.String(), ""
	m := f.add()
	m.direct = delay == 0
	m.start()
	m.toStore.Set(s3test.Rules{Delay: delay})
	p := &pressed{end: m.stop}
	return p.settle(b, m.server, f.key)
}

type pace struct {
	perSecond    float64
	median, slow time.Duration
}

// measure has so many callers work for a turn.
func (p *pressed) measure(b *testing.B, callers int, work func(p *pressed, caller, i int) error) pace {
	b.Helper()
	var mu sync.Mutex // guards both
	var took []time.Duration
	var failed error
	var wg sync.WaitGroup
	began := time.Now()
	for caller := range callers {
		wg.Go(func() {
			var mine []time.Duration
			var err error
			for i := int(began.UnixNano() >> 10 & 0xffffff); time.Since(began) < *peers.turn && err == nil; i++ {
				start := time.Now()
				err = work(p, caller, i)
				mine = append(mine, time.Since(start))
			}
			mu.Lock()
			defer mu.Unlock()
			took, failed = append(took, mine...), errors.Join(failed, err)
		})
	}
	wg.Wait()
	elapsed := time.Since(began)
	if failed != nil {
		b.Fatal(failed)
	}
	slices.Sort(took)
	return pace{float64(len(took)) / elapsed.Seconds(), took[len(took)/2], took[len(took)*99/100]}
}
