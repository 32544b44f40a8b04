// Package s3 keeps objects in S3, or in what speaks it: MinIO, Ceph, SeaweedFS and
// others.
//
// Client is an object.Store. A cluster rests on its answers, so it says only what it
// knows: a condition that did not hold, an object that is not there, or that nobody
// knows. One call of Put or Delete is one request, which is never sent again by
// itself: of a request that was sent twice, the second may be carried out long after
// the first was answered, when another has written under the same key.
package s3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"strongroom/blobstore/object"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// defaultPatience is longer than a good store is ever silent, and short enough for
// an operator who waits.
const defaultPatience = 30 * time.Second

// checksumHeader has the store compare what came with what was sent, before it
// stands under the key.
const checksumHeader = "X-Amz-Checksum-Sha256"

// Config says where the objects are, and who may read and write them.
type Config struct {
	Bucket string // it has to be there
	Prefix string // what all keys begin with, without a slash at either end. "": nothing

	// Endpoint is the URL of the store, as https://minio.example:9000. "": AWS.
	Endpoint string
	Region   string // needed at AWS. "": us-east-1 where there is an endpoint

	AccessKey, SecretKey, SessionToken string
	// CredentialsFile is a file as AWS's tools write it, read where there is no
	// AccessKey; Profile a section of it, "" the one called default.
	CredentialsFile, Profile string

	// RootsFile has the certificates, in PEM, of the authorities that the store's
	// certificate may be signed by. "": those of the system.
	RootsFile string
	// Proxy is what http.Transport takes. Nil: none.
	Proxy func(*http.Request) (*url.URL, error)

	// Patience is how long the store may be silent before a call fails. 0: 30 s.
	Patience time.Duration
	// NoChecksums leaves out x-amz-checksum-sha256, for a store that refuses it. What
	// is sent is still signed with its SHA-256.
	NoChecksums bool
}

// Client is the objects below a prefix of one bucket. Make it with Open; it needs no
// closing.
type Client struct {
	core      minio.Core
	bucket    string
	prefix    string // "", or ends in a slash
	where     string // for people
	checksums bool
	patience  time.Duration
}

var _ object.Store = (*Client)(nil)

// Open returns a client. It asks the store nothing: see Check. The error says which
// part of c has to be another.
func Open(c Config) (*Client, error) {
	host, secure, err := c.host()
	if err != nil {
		return nil, err
	}
	creds, err := c.credentials()
	if err != nil {
		return nil, err
	}
	if c.Patience == 0 {
		c.Patience = defaultPatience
	}
	transport, err := c.transport(secure)
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupAuto
	if c.Endpoint != "" {
		lookup = minio.BucketLookupPath
	}
	client, err := minio.New(host, &minio.Options{
		Creds: creds, Secure: secure, Region: c.Region, Transport: transport, BucketLookup: lookup,
		MaxRetries: 1, // one call, one request
	})
	if err != nil {
		return nil, err
	}
	// Addresses of both kinds do not lead through a private gateway of AWS.
	client.SetS3EnableDualstack(false)
	opened := &Client{core: minio.Core{Client: client}, bucket: c.Bucket, where: "s3://" + c.Bucket, checksums: !c.NoChecksums, patience: c.Patience}
	return opened.Under(c.Prefix), nil
}

// Under returns a client for the objects below one more prefix.
func (c *Client) Under(prefix string) *Client {
	under := *c
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		under.prefix += prefix + "/"
	}
	return &under
}

// String is the address, as a user would write it.
func (c *Client) String() string { return strings.TrimSuffix(c.where+"/"+c.prefix, "/") }

func (c *Config) credentials() (*credentials.Credentials, error) {
	switch {
	case c.AccessKey != "" && c.SecretKey != "":
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken), nil
	case c.AccessKey != "" || c.SecretKey != "":
		return nil, errors.New("of the store's credentials one half is missing: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, both")
	case c.CredentialsFile == "":
		return nil, errors.New("there are no credentials for the store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with AWS_SHARED_CREDENTIALS_FILE")
	}
	profile := c.Profile
	if profile == "" {
		profile = "default"
	}
	return fromFile(c.CredentialsFile, profile)
}

// Put writes the object whole, in one request.
func (c *Client) Put(ctx context.Context, key string, b []byte, cond object.Condition) (object.Info, error) {
	return c.put(ctx, key, b, cond, bytes.NewReader(b))
}

// PutHeld is Put, but the last byte is sent only after ready has returned. By then
// the store has the rest, and whatever it looks at first: see object.Holder.
func (c *Client) PutHeld(ctx context.Context, key string, b []byte, cond object.Condition, ready func() error) (object.Info, error) {
	if len(b) == 0 {
		return object.Info{}, errors.New("an object without bytes has nothing to hold back")
	}
	return c.put(ctx, key, b, cond, &held{rest: b[:len(b)-1], last: b[len(b)-1:], ready: ready})
}

func (c *Client) put(ctx context.Context, key string, b []byte, cond object.Condition, body io.Reader) (object.Info, error) {
	ctx, call := c.call(ctx)
	sum := sha256.Sum256(b)
	opts := minio.PutObjectOptions{DisableContentSha256: true} // the sum is known, and signed
	if c.checksums {
		opts.UserMetadata = map[string]string{checksumHeader: base64.StdEncoding.EncodeToString(sum[:])}
	}
	switch {
	case cond.Absent && cond.Match != "":
		return object.Info{}, errors.New("an object cannot be absent and have an ETag")
	case cond.Absent:
		opts.SetMatchETagExcept("*")
	case cond.Match != "":
		opts.SetMatchETag(cond.Match)
	}
	done, err := c.core.PutObject(ctx, c.bucket, c.prefix+key, body, int64(len(b)), "", hex.EncodeToString(sum[:]), opts)
	if err != nil {
		return object.Info{}, c.putError(call, "put", key, cond, err)
	}
	return call.info(key, done.ETag, int64(len(b)), time.Time{})
}

// held is the body of PutHeld. It cannot be sought in, so nobody sends it twice.
type held struct {
	rest, last []byte
	ready      func() error
}

func (h *held) Read(p []byte) (int, error) {
	if len(h.rest) > 0 {
		n := copy(p, h.rest)
		h.rest = h.rest[n:]
		return n, nil
	}
	if len(h.last) == 0 {
		return 0, io.EOF
	}
	if h.ready != nil {
		if err := h.ready(); err != nil {
			return 0, err
		}
		h.ready = nil
	}
	n := copy(p, h.last)
	h.last = h.last[n:]
	return n, nil
}

// Stat tells of the object without its bytes.
func (c *Client) Stat(ctx context.Context, key string) (object.Info, error) {
	asked, call := c.call(ctx)
	info, err := c.core.StatObject(asked, c.bucket, c.prefix+key, minio.StatObjectOptions{})
	if err == nil {
		return call.info(key, info.ETag, info.Size, info.LastModified)
	}
	if call.status != http.StatusNotFound {
		return object.Info{}, c.failed(call, "look at", key, err)
	}
	// HEAD has no body to say what is missing: it may be the bucket.
	r, found, err := c.Get(ctx, key, 0)
	if err != nil {
		return object.Info{}, err
	}
	return found, r.Close()
}

// Delete removes the object, in one request. One that is not there is no error.
func (c *Client) Delete(ctx context.Context, key string) error {
	ctx, call := c.call(ctx)
	err := c.core.RemoveObject(ctx, c.bucket, c.prefix+key, minio.RemoveObjectOptions{})
	if err == nil || call.missing(err) {
		return nil
	}
	return c.failed(call, "delete", key, err)
}
