package engine_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"

	"go.etcd.io/bbolt"
)

var mutations = flag.Bool("mutations", false, "TestEveryMutationIsFound changes every byte of a rows.db, not each sixteenth")

// complete is a closed vault with something of everything: what newEvidence makes,
// and what people leave behind who are at work, persons and documents that were
// erased or wait for that, and a clock that is doubted.
func complete(t *testing.T) *evidence {
	t.Helper()
	k := enginetest.New(t)
	ctx := t.Context()
	e := &evidence{dir: k.Dir, seqs: map[audit.Op]uint64{}}
	e.fill(t, k)
	signed(t, k.Vault)
	_, _, _, err := k.RotateKey(ctx, k.Admin, e.key.ID, time.Hour)
	must(t, err)

	grace, _ := k.Person("Grace", engine.AccessUpload)
	long := engine.NewLock{Duration: 30 * time.Minute, LockedByApp: "Desk"}
	d := k.Create("locked", "first")
	setEditPassword(t, k, d.ID, "open sesame")
	long.Password = "open sesame"
	l := lock(t, k, k.Admin, d.ID, long)
	orFail[engine.Document](t)(rename(k, k.Admin, d.ID, "renamed", with(l.Token)))
	orFail[engine.Document](t)(addText(k, d.ID, "second", with(l.Token)))
	d = k.CreateFrom(engine.NewDocument{Name: "drafted", Tags: []string{"a"}}, "first")
	long.Password, long.UseScratchPad = "", true
	l = lock(t, k, grace, d.ID, long)
	orFail[engine.Document](t)(rename(k, grace, d.ID, "a draft", with(l.Token)))
	_, _, err = k.BreakLock(ctx, k.Admin, d.ID, engine.Condition{}, "urgent")
	must(t, err)
	l = lock(t, k, k.Admin, d.ID, long)
	orFail[engine.Document](t)(addText(k, d.ID, "a draft", with(l.Token)))
	d = k.Create("taken back", "first")
	l = lock(t, k, k.Admin, d.ID, engine.NewLock{})
	orFail[engine.Document](t)(addText(k, d.ID, "second", with(l.Token)))
	_, _, err = k.ReleaseLock(ctx, k.Admin, d.ID, with(l.Token), false)
	must(t, err)

	gone, held := k.Create("to be erased", "text"), k.Create("held", "text")
	place(t, k, held.ID, "M")
	u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Ursula", Access: engine.AccessView})
	must(t, err)
	closed := engine.UserClosed
	_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	erase(t, k, gone.ID, held.ID)
	_, _, err = k.RequestErasure(ctx, k.Admin, engine.NewErasure{UserID: u.ID, LegalBasis: "Art. 17", Requester: "case 2"})
	must(t, err)
	sweep(k)
	_, _, err = k.SetText(ctx, k.Admin, k.Create("a scan", "text").ID, 1, engine.Condition{}, "what OCR has read")
	must(t, err)
	_, _, err = k.StartCalendar(ctx, grace)
	must(t, err)
	due := k.Create("to be erased later", "text")
	policy(k, engine.NewPolicy{Name: "Governed", Scope: engine.ScopeTemplate, Target: "t-9", PeriodDays: 30, Action: engine.ActionDelete, Protect: engine.ProtectGovernance, StartFrom: "field:renewalDate"})
	runNow(k)
	leap(k, years)
	k.Create("after a leap", "text")
	_, _, err = k.RequestErasure(ctx, k.Admin, engine.NewErasure{DocumentIDs: []string{due.ID}, LegalBasis: "Art. 17", Requester: "case 3"})
	must(t, err)
	two := &pair{Kit: k}
	two.other, _ = k.Person("Bert", engine.AccessAdmin)
	two.cover(engine.CoveredExport)
	for range 2 { // one is taken back, one waits
		a := two.asks(k.Admin, k.Head(), second(k.CreateUser(ctx, k.Admin, engine.NewUser{Name: "Eve", Access: engine.AccessAdmin})))
		if page, err := k.Approvals(ctx, engine.ApprovalRejected, engine.Paging{}); err == nil && len(page.Items) == 0 {
			_, _, err = k.RejectApproval(ctx, k.Admin, a.ID)
			must(t, err)
		}
	}
	e.close(t, k)
	return e
}

// TestEveryMutationIsFound changes one byte of each row, one after the other, and
// drops each row: Verify has to find it. The changes are made in transactions that
// are not committed.
func TestEveryMutationIsFound(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	copies := workDirs(t)
	var head audit.Head
	synctest.Test(t, func(t *testing.T) {
		e := complete(t)
		head = e.head
		for _, dir := range copies {
			must(t, os.CopyFS(dir, os.DirFS(e.dir)))
		}
	})
	mutate(t, copies, head, true)
}

// TestEveryMutationOfAMigratedVaultIsFound: what a vault of an earlier format has is
// bound by its migration.
func TestEveryMutationOfAMigratedVaultIsFound(t *testing.T) {
	if testing.Short() {
		t.Skip("every mutation of three vaults")
	}
	for _, zipped := range []string{frozenPath, frozenPath2, frozenLocked} {
		t.Run(filepath.Base(zipped), func(t *testing.T) {
			copies := workDirs(t)
			thaw(t, zipped, copies[0])
			v := open(t, copies[0])
			head := v.Head()
			must(t, v.Close())
			for _, dir := range copies[1:] {
				must(t, os.CopyFS(dir, os.DirFS(copies[0])))
			}
			mutate(t, copies, head, false)
		})
	}
}

// workDirs are a directory for a copy of the vault for each worker.
func workDirs(t *testing.T) (dirs [2]string) {
	for w := range dirs {
		dirs[w] = t.TempDir()
	}
	return dirs
}

// mutate makes the mutations of a vault, and tells how many were found. Whole is a
// vault all of whose buckets have rows.
func mutate(t *testing.T, copies [2]string, head audit.Head, whole bool) {
	var mu sync.Mutex
	tried, found := map[string]int{}, map[string]int{}
	var work sync.WaitGroup
	for w, dir := range copies {
		work.Go(func() {
			m := mutator{t: t, worker: w, workers: len(copies), whole: whole, step: 16, tried: map[string]int{}, found: map[string]int{}, head: head}
			if *mutations {
				m.step = 1
			} else if testing.Short() {
				m.step = 64
			}
			if err := m.run(dir); err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			for bucket, n := range m.tried {
				tried[bucket] += n
				found[bucket] += m.found[bucket]
			}
		})
	}
	work.Wait()
	all, hit := 0, 0
	for _, bucket := range slices.Sorted(maps.Keys(tried)) {
		t.Logf("%-12s %6d mutations, %6d found", bucket, tried[bucket], found[bucket])
		all, hit = all+tried[bucket], hit+found[bucket]
	}
	t.Logf("%-12s %6d mutations, %6d found", "all", all, hit)
}

// mutator works its share of the mutations of a copy of the vault off.
type mutator struct {
	t               *testing.T
	worker, workers int
	whole           bool
	step            int // every how many bytes one is changed
	tried, found    map[string]int
	head            audit.Head

	v      *engine.Vault
	random *rand.Rand
	n      int // bytes so far
}

func (m *mutator) run(dir string) error {
	v, err := engine.Open(dir, engine.Options{ReserveBytes: -1})
	if err != nil {
		return err
	}
	defer v.Close()
	m.v, m.random = v, rand.New(rand.NewPCG(uint64(m.step), 1))
	return v.Lend(func(b *bbolt.Tx) error {
		if found := m.verify(); len(found) > 0 {
			return fmt.Errorf("nothing is changed yet: %v", found)
		}
		var buckets []string
		err := b.ForEach(func(name []byte, _ *bbolt.Bucket) error {
			buckets = append(buckets, string(name))
			return nil
		})
		for _, name := range buckets {
			if rows := b.Bucket([]byte(name)); err == nil {
				err = m.bucket(name, rows)
			}
		}
		if found := m.verify(); len(found) > 0 && err == nil {
			err = fmt.Errorf("all is as it was: %v", found)
		}
		return err
	})
}

func (m *mutator) verify() []audit.Finding {
	report, err := m.v.Verify(context.Background(), engine.VerifyOptions{Heads: []audit.Head{m.head}})
	if err != nil {
		return []audit.Finding{{Code: "error", Message: err.Error()}}
	}
	return report.Findings
}

func (m *mutator) bucket(name string, rows *bbolt.Bucket) error {
	type row struct{ k, value []byte }
	var all []row
	err := rows.ForEach(func(k, value []byte) error {
		all = append(all, row{bytes.Clone(k), bytes.Clone(value)})
		return nil
	})
	if err != nil {
		return err
	}
	if m.worker == 0 && m.whole && len(all) == 0 {
		m.t.Errorf("%s is empty", name)
	}
	for n, r := range all {
		if n%m.workers == m.worker {
			err = m.try(rows, name, "dropped", r.k, r.value, nil, nil)
		}
		for at := range len(r.k) + len(r.value) {
			m.n++
			bits := byte(1 + m.random.IntN(255))
			if m.n%m.step != 0 || m.n/m.step%m.workers != m.worker || err != nil {
				continue
			}
			k, value := bytes.Clone(r.k), bytes.Clone(r.value)
			if at < len(k) {
				k[at] ^= bits
			} else {
				value[at-len(k)] ^= bits
			}
			err = m.try(rows, name, fmt.Sprintf("byte %d xor %#x", at, bits), r.k, r.value, k, value)
		}
	}
	return err
}

// try puts a row in the place of another, verifies, and puts that back. A row
// without a key is none.
func (m *mutator) try(rows *bbolt.Bucket, bucket, what string, k, value, otherKey, other []byte) error {
	if otherKey != nil && !bytes.Equal(k, otherKey) && rows.Get(otherKey) != nil {
		return nil // there is such a row
	}
	if err := rows.Delete(k); err != nil {
		return err
	}
	if otherKey != nil {
		if err := rows.Put(otherKey, other); err != nil {
			return err
		}
	}
	m.tried[bucket]++
	if len(m.verify()) > 0 {
		m.found[bucket]++
	} else {
		m.t.Errorf("%s, row %q (%q), %s: not found", bucket, k, value, what)
	}
	if otherKey != nil {
		if err := rows.Delete(otherKey); err != nil {
			return err
		}
	}
	return rows.Put(k, value)
}
