package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
	end, err := k.server.verificationsOf(k.vaults["main"].Vault).begin(t.Context(), t.Context(), &caller{actor: engine.Operator()})
	if err != nil {
		t.Fatal(err)
	}
	verify("view", 429)
	verify("admin", 429)
	verify("other", 200)
	end()
	verify("view", 200)
	verify("view", 200)
}

// TestAdminsVerifyFirst: one who asks by a view key again and again keeps no admin
// out, and rests after a long one.
func TestAdminsVerifyFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &verifications{rests: map[string]time.Time{}}
		who := func(access engine.Access) *caller {
			actor := engine.Actor{UserID: access.String(), Access: access}
			return &caller{actor: actor, access: engine.AccessView, who: func() (engine.Actor, error) { return actor, nil }}
		}
		end, err := v.begin(t.Context(), t.Context(), who(engine.AccessView))
		if err != nil {
			t.Fatal(err)
		}
		order := make(chan func(), waitingAdmins)
		ctx, cancel := context.WithCancel(t.Context())
		go v.begin(ctx, t.Context(), who(engine.AccessAdmin)) // goes away before it is its turn
		synctest.Wait()
		for range waitingAdmins - 1 {
			go func() {
				end, err := v.begin(t.Context(), t.Context(), who(engine.AccessAdmin))
				if err != nil {
					t.Error(err)
				}
				order <- end
			}()
		}
		synctest.Wait()
		if _, err := v.begin(t.Context(), t.Context(), who(engine.AccessAdmin)); !errors.Is(err, errVerifying) {
			t.Error("more wait than may:", err)
		}
		cancel()
		time.Sleep(time.Minute)
		end()
		for range waitingAdmins - 1 {
			if _, err := v.begin(t.Context(), t.Context(), who(engine.AccessUpload)); !errors.Is(err, errVerifying) {
				t.Error("somebody else comes before an admin who waits:", err)
			}
			(<-order)()
		}
		_, err = v.begin(t.Context(), t.Context(), who(engine.AccessView))
		if e, ok := errors.AsType[*limitedError](err); !ok || e.after != time.Minute {
			t.Error("no rest after a long one:", err)
		}
		if end, err = v.begin(t.Context(), t.Context(), who(engine.AccessUpload)); err != nil {
			t.Error("the rest of one is another's:", err)
		}
		end()
		time.Sleep(time.Minute)
		if _, err = v.begin(t.Context(), t.Context(), who(engine.AccessView)); err != nil {
			t.Error(err)
		}
	})
}

// TestGoneIsSmall: however many versions a document had, its tombstone names the
// last ones, and its certificate all.
func TestGoneIsSmall(t *testing.T) {
	t.Parallel()
	k := newKit(t, Options{})
	_, body := k.do("upload", "POST", "/v1/documents?fileName=a.txt", strings.NewReader("1"), "Content-Type", "text/plain")
	var d struct{ ID string }
	if err := json.Unmarshal([]byte(body), &d); err != nil {
		t.Fatal(err, body)
	}
	for i := range 40 {
		if a, body := k.do("upload", "POST", "/v1/documents/"+d.ID+"/versions?fileName=a.txt", strings.NewReader(strconv.Itoa(i)), "Content-Type", "text/plain"); a.StatusCode != 201 {
			t.Fatal(body)
		}
	}
	if a, body := k.do("admin", "DELETE", "/v1/documents/"+d.ID, nil); a.StatusCode != 200 || strings.Count(body, `"chain"`) != 41 {
		t.Fatal(body)
	}
	a, body := k.do("view", "GET", "/v1/documents/"+d.ID, nil)
	if a.StatusCode != 410 || len(body) > 4_000 || strings.Count(body, `"chain"`) != 10 || !strings.Contains(body, `"number":41`) || !strings.Contains(body, `"versionCount":41`) {
		t.Errorf("%d %d bytes %s", a.StatusCode, len(body), body)
	}
	if _, body := k.do("view", "GET", "/v1/certificates/"+d.ID, nil); strings.Count(body, `"chain"`) != 41 {
		t.Error(body)
	}
}

// TestLongPollEndsWithTheAccess holds that whose access ends while they wait are
// told so, and nothing else, as soon as it ends.
func TestLongPollEndsWithTheAccess(t *testing.T) {
	closed, lower := engine.UserClosed, engine.AccessView
	for name, c := range map[string]struct {
		access  engine.Access
		expires time.Duration
		end     func(*testing.T, *enginetest.Kit, engine.Actor) error
		after   time.Duration // at most
		status  int
		says    string
	}{
		"revoked": {engine.AccessView, 0, func(t *testing.T, k *enginetest.Kit, who engine.Actor) error {
			_, _, err := k.RevokeKey(t.Context(), k.Admin, who.KeyID)
			return err
		}, 0, 401, "AUTHORIZATION_TOKEN_REVOKED"},
		"closed": {engine.AccessView, 0, func(t *testing.T, k *enginetest.Kit, who engine.Actor) error {
			_, _, err := k.UpdateUser(t.Context(), k.Admin, who.UserID, engine.Condition{}, engine.UserPatch{Status: &closed})
			return err
		}, 0, 401, "AUTHORIZATION"},
		"expired": {engine.AccessView, 10 * time.Second, nil, 10*time.Second + doubt, 401, "AUTHORIZATION_TOKEN_EXPIRED"},
		"lowered": {engine.AccessAdmin, 0, func(t *testing.T, k *enginetest.Kit, who engine.Actor) error {
			_, _, err := k.UpdateUser(t.Context(), k.Admin, who.UserID, engine.Condition{}, engine.UserPatch{Access: &lower})
			return err
		}, 0, 200, `"op":"user.updated"`},
		"nothing": {engine.AccessView, 0, nil, 60 * time.Second, 200, `{"items":[]}`},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := enginetest.New(t)
			who, token := k.Person("Grace", c.access)
			if c.expires > 0 {
				key, secret, _, err := k.CreateKey(t.Context(), k.Admin, engine.NewKey{Name: "short", UserID: who.UserID, ExpiresAt: time.Now().Add(c.expires)})
				if err != nil {
					t.Fatal(err)
				}
				who.KeyID, token = key.ID, secret.Reveal()
			}
			s := New(map[string]*engine.Vault{"main": k.Vault}, Options{})
			answer := httptest.NewRecorder()
			began := time.Now()
			var polling sync.WaitGroup
			polling.Go(func() {
				r := httptest.NewRequest("GET", fmt.Sprintf("/v1/audit/entries?after=%d&wait=60", k.Head().Seq), nil)
				r.Header.Set("Authorization", "Bearer "+token)
				s.ServeHTTP(answer, r)
			})
			synctest.Wait()
			if c.end != nil {
				if err := c.end(t, k, who); err != nil {
					t.Fatal(err)
				}
			}
			polling.Wait()
			if took := time.Since(began); answer.Code != c.status || !strings.Contains(answer.Body.String(), c.says) || took > c.after {
				t.Errorf("%s: after %v %d %s", name, took, answer.Code, answer.Body)
			}
			if c.access == engine.AccessAdmin && strings.Contains(answer.Body.String(), `"detail":`) {
				t.Errorf("%s: what only admins see is shown: %s", name, answer.Body)
			}
		})
	}
}

// TestWhoWaitsSeesAsTheyMayWhenItComes: somebody who may not see all any more when
// what they wait for comes is shown it as others are.
func TestWhoWaitsSeesAsTheyMayWhenItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		ctx := t.Context()
		hidden := k.Create("hidden", "a")
		if _, _, err := k.RestrictDocument(ctx, k.Admin, hidden.ID, engine.Condition{}, "contested"); err != nil {
			t.Fatal(err)
		}
		who, token := k.Person("Anna", engine.AccessAuditor)
		s := New(map[string]*engine.Vault{"main": k.Vault}, Options{})
		answer := httptest.NewRecorder()
		var polling sync.WaitGroup
		polling.Go(func() {
			r := httptest.NewRequest("GET", "/v1/audit/entries?op=document.updated&wait=60", nil)
			r.Header.Set("Authorization", "Bearer "+token)
			s.ServeHTTP(answer, r)
		})
		synctest.Wait()
		if _, _, err := k.UpdateUser(ctx, k.Admin, who.UserID, engine.Condition{}, engine.UserPatch{Access: new(engine.AccessView)}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, _, err := k.UpdateDocument(ctx, k.Admin, hidden.ID, engine.Condition{}, engine.DocumentPatch{Name: new("secret")}); err != nil {
			t.Fatal(err)
		}
		polling.Wait()
		if body := answer.Body.String(); !strings.Contains(body, "document.updated") || strings.Contains(body, "secret") {
			t.Errorf("%d %s", answer.Code, body)
		}
	})
}
