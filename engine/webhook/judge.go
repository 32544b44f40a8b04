package webhook

import (
	"errors"
	"net/netip"
	"slices"
)

// ErrTarget says that an address is not one that webhooks are delivered to.
var ErrTarget = errors.New("the target is refused")

// special are the ranges of addresses that are not the internet's: a webhook
// that leads there would let whoever may make webhooks reach what is behind the
// firewall. The registries are those of IANA, special-purpose addresses of IPv4
// and IPv6 (RFC 6890).
var special = []struct {
	prefix netip.Prefix
	class  string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "unspecified"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared by a carrier (CGNAT)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "for protocols"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "a 6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("255.255.255.255/32"), "broadcast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},

	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "of a local NAT64"},
	{netip.MustParsePrefix("2001::/32"), "of Teredo"},
	{netip.MustParsePrefix("2001:2::/48"), "for benchmarks"},
	{netip.MustParsePrefix("2001::/23"), "for protocols"},
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("2002::/16"), "of 6to4"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
	{netip.MustParsePrefix("fc00::/7"), "private"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// metadata are where clouds hand out the credentials of the machine they are
// asked from. No allow-list reaches them.
var metadata = []netip.Addr{
	netip.MustParseAddr("169.254.169.254"), // most of them
	netip.MustParseAddr("169.254.170.2"),   // AWS, containers
	netip.MustParseAddr("169.254.170.23"),  // AWS, pods
	netip.MustParseAddr("169.254.0.23"),    // Tencent
	netip.MustParseAddr("169.254.42.42"),   // Scaleway
	netip.MustParseAddr("100.100.100.200"), // Alibaba
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:ec2::23"),    // AWS, pods
	netip.MustParseAddr("fd20:ce::254"),    // Google
	netip.MustParseAddr("fd00:42::42"),     // Scaleway
	netip.MustParseAddr("fe80::a9fe:a9fe"), // OpenStack
}

var (
	globalIPv6 = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96")   // RFC 6052
	localNAT64 = netip.MustParsePrefix("64:ff9b:1::/48") // RFC 8215
	sixToFour  = netip.MustParsePrefix("2002::/16")      // RFC 3056
	compatible = netip.MustParsePrefix("::/96")          // RFC 4291, deprecated
)

// judge is nil if webhooks may be delivered to an address. allowed says whether
// the operator has named it, which is more than that the internet has it: only
// such a target may be spoken to without TLS.
func judge(addr netip.Addr, allow []netip.Prefix) (allowed bool, err error) {
	addr = addr.Unmap().WithZone("")
	inside := embedded(addr)
	isMetadata := func(a netip.Addr) bool { return slices.Contains(metadata, a) }
	if isMetadata(addr) || slices.ContainsFunc(inside, isMetadata) {
		return false, &refusal{addr: addr, why: "where a cloud keeps this machine's credentials"}
	}
	named := func(p netip.Prefix) bool { return p.Contains(addr) }
	if slices.ContainsFunc(allow, named) {
		return true, nil
	}
	if nat64.Contains(addr) { // stands for an address of IPv4, which counts
		return judge(inside[0], allow)
	}
	if class := classOf(addr); class != "" {
		return false, &refusal{addr: addr, why: class + "; the operator can allow it with --webhook-allow"}
	}
	return false, nil
}

// classOf is "" for an address of the internet.
func classOf(addr netip.Addr) string {
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return s.class
		}
	}
	if !addr.IsValid() || addr.Is6() && !globalIPv6.Contains(addr) {
		return "reserved"
	}
	return ""
}

// embedded are the addresses of IPv4 that an address of IPv6 may lead to, if it
// leads to any. Where a local NAT64 has them depends on the length of its prefix,
// which only who runs it knows (RFC 6052, 2.2).
func embedded(addr netip.Addr) []netip.Addr {
	b := addr.As16()
	v4 := func(i, j, k, l int) netip.Addr { return netip.AddrFrom4([4]byte{b[i], b[j], b[k], b[l]}) }
	switch {
	case !addr.Is6():
		return nil
	case nat64.Contains(addr), compatible.Contains(addr):
		return []netip.Addr{v4(12, 13, 14, 15)}
	case localNAT64.Contains(addr):
		return []netip.Addr{v4(12, 13, 14, 15), v4(9, 10, 11, 12), v4(7, 9, 10, 11), v4(6, 7, 9, 10)}
	case sixToFour.Contains(addr):
		return []netip.Addr{v4(2, 3, 4, 5)}
	}
	return nil
}
