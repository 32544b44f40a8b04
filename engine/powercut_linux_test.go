package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"strongroom/audit"
	"strongroom/engine"

	"golang.org/x/sys/unix"
)

// disk is an ext4 file system in a file, whose power can be cut: it is told to
// stop at once and write nothing more, neither what waits in memory nor its
// journal (EXT4_IOC_SHUTDOWN). What the file holds then is what a disk without a
// cache of its own would.
type disk struct {
	t          *testing.T
	image, dir string
}

// mountDisk makes a disk, or takes a copy of an image; the test is skipped where
// that is not allowed.
func mountDisk(t *testing.T, image string) *disk {
	t.Helper()
	d := &disk{t: t, image: filepath.Join(t.TempDir(), "image"), dir: filepath.Join(t.TempDir(), "disk")}
	if os.Geteuid() != 0 {
		t.Skip("only root mounts disks")
	}
	do := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput(); err != nil {
			t.Skipf("no disk can be made here: %s %v: %v\n%s", name, args, err, out)
		}
	}
	if image == "" {
		do("truncate", "-s", "256M", d.image)
		do("mkfs.ext4", "-q", d.image)
	} else {
		do("cp", "--sparse=always", image, d.image)
	}
	if err := os.Mkdir(d.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	do("mount", "-o", "loop", d.image, d.dir)
	t.Cleanup(func() { exec.Command("umount", "-l", d.dir).Run() }) // its process may still have files of it open
	return d
}

// cut cuts the power.
func (d *disk) cut() error {
	const shutdown, noLogFlush = 0x8004587d, 2
	f, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush)
}

// acknowledged is what callers were told.
type acknowledged struct {
	mu       sync.Mutex
	receipts []audit.Receipt
	contents map[string]string // of documents, by id
	deleted  map[string]bool
	backup   audit.Head // the last backup that counts
	changes  int
	cutAt    int
	cut      func()
}

func (a *acknowledged) note(r audit.Receipt, fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.receipts = append(a.receipts, r)
	fn()
	if a.changes++; a.changes == a.cutAt {
		a.cut()
	}
}

// Whenever the power goes, everything acknowledged is there when it is back,
// the vault verifies, bytes included, and the last backup that counted, or one
// made since, can be restored. Cut follows cut on the same disk.
func TestPowerCuts(t *testing.T) {
	eachSeed(t, *modelSeed, []uint64{1}, testPowerCuts)
}

func testPowerCuts(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 0))
	a := &acknowledged{contents: map[string]string{}, deleted: map[string]bool{}}
	image := ""
	rounds := 6
	if testing.Short() {
		rounds = 2
	}
	for range rounds {
		d := mountDisk(t, image)
		image = d.image
		v, err := engine.Open(filepath.Join(d.dir, "main"), engine.Options{Name: "main", Create: true, ReserveBytes: -1})
		if err != nil {
			t.Fatal(err)
		}
		a.check(t, v, d)
		a.changes, a.cutAt = 0, 5+random.IntN(120)
		a.cut = func() {
			if err := d.cut(); err != nil {
				t.Skipf("the power cannot be cut here: %v", err)
			}
		}
		a.use(v, d)
		v.Close() // as far as it goes
	}
	d := mountDisk(t, image)
	v, err := engine.Open(filepath.Join(d.dir, "main"), engine.Options{ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	a.check(t, v, d)
	v.Close()
}

// use writes, deletes and backs up until nothing is answered any more.
func (a *acknowledged) use(v *engine.Vault, d *disk) {
	ctx := context.Background()
	user, r, err := v.CreateUser(ctx, engine.Operator(), engine.NewUser{Name: "Ada", Access: engine.AccessAdmin})
	if err != nil {
		return
	}
	a.note(r, func() {})
	var running sync.WaitGroup
	for w := range 4 {
		running.Go(func() {
			for n := 0; a.write(ctx, v, user.ID, w, n) == nil; n++ {
			}
		})
	}
	running.Go(func() {
		for {
			report, r, err := v.Backup(ctx, engine.Operator(), engine.BackupOptions{To: filepath.Join(d.dir, "backup")})
			if err != nil {
				return
			}
			a.note(r, func() { a.backup = report.Head })
		}
	})
	running.Wait()
}

func (a *acknowledged) write(ctx context.Context, v *engine.Vault, owner string, w, n int) error {
	text := fmt.Sprintf("%s: %d of %d", engine.NewID(), n, w)
	if n%4 == 0 {
		text = strings.Repeat(text, 5_000) // beyond what waits in memory
	}
	u, err := v.Stage(ctx, strings.NewReader(text), 0)
	if err != nil {
		return err
	}
	defer u.Discard()
	d, r, err := v.CreateDocument(ctx, engine.Operator(), engine.NewDocument{Name: "contract", OwnerID: owner}, u)
	if err != nil {
		return err
	}
	a.note(r, func() { a.contents[d.ID] = text })
	if n%3 != 0 {
		return nil
	}
	_, r, err = v.DeleteDocument(ctx, engine.Operator(), d.ID, engine.Condition{})
	a.mu.Lock()
	delete(a.contents, d.ID) // asked for: either is right until it is acknowledged
	a.mu.Unlock()
	if err == nil {
		a.note(r, func() { a.deleted[d.ID] = true })
	}
	return err
}

// check holds a vault to what was acknowledged.
func (a *acknowledged) check(t *testing.T, v *engine.Vault, d *disk) {
	t.Helper()
	for _, r := range a.receipts {
		if e, err := v.Entry(t.Context(), r.Seq); err != nil || e.Hash != r.Hash {
			t.Fatalf("entry %d is lost or another: %v", r.Seq, err)
		}
	}
	for doc, text := range a.contents {
		_, f, _, err := v.OpenContent(t.Context(), engine.Operator(), doc, 0)
		if err != nil {
			t.Fatalf("document %s is lost: %v", doc, err)
		}
		var b strings.Builder
		if _, err := f.(*os.File).WriteTo(&b); err != nil || b.String() != text {
			t.Errorf("document %s has %d bytes, want %d; %v", doc, b.Len(), len(text), err)
		}
		f.Close()
	}
	for doc := range a.deleted {
		if _, err := v.Document(t.Context(), doc); !errors.Is(err, engine.ErrDocumentDeleted) {
			t.Errorf("document %s is back: %v", doc, err)
		}
	}
	report, err := v.Verify(t.Context(), engine.VerifyOptions{Bytes: true})
	if err != nil || len(report.Findings) > 0 {
		t.Fatalf("after %d acknowledged changes: %v, %v", len(a.receipts), report.Findings, err)
	}
	t.Logf("%d acknowledged changes are there; %d entries verify", len(a.receipts), report.Entries)
	if a.backup.Seq > 0 {
		if b, err := engine.ReadBackup(filepath.Join(d.dir, "backup")); err != nil || b.Head.Seq < a.backup.Seq {
			t.Errorf("the backup is of entry %d, one of %d counted: %v", b.Head.Seq, a.backup.Seq, err)
		}
		restored(t, filepath.Join(d.dir, "backup"))
	}
}
