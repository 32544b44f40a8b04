// Package objecttest holds a store of objects to what package object says of it, and
// has stores that break it in each way.
package objecttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"strongroom/blobstore/object"
)

// Test runs all of it. open returns a store without objects for one test.
func Test(t *testing.T, open func(*testing.T) object.Store) {
	for _, test := range []struct {
		name string
		f    func(*testing.T, object.Store)
	}{
		{"what is put can be read", testRead},
		{"an offset", testOffset},
		{"what is not there", testMissing},
		{"absent", testAbsent},
		{"match", testMatch},
		{"one of many wins", testOneWins},
		{"a stream", testStream},
		{"a stream of another length", testStreamLength},
		{"deleted", testDelete},
		{"a list", testList},
		{"a list of many pages", testPages},
		{"read while it is overwritten", testPinned},
		{"cancelled", testCancelled},
		{"a trial", testTrial},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(t, open(t)) })
	}
}

// Put puts an object, and fails the test if that fails.
func Put(t *testing.T, s object.Store, key, b string, c object.Condition) object.Info {
	t.Helper()
	info, err := s.Put(t.Context(), key, []byte(b), c)
	if err != nil {
		t.Fatalf("put %s: %v", key, err)
	}
	return info
}

func wantRead(t *testing.T, s object.Store, key string, want []byte) object.Info {
	t.Helper()
	b, info, err := object.Read(t.Context(), s, key)
	if err != nil {
		t.Fatalf("read %s: %v", key, err)
	}
	if !bytes.Equal(b, want) || info.Size != int64(len(want)) || info.Key != key || info.ETag == "" {
		t.Fatalf("read %s: %d bytes (%.40q) and %+v, want %d (%.40q)", key, len(b), b, info, len(want), want)
	}
	return info
}

func testRead(t *testing.T, s object.Store) {
	for key, b := range map[string]string{
		"a": "x", "empty": "", "deep/er/and_un-der.scored": "0\x00\r\n", "A": "another than a", "large": strings.Repeat("0123456789", 200_000),
	} {
		put := Put(t, s, key, b, object.Condition{})
		if put.Key != key || put.Size != int64(len(b)) || put.ETag == "" {
			t.Errorf("put %s: %+v", key, put)
		}
		read := wantRead(t, s, key, []byte(b))
		stat, err := s.Stat(t.Context(), key)
		if err != nil || stat.ETag != put.ETag || read.ETag != put.ETag || stat.Size != put.Size || stat.Key != key {
			t.Errorf("%s: put %+v, read %+v, stat %+v, %v", key, put, read, stat, err)
		}
		for _, now := range []time.Time{put.Now, read.Now, stat.Now, stat.Modified} {
			if d := time.Since(now).Abs(); d > time.Minute {
				t.Errorf("%s: the store's clock is %v away", key, d)
			}
		}
	}
	was := Put(t, s, "a", "one", object.Condition{})
	is := Put(t, s, "a", "two", object.Condition{})
	if was.ETag == is.ETag {
		t.Errorf("other bytes have the ETag %s too", is.ETag)
	}
	wantRead(t, s, "a", []byte("two"))
}

func testOffset(t *testing.T, s object.Store) {
	b := []byte(strings.Repeat("abcdefghij", 5000))
	Put(t, s, "k", string(b), object.Condition{})
	for _, at := range []int{0, 1, 4999, len(b) - 1, len(b), len(b) + 1, len(b) + 1000} {
		r, info, err := s.Get(t.Context(), "k", int64(at))
		if err != nil {
			t.Fatalf("from %d: %v", at, err)
		}
		got, err := io.ReadAll(r)
		if err := errors.Join(err, r.Close()); err != nil || !bytes.Equal(got, b[min(at, len(b)):]) || info.Size != int64(len(b)) {
			t.Errorf("from %d: %d bytes, %+v, %v", at, len(got), info, err)
		}
	}
	Put(t, s, "empty", "", object.Condition{})
	r, _, err := s.Get(t.Context(), "empty", 7)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); len(got) > 0 || err != nil {
		t.Errorf("behind the end of an empty object: %q, %v", got, err)
	}
	r.Close()
}

func testMissing(t *testing.T, s object.Store) {
	Put(t, s, "there/below", "x", object.Condition{})
	for _, key := range []string{"k", "there", "there/belo", "there/below.", "other/below"} {
		if _, err := s.Stat(t.Context(), key); !errors.Is(err, object.ErrNotFound) {
			t.Errorf("stat %s: %v", key, err)
		}
		for _, at := range []int64{0, 5} {
			if _, _, err := s.Get(t.Context(), key, at); !errors.Is(err, object.ErrNotFound) {
				t.Errorf("get %s from %d: %v", key, at, err)
			}
		}
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("delete %s: %v", key, err)
		}
	}
	wantRead(t, s, "there/below", []byte("x"))
}

func testAbsent(t *testing.T, s object.Store) {
	absent := object.Condition{Absent: true}
	Put(t, s, "k", "one", absent)
	for _, b := range []string{"two", "one", ""} {
		if _, err := s.Put(t.Context(), "k", []byte(b), absent); !errors.Is(err, object.ErrExists) {
			t.Errorf("again, with %q: %v", b, err)
		}
	}
	wantRead(t, s, "k", []byte("one"))
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	Put(t, s, "k", "two", absent)
	wantRead(t, s, "k", []byte("two"))
	Put(t, s, "empty", "", absent)
	if _, err := s.Put(t.Context(), "empty", []byte("x"), absent); !errors.Is(err, object.ErrExists) {
		t.Errorf("an empty object is there: %v", err)
	}
}

func testMatch(t *testing.T, s object.Store) {
	first := Put(t, s, "k", "one", object.Condition{Absent: true})
	second := Put(t, s, "k", "two", object.Condition{Match: first.ETag})
	if _, err := s.Put(t.Context(), "k", []byte("three"), object.Condition{Match: first.ETag}); !errors.Is(err, object.ErrChanged) {
		t.Errorf("with an old ETag: %v", err)
	}
	wantRead(t, s, "k", []byte("two"))
	if stat, err := s.Stat(t.Context(), "k"); err != nil || stat.ETag != second.ETag {
		t.Errorf("%+v, %v; want the ETag %s", stat, err, second.ETag)
	}
	if err := s.Delete(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "k", []byte("four"), object.Condition{Match: second.ETag}); !errors.Is(err, object.ErrChanged) {
		t.Errorf("what is gone: %v", err)
	}
	if _, err := s.Stat(t.Context(), "k"); !errors.Is(err, object.ErrNotFound) {
		t.Errorf("a refused put left something: %v", err)
	}
}

func testOneWins(t *testing.T, s object.Store) {
	was := Put(t, s, "matched", "before", object.Condition{})
	for key, race := range map[string]struct {
		c    object.Condition
		lose error
	}{
		"absent":  {object.Condition{Absent: true}, object.ErrExists},
		"matched": {object.Condition{Match: was.ETag}, object.ErrChanged},
	} {
		var all sync.WaitGroup
		errs := make([]error, 16)
		for i := range errs {
			all.Go(func() {
				_, errs[i] = s.Put(t.Context(), key, fmt.Append(nil, "of ", i), race.c)
			})
		}
		all.Wait()
		winner := slices.Index(errs, nil)
		if winner < 0 {
			t.Fatalf("%s: nobody won: %v", key, errs)
		}
		for i, err := range errs {
			// Unknown is an answer too, and says nothing.
			if i != winner && err == nil {
				t.Errorf("%s: %d has won, and %d", key, winner, i)
			}
			if err != nil && !errors.Is(err, race.lose) && (errors.Is(err, object.ErrExists) || errors.Is(err, object.ErrChanged) || errors.Is(err, object.ErrNotFound)) {
				t.Errorf("%s: %d has lost with %v", key, i, err)
			}
		}
		wantRead(t, s, key, fmt.Append(nil, "of ", winner))
	}
}

func testDelete(t *testing.T, s object.Store) {
	Put(t, s, "a/k", "x", object.Condition{})
	Put(t, s, "a/other", "y", object.Condition{})
	for range 2 {
		if err := s.Delete(t.Context(), "a/k"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Get(t.Context(), "a/k", 0); !errors.Is(err, object.ErrNotFound) {
			t.Errorf("deleted, and read: %v", err)
		}
	}
	wantRead(t, s, "a/other", []byte("y"))
	if got := list(t, s, "", ""); !slices.Equal(got, []string{"a/other"}) {
		t.Errorf("listed: %q", got)
	}
}

func testPinned(t *testing.T, s object.Store) {
	was, is := random(4<<20), bytes.Repeat([]byte{7}, 4<<20)
	if _, err := s.Put(t.Context(), "k", was, object.Condition{}); err != nil {
		t.Fatal(err)
	}
	r, _, err := s.Get(t.Context(), "k", 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	begin := make([]byte, 10)
	if _, err := io.ReadFull(r, begin); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Put(t.Context(), "k", is, object.Condition{}); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if got := append(begin, rest...); err == nil && !bytes.Equal(got, was) || !bytes.HasPrefix(was, got) {
		t.Errorf("%d bytes, and not those that were opened: %v", len(got), err)
	}
}

func testCancelled(t *testing.T, s object.Store) {
	Put(t, s, "k", "x", object.Condition{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, put := s.Put(ctx, "k", []byte("y"), object.Condition{})
	_, stream := s.PutStream(ctx, "k", strings.NewReader("y"), 1)
	_, _, get := s.Get(ctx, "k", 0)
	_, stat := s.Stat(ctx, "k")
	for what, err := range map[string]error{"put": put, "stream": stream, "get": get, "stat": stat, "delete": s.Delete(ctx, "k"),
		"list": s.List(ctx, "", "", func(object.Info) error { return nil })} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	wantRead(t, s, "k", []byte("x"))
}

func testTrial(t *testing.T, s object.Store) {
	Put(t, s, "k", "x", object.Condition{})
	if err := object.Trial(t.Context(), s); err != nil {
		t.Error(err)
	}
	if got := list(t, s, "", ""); !slices.Equal(got, []string{"k"}) {
		t.Errorf("it leaves %q", got)
	}
}
