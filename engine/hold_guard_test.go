package engine_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Nobody gets round a hold, by no sequence of calls: as long as one that was
// placed is not released, the document is there with all versions it had, and
// not archived unless it was before.
func TestNobodyGetsRoundAHold(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{5}, testNobodyGetsRoundAHold)
}

func testNobodyGetsRoundAHold(t *testing.T, seed uint64) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		random := rand.New(rand.NewPCG(seed, 0))
		upload, _ := k.Person("Ulla Upload", engine.AccessUpload)
		admin, _ := k.Person("Adam Admin", engine.AccessAdmin)
		actors := []engine.Actor{k.Admin, admin, upload, engine.Operator(), engine.System()}
		k.Define(engine.TextField, "note")
		var guarded []*guard
		for range 6 {
			guarded = append(guarded, &guard{id: k.Create("contract", "text").ID})
		}
		operations := slices.DeleteFunc(governedOperations(), func(op governedOperation) bool { return strings.HasPrefix(op.name, "hold") })
		deleted := 0
		for n := range 1_500 {
			g := guarded[random.IntN(len(guarded))]
			who := actors[random.IntN(len(actors))]
			switch random.IntN(10) {
			case 0:
				if h, _, err := k.PlaceHold(t.Context(), who, g.id, engine.Condition{}, engine.NewHold{Reason: "litigation", Matter: fmt.Sprint(random.IntN(3))}); err == nil {
					g.holds = append(g.holds, h.ID)
				}
			case 1, 3, 4:
				g.release(k, who, random)
			case 2:
				meanwhile(t, k, who, g.id, random)
			default:
				operations[random.IntN(len(operations))].do(governed{k, who, g.id}) // refused or not
			}
			for _, g := range guarded {
				if g.check(t, k, fmt.Sprintf("seed %d, step %d", seed, n)) {
					deleted++
				}
			}
		}
		t.Logf("seed %d: %d documents deleted while nothing held them", seed, deleted)
	})
}

// guard is what is known of a document from outside.
type guard struct {
	id       string
	holds    []string // active
	versions uint64
	archived bool
}

func (g *guard) release(k *enginetest.Kit, who engine.Actor, random *rand.Rand) {
	if len(g.holds) == 0 {
		return
	}
	i := random.IntN(len(g.holds))
	if _, _, err := k.ReleaseHold(k.TB.Context(), who, g.holds[i], engine.Condition{}, ""); err == nil {
		g.holds = append(g.holds[:i:i], g.holds[i+1:]...)
	}
}

// check says whether the document was deleted, which it may be while nothing
// holds it; another stands in its place then.
func (g *guard) check(t *testing.T, k *enginetest.Kit, at string) (deleted bool) {
	t.Helper()
	d, err := k.Document(t.Context(), g.id)
	if len(g.holds) == 0 {
		if errors.Is(err, engine.ErrDocumentDeleted) {
			*g = guard{id: k.Create("contract", "text").ID}
			return true
		}
	} else if err != nil || d.VersionCount < g.versions || d.Archived && !g.archived || d.HoldCount < uint64(len(g.holds)) || k.Content(g.id, 1) != "text" {
		t.Fatalf("%s: %+v became %+v, %v", at, g, d, err)
	}
	g.versions, g.archived = d.VersionCount, d.Archived
	return false
}

// meanwhile does what is not about the document, or not by its id, and may touch
// it all the same.
func meanwhile(t *testing.T, k *enginetest.Kit, who engine.Actor, id string, random *rand.Rand) {
	t.Helper()
	ctx := t.Context()
	switch random.IntN(9) {
	case 0:
		time.Sleep(time.Duration(random.IntN(30)) * time.Hour)
		_, err := k.Sweep(ctx)
		must(t, err)
	case 1:
		k.Reopen()
	case 2:
		k.AcquireLock(ctx, who, id, engine.Condition{}, engine.NewLock{UseScratchPad: random.IntN(2) == 0})
	case 3:
		k.BreakLock(ctx, who, id, engine.Condition{}, "in the way")
	case 4:
		if l, err := k.Lock(ctx, who, id); err == nil && l.Token != "" {
			governed{k, who, id}.versionWith(with(l.Token))
			k.DeleteDocument(ctx, who, id, with(l.Token))
			k.ArchiveDocument(ctx, who, id, with(l.Token))
			k.ReleaseLock(ctx, who, id, with(l.Token), random.IntN(2) == 0)
		}
	case 5:
		k.UpdateDocument(ctx, who, id, engine.Condition{}, engine.DocumentPatch{CustomFields: map[string]any{"note": "x"}})
		k.DeleteField(ctx, who, "note", engine.Condition{}, true)
		k.CreateField(ctx, k.Admin, engine.NewField{Key: "note", Type: engine.TextField})
	case 6:
		holds, err := k.Holds(ctx, engine.HoldQuery{Status: "released"})
		must(t, err)
		for _, h := range holds.Items { // what is released already lets go of nothing
			k.ReleaseHold(ctx, who, h.ID, engine.Condition{}, "once more")
		}
	case 7:
		k.RequestErasure(ctx, who, engine.NewErasure{DocumentIDs: []string{id}, LegalBasis: "Art. 17", Requester: "case 1"})
	case 8: // whatever is not held is due
		if p, err := previewed(k, who, engine.NewPolicy{
			Name: "all", Scope: engine.ScopeOrganization, Action: []engine.Action{engine.ActionArchive, engine.ActionDelete}[random.IntN(2)], StartFrom: "createdAt",
		}); err == nil {
			k.StartRun(ctx, who, engine.NewRun{AcceptClock: true, Reason: "now"})
			_, err := k.Sweep(ctx)
			must(t, err)
			k.DeletePolicy(ctx, who, p.ID, engine.Condition{})
		}
	}
}
