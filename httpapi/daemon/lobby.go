package daemon

import (
	"container/list"
	"net"
	"net/http"
	"sync"
)

// lobby has the connections of a listener. When there are as many as may be, one
// that waits is closed for one that comes: that which has waited longest for its
// next request, or else, for its first. Only if none waits is who comes turned
// away, at once.
type lobby struct {
	most int // connections; 0: any number
	idle *idlers

	mu    sync.Mutex // before that of idle
	open  int
	fresh *list.List // of *guest that sent no request yet, the longest waiting first
}

func newLobby(most int) *lobby {
	return &lobby{most: most, idle: newIdlers(idleEach, idleAll), fresh: list.New()}
}

// guest is a connection of a lobby, as it was accepted. It keeps what else a
// *net.TCPConn can do.
type guest struct {
	*net.TCPConn
	lobby *lobby
	fresh *list.Element // nil: it has sent a request
	once  sync.Once
}

// enter takes a connection in; nil: there was no room, and it is closed.
func (l *lobby) enter(conn *net.TCPConn) *guest {
	g := &guest{TCPConn: conn, lobby: l}
	for !l.admit(g) {
		waits := l.longest()
		if waits == nil {
			conn.Close()
			return nil
		}
		waits.Close() // makes room
	}
	return g
}

func (l *lobby) admit(g *guest) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.most > 0 && l.open >= l.most {
		return false
	}
	l.open++
	g.fresh = l.fresh.PushBack(g)
	return true
}

// longest returns the connection that is to make room; nil: none. It is closed as
// it was accepted, for to take leave by TLS may take long.
func (l *lobby) longest() *guest {
	if conn := l.idle.longest(); conn != nil {
		return guestOf(conn)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := l.fresh.Front(); first != nil {
		return first.Value.(*guest)
	}
	return nil
}

// Close is called for each connection, by whoever is done with it, once or more.
func (g *guest) Close() error {
	g.once.Do(func() {
		g.lobby.mu.Lock()
		defer g.lobby.mu.Unlock()
		g.lobby.open--
		g.lobby.served(g)
	})
	return g.TCPConn.Close()
}

// served notes that a connection does not wait for its first request any more.
// Called under mu.
func (l *lobby) served(g *guest) {
	if g.fresh != nil {
		l.fresh.Remove(g.fresh)
		g.fresh = nil
	}
}

// state is a ConnState of http.Server.
func (l *lobby) state(conn net.Conn, state http.ConnState) {
	if g := guestOf(conn); g != nil && state == http.StateActive {
		l.mu.Lock()
		l.served(g)
		l.mu.Unlock()
	}
	l.idle.state(conn, state)
}

// guestOf returns the connection as it was accepted; nil for one of no lobby.
func guestOf(conn net.Conn) *guest {
	if c, ok := conn.(interface{ NetConn() net.Conn }); ok { // over TLS
		conn = c.NetConn()
	}
	switch c := conn.(type) {
	case *plainConn:
		return c.guest
	case *guest:
		return c
	}
	return nil
}
