package objecttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"strongroom/blobstore/object"
)

func list(t *testing.T, s object.Store, prefix, after string) []string {
	t.Helper()
	var keys []string
	err := s.List(t.Context(), prefix, after, func(info object.Info) error {
		keys = append(keys, info.Key)
		if info.Size != int64(len(info.Key)) && info.Size != 1 {
			t.Errorf("listed: %+v", info)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("list %q after %q: %v", prefix, after, err)
	}
	return keys
}

func testList(t *testing.T, s object.Store) {
	if got := list(t, s, "", ""); len(got) > 0 {
		t.Fatalf("a new store has %q", got)
	}
	// In the order of their bytes: - . / digits, upper case, _, lower case.
	keys := []string{"a-b/c", "a.b", "a/a", "a/b-c", "a/b.1", "a/b/c", "a/c", "aB", "a_b", "ab", "b/1/2", "b/1/2-", "b/10/x", "b/9"}
	for _, i := range rand.New(rand.NewPCG(1, 1)).Perm(len(keys)) {
		Put(t, s, keys[i], keys[i], object.Condition{})
	}
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "b/1", "b/1/2", "c", "a-b/"} {
		for _, after := range slices.Concat([]string{""}, keys, []string{"a", "a/", "a/b/", "zzz", "b/1/"}) {
			var want []string
			for _, key := range keys {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			if got := list(t, s, prefix, after); !slices.Equal(got, want) {
				t.Errorf("below %q after %q:\n got %q\nwant %q", prefix, after, got, want)
			}
		}
	}
	calls := 0
	err := s.List(t.Context(), "a", "", func(object.Info) error { calls++; return errBroken })
	if !errors.Is(err, errBroken) || calls != 1 {
		t.Errorf("a list that is ended: %v after %d", err, calls)
	}
}

func testPages(t *testing.T, s object.Store) {
	if testing.Short() {
		t.Skip("a thousand objects")
	}
	var want []string
	for i := range 1003 {
		want = append(want, fmt.Sprintf("p/%04d", i))
	}
	var all sync.WaitGroup
	for part := range slices.Chunk(want, 128) {
		all.Go(func() {
			for _, key := range part {
				if _, err := s.Put(t.Context(), key, []byte("x"), object.Condition{}); err != nil {
					t.Errorf("put %s: %v", key, err)
				}
			}
		})
	}
	all.Wait()
	if got := list(t, s, "p/", ""); !slices.Equal(got, want) {
		t.Errorf("listed %d of %d", len(got), len(want))
	}
	if got := list(t, s, "p/", want[1]); !slices.Equal(got, want[2:]) {
		t.Errorf("listed %d of %d after the second", len(got), len(want)-2)
	}
}
