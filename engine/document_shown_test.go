package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// TestShownPassagesAreEntries: with AuditReads on, one a user, version and
// quarter of an hour.
func TestShownPassagesAreEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := enginetest.New(t)
		grace, _ := k.Person("Grace", engine.AccessView)
		a, b, gone := k.Create("a", "text"), k.Create("b", "text"), k.Create("gone", "text")
		_, _, err := k.DeleteDocument(t.Context(), k.Admin, gone.ID, engine.Condition{})
		must(t, err)
		show := func(who engine.Actor, want uint64, documents ...engine.Document) {
			t.Helper()
			before := k.Head().Seq
			must(t, k.RecordShown(t.Context(), who, documents))
			if n := k.Head().Seq - before; n != want {
				t.Errorf("%d entries, want %d", n, want)
			}
		}
		show(grace, 0, a, b)
		on := true
		_, _, err = k.UpdateSettings(t.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{AuditReads: &on})
		must(t, err)
		show(grace, 2, a, gone, b)
		e, err := k.Entry(t.Context(), k.Head().Seq)
		must(t, err)
		part, _ := e.Facts["part"].AsText()
		if e.Op != audit.OpDocumentDownloaded || e.Document != b.ID || e.Version != 1 || e.Actor != grace.UserID || part != "passages" {
			t.Errorf("%+v", e)
		}
		show(grace, 0, a, b)
		show(k.Admin, 1, a)
		_, _, err = k.AddVersion(t.Context(), k.Admin, a.ID, engine.Condition{}, engine.NewVersion{}, k.Upload("another"))
		must(t, err)
		a, err = k.Document(t.Context(), a.ID)
		must(t, err)
		show(grace, 1, a, b)
		time.Sleep(15 * time.Minute)
		show(grace, 2, a, b)
		nobody := grace
		nobody.Access = engine.AccessNone
		time.Sleep(15 * time.Minute)
		if err := k.RecordShown(t.Context(), nobody, []engine.Document{a}); !errors.Is(err, engine.ErrLacksPermission) {
			t.Error(err)
		}
	})
}
