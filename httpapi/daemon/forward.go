package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
)

// forwarder passes requests on to the servers that own the vaults.
type forwarder struct {
	hops      hops
	transport http.RoundTripper
	own       string // the URL that others pass requests on to; "": none
	// refuse answers what could not be passed on.
	refuse func(http.ResponseWriter, *http.Request, error)
}

const (
	peerDial = 3 * time.Second
	// peerIdle is less than a server keeps a connection that waits (idleTimeout), so
	// that it is not this end that finds it closed, with a request half sent.
	peerIdle = 45 * time.Second
	// peerContinue is how long the owner has to say whether it wants a body. It decides
	// by the header alone, so a client that asks first sends nothing in vain.
	peerContinue = 10 * time.Second
)

// newTransport keeps connections to the other servers. It follows no proxy: they are
// the cluster's own.
func newTransport() *http.Transport {
	return &http.Transport{
		DialContext:           (&net.Dialer{Timeout: peerDial}).DialContext,
		TLSHandshakeTimeout:   headerTimeout,
		MaxIdleConnsPerHost:   idleEach / 2,
		IdleConnTimeout:       peerIdle,
		ExpectContinueTimeout: peerContinue,
		DisableCompression:    true, // the bytes are passed on as they are
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		// No ResponseHeaderTimeout: a long poll and a verification take their time. A
		// request ends with the role of the member, and so with an owner that is gone.
	}
}

// errNoOwner is for who cannot be passed on.
func errNoOwner(why string) error {
	return &engine.UnavailableError{Reason: "owner", Err: errors.New(why)}
}

// pass passes a request on to the owner of a vault, streaming both ways. A client sees
// what the owner says, and nothing of this server.
func (f *forwarder) pass(w http.ResponseWriter, r *http.Request, m member, passedOn bool) {
	to, known := m.Owner()
	switch {
	case passedOn:
		f.refuse(w, r, errNoOwner("the request was passed on to this server, which does not own the vault"))
		return
	case !known || to == f.own:
		f.refuse(w, r, errNoOwner("no server owns the vault now, or the one that does has no --peer-url"))
		return
	case f.hops.key == nil:
		f.refuse(w, r, errNoOwner("requests are passed on only between servers that share a --store-key"))
		return
	}
	base, err := url.Parse(to)
	if err != nil {
		f.refuse(w, r, errNoOwner("the owner's URL cannot be read: "+err.Error()))
		return
	}
	r.Header.Set("X-Request-Id", httpapi.RequestID(r)) // the same in the logs of both
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() { // the owner may be gone without a word
		select {
		case <-m.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	proxy := &httputil.ReverseProxy{
		Transport: f.transport,
		Rewrite:   func(p *httputil.ProxyRequest) { f.rewrite(p, base) },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			f.refuse(w, r, unanswered(r, err))
		},
	}
	control := http.NewResponseController(w)
	passed := r.WithContext(ctx)
	if r.ContentLength != 0 {
		passed.Body = &patientBody{r.Body, control}
	}
	proxy.ServeHTTP(&patientWriter{w, control}, passed)
}

// rewrite makes the request the one that came, but for where it goes.
func (f *forwarder) rewrite(p *httputil.ProxyRequest, base *url.URL) {
	address := *p.In.URL // the query as it was, what is wrong with it included
	address.Scheme, address.Host = base.Scheme, base.Host
	p.Out.URL = &address
	p.Out.Host = p.In.Host
	// Who sends no more than this is refused at once: else the owner waits for the body,
	// to keep the connection.
	p.Out.Close = p.In.Close
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values := p.In.Header.Values(name); len(values) > 0 {
			p.Out.Header[name] = append([]string(nil), values...)
		}
	}
	client := p.In.RemoteAddr
	if host, _, err := net.SplitHostPort(client); err == nil {
		client = host
	}
	p.Out.Header.Add("X-Forwarded-For", client)
	p.Out.Header.Set(hopHeader, f.hops.sign(p.In))
}

// unanswered is what a client is told if the owner did not answer. A change that may
// have reached it may have been made.
func unanswered(r *http.Request, err error) error {
	if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" || r.Method == http.MethodGet || r.Method == http.MethodHead {
		return &engine.UnavailableError{Reason: "owner", Err: err}
	}
	return &engine.UnavailableError{Reason: engine.ReasonOutcomeUnknown, Err: err}
}

// patientWriter gives a client its time for each piece of an answer that is passed on,
// as httpapi does for its own.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

func (w *patientWriter) Write(b []byte) (int, error) {
	w.control.SetWriteDeadline(time.Now().Add(bodyTimeout))
	return w.ResponseWriter.Write(b)
}

// patientBody gives a client its time for each piece of a body, and a little more than
// the owner does, which is to say so.
type patientBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *patientBody) Read(p []byte) (int, error) {
	b.control.SetReadDeadline(time.Now().Add(bodyTimeout + peerContinue))
	n, err := b.ReadCloser.Read(p)
	if err != nil { // the answer may take longer, and the connection is listened to meanwhile
		b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// Unwrap is for http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
