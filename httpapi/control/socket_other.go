//go:build !linux

package control

import (
	"fmt"
	"net"
	"path/filepath"
)

// withSocket calls use with the path of a socket in dir, which must
// fit into a socket address.
func withSocket(dir, name string, use func(path string) error) error {
	path := filepath.Join(dir, name)
	if len(path) >= socketLimit {
		return fmt.Errorf("the path of %s has %d bytes, more than the %d this system allows for a socket; name the data directory by a shorter path, such as a relative one",
			path, len(path), socketLimit-1)
	}
	return use(path)
}

// sameUser leaves the decision to the socket's mode.
func sameUser(*net.UnixConn) bool { return true }
