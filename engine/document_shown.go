package engine

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"strongroom/audit"
)

// shownFor is how long a version whose passages were shown to somebody is not
// noted again for them.
const shownFor = 15 * time.Minute

// recent is who was shown passages of which versions a moment ago: derived state
// that a restart forgets.
type recent struct {
	mu sync.Mutex // leaf lock
	at map[reading]time.Time
}

type reading struct {
	userID     string
	documentID string
	number     uint64
}

// lately says whether a reading was noted a moment ago.
func (s *recent) lately(r reading, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, noted := s.at[r]
	return noted && now.Sub(at) < shownFor
}

func (s *recent) note(readings []reading, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at == nil {
		s.at = map[reading]time.Time{}
	}
	maps.DeleteFunc(s.at, func(_ reading, at time.Time) bool { return now.Sub(at) >= shownFor })
	for _, r := range readings {
		s.at[r] = now
	}
}

// RecordShown records that passages of documents are about to be shown, of their
// current versions. With the setting AuditReads on it needs view access, and an
// entry document.downloaded for each, with the fact part, is on disk before it
// returns; one a user, version and quarter of an hour. Without it, it checks no
// access and writes nothing. Documents that were deleted meanwhile are passed
// over. It takes a page of documents, 500 at most.
func (v *Vault) RecordShown(ctx context.Context, actor Actor, documents []Document) error {
	s, err := v.Settings(ctx)
	if err != nil || !s.AuditReads {
		return err
	}
	now := v.store.Clock.Now()
	var readings []reading
	var steps []func(*tx) (struct{}, audit.Event, error)
	for _, d := range documents {
		if d.Current == nil {
			continue
		}
		r := reading{actor.UserID, d.ID, d.Current.Number}
		if v.recent.lately(r, now) {
			continue
		}
		readings = append(readings, r)
		steps = append(steps, func(t *tx) (none struct{}, event audit.Event, err error) {
			event, err = t.download(r.documentID, r.number)
			if errors.Is(err, ErrDocumentNotFound) || errors.Is(err, ErrDocumentDeleted) {
				return none, audit.Event{}, nil
			}
			if err == nil {
				event.Facts["part"] = audit.Text("passages")
			}
			return none, event, err
		})
	}
	if len(steps) == 0 {
		return nil
	}
	if _, _, err := updateAll(v, ctx, actor, steps...); err != nil {
		return err
	}
	v.recent.note(readings, now)
	return nil
}
