package cli

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"strongroom/blobstore/object"
	"strongroom/blobstore/s3"
	"strongroom/httpapi/daemon"
)

// storeFlags say in which store of objects the vaults live.
type storeFlags struct {
	address, endpoint, region, credentials, keyFile string
	lock                                            string
	history                                         lifeValue
	cache                                           bytesValue
	peerURL                                         addressValue
	server                                          string
}

const (
	defaultHistory = lifeValue(7 * day)
	defaultCache   = bytesValue(10 << 30)
)

// store declares what says where a store is, and who may use it.
func (f *flagSet) store(o *storeFlags) {
	f.set.StringVar(&o.address, "store", "", "`ADDRESS` s3://BUCKET/PREFIX of the store in which the vaults live: the data\ndirectory has working copies then, which may burn")
	f.set.StringVar(&o.endpoint, "store-endpoint", "", "`URL` of the store, if it is not AWS: https://minio.example.com:9000;\nAWS_ENDPOINT_URL stands for it")
	f.set.StringVar(&o.region, "store-region", "", "`REGION` of the bucket; AWS_REGION stands for it")
	f.set.StringVar(&o.credentials, "store-credentials", "", "`FILE` with the keys to the store, as AWS's tools write it; without it,\nAWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY stand for it")
	f.set.StringVar(&o.lock, "store-lock", "", "`BUCKET` with Object Lock, beside the store's own and for files alone, in\nwhich the store itself keeps those of documents that are held or protected\nby compliance from being deleted; chosen when a vault comes into the store")
	f.set.StringVar(&o.keyFile, "store-key", "", "`FILE` with 32 bytes, raw, in hex or in base64, that every server of the\nstore has (openssl rand -hex 32): what the servers of a vault share beside\nits rows lies in the store sealed with it; without it, one server alone\nmay serve the store")
}

// serving declares what else a server is told of its store.
func (f *flagSet) storeServing(o *storeFlags) {
	f.store(o)
	o.history, o.cache = defaultHistory, defaultCache
	f.set.Var(&o.history, "store-history", "`TIME` for which the store keeps what a vault was, to restore it to any\nsecond of that: 24h, 7d")
	f.set.Var(&o.cache, "store-cache", "`SIZE` of the copies of files that are kept on this disk, of all vaults\ntogether")
	f.set.Var(&o.peerURL, "peer-url", "`URL` by which the other servers of the store reach this one, to pass on\nwhat only it can answer: https://a.example.com:8443; needs --store-key")
	f.set.StringVar(&o.server, "server-name", "", "`NAME` of this server among those of the store, for people; without it,\nthe name of the host")
}

// open reads the files and makes the client; nil without --store. It asks the store
// nothing.
func (o *storeFlags) open(env func(string) string, insecure bool) (*daemon.Store, error) {
	if o.address == "" {
		if o.endpoint != "" || o.region != "" || o.credentials != "" || o.keyFile != "" || o.lock != "" || o.peerURL != "" || o.server != "" {
			return nil, usagef("--store-endpoint, --store-region, --store-credentials, --store-key, --store-lock, --peer-url and --server-name are about a store: give --store s3://BUCKET/PREFIX too")
		}
		return nil, nil
	}
	config, err := s3.FromAWS(o.address, env)
	if err != nil {
		return nil, usagef("--store %v", err)
	}
	if o.endpoint != "" {
		config.Endpoint = o.endpoint
	}
	if o.region != "" {
		config.Region = o.region
	}
	if o.credentials != "" {
		config.CredentialsFile, config.AccessKey, config.SecretKey, config.SessionToken = o.credentials, "", "", ""
	}
	if strings.HasPrefix(config.Endpoint, "http://") {
		config.RootsFile = "" // AWS_CA_BUNDLE may be there for others
	}
	client, err := s3.Open(config)
	if err != nil {
		return nil, usagef("--store %s: %v", o.address, err)
	}
	locks, err := o.openLocks(config)
	if err != nil {
		return nil, err
	}
	key, err := readStoreKey(o.keyFile)
	if err != nil {
		return nil, err
	}
	if err := o.checkPeer(key, insecure); err != nil {
		return nil, err
	}
	if o.server == "" {
		o.server, _ = os.Hostname()
	}
	if o.server == "" || len(o.server) > 64 || strings.ContainsFunc(o.server, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
		return nil, usagef("--server-name %q: want 1 to 64 printable characters without blanks", o.server)
	}
	store := &daemon.Store{
		Objects: client, Address: client.String(), Key: key, History: time.Duration(o.history), Cache: int64(o.cache),
		PeerURL: strings.TrimSuffix(string(o.peerURL), "/"), Server: o.server,
		Check: func(ctx context.Context) error {
			if err := client.Check(ctx); err != nil {
				return err
			}
			if err := object.Trial(ctx, client); err != nil || locks == nil {
				return err
			}
			return tryLocks(ctx, locks, o.lock)
		},
	}
	if locks != nil {
		store.Locks, store.LockBucket = locks, o.lock
	}
	return store, nil
}

// openLocks makes the client of the bucket that locks; nil without --store-lock.
func (o *storeFlags) openLocks(config s3.Config) (*s3.Client, error) {
	if o.lock == "" {
		return nil, nil
	}
	bucket, prefix, err := s3.ParseAddress("s3://" + o.lock)
	switch {
	case err != nil || prefix != "" || bucket != o.lock:
		return nil, usagef("--store-lock %s: want the name of a bucket alone; the files are below the same prefix as in --store", o.lock)
	case bucket == config.Bucket:
		return nil, usagef("--store-lock %s: want a bucket beside that of --store, which keeps no versions", o.lock)
	}
	config.Bucket = bucket
	client, err := s3.Open(config)
	if err != nil {
		return nil, usagef("--store-lock %s: %v", o.lock, err)
	}
	return client, nil
}

// tryLocks finds out whether a bucket locks what it is told to lock.
func tryLocks(ctx context.Context, locks *s3.Client, bucket string) error {
	err := locks.CheckLocks(ctx)
	if err == nil {
		err = object.TrialLock(ctx, locks)
	}
	if err != nil {
		return fmt.Errorf("--store-lock %s: %w", bucket, err)
	}
	return nil
}

// checkPeer refuses an address that others could not use, or not without API keys
// crossing a network in the clear.
func (o *storeFlags) checkPeer(key *[32]byte, insecure bool) error {
	if o.peerURL == "" {
		return nil
	}
	u, err := url.Parse(string(o.peerURL))
	if err != nil || strings.Trim(u.Path, "/") != "" {
		return usagef("--peer-url %s: want no path behind the host: the other servers reach this one itself, not what stands before it", string(o.peerURL))
	}
	if key == nil {
		return usagef("--peer-url needs --store-key: servers pass requests on only to those that have the same key")
	}
	addr, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && !insecure && u.Hostname() != "localhost" && (err != nil || !addr.IsLoopback()) {
		return usagef("--peer-url %s: API keys would cross the network in the clear; write https://, or give --insecure-http if something between the servers encrypts", string(o.peerURL))
	}
	return nil
}

// readStoreKey reads 32 bytes in whatever way they are written; nil without a file.
func readStoreKey(file string) (*[32]byte, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--store-key: %w", err)
	}
	key, err := parseStoreKey(b)
	if err != nil {
		return nil, fmt.Errorf("--store-key %s: %w", file, err)
	}
	return key, nil
}

func parseStoreKey(b []byte) (*[32]byte, error) {
	if len(b) == 32 {
		return (*[32]byte)(b), nil
	}
	text := strings.TrimSpace(string(b))
	if raw, err := hex.DecodeString(text); err == nil && len(raw) == 32 {
		return (*[32]byte)(raw), nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if raw, err := encoding.Strict().DecodeString(text); err == nil && len(raw) == 32 {
			return (*[32]byte)(raw), nil
		}
	}
	return nil, errors.New("want 32 bytes, raw, in hex or in base64; `openssl rand -hex 32` makes them")
}
