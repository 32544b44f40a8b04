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
	"slices"
	"strings"
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

func openTable(root *os.Root, o Options) (*table, error) {
	if o.CSV == "" {
		data, err := os.Stat(o.Data)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
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
				} else if kind := leaveOut(path, d, data); kind != "" {
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

// leaveOut returns what kind of thing it is that is not imported, "" if it is.
func leaveOut(path string, d fs.DirEntry, data fs.FileInfo) string {
	switch {
	case path == ".":
		return ""
	case strings.HasPrefix(d.Name(), "."):
		return "hidden"
	case d.IsDir() && data != nil:
		if info, err := d.Info(); err == nil && os.SameFile(info, data) {
			return "data directory"
		}
		return ""
	case d.IsDir() || d.Type().IsRegular():
		return ""
	case d.Type()&fs.ModeSymlink != 0:
		return "symbolic link"
	}
	return "special file"
}

// leftOut says what the last reading has left out, for a person.
func (t *table) leftOut() string {
	var parts []string
	for _, kind := range []struct{ one, many string }{
		{"hidden", "hidden"}, {"symbolic link", "symbolic links"}, {"special file", "special files"}, {"data directory", "data directories"},
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
	f, err := os.Open(name)
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
