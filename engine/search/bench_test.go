package search

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/blobstore"
	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/segment"
	"strongroom/engine/search/words"
)

var (
	million   = flag.Bool("million", false, "measure at a million documents instead of a hundred thousand")
	benchData = flag.String("vault", "", "a directory to make the vault in, and to find it in the next time")
)

// looseBlobs keeps small blobs in one file and syncs nothing: to make a vault
// for a benchmark, not to keep one.
type looseBlobs struct {
	mu   sync.Mutex
	file *os.File
	at   int64
	all  map[blobstore.Digest][2]int64
}

type looseBlob struct {
	*looseBlobs
	data   []byte
	digest blobstore.Digest
}

// load finds the blobs again that an earlier run has made: each ends with its
// fortieth space.
func (l *looseBlobs) load() error {
	data, err := io.ReadAll(l.file)
	l.at = int64(len(data))
	for at, begin, spaces := 0, 0, 0; at < len(data); at++ {
		if data[at] != ' ' {
			continue
		}
		if spaces++; spaces%benchWords == 0 {
			l.all[sha256.Sum256(data[begin:at+1])] = [2]int64{int64(begin), int64(at + 1 - begin)}
			begin = at + 1
		}
	}
	return err
}

func (l *looseBlobs) Stage(_ context.Context, r io.Reader, _ int64) (blobstore.Staged, error) {
	data, err := io.ReadAll(r)
	return &looseBlob{l, data, sha256.Sum256(data)}, err
}

func (b *looseBlob) Digest() blobstore.Digest { return b.digest }
func (b *looseBlob) Size() int64              { return int64(len(b.data)) }
func (b *looseBlob) Prefix() []byte           { return b.data[:min(len(b.data), 512)] }
func (b *looseBlob) Discard() error           { return nil }

func (b *looseBlob) Keep(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.file.WriteAt(b.data, b.at)
	b.all[b.digest] = [2]int64{b.at, int64(len(b.data))}
	b.at += int64(len(b.data))
	return err
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func (l *looseBlobs) Open(d blobstore.Digest) (io.ReadSeekCloser, error) {
	l.mu.Lock()
	place, ok := l.all[d]
	l.mu.Unlock()
	if !ok {
		return nil, blobstore.ErrNotFound
	}
	data := make([]byte, place[1])
	_, err := l.file.ReadAt(data, place[0])
	return closer{bytes.NewReader(data)}, err
}

func (l *looseBlobs) Stat(blobstore.Digest) (int64, error) { return 0, blobstore.ErrNotFound }
func (l *looseBlobs) Remove(blobstore.Digest) error        { return nil }
func (l *looseBlobs) Check(context.Context, blobstore.Digest) (int64, error) {
	return 0, blobstore.ErrNotFound
}
func (l *looseBlobs) Each(context.Context, func(blobstore.Digest, int64) error) error { return nil }

// prose makes texts of words that are as common as words are.
type prose struct {
	random *rand.Rand
	zipf   *rand.Zipf
}

const (
	vocabulary = 50_000
	benchWords = 40 // of each text
)

func newProse(seed uint64) *prose {
	r := rand.New(rand.NewPCG(seed, 7))
	return &prose{r, rand.NewZipf(r, 1.07, 3, vocabulary-1)}
}

// wordOf is the word of a rank, the same in every run.
func wordOf(rank uint64) string {
	r := rand.New(rand.NewPCG(rank, 3))
	var b strings.Builder
	for range 2 + r.IntN(3) {
		b.WriteByte("bcdfghklmnprstvw"[r.IntN(16)])
		b.WriteByte("aeiou"[r.IntN(5)])
	}
	return b.String() + string("nrstlm"[rank%6])
}

func (p *prose) text(words int) string {
	var b strings.Builder
	for range words {
		b.WriteString(wordOf(p.zipf.Uint64()))
		b.WriteByte(' ')
	}
	return b.String()
}

func benchVault(b *testing.B, dir string, n int) *engine.Vault {
	b.Helper()
	file, err := os.OpenFile(filepath.Join(filepath.Dir(dir), "blobs"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { file.Close() })
	blobs := &looseBlobs{file: file, all: map[blobstore.Digest][2]int64{}}
	if err := blobs.load(); err != nil {
		b.Fatal(err)
	}
	o := engine.Options{Name: "main", ReserveBytes: -1, Create: true, Blobs: blobs}
	v, err := engine.Open(dir, o)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { v.Close() })
	if v.Head().Seq >= uint64(n) {
		return v
	}
	u, _, err := v.CreateUser(b.Context(), engine.Operator(), engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	if err != nil {
		b.Fatal(err)
	}
	actor := engine.Actor{UserID: u.ID, Access: engine.AccessAdmin}
	var next atomic.Int64
	var making sync.WaitGroup
	for c := range 256 {
		making.Go(func() {
			p := newProse(uint64(c))
			for i := next.Add(1); i <= int64(n); i = next.Add(1) {
				up, err := v.Stage(b.Context(), strings.NewReader(p.text(benchWords)), 0)
				if err == nil {
					_, _, err = v.CreateDocument(b.Context(), actor, engine.NewDocument{
						Name: p.text(3), Category: []string{"contract", "invoice", "other"}[i%3],
						Tags:    []string{"client:" + wordOf(p.zipf.Uint64()%1000), fmt.Sprint("year:", 2000+i%25)},
						Version: engine.NewVersion{MediaType: "text/plain"},
					}, up)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	making.Wait()
	return v
}

// BenchmarkSearch measures eight clients at once over small documents: of 40
// words of text, three of name and two tags.
func BenchmarkSearch(b *testing.B) {
	n := 100_000
	if *million {
		n = 1_000_000
	}
	dir := b.TempDir()
	if *benchData != "" {
		dir = *benchData
	}
	v := benchVault(b, filepath.Join(dir, "main"), n)
	x, err := Open(v, filepath.Join(dir, "main", "search"), Options{Patience: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, x.Close()); err != nil {
			b.Error(err)
		}
	})
	began := time.Now()
	for x.Stats().Through < v.Head().Seq {
		time.Sleep(time.Millisecond)
	}
	if indexed := x.Stats().Indexed; indexed >= uint64(n) {
		b.Logf("indexed %d documents, %.0f per second", n, float64(indexed)/time.Since(began).Seconds())
	}
	for _, kind := range []struct {
		name   string
		query  func(*prose) string
		filter engine.DocumentQuery
	}{
		{"two words", func(p *prose) string { return p.text(2) }, engine.DocumentQuery{}},
		{"a rare word", func(p *prose) string { return wordOf(1000 + p.random.Uint64N(20_000)) }, engine.DocumentQuery{}},
		{"a common word", func(p *prose) string { return wordOf(p.random.Uint64N(20)) }, engine.DocumentQuery{}},
		{"a prefix", func(p *prose) string { return wordOf(p.random.Uint64N(5000))[:4] + "*" }, engine.DocumentQuery{}},
		{"a phrase", func(p *prose) string {
			return `"` + wordOf(p.random.Uint64N(50)) + " " + wordOf(p.random.Uint64N(50)) + `"`
		}, engine.DocumentQuery{}},
		{"two words, category and tag", func(p *prose) string { return p.text(2) }, engine.DocumentQuery{Category: "contract", Tags: []string{"year:2010"}}},
	} {
		b.Run(strings.ReplaceAll(kind.name, " ", "-"), func(b *testing.B) { clients(b, x, kind.query, kind.filter) })
	}
}

func clients(b *testing.B, x *Index, query func(*prose) string, filter engine.DocumentQuery) {
	var mu sync.Mutex
	var took []time.Duration
	var found atomic.Int64
	var left atomic.Int64
	left.Store(int64(b.N))
	var asking sync.WaitGroup
	for c := range 8 {
		asking.Go(func() {
			p := newProse(uint64(1000 + c))
			for left.Add(-1) >= 0 {
				began := time.Now()
				r, err := x.Search(b.Context(), Query{Text: query(p), Filter: filter, Paging: engine.Paging{Limit: 10}})
				if err != nil {
					b.Error(err)
					return
				}
				found.Add(int64(r.Total))
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	asking.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(found.Load())/float64(b.N), "found")
}

// BenchmarkFollowing changes random ones of ten thousand small documents, by 64
// callers, until the index has the last of them too, and again with nobody following
// the log, which is the limit.
func BenchmarkFollowing(b *testing.B) {
	dir := b.TempDir()
	v := benchVault(b, filepath.Join(dir, "main"), 10_000)
	var ids []string
	for q := (engine.DocumentQuery{Paging: engine.Paging{Limit: 500}}); ; {
		page, err := v.Documents(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		for _, d := range page.Items {
			ids = append(ids, d.ID)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			break
		}
	}
	change := func(after func()) float64 {
		var left atomic.Int64
		left.Store(int64(b.N))
		began := time.Now()
		var changing sync.WaitGroup
		for range 64 {
			changing.Go(func() {
				for i := left.Add(-1); i >= 0; i = left.Add(-1) {
					text := fmt.Sprintf("the change %d of %d", i, b.N)
					patch := engine.DocumentPatch{Description: &text}
					if _, _, err := v.UpdateDocument(b.Context(), engine.Operator(), ids[rand.IntN(len(ids))], engine.Condition{}, patch); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		changing.Wait()
		after()
		return float64(b.N) / time.Since(began).Seconds()
	}
	alone := change(func() {})
	x, err := Open(v, filepath.Join(dir, "search"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	arrived := func() {
		for x.Stats().Through < v.Head().Seq {
			time.Sleep(time.Millisecond)
		}
	}
	arrived()
	before := x.Stats().Indexed
	b.ResetTimer()
	followed := change(arrived)
	b.StopTimer()
	b.ReportMetric(followed, "changes/s")
	b.ReportMetric(followed/alone, "of-limit")
	b.ReportMetric(float64(x.Stats().Indexed-before)/float64(b.N), "indexed/op")
	cancel()
	if err := errors.Join(<-ended, x.Close()); err != nil {
		b.Error(err)
	}
}

// BenchmarkIndexing measures what it costs to index a small document, reading
// it from the vault apart.
func BenchmarkIndexing(b *testing.B) {
	split, err := words.NewSplitter("en")
	if err != nil {
		b.Fatal(err)
	}
	store, _, err := segment.Open(b.TempDir(), "bench")
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	p, a := newProse(1), newSplit(split)
	texts := make([]string, 2000)
	for i := range texts {
		texts[i] = p.text(40)
	}
	var c segment.Changes
	var size int64
	n := 0
	apply := func() {
		c.State = json.RawMessage(fmt.Sprint(n))
		if err := errors.Join(store.Apply(c), store.Settle()); err != nil {
			b.Fatal(err)
		}
		if store.MemoryBytes() >= saveBytes {
			if err := errors.Join(store.Save(), store.Compact(never)); err != nil {
				b.Fatal(err)
			}
		}
		c = segment.Changes{}
	}
	for b.Loop() {
		text := texts[n%len(texts)]
		size += int64(len(text))
		d := engine.Faceted{Document: engine.Document{Name: text[:20], Tags: []string{"client:acme"}}, Facets: []string{"sl", "ccontract"}}
		doc, err := a.document(&d, segment.ID{8: byte(n >> 24), 9: byte(n >> 16), 10: byte(n >> 8), 11: byte(n)}, content{Result: extract.Result{State: extract.Indexed, Text: text}})
		if err != nil {
			b.Fatal(err)
		}
		if c.Put = append(c.Put, doc); len(c.Put) == 500 {
			apply()
		}
		n++
	}
	apply()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "documents/s")
}
