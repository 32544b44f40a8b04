package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// slow is a body that waits before each byte, unless its request is over.
type slow struct {
	ctx  context.Context
	left int
	each time.Duration
}

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	select {
	case <-s.ctx.Done():
		return 0, s.ctx.Err()
	case <-time.After(s.each):
	}
	s.left--
	p[0] = 'x'
	return 1, nil
}

func (s *slow) Close() error { return nil }

// below answers when it has read the body, after a while.
type below struct {
	think, each time.Duration
}

func (b below) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		if _, err := io.Copy(io.Discard, req.Body); err != nil {
			return nil, err
		}
	}
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case <-time.After(b.think):
	}
	return &http.Response{StatusCode: http.StatusOK, Body: &slow{req.Context(), 10, b.each}}, nil
}

// What moves is not silent, however long it takes, and who reads slowly neither.
func TestPatience(t *testing.T) {
	const patience = 30 * time.Second
	for _, test := range []struct {
		name                        string
		send, think, receive, reads time.Duration // of each of ten bytes; think: once
		silent                      bool
	}{
		{"quick", 0, 0, 0, 0, false},
		{"slow on all ways", 29 * time.Second, 29 * time.Second, 29 * time.Second, 0, false},
		{"a slow reader", 0, 0, 0, time.Hour, false},
		{"silent while it takes", 31 * time.Second, 0, 0, 0, true},
		{"silent before it answers", 0, 31 * time.Second, 0, 0, true},
		{"silent in the middle", 0, 0, 31 * time.Second, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := &Client{patience: patience}
				ctx, _ := c.call(t.Context())
				req, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://store", nil)
				if err != nil {
					t.Fatal(err)
				}
				req.Body = &slow{ctx, 10, test.send}
				res, err := (&wire{below{test.think, test.receive}}).RoundTrip(req)
				n := 0
				for err == nil {
					_, err = res.Body.Read(make([]byte, 1))
					if err == nil {
						n++
						time.Sleep(test.reads)
					}
				}
				if res != nil {
					res.Body.Close()
				}
				switch {
				case test.silent && !errors.Is(err, errSilent):
					t.Errorf("%v after %d bytes", err, n)
				case !test.silent && (err != io.EOF || n != 10):
					t.Errorf("%v after %d bytes", err, n)
				}
			})
		})
	}
}

func TestCancelledIsNotSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		c := &Client{patience: time.Minute}
		ctx, _ = c.call(ctx)
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://store", strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (&wire{below{time.Hour, 0}}).RoundTrip(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}
