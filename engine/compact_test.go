package engine_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"strongroom/engine"
	"strongroom/engine/enginetest"
)

// Compacting gives free pages back and changes nothing else. What a crash left of
// an earlier one is in nobody's way.
func TestCompact(t *testing.T) {
	k := enginetest.New(t)
	kept := k.Create("kept", "text")
	for range 40 {
		d := k.CreateFrom(engine.NewDocument{Name: "goes", Description: strings.Repeat("words ", 500)}, "text that goes")
		if _, _, err := k.DeleteDocument(t.Context(), k.Admin, d.ID, engine.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := engine.Compact(t.Context(), k.Dir, k.Options); !errors.Is(err, engine.ErrVaultInUse) {
		t.Errorf("in use: %v", err)
	}
	head := k.Head()
	if err := k.Close(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(k.Dir, "rows.db.new")
	if err := os.WriteFile(left, []byte("half a database"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := engine.Compact(t.Context(), k.Dir, k.Options)
	if err != nil || report.Head != head || report.After >= report.Before || report.Rows == 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if info, err := os.Stat(filepath.Join(k.Dir, "rows.db")); err != nil || info.Size() != report.After || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Error("something is left:", err)
	}
	if k.Vault, err = engine.Open(k.Dir, k.Options); err != nil {
		t.Fatal(err)
	}
	if k.Head() != head || k.Content(kept.ID, 0) != "text" {
		t.Error("it is not the vault it was")
	}
}
