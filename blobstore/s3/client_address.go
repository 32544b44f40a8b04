package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// FromAWS is the configuration for s3://BUCKET/PREFIX with what AWS's names say.
// lookup is os.Getenv, or something like it: this package reads no environment.
//
// The names are AWS_ENDPOINT_URL_S3 and AWS_ENDPOINT_URL, AWS_REGION and
// AWS_DEFAULT_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
// AWS_SHARED_CREDENTIALS_FILE, AWS_PROFILE and AWS_CA_BUNDLE. With
// AWS_REQUEST_CHECKSUM_CALCULATION=when_required there are no checksums.
func FromAWS(address string, lookup func(name string) string) (Config, error) {
	bucket, prefix, err := ParseAddress(address)
	if err != nil {
		return Config{}, err
	}
	first := func(names ...string) string {
		for _, name := range names {
			if v := lookup(name); v != "" {
				return v
			}
		}
		return ""
	}
	return Config{
		Bucket: bucket, Prefix: prefix,
		Endpoint:        first("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
		Region:          first("AWS_REGION", "AWS_DEFAULT_REGION"),
		AccessKey:       lookup("AWS_ACCESS_KEY_ID"),
		SecretKey:       lookup("AWS_SECRET_ACCESS_KEY"),
		SessionToken:    lookup("AWS_SESSION_TOKEN"),
		CredentialsFile: lookup("AWS_SHARED_CREDENTIALS_FILE"),
		Profile:         lookup("AWS_PROFILE"),
		RootsFile:       lookup("AWS_CA_BUNDLE"),
		NoChecksums:     strings.EqualFold(lookup("AWS_REQUEST_CHECKSUM_CALCULATION"), "when_required"),
	}, nil
}

// ParseAddress takes s3://BUCKET/PREFIX apart. The prefix may be left out.
func ParseAddress(address string) (bucket, prefix string, err error) {
	rest, ok := strings.CutPrefix(address, "s3://")
	if !ok {
		return "", "", fmt.Errorf("%q is no address of a store: write s3://BUCKET/PREFIX, and the URL of the store as AWS_ENDPOINT_URL", address)
	}
	bucket, prefix, _ = strings.Cut(rest, "/")
	if err := checkBucketName(bucket); err != nil {
		return "", "", fmt.Errorf("%q: %w", address, err)
	}
	prefix = strings.TrimSuffix(prefix, "/")
	if err := checkPrefix(prefix); err != nil {
		return "", "", fmt.Errorf("%q: %w", address, err)
	}
	return bucket, prefix, nil
}

func checkBucketName(bucket string) error {
	switch {
	case bucket == "":
		return errors.New("the bucket is missing: write s3://BUCKET/PREFIX")
	case strings.ContainsAny(bucket, ":@"):
		return fmt.Errorf("%q is no bucket: write s3://BUCKET/PREFIX, the URL of the store as AWS_ENDPOINT_URL, and keys as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY", bucket)
	case s3utils.CheckValidBucketNameStrict(bucket) != nil:
		return fmt.Errorf("%q is no name of a bucket: it has 3 to 63 lower-case letters, digits, dots and hyphens", bucket)
	}
	return nil
}

// checkPrefix keeps to what every store takes as it stands: one that normalizes keys
// would keep two of ours as one.
func checkPrefix(prefix string) error {
	if prefix == "" {
		return nil
	}
	if len(prefix) > 200 {
		return errors.New("the prefix is longer than 200 characters")
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." || strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" {
			return fmt.Errorf("the prefix %q has a part that some stores change: use letters, digits, hyphens, underscores and dots, with one slash between parts", prefix)
		}
	}
	return nil
}

// host is the store's, checked, and whether it speaks TLS. It fills in the region.
func (c *Config) host() (host string, secure bool, err error) {
	if err := checkBucketName(c.Bucket); err != nil {
		return "", false, err
	}
	if err := checkPrefix(c.Prefix); err != nil {
		return "", false, err
	}
	if c.Endpoint == "" {
		if c.Region == "" {
			return "", false, errors.New("where the bucket is has to be said: set AWS_REGION for AWS, or AWS_ENDPOINT_URL for a store of your own")
		}
		return "s3.amazonaws.com", true, nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", false, fmt.Errorf("%q is no URL of a store: write it as https://store.example or http://127.0.0.1:9000", c.Endpoint)
	}
	if u.User != nil {
		return "", false, errors.New("the URL of the store has a user in it: say who you are with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
	}
	if strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", false, fmt.Errorf("%q has something behind the host: the bucket and the prefix are written as s3://BUCKET/PREFIX", c.Endpoint)
	}
	if c.RootsFile != "" && u.Scheme == "http" {
		return "", false, fmt.Errorf("there are certificates for the store, but %s is reached without TLS: write https://", c.Endpoint)
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	return u.Host, u.Scheme == "https", nil
}

func fromFile(name, profile string) (*credentials.Credentials, error) {
	creds := credentials.NewFileAWSCredentials(name, profile)
	value, err := creds.GetWithContext(&credentials.CredContext{Client: http.DefaultClient})
	if err != nil {
		return nil, fmt.Errorf("the store's credentials, section %q of %s: %w", profile, name, err)
	}
	if value.AccessKeyID == "" || value.SecretAccessKey == "" {
		return nil, fmt.Errorf("section %q of %s has no aws_access_key_id with its aws_secret_access_key", profile, name)
	}
	return creds, nil
}

func (c *Config) transport(secure bool) (http.RoundTripper, error) {
	t := &http.Transport{
		Proxy:               c.Proxy,
		DialContext:         (&net.Dialer{Timeout: min(10*time.Second, c.Patience), KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: min(10*time.Second, c.Patience),
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 128, // a group of readers fetches 64 at a time
		IdleConnTimeout:     20 * time.Second,
		DisableCompression:  true, // bytes are what was put
	}
	if secure {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if c.RootsFile != "" {
		pem, err := os.ReadFile(c.RootsFile)
		if err != nil {
			return nil, fmt.Errorf("the certificates of the store: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s has no certificate in PEM", c.RootsFile)
		}
		t.TLSClientConfig.RootCAs = roots
	}
	return &wire{below: t}, nil
}
