package cli

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// webhookFlags are the flags about where webhooks may lead.
type webhookFlags struct {
	allow prefixesValue
	proxy proxyValue
}

func (f *flagSet) webhooks(o *webhookFlags) {
	f.set.Var(&o.allow, "webhook-allow", "`CIDR,…` of networks behind the firewall that webhooks are delivered to,\nby http too: 10.1.0.0/16,fd00::/8")
	f.set.Var(&o.proxy, "webhook-proxy", "`URL` of the proxy that webhooks are delivered through; without it, none\nis used, whatever the environment says")
}

// prefixesValue is a flag's list of networks.
type prefixesValue []netip.Prefix

func (p *prefixesValue) String() string {
	var list []string
	for _, prefix := range *p {
		list = append(list, prefix.String())
	}
	return strings.Join(list, ",")
}

func (p *prefixesValue) Set(s string) error {
	for text := range strings.SplitSeq(s, ",") {
		text = strings.TrimSpace(text)
		prefix, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil && addr.Zone() == "" {
			prefix, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || prefix.Addr().Is4In6() {
			return fmt.Errorf("%q is no network such as 10.1.0.0/16 or fd00::/8", text)
		}
		*p = append(*p, prefix.Masked())
	}
	return nil
}

// proxyValue is a flag's proxy.
type proxyValue struct{ url *url.URL }

func (p *proxyValue) String() string {
	if p.url == nil {
		return ""
	}
	return p.url.Redacted()
}

func (p *proxyValue) Set(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5"}, u.Scheme) {
		return errors.New("want the URL of a proxy such as http://proxy.example.com:3128, or https or socks5")
	}
	p.url = u
	return nil
}
