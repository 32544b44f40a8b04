package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// found is what a search answers.
type found struct {
	Items []struct {
		Document struct{ ID, Name string }
		Snippets []string
	}
	Total           int
	CompleteThrough *uint64
	TextWaiting     int
}

// search asks until the answer is complete, and all texts are read: right after a
// start an index may be made anew.
func (s *server) search(t *testing.T, key, q string) (names string) {
	t.Helper()
	for {
		resp, body := s.do(t, key, "GET", "/v1/search?q="+url.QueryEscape(q), nil)
		var f found
		if err := json.Unmarshal(body, &f); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%s: %s\n%s", q, resp.Status, body)
		}
		if f.CompleteThrough != nil || f.TextWaiting > 0 {
			continue
		}
		var list []string
		for _, item := range f.Items {
			list = append(list, item.Document.Name)
		}
		return strings.Join(list, ", ")
	}
}

func (s *server) uploadFile(t *testing.T, key, name, mediaType string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(documentsDir, name))
	if err != nil {
		t.Fatal(err)
	}
	resp, body := s.do(t, key, "POST", "/v1/documents?fileName="+name, strings.NewReader(string(content)), "Content-Type", mediaType)
	var d struct{ ID string }
	if err := json.Unmarshal(body, &d); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s\n%s", resp.Status, body)
	}
	return d.ID
}

// TestSearchOverRestarts finds the text of real files, at once, after the
// server was killed, and when the index was deleted or damaged.
func TestSearchOverRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("a server that starts again and again")
	}
	data := t.TempDir()
	s := spawn(t, data)
	key := s.firstKey(t)
	s.uploadFile(t, key, "agreement.pdf", "application/pdf")
	s.uploadFile(t, key, "agreement.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
	s.uploadFile(t, key, "minutes.txt", "text/plain")
	scan := s.uploadFile(t, key, "seal.png", "image/png")
	expect := func(q, want string) {
		t.Helper()
		if got := s.search(t, key, q); got != want {
			t.Errorf("%s finds %q, want %q", q, got, want)
		}
	}
	all := func() {
		t.Helper()
		expect(`"log books"`, "agreement.docx, agreement.pdf")
		expect("naive cafe", "minutes.txt")
		expect("seal", "seal.png")
	}
	all()
	s.kill(t)
	s = spawn(t, data)
	all()
	if code := s.end(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.stderr)
	}
	index := filepath.Join(data, "vaults", "main", "search")
	if files, err := os.ReadDir(index); err != nil || len(files) < 2 {
		t.Fatalf("the index was not saved: %v, %v", files, err)
	}
	if err := os.RemoveAll(index); err != nil {
		t.Fatal(err)
	}
	s = spawn(t, data)
	all()
	if code := s.end(); code != 0 {
		t.Fatalf("exit status %d\n%s", code, s.stderr)
	}
	segments, err := filepath.Glob(filepath.Join(index, "*.segment"))
	if err != nil || len(segments) == 0 {
		t.Fatal(err, segments)
	}
	for _, name := range segments {
		if err := os.WriteFile(name, []byte("not an index"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s = spawn(t, data)
	all()
	if resp, body := s.do(t, key, "DELETE", "/v1/documents/"+scan, nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s\n%s", resp.Status, body)
	}
	expect("seal", "")
}

// TestWithoutSearch: the route and the directory are not there, nor is a broken
// directory any reason not to serve.
func TestWithoutSearch(t *testing.T) {
	data := t.TempDir()
	s := startServer(t, data, "--search=false")
	key := s.firstKey(t)
	s.upload(t, key, "a.txt", "words")
	if resp, body := s.do(t, key, "GET", "/v1/search?q=words", nil); resp.StatusCode != http.StatusNotFound {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	index := filepath.Join(data, "vaults", "main", "search")
	if _, err := os.Stat(index); err == nil {
		t.Error("there is an index")
	}
	s.end()
	if err := os.WriteFile(index, []byte("in the way"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = spawn(t, data)
	if resp, body := s.do(t, key, "GET", "/v1/search?q=words", nil); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%s\n%s", resp.Status, body)
	}
	if resp, _ := s.do(t, key, "GET", "/v1/documents", nil); resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
}
