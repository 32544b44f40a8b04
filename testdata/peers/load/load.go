// Package load is what the clients of other stores have in common: they do what
// a line on standard input says, and answer it with a line.
//
//	seed 100000            ok
//	turn metadata 64 3s    21730 3.004118
//
// An answer to a turn is how many operations were done in how many seconds.
package load

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// Store is one that is loaded.
type Store interface {
	// Seed puts so many records.
	Seed(ctx context.Context, records int) error
	// Prepare makes ready for so many clients at once, and returns what each of them
	// does again and again, and what puts away afterwards.
	Prepare(ctx context.Context, work string, clients int) (do func(client int) error, end func() error, err error)
}

// Blobs are 64 KiB each, other ones each time, at the price of a random number:
// equal ones cost less on some disks.
type Blobs []byte

func NewBlobs() Blobs {
	b := make(Blobs, 8<<20)
	rand.Read(b)
	return b
}

func (b Blobs) Next() []byte {
	at := mrand.IntN(len(b) - 64<<10)
	return b[at:][:64<<10]
}

// Nothing is an end with nothing to put away.
func Nothing() error { return nil }

// Serve answers lines until there are no more.
func Serve(ctx context.Context, s Store, in io.Reader, out io.Writer) error {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer, err := answer(ctx, s, lines.Text())
		if err != nil {
			return fmt.Errorf("%s: %w", lines.Text(), err)
		}
		fmt.Fprintln(out, answer)
	}
	return nil
}

func answer(ctx context.Context, s Store, line string) (string, error) {
	var records, clients int
	var work, length string
	if _, err := fmt.Sscanf(line, "seed %d", &records); err == nil {
		return "ok", s.Seed(ctx, records)
	}
	if _, err := fmt.Sscanf(line, "turn %s %d %s", &work, &clients, &length); err != nil {
		return "", err
	}
	duration, err := time.ParseDuration(length)
	if err != nil {
		return "", err
	}
	do, end, err := s.Prepare(ctx, work, clients)
	if err != nil {
		return "", err
	}
	done, took, err := turn(do, clients, duration)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d %.6f", done, took.Seconds()), end()
}

// turn has so many clients do their work until the time is over. It stops at the
// first error: a store that refuses is not measured.
func turn(do func(client int) error, clients int, duration time.Duration) (int64, time.Duration, error) {
	var (
		working sync.WaitGroup
		done    atomic.Int64
		failed  = make(chan error, clients)
		began   = time.Now()
	)
	for client := range clients {
		working.Go(func() {
			n := int64(0)
			for time.Since(began) < duration && len(failed) == 0 {
				if err := do(client); err != nil {
					failed <- err
					break
				}
				n++
			}
			done.Add(n)
		})
	}
	working.Wait()
	took := time.Since(began)
	select {
	case err := <-failed:
		return 0, 0, err
	default:
		return done.Load(), took, nil
	}
}
