// Package importer takes a tree of files into a vault, in bulk and again and again.
//
// Where the rows come from is a Source: a CSV that names the files and says what they
// are, or the tree itself. An Import joins a source to a vault. It judges every row
// against what the vault has, its users, fields and categories; Check does that for
// all of them before anything is written. Run puts the files into the vault, many at
// a time, for the vault commits those together that come together.
//
// What makes it repeatable is the externalId: each document keeps one that says which
// file it came from, so a file that is there with the same bytes is passed over, and
// an import that was broken off goes on where it stopped. No memory of its own is
// needed, and no order among the files.
//
// It is a client of the API and needs no more than a line to the vault (package
// control). It prints nothing and knows no flags: it tells rows and errors to its
// caller, and an option that cannot be meant is an *OptionError.
package importer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"

	"strongroom/httpapi/control"
)

// Options say what is imported, and as what.
type Options struct {
	Dir string // the tree
	CSV string // file that names files below Dir and says what they are; "": all below Dir
	// Delimiter is what stands between the cells of the CSV; 0 is a comma.
	Delimiter rune
	Data      string // the data directory, which is left out if it lies in the tree

	Category string // of documents whose row has none; "": the default of the API
	Tags     string // of all documents, with commas between, beside those of their rows
	Owner    string // of documents whose row names nobody, by id or e-mail address; "": the first administrator
	Update   bool   // other bytes of a document are a new version, not a failure

	OCR *OCR // reads files that have no text of their own; nil: nothing does
}

// delimiter is what stands between cells.
func (o Options) delimiter() rune {
	if o.Delimiter == 0 {
		return ','
	}
	return o.Delimiter
}

// OptionError says that an option cannot be meant. Err alone does not name it.
type OptionError struct {
	Option string // "csv", "category", "tags" or "owner"
	Value  string
	Err    error
}

func (e *OptionError) Error() string { return fmt.Sprintf("%s %s: %v", e.Option, e.Value, e.Err) }

func (e *OptionError) Unwrap() error { return e.Err }

// Measure is how much there is to import, or was imported.
type Measure struct {
	Files int
	Bytes int64
}

// Source is where files and what is said of them come from.
type Source struct {
	root    *os.Root
	data    fs.FileInfo // the data directory, which is left out; nil: there is none
	table   *table
	options Options
}

// Open opens the tree, and the CSV if there is one. The caller closes the source.
func Open(o Options) (*Source, error) {
	root, err := os.OpenRoot(o.Dir)
	if err != nil {
		return nil, err
	}
	data, err := os.Stat(o.Data)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		root.Close()
		return nil, err
	}
	t, err := openTable(root, data, o)
	if err != nil {
		root.Close()
		return nil, err
	}
	return &Source{root: root, data: data, table: t, options: o}, nil
}

// Name returns what a person calls the source: the CSV's name, or that of the tree.
func (s *Source) Name() string { return s.table.name }

// LeftOut says, for a person, what the last reading of a tree has left out; "" if
// that is nothing.
func (s *Source) LeftOut() string { return s.table.leftOut() }

// Close closes the tree.
func (s *Source) Close() error { return s.root.Close() }

// Import joins a source to a vault. It is run once.
type Import struct {
	source *Source
	line   *control.Client
	judge  *judge
	ocrs   chan struct{} // has room for as many as run at a time

	mu           sync.Mutex // guards what follows
	done         Measure
	tally        [outcomes]int
	read, unread int
	told         int   // files that the other end was told of
	end          error // why nothing more can be imported
}

// New asks the vault for what the rows of the source can refer to.
func New(ctx context.Context, line *control.Client, s *Source) (*Import, error) {
	j, err := newJudge(ctx, line, s.root, s.data, s.table.columns, s.options)
	if err != nil {
		return nil, err
	}
	return &Import{source: s, line: line.Bulk(), judge: j, ocrs: make(chan struct{}, runtime.NumCPU())}, nil
}

// DefaultOwner is the name of the administrator who will own what no row and no
// option gives an owner; "" if an option does.
func (m *Import) DefaultOwner() string { return m.judge.defaulted }

// Check judges all rows, and tells what is wrong with each that is. It writes
// nothing, and returns how much the others are.
func (m *Import) Check(ctx context.Context, tell func(Row, error)) (Measure, error) {
	var total Measure
	seen := twice{}
	for row, err := range m.source.table.rows(ctx) {
		if err != nil {
			return Measure{}, err
		}
		file, err := m.judge.file(row)
		if file != nil && m.source.table.repeats {
			if repeated := seen.check(file); err != nil && repeated != nil {
				err = mistakes{err, repeated}
			} else if err == nil {
				err = repeated
			}
		}
		if err != nil {
			tell(row, err)
			continue
		}
		total.Files++
		total.Bytes += file.size
	}
	return total, nil
}

// Done returns how much a run has dealt with so far.
func (m *Import) Done() Measure {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.done
}
