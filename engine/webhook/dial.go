package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Resolver finds the addresses of a name. *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Dialer connects to an address. *net.Dialer is one.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

const (
	// perHost bounds how many addresses of a name are tried.
	perHost = 4
	// leastDial is how long an address gets at least, whatever else waits.
	leastDial = 2 * time.Second

	maxAnswerHeader = 32 << 10
)

// reach dials targets for one scheme. A name is resolved here, each address is
// judged, and what was judged is what is dialled: nobody resolves it a second
// time, so a name that leads elsewhere the second time leads nowhere.
type reach struct {
	allow    []netip.Prefix
	resolver Resolver
	dialer   Dialer
	plain    bool // http: only to targets that the operator has named
}

func (r *reach) dial(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := bounded(ctx)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := r.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var errs []error
	for i, addr := range addrs {
		if err := r.admit(host, addr); err != nil {
			errs = append(errs, err)
			continue
		}
		conn, err := r.dialOne(ctx, network, net.JoinHostPort(addr.Unmap().String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		errs = append(errs, told(host, err))
	}
	return nil, errors.Join(once(errs)...)
}

// bounded gives a dial the time of an attempt. The transport takes away the
// deadline of the request it dials for, since another may use the connection.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, patience)
}

// resolve returns the addresses of a host, at least one.
func (r *reach) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	addrs, err := r.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, unresolved(host, err)
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%s has no address", host)
	}
	return addrs[:min(len(addrs), perHost)], nil
}

// admit is nil if what host leads to may be delivered to.
func (r *reach) admit(host string, addr netip.Addr) error {
	allowed, err := judge(addr, r.allow)
	if e, ok := errors.AsType[*refusal](err); ok {
		return e.of(host)
	}
	if err == nil && r.plain && !allowed {
		err = fmt.Errorf("%w: http is for targets that the operator has allowed, and %s is none; use https", ErrTarget, host)
	}
	return err
}

// dialOne leaves the addresses that follow their share of the time there is.
func (r *reach) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if end, ok := ctx.Deadline(); ok && left > 1 {
		share := max(time.Until(end)/time.Duration(left), leastDial)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share)
		defer cancel()
	}
	return r.dialer.DialContext(ctx, network, address)
}

// client speaks HTTP to targets: HTTP/1.1 without redirects, cookies or
// compression, and without the proxies of the environment.
type client struct {
	https, http *http.Client
	literal     func(host, scheme string) error // with a proxy: all that can be judged here
}

func newClient(o Options) *client {
	secure := &reach{allow: o.Allow, resolver: o.Resolver, dialer: o.Dialer}
	plain := &reach{allow: o.Allow, resolver: o.Resolver, dialer: o.Dialer, plain: true}
	c := &client{}
	if o.Proxy == nil {
		c.https, c.http = newHTTP(o, secure.dial), newHTTP(o, plain.dial)
		return c
	}
	// The proxy resolves and dials, and the operator who named it answers for
	// it. What is an address already is still judged, and what is none cannot be
	// known to be allowed, so it takes TLS.
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := bounded(ctx)
		defer cancel()
		return o.Dialer.DialContext(ctx, network, address)
	}
	c.https, c.http = newHTTP(o, dial), newHTTP(o, dial)
	c.literal = func(host, scheme string) error {
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil && scheme == "http":
			return fmt.Errorf("%w: through a proxy, http is for addresses that the operator has allowed; use https", ErrTarget)
		case err != nil:
			return nil
		case scheme == "http":
			return plain.admit(host, addr)
		}
		return secure.admit(host, addr)
	}
	return c
}

func newHTTP(o Options, dial func(context.Context, string, string) (net.Conn, error)) *http.Client {
	t := &http.Transport{
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    patience, // for the same reason as bounded
		DisableCompression:     true,
		MaxIdleConnsPerHost:    2,
		MaxIdleConns:           256,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxAnswerHeader,
	}
	if o.TLS != nil {
		t.TLSClientConfig = o.TLS.Clone()
	}
	if o.Proxy != nil {
		t.Proxy = http.ProxyURL(o.Proxy)
	}
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do sends a request to a target.
func (c *client) do(r *http.Request) (*http.Response, error) {
	if c.literal != nil {
		if err := c.literal(r.URL.Hostname(), r.URL.Scheme); err != nil {
			return nil, err
		}
	}
	speaks := c.http
	if r.URL.Scheme == "https" {
		speaks = c.https
	}
	answer, err := speaks.Do(r)
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = told(r.URL.Hostname(), e.Err) // the URL may hold what is nobody's business
	}
	return answer, err
}

func (c *client) close() {
	c.https.CloseIdleConnections()
	c.http.CloseIdleConnections()
}
