package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, dir string) (ca, server *authority) {
	t.Helper()
	ca, err := readAuthority(dir, authorityCert, authorityKey)
	if err != nil || ca == nil {
		t.Fatal(ca, err)
	}
	server, err = readAuthority(dir, serverCert, serverKey)
	if err != nil || server == nil {
		t.Fatal(server, err)
	}
	if _, err := tls.LoadX509KeyPair(filepath.Join(dir, serverCert), filepath.Join(dir, serverKey)); err != nil {
		t.Error(err)
	}
	return ca, server
}

func TestTLSInit(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "tls")
	said := mustRun(t, "tls", "init", "--dir", dir, "--hosts", "Vault.example.com,10.0.0.7,[fd00::7],vault.example.com.")
	for _, word := range []string{"update-ca-certificates", "update-ca-trust", "certutil", "security add-trusted-cert", "NODE_EXTRA_CA_CERTS", "keytool", "--tls-cert", "https://vault.example.com:8443"} {
		if !strings.Contains(said, word) {
			t.Errorf("does not say %q:\n%s", word, said)
		}
	}
	ca, server := load(t, dir)
	key, _ := ca.certificate.PublicKey.(*ecdsa.PublicKey)
	if key == nil || key.Curve != elliptic.P256() || !ca.certificate.IsCA || !ca.certificate.MaxPathLenZero || !ca.certificate.PermittedDNSDomainsCritical {
		t.Errorf("%+v", ca.certificate)
	}
	if len(server.certificate.DNSNames) != 1 || len(server.certificate.IPAddresses) != 2 || server.certificate.IsCA {
		t.Errorf("%v %v", server.certificate.DNSNames, server.certificate.IPAddresses)
	}
	for _, name := range []string{authorityKey, serverKey} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	// Again: the authority stays, and the certificate is another one for the same hosts.
	if said := mustRun(t, "tls", "init", "--dir", dir); !strings.Contains(said, "Renewed the certificate for vault.example.com, 10.0.0.7, fd00::7") {
		t.Error(said)
	}
	same, renewed := load(t, dir)
	if !same.certificate.Equal(ca.certificate) || renewed.certificate.Equal(server.certificate) || renewed.key.Equal(server.key) {
		t.Error("renewed wrongly")
	}
	run(t, "tls", "init", "--dir", dir, "--hosts", "bank.example.com").expect(t, 1, "cannot vouch for bank.example.com")
	run(t, "tls", "init", "--dir", dir, "--hosts", "10.0.0.8").expect(t, 1, "cannot vouch for 10.0.0.8")
	if after, kept := load(t, dir); !after.certificate.Equal(ca.certificate) || !kept.certificate.Equal(renewed.certificate) {
		t.Error("a refusal changed something")
	}
	for _, hosts := range []string{"*.example.com", "https://a", "a b", "ä.example", "a..b", ","} {
		run(t, "tls", "init", "--dir", t.TempDir(), "--hosts", hosts).expect(t, 2)
	}
	if err := os.Remove(filepath.Join(dir, authorityKey)); err != nil {
		t.Fatal(err)
	}
	run(t, "tls", "init", "--dir", dir).expect(t, 1, "go together")
}

// TestAuthorityIsConstrained: whatever it signs for other hosts, nobody believes.
func TestAuthorityIsConstrained(t *testing.T) {
	t.Parallel()
	for _, hosts := range [][]string{{"vault.example.com"}, {"10.0.0.7"}, {"localhost", "127.0.0.1", "::1"}} {
		h, err := splitHosts(hosts)
		if err != nil {
			t.Fatal(err)
		}
		ca, err := newAuthority(h, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range []string{"bank.example", "example.com", "10.0.0.8", "8.8.8.8", "2001:db8::1", "invalid"} {
			foreign, err := splitHosts([]string{other})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ca.issue(foreign, time.Now()); err == nil && other != "invalid" {
				t.Errorf("that of %v vouches for %s", hosts, other)
			}
		}
		made, err := ca.issue(h, time.Now().Add(authorityLife-30*day))
		if err != nil || made.certificate.NotAfter.After(ca.certificate.NotAfter) {
			t.Errorf("%v", err)
		}
		if _, err := ca.issue(h, time.Now().Add(authorityLife+day)); err == nil {
			t.Error("an authority that has ended vouches")
		}
	}
}

// TestTLSIsSpoken shakes hands with what was made.
func TestTLSIsSpoken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustRun(t, "tls", "init", "--dir", dir)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, serverCert), filepath.Join(dir, serverKey))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.WriteString(conn, "hello"); conn.Close() }()
		}
	}()
	ca, _ := load(t, dir)
	roots := x509.NewCertPool()
	roots.AddCert(ca.certificate)
	for _, name := range []string{"localhost", "127.0.0.1", "::1"} {
		conn, err := tls.Dial("tcp", listener.Addr().String(), &tls.Config{RootCAs: roots, ServerName: name})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		conn.Close()
	}
	if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
		conn.Close()
	}
}
