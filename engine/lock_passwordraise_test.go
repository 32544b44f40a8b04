package engine_test

import (
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

// cheap is the password "password" at a cost below today's: a vector of the
// reference implementation of Argon2.
const cheap = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"

// keptPassword is a document's edit password as a bucket has it, and whether
// the bucket has the document.
func keptPassword(t *testing.T, k *enginetest.Kit, bucket, documentID string) (kept string, there bool) {
	t.Helper()
	key := engine.KeyOf(documentID)
	rows := rowsOf(t, filepath.Join(k.Dir, "rows.db"))
	record, there := rows[bucket+"/"+string(key)]
	if there {
		kept = engine.PasswordOf(bucket, key, []byte(record))
	}
	return kept, there
}

// keepPassword gives a document an edit password of an earlier time.
func keepPassword(t *testing.T, k *enginetest.Kit, documentID, text string) {
	t.Helper()
	must(t, k.KeepPassword(t.Context(), k.Admin, documentID, text))
}

// closed runs fn while the vault is closed.
func closed(t *testing.T, k *enginetest.Kit, fn func()) {
	t.Helper()
	must(t, k.Close())
	fn()
	v, err := engine.Open(k.Dir, k.Options)
	must(t, err)
	k.Vault = v
}

// TestAWeakPasswordIsRaised when it is next proved right, in the entry of the
// lock that it was given for, and by nothing else.
func TestAWeakPasswordIsRaised(t *testing.T) {
	t.Parallel()
	for _, save := range []bool{true, false} {
		k := enginetest.New(t)
		d := k.Create("contract", "text")
		setEditPassword(t, k, d.ID, "password")
		keepPassword(t, k, d.ID, cheap)
		k.Check()
		if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{Password: "wrong"}); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
		orFail[engine.Document](t)(rename(k, k.Admin, d.ID, "without a lock", engine.Condition{}))
		closed(t, k, func() {
			if kept, _ := keptPassword(t, k, "documents", d.ID); kept != cheap {
				t.Errorf("raised before it was proved: %s", kept)
			}
		})
		head := k.Head().Seq
		l := lock(t, k, k.Admin, d.ID, engine.NewLock{Password: "password"})
		e, err := k.Entry(t.Context(), head+1)
		if err != nil || e.Op != audit.OpLockAcquired || k.Head().Seq != head+1 {
			t.Errorf("%+v, %v", e, err)
		}
		var raised string
		closed(t, k, func() {
			raised, _ = keptPassword(t, k, "documents", d.ID)
			if !strings.HasPrefix(raised, "$argon2id$v=19$m=19456,t=2,p=1$") {
				t.Errorf("kept is %s", raised)
			}
			if noted, there := keptPassword(t, k, "snapshots", d.ID); noted != raised || !there {
				t.Errorf("the document as it was at locking has %s", noted)
			}
		})
		k.Check()
		orFail[engine.Document](t)(rename(k, k.Admin, d.ID, "under the lock", with(l.Token)))
		_, _, err = k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), save)
		must(t, err)
		k.Check()
		if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{Password: "wrong"}); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
		lock(t, k, k.Admin, d.ID, engine.NewLock{Password: "password", UseScratchPad: true})
		closed(t, k, func() {
			if kept, _ := keptPassword(t, k, "documents", d.ID); kept != raised {
				t.Errorf("saved %v, kept is %s, was raised to %s", save, kept, raised)
			}
		})
	}
}

// TestARaiseRefusesNobody: who proved the password before another's lock raised
// it is told of that lock, or gets the next; not that the password is wrong.
func TestARaiseRefusesNobody(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	setEditPassword(t, k, d.ID, "password")
	keepPassword(t, k, d.ID, cheap)
	var working sync.WaitGroup
	for range 8 {
		working.Go(func() {
			for {
				l, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{Password: "password"})
				if errors.Is(err, engine.ErrLocked) {
					continue
				}
				if err == nil {
					_, _, err = k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true)
				}
				if err != nil {
					t.Error(err)
				}
				return
			}
		})
	}
	working.Wait()
}

// TestADamagedPasswordIsFound: one that asks for a cost that nobody would have
// chosen is damage, and is not computed.
func TestADamagedPasswordIsFound(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	d := k.Create("contract", "text")
	setEditPassword(t, k, d.ID, "password")
	for _, text := range []string{strings.Repeat("x", 48), strings.Replace(cheap, "m=256", "m=4194304", 1), strings.Replace(cheap, "t=2", "t=1000000", 1)} {
		var record []byte
		key := engine.KeyOf(d.ID)
		closed(t, k, func() {
			spoil(t, k.Dir, func(b *bbolt.Tx) error {
				rows := b.Bucket([]byte("documents"))
				record = append([]byte(nil), rows.Get(key)...)
				return rows.Put(key, engine.ChangePassword(key, record, text))
			})
		})
		report, err := k.Verify(t.Context(), engine.VerifyOptions{})
		if err != nil || len(report.Findings) == 0 {
			t.Errorf("%q: %+v, %v", text, report.Findings, err)
		}
		if _, _, err := k.AcquireLock(t.Context(), k.Admin, d.ID, engine.Condition{}, engine.NewLock{Password: "password"}); err == nil || errors.Is(err, engine.ErrLacksPermission) {
			t.Errorf("%q: %v", text, err)
		}
		closed(t, k, func() {
			spoil(t, k.Dir, func(b *bbolt.Tx) error { return b.Bucket([]byte("documents")).Put(key, record) })
		})
	}
}
