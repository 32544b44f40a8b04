package engine_test

import (
	"errors"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// governed is a document in one of the states that govern what may be done to
// it.
type governed struct {
	k   *enginetest.Kit
	who engine.Actor
	id  string
}

// The columns of the matrix, in its order.
var governedStates = []struct {
	name            string
	archived        bool
	holds           int
	locked, deleted bool
	product         string // for which a policy protects
}{
	{name: "active"},
	{name: "archived", archived: true},
	{name: "held", holds: 1},
	{name: "held twice", holds: 2},
	{name: "archived and held", archived: true, holds: 1},
	{name: "locked", locked: true},
	{name: "held and locked", holds: 1, locked: true},
	{name: "deleted", deleted: true},
	{name: "protected by governance", product: "governed"},
	{name: "protected by compliance", product: "lawful"},
}

// governedOperations are the rows: what is asked of the document, without the
// token of any lock, and the answer in each state.
func governedOperations() []governedOperation {
	const (
		ok = iota
		on
		ar
		lo
		st
		gone
		in
		re
	)
	answers := []error{nil, engine.ErrOnHold, engine.ErrDocumentArchived, engine.ErrLocked, engine.ErrLockState, engine.ErrDocumentDeleted, engine.ErrInvalid, engine.ErrRetained}
	row := func(name string, do func(g governed) error, codes ...int) governedOperation {
		op := governedOperation{name: name, do: do}
		for _, code := range codes {
			op.want = append(op.want, answers[code])
		}
		return op
	}
	return []governedOperation{
		// active, archived, held, held twice, archived and held, locked, held and locked, deleted, governance, compliance
		row("read", governed.read, ok, ok, ok, ok, ok, ok, ok, gone, ok, ok),
		row("patch", governed.patch, ok, ok, ok, ok, ok, lo, lo, gone, ok, ok),
		row("patch in bulk", governed.bulk, ok, ok, ok, ok, ok, lo, lo, gone, ok, ok),
		row("version", governed.version, ok, ar, ok, ok, ar, lo, lo, gone, ok, ok),
		row("restore", governed.restore, ok, ar, ok, ok, ar, lo, lo, gone, ok, ok),
		row("archive", governed.archive, ok, ok, on, on, ok, lo, lo, gone, ok, ok), // what is archived already stays so
		row("unarchive", governed.unarchive, ok, ok, ok, ok, ok, lo, lo, gone, ok, ok),
		row("delete", governed.remove, ok, ar, on, on, on, lo, lo, ok, re, re), // what is deleted already has its certificate
		row("delete, bypassing governance", governed.bypass, ok, ar, on, on, on, lo, lo, ok, ok, re),
		row("run", governed.run, ok, ok, on, on, on, lo, on, in, re, re),
		row("lock, change, save", governed.save, ok, st, ok, ok, st, lo, lo, gone, ok, ok),
		row("lock, change, take back", governed.takeBack, ok, st, ok, ok, st, lo, lo, gone, ok, ok),
		row("oblige", governed.oblige, ok, ok, ok, ok, ok, ok, ok, in, ok, ok),
		row("hold", governed.hold, ok, ok, ok, ok, ok, ok, ok, gone, ok, ok),
		row("hold in bulk", governed.holdBulk, ok, ok, ok, ok, ok, ok, ok, gone, ok, ok),
	}
}

type governedOperation struct {
	name string
	do   func(governed) error
	want []error
}

func (g governed) read() error {
	_, f, _, err := g.k.OpenContent(g.k.TB.Context(), g.who, g.id, 0)
	if err == nil {
		f.Close()
	}
	return err
}

func (g governed) patch() error {
	_, err := rename(g.k, g.who, g.id, "another name", engine.Condition{})
	return err
}

func (g governed) bulk() error {
	outcomes, err := g.k.UpdateDocuments(g.k.TB.Context(), g.who, []engine.DocumentChange{{DocumentID: g.id, Patch: engine.DocumentPatch{AddTags: []string{"bulk"}}}}, false)
	return errors.Join(err, outcomes[0].Err)
}

func (g governed) version() error { return g.versionWith(engine.Condition{}) }

func (g governed) versionWith(c engine.Condition) error {
	u := g.k.Upload("another text")
	defer u.Discard()
	_, _, err := g.k.AddVersion(g.k.TB.Context(), g.who, g.id, c, engine.NewVersion{}, u)
	return err
}

func (g governed) restore() error {
	_, _, err := g.k.RestoreVersion(g.k.TB.Context(), g.who, g.id, engine.Condition{}, 1)
	return err
}

func (g governed) archive() error {
	_, _, err := g.k.ArchiveDocument(g.k.TB.Context(), g.who, g.id, engine.Condition{})
	return err
}

func (g governed) unarchive() error {
	_, _, err := g.k.UnarchiveDocument(g.k.TB.Context(), g.who, g.id, engine.Condition{})
	return err
}

func (g governed) remove() error {
	_, _, err := g.k.DeleteDocument(g.k.TB.Context(), g.who, g.id, engine.Condition{})
	return err
}

func (g governed) bypass() error {
	_, _, err := g.k.DeleteDocument(g.k.TB.Context(), g.who, g.id, bypass("uploaded by mistake"))
	return err
}

// run is that of a policy for the document alone, by which it is due.
func (g governed) run() error {
	ctx := g.k.TB.Context()
	p, err := previewed(g.k, g.who, engine.NewPolicy{Name: "now", Scope: engine.ScopeDocument, Target: g.id, Action: engine.ActionDelete})
	if err != nil {
		return err
	}
	r := runNow(g.k)
	_, _, err = g.k.DeletePolicy(ctx, g.who, p.ID, engine.Condition{})
	must(g.k.TB, err)
	return map[string]error{"held": engine.ErrOnHold, "locked": engine.ErrLocked, "protected": engine.ErrRetained, "deleted": nil}[outcomes(g.k, r.ID)[g.id][0]]
}

func (g governed) save() error     { return g.edit(engine.NewLock{UseScratchPad: true}, true) }
func (g governed) takeBack() error { return g.edit(engine.NewLock{}, false) }

// edit locks the document, changes it and adds a version, and releases the lock.
func (g governed) edit(n engine.NewLock, save bool) error {
	ctx := g.k.TB.Context()
	l, _, err := g.k.AcquireLock(ctx, g.who, g.id, engine.Condition{}, n)
	if err != nil {
		return err
	}
	_, err = rename(g.k, g.who, g.id, "yet another name", with(l.Token))
	err = errors.Join(err, g.versionWith(with(l.Token)))
	_, _, released := g.k.ReleaseLock(ctx, g.who, g.id, with(l.Token), save)
	return errors.Join(err, released)
}

func (g governed) oblige() error {
	_, _, err := g.k.CreateObligation(g.k.TB.Context(), g.who, engine.NewObligation{
		Title: "Renew", DueDate: due(g.k.TB, "2099-01-01"), OwnerID: g.k.Admin.UserID, DocumentID: g.id,
	})
	return err
}

func (g governed) hold() error {
	_, _, err := g.k.PlaceHold(g.k.TB.Context(), g.who, g.id, engine.Condition{}, engine.NewHold{Reason: "one more"})
	return err
}

func (g governed) holdBulk() error {
	outcomes, err := g.k.PlaceHolds(g.k.TB.Context(), g.who, []string{g.id}, engine.NewHold{Reason: "one more", Matter: "M"}, false)
	return errors.Join(err, outcomes[0].Err)
}

// Each operation in each state, by a person and by those who need no key.
// Whatever was held is there afterwards, and not archived by it.
func TestTheMatrixOfOperationsAndHolds(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("every operation on documents in every state")
	}
	k := enginetest.New(t)
	other, _ := k.Person("Lou Locker", engine.AccessUpload)
	for product, protects := range map[string]func(engine.Policy){"governed": func(engine.Policy) {}, "lawful": func(p engine.Policy) { comply(k, p) }} {
		protects(policy(k, engine.NewPolicy{Scope: engine.ScopeProduct, Target: product, PeriodDays: 10, Action: engine.ActionArchive, Protect: engine.ProtectGovernance}))
	}
	for _, op := range governedOperations() {
		for column, state := range governedStates {
			actors := []engine.Actor{k.Admin}
			switch op.name {
			case "archive", "unarchive", "delete", "delete, bypassing governance", "hold":
				actors = append(actors, engine.Operator(), engine.System())
			}
			for _, who := range actors {
				g := governed{k, who, k.CreateFrom(engine.NewDocument{Name: "contract", Product: state.product}, "text").ID}
				if state.archived {
					must(t, g.archive())
				}
				for range state.holds {
					place(t, k, g.id, "Acme")
				}
				if state.locked {
					lock(t, k, other, g.id, engine.NewLock{})
				}
				if state.deleted {
					must(t, g.remove())
				}
				if err := op.do(g); !errors.Is(err, op.want[column]) || (err == nil) != (op.want[column] == nil) {
					t.Errorf("%s, %s, by %s: got %v, want %v", op.name, state.name, who.UserID, err, op.want[column])
				}
				if state.holds == 0 {
					continue
				}
				if d := stored(t, k, g.id); d.HoldCount < uint64(state.holds) || d.Archived && !state.archived || k.Content(g.id, 1) != "text" {
					t.Errorf("%s, %s, by %s: afterwards %+v", op.name, state.name, who.UserID, d)
				}
			}
		}
	}
}

// What the last release lets happen is decided by what lies under the hold.
func TestAReleaseLeavesWhatLayUnderTheHold(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	for _, state := range governedStates {
		if state.holds == 0 || state.locked {
			continue
		}
		g := governed{k, k.Admin, k.Create("contract", "text").ID}
		if state.archived {
			must(t, g.archive())
		}
		var holds []engine.Hold
		for range state.holds {
			holds = append(holds, place(t, k, g.id, "Acme"))
		}
		for _, h := range holds {
			wantIs(t, g.remove(), engine.ErrOnHold)
			release(t, k, h.ID)
		}
		d, want := stored(t, k, g.id), engine.StatusActive
		if state.archived {
			want = engine.StatusArchived
			wantIs(t, g.remove(), engine.ErrDocumentArchived)
			must(t, g.unarchive())
		}
		if d.Status != want || d.HoldCount != 0 {
			t.Errorf("%s: after the release %+v", state.name, d)
		}
		must(t, g.remove())
	}
}
