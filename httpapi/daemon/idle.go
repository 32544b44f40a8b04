package daemon

import (
	"container/list"
	"net"
	"net/http"
	"sync"

	"strongroom/httpapi"
)

// How many connections may wait for their next request, from one address and in
// all. A file descriptor and some KiB are what each costs.
const (
	idleEach = 128
	idleAll  = 1024
)

// idlers are the connections that wait for their next request. Where there are
// too many, the one that has waited longest is closed: its client may at any time
// find it closed, and opens another.
type idlers struct {
	each, all int

	mu    sync.Mutex // leaf lock
	order *list.List // of *idler, the longest waiting first
	of    map[net.Conn]*list.Element
	from  map[string]*list.List // the same by address
}

type idler struct {
	conn    net.Conn
	address string
	mine    *list.Element // in from
}

func newIdlers(each, all int) *idlers {
	return &idlers{each: each, all: all, order: list.New(), of: map[net.Conn]*list.Element{}, from: map[string]*list.List{}}
}

// state is a ConnState of http.Server.
func (i *idlers) state(conn net.Conn, state http.ConnState) {
	if tooMany := i.note(conn, state == http.StateIdle); tooMany != nil {
		tooMany.Close()
	}
}

// note returns the connection that is to be closed; nil: none.
func (i *idlers) note(conn net.Conn, idle bool) (tooMany net.Conn) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if e := i.of[conn]; e != nil {
		i.drop(e)
	}
	if !idle {
		return nil
	}
	x := &idler{conn: conn, address: addressOf(conn)}
	if i.from[x.address] == nil {
		i.from[x.address] = list.New()
	}
	x.mine = i.from[x.address].PushBack(x)
	i.of[conn] = i.order.PushBack(x)
	var first *list.Element
	switch {
	case i.from[x.address].Len() > i.each:
		first = i.of[i.from[x.address].Front().Value.(*idler).conn]
	case i.order.Len() > i.all:
		first = i.order.Front()
	default:
		return nil
	}
	return i.drop(first)
}

// longest takes out the connection that has waited longest; nil: none waits.
func (i *idlers) longest() net.Conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	if first := i.order.Front(); first != nil {
		return i.drop(first)
	}
	return nil
}

func (i *idlers) drop(e *list.Element) net.Conn {
	x := i.order.Remove(e).(*idler)
	delete(i.of, x.conn)
	mine := i.from[x.address]
	if mine.Remove(x.mine); mine.Len() == 0 {
		delete(i.from, x.address)
	}
	return x.conn
}

// addressOf is whom a connection comes from.
func addressOf(conn net.Conn) string {
	if conn.RemoteAddr() == nil {
		return ""
	}
	return httpapi.Source(conn.RemoteAddr().String())
}
