package engine_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

var propertyCalls = flag.Int("property", 400, "how many calls TestNothingDestroysWhatIsKept makes")

// promises knows, from what anybody can read, until when each document was ever
// promised to be kept.
type promises struct {
	k        *enginetest.Kit
	random   *rand.Rand
	actors   []engine.Actor
	docs     []string
	promised map[string]time.Time // the latest end of a period of compliance there ever was
	open     map[[2]string]bool   // document and policy: one whose start was never known since
	held     map[string]bool
	gone     map[string]bool
	policies []string
}

// No sequence of calls, by anybody, destroys a document that is held or that
// compliance protects.
func TestNothingDestroysWhatIsKept(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1}, testNothingDestroysWhatIsKept)
}

func testNothingDestroysWhatIsKept(t *testing.T, seed uint64) {
	defer func() {
		if t.Failed() {
			t.Logf("repeat with -run %s -modelseed %d", t.Name(), seed)
		}
	}()
	calls := *propertyCalls
	if testing.Short() {
		calls = min(calls, 120)
	}
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		g := newPromises(t, k, rand.New(rand.NewPCG(seed, 0)))
		for n := range calls {
			g.step(t)
			if g.look(t); t.Failed() {
				t.Fatalf("call %d", n)
			}
		}
		t.Logf("seed %d: %d documents, %d of them gone, %d entries", seed, len(g.docs), len(g.gone), k.Head().Seq)
	})
}

// newPromises is a vault with policies, and nothing promised yet.
func newPromises(t *testing.T, k *enginetest.Kit, random *rand.Rand) *promises {
	t.Helper()
	g := &promises{
		k: k, random: random, promised: map[string]time.Time{}, open: map[[2]string]bool{},
		held: map[string]bool{}, gone: map[string]bool{}, actors: []engine.Actor{k.Admin, k.Admin, engine.Operator()},
	}
	uploader, _ := k.Person("Ulla Upload", engine.AccessUpload)
	g.actors = append(g.actors, uploader)
	k.Define(engine.DateField, "closed")
	for i, n := range []engine.NewPolicy{
		{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 20, Action: engine.ActionDelete, StartFrom: "field:closed"},
		{Scope: engine.ScopeCategory, Target: "contract", PeriodDays: 30, Action: engine.ActionArchive, StartFrom: "currentVersion"},
		{Scope: engine.ScopeProduct, Target: "cpq", PeriodDays: 15, Action: engine.ActionDelete},
		{Scope: engine.ScopeOrganization, PeriodDays: 10, Action: engine.ActionDelete, Protect: engine.ProtectGovernance},
	} {
		p := policy(k, n)
		if i < 3 {
			p = comply(k, p)
		}
		g.policies = append(g.policies, p.ID)
	}
	return g
}

// look finds what is gone, and then what is promised.
func (g *promises) look(t *testing.T) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	policies, err := g.k.Policies(ctx, engine.Paging{Limit: 500})
	must(t, err)
	for _, documentID := range g.docs {
		if g.gone[documentID] {
			continue
		}
		if gone(g.k, documentID) {
			c, _ := g.k.Certificate(ctx, documentID)
			if g.held[documentID] || g.opened(documentID) || c.DeletedAt.Before(g.promised[documentID]) {
				t.Errorf("destroyed %s: %+v, held %v, of unknown start %v, promised until %v", documentID, c, g.held[documentID], g.opened(documentID), g.promised[documentID])
			}
			g.gone[documentID] = true
			continue
		}
		d := stored(t, g.k, documentID)
		g.held[documentID] = d.HoldCount > 0
		for _, p := range policies.Items {
			if p.Protect != engine.ProtectCompliance || p.Target != d.Category && p.Target != d.Product && p.Scope != engine.ScopeOrganization {
				continue
			}
			start := d.CreatedAt
			switch p.StartFrom {
			case "currentVersion":
				start = d.Current.CreatedAt
			case "updatedAt":
				start = d.UpdatedAt
			case "field:closed":
				closed, _ := d.CustomFields["closed"].(string)
				if start, err = time.Parse(time.DateOnly, closed); err != nil {
					g.open[[2]string{documentID, p.ID}] = true
					continue
				}
				start = start.Add(12 * time.Hour)
			}
			delete(g.open, [2]string{documentID, p.ID})
			var length int
			if _, err := fmt.Sscanf(string(p.Period), "P%dD", &length); err != nil {
				t.Fatal(err)
			}
			if end := start.AddDate(0, 0, length); end.After(now) && end.After(g.promised[documentID]) {
				g.promised[documentID] = end
			}
		}
	}
}

func (g *promises) opened(documentID string) bool {
	for of := range g.open {
		if of[0] == documentID {
			return true
		}
	}
	return false
}

func choice[T any](g *promises, list ...T) T { return list[g.random.IntN(len(list))] }

// step is anything anybody may try. Whether it is refused is not asked here.
func (g *promises) step(t *testing.T) {
	k, ctx, a := g.k, t.Context(), choice(g, g.actors...)
	if len(g.docs) == 0 || g.random.IntN(8) == 0 {
		d := k.CreateFrom(engine.NewDocument{Name: "d", Category: choice(g, "invoice", "contract", "other"), Product: choice(g, "", "", "cpq")}, fmt.Sprint(len(g.docs)))
		g.docs = append(g.docs, d.ID)
		return
	}
	documentID, cond := choice(g, g.docs...), engine.Condition{}
	category := choice(g, "invoice", "contract", "other", "minutes")
	patch := engine.DocumentPatch{Category: &category}
	if g.random.IntN(2) == 0 {
		patch = engine.DocumentPatch{CustomFields: map[string]any{"closed": choice[any](g, nil, "1970-01-01", time.Now().Format(time.DateOnly), "2000-01-20")}}
	}
	switch g.random.IntN(16) {
	case 0, 1, 2:
		k.UpdateDocument(ctx, a, documentID, cond, patch)
	case 3:
		u := k.Upload(fmt.Sprint(g.random.Uint64()))
		k.AddVersion(ctx, a, documentID, cond, engine.NewVersion{}, u)
		u.Discard()
	case 4:
		g.edit(t, documentID, patch)
	case 5:
		k.ArchiveDocument(ctx, a, documentID, cond)
	case 6:
		k.UnarchiveDocument(ctx, a, documentID, cond)
	case 7, 8:
		k.DeleteDocument(ctx, a, documentID, choice(g, cond, bypass("why not")))
	case 9:
		if holds := g.holds(t, documentID); len(holds) > 0 {
			k.ReleaseHold(ctx, a, holds[0].ID, engine.Condition{}, "")
		} else if g.random.IntN(3) == 0 {
			k.PlaceHold(ctx, a, documentID, engine.Condition{}, engine.NewHold{Reason: "litigation"})
		}
	case 10:
		k.RequestErasure(ctx, a, engine.NewErasure{DocumentIDs: []string{documentID}, LegalBasis: "Art. 17", Requester: "case 1"})
		k.Sweep(ctx)
	case 11:
		g.meddle(t, a, documentID)
	case 12:
		k.StartRun(ctx, a, engine.NewRun{})
		k.Sweep(ctx)
	case 13:
		k.Reopen()
	default:
		time.Sleep(time.Duration(g.random.IntN(72)) * time.Hour)
		k.Sweep(ctx)
	}
}

func (g *promises) holds(t *testing.T, documentID string) []engine.Hold {
	page, _ := g.k.DocumentHolds(t.Context(), documentID, "active", engine.Paging{})
	return page.Items
}

// edit changes a document under a lock and, perhaps, takes it all back.
func (g *promises) edit(t *testing.T, documentID string, patch engine.DocumentPatch) {
	lock, _, err := g.k.AcquireLock(t.Context(), g.k.Admin, documentID, engine.Condition{}, engine.NewLock{UseScratchPad: choice(g, true, false)})
	if err != nil {
		return
	}
	held := engine.Condition{LockToken: lock.Token}
	g.k.UpdateDocument(t.Context(), g.k.Admin, documentID, held, patch)
	u := g.k.Upload(fmt.Sprint(g.random.Uint64()))
	g.k.AddVersion(t.Context(), g.k.Admin, documentID, held, engine.NewVersion{}, u)
	u.Discard()
	g.look(t)
	if g.random.IntN(2) == 0 {
		g.k.Sweep(t.Context())
	}
	g.k.ReleaseLock(t.Context(), g.k.Admin, documentID, held, choice(g, true, false))
	g.look(t)
}

// meddle tries to change the rules.
func (g *promises) meddle(t *testing.T, a engine.Actor, documentID string) {
	k, ctx, policyID := g.k, t.Context(), choice(g, g.policies...)
	no, none, days, created := false, engine.ProtectNone, uint64(g.random.IntN(40)), choice(g, engine.StartCreated, engine.StartUpdated)
	zone, conflict, categories := choice(g, "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"), choice(g, engine.ConflictShortest, engine.ConflictLongest), choice(g, []string{"minutes"}, nil)
	switch g.random.IntN(8) {
	case 0:
		k.UpdatePolicy(ctx, a, policyID, engine.Condition{}, engine.PolicyPatch{Enabled: &no})
	case 1:
		k.UpdatePolicy(ctx, a, policyID, engine.Condition{}, engine.PolicyPatch{Protect: &none})
	case 2:
		patch := engine.PolicyPatch{PeriodDays: &days}
		if seen, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{PolicyID: policyID, Policy: &patch}); err == nil {
			patch.PlanDigest = &seen.PlanDigest
		}
		k.UpdatePolicy(ctx, a, policyID, engine.Condition{}, patch)
	case 3:
		k.UpdatePolicy(ctx, a, policyID, engine.Condition{}, engine.PolicyPatch{StartFrom: &created})
	case 4:
		k.DeletePolicy(ctx, a, policyID, engine.Condition{})
	case 5:
		p, err := previewed(k, a, engine.NewPolicy{
			Name: "n", Scope: engine.ScopeDocument, Target: documentID, Action: choice(g, engine.ActionArchive, engine.ActionDelete), StartFrom: created,
		})
		if err == nil {
			g.policies = append(g.policies, p.ID)
		}
	case 6:
		patch := engine.SettingsPatch{TimeZone: &zone, RetentionConflict: &conflict, Categories: &categories}
		seen, err := k.Preview(ctx, k.Admin, engine.PreviewQuery{Settings: &patch})
		must(t, err)
		patch.PlanDigest = &seen.PlanDigest
		k.UpdateSettings(ctx, a, engine.Condition{}, patch)
	default:
		k.DeleteField(ctx, a, "closed", engine.Condition{}, true)
	}
}
