package main

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// anonymous is the memory of a process that is no file's, in bytes.
func anonymous(b *testing.B, pid int) int64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return kib << 10
}

// hostile are requests that take, or took, far more memory than they are long.
func hostile() map[string]func() *http.Request {
	noise := make([]byte, 12<<20)
	rand.Read(noise)
	content := base64.StdEncoding.EncodeToString(noise)
	form := "--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n" + string(noise) + "\r\n--cut--\r\n"
	request := func(method, path, contentType, body string) func() *http.Request {
		return func() *http.Request {
			r, _ := http.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			return r
		}
	}
	const lock = "/v2.1/accounts/main/envelopes/01M7Z000000000000000000000/lock"
	many := func(before, unit, after string) string {
		return before + strings.Repeat(unit, (1<<20-100)/len(unit)) + after
	}
	return map[string]func() *http.Request{
		"JSON upload":     request("POST", "/v1/documents", "application/json", `{"fileName":"a","name":"","content":"`+content+`","nonsense":1}`),
		"form":            request("POST", "/v1/documents", "multipart/form-data; boundary=cut", form+"no more"),
		"raw":             request("POST", "/v1/documents?fileName=a&ownerId=nobody", "application/pdf", string(noise)),
		"many values":     request("POST", "/v1/bulk/documents", "application/json", many(`{"ids":[`, `[],`, `[]]}`)),
		"custom fields":   request("PATCH", "/v1/documents/01M7Z000000000000000000000", "application/json", many(`{"customFields":{"a":[`, `[],`, `[]]}}`)),
		"ignored members": request("POST", lock, "application/json", many(`{"a":[`, `{},`, `{}]}`)),
		"elements":        request("POST", lock, "application/xml", many(`<lockRequest>`, `<a/>`, `</lockRequest>`)),
		"attributes":      request("POST", lock, "application/xml", many(`<lockRequest`, ` a=""`, `/>`)),
	}
}

// BenchmarkHostileClients prints the most memory of its own that a server takes,
// beside the pages of its files, while a hundred clients send it the worst
// there is, each kind by itself and all together.
func BenchmarkHostileClients(b *testing.B) {
	kinds := hostile()
	var all []func() *http.Request
	for name, kind := range kinds {
		b.Run(name, func(b *testing.B) { besiege(b, kind) })
		all = append(all, kind)
	}
	b.Run("all", func(b *testing.B) { besiege(b, all...) })
}

func besiege(b *testing.B, kinds ...func() *http.Request) {
	s := spawn(b, b.TempDir())
	key := s.firstKey(b)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}, Timeout: time.Minute}
	defer client.CloseIdleConnections()
	done := make(chan struct{})
	var most int64
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.NewTicker(5 * time.Millisecond); ; {
			select {
			case <-tick.C:
				most = max(most, anonymous(b, s.pid))
			case <-done:
				tick.Stop()
				return
			}
		}
	})
	statuses := map[int]int{}
	var mu sync.Mutex
	for b.Loop() {
		var clients sync.WaitGroup
		for i := range 100 {
			clients.Go(func() {
				for again := range 3 {
					r := kinds[(i+again)%len(kinds)]()
					r.URL.Scheme, r.URL.Host = "http", strings.TrimPrefix(s.url, "http://")
					r.Header.Set("Authorization", "Bearer "+key)
					resp, err := client.Do(r)
					status := 0
					if err == nil {
						io.Copy(io.Discard, resp.Body)
						resp.Body.Close()
						status = resp.StatusCode
					}
					mu.Lock()
					statuses[status]++
					mu.Unlock()
				}
			})
		}
		clients.Wait()
	}
	close(done)
	watching.Wait()
	b.ReportMetric(float64(most)/(1<<20), "MiB-RssAnon")
	b.Log(statuses)
}
