package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"
	"time"
)

const benchEntries = 10000

// limit is what no verifier can do without: to cut a log into lines and to
// hash each.
func limit(log []byte) (sum byte) {
	for line := range bytes.Lines(log) {
		h := sha256.Sum256(line)
		sum ^= h[0]
	}
	return sum
}

// benchmark gives the time of work on an entry of the log, and its rate as a
// share of the limit, measured turn by turn.
func benchmark(b *testing.B, log []byte, work func()) {
	var atLimit, atWork time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		limit(log)
		between := time.Now()
		work()
		atLimit += between.Sub(start)
		atWork += time.Since(between)
	}
	b.ReportMetric(float64(len(log))/benchEntries, "bytes/entry")
	b.ReportMetric(float64(atWork.Nanoseconds())/float64(b.N*benchEntries), "ns/entry")
	b.ReportMetric(float64(atLimit)/float64(atWork), "of-limit")
}

func BenchmarkFollow(b *testing.B) {
	l := &testLog{}
	l.add("operator", "", created())
	for i := range benchEntries - 1 {
		l.add(testUser, testKey, Event{Op: OpDocumentUpdated, Document: fmt.Sprintf("01JD6R0V5XJ8M2H4Q7Z9%06d", i),
			Facts: Facts{"revision": Number(uint64(i + 2))}})
	}
	log := l.log()
	benchmark(b, log, func() {
		var h Head
		var err error
		for line := range bytes.Lines(log) {
			if h, err = h.Follow(line); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkVerify reads a log of documents created, changed and given a
// second version, by itself and with the details of all.
func BenchmarkVerify(b *testing.B) {
	l := &testLog{}
	l.add("operator", "", created())
	for i := 0; len(l.lines) < benchEntries; i++ {
		id := fmt.Sprintf("01JD6R0V5XJ8M2H4Q7Z9%06d", i)
		l.version(id, "first", `{"name":"Lease","fileName":"lease.pdf","category":"contract"}`)
		l.add(testUser, testKey, Event{Op: OpDocumentUpdated, Document: id, Facts: Facts{"revision": Number(2)},
			Detail: []byte(`{"name":{"old":"Lease","new":"Lease of the mill"}}`)})
		l.version(id, "second", `{"fileName":"lease-2.pdf","comment":"signed"}`)
	}
	log, rows := l.log(), l.rows()
	run := func(b *testing.B, details bool) {
		benchmark(b, log, func() {
			var o VerifyOptions
			if details {
				o.Details = bytes.NewReader(rows)
			}
			r, err := Verify(b.Context(), bytes.NewReader(log), o)
			if err != nil || len(r.Findings) > 0 {
				b.Fatal(r, err)
			}
		})
	}
	b.Run("log", func(b *testing.B) { run(b, false) })
	b.Run("details", func(b *testing.B) { run(b, true) })
}

func BenchmarkNext(b *testing.B) {
	e := Event{Op: OpDocumentUpdated, Document: testDoc, Facts: Facts{"revision": Number(2)},
		Detail: []byte(`{"name":{"old":"Lease","new":"Lease of the mill"}}`)}
	detail := DetailHash([16]byte{}, e.Detail)
	h := Head{testVault, 1, Hash{1}, testStart}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := h.Next(Stamp{testStart, testUser, testKey}, e, detail); err != nil {
			b.Fatal(err)
		}
	}
}
