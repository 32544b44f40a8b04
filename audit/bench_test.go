package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

// benchLog is a log of n entries of some 300 bytes that add versions to
// documents.
func benchLog(b *testing.B, n int) []byte {
	b.Helper()
	var log []byte
	var h Head
	add := func(e Event) {
		detail := Hash{}
		if e.Detail != nil {
			detail = DetailHash([16]byte{1}, e.Detail)
		}
		line, next, err := h.Next(Stamp{testStart.Add(time.Duration(h.Seq) * time.Second), testUser, testKey}, e, detail)
		if err != nil {
			b.Fatal(err)
		}
		log, h = append(log, line...), next
	}
	add(Event{Op: OpVaultCreated, Facts: Facts{"vault": Text(testVault), "format": Number(1)}})
	for i := range n - 1 {
		add(Event{Op: OpDocumentUpdated, Document: fmt.Sprintf("01JD6R0V5XJ8M2H4Q7Z9%06d", i),
			Facts: Facts{"revision": Number(uint64(i))}, Detail: []byte(`{"name":{"old":"a","new":"b"}}`)})
	}
	return log
}

// BenchmarkFollow gives the time of one entry, and the rate of Follow as a
// share of the limit: cutting the same log into lines and hashing each.
func BenchmarkFollow(b *testing.B) {
	const entries = 10000
	log := benchLog(b, entries)
	scan := func(each func(line []byte)) time.Duration {
		start := time.Now()
		for rest := log; len(rest) > 0; {
			end := bytes.IndexByte(rest, '\n') + 1
			each(rest[:end])
			rest = rest[end:]
		}
		return time.Since(start)
	}
	var limit, follow time.Duration
	var sum byte
	b.ReportAllocs()
	for b.Loop() {
		limit += scan(func(line []byte) {
			h := sha256.Sum256(line)
			sum ^= h[0]
		})
		var h Head
		follow += scan(func(line []byte) {
			var err error
			if h, err = h.Follow(line); err != nil {
				b.Fatal(err)
			}
		})
	}
	b.ReportMetric(float64(len(log))/entries, "bytes/entry")
	b.ReportMetric(float64(follow.Nanoseconds())/float64(b.N*entries), "ns/entry")
	b.ReportMetric(float64(limit)/float64(follow), "of-limit")
	_ = bufio.ScanLines
}
