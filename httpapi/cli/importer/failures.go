package importer

import (
	"encoding/csv"
	"io"
	"slices"
)

// Failures writes rows that failed as a CSV that can be given back: it has the
// columns of the source, and the error.
type Failures struct {
	to *csv.Writer
	at int // of the column error
}

// NewFailures writes the head of the CSV.
func NewFailures(w io.Writer, s *Source) (*Failures, error) {
	columns := s.table.columns
	f := &Failures{to: csv.NewWriter(w), at: slices.Index(columns, errorColumn)}
	f.to.Comma = s.options.delimiter()
	if f.at < 0 {
		f.at = len(columns)
		columns = append(slices.Clone(columns), errorColumn)
	}
	f.to.Write(columns)
	f.to.Flush()
	return f, f.to.Error()
}

// Add writes a row, and why it failed. What goes wrong with that, Close says.
func (f *Failures) Add(row Row, why error) {
	cells := make([]string, max(f.at+1, len(row.cells)))
	copy(cells, row.cells)
	cells[f.at] = why.Error()
	f.to.Write(cells) // its first error stays
}

// Close writes what is left, and returns the first error of writing.
func (f *Failures) Close() error {
	f.to.Flush()
	return f.to.Error()
}
