package main

import (
	"bytes"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestPages: a page is painted by PDFium in a process of its own, and kept until the
// document is deleted, through a crash.
func TestPages(t *testing.T) {
	data := t.TempDir()
	s := spawn(t, data)
	key := s.firstKey(t)
	id := s.put(t, key, "lease.pdf", "application/pdf", onePage("BT /F1 48 Tf 72 720 Td (lanternlight) Tj ET"))
	broken := s.put(t, key, "broken.pdf", "application/pdf", []byte("%PDF-1.7\nnothing"))
	page := "/v1/documents/" + id + "/versions/1/pages/1.png?width=595"
	resp, body := s.do(t, key, "GET", page, nil)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Page-Count") != "1" {
		t.Fatalf("%s %s", resp.Status, body)
	}
	picture, err := png.Decode(bytes.NewReader(body))
	if err != nil || picture.Bounds().Dx() != 595 || picture.Bounds().Dy() != 842 {
		t.Fatal(err, picture.Bounds())
	}
	dark := 0
	for y := range 842 {
		for x := range 595 {
			if r, _, _, _ := picture.At(x, y).RGBA(); r < 0x8000 {
				if dark++; y < 70 || y > 140 || x < 70 {
					t.Fatalf("something is painted at %d, %d", x, y)
				}
			}
		}
	}
	if dark < 500 {
		t.Errorf("%d dark pixels", dark)
	}
	if resp, body := s.do(t, key, "GET", "/v1/documents/"+broken+"/versions/1/pages/1.png", nil); resp.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%s %s", resp.Status, body)
	}
	kept := filepath.Join(data, "vaults", "main", "pages", id)
	if files, err := os.ReadDir(kept); err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if resp, body := s.do(t, key, "DELETE", "/v1/documents/"+id, nil); resp.StatusCode != http.StatusOK {
		t.Fatalf("%s", body)
	}
	s.kill(t)
	s = spawn(t, data, "--pdf=off")
	for deadline := time.Now().Add(time.Minute); ; wait(t.Context(), 10*time.Millisecond) {
		if _, err := os.Stat(kept); os.IsNotExist(err) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the picture of a deleted document is there still")
		}
	}
	if resp, body := s.do(t, key, "GET", "/v1/documents/"+broken+"/versions/1/pages/1.png", nil); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "" {
		t.Errorf("%s %s", resp.Status, body)
	}
}
