package engine_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// What is spoken of FUSE here: its version, its calls, and how a file is opened so that
// the page cache does not stand between the loop device and us.
const (
	fuseMajor, fuseMinor = 7, 31
	fuseForget           = 2
	fuseGetAttr          = 3
	fuseSetAttr          = 4
	fuseOpen             = 14
	fuseRead             = 15
	fuseWrite            = 16
	fuseRelease          = 18
	fuseFsync            = 20
	fuseFlush            = 25
	fuseInit             = 26
	fuseInterrupt        = 36
	fuseDestroy          = 38
	fuseBatchForget      = 42

	fuseAsyncRead, fuseBigWrites, fuseMaxPages = 1 << 0, 1 << 5, 1 << 22
	fuseDirectIO                               = 1 << 0

	fuseInHeader, fuseOutHeader, fuseWriteIn = 40, 16, 40
	fuseMaxWrite                             = 1 << 20
)

// fuseDisk shows a disk as the one file of a file system in user space. It serves in this
// process, so nothing else here may wait for that file but in a system call: a page fault
// on it would stop the garbage collector, which would stop who answers it.
type fuseDisk struct {
	disk *cachingDisk
	path string
	fd   int
	gone sync.WaitGroup
}

// serveDisk mounts the file. The test is skipped where that is not allowed.
func serveDisk(t *testing.T, d *cachingDisk) *fuseDisk {
	t.Helper()
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("there is no FUSE here: %v", err)
	}
	f := &fuseDisk{disk: d, path: filepath.Join(t.TempDir(), "image"), fd: fd}
	must(t, os.WriteFile(f.path, nil, 0o600))
	options := fmt.Sprintf("fd=%d,rootmode=%o,user_id=0,group_id=0", fd, unix.S_IFREG)
	if err := unix.Mount("disk", f.path, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		unix.Close(fd)
		t.Skipf("FUSE cannot be mounted here: %v", err)
	}
	f.gone.Go(f.serve)
	t.Cleanup(func() {
		unix.Unmount(f.path, unix.MNT_DETACH)
		f.gone.Wait()
		unix.Close(fd)
	})
	return f
}

// serve answers until the file system is unmounted. One call is answered after the
// other: a flush covers what was answered before it, and no more.
func (f *fuseDisk) serve() {
	in := make([]byte, fuseMaxWrite+1<<16)
	out := make([]byte, fuseOutHeader+fuseMaxWrite)
	for {
		n, err := unix.Read(f.fd, in)
		switch {
		case errors.Is(err, unix.EINTR), errors.Is(err, unix.ENOENT), errors.Is(err, unix.EAGAIN):
			continue
		case err != nil || n < fuseInHeader:
			return // ENODEV: it is unmounted
		}
		op := binary.NativeEndian.Uint32(in[4:])
		if op == fuseForget || op == fuseBatchForget || op == fuseInterrupt {
			continue // these have no answer
		}
		size, err := f.answer(op, in[fuseInHeader:n], out[fuseOutHeader:])
		var no unix.Errno
		if errors.As(err, &no) {
			size = 0
		}
		binary.NativeEndian.PutUint32(out, uint32(fuseOutHeader+size))
		binary.NativeEndian.PutUint32(out[4:], -uint32(no))
		copy(out[8:16], in[8:16]) // which call it answers
		unix.Write(f.fd, out[:fuseOutHeader+size])
	}
}

// answer does one call, and returns how long the answer in out is.
func (f *fuseDisk) answer(op uint32, in, out []byte) (int, error) {
	native := binary.NativeEndian
	switch op {
	case fuseInit:
		clear(out[:64])
		native.PutUint32(out, fuseMajor)
		native.PutUint32(out[4:], fuseMinor)
		native.PutUint32(out[12:], fuseAsyncRead|fuseBigWrites|fuseMaxPages)
		native.PutUint16(out[16:], 64) // calls in the background
		native.PutUint16(out[18:], 48)
		native.PutUint32(out[20:], fuseMaxWrite)
		native.PutUint32(out[24:], 1)
		native.PutUint16(out[28:], fuseMaxWrite/4096)
		return 64, nil
	case fuseGetAttr, fuseSetAttr:
		clear(out[:104])
		attr := out[16:]
		native.PutUint64(attr, 1) // inode
		native.PutUint64(attr[8:], uint64(len(f.disk.now)))
		native.PutUint64(attr[16:], uint64(len(f.disk.now)/512))
		native.PutUint32(attr[60:], unix.S_IFREG|0o600)
		native.PutUint32(attr[64:], 1) // links
		native.PutUint32(attr[80:], 4096)
		return 104, nil
	case fuseOpen:
		clear(out[:16])
		f.disk.mu.Lock()
		native.PutUint64(out, f.disk.boot)
		f.disk.mu.Unlock()
		native.PutUint32(out[8:], fuseDirectIO)
		return 16, nil
	case fuseRead:
		size := min(int(native.Uint32(in[16:])), fuseMaxWrite)
		return f.disk.read(out[:size], int64(native.Uint64(in[8:]))), nil
	case fuseWrite:
		size := native.Uint32(in[16:])
		data := in[fuseWriteIn:][:size]
		if err := f.disk.write(native.Uint64(in), data, int64(native.Uint64(in[8:]))); err != nil {
			return 0, err
		}
		native.PutUint32(out, size)
		native.PutUint32(out[4:], 0)
		return 8, nil
	case fuseFsync:
		return 0, f.disk.flush(native.Uint64(in))
	case fuseFlush, fuseRelease, fuseDestroy:
		return 0, nil
	}
	return 0, unix.ENOSYS
}

// attach puts a loop device on the file, which lasts as long as something is mounted
// from it. It returns the device, to be closed after the mount.
func (f *fuseDisk) attach(t *testing.T) *os.File {
	t.Helper()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no loop devices here: %v", err)
	}
	defer control.Close()
	image, err := unix.Open(f.path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(image)
	for {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			t.Skipf("no loop device is free: %v", err)
		}
		device, err := os.OpenFile(fmt.Sprint("/dev/loop", n), os.O_RDWR, 0)
		if err != nil {
			t.Skipf("no loop device can be opened: %v", err)
		}
		config := unix.LoopConfig{Fd: uint32(image), Info: unix.LoopInfo64{Flags: unix.LO_FLAGS_AUTOCLEAR}}
		err = unix.IoctlLoopConfigure(int(device.Fd()), &config)
		if err == nil {
			return device
		}
		device.Close()
		if !errors.Is(err, unix.EBUSY) { // somebody else took it first
			t.Fatal(err)
		}
	}
}
