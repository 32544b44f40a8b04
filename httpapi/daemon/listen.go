package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"

	"github.com/rs/zerolog"

	"strongroom/httpapi/control"
)

// open listens at every address, and says so.
func (o Options) open(d door, in rooms, log zerolog.Logger) ([]front, error) {
	public, err := d.listen(o.Listen)
	if err != nil {
		return nil, listenError(err)
	}
	fronts := []front{{listener: public, handler: in.public, hurry: in.hurry}}
	if o.Metrics != nil {
		metrics, err := d.listen(o.Metrics)
		if err != nil {
			return nil, errors.Join(metricsError(err), closeAll(fronts))
		}
		fronts = append(fronts, front{listener: metrics, handler: in.metrics, hurry: func() {}})
		fmt.Fprintf(o.Stderr, "metrics at %s://%s/metrics\n", d.scheme(), metrics.Addr())
	}
	socket, err := control.Listen(o.Place.Data)
	if err != nil {
		return nil, errors.Join(err, closeAll(fronts))
	}
	fronts = append(fronts, front{listener: socket, handler: in.operator, hurry: in.hurryOperator})
	log.Info().Strs("vaults", in.names).Str("version", o.Build.Version).Int("pid", os.Getpid()).Msg("serving")
	fmt.Fprintf(o.Stderr, "listening on %s://%s\n", d.scheme(), public.Addr())
	return fronts, nil
}

func closeAll(fronts []front) error {
	var errs []error
	for _, f := range fronts {
		errs = append(errs, f.listener.Close())
	}
	return errors.Join(errs...)
}

// canListen takes the addresses and lets them go again: one that cannot be had is
// found before a vault and a key are made. Nobody connects until the vaults are open.
func (o Options) canListen() error {
	public, err := net.ListenTCP("tcp", o.Listen)
	if err != nil {
		return listenError(err)
	}
	defer public.Close()
	if o.Metrics == nil {
		return nil
	}
	metrics, err := net.ListenTCP("tcp", o.Metrics)
	if err != nil {
		return metricsError(err)
	}
	return metrics.Close()
}

func listenError(err error) error {
	return fmt.Errorf("%w; give another --listen if the address is taken", err)
}

func metricsError(err error) error { return fmt.Errorf("--metrics-listen: %w", err) }

// door is how strangers come in.
type door struct {
	tls  *tls.Config // nil: none
	most int         // connections at each address; 0: any number
}

// newDoor reads the certificate, if there is to be one.
func newDoor(o Options, log zerolog.Logger) (door, error) {
	if o.TLSCert == "" {
		return door{most: o.MaxConnections}, nil
	}
	c, err := loadCertificate(o.TLSCert, o.TLSKey)
	if err != nil {
		return door{}, err
	}
	c.log = log
	return door{c.config(), o.MaxConnections}, nil
}

func (d door) scheme() string {
	if d.tls == nil {
		return "http"
	}
	return "https"
}

func (d door) listen(at *net.TCPAddr) (net.Listener, error) {
	listener, err := net.ListenTCP("tcp", at)
	if err != nil {
		return nil, err
	}
	if d.tls == nil {
		return plainListener{listener, newLobby(d.most)}, nil
	}
	return newSecureListener(listener, d.tls, d.most), nil
}

// plainListener takes connections of HTTP/1 without TLS.
type plainListener struct {
	*net.TCPListener
	lobby *lobby
}

func (l plainListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		if g := l.lobby.enter(conn); g != nil {
			return &plainConn{guest: g}, nil
		}
	}
}

// secureListener takes connections over TLS and hands them on when their
// handshake is over, for only then it is known what is spoken on them: HTTP/2,
// which net/http knows by the type of the connection, or HTTP/1, whose requests
// are looked at.
type secureListener struct {
	*net.TCPListener
	lobby  *lobby
	config *tls.Config
	begin  sync.Once
	ready  chan accepted
	closed chan struct{}
	close  sync.Once
}

type accepted struct {
	conn net.Conn
	err  error
}

func newSecureListener(l *net.TCPListener, config *tls.Config, most int) *secureListener {
	return &secureListener{TCPListener: l, lobby: newLobby(most), config: config, ready: make(chan accepted), closed: make(chan struct{})}
}

func (l *secureListener) Accept() (net.Conn, error) {
	l.begin.Do(func() { go l.run() })
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *secureListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.TCPListener.Close()
}

func (l *secureListener) run() {
	for {
		conn, err := l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // net/http waits a while and asks again
			l.hand(accepted{err: err})
		default:
			if g := l.lobby.enter(conn); g != nil {
				go func() { l.hand(accepted{conn: l.greet(g)}) }()
			}
		}
	}
}

func (l *secureListener) hand(a accepted) {
	select {
	case l.ready <- a:
	case <-l.closed:
		if a.conn != nil {
			a.conn.Close()
		}
	}
}

// greet shakes hands. A connection with which that fails is handed on as it is:
// net/http meets the same error, and says it.
func (l *secureListener) greet(conn net.Conn) net.Conn {
	secure := tls.Server(conn, l.config)
	ctx, cancel := context.WithTimeout(context.Background(), headerTimeout)
	defer cancel()
	if err := secure.HandshakeContext(ctx); err != nil || secure.ConnectionState().NegotiatedProtocol == "h2" {
		return secure
	}
	return &secureConn{Conn: secure}
}
