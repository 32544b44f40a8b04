package pages

import (
	"bytes"
	"container/list"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"strongroom/engine/search/extract"
)

// noted is how long a picture may have been used without its file's time saying so.
const noted = time.Hour

var (
	errNotKept = errors.New("the picture is not kept")
	// end is that of every PNG. A file of another end was cut off by a crash: nothing
	// here is synced, for it can be made again.
	end = []byte("\x00\x00\x00\x00IEND\xaeB`\x82")
)

// kept are the pictures on disk.
type kept struct {
	dir     string
	version int
	most    int64

	mu    sync.Mutex // held while files are named and removed
	bytes int64
	used  *list.List // of *picture, the last used first
	at    map[key]*list.Element
	of    map[string]int // how many pictures of a document there are
}

type picture struct {
	key
	pages int
	size  int64
	noted time.Time // the time of its file
}

// openKept finds what is there, and removes what is of no use.
func openKept(dir string, version int, most int64) (*kept, error) {
	k := &kept{dir: dir, version: version, most: most, used: list.New(), at: map[key]*list.Element{}, of: map[string]int{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, err
	}
	documents, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []*picture
	for _, d := range documents {
		files, err := os.ReadDir(filepath.Join(dir, d.Name()))
		if err != nil || len(files) == 0 {
			if err := os.RemoveAll(filepath.Join(dir, d.Name())); err != nil { // it is half a picture
				return nil, err
			}
			continue
		}
		for _, f := range files {
			p, ok := k.parse(d.Name(), f)
			if !ok {
				if err := os.RemoveAll(filepath.Join(dir, d.Name(), f.Name())); err != nil {
					return nil, err
				}
				continue
			}
			found = append(found, p)
		}
	}
	slices.SortFunc(found, func(a, b *picture) int { return a.noted.Compare(b.noted) })
	for _, p := range found {
		k.add(p)
	}
	return k, k.shrink()
}

func (k *kept) parse(document string, f fs.DirEntry) (*picture, bool) {
	info, err := f.Info()
	if err != nil || !info.Mode().IsRegular() {
		return nil, false
	}
	p := &picture{key: key{document: document}, size: info.Size(), noted: info.ModTime()}
	var version int
	var digest string
	if _, err := fmt.Sscanf(f.Name(), "%dof%d-%d-%d-%s", &p.number, &p.pages, &p.width, &version, &digest); err != nil || version != k.version {
		return nil, false
	}
	sum, err := hex.DecodeString(strings.TrimSuffix(digest, ".png"))
	copy(p.digest[:], sum)
	return p, err == nil && k.path(p) == filepath.Join(k.dir, document, f.Name())
}

func (k *kept) path(p *picture) string {
	return filepath.Join(k.dir, p.document, fmt.Sprintf("%dof%d-%d-%d-%x.png", p.number, p.pages, p.width, k.version, p.digest[:]))
}

// add is called with mu held, or by who has it alone.
func (k *kept) add(p *picture) {
	if old := k.at[p.key]; old != nil {
		k.drop(old) // it was another number of pages, for the program read the file otherwise
	}
	k.at[p.key] = k.used.PushFront(p)
	k.bytes += p.size
	k.of[p.document]++
}

// drop removes a picture. Called with mu held.
func (k *kept) drop(e *list.Element) error {
	p := e.Value.(*picture)
	k.used.Remove(e)
	delete(k.at, p.key)
	k.bytes -= p.size
	err := os.Remove(k.path(p))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if k.of[p.document]--; k.of[p.document] == 0 {
		delete(k.of, p.document)
		os.Remove(filepath.Dir(k.path(p))) // unless a picture comes to it just now
	}
	return err
}

// shrink is called with mu held, or by who has it alone.
func (k *kept) shrink() error {
	var errs []error
	for k.bytes > k.most {
		errs = append(errs, k.drop(k.used.Back()))
	}
	return errors.Join(errs...)
}

// get reads a picture. errNotKept if it is not there.
func (k *kept) get(of key) (extract.Painted, error) {
	k.mu.Lock()
	e := k.at[of]
	if e == nil {
		k.mu.Unlock()
		return extract.Painted{}, errNotKept
	}
	k.used.MoveToFront(e)
	p := e.Value.(*picture)
	path, pages := k.path(p), p.pages
	now := time.Now()
	if now.Sub(p.noted) > noted {
		p.noted = now
		os.Chtimes(path, now, now) // else another goes first after a restart
	}
	k.mu.Unlock()
	b, err := os.ReadFile(path)
	if err == nil && bytes.HasSuffix(b, end) {
		return extract.Painted{PNG: b, Pages: pages}, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.at[of] == e {
		k.drop(e)
	}
	return extract.Painted{}, errNotKept
}

// put keeps a picture.
func (k *kept) put(of key, painted extract.Painted) error {
	p := &picture{key: of, pages: painted.Pages, size: int64(len(painted.PNG)), noted: time.Now()}
	k.mu.Lock()
	defer k.mu.Unlock()
	if p.size > k.most {
		return nil
	}
	path := k.path(p)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	aside := path + ".new"
	err := os.WriteFile(aside, painted.PNG, 0o600)
	if err == nil {
		err = os.Rename(aside, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	if old := k.at[of]; old != nil && old.Value.(*picture).pages == p.pages {
		k.bytes -= old.Value.(*picture).size // its file is this one now
		k.used.Remove(old)
		delete(k.at, of)
		k.of[of.document]--
	}
	k.add(p)
	return k.shrink()
}

// documents are those there are pictures of.
func (k *kept) documents() (ids []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id := range k.of {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// remove removes the pictures of a document.
func (k *kept) remove(document string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of[document] == 0 {
		return nil
	}
	var errs []error
	for e := k.used.Front(); e != nil; {
		next := e.Next()
		if e.Value.(*picture).document == document {
			errs = append(errs, k.drop(e))
		}
		e = next
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Join(k.dir, document)))...)
}
