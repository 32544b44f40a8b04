package store

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// initialMmapSize is address space, not memory: 1 TiB where there are 64
// bits of it, else 1 MiB.
const initialMmapSize = 1 << (20 + 20*(^uint(0)>>63))

// NetworkFS names the network file system dir is on, or "". A file system in
// user space tells no more than that; most of those (sshfs, s3fs, rclone) are
// remote, so it counts.
func NetworkFS(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", err
	}
	return networkFSName(uint32(s.Type)), nil
}

func networkFSName(magic uint32) string {
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "nfs"
	case unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC:
		return "smb"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "afs"
	case unix.CEPH_SUPER_MAGIC:
		return "ceph"
	case unix.CODA_SUPER_MAGIC:
		return "coda"
	case unix.NCP_SUPER_MAGIC:
		return "ncp"
	case unix.V9FS_MAGIC:
		return "9p"
	case unix.FUSE_SUPER_MAGIC:
		return "fuse"
	case 0x0bd00bd0:
		return "lustre"
	case 0x47504653:
		return "gpfs"
	}
	return ""
}

// lockFile says whether somebody else holds it.
func lockFile(f *os.File) (held bool, err error) {
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// unlockFile ends a lock that closing the file would not, since memory is
// still mapped to it.
func unlockFile(f *os.File) { unix.Flock(int(f.Fd()), unix.LOCK_UN) }

// FileSystem names the kind of file system dir is on.
func FileSystem(dir string) (string, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return "", err
	}
	magic := uint32(s.Type)
	if name := networkFSName(magic); name != "" {
		return name, nil
	}
	switch magic {
	case unix.EXT4_SUPER_MAGIC: // of ext2 and ext3 too
		return "ext4", nil
	case unix.XFS_SUPER_MAGIC:
		return "xfs", nil
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs", nil
	case 0x2fc12fc1:
		return "zfs", nil
	case unix.F2FS_SUPER_MAGIC:
		return "f2fs", nil
	case unix.TMPFS_MAGIC:
		return "tmpfs", nil
	case unix.RAMFS_MAGIC:
		return "ramfs", nil
	case unix.OVERLAYFS_SUPER_MAGIC:
		return "overlay", nil
	case unix.MSDOS_SUPER_MAGIC:
		return "vfat", nil
	case unix.EXFAT_SUPER_MAGIC:
		return "exfat", nil
	}
	return fmt.Sprintf("of a kind not known here (%#x)", magic), nil
}
