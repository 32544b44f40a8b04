package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

// put uploads a file and returns the id of its document.
func (s *server) put(t *testing.T, key, name, mediaType string, content []byte) string {
	t.Helper()
	resp, body := s.do(t, key, "POST", "/v1/documents?fileName="+name, bytes.NewReader(content), "Content-Type", mediaType)
	var d struct{ ID string }
	if err := json.Unmarshal(body, &d); err != nil || resp.StatusCode != http.StatusCreated {
		t.Fatalf("%s\n%s", resp.Status, body)
	}
	return d.ID
}

// names is the one document that is found, whether its text is read or not.
func (s *server) names(t *testing.T, key, q string) string {
	t.Helper()
	for {
		_, body := s.do(t, key, "GET", "/v1/search?q="+q, nil)
		var f found
		if err := json.Unmarshal(body, &f); err != nil {
			t.Fatal(err)
		}
		if f.CompleteThrough != nil { // right after a start
			continue
		}
		if len(f.Items) != 1 {
			t.Fatalf("%s", body)
		}
		return f.Items[0].Document.Name
	}
}

// textState is what a document says of its text.
func (s *server) textState(t *testing.T, key, id string) (state, reason string) {
	t.Helper()
	_, body := s.do(t, key, "GET", "/v1/documents/"+id, nil)
	var d struct {
		Text struct{ State, Reason string }
	}
	if err := json.Unmarshal(body, &d); err != nil {
		t.Fatal(err)
	}
	return d.Text.State, d.Text.Reason
}

// settled waits until a document's text is known, or known not to be.
func (s *server) settled(t *testing.T, key, id string) (state, reason string) {
	t.Helper()
	for {
		if state, reason = s.textState(t, key, id); state != "waiting" {
			return state, reason
		}
		wait(t.Context(), 20*time.Millisecond)
		if t.Context().Err() != nil {
			t.Fatal("the text is not read")
		}
	}
}

// onePage is a PDF whose only page has this content.
func onePage(content string) []byte {
	return fmt.Appendf(nil, "%%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[3 0 R]/Count 1>>\nendobj\n"+
		"3 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>/XObject<</X1 6 0 R>>>>>>\nendobj\n"+
		"4 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n5 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>\nendobj\n"+
		"6 0 obj\n<</Subtype/Form/Resources<</XObject<</X1 6 0 R>>>>/Length 7000>>\nstream\n%s\nendstream\nendobj\n"+
		"trailer\n<</Root 1 0 R/Size 7>>\n%%%%EOF\n", len(content), content, strings.Repeat("/X1 Do ", 1000))
}

// bomb is a Word file that swells.
func bomb(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("word/document.xml")
	if err == nil {
		_, err = w.Write([]byte("<w:t>" + strings.Repeat("a", 100<<20)))
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// attributes is a Word file with an element of a million attributes.
func attributes(t *testing.T) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("word/document.xml")
	if err == nil {
		_, err = w.Write([]byte("<w:document><w:p" + strings.Repeat(` a="b"`, 1_000_000) + "/></w:document>"))
	}
	if err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPoison: what is made to harm costs itself at most. Search answers meanwhile,
// readyz tells, the server stops at once; and killed and started again it goes on.
func TestPoison(t *testing.T) {
	if testing.Short() {
		t.Skip("files that take all the time there is")
	}
	if runtime.GOOS == "windows" {
		t.Skip("signals and links are not what they are elsewhere")
	}
	data := t.TempDir()
	s := spawn(t, data)
	key := s.firstKey(t)
	whole := onePage("BT /F1 12 Tf 72 720 Td (lanternlight) Tj ET")
	var keywords strings.Builder
	for n := 0; keywords.Len() < 4<<20; n++ {
		fmt.Fprintf(&keywords, "keyword%d ", n)
	}
	states := map[string]string{}
	for name, c := range map[string]struct {
		content []byte
		state   string
	}{
		"truncated.pdf": {whole[:len(whole)/9], "failed"},
		"circle.pdf":    {bytes.Replace(whole, []byte("[3 0 R]"), []byte("[2 0 R 2 0 R]"), 1), ""},
		"keywords.txt":  {[]byte(keywords.String()), "indexed"},
		"bomb.docx":     {bomb(t), "failed"},
		"million.docx":  {attributes(t), "failed"},
		"whole.pdf":     {whole, "indexed"},
	} {
		states[s.put(t, key, name, "application/octet-stream", c.content)] = c.state
	}
	for id, want := range states {
		if state, reason := s.settled(t, key, id); want != "" && state != want {
			t.Errorf("%s: %s", state, reason)
		}
	}
	if got := s.search(t, key, "lanternlight"); got != "whole.pdf" {
		t.Error(got)
	}
	// One that runs until it is stopped, and what comes behind it.
	poison := s.put(t, key, "recursive.pdf", "application/pdf", onePage(strings.Repeat("/X1 Do ", 2)))
	s.upload(t, key, "behind", "lanternlight too")
	if got := s.names(t, key, "recursive"); got != "recursive.pdf" {
		t.Errorf("found: %q", got)
	}
	if _, body := s.do(t, key, "GET", "/readyz", nil); !strings.Contains(string(body), `"status":"ok"`) || !strings.Contains(string(body), `"search":{"behind":`) {
		t.Errorf("%s", body)
	}
	s.kill(t)
	s = spawn(t, data)
	if got := s.names(t, key, "recursive"); got != "recursive.pdf" {
		t.Errorf("found: %q", got)
	}
	if state, _ := s.textState(t, key, poison); state != "waiting" && state != "failed" {
		t.Error(state)
	}
	began := time.Now()
	if code := s.end(); code != 0 || time.Since(began) > 20*time.Second {
		t.Errorf("exit status %d after %v\n%s", code, time.Since(began), s.stderr)
	}
}
