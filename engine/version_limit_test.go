package engine_test

import (
	"errors"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

func limitVersions(k *enginetest.Kit, most uint64) {
	k.TB.Helper()
	if _, _, err := k.UpdateSettings(k.TB.Context(), k.Admin, engine.Condition{}, engine.SettingsPatch{MaxVersions: &most}); err != nil {
		k.TB.Fatal(err)
	}
}

// A document comes to have as many versions as the setting says, by whichever way,
// and keeps those it has when the setting is lowered.
func TestVersionsOfADocumentAreBounded(t *testing.T) {
	k := enginetest.New(t)
	if s, err := k.Settings(t.Context()); err != nil || s.MaxVersions != 10_000 {
		t.Fatal(s.MaxVersions, err)
	}
	d := k.Create("contract", "first")
	k.AddText(d.ID, "second")
	limitVersions(k, 2)
	head := k.Head()
	_, err := addText(k, d.ID, "third", engine.Condition{})
	wantField(t, err, "maxVersions")
	_, _, err = k.RestoreVersion(t.Context(), k.Admin, d.ID, engine.Condition{}, 1)
	wantField(t, err, "maxVersions")
	limitVersions(k, 1)
	if got, err := k.Document(t.Context(), d.ID); err != nil || got.VersionCount != 2 || k.Content(d.ID, 1) != "first" {
		t.Error(got, err)
	}
	k.Create("another", "first")
	if _, err := rename(k, k.Admin, d.ID, "renamed", engine.Condition{}); err != nil {
		t.Error("metadata are not bounded by it:", err)
	}
	limitVersions(k, 3)
	k.AddText(d.ID, "third")
	if k.Head().Seq <= head.Seq {
		t.Error("nothing was written")
	}
}

// A scratchpad does not take what could not be saved, and what could not any more
// is refused whole.
func TestVersionsInAScratchpadAreBounded(t *testing.T) {
	k := enginetest.New(t)
	d := k.Create("contract", "first")
	limitVersions(k, 3)
	l := lock(t, k, k.Admin, d.ID, engine.NewLock{UseScratchPad: true})
	for _, text := range []string{"second", "third"} {
		if _, err := addText(k, d.ID, text, with(l.Token)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := addText(k, d.ID, "fourth", with(l.Token))
	wantField(t, err, "maxVersions")
	limitVersions(k, 2)
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); !errors.Is(err, engine.ErrLockState) {
		t.Error("saved what is too much:", err)
	}
	limitVersions(k, 3)
	if _, _, err := k.ReleaseLock(t.Context(), k.Admin, d.ID, with(l.Token), true); err != nil {
		t.Error(err)
	}
}
