package httpapi

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"net/http"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/search/extract"
	"strongroom/engine/search/pages"
)

// pictures are real ones, as the program plugs them in, of a painter that paints what
// a file says.
type pictures map[*engine.Vault]*pages.Pages

func (x pictures) open(t *testing.T, k *kit) {
	for _, v := range k.vaults {
		p, err := pages.Open(v.Vault, filepath.Join(v.Dir, "pages"), pages.Options{Painter: extract.Painter{Version: 1, Paint: painted}})
		if err != nil {
			t.Fatal(err)
		}
		x[v.Vault] = p
		t.Cleanup(p.Close)
	}
}

// painted is a white page of a file of three.
func painted(ctx context.Context, f extract.File, number, width int) (extract.Painted, error) {
	b, err := f.Bytes(ctx)
	_, word, _ := strings.Cut(string(b), " ")
	switch {
	case err != nil:
		return extract.Painted{}, err
	case word == "off":
		return extract.Painted{}, extract.ErrUnavailable
	case word == "locked":
		return extract.Painted{}, extract.ErrEncrypted
	case number > 3:
		return extract.Painted{Pages: 3}, extract.ErrNoPage
	}
	page := image.NewGray(image.Rect(0, 0, width, width))
	for i := range page.Pix {
		page.Pix[i] = 0xff
	}
	var out bytes.Buffer
	err = png.Encode(&out, page)
	return extract.Painted{PNG: out.Bytes(), Pages: 3}, err
}

func (x pictures) Page(ctx context.Context, v *engine.Vault, version engine.Version, number, width int, begin func(context.Context) (func(), error)) ([]byte, int, error) {
	p, err := x[v].Page(ctx, version, number, width, begin)
	switch {
	case errors.Is(err, extract.ErrNoPage):
		err = ErrPageNotFound
	case errors.Is(err, extract.ErrNotPaged):
		err = ErrNoPages
	case errors.Is(err, extract.ErrEncrypted):
		err = &UnreadableError{extract.ErrEncrypted.Error()}
	case errors.Is(err, extract.ErrUnavailable):
		err = &engine.UnavailableError{Reason: "pages", Err: err}
	}
	return p.PNG, p.Pages, err
}

func TestPages(t *testing.T) {
	x := pictures{}
	k := newKit(t, Options{Pages: x})
	x.open(t, k)
	put := func(content string) string {
		t.Helper()
		answer, body := k.do("upload", "POST", "/v1/documents?fileName=a.pdf", strings.NewReader(content), "Content-Type", "application/octet-stream")
		if answer.StatusCode != 201 {
			t.Fatal(body)
		}
		return path.Base(answer.Header.Get("Location"))
	}
	lease, text, locked, off := put("%PDF-1.7 lease"), put("words"), put("%PDF-1.7 locked"), put("%PDF-1.7 off")
	base := "/v1/documents/" + lease + "/versions/1/pages/"
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{base + "1.png", 200, ""},
		{base + "3.png?width=64", 200, ""},
		{base + "3.png?width=2400", 200, ""},
		{base + "3.png?width=", 200, ""},
		{base + "4.png", 404, `"details":{"pages":3}`},
		{base + "1000000000.png", 404, `"details":{"pages":3}`},
		{base + "9223372036854775807.png", 404, `"details":{"pages":3}`},
		{base + "99999999999999999999.png", 404, "PAGE_NOT_FOUND"},
		{base + "0.png", 404, "PAGE_NOT_FOUND"},
		{base + "-1.png", 404, "PAGE_NOT_FOUND"},
		{base + "+1.png", 404, "PAGE_NOT_FOUND"},
		{base + "01.png", 404, "PAGE_NOT_FOUND"},
		{base + "1.5.png", 404, "PAGE_NOT_FOUND"},
		{base + "1e9.png", 404, "PAGE_NOT_FOUND"},
		{base + ".png", 404, "PAGE_NOT_FOUND"},
		{base + "1", 404, `"NOT_FOUND"`},
		{base + "1.jpg", 404, `"NOT_FOUND"`},
		{base + "1.PNG", 404, `"NOT_FOUND"`},
		{base, 404, `"NOT_FOUND"`},
		{base + "1.png?width=0", 400, "width"},
		{base + "1.png?width=-1", 400, "width"},
		{base + "1.png?width=63", 400, "width"},
		{base + "1.png?width=2401", 400, "width"},
		{base + "1.png?width=1000000000", 400, "width"},
		{base + "1.png?width=1e3", 400, "width"},
		{base + "1.png?width=1.5", 400, "width"},
		{base + "1.png?width=100&width=200", 400, "width"},
		{base + "1.png?height=100", 400, "height"},
		{"/v1/documents/" + lease + "/versions/2/pages/1.png", 404, "VERSION_NOT_FOUND"},
		{"/v1/documents/" + lease + "/versions/0/pages/1.png", 404, "VERSION_NOT_FOUND"},
		{"/v1/documents/" + engine.NewID() + "/versions/1/pages/1.png", 404, "DOCUMENT_NOT_FOUND"},
		{"/v1/documents/" + text + "/versions/1/pages/1.png", 415, "UNSUPPORTED_MEDIA_TYPE"},
		{"/v1/documents/" + locked + "/versions/1/pages/1.png", 422, `"details":{"reason":"the file is encrypted"}`},
		{"/v1/documents/" + off + "/versions/1/pages/1.png", 503, `"details":{"reason":"pages"}`},
	} {
		answer, body := k.do("view", "GET", c.path, nil)
		if answer.StatusCode != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s: %d %s", c.path, answer.StatusCode, body)
		}
		if count := answer.Header.Get("Page-Count"); c.status == 200 && count != "3" || strings.Contains(c.want, "pages\":3") && count != "3" {
			t.Errorf("%s: Page-Count %q", c.path, count)
		}
		if c.status == 503 && answer.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %v", c.path, answer.Header)
		}
	}
	if answer, body := k.do("other", "GET", base+"1.png", nil); answer.StatusCode != 404 {
		t.Errorf("another organization: %d %s", answer.StatusCode, body)
	}
	without := newKit(t, Options{})
	if answer, _ := without.do("view", "GET", base+"1.png", nil); answer.StatusCode != 404 {
		t.Error(answer.Status)
	}

	answer, _ := k.do("view", "GET", base+"1.png?width=100", nil)
	tag := answer.Header.Get("ETag")
	if kind, cache := answer.Header.Get("Content-Type"), answer.Header.Get("Cache-Control"); tag == "" || kind != "image/png" || !strings.HasPrefix(cache, "private") {
		t.Error(answer.Header)
	}
	for _, c := range []struct {
		method, path, header, value string
		status                      int
	}{
		{"GET", "1.png?width=100", "If-None-Match", tag, 304},
		{"GET", "1.png?width=101", "If-None-Match", tag, 200},
		{"GET", "2.png?width=100", "If-None-Match", tag, 200},
		{"GET", "1.png?width=100", "If-Match", tag, 200},
		{"GET", "1.png?width=100", "If-Match", `"another"`, 412},
		{"GET", "1.png?width=100", "Range", "bytes=0-7", 206},
		{"GET", "1.png?width=100", "Range", "bytes=100000-", 416},
		{"HEAD", "1.png?width=100", "Accept", "*/*", 200},
		{"DELETE", "1.png", "Accept", "*/*", 405},
	} {
		if answer, body := k.do("view", c.method, base+c.path, nil, c.header, c.value); answer.StatusCode != c.status || c.method == "HEAD" && (body != "" || answer.ContentLength <= 0) {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.header, answer.StatusCode, body)
		}
	}

	if answer, body := k.do("admin", "POST", "/v1/documents/"+lease+"/restriction", strings.NewReader(`{"reason":"a dispute"}`), "Content-Type", "application/json"); answer.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	for who, want := range map[string]int{"view": 404, "admin": 200} { // although the picture is there
		if answer, body := k.do(who, "GET", base+"1.png?width=100", nil); answer.StatusCode != want {
			t.Errorf("%s: %d %s", who, answer.StatusCode, body)
		}
	}
	if answer, body := k.do("admin", "DELETE", "/v1/documents/"+lease, nil); answer.StatusCode != http.StatusOK {
		t.Fatal(body)
	}
	if answer, _ := k.do("admin", "GET", base+"1.png?width=100", nil); answer.StatusCode != 410 {
		t.Error(answer.Status)
	}
}

// TestPagesThatAreShownAreEntries: one for all pages and the text of a version, and
// none for what was not sent.
func TestPagesThatAreShownAreEntries(t *testing.T) {
	x := pictures{}
	k := newKit(t, Options{Pages: x})
	x.open(t, k)
	if answer, body := k.do("admin", "PATCH", "/v1/settings", strings.NewReader(`{"auditReads":true}`), "Content-Type", "application/json"); answer.StatusCode != 200 {
		t.Fatal(body)
	}
	answer, _ := k.do("upload", "POST", "/v1/documents?fileName=a.pdf", strings.NewReader("%PDF-1.7 lease"), "Content-Type", "application/pdf")
	base := answer.Header.Get("Location") + "/versions/1/pages/"
	base = base[strings.Index(base, "/v1/"):]
	head := func() uint64 { return k.vaults["main"].Head().Seq }
	before := head()
	answer, _ = k.do("view", "HEAD", base+"1.png", nil)
	k.do("view", "GET", base+"1.png", nil, "If-None-Match", answer.Header.Get("ETag"))
	k.do("view", "GET", base+"4.png", nil)
	if n := head() - before; n != 0 {
		t.Errorf("%d entries for nothing that was shown", n)
	}
	for _, page := range []string{"1.png", "2.png", "2.png?width=64", "1.png"} {
		k.do("view", "GET", base+page, nil)
	}
	if n := head() - before; n != 1 {
		t.Errorf("%d entries for a person", n)
	}
	if k.do("admin", "GET", base+"1.png", nil); head()-before != 2 {
		t.Error("no entry for another person")
	}
}
