package store

import (
	"errors"
	"fmt"
)

var (
	// ErrInUse: another process, or another Store of this one, has the vault
	// open. Facts: *InUseError.
	ErrInUse = errors.New("the vault is in use")
	// ErrFormat: the vault was written by a newer version, or it is not a vault.
	ErrFormat = errors.New("the vault's format is not one this version reads")
	// ErrUnmarked: a database is there, and to make a vault would replace it.
	ErrUnmarked = errors.New("the vault's database is there, and vault.db, which says so, is missing")
	// ErrEarlier: a copy is of an earlier format, and cannot be read as it is.
	ErrEarlier = errors.New("the copy is of an earlier format")
	// ErrNoSpace: free space is below the reserve, or ran out. Nothing was
	// written; reads go on, and writing resumes by itself when space returns.
	ErrNoSpace = errors.New("no space left for writing")
	// ErrUnavailable: the vault is closed, or a commit's outcome is unknown and
	// it must be opened again, or the clock cannot be right. Facts: *UnavailableError.
	ErrUnavailable = errors.New("the vault is not available")
	// ErrBreach: a change and its entry do not agree. It is a defect of the
	// engine, never of its caller.
	ErrBreach = errors.New("engine: a change and its audit entry do not agree")
	// ErrDamaged: rows.db does not hold what was written there.
	ErrDamaged = errors.New("engine: stored data is damaged")
)

// Reason is why a vault is unavailable.
type Reason string

const (
	ReasonClosed         Reason = "closed"          // Close was called
	ReasonOutcomeUnknown Reason = "outcome_unknown" // a commit failed in a way that may or may not have reached the disk
	ReasonReplaced       Reason = "replaced"        // another server owns the vault now
	ReasonDamaged        Reason = "damaged"         // rows.db cannot be read
	ReasonBlobs          Reason = "blobs"           // the store of the bytes, beyond this machine, gives no answer; the rest goes on
	ReasonClock          Reason = "clock"           // the clock is behind the log, and writes are refused; or it is doubted, and destroys nothing
)

// UnavailableError says why the vault refuses reads and writes. Err is the
// cause, nil when it was closed.
type UnavailableError struct {
	Reason Reason
	Err    error
}

func (e *UnavailableError) Error() string {
	switch {
	case e.Reason == ReasonClosed:
		return "the vault is closed"
	case e.Reason == ReasonClock:
		return e.Err.Error()
	case e.Reason == ReasonReplaced:
		return fmt.Sprintf("this server does not own the vault any more, and changes nothing of it: %v", e.Err)
	case e.Reason == ReasonOutcomeUnknown:
		return fmt.Sprintf("a commit failed and it is not known whether it reached the disk; the vault must be opened again: %v", e.Err)
	}
	return fmt.Sprintf("the vault cannot be used (%s): %v", e.Reason, e.Err)
}

func (e *UnavailableError) Is(target error) bool { return target == ErrUnavailable }

func (e *UnavailableError) Unwrap() error { return e.Err }

// InUseError names the process that holds the vault; PID is 0 when it did not
// say.
type InUseError struct {
	Path string
	PID  int
}

func (e *InUseError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%s is in use by another process; stop it first", e.Path)
	}
	return fmt.Sprintf("%s is in use by process %d; stop it first", e.Path, e.PID)
}

func (e *InUseError) Is(target error) bool { return target == ErrInUse }
