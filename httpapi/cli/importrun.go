package cli

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"strongroom/httpapi/control"
)

// importer is one run of an import.
type importer struct {
	*Program
	line   *control.Client
	judge  *judge
	table  *importTable
	total  measure
	update bool

	began time.Time
	mu    sync.Mutex // guards what follows
	done  measure
	tally [outcomes]int
	fails *failures // nil: nobody asked for them
	end   error     // why nothing more can be imported
}

// outcome is what became of a file.
type outcome int

const (
	imported outcome = iota
	versioned
	skipped
	failed
	outcomes
)

func (o outcome) String() string {
	return [...]string{"imported", "versions", "skipped", "failed"}[o]
}

// runInto is run with the failures as a CSV. The error is that of writing it;
// how the import ended is the outcome.
func (m *importer) runInto(ctx context.Context, workers int, w io.Writer) (ended, err error) {
	fails, err := newFailures(w, m.table.columns)
	if err != nil {
		return nil, err
	}
	ended = m.run(ctx, workers, fails)
	return ended, fails.close()
}

// run imports all rows, so many at a time, and says what came of it.
func (m *importer) run(ctx context.Context, workers int, fails *failures) error {
	m.fails, m.began = fails, time.Now()
	stop := m.showProgress(m.progress)
	defer stop()
	rows := make(chan importRow)
	// A vault that can take nothing more ends the import as Ctrl-C does: after
	// the files in hand.
	feeding, cease := context.WithCancel(ctx)
	defer cease()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for row := range rows {
				if m.take(context.WithoutCancel(ctx), row) != nil {
					cease()
				}
			}
		})
	}
	err := m.feed(feeding, rows)
	close(rows)
	working.Wait()
	stop()
	return errors.Join(m.report(), m.verdict(ctx, err))
}

// feed hands the rows to the workers until ctx is done.
func (m *importer) feed(ctx context.Context, rows chan<- importRow) error {
	for row, err := range m.table.rows(ctx) {
		if err != nil {
			return err
		}
		select {
		case rows <- row:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// take imports a row. The error says that nothing more can be imported.
func (m *importer) take(ctx context.Context, row importRow) error {
	file, err := m.judge.file(row) // again: it was judged a while ago
	came := failed
	if err == nil {
		came, err = m.put(ctx, file)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally[came]++
	m.done.files++
	if file != nil {
		m.done.bytes += file.size
	}
	if err == nil {
		return nil
	}
	if n := m.tally[failed]; n <= maxTold {
		fmt.Fprintf(m.Stderr, "%s: %v\n", row.where(), err)
	}
	if m.fails != nil {
		m.fails.add(row, err)
	}
	if final := (*finalError)(nil); errors.As(err, &final) {
		m.end = err
		return err
	}
	return nil
}

func (m *importer) progress() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total.bar(m.done, m.began)
}

// report writes what became of the files.
func (m *importer) report() error {
	elapsed := time.Since(m.began)
	each := elapsed.Seconds()
	fmt.Fprintf(m.Stderr, "%s, %s in %v: %.1f files and %s each second\n", counted(m.done.files, "file", "files"), bytesValue(m.done.bytes).short(),
		elapsed.Round(time.Millisecond), float64(m.done.files)/each, bytesValue(float64(m.done.bytes)/each).short())
	for o := range outcomes {
		if _, err := fmt.Fprintf(m.Stdout, "%-9s %d\n", o, m.tally[o]); err != nil {
			return err
		}
	}
	return nil
}

// verdict is how the import ended, fed being the error of reading its rows.
func (m *importer) verdict(ctx context.Context, fed error) error {
	switch n := m.tally[failed]; {
	case m.end != nil:
		return fmt.Errorf("stopped, because the vault takes nothing more: %w; the same command goes on from here", m.end)
	case ctx.Err() != nil:
		return errors.New("interrupted; the same command goes on from here")
	case fed != nil:
		return fed
	case n > 0 && m.fails != nil:
		return fmt.Errorf("%s not imported; correct the file of failures and give it as --csv", counted(n, "file was", "files were"))
	case n > 0:
		return fmt.Errorf("%s not imported; the same command tries again", counted(n, "file was", "files were"))
	}
	return nil
}

// finalError is one after which nothing else can be imported either.
type finalError struct{ error }

func (e *finalError) Unwrap() error { return e.error }

// final marks an error of the vault that is not about this file: no space, no
// vault, no answer at all.
func final(err error) error {
	refused, ok := errors.AsType[*control.Refusal](err)
	if ok && refused.Status < http.StatusInternalServerError {
		return err
	}
	return &finalError{err}
}

// failures writes rows that failed as a CSV that can be given back.
type failures struct {
	to *csv.Writer
	at int // of the column error
}

func newFailures(w io.Writer, columns []string) (*failures, error) {
	f := &failures{to: csv.NewWriter(w), at: slices.Index(columns, errorColumn)}
	if f.at < 0 {
		f.at = len(columns)
		columns = append(slices.Clone(columns), errorColumn)
	}
	f.to.Write(columns)
	f.to.Flush()
	return f, f.to.Error()
}

func (f *failures) add(row importRow, why error) {
	cells := make([]string, max(f.at+1, len(row.cells)))
	copy(cells, row.cells)
	cells[f.at] = why.Error()
	f.to.Write(cells) // its first error stays
}

func (f *failures) close() error {
	f.to.Flush()
	return f.to.Error()
}
