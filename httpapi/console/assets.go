package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"
	"regexp"
	"strings"
)

//go:embed static
var staticFiles embed.FS

// assets are the files of the pages, each under a name with its hash in it: a
// browser keeps them for ever, and never has an old one. They are compressed once.
type assets struct {
	base   string            // of their addresses
	named  map[string]string // "app.css": its address
	served map[string]asset  // by the last part of the address
}

type asset struct {
	mediaType     string
	plain, zipped []byte
}

func loadAssets(base string) (assets, error) {
	a := assets{base: base, named: map[string]string{}, served: map[string]asset{}}
	files, err := staticFiles.ReadDir("static")
	if err != nil {
		return a, err
	}
	// What others name comes first: pictures and modules, then the styles and the
	// script that begins.
	for _, last := range []bool{false, true} {
		for _, f := range files {
			if (strings.HasPrefix(f.Name(), "app.")) == last {
				if err := a.add(f.Name()); err != nil {
					return a, err
				}
			}
		}
	}
	return a, nil
}

// named is a file beside it that a style or a script names.
var named = regexp.MustCompile(`(url\("|from "\./)([a-z-]+\.[a-z]+)"`)

func (a assets) add(name string) error {
	plain, err := staticFiles.ReadFile("static/" + name)
	if err != nil {
		return err
	}
	if strings.HasPrefix(name, "app.") {
		plain = named.ReplaceAllFunc(plain, func(found []byte) []byte {
			file := string(named.FindSubmatch(found)[2])
			return bytes.Replace(found, []byte(file), []byte(path.Base(a.named[file])), 1)
		})
	}
	sum := sha256.Sum256(plain)
	ext := path.Ext(name)
	hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	var zipped bytes.Buffer
	z, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if _, err := z.Write(plain); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	mediaType := mime.TypeByExtension(ext)
	if ext == ".js" {
		mediaType = "text/javascript; charset=utf-8"
	}
	a.named[name] = a.base + hashed
	a.served[hashed] = asset{mediaType, plain, zipped.Bytes()}
	return nil
}

func (a assets) serve(w http.ResponseWriter, r *http.Request, name string) {
	file, ok := a.served[name]
	if !ok || r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Type", file.mediaType)
	h.Set("Vary", "Accept-Encoding")
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		w.Write(file.zipped)
		return
	}
	w.Write(file.plain)
}
