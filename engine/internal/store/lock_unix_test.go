//go:build unix

package store

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestALockThatLingers: a child shares the lock of the process that started it.
// Whoever let go does not keep the next one out by that, in order or not.
func TestALockThatLingers(t *testing.T) {
	for _, tidy := range []bool{true, false} {
		lingers(t, tidy)
	}
}

func lingers(t *testing.T, tidy bool) {
	t.Helper()
	dir := t.TempDir()
	l, err := TakeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "0.1")
	child.ExtraFiles = []*os.File{l.f}
	if err := child.Start(); err != nil {
		t.Skip(err)
	}
	defer child.Wait()
	if err := l.Release(tidy); err != nil {
		t.Fatal(err)
	}
	again, err := TakeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	if again.Clean != tidy {
		t.Errorf("tidy %v, clean %v", tidy, again.Clean)
	}
	if err := again.Release(true); err != nil {
		t.Fatal(err)
	}
}

// TestALockThatIsHeld names its holder.
func TestALockThatIsHeld(t *testing.T) {
	dir := t.TempDir()
	l, err := TakeLock(dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = TakeLock(dir)
	if inUse, ok := errors.AsType[*InUseError](err); !ok || inUse.PID != os.Getpid() || filepath.Clean(inUse.Path) != filepath.Clean(dir) {
		t.Errorf("got %v", err)
	}
	if err := l.Release(false); err != nil {
		t.Fatal(err)
	}
	unclean, err := TakeLock(dir)
	if err != nil || unclean.Clean {
		t.Errorf("after an end that was not tidy: %+v, %v", unclean, err)
	}
	if err := unclean.Release(true); err != nil {
		t.Fatal(err)
	}
}
