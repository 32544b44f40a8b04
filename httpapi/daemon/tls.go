package daemon

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// certificate is a TLS certificate that is read again when its files change, so
// that renewing one takes no restart.
type certificate struct {
	certFile, keyFile string
	log               zerolog.Logger

	mu     sync.Mutex // guards what follows
	loaded *tls.Certificate
	state  string    // of the files it was loaded from, or that could not be
	looked time.Time // when the files were last looked at
}

// certificatePatience is how long a look at the files is good for.
const certificatePatience = time.Second

// loadCertificate reads a certificate, which must be good now.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: zerolog.Nop(), looked: time.Now()}
	c.state = c.fileState()
	loaded, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", certFile, keyFile, err)
	}
	c.loaded = &loaded
	return c, nil
}

// config serves the certificate to clients of TLS 1.2 and later.
func (c *certificate) config() *tls.Config {
	return &tls.Config{GetCertificate: c.get, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
}

// get returns the certificate for a handshake. While the files hold none that is
// good, a half written one or one whose key is not there yet, it is the last that
// was.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < certificatePatience {
		return c.loaded, nil
	}
	c.looked = time.Now()
	state := c.fileState()
	if state == c.state {
		return c.loaded, nil
	}
	c.state = state
	loaded, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Error().Err(err).Msg("the new certificate is not good; the old one is served on")
		return c.loaded, nil
	}
	c.loaded = &loaded
	c.log.Info().Msg("the certificate was read again")
	return c.loaded, nil
}

// fileState differs when either file does.
func (c *certificate) fileState() string {
	state := ""
	for _, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			state += err.Error()
			continue
		}
		state += fmt.Sprintln(info.ModTime().UnixNano(), info.Size())
	}
	return state
}
