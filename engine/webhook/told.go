package webhook

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"syscall"
)

// What is told of an attempt that failed, is read by whoever may make webhooks.
// It says what is wrong with the target in the words of its URL: not which
// resolver was asked, where a name leads to inside, or through which proxy.

// refusal is an address that is not delivered to. It is ErrTarget.
type refusal struct {
	name string // that leads to the address; "": it stands in the URL itself
	addr netip.Addr
	why  string // what follows "is"
}

func (r *refusal) Error() string {
	if r.name != "" {
		return fmt.Sprintf("%v: %s leads to an address that is %s", ErrTarget, r.name, r.why)
	}
	return fmt.Sprintf("%v: %s is %s", ErrTarget, r.addr, r.why)
}

func (r *refusal) Unwrap() error { return ErrTarget }

// of is a refusal of what a host leads to.
func (r *refusal) of(host string) *refusal {
	if _, err := netip.ParseAddr(host); err == nil {
		return r
	}
	return &refusal{host, r.addr, r.why}
}

// unresolved is what is told of a name that was not found.
func unresolved(host string, err error) error {
	e, ok := errors.AsType[*net.DNSError](err)
	switch {
	case ok && e.IsNotFound:
		return fmt.Errorf("%s has no address", host)
	case ok && e.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s could not be resolved in time", host)
	}
	return fmt.Errorf("%s could not be resolved", host)
}

// told is what is told of an error of the connection to a host.
func told(host string, err error) error {
	if errors.Is(err, ErrTarget) {
		return err
	}
	if e, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("the certificate is not valid for %s", e.Host)
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return unresolved(host, err)
	}
	e, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok:
		return err
	case e.Op == "proxyconnect":
		return fmt.Errorf("the proxy does not connect to %s", host)
	case e.Op == "remote error": // an alert of TLS
		return fmt.Errorf("remote error: %w", e.Err)
	}
	what := map[string]string{"dial": "no connection", "read": "the connection broke", "write": "the connection broke"}[e.Op]
	if what == "" {
		what = "the connection failed"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return fmt.Errorf("%s: %w", what, errno)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) || e.Timeout() {
		return errors.New(what + ": timed out")
	}
	return errors.New(what)
}

// once drops errors that say the same again.
func once(errs []error) []error {
	return slices.CompactFunc(errs, func(a, b error) bool { return a.Error() == b.Error() })
}
