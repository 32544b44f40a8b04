package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// operator is a line to one vault, with the actor operator at this end. What
// is at the other end makes no difference to a command: a running server,
// through its control socket, or the vault itself, opened at rest and served
// in process.
type operator struct {
	client *http.Client
	vault  string
	hangUp func() error
}

// operate opens a line to a vault. The caller closes it.
func operate(ctx context.Context, at datadir.Place) (*operator, error) {
	o := &operator{vault: at.Vault}
	o.connect(func(ctx context.Context) (net.Conn, error) { return dialControl(ctx, at.Data) })
	served, err := o.isServed(ctx)
	if served {
		return o, nil
	}
	// No server, or one that does not serve this vault. If that is not the
	// truth, the lock on the vault says so.
	o.client.CloseIdleConnections()
	v, openErr := datadir.Open(at)
	if errors.Is(openErr, engine.ErrVaultInUse) && err != nil {
		return nil, fmt.Errorf("%w, and no server answers at its control socket: %v", openErr, err)
	}
	if openErr != nil {
		return nil, openErr
	}
	o.atRest(v)
	return o, nil
}

// connect makes dial the way to the other end. Requests have no time limit of
// their own: verifying takes as long as it takes.
func (o *operator) connect(dial func(context.Context) (net.Conn, error)) {
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableCompression:  true,
		MaxIdleConnsPerHost: maxWorkers,
	}
	o.client = &http.Client{Transport: transport}
	o.hangUp = func() error { transport.CloseIdleConnections(); return nil }
}

// atRest serves v in process, to this end alone.
func (o *operator) atRest(v *engine.Vault) {
	pipes := newPipeListener()
	server := &http.Server{
		Handler: newControl(map[string]*engine.Vault{o.vault: v}, httpapi.Options{
			Build: buildInfo(),
			// Who has the vault's files needs no protection from large ones.
			MaxUpload: math.MaxInt64 >> 1,
		}),
		ErrorLog: httpErrors(zerolog.Nop()),
	}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(pipes) })
	o.connect(pipes.dial)
	o.hangUp = func() error {
		o.client.CloseIdleConnections()
		server.Close()
		serving.Wait()
		return v.Close()
	}
}

func (o *operator) close() error { return o.hangUp() }

// firstAnswer is how long a server may take to say that it is there. One that
// is stopped or hangs still has its socket.
const firstAnswer = 2 * time.Second

// isServed reports whether the other end is a server that serves the vault;
// the error says why nothing answered.
func (o *operator) isServed(ctx context.Context) (bool, error) {
	patience, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	resp, err := o.send(patience, "GET", "/v1/version", nil)
	if err != nil && patience.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("it says nothing for %v", firstAnswer)
	}
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	return resp.StatusCode != http.StatusMisdirectedRequest, nil
}

// apiError is the API's answer to what it refuses.
type apiError struct {
	status  int
	Code    string `json:"errorCode"`
	Message string `json:"message"`
	Details struct {
		Fields []struct {
			Field   string `json:"field"`
			Message string `json:"message"`
		} `json:"fields"`
	} `json:"details,omitzero"`
}

func (e *apiError) Error() string {
	if len(e.Details.Fields) == 0 {
		return e.Message
	}
	parts := make([]string, len(e.Details.Fields))
	for i, f := range e.Details.Fields {
		parts[i] = f.Field + ": " + f.Message
	}
	return strings.Join(parts, "; ")
}

func (o *operator) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := o.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return o.do(req)
}

// request makes a request to the vault, for do.
func (o *operator) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+controlName+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(vaultHeader, o.vault)
	return req, nil
}

func (o *operator) do(req *http.Request) (*http.Response, error) {
	resp, err := o.client.Do(req)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // without the address, which means nothing to a person
	}
	return resp, err
}

// open is send, with a refusal as an error. The caller closes the body.
func (o *operator) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	resp, err := o.send(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	return resp, refusal(resp)
}

// refusal returns a refusal as an error, and closes its body; nil if resp is
// none.
func refusal(resp *http.Response) error {
	if resp.StatusCode < 300 {
		return nil
	}
	defer resp.Body.Close()
	refused := apiError{status: resp.StatusCode}
	if err := json.NewDecoder(resp.Body).Decode(&refused); err != nil || refused.Message == "" {
		return fmt.Errorf("%s %s: %s", resp.Request.Method, resp.Request.URL.Path, resp.Status)
	}
	return &refused
}

// call sends in, if there is any, and decodes the answer into out.
func (o *operator) call(ctx context.Context, method, path string, in, out any) error {
	resp, err := o.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

// list returns all items of a list, page after page, as they were sent.
func (o *operator) list(ctx context.Context, path string) ([]json.RawMessage, error) {
	var items []json.RawMessage
	for cursor := ""; ; {
		query := url.Values{"limit": {"500"}}
		if cursor != "" {
			query.Set("cursor", cursor)
		}
		var page struct {
			Items      []json.RawMessage `json:"items"`
			NextCursor string            `json:"nextCursor"`
		}
		if err := o.call(ctx, "GET", path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return items, nil
		}
	}
}
