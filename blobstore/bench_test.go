package blobstore

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// race lets writers goroutines do n times work and returns how long they took.
func race(writers, n int, work func()) time.Duration {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	start := time.Now()
	for range writers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				work()
			}
		})
	}
	wg.Wait()
	return time.Since(start)
}

// BenchmarkKeep64KiB stages and keeps blobs of 64 KiB that nobody has. The
// limit is the bare system calls: temp, fsync, rename, fsync of the directory,
// without a hash, in the same 256 directories. The two take turns, since disks are moody.
func BenchmarkKeep64KiB(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			d, limit := open(b), open(b)
			template := random(3, 64<<10)
			fresh := func() []byte { // 64 KiB never seen before
				p := bytes.Clone(template)
				rand.Read(p[:32])
				return p
			}
			var bare, ours time.Duration
			for left := b.N; left > 0; {
				n := min(left, 64*writers)
				left -= n
				bare += race(writers, n, func() { bareKeep(b, limit, fresh()) })
				ours += race(writers, n, func() { keep(b, d, fresh()) })
			}
			b.ReportMetric(float64(b.N)/ours.Seconds(), "blobs/s")
			b.ReportMetric(float64(b.N)/bare.Seconds(), "limit-blobs/s")
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-limit")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}

// BenchmarkPlaced places blobs of 64 KiB that nobody has and syncs them, 1,000
// together, while the next are placed: all are durable at the end. The limit
// is the segment row: 64 KiB appended to one preallocated file, with fdatasync for
// each 64. The two take turns. drain-blobs/s is what SyncPlaced does in the time it runs.
func BenchmarkPlaced(b *testing.B) {
	for _, writers := range []int{1, 8, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			d := open(b)
			segment := newSegment(b)
			template := random(5, 64<<10)
			var bare, ours, draining time.Duration
			for left := b.N; left > 0; {
				n := min(left, 4*placedRound)
				left -= n
				bare += segment.append(b, template, n)
				ours += placeAndSync(b, d, template, writers, n, &draining)
			}
			b.ReportMetric(float64(b.N)/ours.Seconds(), "blobs/s")
			b.ReportMetric(float64(b.N)/draining.Seconds(), "drain-blobs/s")
			b.ReportMetric(float64(b.N)/bare.Seconds(), "segment-blobs/s")
			b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-limit")
			b.ReportMetric(float64(ours.Nanoseconds())/float64(b.N), "ns/op")
		})
	}
}

// placeAndSync returns how long it takes until n blobs are durable. A round of
// SyncPlaced begins when placedRound are there, or all.
func placeAndSync(b *testing.B, d *Disk, template []byte, writers, n int, draining *time.Duration) time.Duration {
	full := make(chan struct{}, n) // a token for each round
	var count atomic.Int64
	var syncer sync.WaitGroup
	start := time.Now()
	syncer.Go(func() {
		for range full {
			began := time.Now()
			if err := d.SyncPlaced(b.Context()); err != nil {
				b.Error(err)
			}
			*draining += time.Since(began)
		}
	})
	race(writers, n, func() {
		p := bytes.Clone(template)
		rand.Read(p[:32])
		s, err := d.Stage(b.Context(), bytes.NewReader(p), 0)
		if err != nil {
			b.Error(err)
			return
		}
		if err := errors.Join(s.(Placer).Prepare(b.Context()), s.(Placer).Place(b.Context())); err != nil {
			b.Error(err)
		}
		if count.Add(1)%placedRound == 0 {
			full <- struct{}{}
		}
	})
	full <- struct{}{}
	close(full)
	syncer.Wait()
	return time.Since(start)
}

// segment is a file of written zeros.
type segment struct {
	f  *os.File
	at int64
}

const (
	segmentSize = 64 << 20
	placedRound = 1000
)

func newSegment(b *testing.B) *segment {
	f, err := os.Create(filepath.Join(b.TempDir(), "segment"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	for range segmentSize >> 20 {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			b.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		b.Fatal(err)
	}
	return &segment{f: f}
}

func (s *segment) append(b *testing.B, p []byte, n int) time.Duration {
	start := time.Now()
	for i := 1; i <= n; i++ {
		if _, err := s.f.WriteAt(p, s.at); err != nil {
			b.Fatal(err)
		}
		s.at = (s.at + int64(len(p))) % segmentSize
		if i%64 == 0 || i == n {
			if err := syncData(s.f); err != nil {
				b.Fatal(err)
			}
		}
	}
	return time.Since(start)
}

func bareKeep(b *testing.B, d *Disk, p []byte) {
	name := Digest(p[:32])
	temp := filepath.Join(d.dir, "staging", name.Hex())
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		b.Error(err)
		return
	}
	_, err = f.Write(p)
	if err == nil {
		err = f.Sync()
	}
	f.Close()
	if err == nil {
		err = os.Rename(temp, d.path(name))
	}
	if err == nil {
		err = syncDir(d.fanoutPath(name[0]))
	}
	if err != nil {
		b.Error(err)
	}
}

// BenchmarkStage256MiB stages and keeps one long blob. The limit is a
// sequential write of the same bytes with SHA-256 in line and one sync at the
// end. The two take turns. peak-MiB is the most live and dead heap seen on the way.
func BenchmarkStage256MiB(b *testing.B) { benchmarkLarge(b, 256<<20) }

// BenchmarkStage2GiB shows that memory does not grow with the blob.
func BenchmarkStage2GiB(b *testing.B) { benchmarkLarge(b, 2<<30) }

func benchmarkLarge(b *testing.B, size int64) {
	d := open(b)
	temp := filepath.Join(d.dir, "staging", "limit")
	var bare, ours time.Duration
	var peak uint64
	for b.Loop() {
		b.StopTimer()
		start := time.Now()
		if err := bareStage(temp, newStream(size)); err != nil {
			b.Fatal(err)
		}
		bare += time.Since(start)
		os.Remove(temp)
		stream := newStream(size)
		b.StartTimer()

		start = time.Now()
		s, err := d.Stage(b.Context(), stream, 0)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Keep(b.Context()); err != nil {
			b.Fatal(err)
		}
		ours += time.Since(start)

		b.StopTimer()
		peak = max(peak, stream.peak)
		if err := d.Remove(s.Digest()); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	mib := float64(size) / (1 << 20) * float64(b.N)
	b.ReportMetric(mib/ours.Seconds(), "MiB/s")
	b.ReportMetric(mib/bare.Seconds(), "limit-MiB/s")
	b.ReportMetric(bare.Seconds()/ours.Seconds(), "of-limit")
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

func bareStage(path string, r io.Reader) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	hash := sha256.New()
	buf := make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(r, buf)
		hash.Write(buf[:n])
		if _, err := f.Write(buf[:n]); err != nil {
			return err
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return err
		}
	}
	hash.Sum(nil)
	return f.Sync()
}

// stream is size bytes that are cheap to make and unlike those of any other
// stream. It notes the heap in use as it goes.
type stream struct {
	left    int64
	pattern []byte
	at      int
	peak    uint64
	reads   int
}

func newStream(size int64) *stream {
	s := &stream{left: size, pattern: random(4, 1<<20+7)} // no multiple of any buffer, so chunks differ
	rand.Read(s.pattern[:32])
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	if s.reads++; s.reads%256 == 0 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		s.peak = max(s.peak, m.HeapInuse)
	}
	n := copy(p[:min(int64(len(p)), s.left, 32<<10)], s.pattern[s.at:]) // a socket gives little at a time
	s.at = (s.at + n) % len(s.pattern)
	s.left -= int64(n)
	return n, nil
}
