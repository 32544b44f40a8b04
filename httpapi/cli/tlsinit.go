package cli

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func (p *Program) tlsInitCommand() command {
	return command{
		name:    "tls init",
		summary: "make a certificate, and an authority of one's own that vouches for it",
		about: `Makes a certificate authority and a certificate for the server, in one directory, and
prints how to start the server with it and how machines and programs come to trust
it. The authority can vouch for the hosts it is made for, and for no others.

The same command again renews the certificate, which is good for 13 months, for the
hosts it has; the authority stays, for 10 years, and nobody has to trust anything
anew. A server that runs reads the new one by itself. Keys are readable by this user
alone. Keep ca.key off the server if you can: only a renewal needs it.`,
		example: `strongroom tls init --hosts localhost,127.0.0.1`,
		setup: func(f *flagSet) func(context.Context, []string) error {
			dir := f.set.String("dir", "./strongroom-tls", "`DIRECTORY` for ca.crt, ca.key, server.crt and server.key")
			var hosts hostsValue
			f.set.Var(&hosts, "hosts", "`HOST,...` by which clients reach the server, names and addresses; at\nfirst localhost and its addresses if not given, later those it has")
			return func(context.Context, []string) error { return p.tlsInit(*dir, hosts, time.Now()) }
		},
	}
}

func (p *Program) tlsInit(dir string, given []string, now time.Time) error {
	ca, err := readAuthority(dir, authorityCert, authorityKey)
	if err != nil {
		return err
	}
	if len(given) == 0 {
		given = []string{"localhost", "127.0.0.1", "::1"}
		if ca != nil {
			old, err := readAuthority(dir, serverCert, serverKey)
			if err != nil {
				return fmt.Errorf("%w; give --hosts", err)
			}
			if old == nil {
				return usagef("--hosts is missing: there is an authority in %s, and no certificate that says for which hosts", dir)
			}
			given = hostNames{old.certificate.DNSNames, old.certificate.IPAddresses}.all()
		}
	}
	hosts, err := splitHosts(given)
	if err != nil {
		return err
	}
	made := ca == nil
	if made {
		if ca, err = newAuthority(hosts, now); err != nil {
			return err
		}
	}
	server, err := ca.issue(hosts, now)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if made {
		if err := ca.write(dir, authorityCert, authorityKey); err != nil {
			return err
		}
	}
	if err := server.write(dir, serverCert, serverKey); err != nil {
		return err
	}
	if left := ca.certificate.NotAfter.Sub(now); left < certificateLife+30*day {
		fmt.Fprintf(p.Stderr, "the authority ends on %s: make another in a new --dir in time, since everybody has to trust that one\n", ca.certificate.NotAfter.UTC().Format(time.DateOnly))
	}
	return p.sayTrust(dir, hosts, ca, server, made)
}

// sayTrust prints what to do next.
func (p *Program) sayTrust(dir string, hosts hostNames, ca, server *authority, made bool) error {
	whole, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(whole, name) }
	host := hosts.all()[0]
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	what := "Renewed the certificate"
	if made {
		what = "Made an authority and a certificate"
	}
	_, err = fmt.Fprintf(p.Stdout, `%s for %s, good until %s.
The authority's fingerprint (SHA-256) is %x.

Start the server, and give its address to people and programs:
  strongroom serve --listen :8443 --tls-cert %q --tls-key %q --public-url https://%s:8443

`, what, strings.Join(hosts.all(), ", "), server.certificate.NotAfter.UTC().Format(time.DateOnly), sha256.Sum256(ca.certificate.Raw),
		in(serverCert), in(serverKey), host)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.Stdout, `To trust it, take ca.crt to each machine (never ca.key) and, there:
  Linux, Debian and Ubuntu   sudo cp ca.crt /usr/local/share/ca-certificates/strongroom.crt && sudo update-ca-certificates
  Linux, Fedora and Red Hat  sudo cp ca.crt /etc/pki/ca-trust/source/anchors/strongroom.crt && sudo update-ca-trust
  Windows, as administrator  certutil -addstore -f Root ca.crt
  macOS                      sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ca.crt
  Firefox                    Settings, Certificates, Authorities, Import
  Node                       NODE_EXTRA_CA_CERTS=%q node app.js
  Java                       keytool -importcert -noprompt -cacerts -storepass changeit -alias strongroom -file ca.crt
  curl                       curl --cacert %q https://%s:8443/v1/version
`, in(authorityCert), in(authorityCert), host)
	return err
}
