package httpapi

import (
	"encoding/json"
	"errors"
	"time"

	"strongroom/audit"
	"strongroom/engine"
)

// Time is a time as the API prints it, in UTC with three fraction digits. The
// zero Time is null.
type Time time.Time

// MarshalJSON prints t.
func (t Time) MarshalJSON() ([]byte, error) {
	if time.Time(t).IsZero() {
		return []byte("null"), nil
	}
	b := append(make([]byte, 0, 26), '"')
	return append(audit.AppendTime(b, time.Time(t)), '"'), nil
}

var errTime = errors.New("must be a time as in RFC 3339, like 2026-11-21T17:36:01.123Z")

// UnmarshalText reads any time of RFC 3339.
func (t *Time) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil || parsed.IsZero() {
		return errTime
	}
	*t = Time(parsed.UTC())
	return nil
}

func (t *Time) bind(s string) error { return t.UnmarshalText([]byte(s)) }

// Error is the body of every answer that is no success.
type Error struct {
	ErrorCode string `json:"errorCode" doc:"What to branch on."`
	Message   string `json:"message" doc:"For people: what is wrong and what to do next."`
	RequestID string `json:"requestId" doc:"The same as the header X-Request-Id; it finds the request in the server's log."`
	Details   any    `json:"details,omitempty" doc:"Facts that go with the code: fields (50 of them at most), required and actual, documentId, reason, holds, protect with until and policyId, lockedByUser with lockedByApp and lockedUntilDateTime, or a Certificate."`
}

// FieldError names a value that was refused.
type FieldError struct {
	Field   string `json:"field" doc:"Its name, like tags[3] or customFields.amount."`
	Message string `json:"message"`
}

func fieldErrors(fields []engine.FieldError) []FieldError {
	return mapped(fields[:min(len(fields), maxWrong)], func(f engine.FieldError) FieldError {
		return FieldError{printable(f.Field), f.Message}
	})
}

// List is one page.
type List[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"nextCursor,omitempty" doc:"Give it back as cursor for the next page; absent on the last."`
}

// listOf prints a page of the engine.
func listOf[E, T any](p engine.Page[E], one func(E) T) List[T] {
	return List[T]{mapped(p.Items, one), p.NextCursor}
}

func mapped[E, T any](in []E, one func(E) T) []T {
	out := make([]T, len(in))
	for i, e := range in {
		out[i] = one(e)
	}
	return out
}

// orEmpty prints a list that is not there as the empty list it is.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Entry is an entry of the audit log: the members of its line, the hash of the
// line, and the detail while it is there. The line's own detail member, a hash,
// is called detailDigest here.
type Entry struct {
	Seq          uint64          `json:"seq"`
	Prev         audit.Hash      `json:"prev" doc:"The hash of the entry before."`
	Time         Time            `json:"time"`
	Actor        string          `json:"actor" doc:"A user's id, or system, or operator."`
	Key          string          `json:"key" doc:"The API key that was used, if one was."`
	Op           string          `json:"op"`
	Document     string          `json:"document"`
	Version      uint64          `json:"version"`
	Facts        json.RawMessage `json:"facts" type:"object"`
	DetailDigest string          `json:"detailDigest" doc:"The member detail of the line: SHA-256 of salt and detail; empty if there was none."`
	Hash         audit.Hash      `json:"hash" doc:"SHA-256 of the line with its newline."`
	Detail       json.RawMessage `json:"detail,omitempty" type:"object" doc:"Personal and free text. Absent if there was none, or it was erased, or it is for admins only."`
	Salt         string          `json:"salt,omitempty" doc:"32 hexadecimal digits; there whenever detail is."`
}

// Head is the end of the log.
type Head struct {
	Seq  uint64     `json:"seq"`
	Hash audit.Hash `json:"hash"`
	Time Time       `json:"time"`
	Text string     `json:"text" doc:"Three lines to print, sign and compare."`
}

func headOf(h audit.Head) Head { return Head{h.Seq, h.Hash, Time(h.Time), h.Text()} }

// VerifyReport is what a verification found.
type VerifyReport struct {
	OK       bool      `json:"ok" doc:"Whether there is no finding."`
	Head     Head      `json:"head"`
	Entries  uint64    `json:"entries"`
	Versions uint64    `json:"versions"`
	Blobs    uint64    `json:"blobs" doc:"Those whose bytes were read; 0 unless bytes was asked for."`
	Findings []Finding `json:"findings"`
}

// Finding is something wrong in the log or the vault.
type Finding struct {
	Seq     uint64 `json:"seq" doc:"Of the entry it is about."`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func findingOf(f audit.Finding) Finding { return Finding{f.Seq, string(f.Code), f.Message} }

// State is how the server is.
type State struct {
	Status  string    `json:"status" enum:"ok|degraded|unavailable" doc:"degraded: it serves, and its operator should see to something."`
	Reasons []string  `json:"reasons,omitempty" doc:"Why it is not ok, for callers with a valid API key."`
	Search  *Reading  `json:"search,omitempty" doc:"How far the full-text index has come, of the caller's vault; all together for the operator."`
	Cluster *Standing `json:"cluster,omitempty" doc:"How this server stands to the caller's vault, if it shares that with others."`
}

// Standing is how a server stands to a vault that lives in a store, with other servers.
type Standing struct {
	Role    string  `json:"role" enum:"owner|follower" doc:"The owner makes the changes; who follows applies them, and answers what reads."`
	Owner   string  `json:"owner,omitempty" doc:"The name of the server that owns the vault, by what was last seen."`
	Epoch   uint64  `json:"epoch" doc:"Of the last commit: each owner has one of its own."`
	Behind  float64 `json:"behindSeconds" doc:"Since when this server may not have all that is in the store, in seconds; of the owner, the age of its lease."`
	Concern string  `json:"concern,omitempty" doc:"Why this server would not take the vault over."`

	Locks *LockStanding `json:"locks,omitempty" doc:"How far the locks are that the store has on files of documents that are held or protected by compliance; told by the owner, where the store has them."`
}

// LockStanding is how far the locks of a store are.
type LockStanding struct {
	Behind  float64 `json:"behindSeconds" doc:"Since when they may not be what the vault asks for, in seconds; 0: they are."`
	Concern string  `json:"concern,omitempty" doc:"What keeps the store from locking as it should."`
}

// Build is which program this is.
type Build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Go       string `json:"go" doc:"The version of Go it was built with."`
	Platform string `json:"platform" doc:"Operating system and architecture."`
}
