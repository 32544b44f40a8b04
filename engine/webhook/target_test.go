package webhook_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"strongroom/engine"
	"strongroom/engine/enginetest"
	"strongroom/engine/webhook"
)

// fickle gives another answer each time it is asked.
type fickle struct {
	mu      sync.Mutex
	answers [][]netip.Addr
	asked   int
}

func (f *fickle) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := f.answers[f.asked%len(f.answers)]
	f.asked++
	return answer, nil
}

// refuser is a network where nobody listens, which remembers who was asked for.
type refuser struct {
	mu      sync.Mutex
	dialled []string
}

func (r *refuser) DialContext(_ context.Context, _, address string) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dialled = append(r.dialled, address)
	return nil, fmt.Errorf("connection refused")
}

func (r *refuser) forget() (dialled []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	dialled, r.dialled = r.dialled, nil
	return dialled
}

// prober is a vault with one webhook, of which tests are sent.
type prober struct {
	*enginetest.Kit
	t  *testing.T
	d  *webhook.Deliverer
	id string
}

func newProber(t *testing.T, o webhook.Options) *prober {
	t.Helper()
	p := &prober{Kit: enginetest.New(t), t: t}
	w, _, _, err := p.CreateWebhook(t.Context(), p.Admin, engine.NewWebhook{URL: "https://example.com/"})
	if err != nil {
		t.Fatal(err)
	}
	p.id = w.ID
	if p.d, err = webhook.Open(p.Vault, p.Dir, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.d.Close() })
	return p
}

// to sends a test to a URL.
func (p *prober) to(url string) engine.Delivery {
	p.t.Helper()
	if _, _, err := p.UpdateWebhook(p.t.Context(), p.Admin, p.id, engine.Condition{}, engine.WebhookPatch{URL: &url}); err != nil {
		p.t.Fatal(err)
	}
	d, err := p.d.Test(p.t.Context(), p.id)
	if err != nil {
		p.t.Fatal(err)
	}
	return d
}

func addrs(list ...string) (out []netip.Addr) {
	for _, a := range list {
		out = append(out, netip.MustParseAddr(a))
	}
	return out
}

func prefixes(list ...string) (out []netip.Prefix) {
	for _, p := range list {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// Each class of addresses is refused, by name and as a literal, and never dialled;
// the next of the internet is dialled.
func TestTargetsByClass(t *testing.T) {
	const internet = ""
	wire, names := &refuser{}, &fickle{}
	p := newProber(t, webhook.Options{Resolver: names, Dialer: wire})
	for _, c := range []struct{ addr, class string }{
		{"127.0.0.1", "loopback"}, {"127.255.255.254", "loopback"}, {"::1", "loopback"}, {"::ffff:127.0.0.1", "loopback"}, {"128.0.0.1", internet},
		{"169.254.0.1", "link-local"}, {"169.254.255.255", "link-local"}, {"fe80::1", "link-local"}, {"febf::1", "link-local"}, {"::ffff:169.254.1.1", "link-local"},
		{"10.0.0.0", "private"}, {"10.255.255.255", "private"}, {"172.16.0.1", "private"}, {"172.31.255.255", "private"}, {"192.168.0.1", "private"},
		{"fc00::1", "private"}, {"fdff::1", "private"}, {"::ffff:10.0.0.1", "private"}, {"11.0.0.1", internet}, {"172.32.0.1", internet}, {"172.15.255.255", internet}, {"192.167.0.1", internet},
		{"100.64.0.1", "CGNAT"}, {"100.127.255.255", "CGNAT"}, {"100.63.255.255", internet}, {"100.128.0.1", internet},
		{"64:ff9b::10.0.0.1", "private"}, {"64:ff9b::127.0.0.1", "loopback"}, {"64:ff9b::169.254.169.254", "credentials"}, {"64:ff9b::8.8.8.8", internet},
		{"64:ff9b:1::8.8.8.8", "NAT64"}, {"64:ff9b:1:ffff::1", "NAT64"}, {"64:ff9b:1::169.254.169.254", "credentials"},
		{"2002:a00:1::1", "6to4"}, {"2002:808:808::1", "6to4"}, {"2002:a9fe:a9fe::1", "credentials"}, {"192.88.99.1", "6to4"},
		{"2001::1", "Teredo"}, {"2001:0:ffff::1", "Teredo"}, {"2001:20::1", "protocols"}, {"2001:2::1", "benchmarks"}, {"2001:200::1", internet},
		{"0.0.0.0", "unspecified"}, {"0.1.2.3", "unspecified"}, {"::", "unspecified"}, {"::8.8.8.8", "reserved"},
		{"224.0.0.1", "multicast"}, {"239.255.255.255", "multicast"}, {"ff02::1", "multicast"}, {"255.255.255.255", "broadcast"}, {"240.0.0.1", "reserved"},
		{"192.0.2.1", "documentation"}, {"198.51.100.1", "documentation"}, {"203.0.113.1", "documentation"}, {"2001:db8::1", "documentation"}, {"3fff::1", "documentation"},
		{"198.18.0.1", "benchmarks"}, {"198.19.255.255", "benchmarks"}, {"192.0.0.1", "protocols"},
		{"fec0::1", "site-local"}, {"100::1", "reserved"}, {"5f00::1", "reserved"}, {"4000::1", "reserved"}, {"2600::1", internet}, {"8.8.8.8", internet},
		{"169.254.169.254", "credentials"}, {"169.254.170.2", "credentials"}, {"169.254.170.23", "credentials"}, {"100.100.100.200", "credentials"}, {"168.63.129.16", "credentials"},
		{"192.0.0.192", "credentials"}, {"fd00:ec2::254", "credentials"}, {"fd00:ec2::23", "credentials"}, {"fd20:ce::254", "credentials"}, {"fe80::a9fe:a9fe", "credentials"}, {"::ffff:169.254.169.254", "credentials"},
	} {
		addr := netip.MustParseAddr(c.addr)
		names.answers = [][]netip.Addr{{addr}}
		want := net.JoinHostPort(addr.Unmap().String(), "443")
		for _, url := range []string{"https://example.com/", "https://" + net.JoinHostPort(c.addr, "443") + "/"} {
			d := p.to(url)
			dialled := wire.forget()
			switch {
			case c.class != internet && (len(dialled) > 0 || !strings.Contains(d.Error, c.class) || d.Status != "failed"):
				t.Errorf("%s: dialled %q, %q; want %s", url+" "+c.addr, dialled, d.Error, c.class)
			case c.class == internet && !slices.Equal(dialled, []string{want}):
				t.Errorf("%s: dialled %q, want %s; %q", url+" "+c.addr, dialled, want, d.Error)
			}
		}
	}
}

// The allow-list of the operator opens what it names and nothing else, for http
// too, and never where credentials are.
func TestTheAllowList(t *testing.T) {
	wire := &refuser{}
	p := newProber(t, webhook.Options{
		Resolver: &fickle{}, Dialer: wire,
		Allow: prefixes("10.1.0.0/16", "fd00:1::/32", "169.254.0.0/16", "100.64.0.0/10", "fd00:ec2::/32", "168.63.129.16/32", "8.8.8.8/32", "192.0.0.0/24", "64:ff9b:1::/48"),
	})
	for _, c := range []struct {
		url  string
		open bool
	}{
		{"https://10.1.2.3/", true}, {"http://10.1.2.3/", true}, {"http://10.1.2.3:8080/", true}, {"http://[::ffff:10.1.2.3]/", true},
		{"https://10.2.0.1/", false}, {"http://10.2.0.1/", false},
		{"http://[fd00:1::5]/", true}, {"http://[fd00:2::5]/", false},
		{"http://[64:ff9b::10.1.2.3]/", true}, {"http://[64:ff9b::10.2.0.1]/", false}, {"https://[64:ff9b::10.2.0.1]/", false},
		{"https://[64:ff9b:1::8.8.8.8]/", true}, {"https://[64:ff9b:1::169.254.169.254]/", false},
		{"https://[64:ff9b:1:a9fe:a9:fe00::]/", false}, {"https://[64:ff9b:1:a9:fe:a9fe::]/", false}, {"https://[64:ff9b:1:0:a9:fea9:fe00:0]/", false},
		{"http://1.1.1.1/", false}, {"https://1.1.1.1/", true}, {"http://8.8.8.8/", true},
		{"http://169.254.1.1/", true}, {"http://169.254.169.254/", false}, {"https://169.254.169.254/", false}, {"https://169.254.170.2/", false},
		{"https://100.100.100.200/", false}, {"https://100.100.100.201/", true}, {"https://[fd00:ec2::254]/", false}, {"https://[fd00:ec2::253]/", true},
		{"https://168.63.129.16/", false}, {"https://192.0.0.192/", false}, {"https://[64:ff9b::a9fe:a9fe]/", false}, {"https://[::ffff:169.254.169.254]/", false},
	} {
		d := p.to(c.url)
		if dialled := wire.forget(); (len(dialled) > 0) != c.open {
			t.Errorf("%s: dialled %q, %q", c.url, dialled, d.Error)
		}
		if !c.open && !strings.Contains(d.Error, "the target is refused") {
			t.Errorf("%s: %q", c.url, d.Error)
		}
	}
}

// A name that leads to the internet when it is looked at, and inside when it is
// dialled, leads nowhere: it is looked up once for each attempt, and what was
// judged is what is dialled. Of several addresses each is judged.
func TestNamesThatLeadElsewhereTheSecondTime(t *testing.T) {
	wire := &refuser{}
	names := &fickle{answers: [][]netip.Addr{addrs("8.8.8.8"), addrs("127.0.0.1"), addrs("10.0.0.1", "9.9.9.9", "fe80::1%eth0", "2600::1"), {}}}
	p := newProber(t, webhook.Options{Resolver: names, Dialer: wire})
	for i, want := range [][]string{{"8.8.8.8:443"}, nil, {"9.9.9.9:443", "[2600::1]:443"}, nil} {
		d := p.to("https://rebound.example/")
		if dialled := wire.forget(); !slices.Equal(dialled, want) || names.asked != i+1 || d.Status != "failed" {
			t.Errorf("attempt %d: dialled %q, asked %d times, %+v", i, dialled, names.asked, d)
		}
	}
}

// A secure receiver is trusted if its certificate is for the name of the URL.
func TestTLS(t *testing.T) {
	inBubble(t, func(k *kit) {
		r := &receiver{k: k, t: k.t, url: "https://example.com/in"}
		server := httptest.NewUnstartedServer(r)
		server.Listener.Close()
		server.Listener = k.net.listen("93.184.216.34:443")
		server.StartTLS()
		k.t.Cleanup(server.Close)
		roots := x509.NewCertPool()
		roots.AddCert(server.Certificate())
		k.net.names = map[string][]netip.Addr{"example.com": addrs("10.0.0.9", "93.184.216.34"), "other.test": addrs("93.184.216.34")}
		k.options.Allow, k.options.TLS = nil, &tls.Config{RootCAs: roots}
		k.start()
		k.hook(r, "document.*")
		w := k.hook(&receiver{k: k, t: k.t, url: "https://other.test/in"}, "document.*")
		seqs := k.make("one", "two")
		time.Sleep(time.Second)
		if !slices.Equal(r.seqs(), seqs) {
			t.Errorf("told %d, want %d", r.seqs(), seqs)
		}
		if d := k.deliveries(w)[0]; d.Status != "failed" || !strings.Contains(d.Error, "certificate") {
			t.Errorf("%+v", d)
		}
		k.halt()
		k.options.TLS = nil
		k.start()
		if d, err := k.d.Test(k.t.Context(), w.ID); err != nil || !strings.Contains(d.Error, "certificate") {
			t.Errorf("whom nobody vouches for: %+v, %v", d, err)
		}
	})
}

// The environment's proxies are not used; the operator's is, and judges names
// itself, but addresses are judged here.
func TestProxies(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("https_proxy", "http://127.0.0.1:1")
	wire := &refuser{}
	names := &fickle{answers: [][]netip.Addr{addrs("8.8.8.8")}}
	p := newProber(t, webhook.Options{Resolver: names, Dialer: wire})
	p.to("https://example.com/")
	if dialled := wire.forget(); !slices.Equal(dialled, []string{"8.8.8.8:443"}) {
		t.Errorf("dialled %q", dialled)
	}
	proxied := newProber(t, webhook.Options{Resolver: names, Dialer: wire, Proxy: &url.URL{Scheme: "http", Host: "10.0.0.5:3128"}, Allow: prefixes("10.9.0.0/16")})
	names.asked = 0
	for url, through := range map[string]bool{
		"https://example.com/": true, "https://8.8.8.8/": true, "http://10.9.0.1/": true,
		"http://example.com/": false, "http://8.8.8.8/": false, "https://127.0.0.1/": false, "https://169.254.169.254/": false, "https://10.0.0.5/": false,
	} {
		d := proxied.to(url)
		if dialled := wire.forget(); slices.Equal(dialled, []string{"10.0.0.5:3128"}) != through || names.asked > 0 {
			t.Errorf("%s: dialled %q, %q", url, dialled, d.Error)
		}
	}
}

// What an endpoint or a name says in an error is kept short and without what the
// URL has.
func TestErrorsTellNoSecrets(t *testing.T) {
	p := newProber(t, webhook.Options{Resolver: &fickle{answers: [][]netip.Addr{{}}}, Dialer: &refuser{}})
	for _, url := range []string{"https://example.com/?token=hush", "https://8.8.8.8/hush", "http://8.8.8.8/hush"} {
		if d := p.to(url); strings.Contains(d.Error, "hush") || d.Error == "" {
			t.Errorf("%s: %q", url, d.Error)
		}
	}
}

// leaky is a network whose own errors name what is inside.
type leaky struct{ dial, resolve error }

func (l *leaky) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	if l.resolve != nil {
		return nil, l.resolve
	}
	return addrs("8.8.8.8", "10.77.1.9"), nil
}

func (l *leaky) DialContext(context.Context, string, string) (net.Conn, error) { return nil, l.dial }

// TestErrorsTellNothingInside holds that what is told of a failure names no
// resolver, no proxy and no address but one that stands in the URL.
func TestErrorsTellNothingInside(t *testing.T) {
	inside := &net.TCPAddr{IP: net.IPv4(10, 77, 1, 9), Port: 443}
	refused := &net.OpError{Op: "dial", Net: "tcp", Source: inside, Addr: inside, Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	wire := &leaky{}
	direct := newProber(t, webhook.Options{Resolver: wire, Dialer: wire})
	proxied := newProber(t, webhook.Options{Resolver: wire, Dialer: wire, Proxy: &url.URL{Scheme: "http", Host: "10.77.1.9:3128"}})
	for _, c := range []struct {
		p             *prober
		dial, resolve error
		want          string
	}{
		{direct, refused, nil, "no connection: connection refused"},
		{direct, &net.OpError{Op: "read", Net: "tcp", Source: inside, Addr: inside, Err: os.NewSyscallError("read", syscall.ECONNRESET)}, nil, "the connection broke: connection reset"},
		{direct, &net.OpError{Op: "dial", Net: "tcp", Addr: inside, Err: os.ErrDeadlineExceeded}, nil, "timed out"},
		{direct, &net.OpError{Op: "dial", Net: "tcp", Addr: inside, Err: errors.New("10.77.1.9 is not there")}, nil, "no connection"},
		{direct, x509.HostnameError{Certificate: &x509.Certificate{DNSNames: []string{"db.77.inside"}}, Host: "hooks.example"}, nil, "not valid for hooks.example"},
		{direct, refused, nil, "hooks.example leads to an address that is private"},
		{direct, nil, &net.DNSError{Err: "no such host", Name: "hooks.example", Server: "10.77.0.53:53", IsNotFound: true}, "hooks.example has no address"},
		{direct, nil, &net.DNSError{Err: "server misbehaving", Name: "hooks.example.corp.77.inside", Server: "10.77.0.53:53"}, "hooks.example could not be resolved"},
		{direct, nil, &net.DNSError{Err: "i/o timeout", Name: "hooks.example", Server: "10.77.0.53:53", IsTimeout: true}, "in time"},
		{direct, nil, errors.New("read udp 10.77.1.9:5->10.77.0.53:53: nothing"), "could not be resolved"},
		{proxied, refused, nil, "the proxy does not connect"},
	} {
		wire.dial, wire.resolve = c.dial, c.resolve
		d := c.p.to("https://hooks.example/")
		if !strings.Contains(d.Error, c.want) || strings.Contains(d.Error, "77") {
			t.Errorf("%v, %v: %q, want %q", c.dial, c.resolve, d.Error, c.want)
		}
	}
}
