package store

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestNetworkFileSystemsAreKnownByName(t *testing.T) {
	for magic, want := range map[uint32]string{
		unix.NFS_SUPER_MAGIC: "nfs", 0x517b: "smb", 0xfe534d42: "smb", 0xff534d42: "smb", 0x5346414f: "afs",
		0x6b414653: "afs", 0x00c36400: "ceph", 0x73757245: "coda", 0x564c: "ncp", 0x01021997: "9p",
		0x65735546: "fuse", 0x0bd00bd0: "lustre", 0x47504653: "gpfs",
		unix.EXT4_SUPER_MAGIC: "", unix.XFS_SUPER_MAGIC: "", unix.BTRFS_SUPER_MAGIC: "", unix.TMPFS_MAGIC: "",
		unix.OVERLAYFS_SUPER_MAGIC: "", 0x2fc12fc1: "", 0: "",
	} {
		if got := networkFSName(magic); got != want {
			t.Errorf("%#x is %q, want %q", magic, got, want)
		}
	}
}
