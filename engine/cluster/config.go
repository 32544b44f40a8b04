package cluster

import (
	"context"
	"sync/atomic"
	"time"

	"strongroom/audit"
	"strongroom/blobstore/object"
	"strongroom/engine"
)

// Config says which vault in which store, and who this server is.
type Config struct {
	// Objects is the store, seen from below the vault's prefix.
	Objects object.Store
	// Dir is the working copy: a directory of this server alone, which may burn.
	Dir string
	// Server names this server to people. URL is what other servers forward requests
	// to; empty: none can.
	Server, URL string
	// Options open the vault. Home, Follow and Blobs are set by this package.
	Options engine.Options
	// Blobs keeps the bytes; nil is the local disk. It is told the epoch of an owner
	// before the vault is opened.
	Blobs Blobs
	// SealKey seals the keys that the servers share. nil: they are not shared, and
	// stay on this server alone.
	SealKey *[32]byte
	// History is how long snapshots and commits are kept for restoring to a point in
	// time. 0 is 7 days.
	History time.Duration
	// Lease is how long the lease of an owner has to stand still before another server
	// takes the vault over. All servers of a vault have one. 0 is 15 s; tests have less.
	Lease time.Duration
	// Patience is how much longer than others this server waits before it takes over
	// from an owner that is gone: one that owns its share gives way to one that does not.
	Patience time.Duration
	// Log is told what an operator should know. nil: nobody is.
	Log func(format string, args ...any)

	open  func(dir string, o engine.Options) (vault, error) // nil: engine.Open
	place func(dir string, p pointer) error                 // nil: fetchCopy
	boot  func() time.Duration                              // nil: bootTime. Runs on while the machine sleeps
	start time.Time                                         // when the member began
	clean *atomic.Uint64                                    // see watched; the member's
}

// Blobs keeps the bytes of a vault under names that carry the epoch of who wrote them.
type Blobs interface {
	engine.BlobStore
	SetEpoch(uint64)
}

// vault is what this package needs of *engine.Vault.
type vault interface {
	vaultCopy
	Apply(ctx context.Context, records ...[]byte) error
	EmptyGroup() (group uint64, record []byte, err error)
	Ready() error
	Close() error
}

// vaultCopy is what a snapshot needs of *engine.Vault.
type vaultCopy interface {
	ID() string
	Group() (uint64, error)
	Head() audit.Head
	Wiped() uint64
	CopyDatabase(fn func(engine.DatabaseCopy) error) error
}

// The keys of a vault's objects, below its prefix.
const (
	keyLease     = "lease"
	keySnapshot  = "snapshot"
	keyCommits   = "commits/"   // and the number: see commitKey
	keySnapshots = "snapshots/" // and the commit and epoch
	keyKeys      = "keys/"      // and the file's name
)

const defaultHistory = 7 * 24 * time.Hour

// lease is how long something takes of a lease that Config.Lease may have made shorter.
func (c *Config) lease(of time.Duration) time.Duration {
	if c.Lease == 0 {
		return of
	}
	return time.Duration(float64(of) * float64(c.Lease) / float64(leaseExpires))
}

func (c *Config) history() time.Duration {
	if c.History == 0 {
		return defaultHistory
	}
	return c.History
}

func (c *Config) log(format string, args ...any) {
	if c.Log != nil {
		c.Log(format, args...)
	}
}

func (c *Config) now() time.Duration {
	if c.boot != nil {
		return c.boot()
	}
	return bootTime(c.start)
}

func (c *Config) openVault(o engine.Options) (vault, error) {
	if c.Blobs != nil {
		// A vault closes what keeps its bytes, and this one is opened again.
		o.Blobs = struct{ engine.BlobStore }{c.Blobs}
	}
	if c.open != nil {
		return c.open(c.Dir, o)
	}
	v, err := engine.Open(c.Dir, o)
	if err != nil {
		return nil, err // not a nil *Vault in an interface
	}
	return v, nil
}

// mark is what tells one put of a commit from every other: 16 random bytes.
type mark [16]byte

// place is where a history stands: the last commit, and its mark.
type place struct {
	Commit uint64 `json:"commit"`
	Mark   mark   `json:"mark"`
	Epoch  uint64 `json:"epoch"` // of who wrote it
}

// copyState is cluster.json: what is known of the working copy.
type copyState struct {
	place        // the vault has at least this commit
	ID    string `json:"id"`   // of this working copy, at random; a lease says whose it is by that
	Boot  string `json:"boot"` // the boot of the machine; "": unknown
	Clean bool   `json:"clean"`
	// Suspect: it did not take a commit that is whole, and is fetched anew.
	Suspect bool `json:"suspect,omitempty"`
	// Left: it has all there is, and the vault is being moved out of the store: see Leave.
	Left bool `json:"left,omitempty"`
}
