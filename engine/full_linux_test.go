package engine_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"strongroom/engine"
)

// A disk that is full to the last byte, the reserve gone too, fails commits in the
// middle. Each is refused for lack of space, reading goes on, nothing
// acknowledged is lost, and writing resumes by itself.
func TestADiskFullToTheLastByte(t *testing.T) {
	for name, mount := range map[string]func(t *testing.T) string{
		"ext4": func(t *testing.T) string { return mountDisk(t, "").dir },
		"tmpfs": func(t *testing.T) string {
			if os.Geteuid() != 0 {
				t.Skip("only root mounts disks")
			}
			dir := t.TempDir()
			if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=48M", "tmpfs", dir).CombinedOutput(); err != nil {
				t.Skipf("no disk can be made here: %v\n%s", err, out)
			}
			t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
			return dir
		},
	} {
		t.Run(name, func(t *testing.T) {
			disk := mount(t)
			v, doc := paged(t, filepath.Join(disk, "main"))
			defer v.Close()
			ballast := filepath.Join(disk, "ballast")
			rounds := 3
			if testing.Short() {
				rounds = 1
			}
			for round := range rounds {
				fillUp(t, ballast)
				refused, landed := 0, 0
				for n := 0; refused < 5 && n < 5_000; n++ {
					name := strings.Repeat("long ", 100)
					if n%2 == 0 {
						name = "short"
					}
					switch _, _, err := v.UpdateDocument(t.Context(), engine.Operator(), doc, engine.Condition{}, engine.DocumentPatch{Description: &name}); {
					case errors.Is(err, engine.ErrNoSpace):
						refused++
					case err != nil:
						t.Fatalf("round %d: %v", round, err)
					default:
						landed++
					}
				}
				if refused == 0 {
					t.Errorf("round %d: %d changes landed on a full disk", round, landed)
				}
				if _, err := v.Document(t.Context(), doc); err != nil {
					t.Errorf("round %d: reading: %v", round, err)
				}
				if err := os.Remove(ballast); err != nil {
					t.Fatal(err)
				}
				name := "space is back"
				if _, _, err := v.UpdateDocument(t.Context(), engine.Operator(), doc, engine.Condition{}, engine.DocumentPatch{Name: &name}); err != nil {
					t.Fatalf("round %d, with space: %v", round, err)
				}
				report, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true})
				if err != nil || len(report.Findings) > 0 {
					t.Errorf("round %d: %v, %v", round, report.Findings, err)
				}
			}
		})
	}
}

// TestStagingKeepsTheReserve holds that an upload is refused when it comes to the
// reserve, not when the disk is full.
func TestStagingKeepsTheReserve(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root mounts disks")
	}
	disk := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "size=64M", "tmpfs", disk).CombinedOutput(); err != nil {
		t.Skipf("no disk can be made here: %v\n%s", err, out)
	}
	t.Cleanup(func() { exec.Command("umount", "-l", disk).Run() })
	v, _ := paged(t, filepath.Join(disk, "main"))
	dir := filepath.Join(disk, "main")
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	const reserve = 24 << 20
	v, err := engine.Open(dir, engine.Options{Name: "main", ReserveBytes: reserve})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	least := uint64(1 << 62)
	watch := readerFunc(func(p []byte) (int, error) {
		var s syscall.Statfs_t
		if err := syscall.Statfs(disk, &s); err != nil {
			return 0, err
		}
		least = min(least, s.Bavail*uint64(s.Bsize))
		return len(p), nil // without an end
	})
	if _, err := v.Stage(t.Context(), watch, 0); !errors.Is(err, engine.ErrNoSpace) {
		t.Error(err)
	}
	if least < reserve-4<<20 {
		t.Errorf("%d bytes were free at the end, of a reserve of %d", least, reserve)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "blobs", "staging")); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// fillUp writes until not a byte more goes in.
func fillUp(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10} {
		for chunk := make([]byte, size); err == nil; {
			_, err = f.Write(chunk)
		}
		err = nil
	}
	if err := f.Sync(); err != nil && !errors.Is(err, os.ErrInvalid) {
		t.Log(err)
	}
}
