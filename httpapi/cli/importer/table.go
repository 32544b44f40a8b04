package importer

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// table is where the rows of an import come from: a CSV, or the tree
// itself. It is read twice, once to judge and once to import, so that a million
// rows need not be held.
type table struct {
	name    string   // for a person
	columns []string // path is among them
	repeats bool     // a row may say what another has said
	// rows begins at the first row each time it is called. An error ends it.
	rows func(context.Context) iter.Seq2[Row, error]
	// left counts what the last reading has left out, by its kind.
	left map[string]int
}

// Row is a file to import, and what the CSV says of it.
type Row struct {
	Line   int    // of the CSV; 0 in a tree
	Path   string // as it is given: it may say anything
	cells  []string
	defect error // why it is no row
}

func openTable(root *os.Root, data fs.FileInfo, o Options) (*table, error) {
	if o.CSV == "" {
		return treeTable(root, o.Dir, data), nil
	}
	t, err := csvTable(o.CSV, o.delimiter())
	if err != nil {
		return nil, &OptionError{"csv", o.CSV, err}
	}
	return t, nil
}

// treeTable has a row for each file below root, sorted by directory. data is the
// data directory, if there is one: it may lie in the tree.
func treeTable(root *os.Root, name string, data fs.FileInfo) *table {
	t := &table{name: name, columns: []string{"path"}}
	t.rows = func(ctx context.Context) iter.Seq2[Row, error] {
		t.left = map[string]int{}
		return func(yield func(Row, error) bool) {
			err := fs.WalkDir(root.FS(), ".", func(path string, d fs.DirEntry, err error) error {
				row := Row{Path: path, cells: []string{path}}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err != nil {
					row.defect = err
				} else if kind := leaveOut(path, d.Type(), d.Info, data); kind != "" {
					t.left[kind]++
					if d.IsDir() {
						return fs.SkipDir
					}
					return nil
				} else if d.IsDir() {
					return nil
				}
				if !yield(row, nil) {
					return fs.SkipAll
				}
				return nil
			})
			if err != nil {
				yield(Row{}, err)
			}
		}
	}
	return t
}

// What leaveOut calls things.
const (
	hidden        = "hidden"
	symbolicLink  = "symbolic link"
	specialFile   = "special file"
	dataDirectory = "data directory"
)

// leaveOut returns what kind of thing it is that is not imported, "" if it is. It is
// the one judgement of that, for a tree and for what a CSV names. Data is the data
// directory, nil if there is none.
func leaveOut(path string, kind fs.FileMode, info func() (fs.FileInfo, error), data fs.FileInfo) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	switch {
	case path == ".":
		return ""
	case strings.HasPrefix(name, "."):
		return hidden
	case kind.IsDir() && data != nil:
		if is, err := info(); err == nil && os.SameFile(is, data) {
			return dataDirectory
		}
		return ""
	case kind.IsDir() || kind.IsRegular():
		return ""
	case kind&fs.ModeSymlink != 0:
		return symbolicLink
	}
	return specialFile
}

// locate finds a file below root, and refuses what a tree would leave out, it or
// what it lies in. Path is clean.
func locate(root *os.Root, path string, data fs.FileInfo) (info fs.FileInfo, err error) {
	for end := 0; end < len(path); end++ {
		if next := strings.IndexByte(path[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(path)
		}
		at := path[:end]
		if info, err = root.Lstat(filepath.FromSlash(at)); err != nil {
			return nil, err
		}
		switch leaveOut(at, info.Mode().Type(), func() (fs.FileInfo, error) { return info, nil }, data) {
		case hidden:
			return nil, fmt.Errorf("%q begins with a dot: such files, and what is in such directories, are not imported", at)
		case dataDirectory:
			return nil, fmt.Errorf("%q is the data directory of the vaults", at)
		case symbolicLink:
			return nil, fmt.Errorf("%q is a symbolic link, and no regular file", at)
		case specialFile:
			return nil, fmt.Errorf("%q is no regular file", at)
		}
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	return info, nil
}

// open opens a file that was found, and nothing that has taken its place since: a
// pipe would never open, and a link leads to what was not judged.
func open(root *os.Root, f *file) (*os.File, error) {
	opened, err := root.OpenFile(filepath.FromSlash(f.path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := opened.Stat()
	if err == nil && !os.SameFile(info, f.info) {
		err = ErrReplaced
	}
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// leftOut says what the last reading has left out, for a person.
func (t *table) leftOut() string {
	var parts []string
	for _, kind := range []struct{ one, many string }{
		{hidden, "hidden"}, {symbolicLink, "symbolic links"}, {specialFile, "special files"}, {dataDirectory, "data directories"},
	} {
		switch n := t.left[kind.one]; {
		case n == 1:
			parts = append(parts, "1 "+kind.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, kind.many))
		}
	}
	return strings.Join(parts, ", ")
}

// csvColumns are those a CSV may have, beside field.KEY. The last is what an
// import has written to its file of failures, and is passed over.
var csvColumns = []string{"path", "name", "category", "description", "owner", "tags", "externalId", "product",
	"templateId", "agreementId", "label", "comment", errorColumn}

const (
	errorColumn = "error"
	fieldColumn = "field." // and the key of a custom field
)

func csvTable(name string, delimiter rune) (*table, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // it may be a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, errors.New("must be a regular file: it is read twice")
	}
	_, columns, err := readHead(f, delimiter)
	if err != nil {
		return nil, err
	}
	t := &table{name: name, columns: columns, repeats: true}
	t.rows = func(ctx context.Context) iter.Seq2[Row, error] {
		return func(yield func(Row, error) bool) { csvRows(ctx, name, delimiter, columns, yield) }
	}
	return t, nil
}

func csvRows(ctx context.Context, name string, delimiter rune, columns []string, yield func(Row, error) bool) {
	f, err := os.Open(name)
	if err != nil {
		yield(Row{}, err)
		return
	}
	defer f.Close()
	r, again, err := readHead(f, delimiter)
	if err == nil && !slices.Equal(again, columns) {
		err = errors.New("it changed while it was read")
	}
	for path := slices.Index(columns, "path"); err == nil; {
		var row Row
		if err = ctx.Err(); err != nil {
			break
		}
		row.cells, err = r.Read()
		if err == io.EOF {
			return
		}
		if errors.Is(err, csv.ErrFieldCount) {
			row.defect, err = fmt.Errorf("has %d cells, the first line has %d; put quotes around text with %s",
				len(row.cells), len(columns), delimiterName(delimiter)), nil
		}
		if err != nil {
			err = spelled(err)
			break
		}
		row.Line, _ = r.FieldPos(0)
		if !slices.ContainsFunc(row.cells, func(cell string) bool { return strings.TrimSpace(cell) != "" }) {
			continue // spreadsheets leave such rows at the end
		}
		if path < len(row.cells) {
			row.Path = row.cells[path]
		}
		if !yield(row, nil) {
			return
		}
	}
	yield(Row{}, &OptionError{"csv", name, err})
}

// readHead reads the first line, which names the columns.
func readHead(f io.Reader, delimiter rune) (*csv.Reader, []string, error) {
	b := bufio.NewReaderSize(f, 1<<16)
	switch mark, _ := b.Peek(3); {
	case bytes.HasPrefix(mark, []byte{0xEF, 0xBB, 0xBF}):
		b.Discard(3)
	case bytes.HasPrefix(mark, []byte{0xFF, 0xFE}), bytes.HasPrefix(mark, []byte{0xFE, 0xFF}):
		return nil, nil, errors.New("is UTF-16; save it as UTF-8")
	}
	if mark, _ := b.Peek(4); bytes.Equal(mark, []byte("sep=")) {
		return nil, nil, errors.New("begins with a line sep=, which is no column; take that line out and give the sign as --delimiter")
	}
	r := csv.NewReader(b)
	r.Comma = delimiter
	columns, err := r.Read()
	if err == io.EOF {
		return nil, nil, errors.New("is empty; its first line names the columns, and path is one of them")
	}
	if err != nil {
		return nil, nil, spelled(err)
	}
	return r, columns, checkColumns(columns, delimiter)
}

// spelled says what is wrong with the form of a CSV, where encoding/csv speaks of
// an error of parsing.
func spelled(err error) error {
	form, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	switch {
	case errors.Is(err, csv.ErrQuote):
		return fmt.Errorf("line %d: a quotation mark is not closed, or something follows the closing one; inside a quoted cell it is written twice", form.Line)
	case errors.Is(err, csv.ErrBareQuote):
		return fmt.Errorf("line %d: a quotation mark stands in a cell without quotes; put the cell in quotes and write the mark twice", form.Line)
	}
	return fmt.Errorf("line %d: %w", form.Line, form.Err)
}

func checkColumns(columns []string, delimiter rune) error {
	seen := map[string]bool{}
	for i := range columns {
		columns[i] = strings.TrimSpace(columns[i])
		name := columns[i]
		_, isField := strings.CutPrefix(name, fieldColumn)
		switch {
		case name == "":
			return fmt.Errorf("column %d has no name", i+1)
		case seen[name]:
			return fmt.Errorf("the column %q is there twice", name)
		case !isField && !slices.Contains(csvColumns, name):
			return fmt.Errorf("there is no column %q%s; it may have %s, separated by %s", name, otherDelimiter(name, delimiter),
				strings.Join(csvColumns, ", ")+", "+fieldColumn+"KEY", delimiterName(delimiter))
		}
		seen[name] = true
	}
	if !seen["path"] {
		return errors.New("the column path is missing: it names the files")
	}
	return nil
}

// delimiters are what spreadsheets put between cells.
var delimiters = []struct {
	sign rune
	name string
	flag string
}{{',', "commas", "','"}, {';', "semicolons", "';'"}, {'\t', "tabs", "tab"}, {'|', "bars", "'|'"}}

func delimiterName(sign rune) string {
	for _, d := range delimiters {
		if d.sign == sign {
			return d.name
		}
	}
	return string(sign)
}

// otherDelimiter advises, where what was read as one column's name is several.
func otherDelimiter(name string, sign rune) string {
	for _, d := range delimiters {
		if d.sign != sign && strings.ContainsRune(name, d.sign) {
			return fmt.Sprintf(" (are the cells separated by %s? give --delimiter %s)", d.name, d.flag)
		}
	}
	return ""
}
