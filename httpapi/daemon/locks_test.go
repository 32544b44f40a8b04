package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
	"strongroom/blobstore/s3/s3test"
	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// lockSpy is a store that locks, and tells what it was told.
type lockSpy struct {
	*object.LockedMemory
	mu    sync.Mutex
	held  map[string]bool
	until map[string]time.Time
	err   error // of every lock
}

func newLockSpy() *lockSpy {
	return &lockSpy{LockedMemory: object.NewLockedMemory(), held: map[string]bool{}, until: map[string]time.Time{}}
}

func (s *lockSpy) LegalHold(ctx context.Context, key, version string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.held[key] = on
	return s.LockedMemory.LegalHold(ctx, key, version, on)
}

func (s *lockSpy) Retain(ctx context.Context, key, version string, until time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.until[key] = until
	return s.LockedMemory.Retain(ctx, key, version, until)
}

func (s *lockSpy) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// eventually waits for what comes soon after an answer, and not with it.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(what)
		}
	}
}

// wantLock waits until the bytes of a document are locked so: the store refuses to
// delete them, or not.
func (s *lockSpy) wantLock(t *testing.T, digest string, held, retained bool) {
	t.Helper()
	digits := strings.TrimPrefix(digest, "sha256:")
	var says string
	eventually(t, "the bytes are not locked as they should be", func() bool {
		versions := 0
		says = ""
		err := s.Versions(t.Context(), "", func(v object.Version) error {
			if !strings.Contains(v.Key, digits) {
				return nil
			}
			versions++
			s.mu.Lock()
			is, until := s.held[v.Key], s.until[v.Key]
			s.mu.Unlock()
			if is != held || until.IsZero() == retained {
				says = v.Key
				return nil
			}
			if held || retained {
				if err := s.DeleteVersion(t.Context(), v.Key, v.ID); !errors.Is(err, object.ErrLocked) {
					t.Errorf("the store deletes it: %v", err)
				}
			}
			return nil
		})
		return err == nil && versions == 1 && says == ""
	})
}

type storedDocument struct {
	ID      string
	Current struct{ Digest string } `json:"currentVersion"`
}

// TestLocks holds that the store locks the bytes of documents that are held, or protected by
// compliance, soon after, and that what did not happen before a restart happens after it.
func TestLocks(t *testing.T) {
	objects, spy := object.NewMemory(), newLockSpy()
	with := func(s *Store) { s.Locks, s.LockBucket = spy, "locking" }
	a := serveIn(t, objects, "a", t.TempDir(), with)
	key := firstKeyOf(t, a.data)
	create := func(text string, query string) (d storedDocument) {
		t.Helper()
		_, answer := a.want(t, 201, key, "POST", "/v1/documents?name=a.txt"+query, text, "Content-Type", "text/plain")
		if err := json.Unmarshal([]byte(answer), &d); err != nil || d.Current.Digest == "" {
			t.Fatal(err, answer)
		}
		return d
	}
	hold := func(documentID string) string {
		t.Helper()
		_, answer := a.want(t, 201, key, "POST", "/v1/documents/"+documentID+"/holds", `{"reason":"r"}`, "Content-Type", "application/json")
		var h struct{ ID string }
		json.Unmarshal([]byte(answer), &h)
		return h.ID
	}
	release := func(holdID string) {
		t.Helper()
		a.want(t, 200, key, "POST", "/v1/holds/"+holdID+"/release", `{}`, "Content-Type", "application/json")
	}
	// Two documents with the same bytes: they are held while either is.
	first, second := create("shared", ""), create("shared", "")
	spy.wantLock(t, first.Current.Digest, false, false)
	one := hold(first.ID)
	spy.wantLock(t, first.Current.Digest, true, false)
	two := hold(second.ID)
	release(one)
	other := hold(create("another", "").ID) // the log is followed in order
	spy.wantLock(t, first.Current.Digest, true, false)
	release(two)
	spy.wantLock(t, first.Current.Digest, false, false)
	release(other)

	// A policy of compliance locks what is there, and what comes.
	invoice := create("invoice", "&category=invoice")
	_, answer := a.want(t, 201, key, "POST", "/v1/retention/policies", `{"name":"law","scope":"category","target":"invoice","period":"P1Y","action":"archive","protect":"governance"}`, "Content-Type", "application/json")
	var p struct{ ID string }
	json.Unmarshal([]byte(answer), &p)
	a.want(t, 200, key, "PATCH", "/v1/retention/policies/"+p.ID, `{"protect":"compliance","confirm":"law"}`, "Content-Type", "application/merge-patch+json")
	spy.wantLock(t, invoice.Current.Digest, false, true)
	later := create("invoice to come", "&category=invoice")
	spy.wantLock(t, later.Current.Digest, false, true)
	standing := func() *httpapi.LockStanding {
		var state httpapi.State
		_, answer := a.ask(t, key, "GET", "/readyz", "")
		if err := json.Unmarshal([]byte(answer), &state); err != nil || state.Cluster == nil || state.Cluster.Locks == nil {
			t.Fatal(err, answer)
		}
		return state.Cluster.Locks
	}
	eventually(t, "the locks stay behind", func() bool { return *standing() == httpapi.LockStanding{} })

	// What the store refuses is said, and made up for.
	spy.fail(fmt.Errorf("the store takes no locks: %w", object.ErrLocked)) // an answer: it is not asked for long
	free := create("held later", "")
	hold(free.ID)
	eventually(t, "nobody says that the store takes no locks", func() bool { s := standing(); return s.Behind > 0 && strings.Contains(s.Concern, "takes no locks") })
	if _, measured := a.want(t, 200, key, "GET", "/metrics", ""); !strings.Contains(measured, `strongroom_cluster_locks_behind_seconds{vault="main"} `) {
		t.Error("it is not measured")
	}
	a.end(t)
	spy.fail(nil)
	if s := serveIn(t, objects, "a", a.data); s.said != nil {
		err := <-s.ended
		s.ended <- nil
		if err == nil || !strings.Contains(err.Error(), "give --store-lock locking") {
			t.Errorf("without the bucket it serves: %v", err)
		}
	}
	a = serveIn(t, objects, "a", t.TempDir(), with)
	spy.wantLock(t, free.Current.Digest, true, false)
	if n := listedBelow(t, objects, "main/blobs/"); n > 0 {
		t.Errorf("%d files are in the vault's own bucket", n)
	}
	a.end(t)

	// Out of the store: what is retained stays there, and somebody is told.
	back := Options{Place: datadir.Place{Data: t.TempDir()}, Store: &Store{Objects: objects, Address: "s3://test", Key: &[32]byte{7}, Server: "mover"}}
	with(back.Store)
	err := back.MoveOut(t.Context(), "main", Moving{Log: zerolog.Nop(), Remove: true})
	if err == nil || !strings.Contains(err.Error(), "retains 2 of its files") {
		t.Errorf("move out: %v", err)
	}
	v, err := datadir.Open(datadir.Place{Data: back.Place.Data, Vault: "main"})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if r, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true}); err != nil || len(r.Findings) > 0 {
		t.Errorf("%v %+v", err, r.Findings)
	}
}

func listedBelow(t *testing.T, s object.Store, prefix string) (n int) {
	t.Helper()
	if err := s.List(t.Context(), prefix, "", func(object.Info) error { n++; return nil }); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLocksOnServer holds that a real store refuses to delete what is held, by whatever
// right the credentials have, and lets it be deleted when the hold is released.
func TestLocksOnServer(t *testing.T) {
	store := s3test.Start(t)
	store.MakeLockingBucket("locking")
	config := store.Config("vaults")
	config.Bucket = "locking"
	locking, err := s3.Open(config)
	if err != nil {
		t.Fatal(err)
	}
	a := serveIn(t, store.Open("vaults"), "a", t.TempDir(), func(s *Store) { s.Locks, s.LockBucket = locking, "locking" })
	key := firstKeyOf(t, a.data)
	_, answer := a.want(t, 201, key, "POST", "/v1/documents?name=a.txt", "held", "Content-Type", "text/plain")
	var d storedDocument
	json.Unmarshal([]byte(answer), &d)
	_, answer = a.want(t, 201, key, "POST", "/v1/documents/"+d.ID+"/holds", `{"reason":"r"}`, "Content-Type", "application/json")
	var h struct{ ID string }
	json.Unmarshal([]byte(answer), &h)
	// Each try lays nothing on it: a version that is named is deleted or not.
	versions := func() (all []object.Version) {
		t.Helper()
		if err := locking.Versions(t.Context(), "main/blobs/", func(v object.Version) error { all = append(all, v); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	caughtUp := func() bool {
		var state httpapi.State
		_, answer := a.ask(t, key, "GET", "/readyz", "")
		return json.Unmarshal([]byte(answer), &state) == nil && state.Cluster != nil && state.Cluster.Locks != nil && *state.Cluster.Locks == httpapi.LockStanding{}
	}
	time.Sleep(100 * time.Millisecond) // or it may not have begun
	eventually(t, "the locks stay behind", caughtUp)
	all := versions()
	if len(all) != 1 {
		t.Fatalf("the versions are %v", all)
	}
	if err := locking.DeleteVersion(t.Context(), all[0].Key, all[0].ID); !errors.Is(err, object.ErrLocked) {
		t.Errorf("the store deletes what is held: %v", err)
	}
	a.want(t, 200, key, "POST", "/v1/holds/"+h.ID+"/release", `{}`, "Content-Type", "application/json")
	a.want(t, 200, key, "DELETE", "/v1/documents/"+d.ID, "")
	eventually(t, "the file is not deleted", func() bool {
		if len(versions()) == 0 {
			return true
		}
		for _, v := range versions() { // it was deleted before the hold was off: the vault tries again in a minute
			if locking.DeleteVersion(t.Context(), v.Key, v.ID) == nil {
				return true
			}
		}
		return false
	})
}
