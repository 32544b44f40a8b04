package engine_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// told are the operations that a bag's log has, and those of the history of a document.
func told(t *testing.T, files map[string]string, documentID string) (log, history []string) {
	t.Helper()
	for line := range strings.Lines(files["data/log.jsonl"]) {
		e, err := audit.ParseEntry([]byte(line))
		must(t, err)
		log = append(log, string(e.Op))
	}
	for name, text := range files {
		if !strings.HasSuffix(name, "/history.json") || !strings.Contains(name, documentID) {
			continue
		}
		var entries []struct {
			Seq uint64
			Op  string
		}
		must(t, json.Unmarshal([]byte(text), &entries))
		last := uint64(0)
		for _, e := range entries {
			if history = append(history, e.Op); e.Seq <= last {
				t.Errorf("%s is not in order: %v", name, entries)
			}
			last = e.Seq
		}
	}
	for _, row := range cellsOf(t, files["data/history.csv"]) {
		if row[0] == documentID && !slices.Contains(history, row[3]) {
			t.Errorf("history.csv has %v, history.json has not", row)
		}
	}
	return log, history
}

func same(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if strings.Join(got, " ") != want {
		t.Errorf("%s:\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.ReplaceAll(want, " ", "\n"))
	}
}

// A run of retention, and the request of an erasure, name no document; they are told
// with those that they are of.
func TestABagTellsOfRunsAndErasures(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		ctx := t.Context()
		run := func() {
			days(2)
			_, _, err := k.StartRun(ctx, k.Admin, engine.NewRun{Reason: "monthly"})
			must(t, err)
			sweep(k)
		}
		filed := k.CreateFrom(engine.NewDocument{Name: "filed", Category: "invoice"}, "filed")
		policy(k, engine.NewPolicy{Scope: engine.ScopeCategory, Target: "invoice", PeriodDays: 1, Action: engine.ActionArchive})
		run()
		gone, held, waits, other := k.Create("gone", "gone"), k.Create("held", "held"), k.Create("waits", "waits"), k.Create("other", "other")
		place(t, k, held.ID, "M")
		erase(t, k, gone.ID)
		erase(t, k, held.ID, other.ID)
		sweep(k)
		run()                 // nothing is due of these
		erase(t, k, waits.ID) // nothing is done yet
		_, files := bagOf(t, k, engine.BagChoice{DocumentIDs: []string{filed.ID, gone.ID, held.ID, waits.ID}})
		log, _ := told(t, files, filed.ID)
		same(t, "log", log, "document.created retention.started document.archived retention.completed document.created document.created document.created hold.placed"+
			" erasure.requested erasure.requested document.deleted erasure.completed erasure.deferred erasure.requested matter.exported")
		for of, want := range map[string]string{
			filed.ID: "document.created retention.started document.archived retention.completed",
			gone.ID:  "document.created erasure.requested document.deleted erasure.completed",
			held.ID:  "document.created hold.placed erasure.requested erasure.deferred",
			waits.ID: "document.created erasure.requested",
		} {
			_, history := told(t, files, of)
			same(t, of, history, want)
		}
		for name, text := range files {
			if strings.Contains(text, other.ID) {
				t.Errorf("%s tells of another document", name)
			}
		}
		if !strings.Contains(files["data/details.jsonl"], "monthly") {
			t.Errorf("the reason of the run is not there: %s", files["data/details.jsonl"])
		}
	})
}

// Who approved is told too, of one release and of many in one.
func TestABagTellsOfApprovals(t *testing.T) {
	k := newPair(t)
	ctx := t.Context()
	one := k.Create("one", "one")
	h := place(t, k.Kit, one.ID, "M")
	var many, ids []string
	for i := range 20 {
		d := k.Create(fmt.Sprint(i), fmt.Sprint(i))
		ids, many = append(ids, d.ID), append(many, place(t, k.Kit, d.ID, "N").ID)
	}
	slices.Reverse(many)
	k.cover(engine.CoveredHoldRelease, engine.CoveredExport, engine.CoveredErasure)
	approve := func(err error) engine.Granted {
		t.Helper()
		a := k.asks(k.Admin, k.Head(), err)
		granted, _, err := k.Approve(ctx, k.other, a.ID, a.PlanDigest)
		must(t, err)
		return granted
	}
	_, _, err := k.ReleaseHold(ctx, k.Admin, h.ID, engine.Condition{}, "settled")
	approve(err)
	_, err = k.ReleaseHolds(ctx, k.Admin, many, "settled", false)
	approve(err)
	_, _, err = k.RequestErasure(ctx, k.Admin, engine.NewErasure{DocumentIDs: []string{one.ID}, LegalBasis: "Art. 17", Requester: "7"})
	approve(err)
	_, err = k.MakeBag(ctx, k.Admin, engine.BagChoice{DocumentIDs: []string{one.ID, ids[3], ids[12], ids[7]}})
	b := approve(err).Result.(*engine.Bag)
	files := written(t, b)
	log, history := told(t, files, one.ID)
	same(t, "log", log, "document.created hold.placed document.created hold.placed document.created hold.placed document.created hold.placed"+
		" approval.requested hold.released approval.granted approval.requested hold.released hold.released hold.released approval.granted"+
		" approval.requested erasure.requested approval.granted approval.requested matter.exported approval.granted")
	same(t, "history", history, "document.created hold.placed approval.requested hold.released approval.granted approval.requested erasure.requested approval.granted")
	for _, of := range []string{ids[3], ids[7], ids[12]} {
		_, history := told(t, files, of)
		same(t, of, history, "document.created hold.placed approval.requested hold.released approval.granted")
	}
	// What needed nobody else is told without the approval of what came behind it.
	alone := k.Create("alone", "alone")
	_, err = k.MakeBag(ctx, k.Admin, engine.BagChoice{DocumentIDs: []string{alone.ID}})
	files = written(t, approve(err).Result.(*engine.Bag))
	_, history = told(t, files, alone.ID)
	same(t, "alone", history, "document.created")
}

func written(t *testing.T, b *engine.Bag) map[string]string {
	t.Helper()
	var out strings.Builder
	must(t, b.Write(t.Context(), &out))
	return unpacked(t, b, []byte(out.String()))
}

// A run that came upon a document and left it, for its hold, is told with it; one that
// did not come upon it is not.
func TestABagTellsOfRunsThatLeftIt(t *testing.T) {
	inBubble(t, func(t *testing.T, k *enginetest.Kit) {
		held, free, late := k.Create("held", "held"), k.Create("free", "free"), k.Create("late", "late")
		place(t, k, held.ID, "M")
		policy(k, engine.NewPolicy{Scope: engine.ScopeDocument, Target: held.ID, PeriodDays: 1, Action: engine.ActionDelete})
		policy(k, engine.NewPolicy{Scope: engine.ScopeDocument, Target: free.ID, PeriodDays: 3, Action: engine.ActionDelete})
		for range 3 { // nothing is due; held is left; free is deleted and held is left; each time by the day's run too
			_, _, err := k.StartRun(t.Context(), k.Admin, engine.NewRun{})
			must(t, err)
			sweep(k)
			days(2)
		}
		_, files := bagOf(t, k, engine.BagChoice{DocumentIDs: []string{held.ID, free.ID, late.ID}})
		for of, want := range map[string]string{
			held.ID: "document.created hold.placed" + strings.Repeat(" retention.started retention.completed", 4), // two days of two runs
			free.ID: "document.created retention.started document.deleted retention.completed",
			late.ID: "document.created",
		} {
			_, history := told(t, files, of)
			same(t, of, history, want)
		}
	})
}
