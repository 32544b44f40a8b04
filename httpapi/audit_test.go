package httpapi

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestLongPollLooksAtAnEntryOnce: one call looks at 10,000 entries and says
// where to go on. A poll that waits has looked at what was there and must not
// count it again with each entry that comes.
func TestLongPollLooksAtAnEntryOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		doc := k.Create("a.txt", "a")
		write := func(callers, changes int) {
			var writing sync.WaitGroup
			for caller := range callers {
				writing.Go(func() {
					for i := range changes {
						name := fmt.Sprint(k.Head().Seq, caller, i)
						if _, _, err := k.UpdateDocument(t.Context(), k.Admin, doc.ID, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
							t.Error(err)
						}
					}
				})
			}
			writing.Wait()
		}
		write(62, 160) // short of 10,000
		s := New(map[string]*engine.Vault{"main": k.Vault}, Options{})
		answer := httptest.NewRecorder()
		var polling sync.WaitGroup
		polling.Go(func() {
			r := httptest.NewRequest("GET", "/v1/audit/entries?op=vault.restored&wait=60", nil)
			r.Header.Set("Authorization", "Bearer "+k.Token)
			s.ServeHTTP(answer, r)
		})
		synctest.Wait()
		write(10, 10) // beyond it
		polling.Wait()
		if k.Head().Seq <= 10_000 || answer.Body.String() != `{"items":[]}`+"\n" {
			t.Error(k.Head().Seq, answer.Body)
		}
	})
}

// TestOneVerificationAtATime: of a vault; others are not held up.
func TestOneVerificationAtATime(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	verify := func(key string, status int) {
		t.Helper()
		if a, body := k.do(key, "POST", "/v1/audit/verify", nil); a.StatusCode != status || status == 429 && a.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", key, a.StatusCode, body)
		}
	}
	k.server.verifying.Store(k.vaults["main"].Vault, true) // as while one runs
	verify("view", 429)
	verify("admin", 429)
	verify("other", 200)
	k.server.verifying.Delete(k.vaults["main"].Vault)
	verify("view", 200)
	verify("view", 200)
}
