package cluster

import (
	"errors"
)

var (
	// ErrNoVault: there is no vault under the prefix. Init makes one of a vault at rest.
	ErrNoVault = errors.New("the store has no such vault")
	// ErrStoreBehind: the store lacks commits that it has acknowledged, or has others in
	// their place. It was put back to an earlier state, or lost something; nothing is
	// served from it, since what is missing was promised to somebody.
	ErrStoreBehind = errors.New("the store has lost commits of this vault")
	// ErrForked: a commit does not go on from the one before it.
	ErrForked = errors.New("a commit in the store does not follow the one before it")
	// ErrDamaged: an object is not what this package writes.
	ErrDamaged = errors.New("an object of the vault in the store is damaged")
	// ErrClock: this machine's clock differs from the store's by more than five seconds.
	// Such a server follows, and does not take over.
	ErrClock = errors.New("the clock of this machine differs from the store's by over 5 s")
	// ErrOwnerGone ends a follower that has claimed the vault: join again, to own it.
	ErrOwnerGone = errors.New("the owner is gone, and this server takes over")
	// ErrStale: the owner has not reached the store for so long that another may own
	// the vault by now. It answers nothing as current.
	ErrStale = errors.New("this server has not reached the store for a while, and another may own the vault")
	// ErrClosed: the member was closed.
	ErrClosed = errors.New("this server has left the vault")
	// ErrCollected: the commits that a copy needs next are collected; a snapshot has what they did.
	ErrCollected = errors.New("the commits after this copy are collected")
)
