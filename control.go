package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// The control socket is the way of the other commands into vaults that a
// server holds open: the HTTP API on a unix socket in the data directory,
// where the caller is the operator and needs no key. Who may connect is
// decided by the file's mode, 0600, and on Linux by the process's user as
// well: the same persons who could read the vault's files.

const (
	controlName = "control.sock"
	// vaultHeader names the vault a request to the control socket is about.
	vaultHeader = "X-Strongroom-Vault"
)

// control serves the API to the operator.
type control struct {
	vaults map[string]*engine.Vault
	api    *httpapi.Server
	own    *http.ServeMux // routes that no other listener has
	log    zerolog.Logger
	// running ends when stop is called.
	running context.Context
	stop    context.CancelFunc
}

// The routes that the control socket alone has: they are about files of this
// machine.
const (
	controlBackup = "/control/backup"
	controlDoctor = "/control/doctor"
)

// newControl serves the vaults with the server's own options, but for who asks.
func newControl(vaults map[string]*engine.Vault, o httpapi.Options) *control {
	o.Authenticate = func(r *http.Request) (*engine.Vault, engine.Actor, error) {
		return vaults[r.Header.Get(vaultHeader)], engine.Operator(), nil
	}
	c := &control{vaults: vaults, api: httpapi.New(vaults, o), own: http.NewServeMux(), log: o.Logger}
	c.running, c.stop = context.WithCancel(context.Background())
	c.own.HandleFunc("POST "+controlBackup, c.backup)
	c.own.HandleFunc("GET "+controlDoctor, c.doctor)
	return c
}

// Stop ends what the control socket alone does, and tells the API to hurry.
func (c *control) Stop() {
	c.stop()
	c.api.Stop()
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(apiError{Code: code, Message: message})
}

// ServeHTTP answers 421 Misdirected Request about a vault that is not among
// those served, so that the caller can look for it at rest.
func (c *control) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Header.Get(vaultHeader)
	if _, served := c.vaults[name]; !served {
		refuse(w, http.StatusMisdirectedRequest, "NOT_FOUND", fmt.Sprintf("no vault %q is served", name))
		return
	}
	if strings.HasPrefix(r.URL.Path, "/control/") {
		c.own.ServeHTTP(w, r)
		return
	}
	c.api.ServeHTTP(w, r)
}

// listenControl makes the control socket of a data directory, in place of the
// one that a killed server left. Only the holder of the directory's lock may
// call it.
//
// The socket is made in a directory of its own and moved into place with its
// mode right, so that at no moment anybody else can connect.
func listenControl(data string) (net.Listener, error) {
	path := filepath.Join(data, controlName)
	if runtime.GOOS == "windows" {
		// There are no modes: the directory's permissions decide, as they
		// do for vault.db.
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
	return &controlListener{UnixListener: listener, path: path}, nil
}

// controlListener accepts the data directory's owner and root, and removes
// the socket when it is closed.
type controlListener struct {
	*net.UnixListener
	path string
}

func (l *controlListener) Accept() (net.Conn, error) {
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

func (l *controlListener) Close() error {
	os.Remove(l.path)
	return l.UnixListener.Close()
}

// dialControl connects to the server of a data directory.
func dialControl(ctx context.Context, data string) (net.Conn, error) {
	var conn net.Conn
	err := withSocket(data, controlName, func(address string) (err error) {
		conn, err = new(net.Dialer).DialContext(ctx, "unix", address)
		return err
	})
	return conn, err
}

// socketLimit is how long the path of a unix socket may be, a byte for the
// terminating zero included.
const socketLimit = len(syscall.RawSockaddrUnix{}.Path)
