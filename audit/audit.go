// Package audit is the audit log of a vault: a chain of entries that can only
// grow, and the proofs it carries.
package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"
)

// The errors of this package, each wrapped with what and where.
var (
	// ErrSyntax: what was read, or is to be written, is not in the one
	// spelling.
	ErrSyntax = errors.New("not in the one spelling of the audit log")
	// ErrChain: an entry is spelled right but may not follow the head.
	ErrChain = errors.New("entry does not follow")
	// ErrEvent: an event is not what its operation may say. The program that
	// made it is wrong.
	ErrEvent = errors.New("event cannot be logged")
)

// Event is what a change says of itself. The log adds seq, prev, time, actor
// and key. The zero Event says that nothing changed.
type Event struct {
	Op       Op
	Document string // the id of the document, "" if it is about none
	Version  uint64 // the number of the version, 0 if it is about none
	Facts    Facts  // what stays readable for ever; names no person
	Detail   []byte // personal and free text, a JSON object; nil: none
}

// IsZero reports whether e says that nothing changed.
func (e Event) IsZero() bool {
	return e.Op == "" && e.Document == "" && e.Version == 0 && len(e.Facts) == 0 && e.Detail == nil
}

// Check reports whether e is what the table in the package doc allows for its
// operation: the operation known, document and version as it wants them,
// every fact it needs and none it does not have, the detail a JSON object of
// at most [MaxDetail] bytes in valid UTF-8, if it may have one. The error is
// [ErrEvent]. [Head.Next] calls it.
func (e Event) Check() error {
	r, ok := ruleOf[e.Op]
	if !ok {
		return fmt.Errorf("%w: %.80q is not an operation", ErrEvent, e.Op)
	}
	if err := r.check(e); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrEvent, e.Op, err)
	}
	if e.Detail != nil && !isDetail(e.Detail) {
		return fmt.Errorf("%w: %s: the detail is not a JSON object in UTF-8 of at most %d bytes", ErrEvent, e.Op, MaxDetail)
	}
	return nil
}

func isDetail(d []byte) bool {
	return len(d) >= 2 && len(d) <= MaxDetail && d[0] == '{' && utf8.Valid(d) && json.Valid(d)
}

// Stamp is what the log knows of a change beside its event.
type Stamp struct {
	Time  time.Time // a whole millisecond
	Actor string    // the id of the user, or system or operator
	Key   string    // the id of the API key, "" if there was none
}

// Entry is a line of the log, read.
type Entry struct {
	Seq      uint64    // 1 for the first entry
	Prev     Hash      // of the entry before, zero for the first
	Time     time.Time // UTC, a whole millisecond
	Actor    string
	Key      string
	Op       Op // perhaps of a later release: see [Op.Known]
	Document string
	Version  uint64
	Facts    Facts // never nil
	Detail   Hash  // [DetailHash] of the detail, zero if there is none
}
