package importer

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"strongroom/httpapi/control"
)

// MaxWorkers bounds the workers of a run: beyond that, groups of commits grow no
// larger and memory does.
const MaxWorkers = control.MaxConnections

// outcome is what became of a file.
type outcome int

const (
	imported outcome = iota
	versioned
	skipped
	failed
	outcomes
)

// Tally is what became of the files of a run.
type Tally struct {
	Imported, Versions, Skipped, Failed int
	// Read is how many files got a text by OCR, and Unread how many could not: these
	// are in the vault all the same.
	Read, Unread int
	Measure                    // of all of them
	Elapsed      time.Duration // since the run began
}

// Run imports all rows, so many at a time, and tells those that fail, one after the
// other. It ends when there are no more, when ctx is done, or when the vault takes
// nothing more; files in hand are finished in any case. The error says why it did
// not come to the last row: a *StoppedError, the error of reading the rows, or that
// of ctx. Files that failed are no such error.
func (m *Import) Run(ctx context.Context, workers int, tell func(Row, error)) (Tally, error) {
	began := time.Now()
	rows := make(chan Row)
	// A vault that can take nothing more ends the import as Ctrl-C does: after
	// the files in hand.
	feeding, cease := context.WithCancel(ctx)
	defer cease()
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for row := range rows {
				if m.take(context.WithoutCancel(ctx), row, tell) != nil {
					cease()
				}
				m.report(context.WithoutCancel(ctx), false)
			}
		})
	}
	err := m.feed(feeding, rows)
	close(rows)
	working.Wait()
	m.report(context.WithoutCancel(ctx), true)
	if m.end != nil {
		err = m.end
	}
	return Tally{
		Imported: m.tally[imported], Versions: m.tally[versioned], Skipped: m.tally[skipped], Failed: m.tally[failed],
		Read: m.read, Unread: m.unread,
		Measure: m.done, Elapsed: time.Since(began),
	}, err
}

// reported is after how many files the other end is told how far the import is.
const reported = 1_000

// report tells the other end, for its log, how far the import is: after so many
// files, and at the end. If that fails, the log lacks a line and nothing else.
func (m *Import) report(ctx context.Context, ended bool) {
	m.mu.Lock()
	if !ended && m.done.Files < m.told+reported {
		m.mu.Unlock()
		return
	}
	m.told = m.done.Files
	far := control.Imported{
		Files: m.done.Files, Imported: m.tally[imported], Versions: m.tally[versioned],
		Skipped: m.tally[skipped], Failed: m.tally[failed], Ended: ended,
	}
	m.mu.Unlock()
	m.line.Import(ctx, far)
}

// feed hands the rows to the workers until ctx is done.
func (m *Import) feed(ctx context.Context, rows chan<- Row) error {
	for row, err := range m.source.table.rows(ctx) {
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
func (m *Import) take(ctx context.Context, row Row, tell func(Row, error)) error {
	file, err := m.judge.file(row) // again: it was judged a while ago
	came, read := failed, false
	if err == nil {
		var made versionRow
		came, made, err = m.put(ctx, file)
		if err == nil && m.source.options.OCR != nil && made.SuppliedText == nil {
			read, err = m.ocr(ctx, file, made)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.tally[came]++; read {
		m.read++
	} else if err != nil && came != failed {
		m.unread++
	}
	m.done.Files++
	if file != nil {
		m.done.Bytes += file.size
	}
	if err == nil {
		return nil
	}
	tell(row, err)
	if stopped := (*StoppedError)(nil); errors.As(err, &stopped) {
		m.end = stopped
		return err
	}
	return nil
}

// StoppedError is one after which nothing else can be imported either: the vault
// has no space, or does not answer.
type StoppedError struct{ Err error }

func (e *StoppedError) Error() string { return e.Err.Error() }

func (e *StoppedError) Unwrap() error { return e.Err }

// final marks an error of the vault that is not about this file.
func final(err error) error {
	refused, ok := errors.AsType[*control.Refusal](err)
	if ok && refused.Status < http.StatusInternalServerError {
		return err
	}
	return &StoppedError{err}
}
