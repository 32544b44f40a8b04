package engine_test

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"strongroom/audit"
	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// What was erased after a backup is erased again when the backup is restored with
// the log, whatever state the backup has it in; what was deferred is not, and is
// held again.
func TestRestoreRepeatsErasures(t *testing.T) {
	t.Parallel()
	k := enginetest.New(t)
	ctx := t.Context()
	var words []string
	create := func() engine.Document {
		words = append(words, secret(len(words)))
		word := words[len(words)-1]
		return k.CreateFrom(engine.NewDocument{Name: word, Tags: []string{word}}, "text of "+word)
	}
	living, held, kept, deleted := create(), create(), create(), create()
	h := place(t, k, held.ID, "M")
	early := erase(t, k, held.ID)
	sweep(k)
	words = append(words, secret(100))
	u, _, err := k.CreateUser(ctx, k.Admin, engine.NewUser{Name: secret(100), Access: engine.AccessView})
	must(t, err)

	to := filepath.Join(t.TempDir(), "backup")
	backUp(t, k, to)

	release(t, k, h.ID)
	place(t, k, kept.ID, "N")
	_, _, err = k.DeleteDocument(ctx, k.Admin, deleted.ID, engine.Condition{})
	must(t, err)
	late := k.Create("made after the backup", "text")
	closed := engine.UserClosed
	_, _, err = k.UpdateUser(ctx, k.Admin, u.ID, engine.Condition{}, engine.UserPatch{Status: &closed})
	must(t, err)
	e := erase(t, k, living.ID, kept.ID, deleted.ID, late.ID)
	person, _, err := k.RequestErasure(ctx, k.Admin, engine.NewErasure{UserID: u.ID, LegalBasis: "Art. 17", Requester: "case 2"})
	must(t, err)
	runNow(k)
	var log bytes.Buffer
	export, err := k.Export(ctx, k.Admin, 0)
	must(t, err)
	must(t, export.WriteLog(ctx, &log))

	dir := filepath.Join(t.TempDir(), "restored")
	report, err := engine.Restore(ctx, dir, engine.RestoreOptions{From: to, Log: &log, Heads: []audit.Head{export.Head}})
	must(t, err)
	want := []string{living.ID, held.ID, deleted.ID, u.ID} // of the document that came after it, the backup has nothing
	slices.Sort(want)
	if !slices.Equal(report.Since.Erased, want) || report.Since.Deleted != nil {
		t.Errorf("erased %v, deleted %v", report.Since.Erased, report.Since.Deleted)
	}
	if lost := lostOf(report.Since); !strings.Contains(lost, "document "+kept.ID+" waits to be erased") {
		t.Errorf("lost:\n%s", lost)
	}
	for n, word := range words {
		if files := left(t, dir, word); (files != nil) != (n == 2) {
			t.Errorf("%s is in %q", word, files)
		}
	}
	r := &enginetest.Kit{TB: t, Dir: dir, Options: engine.Options{ReserveBytes: -1}, Admin: k.Admin}
	r.Vault, err = engine.Open(dir, r.Options)
	must(t, err)
	defer func() { must(t, r.Close()) }()
	for id, status := range map[string]engine.ErasureStatus{early.ID: engine.ErasureCompleted, e.ID: engine.ErasureCompleted, person.ID: engine.ErasureCompleted} {
		if got := readErasure(t, r, id); got.Status != status {
			t.Errorf("%+v", got)
		}
	}
	if got := readErasure(t, r, e.ID); got.Total != 2 || got.Requester != "" {
		t.Errorf("%+v", got)
	}
	r.Check()
	// Until somebody says that all is as it should be, nothing more is erased.
	again := erase(t, r, kept.ID)
	sweep(r)
	if got := readErasure(t, r, again.ID); got.Status != engine.ErasureRunning || got.Completed != 0 {
		t.Errorf("while paused: %+v", got)
	}
	on := false
	_, _, err = r.UpdateSettings(ctx, r.Admin, engine.Condition{}, engine.SettingsPatch{Paused: &on})
	must(t, err)
	sweep(r)
	if got := readErasure(t, r, again.ID); got.Status != engine.ErasureDeferred {
		t.Errorf("resumed, and the hold placed after the backup: %+v", got)
	}
}
