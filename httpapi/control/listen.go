package control

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"strongroom/httpapi/datadir"
)

// Listen makes the control socket of a data directory, in place of the
// one that a killed server left. Only the holder of the directory's lock may
// call it.
//
// The socket is made in a directory of its own and moved into place with its
// mode right, so that at no moment anybody else can connect.
func Listen(data string) (net.Listener, error) {
	path := filepath.Join(data, SocketName)
	if runtime.GOOS == "windows" {
		// There are no modes: the directory's permissions decide, as they
		// do for rows.db.
		os.Remove(path)
		return net.Listen("unix", path)
	}
	aside, err := os.MkdirTemp(data, datadir.SocketAside+"*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(aside)
	var listener *net.UnixListener
	err = withSocket(aside, "s", func(address string) (err error) {
		listener, err = net.ListenUnix("unix", &net.UnixAddr{Name: address, Net: "unix"})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	listener.SetUnlinkOnClose(false) // it would unlink the name made aside
	made := filepath.Join(aside, "s")
	if err := os.Chmod(made, 0o600); err != nil {
		listener.Close()
		return nil, err
	}
	if err := os.Rename(made, path); err != nil {
		listener.Close()
		return nil, err
	}
	return &ownListener{UnixListener: listener, path: path}, nil
}

// ownListener accepts the data directory's owner and root, and removes
// the socket when it is closed.
type ownListener struct {
	*net.UnixListener
	path string
}

func (l *ownListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if sameUser(conn) {
			return conn, nil
		}
		conn.Close()
	}
}

func (l *ownListener) Close() error {
	os.Remove(l.path)
	return l.UnixListener.Close()
}

// dial connects to the server of a data directory.
func dial(ctx context.Context, data string) (net.Conn, error) {
	var conn net.Conn
	err := withSocket(data, SocketName, func(address string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", address)
		return err
	})
	return conn, err
}

// socketLimit is how long the path of a unix socket may be, a byte for the
// terminating zero included.
const socketLimit = len(syscall.RawSockaddrUnix{}.Path)
