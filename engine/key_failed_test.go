package engine_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// failures are the entries of failed sign-ins, spelled.
func failures(t *testing.T, k *enginetest.Kit) (all []string) {
	t.Helper()
	page, err := k.Entries(t.Context(), engine.EntryQuery{Op: audit.OpSigninFailed, Limit: 500})
	must(t, err)
	for _, e := range page.Items {
		if e.Actor != "system" {
			t.Errorf("%+v", e)
		}
		facts, _ := e.Facts.MarshalJSON()
		all = append(all, string(facts)+string(e.Detail))
	}
	return all
}

// TestFailedSignInsAreEntries: one a source and quarter of an hour, which counts.
func TestFailedSignInsAreEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		note := func(token, source string, n int) {
			for range n {
				_, err := k.Authenticate(t.Context(), token)
				if err == nil {
					t.Fatal("it is right")
				}
				k.NoteFailedSignIn(token, source, err)
			}
		}
		want := func(lines ...string) {
			t.Helper()
			must(t, k.RecordFailedSignIns(t.Context()))
			must(t, k.RecordFailedSignIns(t.Context()))
			if got := failures(t, k); strings.Join(got, "\n") != strings.Join(lines, "\n") {
				t.Errorf("%s", strings.Join(got, "\n"))
			}
		}
		wrong := k.Token[:len(k.Token)-1] + "_"
		if wrong == k.Token {
			wrong = k.Token[:len(k.Token)-1] + "-"
		}
		strange := "sr_main_" + engine.NewID() + "_x"
		want()
		note(wrong, "192.0.2.1", 3)
		note(strange, "2001:db8::/64", 2)
		note("sr_main_"+strings.Repeat("k", 1000)+"_x", "192.0.2.3", 1)
		a := fmt.Sprintf(`{"count":3,"key":%q,"reason":"wrong"}{"source":"192.0.2.1"}`, k.Admin.KeyID)
		b := `{"count":2,"reason":"unknown"}{"source":"2001:db8::/64"}`
		c := `{"count":1,"reason":"unknown"}{"source":"192.0.2.3"}`
		want(a, c, b)
		note(wrong, "192.0.2.1", 4)
		want(a, c, b) // it has had its entry
		time.Sleep(15 * time.Minute)
		d := strings.Replace(a, "3", "4", 1)
		want(a, c, b, d)

		who, token := k.Person("Grace", engine.AccessView)
		_, _, err := k.RevokeKey(t.Context(), k.Admin, who.KeyID)
		must(t, err)
		note(token, "192.0.2.9", 1)
		want(a, c, b, d, fmt.Sprintf(`{"count":1,"key":%q,"reason":"revoked"}{"source":"192.0.2.9"}`, who.KeyID))
	})
}

// TestFailedSignInsAreBounded: 100 entries an hour, of which the last counts what
// is left; what cannot be written is not lost.
func TestFailedSignInsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		note := func(n int) {
			for i := range n {
				k.NoteFailedSignIn("sr_main_a_b", fmt.Sprintf("10.0.%d.%d", i/256, i%256), engine.ErrInvalidToken)
			}
		}
		note(5_000)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := k.RecordFailedSignIns(gone); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		must(t, k.RecordFailedSignIns(t.Context()))
		got := failures(t, k)
		if len(got) != 100 || got[99] != `{"count":4901,"reason":"several","sources":902}` {
			t.Errorf("%d, the last %s", len(got), got[len(got)-1])
		}
		time.Sleep(30 * time.Minute)
		note(7)
		must(t, k.RecordFailedSignIns(t.Context()))
		if n := len(failures(t, k)); n != 100 {
			t.Errorf("%d entries in an hour", n)
		}
		time.Sleep(30 * time.Minute)
		_, err := k.Sweep(t.Context())
		must(t, err)
		if n := len(failures(t, k)); n != 107 {
			t.Errorf("%d entries", n)
		}
	})
}
