package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"strongroom/blobstore"
)

const (
	authorityLife   = 10 * 365 * day
	certificateLife = 397 * day // what browsers take at most, give or take a day
	backdated       = time.Hour // for clients whose clocks are behind
)

// authority is a certificate authority of one's own: it can vouch for the hosts it
// was made for, and for nothing else, so that who trusts it gives little away.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// The files of a directory that tls init keeps.
const (
	authorityCert, authorityKey = "ca.crt", "ca.key"
	serverCert, serverKey       = "server.crt", "server.key"
)

// hostNames are what a certificate is for.
type hostNames struct {
	names     []string
	addresses []net.IP
}

// splitHosts tells names from addresses, each once.
func splitHosts(hosts []string) (h hostNames, err error) {
	for _, host := range hosts {
		host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
		if ip := net.ParseIP(host); ip != nil {
			if !slices.ContainsFunc(h.addresses, ip.Equal) {
				h.addresses = append(h.addresses, ip)
			}
			continue
		}
		for label := range strings.SplitSeq(host, ".") {
			if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
				return h, usagef("--hosts %s: want names or addresses such as vault.example.com,10.0.0.7; a name in other letters is written as xn--…", host)
			}
		}
		if !slices.Contains(h.names, host) {
			h.names = append(h.names, host)
		}
	}
	return h, nil
}

func (h hostNames) all() (all []string) {
	all = append(all, h.names...)
	for _, ip := range h.addresses {
		all = append(all, ip.String())
	}
	return all
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// newAuthority makes an authority for these hosts. What is not named of a kind of
// name is not forbidden by a list of another kind, so that both kinds are in it.
func newAuthority(h hostNames, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Strongroom CA of " + h.all()[0], Organization: []string{"Strongroom"}},
		NotBefore: now.Add(-backdated), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: h.names,
	}
	if len(h.names) == 0 {
		template.PermittedDNSDomains = []string{"invalid"} // a name that nobody has: RFC 2606
	}
	for _, ip := range h.addresses {
		if four := ip.To4(); four != nil {
			ip = four
		}
		template.PermittedIPRanges = append(template.PermittedIPRanges, &net.IPNet{IP: ip, Mask: net.CIDRMask(len(ip)*8, len(ip)*8)})
	}
	if len(h.addresses) == 0 {
		template.ExcludedIPRanges = []*net.IPNet{{IP: net.IPv4zero.To4(), Mask: net.CIDRMask(0, 32)}, {IP: net.IPv6zero, Mask: net.CIDRMask(0, 128)}}
	}
	return signed(template, template, key, key)
}

func signed(template, parent *x509.Certificate, key, by *ecdsa.PrivateKey) (*authority, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return &authority{certificate, key}, err
}

// issue makes a certificate with a key of its own, which ends with the authority at
// the latest, and is looked at as a client will.
func (a *authority) issue(h hostNames, now time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	end := now.Add(certificateLife)
	if end.After(a.certificate.NotAfter) {
		end = a.certificate.NotAfter
	}
	made, err := signed(&x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: h.all()[0], Organization: []string{"Strongroom"}},
		NotBefore: now.Add(-backdated), NotAfter: end, DNSNames: h.names, IPAddresses: h.addresses,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, a.certificate, key, a.key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.certificate)
	for _, host := range h.all() {
		if _, err := made.certificate.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now}); err != nil {
			return nil, fmt.Errorf("the authority was made for other hosts, or has ended, and cannot vouch for %s: %w; give the --hosts it was made for, or make a new one in another --dir, which everybody has to trust again", host, err)
		}
	}
	return made, nil
}

// readAuthority reads what is there; nil if nothing is.
func readAuthority(dir, cert, key string) (*authority, error) {
	certText, err := os.ReadFile(filepath.Join(dir, cert))
	keyText, keyErr := os.ReadFile(filepath.Join(dir, key))
	if errors.Is(err, fs.ErrNotExist) && errors.Is(keyErr, fs.ErrNotExist) {
		return nil, nil
	}
	if err := errors.Join(err, keyErr); err != nil {
		return nil, fmt.Errorf("%w; %s and %s go together", err, cert, key)
	}
	certBlock, _ := pem.Decode(certText)
	keyBlock, _ := pem.Decode(keyText)
	if certBlock == nil || keyBlock == nil {
		return nil, fmt.Errorf("%s: %s or %s is not PEM; take it from a backup, or make a new authority in another --dir", dir, cert, key)
	}
	certificate, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, cert), err)
	}
	private, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(dir, key), err)
	}
	if !private.PublicKey.Equal(certificate.PublicKey) {
		return nil, fmt.Errorf("%s: %s is not the key of %s", dir, key, cert)
	}
	return &authority{certificate, private}, nil
}

// write keeps a certificate and its key, the key first and for this user alone: a
// server that reads them in between finds a pair that does not fit, and goes on with
// the one it has.
func (a *authority) write(dir, cert, key string) error {
	der, err := x509.MarshalECPrivateKey(a.key)
	if err != nil {
		return err
	}
	var private, public bytes.Buffer
	pem.Encode(&private, &pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	pem.Encode(&public, &pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
	if err := blobstore.WriteFile(filepath.Join(dir, key), private.Bytes()); err != nil {
		return err
	}
	if err := blobstore.WriteFile(filepath.Join(dir, cert), public.Bytes()); err != nil {
		return err
	}
	return os.Chmod(filepath.Join(dir, cert), 0o644)
}
