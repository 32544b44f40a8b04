package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Whatever was called before and after a backup, the vault restored from it with
// the log is whole, and keeps what the other one keeps.
func TestRestoreKeepsWhatIsKept(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1, 2, 3}, testRestoreKeepsWhatIsKept)
}

func testRestoreKeepsWhatIsKept(t *testing.T, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("repeat with -run %s -modelseed %d", t.Name(), seed)
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		g := newPromises(t, k, rand.New(rand.NewPCG(seed, 0)))
		for range 20 + g.random.IntN(60) {
			g.step(t)
			g.look(t)
		}
		to := filepath.Join(t.TempDir(), "backup")
		made := backUp(t, k, to)
		for range g.random.IntN(80) {
			g.step(t)
			g.rewrite(t)
			g.look(t)
		}
		s := exportSince(t, k, choice(g, 0, made.Head.Seq, made.Head.Seq/2))
		r, told := restoredWith(t, k, to, s, s.head)
		g.alike(t, r, told)
		again := filepath.Join(t.TempDir(), "again")
		backUp(t, r, again)
		r.Admin, g.k = k.Admin, r
		g.promised, g.open, g.held = map[string]time.Time{}, map[[2]string]bool{}, map[string]bool{}
		g.docs = slices.DeleteFunc(g.docs, func(id string) bool {
			_, err := r.Document(t.Context(), id)
			return errors.Is(err, engine.ErrDocumentNotFound)
		})
		for range 20 {
			g.step(t)
			g.rewrite(t)
			g.look(t)
		}
		s = exportSince(t, r, 0)
		last, told := restoredWith(t, r, again, s, s.head)
		g.alike(t, last, told)
		if s.details = nil; g.random.IntN(2) == 0 {
			restoredWith(t, r, again, s, s.head)
		}
	})
}

// rewrite is a change of what governs less.
func (g *promises) rewrite(t *testing.T) {
	documentID, a := choice(g, g.docs...), choice(g, g.actors...)
	p := engine.DocumentPatch{}
	switch g.random.IntN(6) {
	case 0:
		p.Path = new(choice(g, "", "2024/leases", "2025"))
	case 1:
		p.Tags = &[]string{choice(g, "a", "e\u0301", "k:v")}
	case 2:
		p.ExternalID = new(fmt.Sprint("X-", g.random.IntN(8)))
	case 3:
		p.EditPassword = &engine.EditPassword{Password: choice(g, "", "a secret word")}
	case 4:
		p.OwnerID = new(choice(g, g.actors...).UserID)
	default:
		p.Name, p.Description = new(choice(g, "A", "B")), new(choice(g, "", "words"))
	}
	g.k.UpdateDocument(t.Context(), a, documentID, engine.Condition{}, p)
}

// alike compares the restored vault with the one that was backed up.
func (g *promises) alike(t *testing.T, r *enginetest.Kit, told engine.Since) {
	t.Helper()
	ctx := t.Context()
	moved := map[string]bool{} // versions are not there again
	for _, v := range told.Versions {
		moved[v.DocumentID] = true
	}
	for _, documentID := range g.docs {
		is, err := r.Document(ctx, documentID)
		if gone(g.k, documentID) {
			if c, _ := g.k.Certificate(ctx, documentID); c.Right == engine.RightErasure && err == nil {
				t.Errorf("%s was erased, and is there", documentID)
			}
			continue
		}
		was := stored(t, g.k, documentID)
		if moved[documentID] {
			continue
		}
		must(t, err)
		if is.HoldCount != was.HoldCount || is.Archived != was.Archived || is.Category != was.Category || is.Path != was.Path || is.OwnerID != was.OwnerID ||
			is.ExternalID != was.ExternalID || is.Name != was.Name || fmt.Sprint(is.Tags, is.CustomFields) != fmt.Sprint(was.Tags, was.CustomFields) {
			t.Errorf("is  %+v\nwas %+v\nlost %s", is, was, lostOf(told))
		}
		d, err := r.Disposition(ctx, engine.Operator(), documentID)
		must(t, err)
		e, err := g.k.Disposition(ctx, engine.Operator(), documentID)
		must(t, err)
		if e.Protected == engine.ProtectCompliance && (d.Protected != e.Protected || !d.ProtectedUntil.IsZero() && d.ProtectedUntil.Before(e.ProtectedUntil)) && e.ProtectedUntil.After(time.Now().Add(time.Minute)) {
			t.Errorf("%s is protected by %q until %v, was by %q until %v", documentID, d.Protected, d.ProtectedUntil, e.Protected, e.ProtectedUntil)
		}
	}
}
