package daemon

import (
	"context"
	"time"

	"strongroom/engine"
)

// member is a vault whose home is a store, as this server has it: it owns the vault, or
// follows what the owner does. Which of both, is so for the member's life. Its methods
// may be called from many goroutines.
type member interface {
	Vault() *engine.Vault
	Owns() bool
	// Current is nil while an owner may answer as one. It is asked before every answer.
	Current() error
	// Owner is the URL of the server that owns the vault, by what was last seen; false
	// if there is none that can be reached.
	Owner() (url string, known bool)
	// Done is closed when the role is over, and Err says why.
	Done() <-chan struct{}
	Err() error
	Standing() standing
	// Close ends the role, and lets another server have it at once.
	Close(context.Context) error
}

// standing is how a member stands.
type standing struct {
	Owner  string // the name of the server that owns the vault; "": not known
	Epoch  uint64
	Commit uint64
	Seq    uint64
	// Quiet is since when the server may not have all there is: a follower, since it
	// last had the last commit; an owner, since it last renewed its lease.
	Quiet   time.Duration
	Concern error // why it would not take over; nil: it would
	Locks   *lockStanding
}

// lockStanding is how far the locks of the store are, of an owner of a vault that has
// them.
type lockStanding struct {
	Behind  time.Duration // since when they may not be what the vault asks for; 0: they are
	Problem error         // what keeps them from it; nil: nothing does
}

// maxQuiet is how long a follower that does not hear the store serves what it has. What
// was revoked meanwhile opens this long at most.
const maxQuiet = 15 * time.Second
