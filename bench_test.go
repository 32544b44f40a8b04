package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/httpapi"
)

// Benchmarks of the whole way: a client over HTTP with an API key, the change
// and its entry on disk before the answer. Beside each figure stands its ratio
// to a limit that is measured in the same run: bare system calls, bare bbolt,
// bare net/http. Only the ratio says something on another machine.

// served is a vault behind HTTP.
type served struct {
	*enginetest.Kit
	url    string
	client *http.Client
}

func serveVault(b *testing.B) *served {
	k := enginetest.New(b)
	s := httptest.NewServer(httpapi.New(map[string]*engine.Vault{"main": k.Vault}, httpapi.Options{}))
	b.Cleanup(s.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 128, DisableCompression: true}
	b.Cleanup(transport.CloseIdleConnections)
	return &served{k, s.URL, &http.Client{Transport: transport}}
}

// do sends a request and reads the answer to its end.
func (s *served) do(method, path string, body io.Reader, header ...string) error {
	r, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := s.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		text, _ := io.ReadAll(res.Body)
		return fmt.Errorf("%s %s: %s: %s", method, path, res.Status, text)
	}
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// perSecond runs n pieces of work, shared by so many callers, and returns how
// many were done in a second.
func perSecond(b *testing.B, callers, n int, work func(i int) error) float64 {
	b.Helper()
	var next atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for range callers {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				if err := work(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// against measures the work with b's count and reports its ratio to a limit,
// which is measured before and after: disks have moods.
func against(b *testing.B, bare func() float64, callers int, work func(i int) error) {
	b.Helper()
	before := bare()
	b.ResetTimer()
	rate := perSecond(b, callers, b.N, work)
	b.StopTimer()
	limit := (before + bare()) / 2
	b.ReportMetric(rate, "op/s")
	b.ReportMetric(limit, "limit/s")
	b.ReportMetric(rate/limit, "of-limit")
}

var crowd = []int{1, 8, 64}

// BenchmarkUpload64KiB: against keeping the same bytes by bare system calls,
// and, for one caller, a bare bbolt transaction after it.
func BenchmarkUpload64KiB(b *testing.B) {
	for _, callers := range crowd {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s := serveVault(b)
			bare := func() float64 {
				blobs := bareBlobs(b, callers, 200*min(callers, 8))
				if callers > 1 {
					return blobs
				}
				return 1 / (1/blobs + 1/bareChanges(b, 1, 64))
			}
			against(b, bare, callers, func(int) error {
				return s.do("POST", "/v1/documents?fileName=contract.pdf", bytes.NewReader(randomBytes(64<<10)), "Content-Type", "application/pdf")
			})
		})
	}
}

// BenchmarkUpload256MiB: against writing with SHA-256 in line and one fsync.
func BenchmarkUpload256MiB(b *testing.B) {
	const size = 256 << 20
	s := serveVault(b)
	block := randomBytes(1 << 20)
	stream := func(i int) io.Reader {
		return io.LimitReader(&repeating{block: block, salt: uint64(i)}, size)
	}
	bare := func(i int) error {
		f, err := os.Create(filepath.Join(b.TempDir(), "bare"))
		if err != nil {
			return err
		}
		defer os.Remove(f.Name())
		defer f.Close()
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(f, sha256.New())}, struct{ io.Reader }{stream(i)}, make([]byte, 1<<20)); err != nil {
			return err
		}
		return f.Sync()
	}
	b.SetBytes(size)
	against(b, func() float64 { return perSecond(b, 1, 2, bare) }, 1, func(i int) error {
		return s.do("POST", "/v1/documents?fileName=large.bin", stream(i))
	})
}

// repeating is endless bytes that differ from one salt to the next.
type repeating struct {
	block []byte
	salt  uint64
	at    int
}

func (r *repeating) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	if r.at == 0 && n >= 8 {
		binary.LittleEndian.PutUint64(p, r.salt)
	}
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// BenchmarkMetadata changes documents at random, of 64 and of 20,000: against
// the rows such a change writes, put by bare bbolt in groups of as many as there
// are callers.
func BenchmarkMetadata(b *testing.B) {
	for _, documents := range []int{64, 20_000} {
		s := serveVault(b)
		ids := s.fill(b, documents)
		for _, callers := range crowd {
			b.Run(fmt.Sprintf("%d/%d", documents, callers), func(b *testing.B) {
				against(b, func() float64 { return bareChanges(b, callers, documents) }, callers, func(i int) error {
					body := fmt.Sprintf(`{"description":"changed %d"}`, i)
					return s.do("PATCH", "/v1/documents/"+ids[mrand.IntN(documents)], strings.NewReader(body), "Content-Type", "application/json")
				})
			})
		}
	}
}

// fill makes so many documents of one text.
func (s *served) fill(b *testing.B, documents int) []string {
	b.Helper()
	ids := make([]string, documents)
	perSecond(b, 64, documents, func(i int) error {
		u, err := s.Stage(b.Context(), strings.NewReader("the text"), 0)
		if err != nil {
			return err
		}
		d, _, err := s.CreateDocument(b.Context(), s.Admin, engine.NewDocument{
			Name: fmt.Sprint("Contract ", i), Category: []string{"contract", "invoice"}[i%2], Tags: []string{"batch"},
		}, u)
		ids[i] = d.ID
		return err
	})
	return ids
}

// BenchmarkLock takes and releases locks of 128 documents, and BenchmarkRenew
// renews them: both against the bare rows of a change, of which taking and
// releasing makes two.
func BenchmarkLock(b *testing.B) {
	for _, callers := range crowd {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, ids := locking(b)
			against(b, func() float64 { return bareChanges(b, callers, len(ids)) / 2 }, callers, func(i int) error {
				path := "/v1/documents/" + ids[i%len(ids)] + "/lock"
				token, err := s.lock(path)
				if err != nil {
					return err
				}
				return s.do("DELETE", path, nil, "X-Lock-Token", token)
			})
		})
	}
}

func BenchmarkRenew(b *testing.B) {
	for _, callers := range crowd {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			s, ids := locking(b)
			tokens := make([]string, len(ids))
			for i, id := range ids {
				var err error
				if tokens[i], err = s.lock("/v1/documents/" + id + "/lock"); err != nil {
					b.Fatal(err)
				}
			}
			against(b, func() float64 { return bareChanges(b, callers, len(ids)) }, callers, func(i int) error {
				i %= len(ids)
				return s.do("PUT", "/v1/documents/"+ids[i]+"/lock", nil, "X-Lock-Token", tokens[i])
			})
		})
	}
}

func locking(b *testing.B) (*served, []string) {
	s := serveVault(b)
	ids := make([]string, 128) // more than there are callers, so none waits for another
	for i := range ids {
		ids[i] = s.Create(fmt.Sprint("document ", i), fmt.Sprint(i)).ID
	}
	return s, ids
}

// lock takes a lock and returns its token.
func (s *served) lock(path string) (string, error) {
	r, err := http.NewRequest("POST", s.url+path, nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+s.Token)
	res, err := s.client.Do(r)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct {
		LockToken string `json:"lockToken"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.LockToken == "" {
		return "", fmt.Errorf("POST %s: %s: %w", path, res.Status, err)
	}
	return answer.LockToken, nil
}

// BenchmarkDownload64KiB: against http.ServeContent of a file.
func BenchmarkDownload64KiB(b *testing.B) {
	for _, callers := range crowd {
		b.Run(fmt.Sprint(callers), func(b *testing.B) { benchmarkDownload(b, 64<<10, callers, 4000) })
	}
}

func BenchmarkDownload256MiB(b *testing.B) {
	b.SetBytes(256 << 20)
	benchmarkDownload(b, 256<<20, 1, 8)
}

func benchmarkDownload(b *testing.B, size, callers, n int) {
	s := serveVault(b)
	content := string(randomBytes(size))
	d := s.Create("contract.pdf", content)
	path := filepath.Join(b.TempDir(), "bare")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, err := os.Open(path)
		if err != nil {
			http.Error(w, err.Error(), 500)
			return
		}
		defer f.Close()
		w.Header().Set("Content-Type", "application/pdf")
		http.ServeContent(w, r, "", time.Time{}, f)
	}))
	defer bare.Close()
	other := &served{s.Kit, bare.URL, s.client}
	limit := func() float64 { return perSecond(b, callers, n, func(int) error { return other.do("GET", "/", nil) }) }
	against(b, limit, callers, func(int) error { return s.do("GET", "/v1/documents/"+d.ID+"/content", nil) })
}

// BenchmarkVerifyLog: entries a second of an export, against scanning its lines
// and hashing each.
func BenchmarkVerifyLog(b *testing.B) {
	s := serveVault(b)
	ids := make([]string, 64)
	for i := range ids {
		ids[i] = s.Create(fmt.Sprint("document ", i), fmt.Sprint(i)).ID
	}
	perSecond(b, 64, 10_000, func(i int) error {
		name := fmt.Sprint("name ", i)
		_, _, err := s.UpdateDocument(b.Context(), s.Admin, ids[i%64], engine.Condition{}, engine.DocumentPatch{Name: &name})
		return err
	})
	e, err := s.Export(b.Context(), s.Admin, 0)
	if err != nil {
		b.Fatal(err)
	}
	var log bytes.Buffer
	if err := e.WriteLog(b.Context(), &log); err != nil {
		b.Fatal(err)
	}
	entries := float64(e.Head.Seq)
	limit := entries * perSecond(b, 1, 20, func(int) error {
		rest := log.Bytes()
		for len(rest) > 0 {
			line := rest[:bytes.IndexByte(rest, '\n')+1]
			audit.HashLine(line)
			rest = rest[len(line):]
		}
		return nil
	})
	b.ResetTimer()
	rate := entries * perSecond(b, 1, b.N, func(int) error {
		report, err := audit.Verify(context.Background(), bytes.NewReader(log.Bytes()), audit.VerifyOptions{})
		if err == nil && len(report.Findings) > 0 {
			err = fmt.Errorf("%v", report.Findings)
		}
		return err
	})
	b.StopTimer()
	b.ReportMetric(rate, "entries/s")
	b.ReportMetric(rate/limit, "of-limit")
}

// BenchmarkPage lists 50 of 20,000 documents, of one category, at a random
// place, eight callers at once: against bare bbolt reading as many index rows
// and records. BenchmarkPage of package engine has the larger vaults and the
// other filters.
func BenchmarkPage(b *testing.B) {
	const documents, pages = 20_000, 50
	s := serveVault(b)
	s.fill(b, documents)
	q := engine.DocumentQuery{Category: "contract"}
	cursors := make([]string, pages)
	for i := range cursors {
		page, err := s.Documents(b.Context(), q)
		if err != nil {
			b.Fatal(err)
		}
		cursors[i], q.Cursor = q.Cursor, page.NextCursor
	}
	against(b, func() float64 { return barePages(b, documents, pages) }, 8, func(i int) error {
		return s.do("GET", "/v1/documents?category=contract&limit=50&cursor="+cursors[i%pages], nil)
	})
}

// BenchmarkBulk tags ten thousand documents in one request, chosen by ids, by a
// filter, or with a line for each: against changing as many by bare bbolt, in
// groups of 64.
func BenchmarkBulk(b *testing.B) {
	const documents = 10_000
	s := serveVault(b)
	ids := s.fill(b, documents)
	list, err := json.Marshal(ids)
	if err != nil {
		b.Fatal(err)
	}
	round := 0
	for _, c := range []struct {
		name, media string
		body        func(tag string) string
	}{
		{"ids", "application/json", func(tag string) string { return fmt.Sprintf(`{"ids":%s,"addTags":[%q]}`, list, tag) }},
		{"filter", "application/json", func(tag string) string {
			return fmt.Sprintf(`{"filter":{"tag":"batch"},"addTags":[%q]}`, tag)
		}},
		{"lines", "application/x-ndjson", func(tag string) string {
			var lines strings.Builder
			for _, id := range ids {
				fmt.Fprintf(&lines, `{"id":%q,"patch":{"tags":[%q]}}`+"\n", id, tag)
			}
			return lines.String()
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			limit := bareChanges(b, 64, 2_000)
			for b.Loop() {
				round++
				if err := s.do("POST", "/v1/bulk/documents", strings.NewReader(c.body(fmt.Sprint("bulk:", round))), "Content-Type", c.media); err != nil {
					b.Fatal(err)
				}
			}
			rate := float64(len(ids)*b.N) / b.Elapsed().Seconds()
			b.ReportMetric(rate, "documents/s")
			b.ReportMetric(rate/limit, "of-limit")
		})
	}
}
