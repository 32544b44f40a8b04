package daemon

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

// newCertificate writes a certificate and its key to files.
func newCertificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}

// TestCertificateIsReadAgain renews a certificate under a server, in steps: its
// files are never both new at once.
func TestCertificateIsReadAgain(t *testing.T) {
	oldCert, oldKey := newCertificate(t)
	newCert, newKey := newCertificate(t)
	read := func(name string) []byte {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	was, will, willKey := read(oldCert), read(newCert), read(newKey)
	synctest.Test(t, func(t *testing.T) {
		c, err := loadCertificate(oldCert, oldKey)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		c.log = zerolog.New(&log)
		expect := func(when string, want []byte) {
			t.Helper()
			block, _ := pem.Decode(want)
			time.Sleep(certificatePatience)
			got, err := c.get(nil)
			if err != nil || !bytes.Equal(got.Certificate[0], block.Bytes) {
				parsed, _ := x509.ParseCertificate(got.Certificate[0])
				t.Errorf("%s: %v, serial %v", when, err, parsed.SerialNumber)
			}
		}
		expect("untouched", was)
		if err := os.WriteFile(oldCert, will, 0o600); err != nil {
			t.Fatal(err)
		}
		expect("with a new certificate and the old key", was)
		expect("and later", was)
		if n := strings.Count(log.String(), "not good"); n != 1 {
			t.Errorf("said %d times:\n%s", n, &log)
		}
		if err := os.WriteFile(oldKey, willKey, 0o600); err != nil {
			t.Fatal(err)
		}
		expect("with both", will)
		if err := errors.Join(os.Remove(oldCert), os.Remove(oldKey)); err != nil {
			t.Fatal(err)
		}
		expect("with neither", will)
		if err := errors.Join(os.WriteFile(oldCert, will, 0o600), os.WriteFile(oldKey, willKey, 0o600)); err != nil {
			t.Fatal(err)
		}
		expect("with both back", will)
	})
}
