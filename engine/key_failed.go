package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"strongroom/audit"
)

// Bounds of what is told of failed sign-ins, which strangers cause.
const (
	failedPause   = 15 * time.Minute // between two entries of one source
	failedHour    = time.Hour
	failedEntries = 100   // in failedHour
	failedSources = 1_000 // that are told apart between two entries
)

// failedSignIns are those that no entry tells of yet. They are in memory alone:
// what a crash loses was refused all the same.
type failedSignIns struct {
	writing sync.Mutex // one at a time writes; before mu, and before a transaction
	mu      sync.Mutex // leaf lock, guards what follows
	of      map[string]*failedSource
	written []time.Time // the entries of the last failedHour
}

// failedSource is what came from one source since its last entry.
type failedSource struct {
	source string // "": from more than are told apart
	count  uint64
	keyID  string // that was named last
	reason string // of the last; "": that is for the vault to say
	first  time.Time
	told   time.Time // when its last entry was written; zero: never
}

// NoteFailedSignIn remembers that a token of this vault was refused with an error
// of Authenticate. Source is whom it came from, as the host tells them apart: an
// address. It writes nothing and looks nothing up: it takes as long for a key that
// is known as for one that is not. RecordFailedSignIns writes it down.
func (v *Vault) NoteFailedSignIn(token, source string, err error) {
	now := v.store.Clock.Now()
	f := &v.failed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.of == nil {
		f.of = map[string]*failedSource{}
	}
	if f.of[source] == nil && len(f.of) >= failedSources {
		source = ""
	}
	of := f.of[source]
	if of == nil {
		of = &failedSource{source: source}
		f.of[source] = of
	}
	if of.count++; of.count == 1 {
		of.first = now
	}
	of.keyID, of.reason = "", ""
	if _, keyID, ok := strings.Cut(TokenKey(token), "_"); ok && len(keyID) <= len(id{}.String()) {
		of.keyID = keyID // a longer one is none, and may be as long as a header
	}
	switch {
	case errors.Is(err, ErrTokenExpired):
		of.reason = "expired"
	case errors.Is(err, ErrTokenRevoked):
		of.reason = "revoked"
	}
}

// RecordFailedSignIns writes what NoteFailedSignIn was told: one entry a source and
// quarter of an hour, which counts what came since its last, and at most 100 an
// hour. If there are more sources than that leaves room for, the last entry counts
// them together. Sweep calls it; a host whose sweeps take long may call it too.
func (v *Vault) RecordFailedSignIns(ctx context.Context) error {
	v.failed.writing.Lock()
	defer v.failed.writing.Unlock()
	due := v.failed.due(v.store.Clock.Now())
	if len(due) == 0 {
		return nil
	}
	var steps []func(*tx) (struct{}, audit.Event, error)
	for _, of := range due {
		steps = append(steps, func(t *tx) (struct{}, audit.Event, error) {
			t.Note()
			return struct{}{}, t.failedSignIn(of), nil
		})
	}
	_, _, err := updateAll(v, ctx, System(), steps...)
	v.failed.settle(due, v.store.Clock.Now(), err == nil)
	return err
}

// failedDue is what one entry tells.
type failedDue struct {
	failedSource
	sources uint64 // how many it is about; 0: one
	parts   []failedSource
}

func (t *tx) failedSignIn(of failedDue) audit.Event {
	facts := audit.Facts{"count": audit.Number(of.count)}
	reason := of.reason
	if k, err := t.key(of.keyID); err == nil { // an id that is none is a stranger's text
		facts["key"] = audit.Text(k.ID)
		reason = cmp.Or(reason, "wrong")
	} else if c, err := t.client(of.keyID); err == nil {
		facts["client"] = audit.Text(c.ID)
		reason = cmp.Or(reason, "wrong")
	}
	facts["reason"] = audit.Text(cmp.Or(reason, "unknown"))
	if of.sources > 0 {
		facts["sources"] = audit.Number(of.sources)
	}
	detail := detailMembers{}
	detail.text("source", of.source)
	return audit.Event{Op: audit.OpSigninFailed, Facts: facts, Detail: encodeDetail(detail)}
}

// due takes what is to be written now. What comes meanwhile is counted anew.
func (f *failedSignIns) due(now time.Time) (due []failedDue) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.written = slices.DeleteFunc(f.written, func(at time.Time) bool { return now.Sub(at) >= failedHour })
	var ready []*failedSource
	for source, of := range f.of {
		switch rested := of.told.IsZero() || now.Sub(of.told) >= failedPause; {
		case rested && of.count > 0:
			ready = append(ready, of)
		case rested:
			delete(f.of, source)
		}
	}
	slices.SortFunc(ready, func(a, b *failedSource) int {
		if (a.source == "") != (b.source == "") {
			return cmp.Compare(b.source, a.source) // it goes into the last entry
		}
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(a.source, b.source))
	})
	room := failedEntries - len(f.written)
	for _, of := range ready {
		switch {
		case room == 0:
			return due
		case len(ready) <= room || len(due) < room-1:
			due = append(due, failedDue{failedSource: *of, parts: []failedSource{*of}})
		case len(due) < room:
			due = append(due, failedDue{failedSource: failedSource{count: of.count, first: of.first, reason: "several"}, sources: 1, parts: []failedSource{*of}})
		default:
			last := &due[room-1]
			last.count, last.sources = last.count+of.count, last.sources+1
			last.parts = append(last.parts, *of)
		}
		of.count = 0
	}
	return due
}

// settle notes that what due returned was written, or takes it back.
func (f *failedSignIns) settle(due []failedDue, now time.Time, written bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, entry := range due {
		if written {
			f.written = append(f.written, now)
		}
		for _, part := range entry.parts {
			of := f.of[part.source] // only due takes it away
			if written {
				of.told = now
			} else {
				of.count, of.first = of.count+part.count, part.first
			}
		}
	}
}
