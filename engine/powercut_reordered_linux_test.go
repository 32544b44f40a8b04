package engine_test

import (
	"cmp"
	"flag"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

var (
	cuts      = flag.Int("cuts", 20, "how many power cuts TestReorderedPowerCuts makes")
	reordered = flag.Bool("reordered", false, "cut the power of a disk that reorders, drops and tears what was not flushed")
	refusing  = flag.Bool("refusing", false, "have that disk refuse some writes and flushes too, and go on")
	keepVault = flag.String("keep", "", "where to copy the vault to in which a power cut showed a fault")
)

const (
	cutDiskBytes = 96 << 20
	cutsPerVault = 40 // after so many the disk is made anew, so that verifying stays short
)

// cutBench is a disk that caches, with ext4 on it, and a process that uses a vault there.
type cutBench struct {
	t      *testing.T
	random *rand.Rand
	which  string // test that is the process
	empty  []byte // an image with an empty file system
	dir    string
	file   *fuseDisk
	disk   *cachingDisk
	log    loadLog
	kills  int
	shorts int // cuts before the vault was open and checked
	fails  int // processes that met a disk that refused something
}

func newCutBench(t *testing.T, seed uint64, which string) *cutBench {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts disks")
	}
	// What is mounted from here on is seen by this thread and the processes it starts
	// alone, and is gone with them. The thread is not given back.
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		t.Skipf("no name space of mounts can be had here: %v", err)
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	image := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, cutDiskBytes))
	out, err := exec.Command("mkfs.ext4", "-q", "-b", "4096", "-J", "size=4", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image).CombinedOutput()
	if err != nil {
		t.Skipf("no disk can be made here: %v\n%s", err, out)
	}
	b := &cutBench{t: t, random: rand.New(rand.NewPCG(seed, 0)), which: which, dir: filepath.Join(t.TempDir(), "disk")}
	must(t, os.Mkdir(b.dir, 0o700))
	b.empty, err = os.ReadFile(image)
	must(t, err)
	must(t, os.Remove(image))
	b.disk = newCachingDisk(b.empty)
	b.file = serveDisk(t, b.disk)
	t.Cleanup(func() { unix.Unmount(b.dir, unix.MNT_DETACH) })
	return b
}

// boot switches the power on and mounts the disk.
func (b *cutBench) boot() {
	b.t.Helper()
	b.disk.powerOn()
	device := b.file.attach(b.t)
	defer device.Close()
	if err := unix.Mount(device.Name(), b.dir, "ext4", 0, ""); err != nil {
		b.t.Fatalf("the file system does not mount, whatever the vault did: %v", err)
	}
}

// stop has the power go, if it has not, and unmounts the disk.
func (b *cutBench) stop() {
	b.t.Helper()
	b.disk.cutNow()
	b.disk.lose(b.random)
	for range 100 {
		err := unix.Unmount(b.dir, 0)
		if err == nil {
			return
		}
		if err != unix.EBUSY {
			b.t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.t.Fatal("the disk stays busy")
}

// use has a process open and change the vault until the power is off: then it is killed.
// Now and then it is killed before, or asked to end in order, and power is left for the
// next. It returns what was wrong with the vault.
//
// A disk that refused something is used again by the next process, until the vault does
// not open.
//
// The power goes while the vault is opened, at some write or flush later, or at an answer
// that was just given.
func (b *cutBench) use() (fault string) {
	var off <-chan struct{}
	when, end := b.random.IntN(6), b.random.IntN(6)
	if when == 0 {
		off = b.disk.cutAfter(1 + b.random.IntN(1<<(1+b.random.IntN(7))))
	}
	answers, killAt := 1+b.random.IntN(120), 1+b.random.IntN(100)
	p := startLoad(b.t, b.which, b.log.order(filepath.Join(b.dir, "main"), b.random.Uint64()))
	var stopped string
	opened := false
	for p.lines != nil {
		select {
		case <-off:
			off = nil
			p.cmd.Process.Kill()
		case s, ok := <-p.lines:
			if !ok {
				p.lines = nil
				break
			}
			b.log.note(s)
			if !b.disk.isOff() { // else it need not be the vault that failed
				fault, stopped = cmp.Or(fault, s.Fault), cmp.Or(stopped, s.Stopped)
			}
			if s.Opened != "" {
				opened = true
				if when > 0 {
					off = b.disk.cutAfter(1 + b.random.IntN(2500))
				}
				if *refusing && b.random.IntN(2) == 0 {
					b.disk.failAfter(1+b.random.IntN(400), 1+b.random.IntN(3))
				}
			}
			if s.Receipt == "" {
				continue
			}
			if answers--; answers == 0 && when > 2 {
				b.disk.cutNow()
			}
			if killAt--; killAt == 0 && end < 2 {
				b.kills++
				p.cmd.Process.Kill()
			} else if killAt == 0 && end == 2 {
				p.stdin.Close()
			}
		}
	}
	if b.disk.hasFailed() {
		// What ext4 does then is its own affair, and may end in a file system that
		// cannot be written: only what is there after the next cut counts.
		b.fails++
		if fault != "" || !opened {
			b.disk.cutNow()
		}
		return ""
	}
	switch {
	case fault != "":
	case stopped != "":
		fault = "a change was refused while there was power: " + stopped
	case !opened && !b.disk.isOff():
		fault = fmt.Sprintf("the process ended without a word: %v\n%s", p.err, p.other)
	}
	if !opened {
		b.shorts++
	}
	return fault
}

// cut is one power cut: use until then, what the cut leaves, and the next boot. It
// returns what was wrong with the vault when it was opened.
func (b *cutBench) cut() (fault string) {
	for !b.disk.isOff() && fault == "" {
		fault = b.use()
	}
	if fault != "" && *keepVault != "" {
		out, err := exec.Command("cp", "-a", filepath.Join(b.dir, "main"), *keepVault).CombinedOutput()
		b.t.Logf("copied to %s: %s %v", *keepVault, out, err)
	}
	b.stop()
	if fault == "" {
		b.boot()
	}
	return fault
}

// begin makes the disk and all that is known of it anew.
func (b *cutBench) begin() {
	b.disk.remake(b.empty)
	b.log.anew()
	b.boot()
}

// Whenever the power goes, on a disk with a cache of its own, everything acknowledged is
// there when it is back, nothing is half there that was not, and the vault verifies,
// bytes included. Cut follows cut on the same disk, and some meet the opening before.
func TestReorderedPowerCuts(t *testing.T) {
	if !*reordered {
		t.Skip("run with -reordered -cuts N: a cut takes a second or less")
	}
	eachSeed(t, *modelSeed, []uint64{1}, func(t *testing.T, seed uint64) {
		b := newCutBench(t, seed, "TestLoadWrittenBack")
		began := time.Now()
		for n := range *cuts {
			if n%cutsPerVault == 0 {
				b.begin()
			}
			fault := b.cut()
			if last := n%cutsPerVault == cutsPerVault-1 || n == *cuts-1; last && fault == "" {
				fault = b.log.reopened(t, filepath.Join(b.dir, "main"), b.which, b.random)
				b.stop()
			}
			if fault != "" {
				t.Fatalf("at cut %d of seed %d: %s", n, seed, fault)
			}
			if n%100 == 99 {
				t.Logf("%d cuts, %d acknowledged changes; %.2f s a cut", n+1, b.log.changes, time.Since(began).Seconds()/float64(n+1))
			}
		}
		t.Logf("%d cuts, %d of them before the vault was open, %d kills and %d refusals between; %d acknowledged changes; %v", *cuts, b.shorts, b.kills, b.fails, b.log.changes, b.disk)
		if b.log.changes == 0 {
			t.Error("nothing was acknowledged: the test says nothing")
		}
	})
}

// The same finds it when a vault does not sync: what it acknowledged is lost.
func TestReorderedPowerCutsFindAMissingSync(t *testing.T) {
	if !*reordered {
		t.Skip("run with -reordered")
	}
	const most = 40
	b := newCutBench(t, 1, "TestLoadWithoutSync")
	b.begin()
	for n := range most {
		if fault := b.cut(); fault != "" {
			t.Logf("found at cut %d (%v): %s", n, b.disk, fault)
			return
		}
	}
	b.stop()
	t.Errorf("%d changes were acknowledged and never synced, and none was missed in %d cuts", b.log.changes, most)
}

// TestLoadWithoutSync is TestLoad with calls to sync that do nothing and succeed.
func TestLoadWithoutSync(t *testing.T) {
	if os.Getenv(loadEnv) == "" {
		t.Skip("not asked for by another test")
	}
	statement := func(code uint16, k uint32) unix.SockFilter { return unix.SockFilter{Code: code, K: k} }
	filter := []unix.SockFilter{statement(unix.BPF_LD|unix.BPF_W|unix.BPF_ABS, 0)}
	for _, call := range []uint32{unix.SYS_FSYNC, unix.SYS_FDATASYNC, unix.SYS_SYNCFS} {
		skip := statement(unix.BPF_JMP|unix.BPF_JEQ|unix.BPF_K, call)
		skip.Jf = 1
		filter = append(filter, skip, statement(unix.BPF_RET, unix.SECCOMP_RET_ERRNO))
	}
	filter = append(filter, statement(unix.BPF_RET, unix.SECCOMP_RET_ALLOW))
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	runtime.LockOSThread()
	must(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	if _, _, no := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program))); no != 0 {
		t.Fatal(no)
	}
	load(t, writeBackAll)
}

// TestLoadWrittenBack is TestLoad on a machine that is short of memory: what was written
// and not synced goes to the disk at any time, some of it, in any order.
func TestLoadWrittenBack(t *testing.T) {
	if os.Getenv(loadEnv) == "" {
		t.Skip("not asked for by another test")
	}
	load(t, writeBackAll)
}

// writeBackAll has parts of the files below the vault written to the disk, again and again.
func writeBackAll(o loadOrder) {
	random := rand.New(rand.NewPCG(o.Seed, 1))
	for {
		filepath.WalkDir(o.Dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil && e.Type().IsRegular() && random.IntN(3) == 0 {
				writeBack(path, random)
			}
			return nil // it is gone
		})
		time.Sleep(time.Duration(random.Int64N(int64(10 * time.Millisecond))))
	}
}

// writeBack has some ranges of a file written to the disk, which is not told to flush.
func writeBack(path string, random *rand.Rand) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return
	}
	for range 1 + random.IntN(4) {
		unix.SyncFileRange(int(f.Fd()), random.Int64N(info.Size())&^4095, 1+random.Int64N(64<<10), unix.SYNC_FILE_RANGE_WRITE)
	}
}
