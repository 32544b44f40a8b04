package witness

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"strongroom/audit"
)

// Signed is a checkpoint of our log, signed by it.
type Signed struct {
	audit.Checkpoint
	Note []byte
}

// Log is what a Client needs of the log of a vault. The errors of the last two are
// that the log signs no more.
type Log interface {
	// Prove returns the hashes that show that a checkpoint grew out of the first old
	// lines, checked against what was signed.
	Prove(ctx context.Context, of Signed, old int64) ([]audit.TreeHash, error)
	// Add checks the signature lines of a witness over the checkpoint, and keeps them.
	Add(ctx context.Context, to Signed, lines []byte, by audit.Policy) ([]audit.Cosigning, error)
	// Saw is told what size of the log a witness has signed.
	Saw(ctx context.Context, origin string, size int64) error
	// Refuses is told that a witness has signed another history of so many lines.
	Refuses(ctx context.Context, origin string, size int64) error
}

// Answer is what became of asking one witness.
type Answer struct {
	Name string    // in the policy
	Time time.Time // when it signed
	Err  error     // nil: it signed
}

// timeout is for each request to a witness.
const timeout = 10 * time.Second

// maxAsked is how often a witness is asked of one checkpoint: it says which size it
// signed last, and may sign another meanwhile.
const maxAsked = 4

// Client asks the witnesses of a policy. It is safe for concurrent use.
type Client struct {
	policy audit.Policy
	at     map[string]string // where requests go, by the name of the witness
	client *http.Client

	mu   sync.Mutex
	seen map[[2]string]int64 // the size that a witness signed last, by origin and its name
}

// NewClient asks nobody. The error is about the policy: some witness needs a URL,
// and where somebody could change what it answers, that is https. cas are trusted
// for the witnesses; nil: the system's.
func NewClient(p audit.Policy, cas *x509.CertPool) (*Client, error) {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: cas}, TLSHandshakeTimeout: timeout, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	c := &Client{policy: p, at: map[string]string{}, seen: map[[2]string]int64{}, client: &http.Client{
		Transport: transport, Timeout: timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, w := range p.Witnesses {
		if w.URL == "" {
			continue
		}
		u, err := url.Parse(w.URL)
		if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
			return nil, fmt.Errorf("the URL %q of witness %s must begin with https://, and end before /add-checkpoint", w.URL, w.Name)
		}
		c.at[w.Name] = u.JoinPath("add-checkpoint").String()
	}
	if len(c.at) == 0 {
		return nil, errors.New("no witness of the policy has a URL: a line \"witness NAME VERIFIER-KEY URL\" names one to ask")
	}
	return c, nil
}

// isLoopback says whether nobody is between us and a host.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// Policy is what the client was made with.
func (c *Client) Policy() audit.Policy { return c.policy }

// Ask has all witnesses that have a URL sign the checkpoint, at once, and returns
// what each came to, in the order of the policy. Who has one answer that its log
// contradicts what it signed before has told log.
func (c *Client) Ask(ctx context.Context, log Log, of Signed) []Answer {
	var asked []audit.PolicyWitness
	for _, w := range c.policy.Witnesses {
		if c.at[w.Name] != "" {
			asked = append(asked, w)
		}
	}
	answers := make([]Answer, len(asked))
	var asking sync.WaitGroup
	for i, w := range asked {
		asking.Go(func() {
			at, err := c.ask(ctx, log, of, w)
			answers[i] = Answer{w.Name, at, err}
		})
	}
	asking.Wait()
	return answers
}

// ask asks one witness. Not knowing what it signed last, it asks as if that were
// this very checkpoint: whoever has signed another one says so.
func (c *Client) ask(ctx context.Context, log Log, of Signed, w audit.PolicyWitness) (time.Time, error) {
	key := [2]string{of.Origin, w.Name}
	c.mu.Lock()
	old, known := c.seen[key]
	c.mu.Unlock()
	if !known || old > of.Size {
		old = of.Size
	}
	for range maxAsked {
		proof, err := log.Prove(ctx, of, old)
		if err != nil {
			return time.Time{}, err
		}
		status, answer, err := c.post(ctx, c.at[w.Name], audit.AddRequest{Old: old, Proof: proof, Checkpoint: of.Note}.Marshal())
		if err != nil {
			return time.Time{}, err
		}
		switch status {
		case http.StatusOK:
			by, err := log.Add(ctx, of, answer, audit.Policy{Witnesses: []audit.PolicyWitness{w}})
			if err != nil {
				return time.Time{}, err
			}
			c.mu.Lock()
			c.seen[key] = of.Size
			c.mu.Unlock()
			return by[0].Time, nil
		case http.StatusConflict:
			size, err := strconv.ParseInt(strings.TrimSuffix(string(answer), "\n"), 10, 64)
			if err != nil || size < 0 || size == old {
				return time.Time{}, fmt.Errorf("it says that it signed another size last, and not which: %.80q", answer)
			}
			if size > of.Size {
				return time.Time{}, errors.Join(log.Saw(ctx, of.Origin, size), fmt.Errorf("it has signed %d entries, more than the %d of this checkpoint", size, of.Size))
			}
			old = size
		case http.StatusUnprocessableEntity:
			// Whoever signed nothing before has nothing that this could contradict.
			err := refused(status, answer)
			if old > 0 {
				err = errors.Join(log.Refuses(ctx, of.Origin, old), err)
			}
			return time.Time{}, err
		default:
			return time.Time{}, refused(status, answer)
		}
	}
	return time.Time{}, errors.New("it signs other checkpoints of this log meanwhile: who else has its key?")
}

// refused says what a witness says.
func refused(status int, answer []byte) error {
	said := fmt.Sprintf("%.200q", bytes.TrimSpace(answer))
	switch status {
	case http.StatusNotFound:
		return fmt.Errorf("it does not know this log; its operator has to name the log's key (%s)", said)
	case http.StatusForbidden:
		return fmt.Errorf("it knows another key of this log (%s)", said)
	case http.StatusUnprocessableEntity:
		return fmt.Errorf("it has signed another history of this log (%s)", said)
	}
	return fmt.Errorf("it answers %d (%s)", status, said)
}

func (c *Client) post(ctx context.Context, to string, body []byte) (status int, answer []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, audit.MaxNote))
	return resp.StatusCode, answer, err
}
