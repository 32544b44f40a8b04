package bag_test

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"strongroom/engine/internal/bag"
)

var at = time.Date(2026, 11, 29, 7, 30, 1, 0, time.UTC)

func spools(t testing.TB) func() (bag.Spool, error) {
	return func() (bag.Spool, error) { return os.CreateTemp(t.TempDir(), "spool") }
}

// reads takes a ZIP file apart, as a library does that did not write it.
func reads(t *testing.T, b []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range r.File {
		body, err := f.Open()
		if err != nil {
			t.Fatal(f.Name, err)
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(f.Name, err)
		}
		if files[f.Name] = string(text); !f.Modified.Equal(at) || f.Mode() != 0o644 {
			t.Errorf("%s: %s %s", f.Name, f.Modified, f.Mode())
		}
	}
	return files
}

func TestABag(t *testing.T) {
	var out bytes.Buffer
	b, err := bag.New(&out, "export-7", at, spools(t))
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{"data/a.txt": "one", "data/\u00fc/b.zip": strings.Repeat("two", 100_000), "data/empty": "", "index.html": "<p>"} {
		if _, err := b.Add(path, int64(len(text)), strings.HasSuffix(path, ".zip"), strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	// What cannot be read ends there, and the bag goes on.
	written, err := b.Add("data/lost", 10, false, io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errors.New("rotten"))))
	if err == nil || written.Size != 4 {
		t.Errorf("%+v %v", written, err)
	}
	if broken, is := errors.AsType[*bag.BrokenError](err); is {
		t.Error(broken)
	}
	if err := b.Close([]bag.Field{{"Source-Organization", "Acme\nPayload-Oxum: 1.1"}}); err != nil {
		t.Fatal(err)
	}
	files := reads(t, out.Bytes())
	want := "Source-Organization: Acme Payload-Oxum: 1.1\nPayload-Oxum: 300007.4\nBagging-Date: 2026-11-29\n"
	if got := files["export-7/bag-info.txt"]; got != want {
		t.Errorf("bag-info.txt:\n%s", got)
	}
	if got := files["export-7/bagit.txt"]; got != "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n" {
		t.Errorf("bagit.txt:\n%s", got)
	}
	for _, manifest := range []string{"manifest-sha256.txt", "tagmanifest-sha256.txt"} {
		for line := range strings.Lines(files["export-7/"+manifest]) {
			digest, path, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "  ")
			sum := sha256.Sum256([]byte(files["export-7/"+path]))
			if hex.EncodeToString(sum[:]) != digest {
				t.Errorf("%s: %s", manifest, line)
			}
			delete(files, "export-7/"+path)
		}
	}
	if len(files) != 1 { // the manifest of tag files itself
		t.Errorf("in no manifest: %v", files)
	}
}

// Whatever is cut off, it is not taken for a whole bag.
func TestACutBag(t *testing.T) {
	var out bytes.Buffer
	b, err := bag.New(&out, "x", at, spools(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Add("data/a", 3, true, strings.NewReader("one")); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(nil); err != nil {
		t.Fatal(err)
	}
	for n := range out.Len() {
		if _, err := zip.NewReader(bytes.NewReader(out.Bytes()[:n]), int64(n)); err == nil {
			t.Fatalf("the first %d of %d bytes are a ZIP file", n, out.Len())
		}
	}
	full := errors.New("full")
	if _, err := bag.New(failing{full}, "x", at, spools(t)); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// More files than 16 bits count.
func TestManyFiles(t *testing.T) {
	var out bytes.Buffer
	b, err := bag.New(&out, "x", at, spools(t))
	if err != nil {
		t.Fatal(err)
	}
	const many = 70_000
	for i := range many {
		if _, err := b.Add(fmt.Sprintf("data/%d", i), 0, true, strings.NewReader("")); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(nil); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || len(r.File) != many+4 {
		t.Fatal(len(r.File), err)
	}
}

// A file that 32 bits do not measure, and another behind it. It takes some seconds.
func TestALargeFile(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 4 GiB")
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "large.zip"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := bag.New(f, "x", at, spools(t))
	if err != nil {
		t.Fatal(err)
	}
	const size = 1<<32 + 5
	for _, path := range []string{"data/large", "data/after"} {
		of := int64(size)
		if path == "data/after" {
			of = 3
		}
		if _, err := b.Add(path, of, false, io.LimitReader(zeros{}, of)); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Close(nil); err != nil {
		t.Fatal(err)
	}
	r, err := zip.OpenReader(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, file := range r.File {
		body, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, body)
		if err != nil || uint64(n) != file.UncompressedSize64 {
			t.Errorf("%s: %d, %v", file.Name, n, err)
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestNames(t *testing.T) {
	for given, want := range map[string]string{
		"lease.pdf": "lease.pdf", "": "_", ".": "_", "..": "_", " . ": "_", "...": "_", "CON": "_CON", "con.txt": "_con.txt", "Com1.x.y": "_Com1.x.y", "COM¹": "_COM¹",
		"console": "console", "com10": "com10", "NUL .txt": "_NUL .txt", "a/b\\c:d": "a_b_c_d", "a\x00b\nc": "a_b_c", "trailing. . ": "trailing", "-rf": "_rf",
		"~x": "_x", ".hidden": "_hidden", "50%": "50_", "a\u202eb": "a_b", "a\u200bb": "a_b", "\u00fc\u4e2d": "\u00fc\u4e2d", "bad\xff": "bad_", "aux.": "_aux", "e\u0301": "e\u0301",
	} {
		if got := bag.Name(given, 60); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	for _, long := range []string{strings.Repeat("\u4e2d", 100) + ".pdf", strings.Repeat("x", 300), "." + strings.Repeat(".", 300), strings.Repeat("x", 59) + " . . .y"} {
		if got := bag.Name(long, 60); len(got) > 60 || !utf8.ValidString(got) || got != strings.TrimRight(got, " .") || got == "" {
			t.Errorf("%q", got)
		}
	}
	if got := bag.Name(strings.Repeat("\u4e2d", 100)+".pdf", 60); !strings.HasSuffix(got, "\u4e2d.pdf") {
		t.Error(got)
	}
}

func FuzzName(f *testing.F) {
	f.Add("con.txt")
	f.Fuzz(func(t *testing.T, s string) {
		got := bag.Name(s, 40)
		if got == "" || len(got) > 40 || strings.ContainsAny(got, "/\\<>:\"|?*%\x00\r\n\t") || got != strings.TrimRight(got, " .") || got[0] == '.' || !utf8.ValidString(got) {
			t.Errorf("%q: %q", s, got)
		}
		if again := bag.Name(got, 40); again != got {
			t.Errorf("%q becomes %q, and that %q", s, got, again)
		}
	})
}

func TestCells(t *testing.T) {
	for given, want := range map[string]string{
		"a": "a", "": "", "=1+1": "'=1+1", "+x": "'+x", "-x": "'-x", "@x": "'@x", "\t=x": "'\t'=x", " =x": "' =x", "\u00a0=x": "'\u00a0=x", "\u3000＝x": "'\u3000＝x", "\r": "'\r", "2026-01-01": "2026-01-01", "a=b": "a=b",
		"\t": "'\t", "\n=x": "'\n'=x", "\u2003@x": "'\u2003@x", "\v\f-x": "'\v\f-x", "＝x": "'＝x", "＋x": "'＋x", "－x": "'－x", "＠x": "'＠x", "\x00=x": "'\x00=x", "  ": "  ",
		// Where cells are divided otherwise, a part is a cell.
		"x;=1+1;": "x;'=1+1;", "x;; =1": "x;;' =1", "x\t=1": "x\t'=1", "x\n=1": "x\n'=1", "x\r\n+1": "x\r\n'+1", `x;"=1"`: `x;'"=1"`, "a;b": "a;b", "a; b-c": "a; b-c", "a,=b": "a,=b", "=a;=b": "'=a;'=b",
	} {
		if got := bag.Cells(given)[0]; got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
