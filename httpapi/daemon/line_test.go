package daemon

import "net"

// line is a listener with one caller, within this process, where synctest sees
// them wait.
type line struct {
	calls  chan net.Conn
	closed chan struct{}
}

// newLine returns the listener and the caller's end.
func newLine() (*line, net.Conn) {
	ours, theirs := net.Pipe()
	l := &line{make(chan net.Conn, 1), make(chan struct{})}
	l.calls <- theirs
	return l, ours
}

func (l *line) Accept() (net.Conn, error) {
	select {
	case conn := <-l.calls:
		return conn, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *line) Close() error {
	close(l.closed)
	return nil
}

func (l *line) Addr() net.Addr { return &net.UnixAddr{Name: "line"} }
