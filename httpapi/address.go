package httpapi

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Address is by which names clients reach a server; see the [Options] of these names.
type Address struct {
	Prefix       string
	PublicURL    string // without a slash at its end
	AllowedHosts []string
}

// Base is what a path below the mount is appended to in a Location. A request
// that names no host, as HTTP/1.0 may, or one that is not to be believed, gets a
// path.
func (a Address) Base(r *http.Request) string {
	switch {
	case a.PublicURL != "" || !a.Believes(r.Host):
		return a.PublicURL + a.Prefix
	case r.TLS != nil:
		return "https://" + r.Host + a.Prefix
	}
	return "http://" + r.Host + a.Prefix
}

// Believes reports whether a Host is one of this server's names, by AllowedHosts or
// because it is this machine to itself.
func (a Address) Believes(host string) bool {
	name := host
	if at, port, err := net.SplitHostPort(host); err == nil {
		if strings.Trim(port, "0123456789") != "" {
			return false
		}
		name = at
	}
	name = strings.TrimSuffix(strings.TrimPrefix(name, "["), "]")
	if addr, err := netip.ParseAddr(name); err == nil && addr.Unmap().IsLoopback() && addr.Zone() == "" {
		return true
	}
	same := func(allowed string) bool { return strings.EqualFold(strings.Trim(allowed, "[]"), name) }
	return same("localhost") || name != "" && slices.ContainsFunc(a.AllowedHosts, same)
}
