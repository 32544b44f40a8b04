package engine

import (
	"bytes"
	"context"
	"math"

	"strongroom/engine/internal/check"
	"strongroom/engine/internal/store"
)

// Folder is a folder that documents lie in.
type Folder struct {
	Path      string // from the outermost folder on
	Name      string // the last part of that
	Documents uint64 // in it and all below it, of the states asked for
	More      bool   // there are more than were counted
}

// FolderQuery chooses the folders directly below one. Zero members choose as in
// DocumentQuery; a Path of "" is above all folders.
type FolderQuery struct {
	Path     string
	Status   Status
	Archived *bool
	Paging
}

// countMost is how many documents are counted in one folder, and about how many on
// one page.
const countMost = 10_000

// Folders returns one page of the folders directly below one, as they are spelled,
// with how many documents lie there: only those that who asks may see count, and a
// folder without any is not there. More than 10,000 are not counted to their end. A
// page may be short and still have a cursor. *InvalidError as of Documents.
func (v *Vault) Folders(ctx context.Context, q FolderQuery) (Page[Folder], error) {
	limit, err := pageLimit(q.Limit)
	if err != nil {
		return Page[Folder]{}, err
	}
	place, err := decodeCursor(listFolders, q.Cursor)
	if err != nil {
		return Page[Folder]{}, err
	}
	of := DocumentQuery{Path: q.Path, Status: q.Status, Archived: q.Archived}
	states, err := of.states()
	if err != nil {
		return Page[Folder]{}, err
	}
	below := ""
	if q.Path != "" {
		below = check.NFC(q.Path) + "/"
	}
	return view(v, func(t *tx) (page Page[Folder], err error) {
		l := lister{t: t}
		if l.states, err = t.shownStates(states, !t.partial()); err != nil || len(l.states) == 0 {
			return page, err
		}
		counted := uint64(0)
		w := t.folders(below, string(place))
		for name := w.next(); name != ""; name = w.next() {
			f := Folder{Path: below + name, Name: name}
			if f.Documents, f.More = l.count(f.Path); f.Documents == 0 {
				continue // before a cursor is made of it
			}
			if len(page.Items) == limit || counted >= countMost && len(page.Items) > 0 {
				page.NextCursor = store.EncodePlace(listFolders, place)
				return page, nil
			}
			page.Items, place = append(page.Items, f), []byte(name)
			counted += f.Documents
		}
		return page, nil
	})
}

// count counts the documents in a folder and below it. Where there are few among
// many that are in no state asked for, the many are leapt over.
func (l *lister) count(path string) (n uint64, more bool) {
	walk := store.Intersection{Sets: []store.IDSet{l.t.rows(kindPath, text(path)), l.anyState()}, Left: math.MaxInt}
	for at, ok := (id{}), true; ok; at, ok = at.Beside(false) {
		if at, ok = walk.Seek(at); !ok {
			break
		}
		if n == countMost {
			return n, true
		}
		n++
	}
	return n, false
}

// folderWalk walks the names of the folders directly below one, in the order of
// their bytes.
type folderWalk struct {
	c      store.Cursor
	prefix []byte // of the rows of all that lie below
	from   []byte // what the next row is not before
}

// folders begins after a name, "" for the first. below is "" or ends with /.
func (t *tx) folders(below, after string) *folderWalk {
	w := &folderWalk{c: t.Cursor(bucketIndex), prefix: indexPrefix(kindPath, below)}
	w.from = w.prefix
	if after != "" {
		w.pass(after)
	}
	return w
}

// next returns "" at the end. The rows of a folder stand before those of what lies
// in it, with the rows of others in between: "a", then "a b", then "a/b".
func (w *folderWalk) next() string {
	for {
		row, _ := w.c.Seek(w.from)
		if !bytes.HasPrefix(row, w.prefix) {
			return ""
		}
		rest := row[len(w.prefix):]
		end := bytes.IndexAny(rest, "\x00/")
		if end <= 0 { // a damaged row is for Verify to find
			return ""
		}
		name := string(rest[:end])
		if rest[end] == 0 {
			w.pass(name)
			return name
		}
		w.from = append(bytes.Clone(w.prefix), name+"0"...) // what stands behind name/
	}
}

// pass goes behind the rows of a folder.
func (w *folderWalk) pass(name string) {
	w.from = append(bytes.Clone(w.prefix), name+"\x01"...)
}
