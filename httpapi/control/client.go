package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"strongroom/engine"
	"strongroom/httpapi"
	"strongroom/httpapi/datadir"
)

// MaxConnections is how many connections a line keeps open to be used again. Who
// asks for more at once pays for making them.
const MaxConnections = 256

// Client is a line to one vault, with the actor operator at this end. What
// is at the other end makes no difference to its user: a running server,
// through its control socket, or the vault itself, opened at rest and served
// in process. It can be used by several goroutines at once.
type Client struct {
	client *http.Client
	vault  string
	bulk   bool // see Bulk
	hangUp func() error
}

// Open opens a line to a vault, which tells of this build if it is asked. The error
// wraps engine.ErrVaultInUse if another process has the vault and does not answer.
// The caller closes the line.
func Open(ctx context.Context, at datadir.Place, build httpapi.Build) (*Client, error) {
	c := &Client{vault: at.Vault}
	c.connect(func(ctx context.Context) (net.Conn, error) { return dial(ctx, at.Data) })
	served, err := c.isServed(ctx)
	if served {
		return c, nil
	}
	// No server, or one that does not serve this vault. If that is not the
	// truth, the lock on the vault says so.
	c.client.CloseIdleConnections()
	loan, openErr := datadir.Borrow(at)
	if openErr != nil {
		return nil, openErr
	}
	v, openErr := datadir.Open(at)
	if errors.Is(openErr, engine.ErrVaultInUse) && err != nil {
		return nil, fmt.Errorf("%w, and no server answers at its control socket: %v", openErr, err)
	}
	if openErr != nil {
		return nil, openErr
	}
	c.atRest(v, loan, build)
	return c, nil
}

// connect makes dial the way to the other end. Requests have no time limit of
// their own: verifying takes as long as it takes.
func (c *Client) connect(dial func(context.Context) (net.Conn, error)) {
	transport := &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		DisableCompression:  true,
		MaxIdleConnsPerHost: MaxConnections,
	}
	c.client = &http.Client{Transport: transport}
	c.hangUp = func() error { transport.CloseIdleConnections(); return nil }
}

// atRest serves v in process, to this end alone.
func (c *Client) atRest(v *engine.Vault, loan *datadir.Loan, build httpapi.Build) {
	pipes := newPipeListener()
	server := &http.Server{
		Handler: New(map[string]*engine.Vault{c.vault: v}, httpapi.Options{
			Build: build,
			// Who has the vault's files needs no protection from large ones.
			MaxUpload: math.MaxInt64 >> 1,
		}),
		ErrorLog: log.New(io.Discard, "", 0),
	}
	var serving sync.WaitGroup
	serving.Go(func() { server.Serve(pipes) })
	c.connect(pipes.dial)
	c.hangUp = func() error {
		c.client.CloseIdleConnections()
		server.Close()
		serving.Wait()
		return errors.Join(v.Close(), loan.Return())
	}
}

// Close gives back what Open took, the vault at rest among it.
func (c *Client) Close() error { return c.hangUp() }

// firstAnswer is how long a server may take to say that it is there. One that
// is stopped or hangs still has its socket.
const firstAnswer = 2 * time.Second

// isServed reports whether the other end is a server that serves the vault;
// the error says why nothing answered.
func (c *Client) isServed(ctx context.Context) (bool, error) {
	patience, cancel := context.WithTimeout(ctx, firstAnswer)
	defer cancel()
	resp, err := c.send(patience, "GET", "/v1/version", nil)
	if err != nil && patience.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("it says nothing for %v", firstAnswer)
	}
	if err != nil {
		return false, err
	}
	resp.Body.Close()
	return resp.StatusCode != http.StatusMisdirectedRequest, nil
}

func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(encoded)
	}
	req, err := c.Request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.do(req)
}

// Request makes a request about the vault, for Exchange.
func (c *Client) Request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+SocketName+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set(vaultHeader, c.vault)
	if c.bulk {
		req.Header.Set(bulkHeader, "import")
	}
	return req, nil
}

func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.client.Do(req)
	if wrapped := (*url.Error)(nil); errors.As(err, &wrapped) {
		err = wrapped.Err // without the address, which means nothing to a person
	}
	return resp, err
}

// open is send, with a refusal as an error. The caller closes the body.
func (c *Client) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	resp, err := c.send(ctx, method, path, in)
	if err != nil {
		return nil, err
	}
	return resp, refusal(resp)
}

// Stream gets a path whose answer is no JSON value; the caller closes it. A refusal
// is a *Refusal, here and below.
func (c *Client) Stream(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := c.open(ctx, "GET", path, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// Exchange sends a request and decodes the answer into out.
func (c *Client) Exchange(req *http.Request, out any) error {
	resp, err := c.do(req)
	if err != nil {
		return err
	}
	if err := refusal(resp); err != nil {
		return err
	}
	return decode(resp, out)
}

// Call sends in as JSON, unless it is nil, and decodes the answer into out.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	resp, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	return decode(resp, out)
}

// decode reads the value of an answer, and closes its body.
func decode(resp *http.Response, out any) error {
	defer resp.Body.Close()
	var body io.Reader = resp.Body
	if resp.StatusCode == http.StatusAccepted {
		sent, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		if err := needsTwo(sent); err != nil {
			return err
		}
		body = bytes.NewReader(sent)
	}
	if err := json.NewDecoder(body).Decode(out); err != nil {
		return fmt.Errorf("%s %s: %w", resp.Request.Method, resp.Request.URL.RequestURI(), err)
	}
	return nil
}

// List returns all items of a list, page after page, as they were sent.
func (c *Client) List(ctx context.Context, path string) ([]json.RawMessage, error) {
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
		if err := c.Call(ctx, "GET", path+"?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		items = append(items, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return items, nil
		}
	}
}
